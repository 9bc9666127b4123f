/**
 * What would happen to a request, told by the very code that serves: a real connection, exchange, router and policy chain,
 * with a socket that leads nowhere and pools that record what would be sent.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { formatDuration } from '../base/duration.ts';
import { inSlices, type Steps } from '../base/slices.ts';
import type { GatewayConfig } from '../config/model.ts';
import { GRPC } from '../http/grpc.ts';
import { ClientConnection } from '../net/client-connection.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import type { Policy } from '../pipeline/policy.ts';
import type { RouteQuery } from '../router/route-query.ts';
import type { Sticky } from '../upstream/sticky.ts';
import { Exchange } from './exchange.ts';
import { type ExplainRequest, headOf, listenerFor } from './explain-request.ts';
import { explainSnapshot, unmatched } from './explain-snapshot.ts';
import type { Explanation } from './explanation.ts';
import { grpcKindOf } from './grpc-call.ts';
import { bridgedStream } from './grpc-web-stream.ts';
import { spokenAt } from './listeners.ts';
import { routingQuery } from './routing-query.ts';
import type { Snapshot } from './snapshot.ts';

/** How long a policy may take to decide, in milliseconds. */
const PATIENCE = 5000;

/**
 * Explains one request against a config. Nothing is called, counted or looked up beyond this process. However many routes
 * there are, other work has its turn meanwhile.
 */
export async function explainRequest(
  config: GatewayConfig,
  request: ExplainRequest,
  policies: ReadonlyMap<string, Policy>,
): Promise<Explanation> {
  const sent: { head: string; endpoint: string }[] = [];
  const decided = new Decided();
  let reason: string | undefined;
  const { snapshot, context } = await inSlices(
    explainSnapshot(config, policies, {
      onSend: (head, endpoint) => {
        sent.push({ head, endpoint });
        decided.settle();
      },
      onReason: (said) => (reason = said),
    }),
  );
  let exchange: Exchange | null = null;
  const socket = new NowhereSocket(request.clientAddress ?? '127.0.0.1', () => decided.settle());
  const listener = listenerFor(config, request);
  const scheme = listener.tls === undefined ? 'http' : 'https';
  const Connection = spokenAt(listener).includes('h2') ? LikelyConnection : ClientConnection;
  new Connection(socket as unknown as Socket, {
    listener: { name: listener.name, scheme, port: listener.address.port },
    handler: {
      onRequest(stream) {
        exchange = new Exchange(bridgedStream(stream), snapshot, context);
        exchange.begin();
      },
      onRefused(stream, code, detail) {
        exchange = new Exchange(stream, snapshot, context);
        exchange.refuseHead(code, detail);
      },
      onConnectionFault: () => {},
    },
    wheel: context.wheel,
    limits: {
      streams: 1,
      requestHead: listener.limits.requestHead,
      requestBody: listener.limits.requestBody,
      headTimeout: 0,
      bodyIdle: 0,
      keepAlive: 0,
    },
    onClosed: () => {},
    sharedReads: false,
  });
  socket.emit('data', Buffer.from(headOf(request), 'latin1'));
  await decided.within(PATIENCE);
  const query = queryOf(exchange, request);
  const explanation = await inSlices(describe(exchange, query, snapshot, sent, socket.written));
  if (reason !== undefined) explanation.reason = reason;
  socket.emit('close');
  snapshot.retire();
  return explanation;
}

/** Of a listener that speaks HTTP/2, too: there calls of gRPC come by that, and nobody would send them otherwise. */
class LikelyConnection extends ClientConnection {
  override get protocol(): string {
    return grpcKindOf(this) === GRPC ? 'HTTP/2.0' : super.protocol;
  }
}

/** Settles when it is known what becomes of the request. */
class Decided {
  settle: () => void = () => {};
  private readonly settled = new Promise<void>((resolve) => {
    this.settle = resolve;
  });

  within(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      void this.settled.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** What the router was asked: of a request that is answered the connection has forgotten the head. */
function queryOf(exchange: Exchange | null, request: ExplainRequest): RouteQuery | null {
  // A head that was refused was never routed.
  if (exchange === null || (exchange as Exchange).method === '') return null;
  const { method, host, path, query } = exchange as Exchange;
  const fields = new Map<string, string>();
  for (const line of headOf(request).trimEnd().split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const known = fields.get(name);
    fields.set(name, known === undefined ? value : `${known}${name === 'cookie' ? '; ' : ', '}${value}`);
  }
  return { method, host, path, query, header: (lowerName) => fields.get(lowerName) };
}

function* describe(
  exchange: Exchange | null,
  query: RouteQuery | null,
  snapshot: Snapshot,
  sent: readonly { head: string; endpoint: string }[],
  written: string,
): Steps<Explanation> {
  const exchangeSeen = exchange;
  const route = snapshot.routes.find((candidate) => candidate.name === exchangeSeen?.route) ?? null;
  const first = sent.at(0);
  const endpoints = [...(route?.service?.endpoints ?? [])];
  return {
    route: route === null ? null : route.name,
    candidates:
      query === null
        ? []
        : [...(yield* snapshot.router.explain(routingQuery(query, snapshot))), ...unmatched(snapshot)],
    policies: (route?.chain.links ?? []).map(({ name, phase, hooks }) => ({ name, phase, effect: hooks.effect })),
    service: route === null || route.serviceName === '' ? null : route.serviceName,
    ...(route?.service?.sticky ? { sticky: stickyEffect(route.service.sticky, query?.header('cookie')) } : {}),
    endpoints: endpoints.map(({ id, url, weight }) => ({ id, url, weight, chosen: id === first?.endpoint })),
    request:
      first === undefined ? null : requestOf(first.head, endpoints.find(({ id }) => id === first.endpoint)?.url ?? ''),
    answer: written === '' ? null : answerOf(written, exchangeSeen),
    ...(typeof route?.quarantined === 'string' ? { quarantined: route.quarantined } : {}),
  };
}

/** Nothing is signed here with the key of a running gateway, unless the configuration has it. */
function stickyEffect(sticky: Sticky<UpstreamPoolLike>, given: string | undefined): string {
  const { cookie, ttl, secret } = sticky.config;
  const kept = `by the cookie ${cookie} for ${formatDuration(ttl)}`;
  const { endpoint } = sticky.read(given);
  if (endpoint !== null) return `${kept}: it names ${endpoint.url}`;
  if (given === undefined || !given.includes(`${cookie}=`)) return `${kept}: the request has none and is given one`;
  if (secret === undefined) return `${kept}: only the running gateway, which has the key, can tell what it names`;
  return `${kept}: it is not valid, or names no endpoint that is left, and is replaced`;
}

function requestOf(head: string, base: string): NonNullable<Explanation['request']> {
  const [line, ...fields] = head.trimEnd().split('\r\n');
  const [method, target] = line.split(' ');
  const headers: Record<string, string | string[]> = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    const known = headers[name];
    headers[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
  }
  return { method, url: base + target, headers };
}

function answerOf(written: string, exchange: Exchange | null): NonNullable<Explanation['answer']> {
  const end = written.indexOf('\r\n\r\n');
  return { status: Number(written.slice(9, 12)), code: exchange?.errorCode ?? '', body: written.slice(end + 4) };
}

/** Takes what is written and does nothing with it. */
class NowhereSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly writableNeedDrain = false;
  written = '';

  private readonly onWrite: () => void;

  constructor(remoteAddress: string, onWrite: () => void) {
    super();
    this.onWrite = onWrite;
    this.remoteAddress = remoteAddress;
  }

  write(data: string | Buffer): boolean {
    this.written += typeof data === 'string' ? data : data.toString('latin1');
    this.onWrite();
    return true;
  }

  pause(): void {}
  resume(): void {}
  cork(): void {}
  uncork(): void {}
  end(): void {}
  destroy(): void {}
  destroySoon(): void {}
  resetAndDestroy(): void {}
}
