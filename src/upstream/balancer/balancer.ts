/** The contract of all load-balancing algorithms. */
import type { Endpoint } from '../endpoint.ts';

/** What a balancer may know of the request. */
export interface PickContext {
  /** The client's address after trusted proxies are taken off. */
  readonly clientAddress: string;
}

/**
 * Chooses one of the candidates, which have weights of at least 1. Never allocates, never changes its arguments.
 * Endpoints in `tried` are avoided while another candidate remains; when all were tried they may be used again.
 * The same array means the same candidates: who changes the set hands in a new array.
 */
export interface Balancer {
  /** Null only when there are no candidates. */
  pick<E extends Endpoint>(candidates: readonly E[], context: PickContext, tried: readonly Endpoint[] | null): E | null;
}

/** `tried` as it counts for these candidates: null when it excludes none, or would exclude all. */
export function effectiveTried(
  candidates: readonly Endpoint[],
  tried: readonly Endpoint[] | null,
): readonly Endpoint[] | null {
  if (tried === null || tried.length === 0) return null;
  for (let i = 0; i < candidates.length; i++) if (!tried.includes(candidates[i])) return tried;
  return null;
}
