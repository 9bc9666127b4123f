/** State of policies in the process that leads, or is the only one: its stores, opened and changed as the configuration says. */
import type { GatewayConfig } from '../config/model.ts';
import type { Limits, LimitsOptions } from '../state/limits/limits.ts';
import { MemoryLimits } from '../state/limits/memory-limits.ts';
import type { StoreObserver } from '../state/limits/redis/shared-limits.ts';
import { MemorySlots } from '../state/memory-slots.ts';
import type { Slots } from '../state/slots.ts';
import { GatewayKeys, type GatewayKeysDeps } from './gateway-keys.ts';
import type { GatewayState, PreparedState } from './gateway-state.ts';
import { LimitStores } from './limit-stores.ts';

export type OwnStateDeps = GatewayKeysDeps;

/** Until a configuration says how many. */
const MAX_KEYS = 1_000_000;

export class OwnState implements GatewayState {
  readonly slots: Slots;
  readonly keys: GatewayKeys;
  private readonly memory: MemoryLimits;
  private readonly stores: LimitStores | null;

  /** `asks` is false where workers ask the store that many gateways share, and this process only counts for them what is local. */
  constructor(deps: OwnStateDeps, asks = true) {
    this.slots = new MemorySlots(deps.timers);
    this.memory = new MemoryLimits({ ...deps, maxKeys: MAX_KEYS });
    this.stores = asks ? new LimitStores({ ...deps, local: this.memory }) : null;
    this.keys = new GatewayKeys(deps);
  }

  limits(options: LimitsOptions): Limits {
    return this.stores?.limits(options) ?? this.memory;
  }

  observe(observer: StoreObserver): void {
    this.stores?.observe(observer);
  }

  async prepare(config: GatewayConfig): Promise<PreparedState> {
    const keys = this.keys.prepare(config);
    const stores = await this.stores?.prepare(config).catch((error: Error) => {
      keys.discard();
      throw error;
    });
    return {
      commit: () => {
        keys.commit();
        this.memory.setMaxKeys(config.state.maxKeys);
        stores?.commit();
      },
      discard: () => {
        keys.discard();
        stores?.discard();
      },
    };
  }

  async close(): Promise<void> {
    this.memory.close();
    await Promise.all([this.keys.close(), this.stores?.close()]);
  }
}
