/** Weighted round robin, smooth: weights 5, 1, 1 give A A B A C A A. */
import type { Endpoint } from '../endpoint.ts';
import type { Balancer, PickContext } from './balancer.ts';
import { SmoothRotation } from './smooth-rotation.ts';

export class WeightedRoundRobin extends SmoothRotation implements Balancer {
  pick<E extends Endpoint>(
    candidates: readonly E[],
    _context: PickContext,
    tried: readonly Endpoint[] | null,
  ): E | null {
    const avoid = this.settle(candidates, tried);
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
