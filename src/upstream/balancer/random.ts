/** Random by weight. */
import type { Endpoint } from '../endpoint.ts';
import { type Balancer, effectiveTried, type PickContext } from './balancer.ts';

export class Random implements Balancer {
  readonly #random: () => number;

  /** `random` gives numbers from 0 (included) to 1 (not included). */
  constructor(random: () => number) {
    this.#random = random;
  }

  pick<E extends Endpoint>(
    candidates: readonly E[],
    _context: PickContext,
    tried: readonly Endpoint[] | null,
  ): E | null {
    const avoid = tried === null ? null : effectiveTried(candidates, tried);
    let total = 0;
    for (let i = 0; i < candidates.length; i++) if (!avoid?.includes(candidates[i])) total += candidates[i].weight;
    let left = this.#random() * total;
    let last: E | null = null;
    for (let i = 0; i < candidates.length; i++) {
      if (avoid?.includes(candidates[i])) continue;
      last = candidates[i];
      left -= last.weight;
      if (left < 0) return last;
    }
    return last;
  }
}
