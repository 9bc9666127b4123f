/** What the memory of limits holds, and what it forgets first. */
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { limitsContract, NOON, ruleOf } from './limits.contract.test.support.ts';
import { MemoryLimits } from './memory-limits.ts';

function memory(maxKeys = 1_000_000) {
  let now = NOON;
  const lines: object[] = [];
  let pending: (() => void) | null = null;
  const limits = new MemoryLimits({
    clock: { now: () => now, wall: () => now },
    timers: {
      setTimeout: (callback) => (pending = callback),
      clearTimeout: () => {
        pending = null;
      },
    },
    logger: { ...silentLogger, warn: (message, fields) => lines.push({ message, ...fields }) },
    maxKeys,
  });
  return {
    limits,
    lines,
    at: (time: number) => {
      now = time;
    },
    /** Lets the timer expire; false where there is none. */
    tick: () => {
      const due = pending;
      pending = null;
      due?.();
      return due !== null;
    },
  };
}

limitsContract('limits in memory', () => {
  const { limits, at } = memory();
  return {
    take: (takes, now) => {
      at(now);
      return limits.take(takes);
    },
    close: () => limits.close(),
  };
});

describe('the memory of limits', () => {
  const bucket = ruleOf({ algorithm: 'token-bucket', limit: 5, period: 1000 });
  const day = ruleOf({ algorithm: 'fixed-window', limit: 5, period: 86_400_000, calendar: 'day' });

  it('holds nothing of who took nothing', () => {
    const { limits } = memory();
    limits.take([{ rule: bucket, key: 'a', cost: 0, shadow: false }]);
    limits.take([{ rule: bucket, key: 'a', cost: 6, shadow: false }]);
    expect(limits.size).toBe(0);
  });

  it('is bounded, over all rules, and forgets those who are missed least', () => {
    const { limits } = memory(1000);
    const take = (rule: typeof bucket, key: string, cost: number) => limits.take([{ rule, key, cost, shadow: false }]);
    for (let i = 0; i < 50; i++) take(day, `spent${i}`, 5);
    for (let i = 0; i < 20_000; i++) take(i % 2 === 0 ? bucket : day, `key${i}`, 1);
    expect(limits.size).toBeLessThanOrEqual(1000);
    expect(limits.size).toBeGreaterThan(990);
    for (let i = 0; i < 50; i++) expect([i, take(day, `spent${i}`, 1).allowed]).toEqual([i, false]);
  });

  it('forgets what equals a fresh key rather than others', () => {
    const { limits, at } = memory(1000);
    const take = (key: string, cost: number) => limits.take([{ rule: bucket, key, cost, shadow: false }]).standings[0];
    for (let i = 0; i < 999; i++) take(`old${i}`, 5);
    at(NOON + 500);
    for (let i = 0; i < 999; i += 2) take(`old${i}`, 1);
    at(NOON + 1000);
    // Every other one is full again by now.
    for (let i = 0; i < 201; i++) take(`new${i}`, 1);
    expect(limits.evicted).toBe(200);
    let wrong = 0;
    for (let i = 0; i < 999; i += 2) if (take(`old${i}`, 0).remaining === 5) wrong++;
    expect(wrong).toBe(0);
  });

  it('forgets in the background whoever has all units again, and then its rules', () => {
    const { limits, at, tick } = memory();
    for (let i = 0; i < 10_000; i++) limits.take([{ rule: bucket, key: `k${i}`, cost: 1, shadow: false }]);
    limits.take([{ rule: day, key: 'k', cost: 1, shadow: false }]);
    at(NOON + 200);
    for (let i = 0; i < 6; i++) tick();
    expect(limits.size).toBe(1);
    at(NOON + 3 * 86_400_000);
    let ticks = 0;
    while (tick()) ticks++;
    expect(limits.size).toBe(0);
    expect(ticks).toBeLessThan(20);
  });

  it('comes below a bound that was lowered in the background, and no take waits for it', () => {
    const { limits, tick } = memory(20_000);
    const take = (key: string) => limits.take([{ rule: day, key, cost: 1, shadow: false }]);
    for (let i = 0; i < 20_000; i++) take(`old${i}`);
    limits.setMaxKeys(1000);
    take('new');
    expect(limits.size).toBeGreaterThan(19_900);
    for (let ticks = 0; ticks < 50 && limits.size > 1000; ticks++) tick();
    expect(limits.size).toBeLessThanOrEqual(1000);
    for (let i = 0; i < 3000; i++) expect(take(`more${i}`).allowed).toBe(true);
    expect(limits.size).toBeLessThanOrEqual(1000);
  });

  it('complains of too little room, once a minute at most', () => {
    const { limits, lines, at, tick } = memory(1000);
    const fill = (count: number, name: string): void => {
      for (let i = 0; i < count; i++) limits.take([{ rule: day, key: `${name}${i}`, cost: 1, shadow: false }]);
      tick();
    };
    fill(900, 'a');
    expect(lines).toEqual([]);
    fill(200, 'b');
    fill(200, 'c');
    const message = 'limits are forgotten before their time: there are more clients than state.maxKeys';
    expect(lines).toEqual([{ message, forgotten: expect.any(Number), keys: expect.any(Number), max_keys: 1000 }]);
    at(NOON + 60_000);
    tick();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ forgotten: 200 });
  });

  it('weighs logs by what they hold', () => {
    const log = ruleOf({ algorithm: 'sliding-log', limit: 1000, period: 60_000 });
    const { limits, at } = memory(1000);
    for (let i = 0; i < 1000; i++) {
      at(NOON + i);
      for (let k = 0; k < 20; k++) limits.take([{ rule: log, key: `k${k}`, cost: 1, shadow: false }]);
    }
    expect(limits.weight).toBeLessThanOrEqual(1000);
    expect(limits.weight).toBeGreaterThan(800);
    expect(limits.evicted).toBeGreaterThan(0);
  });

  it('is exact where one of several new keys takes the place of another', () => {
    const { limits } = memory(1000);
    const rules = Array.from({ length: 4 }, () => ruleOf({ algorithm: 'fixed-window', limit: 1 }));
    for (let i = 0; i < 5000; i++) {
      const takes = rules.map((rule) => ({ rule, key: `k${i}`, cost: 1, shadow: false }));
      expect(limits.take(takes).allowed).toBe(true);
    }
    expect(limits.size).toBeLessThanOrEqual(1000);
  });
});
