/** What would happen to a connection whose bytes are only relayed, told by the router and the balancer that serve. */
import { didYouMean, nearest } from '../base/nearest.ts';
import { inSlices } from '../base/slices.ts';
import type { GatewayConfig, ListenerConfig } from '../config/model.ts';
import type { Policy } from '../pipeline/policy.ts';
import { explainSnapshot, unmatched } from './explain-snapshot.ts';
import type { ConnectionError, Explanation } from './explanation.ts';
import type { CompiledRoute } from './snapshot.ts';

/** A connection that is only told of. */
export interface ExplainConnection {
  /** Where it comes in; by default the one listener that could take it. */
  readonly listener?: string | undefined;
  /** What the client asks for by SNI, as `parseServerName` gives it; absent where it names none. */
  readonly sni?: string | undefined;
  readonly clientAddress?: string | undefined;
}

/** Why there is no explanation: which of the two was wrong, and how. */
export interface ExplainFault {
  readonly part: 'listener' | 'sni';
  readonly fault: string;
}

/** RFC 6066 section 3: ASCII, at most what a vector of the gateway's reader takes. */
const SERVER_NAME = /^[\x21-\x7e]{1,255}$/;

/** A name as SNI carries it, in lower case; null for what a ClientHello cannot hold. */
export function parseServerName(text: string): string | null {
  return SERVER_NAME.test(text) ? text.toLowerCase() : null;
}

/**
 * Explains one connection against a config. Nobody is connected to; health and turns of a running gateway play no part.
 * However many routes there are, other work has its turn meanwhile.
 */
export async function explainConnection(
  config: GatewayConfig,
  connection: ExplainConnection,
  policies: ReadonlyMap<string, Policy>,
): Promise<Explanation | ExplainFault> {
  const listener = rawListenerFor(config, connection);
  if ('fault' in listener) return listener;
  const { sni = '', clientAddress = '127.0.0.1' } = connection;
  const { snapshot } = await inSlices(explainSnapshot(config, policies, { onSend: () => {}, onReason: () => {} }));
  const { name, mode } = listener;
  const route = snapshot.routes[snapshot.rawRouter.match(name, sni)] ?? null;
  const service = route?.service ?? null;
  const chosen = service?.pick({ clientAddress }, null) ?? null;
  const proxyProtocol = service?.config.proxyProtocol;
  const candidates = await inSlices(snapshot.rawRouter.explain(name, sni));
  snapshot.retire();
  return {
    route: route?.name ?? null,
    candidates: [...candidates, ...unmatched(snapshot)],
    policies: [],
    service: route === null || route.serviceName === '' ? null : route.serviceName,
    endpoints: (service?.endpoints ?? []).map((endpoint) => {
      const { id, url, weight } = endpoint;
      return { id, url, weight, chosen: endpoint === chosen };
    }),
    request: null,
    answer: null,
    connection: {
      listener: name,
      protocol: mode === 'tcp' ? 'TCP' : 'TLS',
      sni,
      ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
      error: errorOf(route, chosen !== null),
    },
    ...(typeof route?.quarantined === 'string' ? { quarantined: route.quarantined } : {}),
  };
}

/** As the connection itself would find it, whose endpoints are all taken to be healthy. */
function errorOf(route: CompiledRoute | null, hasEndpoint: boolean): ConnectionError | null {
  if (route === null) return 'route_not_found';
  if (route.quarantined !== null) return 'route_quarantined';
  return hasEndpoint ? null : 'no_healthy_endpoint';
}

/** The listener at which the connection comes in, which must relay, and read a name where one is given. */
function rawListenerFor(
  { listeners }: GatewayConfig,
  { listener, sni }: ExplainConnection,
): ListenerConfig | ExplainFault {
  const part = 'listener';
  if (listener === undefined) {
    const likely = listeners.filter(({ mode }) => mode === 'tls-passthrough');
    if (likely.length === 1) return likely[0];
    const which =
      likely.length === 0 ? 'none reads a server name' : `one of ${likely.map(({ name }) => name).join(', ')}`;
    return { part, fault: `must be given: ${which}` };
  }
  const found = listeners.find(({ name }) => name === listener);
  if (found === undefined) {
    const near = nearest(
      listener,
      listeners.filter(({ mode }) => mode !== 'http').map(({ name }) => name),
    );
    return { part, fault: `there is no listener ${JSON.stringify(listener)}${didYouMean(near)}` };
  }
  if (found.mode === 'http') return { part, fault: `${listener} serves requests: ask with a URL` };
  if (found.mode === 'tcp' && sni !== undefined)
    return { part: 'sni', fault: `${listener} is of mode tcp, and reads no server name` };
  return found;
}
