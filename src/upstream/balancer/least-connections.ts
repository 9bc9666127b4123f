/** Least connections: the fewest active requests for its weight; those that are equal take turns by weight. */
import type { Endpoint } from '../endpoint.ts';
import type { Balancer, PickContext } from './balancer.ts';
import { SmoothRotation } from './smooth-rotation.ts';

export class LeastConnections extends SmoothRotation implements Balancer {
  pick<E extends Endpoint>(
    candidates: readonly E[],
    _context: PickContext,
    tried: readonly Endpoint[] | null,
  ): E | null {
    const avoid = this.settle(candidates, tried);
    let least: E | null = null;
    for (let i = 0; i < candidates.length; i++) {
      const endpoint = candidates[i];
      if (avoid?.includes(endpoint)) continue;
      if (least === null || compareLoad(endpoint, least) < 0) least = endpoint;
    }
    return least === null ? null : rotateEqual(candidates, avoid, least);
  }
}

/** Compares active / weight without dividing, so that equal loads are exactly equal. */
function compareLoad(left: Endpoint, right: Endpoint): number {
  return left.active * right.weight - right.active * left.weight;
}

function rotateEqual<E extends Endpoint>(candidates: readonly E[], avoid: readonly Endpoint[] | null, least: E): E {
  let best = least;
  let total = 0;
  for (let i = 0; i < candidates.length; i++) {
    const endpoint = candidates[i];
    if (avoid?.includes(endpoint) || compareLoad(endpoint, least) !== 0) continue;
    endpoint.turn += endpoint.weight;
    total += endpoint.weight;
    if (endpoint.turn > best.turn) best = endpoint;
  }
  best.turn -= total;
  return best;
}
