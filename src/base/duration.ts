/** Durations as people write them: one number and one unit. */

/** Why a text is not a duration. The message never quotes the text. */
export class DurationError extends Error {
  override readonly name = 'DurationError';
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds, a whole number from 0 up. Understood are `250ms`, `10s`, `1.5s`, `5m`, `1h` and `1d`; a unit is always
 * needed, and only one. Throws `DurationError`.
 */
export function parseDuration(text: string): number {
  const match = /^([0-9]{1,15})(?:\.([0-9]{1,9}))?(ms|s|m|h|d)$/.exec(text);
  if (match === null) throw new DurationError(explain(text));
  const milliseconds = Number(`${match[1]}.${match[2] ?? '0'}`) * units[match[3]];
  const whole = Math.round(milliseconds);
  if (Math.abs(milliseconds - whole) > 1e-6) throw new DurationError('must be a whole number of milliseconds');
  if (!Number.isSafeInteger(whole)) throw new DurationError('is too long');
  return whole;
}

/** The shortest exact way to write a whole number of milliseconds: 1500 is `1500ms`, 60000 is `1m`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's']) {
    if (milliseconds % units[unit] === 0) return `${milliseconds / units[unit]}${unit}`;
  }
  return `${milliseconds}ms`;
}

function explain(text: string): string {
  if (/^[0-9.]+$/.test(text)) return 'needs a unit: ms, s, m, h or d, as in 250ms or 10s';
  if (text.startsWith('-')) return 'cannot be negative';
  if (/^([0-9]+(ms|s|m|h|d) ?){2,}$/.test(text)) return 'takes one unit only: write 90s, not 1m30s';
  return 'is not a duration: write one number and one unit, such as 250ms, 10s, 5m, 1h or 1d';
}
