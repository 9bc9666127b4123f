/** Pairs of uses: each use stands in exactly one, and what is in both lists is paired with itself. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PolicyUse } from '../policy-schemas.ts';
import { pairUses, type UsePair } from './use-pairing.ts';

const use = fc.record({
  name: fc.constantFrom('a', 'b'),
  options: fc.oneof(
    fc.record({ limit: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ name: fc.constantFrom('x', 'y'), limit: fc.integer({ min: 1, max: 2 }) }),
  ),
});
const list = fc.array(use, { maxLength: 6 });

const placesOf = (pairs: readonly UsePair[], side: 'before' | 'after'): number[] =>
  pairs.flatMap((pair) => pair[side]?.at ?? []).sort((a, b) => a - b);

const all = (uses: readonly PolicyUse[]): number[] => uses.map((_, index) => index);

test('hold each use once, and only uses of one policy', () => {
  fc.assert(
    fc.property(list, list, (before, after) => {
      const pairs = pairUses(before, after);
      expect([placesOf(pairs, 'before'), placesOf(pairs, 'after')]).toEqual([all(before), all(after)]);
      for (const pair of pairs) if (pair.before && pair.after) expect(pair.before.name).toBe(pair.after.name);
    }),
  );
});

test('of lists with the same unnamed uses in any order are pairs of equals', () => {
  const unnamed = fc.array(fc.record({ name: fc.constant('a'), options: fc.record({ limit: fc.nat(3) }) }), {
    maxLength: 6,
  });
  const shuffled = unnamed.chain((uses) =>
    fc.tuple(fc.constant(uses), fc.shuffledSubarray(uses, { minLength: uses.length, maxLength: uses.length })),
  );
  fc.assert(
    fc.property(shuffled, ([before, after]) => {
      for (const pair of pairUses(before, after)) expect(pair.before?.options).toEqual(pair.after?.options);
    }),
  );
});
