/**
 * IP hash: one client, one endpoint, by weighted rendezvous hashing. An endpoint that goes away moves only its own
 * clients, and gets just these back; the order of the endpoints does not matter, nor does the process.
 */
import type { Endpoint } from '../endpoint.ts';
import { hashPair, hashText } from '../hash.ts';
import { type Balancer, effectiveTried, type PickContext } from './balancer.ts';

export class IpHash implements Balancer {
  pick<E extends Endpoint>(
    candidates: readonly E[],
    context: PickContext,
    tried: readonly Endpoint[] | null,
  ): E | null {
    const avoid = tried === null ? null : effectiveTried(candidates, tried);
    const client = hashText(context.clientAddress);
    let best: E | null = null;
    let bestScore = 0;
    for (let i = 0; i < candidates.length; i++) {
      const endpoint = candidates[i];
      if (avoid?.includes(endpoint)) continue;
      // The shortest of exponential waits with rates in the ratio of the weights comes to each by its weight.
      const score = -Math.log(hashPair(client, endpoint.hash)) / endpoint.weight;
      if (best === null || score < bestScore) {
        best = endpoint;
        bestScore = score;
      }
    }
    return best;
  }
}
