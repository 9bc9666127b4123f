/** Which route a CORS preflight belongs to: the one that would serve what it asks for. */
import { preflightMethod } from '../pipeline/preflight.ts';
import type { RouteQuery } from '../router/route-query.ts';
import type { Snapshot } from './snapshot.ts';

/** The request that a preflight asks for, as far as it can be known: the browser tells its method, and no field or cookie. */
function askedFor(query: RouteQuery): RouteQuery | null {
  const method = preflightMethod(query);
  if (method === null) return null;
  const { host, path, query: text } = query;
  return { method, host, path, query: text, header: (lowerName) => query.header(lowerName) };
}

/**
 * The request by which the router is to be asked about `query`. For a preflight that is the request to come, where its route
 * answers preflights; for everything else `query` itself.
 */
export function routingQuery(query: RouteQuery, { router, routes, answersPreflights }: Snapshot): RouteQuery {
  if (query.method !== 'OPTIONS' || !answersPreflights) return query;
  const asked = askedFor(query);
  if (asked === null) return query;
  const index = router.match(asked);
  return index >= 0 && routes[index].chain.preflight !== null ? asked : query;
}
