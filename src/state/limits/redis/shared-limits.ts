/** Limits that many gateways share in one Redis or Valkey, as each use wants them. */
import type { Clock, Timers } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import { parseRedisAddress, parseRedisCluster } from '../../../base/redis-address.ts';
import { BatchedLimits } from '../batched-limits.ts';
import { DenialMemory } from '../denial-memory.ts';
import { FailureRule } from '../failure-rule.ts';
import { GuardedLimits } from '../guarded-limits.ts';
import type { Decision, Limits, LimitsOptions, OnStoreFailure, Take } from '../limits.ts';
import { StoreWatch, type WatchedStore } from '../store-watch.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';
import { RedisLimits } from './redis-limits.ts';

/** Told of what operators want to see. */
export interface StoreObserver {
  /** Whether the store answers as it should. */
  onReachable(reachable: boolean): void;
  /** The rule decided in the store's place. */
  onDegraded(rule: OnStoreFailure): void;
}

export interface SharedLimitsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly observer: StoreObserver;
  /** Decides where the store cannot and the rule is `local`. */
  readonly local: Limits;
  /** Most keys that are counted here where the store is told in batches. */
  readonly maxKeys: number;
}

/** Milliseconds that the first connection may take before the gateway goes on without: one that is there takes a few. */
const FIRST_CONNECTION = 300;
/** Milliseconds that the store has to take the last report of a gateway that ends. */
const LAST_REPORT = 500;

/** `shared`: the URL of a server, or those of nodes of a cluster. Throws `AddressError`; that nobody is there is no failure. */
export async function openSharedLimits(
  shared: string | readonly string[],
  deps: SharedLimitsDeps,
): Promise<SharedLimits> {
  const cluster = typeof shared !== 'string';
  const addresses = cluster ? parseRedisCluster(shared) : [parseRedisAddress(shared)];
  const connection = await openRedis({ addresses, cluster, timers: deps.timers });
  await new Promise<void>((resolve) => {
    const timer = deps.timers.setTimeout(resolve, FIRST_CONNECTION);
    void connection.attempted.then(() => {
      deps.timers.clearTimeout(timer);
      resolve();
    });
  });
  return new SharedLimits(connection, deps);
}

export class SharedLimits {
  private readonly connection: RedisConnection;
  private readonly store: RedisLimits;
  private readonly deps: SharedLimitsDeps;
  private readonly uses = new Map<string, Limits>();
  private readonly batched: BatchedLimits[] = [];
  /** By the time that the store has: one that is too slow for some may be quick enough for others. */
  private readonly watches = new Map<number, StoreWatch>();
  private down = 0;
  private maxKeys: number;

  constructor(connection: RedisConnection, deps: SharedLimitsDeps) {
    this.connection = connection;
    this.store = new RedisLimits(connection);
    this.deps = deps;
    this.maxKeys = deps.maxKeys;
    connection.onReadyChange = (ready, reason) => {
      for (const watch of this.watches.values()) {
        if (ready) watch.onConnected();
        else watch.onLost(reason);
      }
    };
  }

  limits(options: LimitsOptions): Limits {
    const { onStoreFailure, storeTimeout, sync } = options;
    const name = `${onStoreFailure} ${storeTimeout} ${sync}`;
    let use = this.uses.get(name);
    if (use === undefined) {
      use = sync === 'batched' ? this.createBatched(options) : this.createExact(options);
      this.uses.set(name, use);
    }
    return use;
  }

  /** Changes the bound of what is counted here. */
  setMaxKeys(maxKeys: number): void {
    this.maxKeys = maxKeys;
    for (const limits of this.batched) limits.setMaxKeys(maxKeys);
  }

  /** Ends when what was granted is told, or could have been. */
  async close(): Promise<void> {
    for (const watch of this.watches.values()) watch.close();
    const told = Promise.all(this.batched.map((limits) => limits.close()));
    if (this.connection.ready) await this.within(LAST_REPORT, told);
    await this.connection.close();
  }

  private async within(milliseconds: number, work: Promise<unknown>): Promise<void> {
    const { timers } = this.deps;
    await new Promise<void>((resolve) => {
      const timer = timers.setTimeout(resolve, milliseconds);
      void work.then(() => {
        timers.clearTimeout(timer);
        resolve();
      });
    });
  }

  private createExact({ onStoreFailure, storeTimeout }: LimitsOptions): Limits {
    const { store } = this;
    const { clock, timers } = this.deps;
    const watch = this.watchFor(storeTimeout);
    const instead = this.ruleFor(onStoreFailure);
    return new DenialMemory(new GuardedLimits({ store, watch, clock, timers, storeTimeout, instead }), clock);
  }

  private createBatched({ onStoreFailure, storeTimeout }: LimitsOptions): Limits {
    const { store, deps } = this;
    const watch = this.watchFor(storeTimeout);
    const limits = new BatchedLimits({
      clock: deps.clock,
      timers: deps.timers,
      maxKeys: this.maxKeys,
      store: {
        get ready() {
          return watch.usable && store.ready;
        },
        force: (take) => store.force(take),
      },
      onAnswered: () => watch.onSuccess(),
      onFailed: (reason) => watch.onFailure(reason),
    });
    this.batched.push(limits);
    return new BatchedUse(limits, watch, store, this.ruleFor(onStoreFailure));
  }

  private ruleFor(onStoreFailure: OnStoreFailure): FailureRule {
    const { local, observer } = this.deps;
    return new FailureRule({ onStoreFailure, local, onDegraded: () => observer.onDegraded(onStoreFailure) });
  }

  private watchFor(patience: number): StoreWatch {
    const known = this.watches.get(patience);
    if (known !== undefined) return known;
    const { connection, store, deps } = this;
    const { clock, timers, logger, observer } = deps;
    const onChange = (usable: boolean): void => {
      this.down += usable ? -1 : 1;
      observer.onReachable(this.down === 0);
    };
    const watched: WatchedStore = {
      name: connection.name,
      get ready() {
        return connection.ready;
      },
      probe: () => store.probe(),
      renew: () => connection.renew(),
    };
    const watch = new StoreWatch({ store: watched, patience, clock, timers, logger, onChange });
    this.watches.set(patience, watch);
    if (!connection.ready) watch.onLost(connection.problem);
    return watch;
  }
}

/** Counted here for as long as the store can be told. */
class BatchedUse implements Limits {
  private readonly limits: BatchedLimits;
  private readonly watch: StoreWatch;
  private readonly store: RedisLimits;
  private readonly instead: Limits;

  constructor(limits: BatchedLimits, watch: StoreWatch, store: RedisLimits, instead: Limits) {
    this.limits = limits;
    this.watch = watch;
    this.store = store;
    this.instead = instead;
  }

  take(takes: readonly Take[]): Decision | Promise<Decision> {
    return this.watch.usable && this.store.ready ? this.limits.take(takes) : this.instead.take(takes);
  }
}
