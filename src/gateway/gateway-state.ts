/** What a gateway wants of the place where policies' state is kept: it changes with the configuration, as one. */
import type { GatewayConfig } from '../config/model.ts';
import type { StoreObserver } from '../state/limits/redis/shared-limits.ts';
import type { SharedState } from '../state/state.ts';

/** State for the next configuration. One of the two is called, once. */
export interface PreparedState {
  /** Cannot fail. */
  commit(): void;
  /** Nothing has changed. */
  discard(): void;
}

export interface GatewayState extends SharedState {
  /** Tells of the store of limits that many gateways share. */
  observe(observer: StoreObserver): void;
  /** Opens what the configuration wants beside what is open. Rejects with the reason where a store cannot be used at all. */
  prepare(config: GatewayConfig): Promise<PreparedState>;
  close(): Promise<void>;
}
