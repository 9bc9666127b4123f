/** Where limits are counted: in this gateway or in a store that many share. It changes with the configuration, and policies need not know. */
import type { Clock, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { GatewayMetrics } from '../observability/metrics/gateway-metrics.ts';
import type { Decision, Limits, LimitsOptions, Take } from '../state/limits/limits.ts';
import { openSharedLimits, type SharedLimits, type StoreObserver } from '../state/limits/redis/shared-limits.ts';
import type { PreparedState } from './gateway-state.ts';

export interface LimitStoresDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Counts over the workers of this gateway. */
  readonly local: Limits;
}

const IN_MEMORY = 'memory';

export class LimitStores {
  private observer: StoreObserver = { onReachable: () => {}, onDegraded: () => {} };
  private readonly deps: LimitStoresDeps;
  /** What `state.shared` is, and what was opened by it. */
  private wanted: string | readonly string[] = IN_MEMORY;
  private shared: SharedLimits | null = null;

  constructor(deps: LimitStoresDeps) {
    this.deps = deps;
  }

  observe(observer: StoreObserver): void {
    this.observer = observer;
  }

  limits(options: LimitsOptions): Limits {
    if (options.store === 'local') return this.deps.local;
    return new RoutedLimits(options, this.deps.local, () => this.shared);
  }

  async prepare({ state: { shared: wanted, maxKeys } }: GatewayConfig): Promise<PreparedState> {
    if (JSON.stringify(wanted) === JSON.stringify(this.wanted)) {
      return { commit: () => this.shared?.setMaxKeys(maxKeys), discard: () => {} };
    }
    let live = false;
    const observer: StoreObserver = {
      // One that is no longer, or not yet, asked has nothing to say.
      onReachable: (reachable) => void (live && this.observer.onReachable(reachable)),
      onDegraded: (rule) => this.observer.onDegraded(rule),
    };
    const opened = wanted === IN_MEMORY ? null : await openSharedLimits(wanted, { ...this.deps, observer, maxKeys });
    return {
      commit: () => {
        const before = this.shared;
        this.wanted = wanted;
        this.shared = opened;
        live = true;
        this.observer.onReachable(true);
        // Requests that are with it are answered.
        void before?.close();
      },
      discard: () => void opened?.close(),
    };
  }

  async close(): Promise<void> {
    await this.shared?.close();
  }
}

/** Decides where the running configuration wants it. */
class RoutedLimits implements Limits {
  private readonly options: LimitsOptions;
  private readonly local: Limits;
  private readonly current: () => SharedLimits | null;
  private shared: SharedLimits | null = null;
  private use: Limits;

  constructor(options: LimitsOptions, local: Limits, current: () => SharedLimits | null) {
    this.options = options;
    this.local = local;
    this.current = current;
    this.use = local;
  }

  take(takes: readonly Take[]): Decision | Promise<Decision> {
    const shared = this.current();
    if (shared !== this.shared) {
      this.shared = shared;
      this.use = shared === null ? this.local : shared.limits(this.options);
    }
    return this.use.take(takes);
  }
}

/** Shows operators how it is with the store. */
export function createStoreObserver(
  metrics: Pick<GatewayMetrics, 'limitStoreUnreachable' | 'limitStoreFallbacks'>,
): StoreObserver {
  const unreachable = metrics.limitStoreUnreachable.cell();
  const fallbacks = {
    local: metrics.limitStoreFallbacks.cell('local'),
    open: metrics.limitStoreFallbacks.cell('open'),
    closed: metrics.limitStoreFallbacks.cell('closed'),
  };
  return {
    onReachable: (reachable) => {
      unreachable.value = reachable ? 0 : 1;
    },
    onDegraded: (rule) => {
      fallbacks[rule].value++;
    },
  };
}
