/** Weighted round robin, smooth: weights 5, 1, 1 give A A B A C A A. */
import type { Endpoint } from '../endpoint.ts';
import { type Balancer, effectiveTried, type PickContext } from './balancer.ts';
import { settleTurns } from './smooth-rotation.ts';

export class WeightedRoundRobin implements Balancer {
  #settled: readonly Endpoint[] | null = null;

  pick<E extends Endpoint>(
    candidates: readonly E[],
    _context: PickContext,
    tried: readonly Endpoint[] | null,
  ): E | null {
    if (candidates !== this.#settled) {
      settleTurns(candidates);
      this.#settled = candidates;
    }
    const avoid = tried === null ? null : effectiveTried(candidates, tried);
    let best: E | null = null;
    let total = 0;
    for (let i = 0; i < candidates.length; i++) {
      const endpoint = candidates[i];
      if (avoid?.includes(endpoint)) continue;
      endpoint.turn += endpoint.weight;
      total += endpoint.weight;
      if (best === null || endpoint.turn > best.turn) best = endpoint;
    }
    if (best !== null) best.turn -= total;
    return best;
  }
}
