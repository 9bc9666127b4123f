/** Limits are decided in time, whatever becomes of their store. */
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { ManualTime, settled } from '../../upstream/manual-time.test.support.ts';
import { FailureRule } from './failure-rule.ts';
import { GuardedLimits } from './guarded-limits.ts';
import { ruleOf } from './limits.contract.test.support.ts';
import type { Decision, OnStoreFailure, Take } from './limits.ts';
import { StoreWatch } from './store-watch.ts';

const take: Take = { rule: ruleOf({ algorithm: 'fixed-window', limit: 9 }), key: 'ann', cost: 1, shadow: false };
const standing = { allowed: true, remaining: 8, resetAfter: 5, retryAfter: 0 };
const granted: Decision = { allowed: true, standings: [standing], degraded: false };
const refused: Decision = { allowed: false, standings: [{ ...standing, allowed: false }], degraded: false };

interface Question {
  answer(decision: Decision): void;
  fail(reason: string): void;
}

class Bench {
  readonly time = new ManualTime();
  readonly asked: Question[] = [];
  readonly undone: Decision[] = [];
  readonly log: string[] = [];
  readonly changes: boolean[] = [];
  probes: Question[] = [];
  renewed = 0;
  ready = true;
  fallbacks = 0;
  local: Decision = granted;
  readonly watch: StoreWatch;
  readonly limits: GuardedLimits;

  constructor(onStoreFailure: OnStoreFailure = 'local') {
    const { time } = this;
    const isReady = (): boolean => this.ready;
    const note = (message: string): void => void this.log.push(message);
    this.watch = new StoreWatch({
      store: {
        name: 'cache:6379',
        get ready() {
          return isReady();
        },
        probe: () => this.question(this.probes) as Promise<never>,
        renew: () => void this.renewed++,
      },
      patience: 20,
      clock: time,
      timers: time,
      logger: { ...silentLogger, warn: note, info: note },
      onChange: (usable) => void this.changes.push(usable),
    });
    this.limits = new GuardedLimits({
      store: {
        get ready() {
          return isReady();
        },
        take: () => this.question(this.asked),
        undo: (_takes, decision) => void this.undone.push(decision),
      },
      watch: this.watch,
      clock: time,
      timers: time,
      storeTimeout: 20,
      instead: new FailureRule({
        onStoreFailure,
        local: { take: () => this.local },
        onDegraded: () => void this.fallbacks++,
      }),
    });
  }

  private question(list: Question[]): Promise<Decision> {
    return new Promise((resolve, reject) => {
      list.push({ answer: resolve, fail: (reason) => reject(new Error(reason)) });
    });
  }

  /** Lets so many calls fail by their deadline, one after another. */
  async fail(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      void this.limits.take([take]);
      await this.time.pass(30);
    }
  }
}

describe('limits of a shared store', () => {
  it('are what the store says, in time', async () => {
    const bench = new Bench();
    const decision = bench.limits.take([take]);
    await bench.time.pass(19);
    bench.asked[0].answer(refused);
    expect(await decision).toBe(refused);
    await bench.time.pass(1000);
    expect([bench.fallbacks, bench.time.pending]).toEqual([0, 0]);
  });

  it.each([
    ['local', { ...refused, degraded: true }],
    [
      'open',
      { allowed: true, degraded: true, standings: [{ allowed: true, remaining: 9, resetAfter: 0, retryAfter: 0 }] },
    ],
    // No limit refuses: the store's failure does.
    [
      'closed',
      { allowed: false, degraded: true, standings: [{ allowed: true, remaining: 9, resetAfter: 0, retryAfter: 0 }] },
    ],
  ] as const)(
    'are decided by the rule %s where it says nothing in time, and where it fails',
    async (rule, expected) => {
      const bench = new Bench(rule);
      bench.local = refused;
      const late = bench.limits.take([take]);
      await bench.time.pass(21);
      expect(await late).toEqual(expected);
      const failing = bench.limits.take([take]);
      bench.asked[1].fail('OOM');
      expect(await failing).toEqual(expected);
      bench.ready = false;
      expect(bench.limits.take([take])).toEqual(expected);
      expect(bench.asked).toHaveLength(2);
      expect(bench.fallbacks).toBe(3);
    },
  );

  it('in shadow mode refuse nobody, also where the store fails closed', () => {
    const bench = new Bench('closed');
    bench.ready = false;
    expect(bench.limits.take([{ ...take, shadow: true }])).toMatchObject({ allowed: true });
    expect(bench.limits.take([{ ...take, shadow: true }, take])).toMatchObject({ allowed: false });
  });

  it('take what has come while the process was busy before they call it late', async () => {
    const bench = new Bench();
    const decision = bench.limits.take([take]);
    bench.time.skip(500);
    const served = bench.time.pass(0);
    bench.asked[0].answer(refused);
    await served;
    expect(await decision).toBe(refused);
  });

  it('are each late at their own time', async () => {
    const bench = new Bench();
    const first = bench.limits.take([take]);
    await bench.time.pass(15);
    const second = bench.limits.take([take]);
    await bench.time.pass(6);
    expect(await first).toMatchObject({ degraded: true });
    bench.asked[1].answer(refused);
    expect(await second).toBe(refused);
  });

  it.each([
    ['closed', granted, 1],
    ['open', granted, 0],
    ['local', granted, 0],
    ['local', refused, 1],
  ] as const)(
    'with the rule %s, and a local decision of %j, give back what a late answer has charged: %d',
    async (rule, local, times) => {
      const bench = new Bench(rule);
      bench.local = local;
      void bench.limits.take([take]);
      await bench.time.pass(25);
      bench.asked[0].answer(granted);
      await settled();
      expect(bench.undone).toHaveLength(times);
    },
  );

  it('are not asked for after five failures, until the store does what it is asked', async () => {
    const bench = new Bench();
    await bench.fail(4);
    expect(bench.watch.usable).toBe(true);
    await bench.fail(1);
    expect(bench.watch.usable).toBe(false);
    expect(bench.limits.take([take])).toMatchObject({ degraded: true });
    expect(bench.asked).toHaveLength(5);
    await bench.time.pass(100);
    expect(bench.probes).toHaveLength(1);
    bench.probes[0].answer(granted);
    await settled();
    void bench.limits.take([take]);
    expect(bench.asked).toHaveLength(6);
    expect(bench.log).toEqual([
      'the shared store of limits cannot be asked',
      'the shared store of limits is asked again',
    ]);
    expect(bench.changes).toEqual([false, true]);
  });

  it('are asked for after a moment in which many were late together', async () => {
    const bench = new Bench();
    for (let i = 0; i < 100; i++) void bench.limits.take([take]);
    await bench.time.pass(30);
    expect([bench.fallbacks, bench.watch.usable]).toEqual([100, true]);
  });

  it('do not take the lateness of this process for that of the store', async () => {
    const bench = new Bench();
    const decision = bench.limits.take([take]);
    for (let i = 0; i < 3; i++) {
      // Nothing is read meanwhile, however long it takes.
      bench.time.skip(400);
      await bench.time.pass(0);
    }
    bench.asked[0].answer(refused);
    expect(await decision).toBe(refused);
    expect(bench.fallbacks).toBe(0);
  });

  it('are asked for as long as answers come between failures', async () => {
    const bench = new Bench();
    for (let round = 0; round < 5; round++) {
      await bench.fail(4);
      const decision = bench.limits.take([take]);
      bench.asked.at(-1)?.answer(granted);
      expect(await decision).toBe(granted);
    }
    expect(bench.watch.usable).toBe(true);
  });
});

describe('the watch over a store', () => {
  it('asks at most once a second, and makes a connection anew that leads nowhere', async () => {
    const bench = new Bench();
    bench.watch.onLost('reset');
    await bench.time.pass(60_000);
    expect(bench.probes.length).toBeGreaterThan(50);
    expect(bench.probes.length).toBeLessThan(65);
    expect(bench.renewed).toBe(Math.floor(bench.probes.length / 5));
    expect(bench.log).toHaveLength(1);
  });

  it('keeps a connection that answers, late or with a refusal', async () => {
    const bench = new Bench();
    bench.watch.onLost('reset');
    for (let i = 0; i < 30; i++) {
      await bench.time.pass(1000);
      if (i % 2 === 0) bench.probes.at(-1)?.fail('LOADING');
      else bench.probes.at(-1)?.answer(granted);
    }
    expect(bench.renewed).toBe(0);
  });

  it('makes a connection anew that does not come about', async () => {
    const bench = new Bench();
    bench.watch.onLost('reset');
    bench.ready = false;
    for (let i = 0; i < 10; i++) {
      await bench.time.pass(1000);
      bench.probes.at(-1)?.fail('not connected');
    }
    await settled();
    expect(bench.renewed).toBeGreaterThanOrEqual(1);
  });

  it('asks at once when there is a connection again', async () => {
    const bench = new Bench();
    bench.watch.onLost('reset');
    await bench.time.pass(5_000);
    const before = bench.probes.length;
    bench.watch.onConnected();
    expect(bench.probes).toHaveLength(before + 1);
    // The one before it was given up.
    bench.probes[before - 1].answer(granted);
    await settled();
    expect(bench.watch.usable).toBe(false);
    bench.probes[before].answer(granted);
    await settled();
    expect([bench.watch.usable, bench.time.pending]).toEqual([true, 0]);
  });

  it('leaves no timer behind', async () => {
    const bench = new Bench();
    bench.watch.onLost('reset');
    await bench.time.pass(110);
    bench.watch.close();
    bench.probes[0].fail('closed');
    await bench.time.pass(10_000);
    expect([bench.time.pending, bench.probes.length]).toEqual([0, 1]);
  });
});
