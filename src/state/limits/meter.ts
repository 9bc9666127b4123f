/** What the algorithms have in common: how one rule judges, charges and describes the numbers of one key. */
import type { Standing } from './limits.ts';

/** Numbers that a meter has for each key, in an array that many keys share. */
export const CELLS = 3;

/**
 * One algorithm with the numbers of one rule. A key is `CELLS` numbers of `cells` from `at` on; all of them 0 is a key that
 * took nothing. `now` is whole milliseconds since the Unix epoch, and may be less than it was: the clock of a machine is set.
 */
export interface Meter {
  /** True where `cost` units are left. Changes nothing that a later call could tell, but for what a clock set back made senseless. */
  allows(cells: Float64Array, at: number, now: number, cost: number): boolean;
  /** Takes what was allowed at this very `now`; at least 1 unit. */
  charge(cells: Float64Array, at: number, now: number, cost: number): void;
  /** How the key stands; `allowed` is what was answered for `cost`. */
  standing(cells: Float64Array, at: number, now: number, cost: number, allowed: boolean): Standing;
  /** When the key will equal one that took nothing, if nobody takes more; in time of `now`. */
  freshAt(cells: Float64Array, at: number): number;
  /** What part of the limit is used, from 0 to 1. */
  used(cells: Float64Array, at: number, now: number): number;
  /** The key goes: what is kept of it beside its numbers goes, too. */
  forget(cells: Float64Array, at: number): void;
}

/** The greatest whole number to which sums of whole numbers are exact. */
export const MOST_EXACT = Number.MAX_SAFE_INTEGER;
