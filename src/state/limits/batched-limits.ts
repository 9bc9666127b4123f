/**
 * Limits that are counted here and told to a shared store ten times a second: nobody waits for it, and what several gateways
 * grant before they hear of each other may be more than the limit.
 */
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';
import { BatchedCount } from './batched-count.ts';
import type { Decision, LimitRule, Limits, Standing, Take } from './limits.ts';

/** Milliseconds between two reports of a key. */
const SYNC_EVERY = 100;
/** Keys reported in one turn of the event loop: requests need not wait for more. */
const MOST_AT_ONCE = 500;
/** Keys looked at after each report, and for the place of a new one. */
const SWEPT_AT_ONCE = 200;
const LOOKED_AT = 16;
/** Keys that one new one may cost. */
const FORGOTTEN_AT_ONCE = 16;

/** A store that is told. */
export interface ToldStore {
  readonly ready: boolean;
  /** Charges what was granted, and answers how the limit stands, `retryAfter` for one unit more. Rejects where it cannot. */
  force(take: Take): Promise<Standing>;
}

export interface BatchedLimitsDeps {
  readonly store: ToldStore;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Most keys that are counted. */
  readonly maxKeys: number;
  readonly onAnswered: () => void;
  readonly onFailed: (reason: string) => void;
}

export class BatchedLimits implements Limits {
  private readonly deps: BatchedLimitsDeps;
  private readonly counts = new Map<string, BatchedCount>();
  /** Of which the store was never asked: others may have used them up, so that it is asked soon. */
  private unknown: BatchedCount[] = [];
  private untold: BatchedCount[] = [];
  /** What is left of a report that takes several turns. */
  private telling: BatchedCount[] = [];
  private askTimer: TimerHandle = null;
  private tellTimer: TimerHandle = null;
  private swept: Iterator<[string, BatchedCount]>;
  private closed = false;
  private maxKeys: number;

  constructor(deps: BatchedLimitsDeps) {
    this.deps = deps;
    this.maxKeys = deps.maxKeys;
    this.swept = this.counts.entries();
  }

  /** Keys that are counted. */
  get size(): number {
    return this.counts.size;
  }

  /** Changes the bound; beyond a lower one keys go with new ones to come. */
  setMaxKeys(maxKeys: number): void {
    this.maxKeys = maxKeys;
  }

  /** Decided at once. */
  take(takes: readonly Take[]): Decision {
    const now = this.deps.clock.wall();
    const counts: BatchedCount[] = [];
    let allowed = true;
    for (const { rule, key, cost, shadow } of takes) {
      const count = this.countOf(rule, key, now);
      counts.push(count);
      if (!shadow && !count.has(cost, now)) allowed = false;
    }
    const standings: Standing[] = [];
    for (let i = 0; i < takes.length; i++) standings.push(this.settle(counts[i], takes[i], allowed, now));
    return { allowed, standings, degraded: false };
  }

  /** Tells the store what it has not heard yet, and ends. */
  async close(): Promise<void> {
    const { timers } = this.deps;
    this.closed = true;
    timers.clearTimeout(this.askTimer);
    timers.clearTimeout(this.tellTimer);
    const rest = [...this.unknown, ...this.telling, ...this.untold].filter(
      ({ isAsked, spent }) => !isAsked && spent > 0,
    );
    await Promise.all(rest.map((count) => this.tell(count)));
  }

  private settle(count: BatchedCount, { cost, shadow }: Take, allowed: boolean, now: number): Standing {
    const fits = count.has(cost, now);
    const charged = fits && cost > 0 && (shadow || allowed);
    if (charged) count.spend(cost, now);
    // Of one that will be refused until a known time there is nothing to ask.
    if (charged || (!fits && now >= count.retryAt)) this.list(count);
    return count.standing(cost, fits, now);
  }

  private countOf(rule: LimitRule, key: string, now: number): BatchedCount {
    const name = `${rule.id}\n${key}`;
    const known = this.counts.get(name);
    if (known !== undefined && known.rule === rule) return known;
    // Of a bound that was lowered only so many at once: no request is to wait for all of them.
    for (let i = 0; known === undefined && i < FORGOTTEN_AT_ONCE && this.counts.size >= this.maxKeys; i++) {
      this.makeRoom(now);
    }
    const count = new BatchedCount(rule, key);
    this.counts.set(name, count);
    return count;
  }

  /** One of which nothing is taken, if there is one among the oldest; else one that the store knows; else the oldest. */
  private makeRoom(now: number): void {
    let looked = 0;
    let victim: string | undefined;
    for (const [name, count] of this.counts) {
      if (count.isFresh(now)) {
        victim = name;
        break;
      }
      if (victim === undefined && count.spent === 0) victim = name;
      if (++looked === LOOKED_AT) break;
    }
    this.counts.delete(victim ?? (this.counts.keys().next().value as string));
  }

  private list(count: BatchedCount): void {
    if (count.isListed || this.closed) return;
    const { timers } = this.deps;
    count.isListed = true;
    if (count.wasAsked) {
      this.untold.push(count);
      this.tellTimer ??= timers.setTimeout(() => this.tellAll(), SYNC_EVERY);
    } else {
      this.unknown.push(count);
      this.askTimer ??= timers.setTimeout(() => this.askAll(), 0);
    }
  }

  private askAll(): void {
    this.askTimer = null;
    const { unknown, deps } = this;
    if (!deps.store.ready) {
      // It is told when it is there again, with all others.
      this.unknown = [];
      for (const count of unknown) this.untold.push(count);
      this.tellTimer ??= deps.timers.setTimeout(() => this.tellAll(), SYNC_EVERY);
      return;
    }
    this.unknown = this.tellSome(unknown);
    if (this.unknown.length > 0) this.askTimer = deps.timers.setTimeout(() => this.askAll(), 0);
  }

  private tellAll(): void {
    this.tellTimer = null;
    const { timers, store } = this.deps;
    if (this.telling.length === 0) {
      this.telling = this.untold;
      this.untold = [];
      this.sweep();
    }
    if (store.ready) this.telling = this.tellSome(this.telling);
    const isUnderWay = store.ready && this.telling.length > 0;
    if (this.telling.length + this.untold.length === 0) return;
    this.tellTimer = timers.setTimeout(() => this.tellAll(), isUnderWay ? 0 : SYNC_EVERY);
  }

  /** Answers the rest. */
  private tellSome(counts: BatchedCount[]): BatchedCount[] {
    for (let i = 0; i < counts.length && i < MOST_AT_ONCE; i++) {
      const count = counts[i];
      count.isListed = false;
      // One whose answer is awaited is listed again by it.
      if (!count.isAsked) void this.tell(count);
    }
    return counts.slice(MOST_AT_ONCE);
  }

  private async tell(count: BatchedCount): Promise<void> {
    const { store, clock, onAnswered, onFailed } = this.deps;
    const { rule, key } = count;
    const askedAt = clock.wall();
    try {
      const standing = await store.force({ rule, key, cost: count.ask(), shadow: false });
      count.onAnswer(standing, askedAt, clock.wall());
      onAnswered();
    } catch (error) {
      count.onFailure();
      onFailed((error as Error).message);
    }
    if (count.spent > 0) this.list(count);
  }

  private sweep(): void {
    const now = this.deps.clock.wall();
    for (let looked = 0; looked < SWEPT_AT_ONCE; looked++) {
      const next = this.swept.next();
      if (next.done === true) {
        this.swept = this.counts.entries();
        return;
      }
      const [name, count] = next.value;
      if (count.isFresh(now)) this.counts.delete(name);
    }
  }
}
