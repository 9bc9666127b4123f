/** nginx's smooth weighted rotation over `Endpoint.turn`: exact by weight over a cycle, and never in clumps. */
import type { Endpoint } from '../endpoint.ts';

/**
 * Brings the accounts of a changed set of candidates back into its own bounds: what was owed in a set with a far greater
 * weight in it would otherwise give one endpoint everything for a long time.
 */
export function settleTurns(candidates: readonly Endpoint[]): void {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += candidates[i].weight;
  let sum = 0;
  for (let i = 0; i < candidates.length; i++) {
    const endpoint = candidates[i];
    if (endpoint.turn > total) endpoint.turn = total;
    else if (endpoint.turn < -total) endpoint.turn = -total;
    sum += endpoint.turn;
  }
  const mean = Math.round(sum / candidates.length);
  if (mean !== 0) for (let i = 0; i < candidates.length; i++) candidates[i].turn -= mean;
}
