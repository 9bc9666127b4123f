/** Whether a shared store can be asked: a breaker, so that one that does not answer costs nothing but the first few waits. */
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';

/** A store as its watch sees it. */
export interface WatchedStore {
  /** For the log. */
  readonly name: string;
  /** False while there is no connection. */
  readonly ready: boolean;
  /** Resolves when the store does what is asked of it. */
  probe(): Promise<void>;
  /** The connection seems to lead nowhere: begins again. */
  renew(): void;
}

export interface StoreWatchDeps {
  readonly store: WatchedStore;
  /** Milliseconds that the store has for an answer; whoever has another patience has a watch of their own. */
  readonly patience: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Told of each change, and at first where the store cannot be asked from the beginning. */
  readonly onChange: (usable: boolean) => void;
}

/** Failures after one another, each at a time of its own, from which on nobody asks. */
const MOST_FAILURES = 5;
/** Milliseconds between probes, the first and the longest. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1_000;
/** One that holds this long, in milliseconds, begins with the short pause again when it fails. */
const STEADY = 10_000;
/** Probes without any answer after which the connection is made anew. */
const SILENT_PROBES = 5;

export class StoreWatch {
  private readonly deps: StoreWatchDeps;
  private open = false;
  private failures = 0;
  private failedAt = 0;
  private pause = FIRST_PAUSE;
  private since: number;
  private silent = 0;
  private timer: TimerHandle = null;
  /** Which probe counts: late answers to earlier ones do not. */
  private probes = 0;
  private closed = false;

  constructor(deps: StoreWatchDeps) {
    this.deps = deps;
    this.since = deps.clock.now();
  }

  /** False while nobody should ask. */
  get usable(): boolean {
    return !this.open;
  }

  onSuccess(): void {
    this.failures = 0;
  }

  /**
   * One was not answered in time, or was refused. Those that wait at the same time for the same answer fail together: a store
   * that is slow for a moment is not one that is gone.
   */
  onFailure(reason: string): void {
    const now = this.deps.clock.now();
    if (this.open || (this.failures > 0 && now - this.failedAt < this.deps.patience)) return;
    this.failedAt = now;
    if (++this.failures >= MOST_FAILURES) this.stop(reason);
  }

  /** There is no connection. */
  onLost(reason: string): void {
    if (!this.open) this.stop(reason);
  }

  /** There is a connection, again or at last. */
  onConnected(): void {
    if (!this.open || this.closed) return;
    this.deps.timers.clearTimeout(this.timer);
    this.probe();
  }

  close(): void {
    this.closed = true;
    this.probes++;
    this.deps.timers.clearTimeout(this.timer);
  }

  private stop(reason: string): void {
    if (this.closed) return;
    const { clock, logger, store, onChange } = this.deps;
    this.open = true;
    this.silent = 0;
    if (clock.now() - this.since > STEADY) this.pause = FIRST_PAUSE;
    this.since = clock.now();
    logger.warn('the shared store of limits cannot be asked', { store: store.name, reason });
    onChange(false);
    this.later();
  }

  private later(): void {
    this.timer = this.deps.timers.setTimeout(() => this.probe(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  /** With no more patience than those have who ask: to be back sooner would only make them wait in vain. */
  private probe(): void {
    const { store, timers, patience } = this.deps;
    const number = ++this.probes;
    this.timer = timers.setTimeout(() => this.onSilence(number), patience);
    const failed = (): void => {
      if (!store.ready) return this.onSilence(number);
      this.silent = 0;
      this.again(number);
    };
    store.probe().then(() => this.back(number), failed);
  }

  /** No answer, or no connection. */
  private onSilence(number: number): void {
    if (number !== this.probes) return;
    if (++this.silent >= SILENT_PROBES && !this.closed) {
      this.silent = 0;
      this.deps.store.renew();
    }
    this.again(number);
  }

  private again(number: number): void {
    if (number !== this.probes || this.closed) return;
    this.probes++;
    this.deps.timers.clearTimeout(this.timer);
    this.later();
  }

  private back(number: number): void {
    // Late as it may be: the connection leads somewhere.
    this.silent = 0;
    if (number !== this.probes || this.closed) return;
    const { clock, logger, store, timers, onChange } = this.deps;
    timers.clearTimeout(this.timer);
    this.open = false;
    this.failures = 0;
    const downMs = Math.round(clock.now() - this.since);
    this.since = clock.now();
    logger.info('the shared store of limits is asked again', { store: store.name, downMs });
    onChange(true);
  }
}
