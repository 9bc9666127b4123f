/** Hashes of passwords as operators write them: scrypt (RFC 7914) and bcrypt, with bounds on what one may cost. */
import { randomBytes, type ScryptOptions, scryptSync, timingSafeEqual } from 'node:crypto';
import { compareSync } from 'bcryptjs';

interface ScryptHash {
  readonly kind: 'scrypt';
  readonly options: ScryptOptions;
  readonly salt: Buffer;
  readonly digest: Buffer;
}

interface BcryptHash {
  readonly kind: 'bcrypt';
  readonly text: string;
}

export type PasswordHash = ScryptHash | BcryptHash;

/** Why a text is no hash that can be used; the message never quotes it. */
export class PasswordHashError extends Error {
  override readonly name = 'PasswordHashError';
}

/** About a second each, on one core. */
const MOST_ROUNDS = 13;
const MOST_WORK = 2 ** 21;

/** Bytes that one may need, 128 * N * r (RFC 7914 section 2). */
const MOST_MEMORY = 128 * 1024 * 1024;

/** With fewer a password is soon found by whoever has the hash. */
const LEAST_N = 1024;

const NO_HASH =
  'must be a hash of scrypt ($scrypt$ln=15,r=8,p=1$SALT$HASH, or scrypt$N$r$p$SALT$HASH) or bcrypt ($2b$10$...): `portico hash-password` makes one';

/** What `createPasswordHash` uses: 32 MiB, and about a tenth of a second. */
const USUAL = { ln: 15, r: 8, p: 1, salt: 16, digest: 32 };

/** Reads a hash; throws PasswordHashError for what is none, is cut, or costs too much or too little. */
export function parsePasswordHash(text: string): PasswordHash {
  const bcrypt = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/.exec(text);
  if (bcrypt !== null) {
    const rounds = Number(bcrypt[1]);
    if (rounds >= 4 && rounds <= MOST_ROUNDS) return { kind: 'bcrypt', text };
    throw new PasswordHashError(
      `must have a cost between 4 and ${MOST_ROUNDS}: the gateway checks it while clients wait`,
    );
  }
  const phc = /^\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,5}),p=([0-9]{1,5})\$([^$]+)\$([^$]+)$/.exec(text);
  if (phc !== null) return createScrypt(2 ** Number(phc[1]), Number(phc[2]), Number(phc[3]), phc[4], phc[5]);
  const plain = /^scrypt\$([0-9]{1,8})\$([0-9]{1,5})\$([0-9]{1,5})\$([^$]+)\$([^$]+)$/.exec(text);
  if (plain !== null) return createScrypt(Number(plain[1]), Number(plain[2]), Number(plain[3]), plain[4], plain[5]);
  throw new PasswordHashError(NO_HASH);
}

function createScrypt(N: number, r: number, p: number, salt: string, digest: string): ScryptHash {
  if (N < LEAST_N || !Number.isInteger(Math.log2(N))) {
    throw new PasswordHashError(`must have an N that is a power of two, ${LEAST_N} or more`);
  }
  if (r < 1 || p < 1 || 128 * N * r > MOST_MEMORY || N * r * p > MOST_WORK) {
    throw new PasswordHashError('must need at most 128 MiB (128 * N * r) and about a second (N * r * p up to 2097152)');
  }
  const options = { N, r, p, maxmem: 2 * MOST_MEMORY };
  const hash: ScryptHash = { kind: 'scrypt', options, salt: bytesOf(salt), digest: bytesOf(digest) };
  if (hash.salt.length < 8 || hash.salt.length > 64) throw new PasswordHashError('must have a salt of 8 to 64 bytes');
  if (hash.digest.length >= 16 && hash.digest.length <= 64) return hash;
  throw new PasswordHashError('must have a hash of 16 to 64 bytes');
}

/** Hexadecimal, or base64 of either alphabet with or without its padding. */
function bytesOf(text: string): Buffer {
  if (/^(?:[0-9A-Fa-f]{2}){16,}$/.test(text)) return Buffer.from(text, 'hex');
  const bytes = Buffer.from(text, 'base64');
  const plain = text.replace(/=+$/, '').replaceAll('-', '+').replaceAll('_', '/');
  if (bytes.toString('base64').replace(/=+$/, '') === plain) return bytes;
  throw new PasswordHashError('must have its salt and hash in base64 or hexadecimal');
}

/** True for the password of the hash. Takes as long as its parameters say, and keeps the thread busy meanwhile. */
export function isPasswordOf(hash: PasswordHash, password: string): boolean {
  if (hash.kind === 'bcrypt') return compareSync(password, hash.text);
  const { options, salt, digest } = hash;
  return timingSafeEqual(scryptSync(password, salt, digest.length, options), digest);
}

/** A hash of the password by scrypt with a new salt, in the PHC form. Keeps the thread busy for about a tenth of a second. */
export function createPasswordHash(password: string): string {
  const { ln, r, p } = USUAL;
  const salt = randomBytes(USUAL.salt);
  const digest = scryptSync(password, salt, USUAL.digest, { N: 2 ** ln, r, p, maxmem: MOST_MEMORY });
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(digest)}`;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
