/** The algorithms as their definitions say, in whole numbers of any size: slow, plain, and written apart from those that serve. */
import type { LimitRule } from './limits.ts';

/** One key of one rule. */
export interface LimitModel {
  /** Whole units that are left at a time. */
  remaining(now: number): number;
  allows(now: number, cost: number): boolean;
  take(now: number, cost: number): void;
}

export function modelOf(rule: LimitRule): LimitModel {
  if (rule.algorithm === 'fixed-window') return fixedWindow(rule);
  if (rule.algorithm === 'sliding-window') return slidingWindow(rule);
  if (rule.algorithm === 'sliding-log') return slidingLog(rule);
  return bucket(rule);
}

/** In parts of a unit, of which `limit` come back in a millisecond. */
function bucket({ limit, period, burst }: LimitRule): LimitModel {
  const full = BigInt(burst) * BigInt(period);
  let level = full;
  let seen = 0;
  const at = (now: number): bigint => {
    const filled = level + BigInt(now - seen) * BigInt(limit);
    return filled > full ? full : filled;
  };
  return {
    remaining: (now) => Number(at(now) / BigInt(period)),
    allows: (now, cost) => at(now) >= BigInt(cost) * BigInt(period),
    take: (now, cost) => {
      level = at(now) - BigInt(cost) * BigInt(period);
      seen = now;
    },
  };
}

function fixedWindow({ limit, period, calendar }: LimitRule): LimitModel {
  const windows = new Map<string, number>();
  const windowOf = (now: number): string => {
    if (calendar === 'day') return new Date(now).toISOString().slice(0, 10);
    if (calendar === 'month') return new Date(now).toISOString().slice(0, 7);
    return String(Math.floor(now / period));
  };
  const left = (now: number): number => limit - (windows.get(windowOf(now)) ?? 0);
  return {
    remaining: left,
    allows: (now, cost) => left(now) >= cost,
    take: (now, cost) => void windows.set(windowOf(now), limit - left(now) + cost),
  };
}

function slidingWindow({ limit, period }: LimitRule): LimitModel {
  const windows = new Map<number, number>();
  const indexOf = (now: number): number => Math.floor(now / period);
  /** In parts of a unit, `period` to one. */
  const left = (now: number): bigint => {
    const index = indexOf(now);
    const covered = period - (now - index * period);
    const before = BigInt(windows.get(index - 1) ?? 0) * BigInt(covered);
    return BigInt(limit - (windows.get(index) ?? 0)) * BigInt(period) - before;
  };
  return {
    remaining: (now) => Math.max(0, Number(floorDivide(left(now), BigInt(period)))),
    allows: (now, cost) => left(now) >= BigInt(cost) * BigInt(period),
    take: (now, cost) => void windows.set(indexOf(now), (windows.get(indexOf(now)) ?? 0) + cost),
  };
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a < 0n && a % b !== 0n ? a / b - 1n : a / b;
}

function slidingLog({ limit, period }: LimitRule): LimitModel {
  const taken: { time: number; cost: number }[] = [];
  const left = (now: number): number => {
    let sum = 0;
    for (const { time, cost } of taken) if (now - time < period) sum += cost;
    return limit - sum;
  };
  return {
    remaining: left,
    allows: (now, cost) => left(now) >= cost,
    take: (now, cost) => void taken.push({ time: now, cost }),
  };
}
