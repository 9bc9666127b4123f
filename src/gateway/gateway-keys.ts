/** API keys of one gateway: those that are declared, those of its store, and what operators do with them. */
import type { Clock, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { ApiKey, FoundKey, KeyDirectory, KeySource } from '../state/keys/api-key.ts';
import { KeyCache } from '../state/keys/key-cache.ts';
import { StoredKeys } from '../state/keys/stored-keys.ts';
import type { PreparedState } from './gateway-state.ts';
import { KeyDesk } from './key-desk.ts';
import { createKeyStore, type KeyPlace, type KeyPlaceOptions, keyPlaceOf } from './key-place.ts';

export interface GatewayKeysDeps extends KeyPlaceOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Hears the id of each key of which other processes may know something old; null where that is so of all. */
  readonly onKeyChange?: (id: string | null) => void;
}

export class GatewayKeys implements KeyDirectory {
  /** For operators. */
  readonly desk: KeyDesk;
  private readonly deps: GatewayKeysDeps;
  private readonly cache: KeyCache;
  private declared: ReadonlyMap<string, ApiKey> = new Map();
  private tiers: GatewayConfig['tiers'] = {};
  private place: KeyPlace = '';
  private stored: StoredKeys | null = null;

  constructor(deps: GatewayKeysDeps) {
    this.deps = deps;
    const stored = (): StoredKeys => this.open();
    const source: KeySource = {
      find: (id) => stored().find(id),
      used: (id, at) => stored().used(id, at),
    };
    this.cache = new KeyCache({ source, clock: deps.clock, keepFor: 0 });
    this.desk = new KeyDesk({
      clock: deps.clock,
      declared: () => this.declared,
      stored,
      tiers: () => this.tiers,
    });
  }

  find(id: string): ApiKey | null | Promise<ApiKey | null> {
    return this.declared.get(id) ?? this.cache.find(id);
  }

  /** For other processes, which remember it in turn. */
  findAged(id: string): Promise<FoundKey> {
    const key = this.declared.get(id);
    return key === undefined ? this.cache.findAged(id) : Promise.resolve({ key, age: 0 });
  }

  used(id: string): void {
    if (!this.declared.has(id)) this.cache.used(id);
  }

  prepare(config: GatewayConfig): PreparedState {
    const declared = declaredKeys(config);
    const place = keyPlaceOf(config, this.deps);
    return {
      commit: () => {
        this.declared = declared;
        this.tiers = config.tiers;
        this.cache.setKeepFor(config.state.keyCacheFor);
        if (place !== this.place) this.move(place);
      },
      discard: () => {},
    };
  }

  private move(place: KeyPlace): void {
    const former = this.stored;
    this.place = place;
    this.stored = null;
    if (former === null) return;
    this.onChange(null);
    void former.close();
  }

  private open(): StoredKeys {
    if (this.stored !== null) return this.stored;
    const store = createKeyStore(this.place, this.deps);
    const stored = new StoredKeys({ ...this.deps, store });
    // One that was left may still be heard.
    store.onChange((id) => this.stored === stored && this.onChange(id));
    this.stored = stored;
    return stored;
  }

  private onChange(id: string | null): void {
    this.cache.forget(id);
    this.deps.onKeyChange?.(id);
  }

  async close(): Promise<void> {
    await this.stored?.close();
  }
}

/** The keys of the configuration, by their ids. */
export function declaredKeys({ consumers }: Pick<GatewayConfig, 'consumers'>): Map<string, ApiKey> {
  const keys = new Map<string, ApiKey>();
  for (const { name: consumer, tier, apiKeys } of consumers) {
    for (const key of apiKeys) {
      keys.set(key.id, {
        id: key.id,
        sha256: key.sha256,
        consumer,
        name: key.name,
        scopes: key.scopes,
        tier: key.tier ?? tier ?? null,
        createdAt: 0,
        expiresAt: key.expiresAt ?? null,
        active: key.active,
        revokedAt: null,
        lastUsedAt: null,
        rotatedFrom: null,
        metadata: {},
      });
    }
  }
  return keys;
}
