/** Byte classes of RFC 9110 and 9112 as 256-entry tables, so that the parsers test one byte with one look-up. */
import { TOKEN_CHARACTERS } from '../base/token.ts';

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = 1;
  return table;
}

function tableOfRange(first: number, last: number): Uint8Array {
  return new Uint8Array(256).fill(1, first, last + 1);
}

/** tchar: RFC 9110 section 5.6.2. */
export const TOKEN: Uint8Array = tableOf(TOKEN_CHARACTERS);

/** field-content with its inner white space: VCHAR, obs-text, SP and HTAB (RFC 9110 section 5.5). */
export const FIELD_VALUE: Uint8Array = (() => {
  const table = tableOfRange(0x20, 0xff);
  table[0x09] = 1;
  table[0x7f] = 0;
  return table;
})();

/** Bytes a request target may have: visible US-ASCII without `#`, which starts a fragment (RFC 9112 section 3.2). */
export const TARGET: Uint8Array = (() => {
  const table = tableOfRange(0x21, 0x7e);
  table[0x23] = 0;
  return table;
})();

/** Value of a hexadecimal digit, or 255. */
export const HEX: Uint8Array = (() => {
  const table = new Uint8Array(256).fill(255);
  for (let i = 0; i < 10; i++) table[0x30 + i] = i;
  for (let i = 0; i < 6; i++) {
    table[0x41 + i] = 10 + i;
    table[0x61 + i] = 10 + i;
  }
  return table;
})();

/** True when `text` can stand as a field value: no control but HTAB, nothing above latin1 (RFC 9110 section 5.5). */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || FIELD_VALUE[code] === 0) return false;
  }
  return true;
}
