/** What every balancer owes its callers. A new algorithm adds a row to `promises` and is held to all of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BalancingAlgorithm } from '../../config/model.ts';
import type { Endpoint } from '../endpoint.ts';
import { endpointsOf, seededRandom } from '../service.test.support.ts';
import type { Balancer } from './balancer.ts';
import { BALANCER_ALGORITHMS, createBalancer } from './create-balancer.ts';

interface Promises {
  /** What shares follow: the weights, or nothing (all equal). */
  readonly shares: 'weights' | 'equal';
  /** `cycle`: exact over each cycle; `stratified`: exact when the random source is; `statistical`: within 10 %. */
  readonly fairness: 'cycle' | 'stratified' | 'statistical';
  /** The same client stays where it is, and only the clients of an endpoint that goes away move. */
  readonly stable: boolean;
}

const promises: Record<BalancingAlgorithm, Promises> = {
  'round-robin': { shares: 'equal', fairness: 'cycle', stable: false },
  'weighted-round-robin': { shares: 'weights', fairness: 'cycle', stable: false },
  'least-connections': { shares: 'weights', fairness: 'cycle', stable: false },
  'ip-hash': { shares: 'weights', fairness: 'statistical', stable: true },
  random: { shares: 'weights', fairness: 'stratified', stable: false },
};

const weightsOf = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 7 });

function client(number: number): { clientAddress: string } {
  return { clientAddress: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}` };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function count(balancer: Balancer, candidates: readonly Endpoint[], picks: number): number[] {
  const counts = candidates.map(() => 0);
  for (let i = 0; i < picks; i++) counts[candidates.indexOf(balancer.pick(candidates, client(i), null)!)]++;
  return counts;
}

it('holds every algorithm to its promises', () => {
  expect(Object.keys(promises).sort()).toEqual([...BALANCER_ALGORITHMS].sort());
});

describe.each(BALANCER_ALGORITHMS)('%s', (algorithm) => {
  const promised = promises[algorithm];
  const create = (random = seededRandom(1)): Balancer => createBalancer(algorithm, random);

  it('gives null without candidates, tried ones or not', () => {
    const [gone] = endpointsOf([1]);
    expect(create().pick([], client(1), null)).toBeNull();
    expect(create().pick([], client(1), [gone])).toBeNull();
  });

  it('picks a candidate, avoids what was tried while another remains, and changes no argument', () => {
    const step = fc.record({
      present: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
      tried: fc.option(fc.array(fc.nat(6), { maxLength: 5 }), { nil: null }),
      load: fc.array(fc.nat(9), { minLength: 7, maxLength: 7 }),
      client: fc.nat(),
    });
    fc.assert(
      fc.property(weightsOf, fc.array(step, { minLength: 1, maxLength: 30 }), fc.integer(), (weights, steps, seed) => {
        const all = endpointsOf(weights);
        const balancer = create(seededRandom(seed));
        for (const { present, tried, load, client: number } of steps) {
          all.forEach((endpoint, index) => {
            endpoint.active = load[index];
          });
          const candidates = Object.freeze(all.filter((_, index) => present[index]));
          const avoid = tried === null ? null : Object.freeze(tried.filter((i) => i < all.length).map((i) => all[i]));
          const picked = balancer.pick(candidates, Object.freeze(client(number)), avoid);
          if (candidates.length === 0) {
            expect(picked).toBeNull();
            continue;
          }
          expect(candidates).toContain(picked);
          if (candidates.some((candidate) => !avoid?.includes(candidate))) expect(avoid ?? []).not.toContain(picked);
        }
        expect(all.map((endpoint) => endpoint.weight)).toEqual(weights);
      }),
      { numRuns: 150 },
    );
  });

  it('tries every candidate before one again', () => {
    fc.assert(
      fc.property(weightsOf, fc.nat(), (weights, number) => {
        const candidates = endpointsOf(weights);
        const balancer = create(seededRandom(number));
        const tried: Endpoint[] = [];
        for (const _ of candidates) tried.push(balancer.pick(candidates, client(number), tried)!);
        expect(new Set(tried).size).toBe(candidates.length);
        expect(candidates).toContain(balancer.pick(candidates, client(number), tried));
      }),
      { numRuns: 50 },
    );
  });

  it(`shares by ${promised.shares}`, () => {
    fc.assert(
      fc.property(weightsOf, (weights) => {
        const candidates = endpointsOf(weights);
        const expected = promised.shares === 'weights' ? weights : weights.map(() => 1);
        const total = sum(expected);
        if (promised.fairness === 'cycle') {
          const balancer = create();
          for (let cycle = 0; cycle < 3; cycle++) expect(count(balancer, candidates, total)).toEqual(expected);
        } else if (promised.fairness === 'stratified') {
          let step = 0;
          expect(
            count(
              create(() => (step++ + 0.5) / total),
              candidates,
              total,
            ),
          ).toEqual(expected);
        }
      }),
      { numRuns: 50 },
    );
    if (promised.fairness === 'statistical') {
      const weights = [1, 2, 5, 2];
      const counts = count(create(), endpointsOf(weights), 20_000);
      counts.forEach((picks, index) => {
        expect(Math.abs(picks / (2000 * weights[index]) - 1)).toBeLessThan(0.1);
      });
    }
  });

  it('is fair again soon after the candidates changed, however unequal the weights were', () => {
    const [giant, first, second] = endpointsOf([1000, 1, 1]);
    const balancer = create();
    for (const picks of [1, 250, 501, 777]) {
      count(balancer, [giant, first, second], picks);
      const counts = count(balancer, [first, second], 200);
      expect(Math.min(...counts)).toBeGreaterThan(60);
    }
  });

  it('starves no candidate while others come and go', () => {
    const subset = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(subset, { minLength: 1, maxLength: 40 }), fc.nat(), (subsets, seed) => {
        const all = endpointsOf([1, 3, 2, 1, 2]);
        const balancer = create(seededRandom(seed));
        let number = seed % 1000;
        for (const present of subsets) {
          const candidates = all.filter((_, index) => index === 0 || present[index - 1]);
          for (let i = 0; i < 5; i++) balancer.pick(candidates, client(number++), null);
        }
        const counts = all.map(() => 0);
        const rounds = promised.fairness === 'cycle' ? 3 * 9 : 400;
        for (let i = 0; i < rounds; i++) counts[all.indexOf(balancer.pick(all, client(number++), null)!)]++;
        expect(Math.min(...counts)).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });

  it('goes on fairly when the weights change under it', () => {
    const endpoints = endpointsOf([1000, 1]);
    const balancer = create();
    count(balancer, endpoints, 400);
    endpoints[0].weight = 1;
    const counts = count(balancer, [...endpoints], 100);
    expect(Math.min(...counts)).toBeGreaterThan(25);
  });

  if (promised.stable)
    it('moves only the clients of an endpoint that goes away, and gives them back', () => {
      fc.assert(
        fc.property(
          weightsOf,
          fc.nat(6),
          fc.array(fc.ipV4(), { minLength: 1, maxLength: 50 }),
          (weights, lost, clients) => {
            const all = endpointsOf(weights);
            const gone = all[lost % all.length];
            const rest = all.filter((endpoint) => endpoint !== gone).reverse();
            const balancer = create();
            for (const clientAddress of clients) {
              const before = balancer.pick(all, { clientAddress }, null);
              const during = balancer.pick(rest, { clientAddress }, null);
              if (before !== gone) expect(during).toBe(before);
              expect(balancer.pick(all, { clientAddress }, null)).toBe(before);
              expect(create().pick([...all].reverse(), { clientAddress }, null)).toBe(before);
              // A retry goes where the client would go if the tried endpoint were away.
              if (rest.length > 0) expect(balancer.pick(all, { clientAddress }, [before!])).not.toBe(before);
            }
          },
        ),
        { numRuns: 100 },
      );
    });
});
