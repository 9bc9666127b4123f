/** Random hexadecimal digits for identifiers: drawn from the system's generator in batches, put together from a table. */
import { randomFillSync } from 'node:crypto';

/** `000` to `fff`, by value. */
export const HEX3: readonly string[] = Array.from({ length: 4096 }, (_, value) => value.toString(16).padStart(3, '0'));

const DIGITS: readonly string[] = [...'0123456789abcdef'];

/** 8 KiB: one call to the generator for some hundred identifiers. */
const pool = new Uint16Array(4096);
let next = pool.length;

/** Sixteen random bits. */
export function random16(): number {
  if (next === pool.length) {
    randomFillSync(pool);
    next = 0;
  }
  return pool[next++];
}

/** Three random hexadecimal digits. */
export function randomHex3(): string {
  return HEX3[random16() & 0xfff];
}

/** Sixteen bits as four digits. */
export function hex4(bits: number): string {
  return HEX3[bits >>> 4] + DIGITS[bits & 0xf];
}

/** Four random hexadecimal digits. */
export function randomHex4(): string {
  return hex4(random16());
}
