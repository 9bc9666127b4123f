/** The metrics of the gateway, by the names and labels of docs/reference/metrics.md, which a test holds to this file. */
import { ERRORS, type ErrorCode } from '../../base/errors.ts';
import type { EventLoopLag } from '../event-loop-lag.ts';
import { type Counted, CountedFamilies } from './counted-families.ts';
import { HistogramLayout } from './histogram.ts';
import { LIMIT_DECISIONS, retainLimits } from './limit-metrics.ts';
import { createProcessFamilies, type OtherProcesses } from './process-metrics.ts';
import { type Cell, CellFamily, createNumberFamily, MetricRegistry, type Sample, SampledFamily } from './registry.ts';
import { createRelayFamilies, RelayMetrics, retainRelays } from './relay-metrics.ts';
import { type RelayStats, relayStats } from './relay-stats.ts';
import { GRPC_LABELS, REQUEST_LABELS, ROUTE_LABELS, type RouteDelta, RouteMetrics } from './route-metrics.ts';
import { type MetricDefinition, sampleLine } from './text-format.ts';
import { Traffic, type TrafficStats } from './traffic.ts';

/** Upper limits in seconds: from a proxied answer out of a neighbour's memory to the default time limit of a service. */
export const DURATION_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** The route of requests that no route took. */
const NO_ROUTE = 'none';

/** Live numbers that are asked for on scrape. */
export interface GatewayGauges {
  /** Requests in progress. */
  activeRequests(): number;
  /** The generation that serves new requests; 0 before the first. */
  configGeneration(): number;
  endpoints(): Iterable<{ readonly service: string; readonly endpoint: string; readonly healthy: boolean }>;
  /** Upstream connections by state (`active`, `idle`, ...), summed up per service. */
  connections(): Iterable<{ readonly service: string; readonly state: string; readonly count: number }>;
  /** Open WebSockets by route, those of workers added up. */
  webSockets(): Iterable<{ readonly route: string; readonly count: number }>;
  /** Lines that the logs had to drop. */
  droppedLogLines(): number;
  /** Routes of the running generation that do not serve. */
  quarantinedRoutes(): number;
  /** Certificates that are shown to clients and to endpoints; of those with the same labels the first counts. */
  certificates(): Iterable<CertificateSample>;
}

/** A certificate of a listener or of a service, of which the other one is `''`. */
export interface CertificateSample {
  readonly listener: string;
  readonly service: string;
  /** Its first name. */
  readonly name: string;
  /** Left until it ends; below zero after it. */
  readonly seconds: number;
}

export interface GatewayMetricsDeps {
  readonly gauges: GatewayGauges;
  /** Portico's own version. */
  readonly version: string;
  readonly lag: Pick<EventLoopLag, 'worst'>;
  /** Other processes of the same gateway. */
  readonly others?: OtherProcesses;
  /** Milliseconds since the Unix epoch. */
  readonly wall: () => number;
}

/** What a process counted in a while, for the process that tells of all. */
export interface MetricsDelta {
  readonly routes: readonly RouteDelta[];
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
  readonly counted: Counted;
}

export interface RouteStats extends TrafficStats {
  readonly route: string;
  readonly service: string;
}

export interface GatewayStats {
  readonly total: TrafficStats;
  readonly routes: RouteStats[];
  readonly relays: RelayStats;
}

export interface GatewayMetrics {
  /** Where a route counts. The same object for the same names, so that counters outlive reloads. */
  routeMetrics(route: string, service: string): RouteMetrics;
  /** Where requests count that no route took. */
  readonly unrouted: RouteMetrics;
  /** Where the connections of a route count that only relays. */
  relayMetrics(route: string, service: string): RelayMetrics;
  /** Where connections count that no route took. */
  readonly unroutedRelays: RelayMetrics;
  /** Forgets the series of every route that `keeps` refuses; for after a reload, so that renamed routes do not pile up. */
  retainRoutes(keeps: (metrics: RouteMetrics) => boolean): void;
  readonly errors: { count(code: ErrorCode): void };
  readonly reloads: { count(result: 'success' | 'failure'): void };
  /** Connections of clients ended for their fault, by listener and fault. */
  readonly connectionFaults: CellFamily;
  /** Decisions of limits, by route, limit and result. */
  readonly limitDecisions: CellFamily;
  /** Processes that cannot ask the shared store of limits. */
  readonly limitStoreUnreachable: CellFamily;
  /** Requests decided without it, by the rule that did. */
  readonly limitStoreFallbacks: CellFamily;
  /** Shows the sum of the gauges that several processes have now. */
  showGauges(all: Iterable<Counted['gauges']>): void;
  /** What was counted since the last call. */
  takeDelta(): MetricsDelta;
  /** Adds what another process counted. */
  addDelta(delta: MetricsDelta): void;
  /** How requests and relayed connections fared since the counting began: all together, and each route that had any by its name. */
  stats(): GatewayStats;
  /** The page of /metrics, in pieces. */
  pieces(): Iterable<string>;
  /** The page of /metrics. */
  render(): string;
  definitions(): MetricDefinition[];
}

export function createGatewayMetrics(deps: GatewayMetricsDeps): GatewayMetrics {
  const registry = new MetricRegistry();
  const routes = new RouteTable();
  const unrouted = routes.get(NO_ROUTE, '');
  addRequestFamilies(registry, routes);
  addGaugeFamilies(registry, deps.gauges);
  addWebSocketFamilies(registry, routes, deps.gauges);
  const errors = addErrorFamily(registry);
  const reloads = addReloadFamily(registry);
  const counted = new CountedFamilies(registry);
  const connectionFaults = counted.add({
    name: 'portico_connection_faults_total',
    type: 'counter',
    help: 'Connections of clients that were ended for a fault of theirs before or beside any request.',
    labels: ['listener', 'fault'],
  });
  const relays = createRelayFamilies(counted);
  const limitDecisions = counted.add(LIMIT_DECISIONS);
  const limitStoreUnreachable = counted.add({
    name: 'portico_limit_store_unreachable',
    type: 'gauge',
    help: 'Processes of this gateway that cannot ask the store of limits that gateways share; 0 while all is well.',
    labels: [],
  });
  const limitStoreFallbacks = counted.add({
    name: 'portico_limit_store_fallbacks_total',
    type: 'counter',
    help: 'Requests whose limits were decided by `onStoreFailure`, by that rule.',
    labels: ['rule'],
  });
  for (const family of createProcessFamilies(deps.version, deps.lag, deps.wall, deps.others)) registry.add(family);
  return {
    routeMetrics: (route, service) => routes.get(route, service),
    unrouted,
    relayMetrics: (route, service) => new RelayMetrics(relays, route, service),
    unroutedRelays: new RelayMetrics(relays, NO_ROUTE, ''),
    retainRoutes(keeps) {
      retainRelays(relays, (route, service) => route === NO_ROUTE || keeps(routes.get(route, service)));
      routes.retain((metrics) => metrics === unrouted || keeps(metrics));
      retainLimits(limitDecisions, () => routes.names());
    },
    errors: { count: (code) => void (errors[code] ?? errors.internal_error).value++ },
    connectionFaults,
    limitDecisions,
    limitStoreUnreachable,
    limitStoreFallbacks,
    showGauges: (all) => counted.showGauges(all),
    takeDelta: () => ({ routes: routes.takeDelta(), errors: takeErrors(errors), counted: counted.take() }),
    addDelta(delta) {
      for (const route of delta.routes) routes.get(route.route, route.service).addDelta(route);
      for (const [code, count] of Object.entries(delta.errors)) errors[code].value += count;
      counted.addCounters(delta.counted.counters);
    },
    stats: () => ({ ...routes.stats(), relays: relayStats(relays) }),
    reloads: { count: (result) => void reloads[result].value++ },
    pieces: () => registry.pieces(),
    render: () => registry.render(),
    definitions: () => registry.definitions(),
  };
}

class RouteTable {
  readonly layout = new HistogramLayout(DURATION_BOUNDS, 1000);
  private readonly byName = new Map<string, RouteMetrics>();
  private ordered: RouteMetrics[] | null = null;

  get(route: string, service: string): RouteMetrics {
    // No name holds a line break.
    const key = `${route}\n${service}`;
    let metrics = this.byName.get(key);
    if (metrics === undefined) {
      metrics = new RouteMetrics(route, service, this.layout);
      this.byName.set(key, metrics);
      this.ordered = null;
    }
    return metrics;
  }

  retain(keeps: (metrics: RouteMetrics) => boolean): void {
    for (const [key, metrics] of this.byName) {
      if (!keeps(metrics)) this.byName.delete(key);
    }
    this.ordered = null;
  }

  names(): Set<string> {
    const names = new Set<string>();
    for (const { route } of this.byName.values()) names.add(route);
    return names;
  }

  takeDelta(): RouteDelta[] {
    const deltas: RouteDelta[] = [];
    for (const metrics of this.byName.values()) {
      const delta = metrics.takeDelta();
      if (delta !== null) deltas.push(delta);
    }
    return deltas;
  }

  stats(): { total: TrafficStats; routes: RouteStats[] } {
    const { bounds } = this.layout;
    const total = new Traffic(bounds);
    const all: RouteStats[] = [];
    for (const metrics of this.sorted()) {
      const traffic = new Traffic(bounds);
      metrics.addTo(traffic);
      metrics.addTo(total);
      const stats = traffic.read();
      if (stats.requests > 0) all.push({ route: metrics.route, service: metrics.service, ...stats });
    }
    return { total: total.read(), routes: all };
  }

  sorted(): readonly RouteMetrics[] {
    if (this.ordered === null) this.ordered = [...this.byName.values()].sort((a, b) => (a.labels < b.labels ? -1 : 1));
    return this.ordered;
  }
}

function takeErrors(cells: Record<string, Cell>): Partial<Record<ErrorCode, number>> {
  const delta: Partial<Record<ErrorCode, number>> = {};
  for (const [code, cell] of Object.entries(cells)) {
    const count = cell.takeDelta();
    if (count !== 0) delta[code as ErrorCode] = count;
  }
  return delta;
}

function addRequestFamilies(registry: MetricRegistry, routes: RouteTable): void {
  const requests: MetricDefinition = {
    name: 'http_requests_total',
    type: 'counter',
    help: 'Requests answered, or given up by the client (status 499).',
    labels: REQUEST_LABELS,
  };
  registry.add({
    definition: requests,
    *render() {
      for (const route of routes.sorted()) {
        let text = '';
        for (const series of route.sorted()) text += sampleLine(requests.name, series.labels, series.durations.count);
        if (text !== '') yield text;
      }
    },
  });
  const calls: MetricDefinition = {
    name: 'portico_grpc_requests_total',
    type: 'counter',
    help: 'Calls of gRPC and gRPC-Web that are over, by the status that the client was given (1 when it left).',
    labels: GRPC_LABELS,
  };
  registry.add({
    definition: calls,
    *render() {
      for (const route of routes.sorted()) {
        for (const [labels, count] of route.grpcSamples()) yield sampleLine(calls.name, labels, count);
      }
    },
  });
  const durations: MetricDefinition = {
    name: 'http_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the first byte of a request to the end of its answer, in seconds.',
    labels: REQUEST_LABELS,
  };
  registry.add({
    definition: durations,
    *render() {
      for (const route of routes.sorted()) {
        for (const series of route.sorted())
          yield routes.layout.render(durations.name, series.labels, series.durations);
      }
    },
  });
  const upstream: MetricDefinition = {
    name: 'portico_upstream_request_duration_seconds',
    type: 'histogram',
    help: 'The part of a request that was spent with its upstream, all tries together, in seconds.',
    labels: ROUTE_LABELS,
  };
  registry.add({
    definition: upstream,
    *render() {
      for (const route of routes.sorted()) {
        if (route.upstream !== null) yield routes.layout.render(upstream.name, route.labels, route.upstream);
      }
    },
  });
}

function addGaugeFamilies(registry: MetricRegistry, gauges: GatewayGauges): void {
  registry.add(
    createNumberFamily(
      { name: 'http_active_requests', type: 'gauge', help: 'Requests in progress.' },
      gauges.activeRequests,
    ),
  );
  registry.add(
    createNumberFamily(
      {
        name: 'portico_config_generation',
        type: 'gauge',
        help: 'The configuration generation that serves new requests.',
      },
      gauges.configGeneration,
    ),
  );
  registry.add(
    createNumberFamily(
      {
        name: 'portico_log_lines_dropped_total',
        type: 'counter',
        help: 'Log lines lost because their file or pipe did not take them.',
      },
      gauges.droppedLogLines,
    ),
  );
  registry.add(
    createNumberFamily(
      {
        name: 'portico_routes_quarantined',
        type: 'gauge',
        help: 'Routes that cannot be built and are answered 503 `route_quarantined`, or only shown.',
      },
      gauges.quarantinedRoutes,
    ),
  );
  registry.add(
    new SampledFamily(
      {
        name: 'portico_endpoint_healthy',
        type: 'gauge',
        help: '1 while the endpoint is given requests, 0 while it is marked down.',
        labels: ['service', 'endpoint'],
      },
      function* (): Generator<Sample> {
        for (const { service, endpoint, healthy } of gauges.endpoints()) {
          yield { labels: [service, endpoint], value: healthy ? 1 : 0 };
        }
      },
    ),
  );
  registry.add(
    new SampledFamily(
      {
        name: 'portico_tls_certificate_expiry_seconds',
        type: 'gauge',
        help: 'Seconds left until the certificate of a listener or of a service expires, below zero when it has.',
        labels: ['listener', 'service', 'name'],
      },
      function* (): Generator<Sample> {
        for (const { listener, service, name, seconds } of gauges.certificates()) {
          yield { labels: [listener, service, name], value: seconds };
        }
      },
    ),
  );
  registry.add(
    new SampledFamily(
      {
        name: 'portico_upstream_connections',
        type: 'gauge',
        help: 'Connections to the endpoints of a service, by state; one of HTTP/2 is active while it carries any request.',
        labels: ['service', 'state'],
      },
      function* (): Generator<Sample> {
        for (const { service, state, count } of gauges.connections()) yield { labels: [service, state], value: count };
      },
    ),
  );
}

function addWebSocketFamilies(registry: MetricRegistry, routes: RouteTable, gauges: GatewayGauges): void {
  registry.add(
    new SampledFamily(
      {
        name: 'portico_websocket_connections',
        type: 'gauge',
        help: 'Open WebSockets, and handshakes of such under way.',
        labels: ['route'],
      },
      function* (): Generator<Sample> {
        for (const { route, count } of gauges.webSockets()) yield { labels: [route], value: count };
      },
    ),
  );
  registry.add(
    new SampledFamily(
      {
        name: 'portico_websocket_closes_total',
        type: 'counter',
        help: 'WebSockets that ended, by the code of the first Close; 1006 without one, `3xxx` and `4xxx` of applications.',
        labels: ['route', 'code'],
      },
      function* (): Generator<Sample> {
        for (const { route, closes } of routes.sorted()) {
          for (const [code, cell] of closes ?? []) yield { labels: [route, code], value: cell.value };
        }
      },
    ),
  );
}

function addErrorFamily(registry: MetricRegistry): Record<string, Cell> {
  const family = new CellFamily({
    name: 'http_errors_total',
    type: 'counter',
    help: 'Requests that the gateway answered with an error of its own, by error code.',
    labels: ['error_type'],
  });
  registry.add(family);
  // Every code is there from the start, at zero: a rate over a series that appears with its first error misses that error.
  const cells: Record<string, Cell> = Object.create(null);
  for (const code of Object.keys(ERRORS)) cells[code] = family.cell(code);
  return cells;
}

function addReloadFamily(registry: MetricRegistry): Record<'success' | 'failure', Cell> {
  const family = new CellFamily({
    name: 'portico_config_reloads_total',
    type: 'counter',
    help: 'Attempts to load the configuration anew, by result: success or failure.',
    labels: ['result'],
  });
  registry.add(family);
  return { success: family.cell('success'), failure: family.cell('failure') };
}
