/** Limits told in batches: what is granted at once, and what the store comes to know. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { ManualTime, settled } from '../../upstream/manual-time.test.support.ts';
import { BatchedLimits } from './batched-limits.ts';
import { ruleOf } from './limits.contract.test.support.ts';
import { ALGORITHMS, type LimitRule, type Standing, type Take } from './limits.ts';
import { MemoryLimits } from './memory-limits.ts';

/** A store as the shared one is: charges whatever it is told, in what the memory counts by. */
class ToldStore {
  readonly told: Take[] = [];
  ready = true;
  down = false;
  /** Milliseconds that an answer takes. */
  delay = 2;
  private readonly time: ManualTime;
  private readonly memory: MemoryLimits;

  constructor(time: ManualTime) {
    this.time = time;
    this.memory = new MemoryLimits({
      clock: time,
      timers: { setTimeout: () => null, clearTimeout: () => {} },
      logger: silentLogger,
      maxKeys: 1e6,
    });
  }

  async force(take: Take): Promise<Standing> {
    if (this.down) throw new Error('refused');
    this.told.push(take);
    const { rule, key } = take;
    // What is beyond the limit is lost here: the memory has no debts.
    let left = take.cost;
    while (left > 0 && !this.memory.take([{ ...take, cost: left }]).allowed) left--;
    const [standing] = this.memory.take([{ rule, key, cost: 1e9, shadow: false }]).standings;
    const [more] = this.memory.take([{ rule, key, cost: 0, shadow: false }]).standings;
    const answer = { ...more, retryAfter: standing.remaining > 0 ? 0 : 1 };
    await new Promise<void>((resolve) => this.time.setTimeout(resolve, this.delay));
    return answer;
  }

  get units(): number {
    return this.told.reduce((sum, { cost }) => sum + cost, 0);
  }
}

function bench(gateways = 1, maxKeys = 1000) {
  const time = new ManualTime();
  const store = new ToldStore(time);
  const failures: string[] = [];
  const deps = {
    store,
    clock: time,
    timers: time,
    maxKeys,
    onAnswered: () => {},
    onFailed: (why: string) => void failures.push(why),
  };
  const all = Array.from({ length: gateways }, () => new BatchedLimits(deps));
  return { time, store, failures, all, limits: all[0] };
}

const taking = (rule: LimitRule, cost = 1, key = 'ann', shadow = false): Take[] => [{ rule, key, cost, shadow }];

describe('limits that are told in batches', () => {
  it('ask at once about a key that is new here, and then ten times a second', async () => {
    const { time, store, limits } = bench();
    const rule = ruleOf({ algorithm: 'fixed-window', limit: 2000, period: 3_600_000 });
    for (let i = 0; i < 10; i++) limits.take(taking(rule));
    expect(store.told).toHaveLength(0);
    await time.pass(1);
    expect(store.told.map(({ cost }) => cost)).toEqual([10]);
    for (let ms = 0; ms < 1000; ms++) {
      limits.take(taking(rule));
      await time.pass(1);
    }
    await time.pass(200);
    expect(store.told.length).toBeGreaterThan(8);
    expect(store.told.length).toBeLessThanOrEqual(12);
    expect(store.units).toBe(1010);
    expect(time.pending).toBe(0);
  });

  it.each(ALGORITHMS)('%s: alone grant never more than the limit, and hardly less', async (algorithm) => {
    const { time, limits } = bench();
    const rule = ruleOf({ algorithm, limit: 50, period: 1000 });
    let granted = 0;
    for (let ms = 0; ms < 5000; ms += 5) {
      if (limits.take(taking(rule)).allowed) granted++;
      await time.pass(5);
    }
    const most = algorithm === 'token-bucket' || algorithm === 'gcra' ? 300 : algorithm === 'sliding-log' ? 250 : 300;
    expect(granted).toBeLessThanOrEqual(most);
    expect(granted).toBeGreaterThanOrEqual(200);
  });

  it('tell the store every unit that was granted, whatever fails in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ALGORITHMS),
        fc.array(
          fc.record({
            pause: fc.integer({ min: 0, max: 150 }),
            cost: fc.integer({ min: 0, max: 3 }),
            down: fc.boolean(),
          }),
          { maxLength: 30 },
        ),
        async (algorithm, steps) => {
          const { time, store, limits } = bench();
          const rule = ruleOf({ algorithm, limit: 20, period: 60_000 });
          let granted = 0;
          for (const { pause, cost, down } of steps) {
            store.down = down;
            if (limits.take(taking(rule, cost)).allowed) granted += cost;
            await time.pass(pause);
          }
          store.down = false;
          await time.pass(300);
          expect(store.units).toBe(granted);
          expect(granted).toBeLessThanOrEqual(algorithm === 'token-bucket' || algorithm === 'gcra' ? 21 : 20);
          expect(time.pending).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of several gateways exceed a limit by what each granted before it heard of the others', async () => {
    const { time, all } = bench(3);
    const rule = ruleOf({ algorithm: 'fixed-window', limit: 600, period: 86_400_000, calendar: 'day' });
    let granted = 0;
    for (let ms = 0; ms < 2000; ms++) {
      for (const limits of all) if (limits.take(taking(rule)).allowed) granted++;
      await time.pass(1);
    }
    expect(granted).toBeGreaterThanOrEqual(600);
    // One a millisecond by two others, for the time between two reports and the way of the answer.
    expect(granted).toBeLessThanOrEqual(600 + 2 * (100 + 10));
  });

  it('charge all limits of a request or none, and those in shadow each for itself', async () => {
    const { time, store, limits } = bench();
    const wide = ruleOf({ algorithm: 'fixed-window', limit: 10, period: 86_400_000, calendar: 'day' });
    const small = ruleOf({ algorithm: 'sliding-log', limit: 2, period: 86_400_000 });
    const shadow = ruleOf({ algorithm: 'gcra', limit: 3, period: 86_400_000 });
    const takes = [...taking(wide), ...taking(small), ...taking(shadow, 1, 'ann', true)];
    const decisions = Array.from({ length: 5 }, () => limits.take(takes));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, false, false, false]);
    expect(decisions[4].standings.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 8],
      [false, 0],
      [false, 0],
    ]);
    await time.pass(200);
    const units = (rule: LimitRule): number =>
      store.told.filter((take) => take.rule === rule).reduce((sum, { cost }) => sum + cost, 0);
    expect([wide, small, shadow].map(units)).toEqual([2, 2, 3]);
  });

  it('never grant what costs more than there ever is', () => {
    const { limits } = bench();
    const rule = ruleOf({ algorithm: 'token-bucket', limit: 5 });
    expect(limits.take(taking(rule, 6)).standings).toEqual([
      { allowed: false, remaining: 5, resetAfter: 0, retryAfter: Number.POSITIVE_INFINITY },
    ]);
  });

  it('tell nothing while the store is not there, and all of it afterwards', async () => {
    const { time, store, limits } = bench();
    const rule = ruleOf({ algorithm: 'fixed-window', limit: 100, period: 86_400_000, calendar: 'day' });
    store.ready = false;
    for (let i = 0; i < 7; i++) limits.take(taking(rule));
    await time.pass(2_000);
    expect(store.told).toHaveLength(0);
    store.ready = true;
    await time.pass(200);
    expect(store.units).toBe(7);
  });

  it('are bounded, and forget who has all of a limit first', async () => {
    const { time, limits } = bench(1, 100);
    const rule = ruleOf({ algorithm: 'token-bucket', limit: 1, period: 3_600_000 });
    const brief = ruleOf({ algorithm: 'token-bucket', limit: 1, period: 5 });
    for (let i = 0; i < 10; i++) limits.take(taking(brief, 1, `brief${i}`));
    await time.pass(200);
    for (let i = 0; i < 90; i++) limits.take(taking(rule, 1, `spent${i}`));
    await time.pass(200);
    for (let i = 0; i < 10; i++) limits.take(taking(rule, 1, `new${i}`));
    expect(limits.size).toBeLessThanOrEqual(100);
    for (let i = 0; i < 90; i++) expect([i, limits.take(taking(rule, 1, `spent${i}`)).allowed]).toEqual([i, false]);
    for (let i = 0; i < 500; i++) limits.take(taking(rule, 1, `more${i}`));
    expect(limits.size).toBe(100);
  });

  it('come below a bound that is lowered, a few keys at once', async () => {
    const { time, limits } = bench(1, 1000);
    const rule = ruleOf({ algorithm: 'fixed-window', limit: 1, period: 3_600_000 });
    for (let i = 0; i < 1000; i++) limits.take(taking(rule, 1, `old${i}`));
    await time.pass(200);
    limits.setMaxKeys(100);
    limits.take(taking(rule, 1, 'new'));
    expect(limits.size).toBeGreaterThan(900);
    for (let i = 0; i < 100; i++) limits.take(taking(rule, 1, `new${i}`));
    expect(limits.size).toBe(100);
    limits.setMaxKeys(200);
    for (let i = 0; i < 500; i++) limits.take(taking(rule, 1, `more${i}`));
    expect(limits.size).toBe(200);
  });

  it('tell a thousand keys in several turns, each ten times a second at most', async () => {
    const { time, store, limits } = bench(1, 5000);
    const rule = ruleOf({ algorithm: 'fixed-window', limit: 100_000, period: 3_600_000 });
    for (let ms = 0; ms < 500; ms += 10) {
      for (let i = 0; i < 1200; i++) limits.take(taking(rule, 1, `k${i}`));
      await time.pass(10);
    }
    await time.pass(200);
    expect(store.units).toBe(50 * 1200);
    expect(store.told.length / 1200).toBeLessThanOrEqual(8);
  });

  it('tell the rest when they end', async () => {
    const { time, store, limits } = bench();
    const rule = ruleOf({ algorithm: 'gcra', limit: 100, period: 3_600_000 });
    limits.take(taking(rule));
    await time.pass(50);
    limits.take(taking(rule, 4));
    const closed = limits.close();
    await settled();
    await time.pass(10);
    await closed;
    expect(store.units).toBe(5);
    expect(time.pending).toBe(0);
  });
});
