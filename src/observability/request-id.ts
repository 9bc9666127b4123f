/** Request identifiers: UUIDs of version 7 (RFC 9562 section 5.7), and the test for those that others made. */
import type { Clock } from '../base/clock.ts';
import { createHexSource, HEX3 } from './random-hex.ts';

/** Makes an identifier of 36 characters; each sorts after the one before it. */
export type RequestIdSource = () => string;

/** Where a millisecond's counter begins: eleven random bits. */
const newStartText = createHexSource('xxx');
const newStart = (): number => Number.parseInt(newStartText(), 16) & 0x7ff;

/** All after the counter: the variant and 74 random bits. */
const newTail = createHexSource('-vxxx-xxxxxxxxxxxx');

/**
 * A source of version 7 UUIDs. The twelve bits after the version are a counter that begins at random in each
 * millisecond (RFC 9562 section 6.2, method 1); a clock that stands or goes back never makes the order go back.
 */
export function createRequestIdSource(clock: Clock): RequestIdSource {
  let millisecond = -1;
  let counter = 0;
  let prefix = '';
  return () => {
    const now = clock.wall();
    if (now > millisecond) {
      millisecond = now;
      prefix = prefixOf(now);
      // The top bit begins at 0, so that at least 2048 identifiers fit into the millisecond.
      counter = newStart();
    } else if (++counter > 0xfff) {
      prefix = prefixOf(++millisecond);
      counter = newStart();
    }
    return prefix + HEX3[counter] + newTail();
  };
}

/** 48 bits of milliseconds, and the version: `017f22e2-79b0-7`. */
function prefixOf(millisecond: number): string {
  const hex = Math.floor(millisecond).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
}

/** Letters, digits, and what UUIDs, base64 and trace headers have besides; nothing that needs escaping anywhere. */
const REQUEST_ID = (() => {
  const table = new Uint8Array(256);
  for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:+/=@') table[c.charCodeAt(0)] = 1;
  return table;
})();

/** True for 1 to 128 characters that are safe in a header, a log line and a URL: what is kept from a trusted proxy. */
export function isRequestId(text: string): boolean {
  if (text.length === 0 || text.length > 128) return false;
  for (let i = 0; i < text.length; i++) {
    if (REQUEST_ID[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}
