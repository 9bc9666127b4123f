/** A generation that is only asked: built by the code that serves, with services that nobody is sent to and policies that ask nobody. */
import { OwnAllowance } from '../base/allowance.ts';
import { type Clock, systemClock, systemTimers } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import type { Steps } from '../base/slices.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import { HistogramLayout } from '../observability/metrics/histogram.ts';
import { LIMIT_DECISIONS } from '../observability/metrics/limit-metrics.ts';
import { CellFamily } from '../observability/metrics/registry.ts';
import { RouteMetrics } from '../observability/metrics/route-metrics.ts';
import type { ChainsDeps } from '../pipeline/chain.ts';
import type { Policy } from '../pipeline/policy.ts';
import { SharedObjects } from '../pipeline/shared-objects.ts';
import type { Candidate } from '../router/router.ts';
import { createServices } from '../upstream/create-services.ts';
import type { Service, ServiceDeps } from '../upstream/service.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { declaredKeys } from './gateway-keys.ts';
import { Snapshot } from './snapshot.ts';
import { WebSockets } from './web-sockets.ts';

/** What is told of a request that runs on such a generation. */
export interface ExplainObserver {
  /** The head that would be sent, and the endpoint that would get it. */
  onSend(head: string, endpoint: string): void;
  /** Why a policy refused; undefined where it does not say. */
  onReason(reason: string | undefined): void;
}

/** Built and live; to be retired by whoever asked. In steps: where it is asked for, requests are served. */
export function* explainSnapshot(
  config: GatewayConfig,
  policies: ReadonlyMap<string, Policy>,
  { onSend, onReason }: ExplainObserver,
): Steps<{ snapshot: Snapshot; context: ExchangeContext }> {
  const clock = { now: () => 0, wall: () => Date.now() };
  const metrics = new RouteMetrics('', '', new HistogramLayout([1], 1000));
  const services = yield* explainServices(config, clock, onSend);
  const context = explainContext(clock.now, metrics, onReason);
  const snapshot = yield* Snapshot.build(1, config, services, {
    chains: explainChains(config, policies),
    metrics: { routeMetrics: () => metrics, relayMetrics: () => null } as never,
    webSockets: context.webSockets,
  });
  for (const service of services.values()) {
    yield;
    service.commit();
  }
  return { snapshot, context };
}

function* explainServices(
  { services }: GatewayConfig,
  clock: Clock,
  onSend: ExplainObserver['onSend'],
): Steps<Map<string, Service<UpstreamPoolLike>>> {
  const deps: ServiceDeps<UpstreamPoolLike> = {
    clock,
    timers: { setTimeout: () => null, clearTimeout: () => {} },
    logger: silentLogger,
    random: () => 0,
    createPool: (endpoint) => recordingPool((head) => onSend(head, endpoint.id)),
    check: () => new Promise(() => {}),
    onHealthChange: () => {},
  };
  const built = new Map<string, Service<UpstreamPoolLike>>();
  for (const service of services) {
    yield;
    for (const [name, one] of createServices([service], null, deps)) built.set(name, one);
  }
  return built;
}

/** Routes of which the router knows nothing. */
export function unmatched({ config }: Snapshot): Candidate[] {
  return config.routes
    .filter(({ quarantined }) => quarantined?.matched === false)
    .map(({ name, quarantined }) => ({
      route: name,
      matched: false,
      reason: `quarantined, and its match is broken: ${quarantined?.reason}`,
    }));
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
  onReason: ExplainObserver['onReason'],
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
    onDisputedClient: () => {},
    onPolicyRefusal: (_exchange, { reason }) => onReason(reason),
    onError: () => {},
    account: () => {},
  };
}

/** Records the head that would be sent, and never answers. */
function recordingPool(onHead: (head: string) => void): UpstreamPoolLike {
  const connection = {
    inTurn: true,
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
