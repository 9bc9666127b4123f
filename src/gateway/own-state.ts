/** State of policies in the process that leads, or is the only one: its stores, opened and changed as the configuration says. */
import type { Clock, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { ApiKey, KeyDirectory } from '../state/keys/api-key.ts';
import type { Limits, LimitsOptions } from '../state/limits/limits.ts';
import { MemoryLimits } from '../state/limits/memory-limits.ts';
import { MemorySlots } from '../state/memory-slots.ts';
import type { Slots } from '../state/slots.ts';
import type { GatewayState, PreparedState } from './gateway-state.ts';

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
  private declared: ReadonlyMap<string, ApiKey> = new Map();

  constructor(deps: OwnStateDeps) {
    this.slots = new MemorySlots(deps.timers);
    this.memory = new MemoryLimits({ ...deps, maxKeys: MAX_KEYS });
    this.keys = { find: (id) => this.declared.get(id) ?? null, used: () => {} };
  }

  limits(_options: LimitsOptions): Limits {
    return this.memory;
  }

  prepare(config: GatewayConfig): Promise<PreparedState> {
    const declared = declaredKeys(config);
    return Promise.resolve({
      commit: () => {
        this.declared = declared;
        this.memory.setMaxKeys(config.state.maxKeys);
      },
      discard: () => {},
    });
  }

  close(): Promise<void> {
    this.memory.close();
    return Promise.resolve();
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
