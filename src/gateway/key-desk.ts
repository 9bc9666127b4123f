/** What operators may do with API keys: those of the store are made and changed, those of the configuration are shown. */
import type { Clock } from '../base/clock.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { ApiKey } from '../state/keys/api-key.ts';
import { keyStateOf } from '../state/keys/key-life.ts';
import { parsePlace } from '../state/keys/key-row.ts';
import type { KeyAction, KeyChange, KeyState } from '../state/keys/key-store.ts';
import { createKey } from '../state/keys/key-text.ts';
import type { StoredKeys } from '../state/keys/stored-keys.ts';

/** A key as operators see it: neither the key nor its digest. Times are in ISO 8601. */
export interface KeyPicture {
  readonly id: string;
  readonly consumer: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly tier: string | null;
  readonly state: KeyState;
  readonly active: boolean;
  /** True for one that stands in the configuration, which alone can change it. */
  readonly declared: boolean;
  readonly createdAt: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** Up to a minute late; null of one that was never used, or is declared. */
  readonly lastUsedAt: string | null;
  readonly rotatedFrom: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What a new key is to be. */
export interface KeyWish {
  readonly consumer: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly tier: string | null;
  /** Milliseconds; null for ever. */
  readonly expiresIn: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface KeyChangeWish extends KeyChange {
  readonly expiresIn?: number | null | undefined;
}

export interface KeyListWish {
  readonly consumer: string | null;
  readonly state: KeyState | null;
  readonly limit: number;
  /** `next` of the list before. */
  readonly after: string | null;
}

export interface KeyRefusal {
  readonly refusal: 'unknown' | 'conflict' | 'unknown-tier' | 'bad-place';
  /** A sentence for people. */
  readonly detail: string;
}

export interface MadeKey {
  /** The key itself: told this once. */
  readonly key: string;
  readonly picture: KeyPicture;
}

export interface KeyDeskDeps {
  readonly clock: Clock;
  /** Keys of the configuration that runs. */
  readonly declared: () => ReadonlyMap<string, ApiKey>;
  readonly stored: () => StoredKeys;
  readonly tiers: () => GatewayConfig['tiers'];
}

/** All of it rejects with the reason where the store cannot be asked. */
export class KeyDesk {
  private readonly deps: KeyDeskDeps;

  constructor(deps: KeyDeskDeps) {
    this.deps = deps;
  }

  async create({ expiresIn, ...wish }: KeyWish): Promise<MadeKey | KeyRefusal> {
    const refusal = this.tierRefusal(wish.tier);
    if (refusal !== null) return refusal;
    const { id, key, sha256 } = createKey();
    const now = this.now();
    const made: ApiKey = {
      ...wish,
      id,
      sha256,
      createdAt: now,
      expiresAt: expiresIn === null ? null : now + expiresIn,
      active: true,
      revokedAt: null,
      lastUsedAt: null,
      rotatedFrom: null,
    };
    await this.deps.stored().store.create(made);
    return { key, picture: this.picture(made) };
  }

  async get(id: string): Promise<KeyPicture | null> {
    const declared = this.deps.declared().get(id);
    if (declared !== undefined) return this.picture(declared);
    const stored = this.deps.stored();
    await stored.writeUses();
    const key = await stored.store.get(id);
    return key === null ? null : this.picture(key);
  }

  /** Those of the configuration come first. */
  async list(wish: KeyListWish): Promise<{ keys: readonly KeyPicture[]; next: string | null } | KeyRefusal> {
    const begin = parseDeskPlace(wish.after);
    if (begin === null) return { refusal: 'bad-place', detail: '`after` is not the `next` of a list.' };
    const { consumer, state, limit } = wish;
    const now = this.now();
    const declared = [...this.deps.declared().values()].filter((key) => {
      return (consumer === null || key.consumer === consumer) && (state === null || keyStateOf(key, now) === state);
    });
    const first = begin.declared === null ? [] : declared.slice(begin.declared, begin.declared + limit);
    const pictures = first.map((key) => this.picture(key));
    const seen = (begin.declared ?? 0) + first.length;
    if (first.length === limit) return { keys: pictures, next: `declared-${seen}` };
    const stored = this.deps.stored();
    await stored.writeUses();
    const page = await stored.store.list({ consumer, state, limit: limit - first.length, after: begin.stored, now });
    return { keys: [...pictures, ...page.keys.map((key) => this.picture(key))], next: page.next };
  }

  /** `expiresIn`, in milliseconds from now, takes the place of `expiresAt`; null is for ever. */
  async update(id: string, { expiresIn, ...rest }: KeyChangeWish): Promise<KeyPicture | KeyRefusal> {
    const refusal = this.tierRefusal(rest.tier ?? null);
    if (refusal !== null) return refusal;
    const expiry = expiresIn === undefined ? {} : { expiresAt: expiresIn === null ? null : this.now() + expiresIn };
    const change = { ...rest, ...expiry };
    const done = await this.act(id, { type: 'update', change });
    return 'refusal' in done ? done : this.picture(done);
  }

  async revoke(id: string): Promise<KeyPicture | KeyRefusal> {
    const done = await this.act(id, { type: 'revoke', at: this.now() });
    return 'refusal' in done ? done : this.picture(done);
  }

  /** Another key takes the place of this one, which is good for `overlap` milliseconds more. */
  async rotate(id: string, overlap: number): Promise<MadeKey | KeyRefusal> {
    const { key, ...made } = createKey();
    const done = await this.act(id, { type: 'rotate', at: this.now(), overlap, made });
    return 'refusal' in done ? done : { key, picture: this.picture(done) };
  }

  private async act(id: string, action: KeyAction): Promise<ApiKey | KeyRefusal> {
    if (this.deps.declared().has(id)) {
      const detail = 'The key stands in the configuration, under `consumers`: change it there.';
      return { refusal: 'conflict', detail };
    }
    const done = await this.deps.stored().store.act(id, action);
    if (done.outcome === 'done') return done.key;
    if (done.outcome === 'unknown') return { refusal: 'unknown', detail: 'No key has this id.' };
    return { refusal: 'conflict', detail: `The key cannot be changed so: ${done.reason}.` };
  }

  private tierRefusal(tier: string | null): KeyRefusal | null {
    if (tier === null || Object.hasOwn(this.deps.tiers(), tier)) return null;
    return { refusal: 'unknown-tier', detail: 'No tier of the configuration has this name.' };
  }

  private now(): number {
    return Math.floor(this.deps.clock.wall());
  }

  private picture(key: ApiKey): KeyPicture {
    const declared = this.deps.declared().has(key.id);
    return {
      id: key.id,
      consumer: key.consumer,
      name: key.name,
      scopes: key.scopes,
      tier: key.tier,
      state: keyStateOf(key, this.now()),
      active: key.active,
      declared,
      createdAt: declared ? null : isoOf(key.createdAt),
      expiresAt: isoOf(key.expiresAt),
      revokedAt: isoOf(key.revokedAt),
      lastUsedAt: isoOf(key.lastUsedAt),
      rotatedFrom: key.rotatedFrom,
      metadata: key.metadata,
    };
  }
}

function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

/** A place in the list: among the declared keys, or in the store behind them. */
function parseDeskPlace(after: string | null): { declared: number | null; stored: string | null } | null {
  if (after === null) return { declared: 0, stored: null };
  const match = /^declared-([0-9]{1,9})$/.exec(after);
  if (match !== null) return { declared: Number(match[1]), stored: null };
  return parsePlace(after) === null ? null : { declared: null, stored: after };
}
