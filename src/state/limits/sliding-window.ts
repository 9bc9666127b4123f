/**
 * `sliding-window`: two counters, of this window and of the one before it, which counts for the part of it that a window
 * ending now would still cover, as if its requests had come evenly.
 */
import type { LimitRule, Standing } from './limits.ts';
import { type Meter, MOST_EXACT } from './meter.ts';

/** When the window began in which something was taken last. */
const START = 0;
/** Units taken in it. */
const CURRENT = 1;
/** Units taken in the one before. */
const PREVIOUS = 2;

export class SlidingWindowMeter implements Meter {
  private readonly limit: number;
  private readonly period: number;
  /** Milliseconds in one part of time; more than one only where numbers would not be exact. */
  private readonly grain: number;
  /** Parts in a period. */
  private readonly parts: number;
  // What `turnTo` found.
  private current = 0;
  private previous = 0;
  /** When the window began, and milliseconds until it ends. */
  private start = 0;
  private left = 0;

  constructor({ limit, period }: Pick<LimitRule, 'limit' | 'period'>) {
    this.limit = limit;
    this.period = period;
    this.grain = Math.ceil((limit * period * 4) / MOST_EXACT);
    this.parts = Math.max(1, Math.floor(period / this.grain));
  }

  allows(cells: Float64Array, at: number, now: number, cost: number): boolean {
    this.turnTo(cells, at, now);
    return cost <= this.limit && this.carried() + (this.current + cost) * this.parts <= this.limit * this.parts;
  }

  charge(cells: Float64Array, at: number, now: number, cost: number): void {
    this.turnTo(cells, at, now);
    cells[at + START] = this.start;
    cells[at + CURRENT] = this.current + cost;
    cells[at + PREVIOUS] = this.previous;
  }

  standing(cells: Float64Array, at: number, now: number, cost: number, allowed: boolean): Standing {
    this.turnTo(cells, at, now);
    const { limit, parts, current, previous, left, period } = this;
    return {
      allowed,
      remaining: Math.max(0, limit - current - Math.ceil(this.carried() / parts)),
      resetAfter: current > 0 ? left + period : previous > 0 ? left : 0,
      retryAfter: allowed ? 0 : cost > limit ? Number.POSITIVE_INFINITY : this.wait(cost),
    };
  }

  freshAt(cells: Float64Array, at: number): number {
    return cells[at + START] + 2 * this.period;
  }

  used(cells: Float64Array, at: number, now: number): number {
    this.turnTo(cells, at, now);
    return Math.min(1, (this.carried() / this.parts + this.current) / this.limit);
  }

  forget(): void {}

  /** What the window before still counts for, in units times `parts`; rounded up. */
  private carried(): number {
    return this.previous * Math.ceil(Math.min(this.left, this.period) / this.grain);
  }

  /** Milliseconds until `cost`, which is not more than the limit, is granted if nobody else takes anything. */
  private wait(cost: number): number {
    const { limit, current, previous, left, period } = this;
    const free = limit - current - cost;
    if (free >= 0) return left - this.covered(free, previous);
    return left + period - this.covered(limit - cost, current);
  }

  /** How many milliseconds of a window of `taken` units may still be covered for it to count for `free` at most. */
  private covered(free: number, taken: number): number {
    if (taken <= free) return this.period;
    return Math.min(this.period, Math.floor((free * this.parts) / taken) * this.grain);
  }

  private turnTo(cells: Float64Array, at: number, now: number): void {
    const { period } = this;
    const start = now - (now % period);
    const stored = cells[at + START];
    this.start = start;
    this.left = start + period - now;
    if (stored === start) {
      this.current = cells[at + CURRENT];
      this.previous = cells[at + PREVIOUS];
    } else if (stored > start && stored - start <= period) {
      // The clock was set back over the border by not more than a window: the later one goes on, from its beginning.
      this.start = stored;
      this.left = stored + period - now;
      this.current = cells[at + CURRENT];
      this.previous = cells[at + PREVIOUS];
    } else {
      this.current = 0;
      this.previous = stored < start && stored >= start - period ? cells[at + CURRENT] : 0;
    }
  }
}
