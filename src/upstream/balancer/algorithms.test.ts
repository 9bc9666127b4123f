/** What sets each algorithm apart; what they have in common stands in the contract suite. */
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../endpoint.ts';
import { endpointsOf, seededRandom } from '../service.test.support.ts';
import type { Balancer } from './balancer.ts';
import { createBalancer } from './create-balancer.ts';

const anybody = { clientAddress: '192.0.2.1' };
const random = seededRandom(7);

function sequence(balancer: Balancer, candidates: readonly Endpoint[], picks: number): string {
  let letters = '';
  for (let i = 0; i < picks; i++) letters += 'ABCDEFG'[candidates.indexOf(balancer.pick(candidates, anybody, null)!)];
  return letters;
}

describe('round robin', () => {
  it('takes them in order, whatever the weights', () => {
    expect(sequence(createBalancer('round-robin', random), endpointsOf([9, 1, 4]), 7)).toBe('ABCABCA');
  });

  it('goes on after the one that a retry took', () => {
    const [a, b, c] = endpointsOf([1, 1, 1]);
    const all = [a, b, c];
    const balancer = createBalancer('round-robin', random);
    expect(balancer.pick(all, anybody, null)).toBe(a);
    expect(balancer.pick(all, anybody, [b])).toBe(c);
    expect(balancer.pick(all, anybody, null)).toBe(a);
  });

  it('begins again when its place is gone', () => {
    const [a, b, c] = endpointsOf([1, 1, 1]);
    const balancer = createBalancer('round-robin', random);
    sequence(balancer, [a, b, c], 2);
    expect(balancer.pick([a, b], anybody, null)).toBe(a);
  });
});

describe('weighted round robin', () => {
  it.each([
    [[5, 1, 1], 'AABACAA'],
    [[3, 1], 'AABA'],
    [[1, 1, 1], 'ABC'],
    [[2, 2, 2], 'ABCABC'],
  ])('spreads %j as nginx does: %s', (weights, expected) => {
    expect(sequence(createBalancer('weighted-round-robin', random), endpointsOf(weights), expected.length * 2)).toBe(
      expected + expected,
    );
  });

  it('keeps its place in the cycle across equal sets of candidates, as a reload brings them', () => {
    const endpoints = endpointsOf([5, 1, 1]);
    let letters = '';
    for (let i = 0; i < 7; i++) letters += sequence(createBalancer('weighted-round-robin', random), [...endpoints], 1);
    expect(letters).toBe('AABACAA');
  });

  it('charges nobody for turns in which it was avoided', () => {
    const [a, b] = endpointsOf([1000, 1]);
    const balancer = createBalancer('weighted-round-robin', random);
    const candidates = [a, b];
    for (let i = 0; i < 50; i++) expect(balancer.pick(candidates, anybody, [a])).toBe(b);
    expect([a.turn, b.turn]).toEqual([0, 0]);
  });
});

describe('least connections', () => {
  it.each([
    { active: [3, 2, 4], weights: [1, 1, 1], expected: 1, why: 'fewest' },
    { active: [3, 2, 4], weights: [3, 1, 1], expected: 0, why: 'fewest for its weight' },
    { active: [1, 1, 0], weights: [100, 1, 1], expected: 2, why: 'an idle one before any busy one' },
    { active: [6, 4, 9], weights: [3, 2, 5], expected: 2, why: 'ratios compared without rounding' },
  ])('picks the $why', ({ active, weights, expected }) => {
    const endpoints = endpointsOf(weights);
    active.forEach((count, index) => {
      endpoints[index].active = count;
    });
    const balancer = createBalancer('least-connections', random);
    for (let i = 0; i < 3; i++) expect(balancer.pick(endpoints, anybody, null)).toBe(endpoints[expected]);
  });

  it('takes turns by weight among equals only', () => {
    const endpoints = endpointsOf([2, 1, 1]);
    endpoints[2].active = 5;
    expect(sequence(createBalancer('least-connections', random), endpoints, 6)).toBe('ABAABA');
  });

  it('fills up in the ratio of the weights when requests stay', () => {
    const endpoints = endpointsOf([3, 1]);
    const balancer = createBalancer('least-connections', random);
    for (let i = 0; i < 40; i++) balancer.pick(endpoints, anybody, null)!.active++;
    expect(endpoints.map((endpoint) => endpoint.active)).toEqual([30, 10]);
  });
});

describe('ip hash', () => {
  it('gives the same answer in every process: these are part of its behaviour', () => {
    const endpoints = endpointsOf([1, 1, 1]);
    const balancer = createBalancer('ip-hash', random);
    const places = ['192.0.2.1', '192.0.2.2', '198.51.100.7', '2001:db8::1', '2001:db8::2', ''].map((clientAddress) =>
      endpoints.indexOf(balancer.pick(endpoints, { clientAddress }, null)!),
    );
    expect(places).toMatchInlineSnapshot(`
      [
        0,
        0,
        0,
        1,
        2,
        1,
      ]
    `);
  });

  it('spreads neighbours in one network evenly', () => {
    const endpoints = endpointsOf([1, 1, 1, 1]);
    const balancer = createBalancer('ip-hash', random);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 256; i++) {
      for (let j = 0; j < 16; j++) {
        counts[endpoints.indexOf(balancer.pick(endpoints, { clientAddress: `10.0.${j}.${i}` }, null)!)]++;
      }
    }
    for (const count of counts) expect(Math.abs(count - 1024)).toBeLessThan(103);
  });

  it('moves clients to an endpoint whose weight grows, and none between the others', () => {
    const endpoints = endpointsOf([1, 1, 1]);
    const balancer = createBalancer('ip-hash', random);
    const addresses = Array.from({ length: 500 }, (_, i) => ({ clientAddress: `203.0.${i >> 8}.${i & 255}` }));
    const before = addresses.map((address) => balancer.pick(endpoints, address, null));
    endpoints[1].weight = 3;
    const after = addresses.map((address) => balancer.pick(endpoints, address, null));
    const moved = after.filter((endpoint, index) => endpoint !== before[index]);
    expect(moved.length).toBeGreaterThan(0);
    expect(new Set(moved)).toEqual(new Set([endpoints[1]]));
  });
});

describe('random', () => {
  it.each([
    [0, 0],
    [0.2499, 0],
    [0.25, 1],
    [0.9999, 1],
    [1, 1],
  ])('takes the number %d to place %d of weights 1 and 3', (number, place) => {
    const endpoints = endpointsOf([1, 3]);
    expect(createBalancer('random', () => number).pick(endpoints, anybody, null)).toBe(endpoints[place]);
  });

  it('shares what was tried among the others by weight', () => {
    const [a, b, c] = endpointsOf([1, 5, 1]);
    const halves = [0.49, 0.5];
    const balancer = createBalancer('random', () => halves.shift()!);
    expect(balancer.pick([a, b, c], anybody, [b])).toBe(a);
    expect(balancer.pick([a, b, c], anybody, [b])).toBe(c);
  });
});
