/** `sliding-log`: every take of the last period with its time, so that no window of that length ever holds more than the limit. */
import { EventLog, type HeldEvents } from './event-log.ts';
import type { LimitRule, Standing } from './limits.ts';
import type { Meter } from './meter.ts';

/** One more than the place of the key's log; 0 where it has none. */
const LOG = 0;

export class SlidingLogMeter implements Meter {
  private readonly limit: number;
  private readonly period: number;
  private readonly held: HeldEvents;
  private readonly logs: (EventLog | null)[];
  private readonly free: number[];

  /** What `former` keeps goes on under this rule, and `former` is used no more. */
  constructor({ limit, period }: Pick<LimitRule, 'limit' | 'period'>, held: HeldEvents, former?: SlidingLogMeter) {
    this.limit = limit;
    this.period = period;
    this.held = held;
    this.logs = former?.logs ?? [];
    this.free = former?.free ?? [];
  }

  allows(cells: Float64Array, at: number, now: number, cost: number): boolean {
    const log = this.logOf(cells, at, now);
    return (log === null ? 0 : log.total) + cost <= this.limit;
  }

  charge(cells: Float64Array, at: number, now: number, cost: number): void {
    let log = this.logOf(cells, at, now);
    if (log === null) {
      log = new EventLog(this.held);
      const place = this.free.pop() ?? this.logs.length;
      this.logs[place] = log;
      cells[at + LOG] = place + 1;
    }
    log.add(now, cost);
  }

  standing(cells: Float64Array, at: number, now: number, cost: number, allowed: boolean): Standing {
    const { limit, period } = this;
    const log = this.logOf(cells, at, now);
    const total = log === null ? 0 : log.total;
    const excess = total + cost - limit;
    return {
      allowed,
      remaining: Math.max(0, limit - total),
      resetAfter: log === null || total === 0 ? 0 : log.last + period - now,
      retryAfter: allowed
        ? 0
        : cost > limit || log === null
          ? Number.POSITIVE_INFINITY
          : log.timeOf(excess) + period - now,
    };
  }

  freshAt(cells: Float64Array, at: number): number {
    const log = this.logAt(cells, at);
    return log === null || log.total === 0 ? 0 : log.last + this.period;
  }

  used(cells: Float64Array, at: number, now: number): number {
    return Math.min(1, (this.logOf(cells, at, now)?.total ?? 0) / this.limit);
  }

  forget(cells: Float64Array, at: number): void {
    const place = cells[at + LOG] - 1;
    if (place < 0) return;
    this.logs[place]?.clear();
    this.logs[place] = null;
    this.free.push(place);
    cells[at + LOG] = 0;
  }

  private logAt(cells: Float64Array, at: number): EventLog | null {
    const place = cells[at + LOG];
    return place === 0 ? null : (this.logs[place - 1] as EventLog);
  }

  /** The log with what is in the last period alone. */
  private logOf(cells: Float64Array, at: number, now: number): EventLog | null {
    const log = this.logAt(cells, at);
    if (log === null) return null;
    // The clock was set back by more than a period: it is another time altogether.
    if (log.last - now > this.period) log.clear();
    else log.dropUntil(now - this.period);
    return log;
  }
}
