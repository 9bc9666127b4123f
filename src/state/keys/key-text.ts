/** The text of an API key: `pk_<id>_<secret>`, how it is read, made and compared with what a store has of it. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

const PREFIX = 'pk_';

/** Longest key that is looked at, in characters. */
export const LONGEST_KEY = 512;

const LONGEST_ID = 64;

/** Digits of an id that is made here: 95 bits, so that no two are ever alike. */
const ID_LENGTH = 16;

/** Digits of a secret that is made here: the least that hold 256 bits. */
const SECRET_LENGTH = 43;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Bit 1: may stand in an id. Bit 2: may stand in a secret, which is every character that no URL encodes (RFC 3986 section 2.3). */
const kinds = new Uint8Array(128);
for (const character of DIGITS) kinds[character.charCodeAt(0)] = 3;
for (const character of '-._~') kinds[character.charCodeAt(0)] = 2;

/** The id of a key, or null where the text is none: nothing is left out, and nothing is forgiven. */
export function parseKeyId(text: string): string | null {
  const { length } = text;
  if (length > LONGEST_KEY || !text.startsWith(PREFIX)) return null;
  const end = text.indexOf('_', PREFIX.length);
  if (end <= PREFIX.length || end - PREFIX.length > LONGEST_ID || end + 1 === length) return null;
  for (let i = PREFIX.length; i < end; i++) if ((kindAt(text, i) & 1) === 0) return null;
  for (let i = end + 1; i < length; i++) if ((kindAt(text, i) & 2) === 0) return null;
  return text.slice(PREFIX.length, end);
}

function kindAt(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return code < 128 ? kinds[code] : 0;
}

/** True for what may be the id of a key. */
export function isKeyId(text: string): boolean {
  return text.length <= LONGEST_ID && parseKeyId(`${PREFIX}${text}_x`) === text;
}

/** SHA-256 of the whole key. */
export function keyDigest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** True where `text` is the key of this digest; takes as long whether it is or not. */
export function isKeyOf(digest: Buffer, text: string): boolean {
  return timingSafeEqual(keyDigest(text), digest);
}

export interface NewKey {
  readonly id: string;
  /** The whole key: told once, and kept nowhere. */
  readonly key: string;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** A key with 256 bits of secret from the system's source of randomness. */
export function createKey(): NewKey {
  const id = randomDigits(ID_LENGTH);
  const key = `${PREFIX}${id}_${randomDigits(SECRET_LENGTH)}`;
  return { id, key, sha256: keyDigest(key).toString('hex') };
}

/** Each digit as likely as any other: bytes from the last, incomplete run of them are left out. */
function randomDigits(count: number): string {
  const most = 256 - (256 % DIGITS.length);
  let text = '';
  while (text.length < count) {
    for (const byte of randomBytes(count)) {
      if (byte < most && text.length < count) text += DIGITS[byte % DIGITS.length];
    }
  }
  return text;
}
