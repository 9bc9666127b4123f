/** State of policies in the process that leads, or is the only one: its stores, opened and changed as the configuration says. */
import type { GatewayConfig } from '../config/model.ts';
import type { Decision, Limits, LimitsOptions, Take } from '../state/limits/limits.ts';
import { MemorySlots } from '../state/memory-slots.ts';
import type { Slots } from '../state/slots.ts';
import { GatewayKeys, type GatewayKeysDeps } from './gateway-keys.ts';
import type { GatewayState, PreparedState } from './gateway-state.ts';

export type OwnStateDeps = GatewayKeysDeps;

export class OwnState implements GatewayState {
  readonly slots: Slots;
  readonly keys: GatewayKeys;

  constructor(deps: OwnStateDeps) {
    this.slots = new MemorySlots(deps.timers);
    this.keys = new GatewayKeys(deps);
  }

  limits(_options: LimitsOptions): Limits {
    return { take: (takes) => undecided(takes) };
  }

  prepare(config: GatewayConfig): Promise<PreparedState> {
    return Promise.resolve(this.keys.prepare(config));
  }

  async close(): Promise<void> {
    await this.keys.close();
  }
}

function undecided(takes: readonly Take[]): Decision {
  const standings = takes.map(({ rule }) => ({ allowed: true, remaining: rule.limit, resetAfter: 0, retryAfter: 0 }));
  return { allowed: true, standings, degraded: true };
}
