/** Gathers what routers keep one by one, names and hosts, by the routes that it belongs to. */
import type { Steps } from '../base/slices.ts';

/** The entries by the index of their route, routes in the order in which their first entry comes; in steps. */
export function* byRouteOf<Entry extends { readonly index: number }>(
  entries: readonly Entry[],
): Steps<Map<number, Entry[]>> {
  const byRoute = new Map<number, Entry[]>();
  for (const entry of entries) {
    yield;
    const known = byRoute.get(entry.index);
    if (known === undefined) byRoute.set(entry.index, [entry]);
    else known.push(entry);
  }
  return byRoute;
}
