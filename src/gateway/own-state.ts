/** State of policies in the process that leads, or is the only one: its stores, opened and changed as the configuration says. */
import type { Clock, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { ApiKey, KeyDirectory } from '../state/keys/api-key.ts';
import type { Limits, LimitsOptions } from '../state/limits/limits.ts';
import { MemoryLimits } from '../state/limits/memory-limits.ts';
import type { StoreObserver } from '../state/limits/redis/shared-limits.ts';
import { MemorySlots } from '../state/memory-slots.ts';
import type { Slots } from '../state/slots.ts';
import type { GatewayState, PreparedState } from './gateway-state.ts';
import { LimitStores } from './limit-stores.ts';

export interface OwnStateDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Until a configuration says how many. */
const MAX_KEYS = 1_000_000;

export class OwnState implements GatewayState {
  readonly slots: Slots;
  readonly keys: KeyDirectory;
  private readonly memory: MemoryLimits;
  private readonly stores: LimitStores | null;
  private declared: ReadonlyMap<string, ApiKey> = new Map();

  /** `asks` is false where workers ask the store that many gateways share, and this process only counts for them what is local. */
  constructor(deps: OwnStateDeps, asks = true) {
    this.slots = new MemorySlots(deps.timers);
    this.memory = new MemoryLimits({ ...deps, maxKeys: MAX_KEYS });
    this.stores = asks ? new LimitStores({ ...deps, local: this.memory }) : null;
    this.keys = { find: (id) => this.declared.get(id) ?? null, used: () => {} };
  }

  limits(options: LimitsOptions): Limits {
    return this.stores?.limits(options) ?? this.memory;
  }

  observe(observer: StoreObserver): void {
    this.stores?.observe(observer);
  }

  async prepare(config: GatewayConfig): Promise<PreparedState> {
    const declared = declaredKeys(config);
    const stores = await this.stores?.prepare(config);
    return {
      commit: () => {
        this.declared = declared;
        this.memory.setMaxKeys(config.state.maxKeys);
        stores?.commit();
      },
      discard: () => stores?.discard(),
    };
  }

  async close(): Promise<void> {
    this.memory.close();
    await this.stores?.close();
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
