/** An API key as stores know it: everything but the key itself, of which they have the SHA-256. */

export interface ApiKey {
  /** The part between `pk_` and the secret: letters and digits. */
  readonly id: string;
  /** SHA-256 of the whole key, in hexadecimal. */
  readonly sha256: string;
  readonly consumer: string;
  /** For people; may be empty. */
  readonly name: string;
  readonly scopes: readonly string[];
  readonly tier: string | null;
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** False when it was revoked. */
  readonly active: boolean;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
  /** The id of the key whose place it took. */
  readonly rotatedFrom: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** How policies look keys up: cached for `state.keyCacheFor`, and told of revocations. */
export interface KeyDirectory {
  /** The key of this id, good or bad; null where there is none. Rejects when the store cannot be asked and nothing is known of it. */
  find(id: string): ApiKey | null | Promise<ApiKey | null>;
  /** Notes that it was used now; written back at most once a minute for each key. */
  used(id: string): void;
}

/** What a source found. */
export interface FoundKey {
  readonly key: ApiKey | null;
  /** Milliseconds since it was read from the store. */
  readonly age: number;
}

/** Where a directory looks keys up. */
export interface KeySource {
  /** Rejects when it cannot be asked. */
  find(id: string): Promise<FoundKey>;
  /** It was used at that time, in milliseconds since the epoch; may be told late, or lost with the process. */
  used(id: string, at: number): void;
}
