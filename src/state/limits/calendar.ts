/** Windows of fixed places in time: periods counted from the epoch, days and months by UTC. */
import type { LimitRule } from './limits.ts';

const DAY = 86_400_000;

/** The window of one moment after the other; asks little where they are of the same window. */
export class Calendar {
  /** The longest that a window can be, in milliseconds. */
  readonly longest: number;
  /** First millisecond of the window that was looked at last, and of the one after it. */
  start = 0;
  end = 0;
  private readonly period: number;
  private readonly monthly: boolean;

  constructor({ period, calendar }: Pick<LimitRule, 'period' | 'calendar'>) {
    this.monthly = calendar === 'month';
    this.period = calendar === 'day' ? DAY : period;
    this.longest = this.monthly ? 31 * DAY : this.period;
  }

  /** Sets `start` and `end` to the window of `now`. */
  turnTo(now: number): void {
    if (now >= this.start && now < this.end) return;
    if (!this.monthly) {
      this.start = now - (now % this.period);
      this.end = this.start + this.period;
      return;
    }
    const date = new Date(now);
    this.start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
    this.end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
  }
}
