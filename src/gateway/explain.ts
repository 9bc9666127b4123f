/**
 * What would happen to a request, told by the very code that serves: a real connection, exchange, router and policy chain,
 * with a socket that leads nowhere and pools that record what would be sent.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { OwnAllowance } from '../base/allowance.ts';
import { systemClock, systemTimers } from '../base/clock.ts';
import { formatDuration } from '../base/duration.ts';
import { silentLogger } from '../base/logger.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import type { GatewayConfig } from '../config/model.ts';
import { GRPC } from '../http/grpc.ts';
import { ClientConnection } from '../net/client-connection.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import { HistogramLayout } from '../observability/metrics/histogram.ts';
import { LIMIT_DECISIONS } from '../observability/metrics/limit-metrics.ts';
import { CellFamily } from '../observability/metrics/registry.ts';
import { RouteMetrics } from '../observability/metrics/route-metrics.ts';
import type { ChainsDeps } from '../pipeline/chain.ts';
import type { Policy } from '../pipeline/policy.ts';
import { SharedObjects } from '../pipeline/shared-objects.ts';
import type { RouteQuery } from '../router/route-query.ts';
import type { Candidate } from '../router/router.ts';
import { createServices } from '../upstream/create-services.ts';
import type { Sticky } from '../upstream/sticky.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { type ExplainRequest, headOf, listenerFor } from './explain-request.ts';
import { declaredKeys } from './gateway-keys.ts';
import { grpcKindOf } from './grpc-call.ts';
import { bridgedStream } from './grpc-web-stream.ts';
import { spokenAt } from './listeners.ts';
import { routingQuery } from './routing-query.ts';
import { Snapshot } from './snapshot.ts';
import { WebSockets } from './web-sockets.ts';

/** The shape of `explain --json` (the contract's "Shapes"), with what the gateway would answer by itself. */
export interface Explanation {
  route: string | null;
  candidates: Candidate[];
  policies: { name: string; phase: string; effect: string }[];
  service: string | null;
  /** What the cookie of a sticky service does to the request; absent where there is none. */
  sticky?: string | undefined;
  endpoints: { id: string; url: string; weight: number; chosen: boolean }[];
  /** The request as the upstream would get it; null when the gateway answers. */
  request: { method: string; url: string; headers: Record<string, string | string[]> } | null;
  /** The gateway's own answer; null when an upstream is asked. */
  answer: { status: number; code: string; body: string } | null;
  /** Why a policy refused, which clients are not told; absent where none did, or where it gave no reason. */
  reason?: string;
  /** Why the route is quarantined; absent where it serves. */
  quarantined?: string;
}

/** How long a policy may take to decide, in milliseconds. */
const PATIENCE = 5000;

/** Explains one request against a config. Nothing is called, counted or looked up beyond this process. */
export async function explainRequest(
  config: GatewayConfig,
  request: ExplainRequest,
  policies: ReadonlyMap<string, Policy>,
): Promise<Explanation> {
  const sent: { head: string; endpoint: string }[] = [];
  const clock = { now: () => 0, wall: () => Date.now() };
  const decided = new Decided();
  const metrics = new RouteMetrics('', '', new HistogramLayout([1], 1000));
  const services = createServices<UpstreamPoolLike>(config.services, null, {
    clock,
    timers: { setTimeout: () => null, clearTimeout: () => {} },
    logger: silentLogger,
    random: () => 0,
    createPool: (endpoint) =>
      recordingPool((head) => {
        sent.push({ head, endpoint: endpoint.id });
        decided.settle();
      }),
    check: () => new Promise(() => {}),
    onHealthChange: () => {},
  });
  let reason: string | undefined;
  const context = explainContext(clock.now, metrics, (said) => (reason = said));
  const snapshot = Snapshot.create(1, config, services, {
    chains: explainChains(config, policies),
    metrics: { routeMetrics: () => metrics, relayMetrics: () => null } as never,
    webSockets: context.webSockets,
  });
  for (const service of services.values()) service.commit();
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
  const explanation = describe(exchange, queryOf(exchange, request), snapshot, sent, socket.written);
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

/** Policies of an explanation ask nobody: limits grant, slots are free, and of keys only those in the configuration are known. */
function explainChains(config: GatewayConfig, policies: ReadonlyMap<string, Policy>): ChainsDeps {
  const { tiers, roles, consumers } = config;
  const declared = declaredKeys(config);
  const standing = { allowed: true, resetAfter: 0, retryAfter: 0 };
  return {
    policies,
    shared: new SharedObjects(),
    services: {
      logger: silentLogger,
      clock: systemClock,
      timers: systemTimers,
      config: { tiers, roles, consumers },
      metrics: { limitDecisions: new CellFamily(LIMIT_DECISIONS) },
      http: { call: () => Promise.reject(new Error('an explanation calls nobody')) },
      state: {
        limits: () => ({
          take: (takes) => ({
            allowed: true,
            standings: takes.map(({ rule }) => ({ ...standing, remaining: rule.burst })),
            degraded: false,
          }),
        }),
        slots: { wish: () => ({ outcome: 'granted', release: () => {} }) },
        keys: { find: (id) => declared.get(id) ?? null, used: () => {} },
      },
    },
  };
}

function explainContext(
  now: () => number,
  metrics: RouteMetrics,
  onReason: (reason: string | undefined) => void,
): ExchangeContext {
  const wheel = new TimerWheel({ now, wall: now });
  return {
    now,
    wheel,
    webSockets: new WebSockets(wheel, now, () => new OwnAllowance(Number.POSITIVE_INFINITY)),
    logger: silentLogger,
    random: () => 0,
    active: 0,
    requests: new OwnAllowance(Number.POSITIVE_INFINITY),
    unrouted: metrics,
    newRequestId: () => '00000000-0000-7000-8000-000000000000',
    dateLine: () => '',
    onPolicyRefusal: (_exchange, { reason }) => onReason(reason),
    onError: () => {},
    account: () => {},
  };
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

function describe(
  exchange: Exchange | null,
  query: RouteQuery | null,
  snapshot: Snapshot,
  sent: readonly { head: string; endpoint: string }[],
  written: string,
): Explanation {
  const exchangeSeen = exchange;
  const route = snapshot.routes.find((candidate) => candidate.name === exchangeSeen?.route) ?? null;
  const first = sent.at(0);
  const endpoints = [...(route?.service?.endpoints ?? [])];
  return {
    route: route === null ? null : route.name,
    candidates:
      query === null ? [] : [...snapshot.router.explain(routingQuery(query, snapshot)), ...unmatched(snapshot)],
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

/** Routes of which the router knows nothing. */
function unmatched({ config }: Snapshot): Candidate[] {
  return config.routes
    .filter(({ quarantined }) => quarantined?.matched === false)
    .map(({ name, quarantined }) => ({
      route: name,
      matched: false,
      reason: `quarantined, and its match is broken: ${quarantined?.reason}`,
    }));
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

/** Records the head that would be sent, and never answers. */
function recordingPool(onHead: (head: string) => void): UpstreamPoolLike {
  const connection = {
    send: (_sink: unknown, _method: string, head: string) => onHead(head),
    sendUpgrade: (_sink: unknown, _method: string, head: string) => onHead(head),
    sendBody: () => true,
    endBody: () => {},
    abort: () => {},
    pause: () => {},
    resume: () => {},
  };
  return {
    acquire: () => connection,
    acquireFresh: () => connection,
    forget() {},
    takePlace() {},
    leavePlace() {},
    close() {},
    configure() {},
    yieldIdle() {},
    open: 0,
    idle: 0,
    waiting: 0,
  };
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
