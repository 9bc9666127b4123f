/** Whether a configuration is the running one: an equal one is no new generation. */
import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../base/slices.ts';
import type { GatewayConfig } from '../config/model.ts';

/** True when the two are equal; in steps, since most of a large configuration is its routes. */
export function* isSameConfig(one: GatewayConfig, other: GatewayConfig): Steps<boolean> {
  const { routes, ...rest } = one;
  const { routes: otherRoutes, ...otherRest } = other;
  if (routes.length !== otherRoutes.length || !isDeepStrictEqual(rest, otherRest)) return false;
  for (let index = 0; index < routes.length; index++) {
    // The very same route, where the text was the same.
    if (routes[index] === otherRoutes[index]) continue;
    yield;
    if (!isDeepStrictEqual(routes[index], otherRoutes[index])) return false;
  }
  return true;
}
