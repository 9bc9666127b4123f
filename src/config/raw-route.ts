/** Which routes take connections whose bytes are only relayed, rather than requests. */
import type { MatchConfig, RouteConfig } from './model.ts';

/** True where a route asks for what only a connection has: a listener that relays, or a name by SNI. */
export function isRawMatch({ listeners, sni }: MatchConfig): boolean {
  return listeners !== undefined || sni !== undefined;
}

export function isRawRoute({ match }: Pick<RouteConfig, 'match'>): boolean {
  return isRawMatch(match);
}
