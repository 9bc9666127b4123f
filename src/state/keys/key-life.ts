/** The life of a key: what may be done to it, and what becomes of it; the same in every store. */
import { mergePatch } from '../../base/merge-patch.ts';
import type { ApiKey } from './api-key.ts';
import type { KeyAction, KeyChange, KeyState } from './key-store.ts';

/** Characters of a key's metadata in JSON, however often they are added to. */
const MOST_METADATA = 64 * 1024;

export function keyStateOf({ revokedAt, active, expiresAt }: ApiKey, now: number): KeyState {
  if (revokedAt !== null) return 'revoked';
  if (!active) return 'inactive';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'active';
}

export type KeyDecision =
  | { readonly changed: ApiKey; readonly added: ApiKey | null }
  /** For people. */
  | { readonly refused: string };

/** What becomes of `key`; `isSucceeded` where another one that is not revoked has taken its place already. */
export function decideKeyAction(key: ApiKey, action: KeyAction, isSucceeded: boolean): KeyDecision {
  switch (action.type) {
    case 'update':
      return update(key, action.change);
    case 'revoke':
      // The first revocation counts.
      return { changed: { ...key, active: false, revokedAt: key.revokedAt ?? action.at }, added: null };
    case 'rotate':
      return rotate(key, action, isSucceeded);
  }
}

function update(key: ApiKey, { metadata, ...change }: KeyChange): KeyDecision {
  if (change.active === true && key.revokedAt !== null) return { refused: 'it is revoked, which is for good' };
  const merged = (metadata === undefined ? key.metadata : mergePatch(key.metadata, metadata ?? null)) ?? {};
  if (JSON.stringify(merged).length > MOST_METADATA) return { refused: 'its metadata would be too long' };
  return { changed: { ...key, ...change, metadata: merged as ApiKey['metadata'] }, added: null };
}

function rotate(
  key: ApiKey,
  { at, overlap, made }: Extract<KeyAction, { type: 'rotate' }>,
  isSucceeded: boolean,
): KeyDecision {
  const state = keyStateOf(key, at);
  if (state !== 'active') return { refused: `it is ${state}` };
  if (isSucceeded) return { refused: 'another key has taken its place already' };
  const end = at + overlap;
  const { expiresAt, createdAt } = key;
  const added: ApiKey = {
    ...key,
    ...made,
    createdAt: at,
    // A key that was made for ninety days is followed by one for ninety days.
    expiresAt: expiresAt === null ? null : at + (expiresAt - createdAt),
    lastUsedAt: null,
    rotatedFrom: key.id,
  };
  return { changed: { ...key, expiresAt: expiresAt === null ? end : Math.min(expiresAt, end) }, added };
}
