/** Tokens made by hand, sound and not, by nothing but `node:crypto`: a library would not make most of them. */
import { constants, createHmac, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto';

export type Json = Record<string, unknown>;

/** Of 40 bytes. */
export const SECRET = 'correct-horse-battery-staple-0123456789a';

export function base64url(value: string | Uint8Array): string {
  return Buffer.from(value as string).toString('base64url');
}

/** Signs the text before the second dot. */
export type Signer = (input: string) => Uint8Array;

export function hmac(secret: string | Uint8Array | KeyObject = SECRET, bits = 256): Signer {
  return (input) => createHmac(`sha${bits}`, secret).update(input).digest();
}

/** RS, PS and ES of a number of bits; `EdDSA` without. */
export function signer(kind: 'RS' | 'PS' | 'ES' | 'EdDSA', key: KeyObject, bits = 256): Signer {
  const options: SignKeyObjectInput = { key };
  if (kind === 'PS') Object.assign(options, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: bits / 8 });
  if (kind === 'ES') options.dsaEncoding = 'ieee-p1363';
  return (input) => sign(kind === 'EdDSA' ? null : `sha${bits}`, Buffer.from(input), options);
}

/** A token of two JSON values, or of texts that may be anything. */
export function tokenOf(header: Json | string, claims: Json | string, by: Signer = hmac()): string {
  const text = (value: Json | string): string => base64url(typeof value === 'string' ? value : JSON.stringify(value));
  const input = `${text(header)}.${text(claims)}`;
  return `${input}.${base64url(by(input))}`;
}

/** Seconds since the Unix epoch, `offset` from now. */
export function seconds(offset = 0): number {
  return Math.floor(Date.now() / 1000) + offset;
}

/** Claims that `issuer: portico-test, audience: api` takes for five minutes. */
export function soundClaims(more: Json = {}): Json {
  return { iss: 'portico-test', aud: 'api', sub: 'ann', iat: seconds(), exp: seconds(300), ...more };
}

export function soundToken(more: Json = {}): string {
  return tokenOf({ alg: 'HS256', typ: 'JWT' }, soundClaims(more));
}
