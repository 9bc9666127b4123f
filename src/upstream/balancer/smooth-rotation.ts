/** nginx's smooth weighted rotation over `Endpoint.turn`: exact by weight over a cycle, and never in clumps. */
import type { Endpoint } from '../endpoint.ts';
import { effectiveTried } from './balancer.ts';

/** What balancers that keep such accounts have in common. */
export class SmoothRotation {
  #settled: readonly Endpoint[] | null = null;

  /** Before each pick: sees to the accounts where the candidates changed, and answers which of them to avoid. */
  protected settle(candidates: readonly Endpoint[], tried: readonly Endpoint[] | null): readonly Endpoint[] | null {
    if (candidates !== this.#settled) {
      settleTurns(candidates);
      this.#settled = candidates;
    }
    return tried === null ? null : effectiveTried(candidates, tried);
  }
}

/**
 * Brings the accounts of a changed set of candidates back into its own bounds: what was owed in a set with a far greater
 * weight in it would otherwise give one endpoint everything for a long time.
 */
function settleTurns(candidates: readonly Endpoint[]): void {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += candidates[i].weight;
  for (let i = 0; i < candidates.length; i++) {
    const endpoint = candidates[i];
    if (endpoint.turn > total) endpoint.turn = total;
    else if (endpoint.turn < -total) endpoint.turn = -total;
  }
}
