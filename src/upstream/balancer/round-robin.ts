/** Round robin: each candidate in turn, whatever its weight (as in Kong and Envoy; for weights there is the weighted one). */
import type { Endpoint } from '../endpoint.ts';
import { type Balancer, effectiveTried, type PickContext } from './balancer.ts';

export class RoundRobin implements Balancer {
  #next = 0;

  pick<E extends Endpoint>(
    candidates: readonly E[],
    _context: PickContext,
    tried: readonly Endpoint[] | null,
  ): E | null {
    const count = candidates.length;
    if (count === 0) return null;
    const avoid = tried === null ? null : effectiveTried(candidates, tried);
    let index = this.#next < count ? this.#next : 0;
    if (avoid !== null) while (avoid.includes(candidates[index])) index = index + 1 < count ? index + 1 : 0;
    this.#next = index + 1;
    return candidates[index];
  }
}
