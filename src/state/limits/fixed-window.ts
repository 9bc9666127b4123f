/** `fixed-window`: so many units from one border to the next; quotas of days and months are this, too. */
import { Calendar } from './calendar.ts';
import type { LimitRule, Standing } from './limits.ts';
import type { Meter } from './meter.ts';

/** When the window began in which something was taken last. */
const START = 0;
/** Units taken in it. */
const TAKEN = 1;

export class FixedWindowMeter implements Meter {
  private readonly limit: number;
  private readonly calendar: Calendar;

  constructor(rule: Pick<LimitRule, 'limit' | 'period' | 'calendar'>) {
    this.limit = rule.limit;
    this.calendar = new Calendar(rule);
  }

  allows(cells: Float64Array, at: number, now: number, cost: number): boolean {
    return this.taken(cells, at, now) + cost <= this.limit;
  }

  charge(cells: Float64Array, at: number, now: number, cost: number): void {
    const taken = this.taken(cells, at, now) + cost;
    if (!this.isAhead(cells, at)) cells[at + START] = this.calendar.start;
    cells[at + TAKEN] = taken;
  }

  standing(cells: Float64Array, at: number, now: number, cost: number, allowed: boolean): Standing {
    const taken = this.taken(cells, at, now);
    const { start, end } = this.calendar;
    const resetAfter = end - now + (this.isAhead(cells, at) ? cells[at + START] - start : 0);
    const retryAfter = allowed ? 0 : cost > this.limit ? Number.POSITIVE_INFINITY : resetAfter;
    return { allowed, remaining: Math.max(0, this.limit - taken), resetAfter, retryAfter };
  }

  freshAt(cells: Float64Array, at: number): number {
    return cells[at + START] + this.calendar.longest;
  }

  used(cells: Float64Array, at: number, now: number): number {
    return Math.min(1, this.taken(cells, at, now) / this.limit);
  }

  forget(): void {}

  private taken(cells: Float64Array, at: number, now: number): number {
    this.calendar.turnTo(now);
    return cells[at + START] === this.calendar.start || this.isAhead(cells, at) ? cells[at + TAKEN] : 0;
  }

  /**
   * True where the clock was set back over a border by not more than a window: the later window goes on, so that a clock that
   * swings around a border grants nothing twice. Set back further it is another time altogether.
   */
  private isAhead(cells: Float64Array, at: number): boolean {
    const ahead = cells[at + START] - this.calendar.start;
    return ahead > 0 && ahead <= this.calendar.longest;
  }
}
