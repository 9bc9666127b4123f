/** Where API keys are kept: the contract that every store fulfils. */
import type { ApiKey } from './api-key.ts';

export const KEY_STATES = ['active', 'inactive', 'expired', 'revoked'] as const;

/** `inactive` may become active again; `revoked` never does. */
export type KeyState = (typeof KEY_STATES)[number];

/** Which keys are listed. */
export interface KeyQuery {
  readonly consumer: string | null;
  readonly state: KeyState | null;
  /** Most keys of one answer; at least 1. */
  readonly limit: number;
  /** `next` of the answer before; null begins. */
  readonly after: string | null;
  /** By which keys have expired or not, in milliseconds since the epoch. */
  readonly now: number;
}

export interface KeyPage {
  /** The oldest first. */
  readonly keys: readonly ApiKey[];
  /** Where the next answer begins; null at the end. */
  readonly next: string | null;
}

/** What changes of a key; what is not named stays. */
export interface KeyChange {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly tier?: string | null;
  readonly expiresAt?: number | null;
  readonly active?: boolean;
  /** A merge patch (RFC 7396); null leaves none. */
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

/** What is done to a key, in one step that nothing comes between. `at` is now, in milliseconds since the epoch. */
export type KeyAction =
  | { readonly type: 'update'; readonly change: KeyChange }
  | { readonly type: 'revoke'; readonly at: number }
  /** Another key takes its place, and it ends itself after `overlap` milliseconds. */
  | {
      readonly type: 'rotate';
      readonly at: number;
      readonly overlap: number;
      readonly made: { readonly id: string; readonly sha256: string };
    };

export type KeyOutcome =
  /** `key` is what has become of it; of a rotation, the new one. */
  | { readonly outcome: 'done'; readonly key: ApiKey }
  | { readonly outcome: 'unknown' }
  /** What has become of the key before does not allow it. */
  | { readonly outcome: 'refused'; readonly reason: string };

/** All of it rejects where the store cannot be used at the moment, and has changed nothing then, as far as anybody can tell. */
export interface KeyStore {
  /** It outlives a crash of the process from the moment at which this resolves. Rejects where the id is taken. */
  create(key: ApiKey): Promise<void>;
  get(id: string): Promise<ApiKey | null>;
  list(query: KeyQuery): Promise<KeyPage>;
  act(id: string, action: KeyAction): Promise<KeyOutcome>;
  /** Notes when keys were used last, in milliseconds since the epoch, by their ids; an earlier time than the known one says nothing. */
  touch(uses: ReadonlyMap<string, number>): Promise<void>;
  /** Hears the id of each key that changed, here or by another gateway where the store tells; null when any may have. */
  onChange(listener: (id: string | null) => void): void;
  close(): Promise<void>;
}
