/** Where the keys of tokens come from. */
import type { VerificationKey } from './verification-key.ts';

/** No key is known, and who has them does not answer. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError';
}

export interface KeySource {
  /**
   * Keys that may have made the signature of a token that names this algorithm and key, the likeliest first; none where it
   * cannot be verified. Rejects with KeysUnavailableError while no key was ever had.
   */
  keysFor(algorithm: string, keyId: string | null): readonly VerificationKey[] | Promise<readonly VerificationKey[]>;
  close?(): void;
}

/** Keys that are tried for one token: signatures are dear, and who asks may have made up the token. */
const MOST_TRIED = 4;

/**
 * Those of `keys` that fit: first those with the name that the token has, then those without a name. A token that names no key
 * is tried with all of its algorithm.
 */
export function fittingKeys(
  keys: readonly VerificationKey[],
  algorithm: string,
  keyId: string | null,
): readonly VerificationKey[] {
  const fitting = keys.filter(({ algorithms }) => algorithms.has(algorithm));
  if (keyId === null) return fitting.slice(0, MOST_TRIED);
  const named = fitting.filter(({ id }) => id === keyId);
  return [...named, ...fitting.filter(({ id }) => id === null)].slice(0, MOST_TRIED);
}

/** Keys that stand in the configuration. */
export class FixedKeys implements KeySource {
  private readonly keys: readonly VerificationKey[];

  constructor(keys: readonly VerificationKey[]) {
    this.keys = keys;
  }

  keysFor(algorithm: string, keyId: string | null): readonly VerificationKey[] {
    return fittingKeys(this.keys, algorithm, keyId);
  }

  /** All that they are for. */
  algorithms(): Set<string> {
    return new Set(this.keys.flatMap((key) => [...key.algorithms]));
  }
}
