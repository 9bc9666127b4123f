/** Algorithms of signatures (RFC 7518 section 3.1, RFC 8037) and the keys that each takes: what a key may do is said by its kind, never by a token. */
import type { KeyObject } from 'node:crypto';

/** All that there are; `none` is none of them. */
export const ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export type Algorithm = (typeof ALGORITHMS)[number];

/** Bytes that a shared secret has at least, whatever the algorithm. */
export const SHORTEST_SECRET = 32;

/** Bits of the shortest RSA key (RFC 7518 section 3.3). */
const SHORTEST_RSA = 2048;

const RSA: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const SHARED: readonly Algorithm[] = ['HS256', 'HS384', 'HS512'];
const NOTHING: readonly Algorithm[] = [];

const BY_CURVE: Readonly<Record<string, readonly Algorithm[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};

/** Everything but those of shared secrets. */
export const PUBLIC_ALGORITHMS: readonly Algorithm[] = ALGORITHMS.filter((name) => !SHARED.includes(name));

export function isShared(algorithm: Algorithm): boolean {
  return SHARED.includes(algorithm);
}

/** Bytes that the secret of a shared algorithm should have: those of its hash (RFC 7518 section 3.2). */
export function hashLength(algorithm: Algorithm): number {
  return Number(algorithm.slice(2)) / 8;
}

/** Algorithms that a key is for by its kind; none where it is for no signature, or too weak for one. */
export function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  switch (key.type === 'secret' ? 'secret' : key.asymmetricKeyType) {
    case 'secret': {
      const length = key.symmetricKeySize ?? 0;
      return length < SHORTEST_SECRET ? NOTHING : SHARED.filter((name) => hashLength(name) <= length);
    }
    case 'rsa':
      return (key.asymmetricKeyDetails?.modulusLength ?? 0) < SHORTEST_RSA ? NOTHING : RSA;
    case 'ec':
      return BY_CURVE[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? NOTHING;
    case 'ed25519':
      return ['EdDSA', 'Ed25519'];
    default:
      return NOTHING;
  }
}

/** Algorithms that a key can be used with where somebody asks for them by name: a short secret is no reason against. */
export function possibleAlgorithms(key: KeyObject): readonly Algorithm[] {
  return key.type === 'secret' && (key.symmetricKeySize ?? 0) >= SHORTEST_SECRET ? SHARED : algorithmsOf(key);
}
