/** What every store of limits must do, whatever it counts in. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from './limit-models.test.support.ts';
import { ALGORITHMS, type Algorithm, type Decision, type LimitRule, type Standing, type Take } from './limits.ts';

/** A store under test. */
export interface LimitsHarness {
  /** Takes at this time: milliseconds since the Unix epoch, whatever the clock of the store says. */
  take(takes: readonly Take[], now: number): Decision | Promise<Decision>;
  close(): unknown;
}

export interface ContractOptions {
  /** Random sequences of each kind. */
  readonly runs?: number;
}

/** Sunday, 15 March 2026, noon UTC: no border of any window of these tests. */
export const NOON = Date.UTC(2026, 2, 15, 12);

const DAY = 86_400_000;

let rules = 0;

/** A rule that nobody used before. */
export function ruleOf(given: Partial<LimitRule> & { algorithm: Algorithm }): LimitRule {
  const { limit = 5, period = 1000 } = given;
  return { limit, period, burst: limit, ...given, id: `route/test-${process.pid}-${rules++}/default` };
}

function takeOf(rule: LimitRule, cost = 1, key = 'ann', shadow = false): Take {
  return { rule, key, cost, shadow };
}

/** Runs the contract against the stores that `open` gives. */
export function limitsContract(
  title: string,
  open: () => LimitsHarness | Promise<LimitsHarness>,
  { runs = 100 }: ContractOptions = {},
): void {
  describe(title, () => {
    let harness: LimitsHarness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness.close());
    const take: Ask = async (now, ...takes) => harness.take(takes, now);
    knownAnswers(take);
    randomSequences(take, runs);
    severalLimits(take, runs);
    clockSetBack(take);
  });
}

type Ask = (now: number, ...takes: Take[]) => Promise<Decision>;

/** What happens at a time after `NOON`: cost, and whether it is granted, what is left, and the two waits. */
type Step = readonly [at: number, cost: number, granted: boolean, left: number, reset: number, retry: number];

const NEVER = Number.POSITIVE_INFINITY;

const bucketSteps: readonly Step[] = [
  [0, 5, true, 0, 1000, 0],
  [0, 1, false, 0, 1000, 200],
  [199, 1, false, 0, 801, 1],
  [200, 1, true, 0, 1000, 0],
  [300, 0, true, 0, 900, 0],
  [500, 2, false, 1, 700, 100],
  [600, 2, true, 0, 1000, 0],
  [5600, 0, true, 5, 0, 0],
  [5600, 6, false, 5, 0, NEVER],
];

const tables: readonly [string, Partial<LimitRule> & { algorithm: Algorithm }, readonly Step[]][] = [
  ['token-bucket', { algorithm: 'token-bucket' }, bucketSteps],
  ['gcra', { algorithm: 'gcra' }, bucketSteps],
  [
    'a bucket of more than comes in a period',
    { algorithm: 'token-bucket', limit: 3, period: 1000, burst: 7 },
    [
      [0, 7, true, 0, 2334, 0],
      [333, 1, false, 0, 2001, 1],
      [334, 1, true, 0, 2333, 0],
      [666, 1, false, 0, 2001, 1],
      [667, 1, true, 0, 2333, 0],
      // Three periods to the third: nothing was lost by rounding.
      [1000, 1, true, 0, 2334, 0],
    ],
  ],
  [
    'fixed-window',
    { algorithm: 'fixed-window' },
    [
      [400, 5, true, 0, 600, 0],
      [400, 1, false, 0, 600, 600],
      [999, 1, false, 0, 1, 1],
      [1000, 3, true, 2, 1000, 0],
      [1500, 3, false, 2, 500, 500],
      [1500, 6, false, 2, 500, NEVER],
      [1500, 0, true, 2, 500, 0],
    ],
  ],
  [
    'sliding-window',
    { algorithm: 'sliding-window', limit: 10, period: 1000 },
    [
      [500, 10, true, 0, 1500, 0],
      [500, 1, false, 0, 1500, 600],
      [1099, 1, false, 0, 901, 1],
      [1100, 1, true, 0, 1900, 0],
      [1500, 4, true, 0, 1500, 0],
      [1500, 6, false, 0, 1500, 700],
      [2200, 6, true, 0, 1800, 0],
      [4200, 0, true, 10, 0, 0],
    ],
  ],
  [
    'sliding-log',
    { algorithm: 'sliding-log' },
    [
      [0, 2, true, 3, 1000, 0],
      [400, 3, true, 0, 1000, 0],
      [999, 1, false, 0, 401, 1],
      [999, 3, false, 0, 401, 401],
      [1000, 2, true, 0, 1000, 0],
      [1400, 6, false, 3, 600, NEVER],
      [2000, 0, true, 5, 0, 0],
    ],
  ],
  [
    'a quota of the day',
    { algorithm: 'fixed-window', limit: 2, period: DAY, calendar: 'day' },
    [
      [0, 2, true, 0, DAY / 2, 0],
      [DAY / 2 - 1, 1, false, 0, 1, 1],
      [DAY / 2, 1, true, 1, DAY, 0],
    ],
  ],
  [
    'a quota of the month',
    { algorithm: 'fixed-window', limit: 2, period: 30 * DAY, calendar: 'month' },
    [
      [0, 2, true, 0, 16.5 * DAY, 0],
      [16.5 * DAY - 1, 1, false, 0, 1, 1],
      [16.5 * DAY, 1, true, 1, 30 * DAY, 0],
      [16.5 * DAY + 30 * DAY, 1, true, 1, 31 * DAY, 0],
    ],
  ],
];

function knownAnswers(take: Ask): void {
  test.each(tables)('%s grants what it says, and tells when there is more', async (_name, given, steps) => {
    const rule = ruleOf(given);
    for (const [at, cost, allowed, remaining, resetAfter, retryAfter] of steps) {
      const { standings, ...decision } = await take(NOON + at, takeOf(rule, cost));
      expect({ at, ...standings[0] }).toEqual({ at, allowed, remaining, resetAfter, retryAfter });
      expect(decision).toEqual({ allowed, degraded: false });
    }
  });

  test.each(ALGORITHMS)('%s: what costs more than the limit is never granted, and takes nothing', async (algorithm) => {
    const rule = ruleOf({ algorithm });
    const [refused] = (await take(NOON, takeOf(rule, 6))).standings;
    expect(refused).toMatchObject({ allowed: false, remaining: 5, retryAfter: NEVER });
    expect((await take(NOON, takeOf(rule, 5))).allowed).toBe(true);
  });

  test.each(ALGORITHMS)('%s: keys and rules are apart', async (algorithm) => {
    const [one, other] = [ruleOf({ algorithm }), ruleOf({ algorithm })];
    const keys = ['ann', 'bob', '', 'ann ', '{ann}', 'a\nb', 'ž\u0000', 'x'.repeat(300), `${'x'.repeat(300)}y`];
    for (const rule of [one, other]) {
      for (const key of keys) {
        expect([key, (await take(NOON, takeOf(rule, 5, key))).allowed]).toEqual([key, true]);
      }
    }
    for (const key of keys) {
      expect([key, (await take(NOON, takeOf(one, 1, key))).allowed]).toEqual([key, false]);
    }
  });

  test.each(ALGORITHMS)('%s: a rule with other numbers goes on with what was taken', async (algorithm) => {
    const rule = ruleOf({ algorithm, limit: 5 });
    await take(NOON, takeOf(rule, 5));
    const wider = { ...rule, limit: 50, burst: 50, period: 2000 };
    const narrower = { ...rule, limit: 1, burst: 1, period: 500 };
    for (const next of [narrower, wider, rule]) {
      const [{ remaining, resetAfter }] = (await take(NOON, takeOf(next, 0))).standings;
      expect(remaining).toBeLessThan(next.limit);
      expect(resetAfter).toBeLessThanOrEqual(next.period * 2);
    }
  });
}

const algorithms = fc.constantFrom(...ALGORITHMS);

const smallRules = fc
  .record({
    algorithm: algorithms,
    limit: fc.integer({ min: 1, max: 12 }),
    period: fc.constantFrom(1, 7, 100, 1000, 60_000),
    burst: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ burst, ...rule }) => ({ ...rule, ...(isBucket(rule.algorithm) ? { burst } : {}) }));

/** Up to the bounds of the configuration: numbers whose products are beyond what is exact. */
const greatRules = fc.record({
  algorithm: fc.constantFrom(...ALGORITHMS.filter((one) => one !== 'sliding-log')),
  limit: fc.constantFrom(1_000_000_000, 999_999_937, 123_456_789),
  period: fc.constantFrom(1000, 3_599_999, 86_399_999, 31 * DAY),
});

function isBucket(algorithm: Algorithm): boolean {
  return algorithm === 'token-bucket' || algorithm === 'gcra';
}

/** Gaps as parts of a period, and costs as parts of the limit. */
const arrivals = fc.array(
  fc.record({
    gap: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.4, noNaN: true }), fc.constantFrom(1, 1.5, 3)),
    cost: fc.double({ min: 0, max: 0.7, noNaN: true }),
  }),
  { minLength: 1, maxLength: 40 },
);

interface Granted {
  readonly time: number;
  readonly cost: number;
}

function randomSequences(take: Ask, runs: number): void {
  test('grants what the definition of the algorithm grants, neither more nor less', async () => {
    await fc.assert(
      fc.asyncProperty(smallRules, arrivals, fc.integer({ min: 0, max: 100_000 }), async (given, sequence, offset) => {
        const rule = ruleOf(given);
        const model = modelOf(rule);
        const granted: Granted[] = [];
        let now = NOON + offset;
        for (const { gap, cost: part } of sequence) {
          now += Math.floor(gap * rule.period);
          const cost = Math.round(part * rule.burst);
          const { standings, allowed } = await take(now, takeOf(rule, cost));
          expect(allowed).toBe(model.allows(now, cost));
          if (allowed) model.take(now, cost);
          if (allowed) granted.push({ time: now, cost });
          expectStanding(standings[0], rule, model, now, cost);
        }
        expectWithin(rule, granted);
      }),
      { numRuns: runs },
    );
  });

  test('with numbers of any size grants never more than the definition, and hardly less', async () => {
    await fc.assert(
      fc.asyncProperty(greatRules, arrivals, async (given, sequence) => {
        const rule = ruleOf(given);
        const model = modelOf(rule);
        let now = NOON;
        for (const { gap, cost: part } of sequence) {
          now += Math.floor(gap * rule.period);
          const cost = Math.round(part * rule.limit);
          const { standings, allowed } = await take(now, takeOf(rule, cost));
          if (allowed) expect(model.allows(now, cost)).toBe(true);
          else expect(model.allows(now, cost + Math.ceil(rule.limit / 100_000))).toBe(false);
          if (allowed) model.take(now, cost);
          const exact = model.remaining(now);
          expect(standings[0].remaining).toBeLessThanOrEqual(exact);
          expect(standings[0].remaining).toBeGreaterThanOrEqual(exact - rule.limit / 100_000);
          expect(Number.isInteger(standings[0].remaining)).toBe(true);
        }
      }),
      { numRuns: runs },
    );
  });
}

/** Against the definition at the moments that the standing names, and just before them. */
function expectStanding(
  { allowed, remaining, resetAfter, retryAfter }: Standing,
  rule: LimitRule,
  model: ReturnType<typeof modelOf>,
  now: number,
  cost: number,
): void {
  expect(remaining).toBe(model.remaining(now));
  expect(model.remaining(now + resetAfter)).toBe(rule.burst);
  // A window ends when it ends, whatever was taken in it.
  if (rule.algorithm !== 'fixed-window' && resetAfter > 0) {
    expect(model.allows(now + resetAfter - 1, rule.burst)).toBe(false);
  }
  if (allowed) expect(retryAfter).toBe(0);
  else if (cost > rule.burst) expect(retryAfter).toBe(NEVER);
  else {
    expect(retryAfter).toBeGreaterThan(0);
    expect(model.allows(now + retryAfter, cost)).toBe(true);
    expect(model.allows(now + retryAfter - 1, cost)).toBe(false);
  }
}

/** What no window may hold, said once more without any model. */
function expectWithin({ algorithm, limit, period, burst }: LimitRule, granted: readonly Granted[]): void {
  for (const [i, { time: first }] of granted.entries()) {
    let sum = 0;
    for (const { time, cost } of granted.slice(i)) {
      const length = time - first;
      if (isBucket(algorithm)) {
        sum += cost;
        expect(sum * period).toBeLessThanOrEqual(burst * period + limit * length);
      } else if (algorithm === 'fixed-window') {
        if (Math.floor(time / period) === Math.floor(first / period)) sum += cost;
        expect(sum).toBeLessThanOrEqual(limit);
      } else {
        if (length < period) sum += cost;
        expect(sum).toBeLessThanOrEqual(algorithm === 'sliding-log' ? limit : 2 * limit);
      }
    }
  }
}

function severalLimits(take: Ask, runs: number): void {
  test('of several limits all are charged or none, and those in shadow each for itself', async () => {
    const uses = fc.array(fc.record({ rule: smallRules, shadow: fc.boolean() }), { minLength: 2, maxLength: 4 });
    const steps = fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: 400 }),
        costs: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 4, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(uses, steps, async (given, sequence) => {
        const limits = given.map(({ rule, shadow }) => {
          const own = ruleOf(rule);
          return { rule: own, shadow, model: modelOf(own) };
        });
        let now = NOON;
        for (const { gap, costs } of sequence) {
          now += gap;
          const verdicts = limits.map(({ model }, i) => model.allows(now, costs[i]));
          const granted = verdicts.every((verdict, i) => verdict || limits[i].shadow);
          const decision = await take(
            now,
            ...limits.map(({ rule, shadow }, i) => takeOf(rule, costs[i], 'ann', shadow)),
          );
          expect(decision.allowed).toBe(granted);
          expect(decision.standings.map(({ allowed }) => allowed)).toEqual(verdicts);
          for (const [i, { shadow, model }] of limits.entries()) {
            if (verdicts[i] && (granted || shadow)) model.take(now, costs[i]);
          }
          expect(decision.standings.map(({ remaining }) => remaining)).toEqual(
            limits.map(({ model }) => model.remaining(now)),
          );
        }
      }),
      { numRuns: runs },
    );
  });

  test('one in shadow refuses nobody and still says what it would do', async () => {
    const rule = ruleOf({ algorithm: 'token-bucket', limit: 1 });
    await take(NOON, takeOf(rule, 1, 'ann', true));
    const { allowed, standings } = await take(NOON, takeOf(rule, 1, 'ann', true));
    expect([allowed, standings[0]]).toEqual([
      true,
      { allowed: false, remaining: 0, resetAfter: 1000, retryAfter: 1000 },
    ]);
  });
}

function clockSetBack(take: Ask): void {
  test.each(ALGORITHMS)('%s: a clock that swings grants nothing twice', async (algorithm) => {
    const rule = ruleOf({ algorithm });
    let granted = 0;
    for (let i = 0; i < 40; i++) {
      const now = NOON + (i % 2 === 0 ? 0 : -30);
      if ((await take(now, takeOf(rule))).allowed) granted++;
    }
    // Of a bucket, and where a border is swung over, the width of the swing counts once.
    expect(granted).toBeGreaterThanOrEqual(5);
    expect(granted).toBeLessThanOrEqual(algorithm === 'sliding-log' || isBucket(algorithm) ? 5 : 10);
  });

  test.each(ALGORITHMS)('%s: a clock set back by a day shuts nobody out for a day', async (algorithm) => {
    const rule = ruleOf({ algorithm });
    await take(NOON, takeOf(rule, 5));
    const [{ remaining, resetAfter }] = (await take(NOON - DAY, takeOf(rule, 0))).standings;
    expect(remaining).toBeGreaterThanOrEqual(0);
    expect(resetAfter).toBeLessThanOrEqual(1000);
    expect((await take(NOON - DAY + 1000, takeOf(rule, 5))).allowed).toBe(true);
    expect((await take(NOON - DAY + 1000, takeOf(rule, 1))).allowed).toBe(false);
  });
}
