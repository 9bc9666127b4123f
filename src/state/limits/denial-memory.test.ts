/** For how long a key that is over its limit is not asked for. */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../pipeline/policy.test.support.ts';
import { DenialMemory } from './denial-memory.ts';
import { ruleOf } from './limits.contract.test.support.ts';
import type { Decision, Standing, Take } from './limits.ts';

const rule = ruleOf({ algorithm: 'token-bucket' });
const other = ruleOf({ algorithm: 'fixed-window' });

function taking(given: Partial<Take> = {}): Take {
  return { rule, key: 'ann', cost: 2, shadow: false, ...given };
}

function refusedFor(retryAfter: number): Standing {
  return { allowed: false, remaining: 1, resetAfter: 700, retryAfter };
}

const fine: Standing = { allowed: true, remaining: 4, resetAfter: 90, retryAfter: 0 };

function memoryOver(standings: readonly Standing[], given: Partial<Decision> = {}) {
  const clock = manualClock();
  let asked = 0;
  const store = {
    take: async (): Promise<Decision> => {
      asked++;
      return { allowed: standings.every(({ allowed }) => allowed), standings, degraded: false, ...given };
    },
  };
  const memory = new DenialMemory(store, clock);
  return { clock, memory, asked: () => asked };
}

describe('a key that is over its limit', () => {
  it('is not asked for again before there can be something', async () => {
    const { clock, memory, asked } = memoryOver([refusedFor(500)]);
    await memory.take([taking()]);
    clock.tick(300);
    expect(memory.take([taking()])).toEqual({
      allowed: false,
      degraded: false,
      standings: [{ allowed: false, remaining: 1, resetAfter: 400, retryAfter: 200 }],
    });
    clock.tick(198);
    expect(memory.take([taking({ cost: 3 })])).toMatchObject({ allowed: false });
    expect(asked()).toBe(1);
    clock.tick(1);
    await memory.take([taking()]);
    expect(asked()).toBe(2);
  });

  it.each([
    ['for less', taking({ cost: 1 })],
    ['for somebody else', taking({ key: 'bob' })],
    ['by a rule that has changed', taking({ rule: { ...rule } })],
    ['by one that only counts', taking({ shadow: true })],
  ])('is asked for %s', async (_, again) => {
    const { memory, asked } = memoryOver([refusedFor(500)]);
    await memory.take([taking()]);
    await memory.take([again]);
    expect(asked()).toBe(2);
  });

  it.each([
    ['what was granted', [fine], {}],
    ['what the store did not decide', [refusedFor(500)], { degraded: true }],
    ['what is there again at once', [refusedFor(1)], {}],
  ])('%s is not remembered', async (_, standings, given) => {
    const { memory } = memoryOver(standings, given);
    await memory.take([taking()]);
    expect(memory.size).toBe(0);
  });

  it('is remembered for good where it costs more than there ever is', async () => {
    const { clock, memory, asked } = memoryOver([refusedFor(Number.POSITIVE_INFINITY)]);
    await memory.take([taking()]);
    clock.tick(1e9);
    expect(memory.take([taking()])).toMatchObject({ allowed: false });
    expect(asked()).toBe(1);
  });

  it('is remembered shortly among several limits, since the others give back what they took', async () => {
    const { clock, memory, asked } = memoryOver([fine, refusedFor(60_000)]);
    const takes = [taking({ rule: other }), taking()];
    await memory.take(takes);
    clock.tick(98);
    expect(memory.take([taking({ rule: other }), taking()])).toMatchObject({ allowed: false });
    expect(asked()).toBe(1);
    await memory.take([taking({ rule: other, key: 'bob' }), taking()]);
    await memory.take([taking()]);
    expect(asked()).toBe(3);
    clock.tick(1);
    await memory.take(takes);
    expect(asked()).toBe(4);
  });

  it('is forgotten, the oldest first, where there are too many', async () => {
    const { memory, asked } = memoryOver([refusedFor(500)]);
    for (let i = 0; i < 50_001; i++) await memory.take([taking({ key: `k${i}` })]);
    expect(memory.size).toBe(50_000);
    await memory.take([taking({ key: 'k1' })]);
    expect(asked()).toBe(50_001);
    await memory.take([taking({ key: 'k0' })]);
    expect(asked()).toBe(50_002);
  });
});
