/** Which use of a policy in one list is which in the other, where several may stand. */
import { isDeepStrictEqual } from 'node:util';
import type { PolicyUse } from '../policy-schemas.ts';

/** One use where it stands. */
export interface PlacedUse extends PolicyUse {
  /** In the whole list. */
  readonly at: number;
  /** Among those of its policy, from 0; null where it is the only one in both lists. */
  readonly turn: number | null;
}

/** A use that is in both lists, or in one. */
export interface UsePair {
  readonly before: PlacedUse | null;
  readonly after: PlacedUse | null;
}

/**
 * Pairs the uses of each policy: those of one name (the option `name`), then equal ones, then those that are left, in their
 * order. In the order of the list before, then of the new ones.
 */
export function pairUses(before: readonly PolicyUse[], after: readonly PolicyUse[]): UsePair[] {
  const names = new Set([...before, ...after].map(({ name }) => name));
  const pairs = [...names].flatMap((name) => {
    const from = placed(before, name);
    const to = placed(after, name);
    if (from.length < 2 && to.length < 2) {
      return [{ before: from.length === 0 ? null : alone(from[0]), after: to.length === 0 ? null : alone(to[0]) }];
    }
    return pairSeveral(from, to);
  });
  const end = before.length;
  const rank = (pair: UsePair): number => pair.before?.at ?? end + (pair.after?.at ?? 0);
  return pairs.sort((a, b) => rank(a) - rank(b));
}

function placed(uses: readonly PolicyUse[], name: string): PlacedUse[] {
  const found: PlacedUse[] = [];
  for (const [at, use] of uses.entries()) if (use.name === name) found.push({ ...use, at, turn: found.length });
  return found;
}

function alone(use: PlacedUse): PlacedUse {
  return { ...use, turn: null };
}

function pairSeveral(before: readonly PlacedUse[], after: readonly PlacedUse[]): UsePair[] {
  const left = [...after];
  const other = new Map<PlacedUse, PlacedUse>();
  const take = (fits: (one: PlacedUse, two: PlacedUse) => boolean): void => {
    for (const one of before) {
      if (other.has(one)) continue;
      const index = left.findIndex((two) => fits(one, two));
      if (index >= 0) other.set(one, left.splice(index, 1)[0]);
    }
  };
  take((one, two) => labelOf(one) !== null && labelOf(one) === labelOf(two));
  take((one, two) => isDeepStrictEqual(one.options, two.options));
  // Two of different names are two things: what the one counted the other does not know.
  take((one, two) => labelOf(one) === null || labelOf(two) === null);
  const pairs: UsePair[] = before.map((one) => ({ before: one, after: other.get(one) ?? null }));
  return [...pairs, ...left.map((two) => ({ before: null, after: two }))];
}

/** The name that a file gives to a use; null where it gives none. */
export function labelOf({ options }: PolicyUse): string | null {
  const name = typeof options === 'object' && options !== null && 'name' in options ? options.name : null;
  return typeof name === 'string' ? name : null;
}
