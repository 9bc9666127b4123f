/**
 * The composition root: one running gateway, its generations, and the way it starts, changes and stops.
 *
 * Longer than a room should be: here all the others meet, and what it asks of them is best read in one place.
 */

import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { type Allowance, OwnAllowance } from '../base/allowance.ts';
import type { Clock, Timers } from '../base/clock.ts';
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import type { Inheritance, InheritedSocket } from '../base/inherited.ts';
import type { Logger } from '../base/logger.ts';
import { inSlices, nextTurn } from '../base/slices.ts';
import { createStartSecret } from '../base/start-secret.ts';
import { type TicketLegacy, TicketSeed } from '../base/ticket-seed.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { Turns } from '../base/turns.ts';
import type { GatewayConfig } from '../config/model.ts';
import { isGrpcFault } from '../http/grpc.ts';
import { KeepAliveHttpClient } from '../net/http-client.ts';
import type {
  ClientLink,
  ClientStream,
  ConnectionFault,
  ListenerInfo,
  RawHandler,
  RawListener,
  RequestHandler,
} from '../net/stream.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import {
  type AccessEntry,
  type AccessLog,
  type AccessLogOptions,
  createAccessLog,
} from '../observability/access-log.ts';
import { createEventLoopLag, type EventLoopLag } from '../observability/event-loop-lag.ts';
import type { Emit } from '../observability/events.ts';
import { HealthWindow } from '../observability/health-window.ts';
import { LineRate } from '../observability/line-rate.ts';
import { createGatewayMetrics, type GatewayMetrics } from '../observability/metrics/gateway-metrics.ts';
import type { RelayMetrics } from '../observability/metrics/relay-metrics.ts';
import type { RouteMetrics } from '../observability/metrics/route-metrics.ts';
import { createRequestIdSource } from '../observability/request-id.ts';
import type { ChainsDeps } from '../pipeline/chain.ts';
import type { Policy, PolicyExchange, Reply } from '../pipeline/policy.ts';
import { SharedObjects } from '../pipeline/shared-objects.ts';
import type { Service } from '../upstream/service.ts';
import { Audit } from './audit.ts';
import { CertificateExpiry } from './certificate-expiry.ts';
import { DateHeader } from './date-header.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import type { GatewayState, PreparedState } from './gateway-state.ts';
import { bridgedStream } from './grpc-web-stream.ts';
import { createStoreObserver } from './limit-stores.ts';
import { Listeners, type PreparedListeners } from './listeners.ts';
import { OwnState } from './own-state.ts';
import { type LateQuarantine, logQuarantined, routeState } from './quarantine.ts';
import { RawConnection, type RawContext } from './raw-connection.ts';
import { isSameConfig } from './same-config.ts';
import { ServiceBuilder } from './service-builder.ts';
import { connectionSamples, endpointSamples } from './service-samples.ts';
import { Snapshot } from './snapshot.ts';
import { listenerKey, REQUESTS_KEY, type Team, webSocketsKey } from './team.ts';
import { WebSockets } from './web-sockets.ts';

/** What the access log has to write its last lines when the shutdown's time is used up, in milliseconds. */
const LAST_LINES = 1000;

/** Lines a second about connections that were refused: who is attacked must not be made to write. */
const FAULT_LINES = 5;

/** Lines a second about clients of whom a proxy says two things: each of its requests may be one. */
const DISPUTE_LINES = 1;

export interface GatewayDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly policies: ReadonlyMap<string, Policy>;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly version: string;
  /** That of the process whose place this one takes; without it a new one is made. */
  readonly secret?: Uint8Array;
  /** Of the same process: what TLS session tickets are sealed by. */
  readonly tickets?: TicketLegacy;
  /** Where policies' state is kept; without it in this process. */
  readonly state?: GatewayState;
  /** What differs in a process that is one of several; without it the gateway is alone. */
  readonly team?: Team;
  /** Addresses from the process whose place this one takes. */
  readonly inherited?: Inheritance;
  /** Told of generations that go live and of endpoints that go down and come up. Not in one of several processes. */
  readonly emit?: Emit;
}

export interface ApplyOptions {
  /** A new generation also when the configuration equals the running one. */
  readonly force?: boolean;
  /** The new generation's number is greater than this. */
  readonly after?: number;
  /** How many processes there are to be from then on, where several carry the traffic; by default as many as there are. */
  readonly workers?: number;
}

/** A generation that is built and not live. One of the two is called, once. */
export interface Prepared {
  /** Routes that could not be built and are quarantined, beside those that were so in the configuration. */
  readonly quarantined: readonly LateQuarantine[];
  /** Makes it the running one. Cannot fail. */
  commit(): void;
  /** Gives it up: nothing has changed. */
  discard(): void;
}

export class Gateway implements RequestHandler, RawHandler, ExchangeContext, RawContext {
  readonly now: () => number;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  readonly random: () => number;
  readonly unrouted: RouteMetrics;
  readonly unroutedRelays: RelayMetrics;
  readonly newRequestId: () => string;
  readonly metrics: GatewayMetrics;
  readonly webSockets: WebSockets;
  active = 0;
  relays = 0;
  /** Keys of this start are made from it; in one of several processes it is the leading one's. */
  secret: Uint8Array;
  /** Of TLS session tickets; in one of several processes it follows the leading one's. */
  readonly ticketSeed: TicketSeed;
  requests: Allowance = new OwnAllowance(0);
  /** `starting`, `running`, `draining` (still serving), `stopped`. */
  state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting';
  private readonly deps: GatewayDeps;
  private readonly date: DateHeader;
  private readonly lag: EventLoopLag;
  private readonly window: HealthWindow;
  private readonly certificates: CertificateExpiry;
  private readonly listeners: Listeners;
  private readonly serviceBuilder: ServiceBuilder;
  private readonly policyState: GatewayState;
  private readonly http = new KeepAliveHttpClient();
  private readonly shared = new SharedObjects();
  private snapshot: Snapshot | null = null;
  private readonly faultLines = new LineRate(FAULT_LINES);
  private readonly disputeLines = new LineRate(DISPUTE_LINES);
  private readonly turns = new Turns();
  private accessLog: AccessLog | null = null;
  readonly audit: Audit;
  private droppedLines = 0;

  constructor(deps: GatewayDeps) {
    this.deps = deps;
    this.secret = deps.secret ?? createStartSecret();
    this.now = () => deps.clock.now();
    this.wheel = new TimerWheel(deps.clock);
    this.logger = deps.logger;
    this.random = deps.random;
    this.date = new DateHeader(deps.clock);
    this.newRequestId = createRequestIdSource(deps.clock);
    this.lag = createEventLoopLag(deps.clock, deps.timers);
    this.window = new HealthWindow(deps.clock);
    this.certificates = new CertificateExpiry(deps);
    this.audit = new Audit(deps);
    this.policyState = deps.state ?? new OwnState(deps);
    this.ticketSeed = new TicketSeed(deps, () => this.listeners.sealTickets());
    if (deps.team === undefined) this.ticketSeed.lead();
    const { team } = deps;
    const share =
      team === undefined ? null : (key: string, inUse: () => number): Allowance => team.allowance(key, inUse, () => {});
    this.listeners = new Listeners({
      handler: this,
      wheel: this.wheel,
      sockets: deps.team?.sockets ?? 'own',
      shareConnections: share === null ? null : (listener, inUse) => share(listenerKey(listener), inUse),
      ticketKeysOf: (listener) => this.ticketSeed.keysOf(listener),
      inherited: deps.inherited,
    });
    this.webSockets = new WebSockets(
      this.wheel,
      this.now,
      share === null ? null : (route, inUse) => share(webSocketsKey(route), inUse),
    );
    this.serviceBuilder = new ServiceBuilder({
      clock: deps.clock,
      timers: deps.timers,
      logger: deps.logger,
      random: deps.random,
      wheel: this.wheel,
      now: this.now,
      secret: () => this.secret,
      team,
      emit: deps.emit,
    });
    this.metrics = createGatewayMetrics({
      gauges: {
        activeRequests: () => this.active,
        configGeneration: () => this.generation,
        endpoints: () => endpointSamples(this.services),
        connections: () => connectionSamples(this.services),
        webSockets: () => this.webSockets.samples(),
        droppedLogLines: () => this.droppedLogLines,
        quarantinedRoutes: () => this.snapshot?.routes.filter(({ quarantined }) => quarantined !== null).length ?? 0,
        certificates: () => this.certificates.samples(),
      },
      version: deps.version,
      lag: this.lag,
      wall: deps.clock.wall,
    });
    this.policyState.observe(createStoreObserver(this.metrics));
    this.unrouted = this.metrics.unrouted;
    this.unroutedRelays = this.metrics.unroutedRelays;
    if (share !== null) this.requests = share(REQUESTS_KEY, () => this.active);
  }

  /** The generation that serves new requests; 0 before the first. */
  get generation(): number {
    return this.snapshot === null ? 0 : this.snapshot.generation;
  }

  private get services(): Iterable<Service<UpstreamPoolLike>> {
    return this.snapshot?.services.values() ?? [];
  }

  get current(): Snapshot | null {
    return this.snapshot;
  }

  get addresses(): { name: string; host: string; port: number }[] {
    return this.listeners.addresses;
  }

  /** Connections of clients, over all listeners. */
  get connections(): number {
    return this.listeners.connections;
  }

  /** Lines that the access logs had to drop. */
  get droppedLogLines(): number {
    return this.droppedLines + (this.accessLog?.dropped ?? 0);
  }

  /** How late the event loop ran, at worst, in the last ten seconds; in milliseconds. */
  get lagMs(): number {
    return this.lag.worst();
  }

  get health(): HealthWindow {
    return this.window;
  }

  /**
   * Makes `config` the running one: builds it beside what runs, opens new listeners and logs, and then swaps. Rejects with
   * the reason, and has changed nothing, when it cannot be built, an address cannot be had, or the gateway is stopping.
   * Answers false, and does nothing, when it equals the running one, unless there is a route to be built anew. Calls made
   * meanwhile wait their turn.
   */
  apply(config: GatewayConfig, options: ApplyOptions = {}): Promise<boolean> {
    return this.turns.take(() => this.applyNow(config, options));
  }

  private async applyNow(config: GatewayConfig, { force = false, after = 0 }: ApplyOptions): Promise<boolean> {
    this.refuseWhenStopping();
    const same = !force && this.snapshot !== null && (await inSlices(isSameConfig(this.snapshot.config, config)));
    // What kept a route from being built may stand outside the configuration.
    if (same && this.snapshot?.late.length === 0) return false;
    (await this.prepare(config, Math.max(this.generation, after) + 1)).commit();
    return true;
  }

  /**
   * Builds `config` beside what runs, and opens its listeners and logs. Rejects with the reason, with nothing left open,
   * when that cannot be done. Whoever calls it sees to it that one is prepared at a time; `apply` does all that.
   */
  async prepare(config: GatewayConfig, generation = this.generation + 1): Promise<Prepared> {
    const previous = this.snapshot;
    const services = this.serviceBuilder.build(config.services, previous?.services ?? null);
    await nextTurn();
    let built: Snapshot | null = null;
    let listeners: PreparedListeners | null = null;
    let state: PreparedState | null = null;
    let audit: PreparedState | null = null;
    let accessLog = this.accessLog;
    const discard = (): void => {
      built?.closeChains();
      state?.discard();
      audit?.discard();
      for (const service of services.values()) service.close();
      for (const listener of listeners?.opened ?? []) listener.destroy();
      if (accessLog !== this.accessLog) void accessLog?.close();
    };
    try {
      state = await this.policyState.prepare(config);
      built = await inSlices(
        Snapshot.build(generation, config, services, {
          chains: this.chainsDeps(config),
          metrics: this.metrics,
          webSockets: this.webSockets,
        }),
      );
      listeners = await this.listeners.prepare(config.listeners);
      // The swap has a turn of its own.
      await nextTurn();
      this.refuseWhenStopping();
      const wanted = accessOptionsOf(built);
      if (!isDeepStrictEqual(previous === null ? null : accessOptionsOf(previous), wanted))
        accessLog = this.openAccessLog(wanted);
      audit = this.audit.prepare(config);
    } catch (error) {
      discard();
      throw error;
    }
    const snapshot = built;
    const prepared = listeners;
    const preparedState = state;
    const preparedAudit = audit;
    return {
      quarantined: snapshot.late,
      discard,
      commit: () => {
        preparedState.commit();
        preparedAudit.commit();
        this.swap(snapshot, services, prepared, accessLog);
        previous?.retire();
      },
    };
  }

  /** What policies are made with. */
  private chainsDeps({ tiers, roles, consumers }: GatewayConfig): ChainsDeps {
    const { logger, http, policyState, shared } = this;
    const { clock, timers, policies } = this.deps;
    const config = { tiers, roles, consumers };
    const services = { logger, clock, timers, config, http, state: policyState, metrics: this.metrics };
    return { policies, shared, services };
  }

  private refuseWhenStopping(): void {
    if (this.state === 'draining' || this.state === 'stopped') throw new Error('the gateway is stopping');
  }

  /** Nothing in here may fail: what could was done before. */
  private swap(
    snapshot: Snapshot,
    services: ReadonlyMap<string, Service<UpstreamPoolLike>>,
    listeners: PreparedListeners,
    accessLog: AccessLog | null,
  ): void {
    const { config } = snapshot;
    for (const service of services.values()) service.commit();
    const oldLog = this.accessLog;
    if (oldLog !== accessLog) {
      this.accessLog = accessLog;
      if (oldLog !== null) void oldLog.close().then(() => (this.droppedLines += oldLog.dropped));
    }
    this.logger.level = config.logging.level;
    if (this.deps.team === undefined) this.requests = new OwnAllowance(config.limits.concurrentRequests);
    this.snapshot = snapshot;
    this.webSockets.commit(config.routes);
    this.listeners.swap(config.listeners, listeners);
    this.metrics.retainRoutes((metrics) => snapshot.counted.has(metrics));
    for (const listener of listeners.opened) listener.release();
    if (this.state === 'starting') this.state = 'running';
    // Of several processes one tells.
    if (this.deps.team === undefined) {
      this.certificates.follow(config);
      logQuarantined(
        this.logger,
        snapshot.routes.map(({ name, quarantined }) => routeState(name, quarantined)),
      );
    }
    this.deps.emit?.({ type: 'config', result: 'applied', generation: snapshot.generation });
  }

  /** What a successor needs to go on with the addresses of this gateway. */
  get inheritance(): InheritedSocket[] {
    return this.listeners.inheritance;
  }

  /** Takes a client's connection that another process accepted for the listener of this name. */
  adopt(listenerName: string, socket: Socket): void {
    this.listeners.adopt(listenerName, socket);
  }

  /** Throws the system's error when the file cannot be opened. */
  private openAccessLog(options: AccessLogOptions | false): AccessLog | null {
    return options === false ? null : createAccessLog(options, { clock: this.deps.clock, logger: this.logger });
  }

  /** Settles when others can have the addresses of listeners that the last generation gave up. */
  whenClosed(): Promise<unknown> {
    return this.listeners.whenClosed();
  }

  /** Opens the access log's file anew, for log rotation. */
  reopenLogs(): void {
    this.accessLog?.reopen();
    this.audit.reopen();
  }

  // RequestHandler.

  onRequest(stream: ClientStream): void {
    // Before the first generation is live there is nobody to answer.
    if (this.snapshot === null) stream.abort();
    else new Exchange(bridgedStream(stream), this.snapshot, this).begin();
  }

  onRefused(stream: ClientStream, code: ErrorCode, detail: string): void {
    if (this.snapshot === null) stream.abort();
    else new Exchange(stream, this.snapshot, this).refuseHead(code, detail);
  }

  onConnectionFault({ name }: ListenerInfo, remoteAddress: string, fault: ConnectionFault, reason: string): void {
    this.metrics.connectionFaults.cell(name, fault).value++;
    if (this.faultLines.allows(this.now())) {
      const { suppressed } = this.faultLines;
      const fields = { listener: name, client: remoteAddress, fault, reason };
      this.logger.warn('connection refused', suppressed === 0 ? fields : { ...fields, suppressed });
    }
  }

  // RawHandler.

  onRawConnection(socket: Socket, listener: RawListener, onClosed: (link: ClientLink) => void): ClientLink {
    // Connections wait until the first generation is live.
    const connection = new RawConnection(socket, listener, this.snapshot as Snapshot, this, onClosed);
    connection.begin();
    return connection;
  }

  // RawContext.

  onRelayOutcome(failed: boolean): void {
    this.window.record(failed);
  }

  accountRaw(entry: AccessEntry): void {
    if (this.accessLog !== null) this.accessLog.record(entry);
  }

  // ExchangeContext.

  onDisputedClient({ listener, remoteAddress }: ClientStream, believed: string, other: string | null): void {
    if (!this.disputeLines.allows(this.now())) return;
    const { suppressed } = this.disputeLines;
    const said = { x_forwarded_for: believed, forwarded: other ?? 'malformed' };
    const fields = { listener: listener.name, proxy: remoteAddress, ...said };
    this.logger.warn(
      'a trusted proxy names two clients, and X-Forwarded-For is believed: say in `clientAddressFrom` of the listener which field it writes',
      suppressed === 0 ? fields : { ...fields, suppressed },
    );
  }

  dateLine(): string {
    return this.date.line();
  }

  onPolicyRefusal(exchange: PolicyExchange, reply: Reply): void {
    this.audit.recordRefusal(exchange, reply);
    if (this.logger.level !== 'debug') return;
    const { code, reason } = reply;
    // A reply with a code leaves its status to the table of errors.
    const status = code === undefined ? reply.status : ERRORS[code].status;
    const { requestId, routeName, clientAddress } = exchange;
    const fields = { request_id: requestId, route: routeName, client: clientAddress, code, status, reason };
    this.logger.debug('a policy refused the request', fields);
  }

  onError(entry: AccessEntry, code: ErrorCode, detail: string): void {
    this.metrics.errors.count(code);
    if (this.logger.level === 'debug') {
      this.logger.debug('request failed', { request_id: entry.requestId, route: entry.route, code, detail });
    }
  }

  account(entry: AccessEntry, now: number): void {
    this.window.record(entry.status >= 500 || isGrpcFault(entry.grpcStatus), now);
    if (this.accessLog !== null) this.accessLog.record(entry);
  }

  // Stopping.

  /**
   * Stops: readiness is lost at once while requests are served for `drain`; then new connections are refused and idle
   * ones closed; at `timeout`, counted from the call, the rest is cut, and the access log has a second more. WebSockets are
   * sent away over the configured drain time, also where nothing else has to wait. Answers how many requests, relayed
   * connections and WebSockets were cut.
   */
  async stop(
    drain = this.snapshot?.config.shutdown.drain ?? 0,
    timeout = this.snapshot?.config.shutdown.timeout ?? 0,
  ): Promise<number> {
    if (this.state === 'draining' || this.state === 'stopped') return 0;
    const begun = this.now();
    this.state = 'draining';
    this.drainWebSockets(timeout);
    await this.pause(Math.min(drain, timeout));
    await this.listeners.drain(timeout - (this.now() - begun));
    while (this.connections > 0 && this.now() - begun < timeout) await this.pause(20);
    const cut = this.active + this.relays + this.webSockets.size;
    this.webSockets.destroy();
    this.listeners.destroy();
    // Those that were cut end in the turns to come, and are still to be accounted for.
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    this.state = 'stopped';
    this.snapshot?.retire();
    this.certificates.close();
    this.ticketSeed.close();
    this.lag.close();
    this.http.close();
    await this.policyState.close();
    const within = Math.max(LAST_LINES, timeout - (this.now() - begun));
    await Promise.all([this.accessLog?.close(within), this.audit.close(within)]);
    return cut;
  }

  /** Sends the WebSockets away, within `within` milliseconds, ahead of `stop`; so does that by itself. */
  drainWebSockets(within: number): void {
    this.webSockets.drain(Math.min(within, this.snapshot?.config.shutdown.drain ?? 0));
  }

  /** Ends everything at once: for a start that failed half-way. */
  abandon(): void {
    this.webSockets.destroy();
    this.listeners.destroy();
    this.state = 'stopped';
    this.snapshot?.retire();
    this.certificates.close();
    this.ticketSeed.close();
    this.lag.close();
    this.http.close();
    void this.policyState.close();
    void this.accessLog?.close();
    void this.audit.close();
  }

  private pause(milliseconds: number): Promise<void> {
    // These pauses must keep the process alive, which the timers for background work do not.
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}

/** What policies say holds credentials is hidden, whatever `redact` names. */
function accessOptionsOf({ config, secretNames }: Snapshot): AccessLogOptions | false {
  const { access } = config.logging;
  return access === false ? false : { ...access, redact: [...access.redact, ...secretNames] };
}
