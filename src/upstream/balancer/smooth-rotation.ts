/** nginx's smooth weighted rotation over `Endpoint.turn`: exact by weight over a cycle, and never in clumps. */
import type { Endpoint } from '../endpoint.ts';

/**
 * Brings the accounts of a changed set of candidates back into its own bounds: what was owed in a set with a far greater
 * weight in it would otherwise give one endpoint everything for a long time.
 */
export function settleTurns(candidates: readonly Endpoint[]): void {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += candidates[i].weight;
  for (let i = 0; i < candidates.length; i++) {
    const endpoint = candidates[i];
    if (endpoint.turn > total) endpoint.turn = total;
    else if (endpoint.turn < -total) endpoint.turn = -total;
  }
}
