/** A key by which signatures of tokens are verified, and how it is made of what people and issuers write. */
import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { type Algorithm, algorithmsOf, possibleAlgorithms } from './algorithms.ts';

export interface VerificationKey {
  /** Null for a key without a name. */
  readonly id: string | null;
  readonly algorithms: ReadonlySet<string>;
  readonly key: KeyObject;
  /** False once its set has it no more: what it verified is forgotten. */
  isLive: boolean;
}

/** Why a key is not used, in words that read on from it and never quote it. */
export interface UnusableKey {
  readonly problem: string;
}

/** Members of a JWK that only who signs may have (RFC 7518 section 6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];

/** A key for the algorithms in `wanted` that its kind allows; without these for all that its kind allows. */
export function createKey(
  key: KeyObject,
  id: string | null,
  wanted?: readonly Algorithm[],
): VerificationKey | UnusableKey {
  const possible = possibleAlgorithms(key);
  const algorithms = wanted === undefined ? algorithmsOf(key) : possible.filter((name) => wanted.includes(name));
  if (possible.length === 0) return { problem: 'is of no kind, curve or length that can be used' };
  if (algorithms.length === 0) return { problem: 'is of another kind than `algorithms` asks for' };
  return { id, algorithms: new Set(algorithms), key, isLive: true };
}

/** The key of a JSON Web Key (RFC 7517). Shared secrets are only taken from who is trusted with them: `takesSecrets`. */
export function parseJwk(
  jwk: unknown,
  takesSecrets: boolean,
  wanted?: readonly Algorithm[],
): VerificationKey | UnusableKey {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return { problem: 'is not a key' };
  const { kty, kid, use, alg, key_ops: operations } = jwk as Record<string, unknown>;
  if (use !== undefined && use !== 'sig') return { problem: 'is not for signatures (`use`)' };
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return { problem: 'is not for verifying (`key_ops`)' };
  }
  if (kid !== undefined && typeof kid !== 'string') return { problem: 'has a `kid` that is no string' };
  if (alg !== undefined && typeof alg !== 'string') return { problem: 'has an `alg` that is no string' };
  const isSecret = kty === 'oct';
  if (isSecret && !takesSecrets) return { problem: 'is a shared secret, which must not be published' };
  if (!isSecret && PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) {
    return { problem: 'is a private key: the public one is wanted, and nothing more' };
  }
  const key = isSecret ? secretOf(jwk as JsonWebKey) : publicKeyOf(jwk as JsonWebKey);
  if (key === null) return { problem: 'is malformed, or of a kind that is not known' };
  // What the key says of itself narrows what its kind allows (RFC 7517 section 4.4).
  const asked = alg === undefined ? wanted : (wanted ?? possibleAlgorithms(key)).filter((name) => name === alg);
  return createKey(key, kid ?? null, asked);
}

function secretOf({ k }: JsonWebKey): KeyObject | null {
  if (typeof k !== 'string' || !/^[A-Za-z0-9_-]+$/.test(k)) return null;
  return createSecretKey(Buffer.from(k, 'base64url'));
}

function publicKeyOf(jwk: JsonWebKey): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return null;
  }
}

export function isUsable(key: VerificationKey | UnusableKey): key is VerificationKey {
  return 'isLive' in key;
}
