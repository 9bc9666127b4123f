/** Random hexadecimal digits for identifiers, made many at a time and handed out in slices. */
import { randomFillSync } from 'node:crypto';

/** `000` to `fff`, by value. */
export const HEX3: readonly string[] = Array.from({ length: 4096 }, (_, value) => value.toString(16).padStart(3, '0'));

/** Texts made at once: enough to spread the cost of a batch, few enough that a text kept for long keeps little else. */
const BATCH = 64;

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

/** What stands in a pattern for a random digit, by what the digit may be. */
const ANY = 'x'.charCodeAt(0);
const NON_ZERO = 'n'.charCodeAt(0);
const VARIANT = 'v'.charCodeAt(0);

/**
 * A source of texts like `pattern`, in which each `x` becomes a random hexadecimal digit, each `n` one that is not 0, and
 * each `v` one of `89ab` (the variant of RFC 9562 section 4.1); all else stays. The bits are the system's.
 */
export function createHexSource(pattern: string): () => string {
  const { length } = pattern;
  const template = Buffer.from(pattern.repeat(BATCH), 'latin1');
  const bytes = Buffer.alloc(template.length);
  const random = Buffer.alloc(template.length);
  let batch = '';
  let next = BATCH;
  return () => {
    if (next === BATCH) {
      fill(bytes, template, random);
      batch = bytes.toString('latin1');
      next = 0;
    }
    const at = next++ * length;
    return batch.slice(at, at + length);
  };
}

function fill(bytes: Buffer, template: Buffer, random: Buffer): void {
  randomFillSync(random);
  for (let i = 0; i < template.length; i++) {
    const bits = random[i];
    const sort = template[i];
    if (sort === ANY) bytes[i] = DIGITS[bits & 15];
    else if (sort === VARIANT) bytes[i] = DIGITS[8 + (bits & 3)];
    else if (sort === NON_ZERO) bytes[i] = DIGITS[1 + (bits % 15)];
    else bytes[i] = sort;
  }
}
