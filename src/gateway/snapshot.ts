/** One generation: everything that a config compiles to, immutable, swapped as one reference. */
import { atOnce, type Steps } from '../base/slices.ts';
import type { GatewayConfig, RouteConfig, ServiceConfig } from '../config/model.ts';
import { isRawRoute } from '../config/raw-route.ts';
import { fieldLine } from '../http/header-edits.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import type { GatewayMetrics } from '../observability/metrics/gateway-metrics.ts';
import type { RelayMetrics } from '../observability/metrics/relay-metrics.ts';
import type { RouteMetrics } from '../observability/metrics/route-metrics.ts';
import { type Chain, Chains, type ChainsDeps } from '../pipeline/chain.ts';
import { type RawRouter, rawRouterOf } from '../router/raw-router.ts';
import { compileRewrite, type Rewrite } from '../router/rewrite.ts';
import { type Router, routerOf } from '../router/router.ts';
import { compileRetry, type RetryPlan } from '../upstream/retry.ts';
import type { Service } from '../upstream/service.ts';
import { createProxyTrust, NO_TRUST, type ProxyTrust } from './proxy-trust.ts';
import { type LateQuarantine, lateReason, quarantineChain } from './quarantine.ts';
import type { WebSockets } from './web-sockets.ts';
import type { WebSocketRoute } from './websocket-upgrade.ts';

/** An answer that a route gives by itself, made once. */
export interface StaticReply {
  readonly status: number;
  /** Field lines, `Content-Length` included. */
  readonly lines: string;
  readonly body: Buffer;
}

/** One route, compiled. */
export interface CompiledRoute {
  readonly index: number;
  readonly config: RouteConfig;
  readonly name: string;
  readonly serviceName: string;
  readonly service: Service<UpstreamPoolLike> | null;
  readonly staticReply: StaticReply | null;
  readonly rewrite: Rewrite | null;
  /** A fixed host for the upstream, or null to hand the client's on. */
  readonly host: string | null;
  /** Milliseconds for the whole request; 0 for no bound. */
  readonly timeout: number;
  /** Milliseconds from the request's last byte to the head of the answer; 0 for no bound. */
  readonly responseTimeout: number;
  readonly retry: RetryPlan | null;
  /** True where the service speaks gRPC. */
  readonly isGrpc: boolean;
  /** Null where no WebSockets are served. */
  readonly webSocket: WebSocketRoute | null;
  readonly chain: Chain;
  readonly metrics: RouteMetrics;
  /** Of a route that relays; null of one that takes requests. */
  readonly relays: RelayMetrics | null;
  /** Why it could not be built, in which case its chain refuses; null where it serves. */
  readonly quarantined: string | null;
}

const EVERYWHERE = { scope: 'gateway', name: '' } as const;

export interface SnapshotDeps {
  readonly chains: ChainsDeps;
  readonly metrics: GatewayMetrics;
  readonly webSockets: WebSockets;
}

/** What a snapshot is made of. */
interface SnapshotParts {
  readonly generation: number;
  readonly config: GatewayConfig;
  readonly services: ReadonlyMap<string, Service<UpstreamPoolLike>>;
  readonly router: Router;
  readonly rawRouter: RawRouter;
  readonly routes: readonly CompiledRoute[];
  readonly counted: ReadonlySet<RouteMetrics>;
  readonly answersPreflights: boolean;
  readonly late: readonly LateQuarantine[];
  readonly globalChain: Chain;
  readonly chains: Chains;
}

export class Snapshot {
  readonly generation: number;
  readonly config: GatewayConfig;
  readonly router: Router;
  readonly rawRouter: RawRouter;
  readonly routes: readonly CompiledRoute[];
  /** What its routes are counted in. */
  readonly counted: ReadonlySet<RouteMetrics>;
  readonly services: ReadonlyMap<string, Service<UpstreamPoolLike>>;
  private readonly trusted: ReadonlyMap<string, ProxyTrust>;
  /** Names of listeners whose clients' certificates upstreams are told of. */
  private readonly forwarding: ReadonlySet<string>;
  /** The policies that apply where no route was found: the global ones. */
  readonly globalChain: Chain;
  private readonly chains: Chains;
  /** Lower-case names of request headers that policies of this generation set, beside the usual ones; null where there are none. */
  readonly ownHeaders: ReadonlySet<string> | null;
  /** Names of headers, query parameters and cookies that hold credentials. */
  readonly secretNames: readonly string[];
  /** True where a route answers CORS preflights. */
  readonly answersPreflights: boolean;
  /** Routes that config found sound and that could not be built all the same. */
  readonly late: readonly LateQuarantine[];
  /** Requests that began on this generation and are not over. */
  active = 0;
  private retired = false;

  private constructor(parts: SnapshotParts) {
    const { generation, config, services, router, rawRouter, routes, late, globalChain, chains } = parts;
    this.generation = generation;
    this.config = config;
    this.services = services;
    this.router = router;
    this.rawRouter = rawRouter;
    this.routes = routes;
    this.counted = parts.counted;
    this.trusted = new Map(config.listeners.map((l) => [l.name, createProxyTrust(l)]));
    this.forwarding = new Set(
      config.listeners.filter(({ tls }) => tls?.clientCertificates?.forward).map(({ name }) => name),
    );
    this.globalChain = globalChain;
    this.chains = chains;
    this.secretNames = [...chains.secretNames].sort();
    this.ownHeaders = chains.ownHeaders.size === 0 ? null : withHyphens(chains.ownHeaders);
    this.answersPreflights = parts.answersPreflights;
    this.late = late;
  }

  /** Compiles a config. `services` are built and not yet live. */
  static create(
    generation: number,
    config: GatewayConfig,
    services: ReadonlyMap<string, Service<UpstreamPoolLike>>,
    deps: SnapshotDeps,
  ): Snapshot {
    return atOnce(Snapshot.build(generation, config, services, deps));
  }

  /** `create`, in steps. */
  static *build(
    generation: number,
    config: GatewayConfig,
    services: ReadonlyMap<string, Service<UpstreamPoolLike>>,
    deps: SnapshotDeps,
  ): Steps<Snapshot> {
    const router = yield* routerOf(config.routes);
    const rawRouter = yield* rawRouterOf(config.routes);
    const chains = new Chains(deps.chains);
    const routes: CompiledRoute[] = [];
    const counted = new Set<RouteMetrics>();
    const late: LateQuarantine[] = [];
    let globalChain: Chain;
    let answersPreflights: boolean;
    try {
      globalChain = chains.compile([{ place: EVERYWHERE, uses: config.policies }]);
      answersPreflights = globalChain.preflight !== null;
      for (const [index, route] of config.routes.entries()) {
        yield;
        const compiled = buildRoute(route, index, { config, services, globalChain, chains }, deps);
        routes.push(compiled);
        counted.add(compiled.metrics);
        answersPreflights ||= compiled.chain.preflight !== null;
        const { name, quarantined: reason } = compiled;
        if (reason !== null && route.quarantined === undefined) late.push({ name, reason });
      }
    } catch (error) {
      chains.close();
      throw error;
    }
    const compiled = { router, rawRouter, routes, counted, answersPreflights, globalChain, chains };
    return new Snapshot({ generation, config, services, late, ...compiled });
  }

  /** Whose forwarding fields are believed on a listener; nobody's on one that this generation no longer has. */
  proxyTrust(listener: string): ProxyTrust {
    return this.trusted.get(listener) ?? NO_TRUST;
  }

  forwardsCertificates(listener: string): boolean {
    return this.forwarding.has(listener);
  }

  /** Called when another generation took its place: it closes with its last request. */
  retire(): void {
    this.retired = true;
    if (this.active === 0) this.close();
  }

  /** One request is over. */
  release(): void {
    this.active--;
    if (this.retired && this.active === 0) this.close();
  }

  private close(): void {
    for (const service of this.services.values()) service.close();
    this.closeChains();
  }

  /** For one that was never live: its services are not closed. */
  closeChains(): void {
    this.chains.close();
  }
}

/** Each also as `isListed` looks for it. */
function withHyphens(names: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...names].flatMap((name) => [name, name.replaceAll('_', '-')]));
}

/** The route, or what stands in its place where it is or must be quarantined. */
function buildRoute(
  config: RouteConfig,
  index: number,
  snapshot: Pick<SnapshotParts, 'config' | 'services' | 'globalChain' | 'chains'>,
  deps: SnapshotDeps,
): CompiledRoute {
  const known = config.quarantined?.reason;
  if (known !== undefined) return quarantinedRoute(config, index, known, snapshot.globalChain, deps);
  try {
    return compileRoute(config, index, snapshot, deps);
  } catch (error) {
    const reason = lateReason(error, config, snapshot.config);
    if (reason === null) throw error;
    return quarantinedRoute(config, index, reason, snapshot.globalChain, deps);
  }
}

function quarantinedRoute(
  config: RouteConfig,
  index: number,
  reason: string,
  globalChain: Chain,
  deps: SnapshotDeps,
): CompiledRoute {
  return {
    index,
    config,
    name: config.name,
    serviceName: config.service ?? '',
    service: null,
    staticReply: null,
    rewrite: null,
    host: null,
    timeout: 0,
    responseTimeout: 0,
    retry: null,
    isGrpc: false,
    webSocket: null,
    chain: quarantineChain(globalChain),
    metrics: deps.metrics.routeMetrics(config.name, config.service ?? ''),
    relays: relaysOf(config, deps),
    quarantined: reason,
  };
}

function compileRoute(
  config: RouteConfig,
  index: number,
  { config: gateway, services, chains }: Pick<SnapshotParts, 'config' | 'services' | 'chains'>,
  deps: SnapshotDeps,
): CompiledRoute {
  const service = config.service === undefined ? null : (services.get(config.service) ?? null);
  const serviceConfig: ServiceConfig | null = service === null ? null : service.config;
  const rewrite = compileRewrite(config);
  const scopes = [
    { place: EVERYWHERE, uses: gateway.policies },
    { place: { scope: 'service', name: config.service ?? '' }, uses: serviceConfig?.policies ?? [] },
    { place: { scope: 'route', name: config.name }, uses: config.policies },
  ] as const;
  return {
    index,
    config,
    name: config.name,
    serviceName: config.service ?? '',
    service,
    staticReply: compileStaticReply(config),
    rewrite,
    host: config.rewrite?.host ?? null,
    timeout: config.timeout ?? 0,
    responseTimeout: serviceConfig?.timeouts.response ?? 0,
    retry: compileRetry(config.retry),
    isGrpc: serviceConfig?.protocol === 'grpc' || serviceConfig?.protocol === 'grpcs',
    webSocket: compileWebSocket(config, deps),
    chain: chains.compile(scopes),
    metrics: deps.metrics.routeMetrics(config.name, config.service ?? ''),
    relays: relaysOf(config, deps),
    quarantined: null,
  };
}

function relaysOf(config: RouteConfig, { metrics }: SnapshotDeps): RelayMetrics | null {
  return isRawRoute(config) ? metrics.relayMetrics(config.name, config.service ?? '') : null;
}

function compileWebSocket(
  { name, service, websocket }: RouteConfig,
  { webSockets }: SnapshotDeps,
): WebSocketRoute | null {
  if (websocket === undefined || service === undefined) return null;
  const { idleTimeout, maxMessage } = websocket;
  return { idleTimeout, maxMessage, sockets: webSockets.ofRoute(name) };
}

function compileStaticReply(config: RouteConfig): StaticReply | null {
  if (config.respond === undefined) return null;
  const body = Buffer.from(config.respond.body);
  let lines = '';
  for (const [name, value] of Object.entries(config.respond.headers)) {
    // Written for every answer, with values of its own.
    if (!/^(?:date|x-request-id)$/i.test(name)) lines += fieldLine(name, value);
  }
  const { status } = config.respond;
  // RFC 9110 section 8.6: no Content-Length in 1xx and 204.
  if (status !== 204 && status >= 200) lines += `Content-Length: ${body.length}\r\n`;
  return { status, lines, body };
}
