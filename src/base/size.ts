/** Sizes as people write them: bytes, or binary multiples of them. */

/** Why a text is not a size. The message never quotes the text. */
export class SizeError extends Error {
  override readonly name = 'SizeError';
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** Bytes, a whole number from 0 up: `512`, `512B`, `64KiB`, `1.5MiB`, `1GiB`, `1TiB`. Throws `SizeError`. */
export function parseSize(text: string): number {
  const match = /^([0-9]{1,16})(?:\.([0-9]{1,9}))?(B|KiB|MiB|GiB|TiB|)$/.exec(text);
  if (match === null) throw new SizeError(explain(text));
  const bytes = Number(`${match[1]}.${match[2] ?? '0'}`) * units[match[3]];
  if (!Number.isInteger(bytes)) throw new SizeError('must be a whole number of bytes');
  if (!Number.isSafeInteger(bytes)) throw new SizeError('is too large');
  return bytes;
}

/** The shortest exact way to write a whole number of bytes: 65536 is `64KiB`, 1000 is `1000B`. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0B';
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    if (bytes % units[unit] === 0) return `${bytes / units[unit]}${unit}`;
  }
  return `${bytes}B`;
}

function explain(text: string): string {
  if (text.startsWith('-')) return 'cannot be negative';
  if (/^[0-9.]+ *(k|kb|m|mb|g|gb|t|tb|kib|mib|gib|tib|b)$/i.test(text)) {
    return 'has an unknown unit: write B, KiB, MiB, GiB or TiB right after the number (1KiB is 1024 bytes)';
  }
  return 'is not a size: write a number of bytes, or a number with B, KiB, MiB, GiB or TiB, such as 64KiB';
}
