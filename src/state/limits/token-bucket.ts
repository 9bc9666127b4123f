/**
 * `token-bucket` and `gcra`: a bucket of `burst` units that fills by `limit` in each period, all the time and not by steps.
 * Both are the same arithmetic (ITU-T I.371 shows it for the generic cell rate algorithm): what is kept is not how full the
 * bucket is but when it will be full, which GCRA calls the theoretical arrival time.
 */
import type { LimitRule, Standing } from './limits.ts';
import { type Meter, MOST_EXACT } from './meter.ts';

/** Whole milliseconds at which the bucket is full. */
const FULL_AT = 0;
/** Ticks more. */
const AND_TICKS = 1;

export class TokenBucketMeter implements Meter {
  /** Ticks in a millisecond. A tick is so short that a unit is a whole number of them: nothing is ever rounded. */
  private readonly perMs: number;
  /** Ticks in which one unit comes back. */
  private readonly perUnit: number;
  private readonly burst: number;
  /** Ticks in which an empty bucket fills. */
  private readonly capacity: number;

  constructor({ limit, period, burst }: Pick<LimitRule, 'limit' | 'period' | 'burst'>) {
    const [perMs, perUnit] = ticksOf(limit, period, burst);
    this.perMs = perMs;
    this.perUnit = perUnit;
    this.burst = burst;
    this.capacity = burst * perUnit;
  }

  allows(cells: Float64Array, at: number, now: number, cost: number): boolean {
    return cost <= this.burst && this.debt(cells, at, now) + cost * this.perUnit <= this.capacity;
  }

  charge(cells: Float64Array, at: number, now: number, cost: number): void {
    this.owe(cells, at, now, this.debt(cells, at, now) + cost * this.perUnit);
  }

  standing(cells: Float64Array, at: number, now: number, cost: number, allowed: boolean): Standing {
    const { perMs, perUnit, capacity, burst } = this;
    const debt = this.debt(cells, at, now);
    const missing = debt + cost * perUnit - capacity;
    return {
      allowed,
      remaining: Math.floor((capacity - debt) / perUnit),
      resetAfter: Math.ceil(debt / perMs),
      retryAfter: allowed ? 0 : cost > burst ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil(missing / perMs)),
    };
  }

  freshAt(cells: Float64Array, at: number): number {
    return cells[at + FULL_AT] + (cells[at + AND_TICKS] > 0 ? 1 : 0);
  }

  used(cells: Float64Array, at: number, now: number): number {
    return this.debt(cells, at, now) / this.capacity;
  }

  forget(): void {}

  /** Ticks until the bucket is full. */
  private debt(cells: Float64Array, at: number, now: number): number {
    const ahead = cells[at + FULL_AT] - now;
    if (ahead < 0) return 0;
    const { perMs, capacity } = this;
    // The rule may have had shorter ticks before.
    const debt = ahead * perMs + Math.min(cells[at + AND_TICKS], perMs - 1);
    if (debt <= capacity) return debt;
    // No bucket is more than empty: the clock was set back, or the rule has become narrower. Else it would stay shut for as long.
    this.owe(cells, at, now, capacity);
    return capacity;
  }

  private owe(cells: Float64Array, at: number, now: number, debt: number): void {
    const ticks = debt % this.perMs;
    cells[at + FULL_AT] = now + (debt - ticks) / this.perMs;
    cells[at + AND_TICKS] = ticks;
  }
}

/**
 * Ticks in a millisecond, and in the time of a unit. Where a full bucket would be more of them than numbers count exactly
 * they are longer, and the rate by that much lower that it is never above what was asked for: for buckets of up to a year by
 * less than one part in 100,000.
 */
export function ticksOf(limit: number, period: number, burst: number): [perMs: number, perUnit: number] {
  const common = greatestDivisor(limit, period);
  const perMs = limit / common;
  const perUnit = period / common;
  // Room for what is owed and what is asked for.
  const coarser = Math.ceil((burst * perUnit * 2) / MOST_EXACT);
  if (coarser <= 1) return [perMs, perUnit];
  return [Math.max(1, Math.floor(perMs / coarser)), Math.ceil(perUnit / coarser)];
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
