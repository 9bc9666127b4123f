/**
 * One relayed connection, from its first byte to the account, in a straight line: (SNI) -> route -> endpoint -> connect ->
 * relay. What its bytes mean is never looked at. It is one file because it is one path.
 */
import { connect, type Socket } from 'node:net';
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Timed, type TimerWheel } from '../base/timer-wheel.ts';
import { ClientHelloReader, HELLO_COMPLETE, HELLO_NEED_MORE } from '../net/client-hello.ts';
import { type Peer, peerOf } from '../net/peer.ts';
import { writeProxyV1, writeProxyV2 } from '../net/proxy-header.ts';
import { Relay, type RelayEnd } from '../net/relay.ts';
import type { ClientLink, ConnectionFault, ListenerInfo, RawListener } from '../net/stream.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import type { AccessEntry } from '../observability/access-log.ts';
import { failureOf, type RelayMetrics, type RelayResult } from '../observability/metrics/relay-metrics.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Service } from '../upstream/service.ts';
import type { CompiledRoute, Snapshot } from './snapshot.ts';

/** What a relayed connection uses of the gateway. */
export interface RawContext {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  /** Relayed connections that are open. */
  relays: number;
  /** Of connections that no route took. */
  readonly unroutedRelays: RelayMetrics;
  newRequestId(): string;
  onConnectionFault(listener: ListenerInfo, remoteAddress: string, fault: ConnectionFault, reason: string): void;
  /** It is known whether a connection is relayed; `failed` where that is the gateway's fault. */
  onRelayOutcome(failed: boolean): void;
  /** A connection is over. */
  accountRaw(entry: AccessEntry): void;
}

/** What the access log says of each: as for requests, so that one rule finds the failures of both. */
const CODES: Readonly<Record<RelayResult, ErrorCode | ''>> = {
  completed: '',
  no_hello: 'bad_request',
  no_route: 'route_not_found',
  quarantined: 'route_quarantined',
  no_endpoint: 'no_healthy_endpoint',
  overloaded: 'overloaded',
  connect_failed: 'upstream_connect_failed',
  client_reset: 'client_closed',
  upstream_reset: 'upstream_reset',
  idle: 'upstream_timeout',
  cut: 'draining',
};

const ENDS: Readonly<Record<RelayEnd, RelayResult>> = {
  ended: 'completed',
  'client-reset': 'client_reset',
  'upstream-reset': 'upstream_reset',
  idle: 'idle',
  cut: 'cut',
};

/** How long a connection of a listener that closes may still be silent before its ClientHello, in milliseconds. */
const LAST_HELLO = 250;

const HELLO = 0;
const CONNECTING = 1;
const RELAYING = 2;
const OVER = 3;

export class RawConnection extends Timed implements ClientLink, AccessEntry {
  private readonly socket: Socket;
  private readonly listener: RawListener;
  private readonly snapshot: Snapshot;
  private readonly context: RawContext;
  private readonly onClosed: (link: ClientLink) => void;
  private readonly peer: Peer;
  private phase = HELLO;
  /** Null where no name is waited for. */
  private hello: ClientHelloReader | null;
  private received: Buffer[] = [];
  private closing = false;
  private compiled: CompiledRoute | null = null;
  private metrics: RelayMetrics;
  private chosen: Endpoint<UpstreamPoolLike> | null = null;
  private tried: Endpoint<UpstreamPoolLike>[] | null = null;
  /** Of the last endpoint that could not be had. */
  private failure: RelayResult = 'no_endpoint';
  private detail = 'the service has no endpoint that is healthy';
  private upstream: Socket | null = null;
  private relay: Relay | null = null;
  private readonly begun: number;
  private connectBegun = -1;
  // What the access log reads.
  readonly requestId: string;
  readonly method = 'TCP';
  readonly target = '';
  readonly clientAddress: string;
  readonly protocol: string;
  readonly upstreamStatus = 0;
  readonly grpcStatus = -1;
  readonly identity = null;
  readonly traceId = '';
  host = '';
  endpoint = '';
  status = 200;
  bytesIn = 0;
  bytesOut = 0;
  durationMs = 0;
  upstreamMs = -1;
  retries = 0;
  errorCode: ErrorCode | '' = '';
  private readonly onClientError = (): void => {};
  private readonly onClientClose = (): void => this.onClientGone();
  private readonly onClientData = (chunk: Buffer): void => this.takeHello(chunk);
  private readonly onClientEnd = (): void => this.failHello('the connection ended within the ClientHello');

  constructor(
    socket: Socket,
    listener: RawListener,
    snapshot: Snapshot,
    context: RawContext,
    onClosed: (link: ClientLink) => void,
  ) {
    super();
    this.socket = socket;
    this.listener = listener;
    this.snapshot = snapshot;
    this.context = context;
    this.onClosed = onClosed;
    this.peer = peerOf(socket);
    this.clientAddress = this.peer.address;
    this.hello = listener.mode === 'tls-passthrough' ? new ClientHelloReader() : null;
    this.protocol = this.hello === null ? 'TCP' : 'TLS';
    this.metrics = context.unroutedRelays;
    this.begun = context.now();
    this.requestId = context.newRequestId();
    snapshot.active++;
    context.relays++;
    socket.on('error', this.onClientError).on('close', this.onClientClose);
  }

  // 1. The name.

  begin(): void {
    const { hello, socket, context, listener } = this;
    if (hello === null) return this.chooseRoute();
    context.wheel.scheduleIn(this, listener.helloTimeout);
    socket.on('data', this.onClientData).on('end', this.onClientEnd);
    socket.resume();
  }

  private takeHello(chunk: Buffer): void {
    const hello = this.hello as ClientHelloReader;
    this.received.push(chunk);
    const result = hello.execute(chunk);
    if (result === HELLO_NEED_MORE) return;
    if (result !== HELLO_COMPLETE) return this.failHello(hello.detail);
    this.endHello();
    this.host = hello.serverName;
    this.socket.pause();
    // The endpoint is to have every byte of it.
    this.socket.unshift(this.received.length === 1 ? chunk : Buffer.concat(this.received));
    this.received = [];
    this.chooseRoute();
  }

  private endHello(): void {
    // A relay may last for days.
    this.hello = null;
    this.context.wheel.remove(this);
    this.socket.off('data', this.onClientData).off('end', this.onClientEnd);
  }

  private failHello(detail: string): void {
    const { context, listener, received, socket } = this;
    this.endHello();
    // Load balancers look whether somebody listens by connecting and leaving: that is no fault.
    if (received.length === 0 && (socket.readableEnded || this.closing)) return void socket.destroy();
    context.onConnectionFault(listener.info, this.clientAddress, 'client_hello', detail);
    this.refuse('no_hello', detail);
  }

  // 2. The route.

  private chooseRoute(): void {
    const { snapshot, listener, context, socket } = this;
    this.phase = CONNECTING;
    const index = snapshot.rawRouter.match(listener.info.name, this.host);
    if (index < 0) return this.refuse('no_route', 'no route takes the connection');
    const route = snapshot.routes[index];
    this.compiled = route;
    this.metrics = route.relays ?? context.unroutedRelays;
    this.metrics.active.value++;
    if (route.quarantined !== null) return this.refuse('quarantined', 'the route is quarantined');
    // Paused, and read all the same: a client that goes away is noticed.
    socket.pause();
    socket.read(0);
    this.choose();
  }

  // 3. The endpoint.

  private choose(): void {
    const { service } = this.compiled as CompiledRoute;
    const endpoint = service === null ? null : service.pick(this, this.tried);
    if (service === null || endpoint === null || this.tried?.includes(endpoint)) {
      return this.refuse(this.failure, this.detail);
    }
    service.onSend(endpoint);
    if (this.tried !== null) this.retries++;
    this.chosen = endpoint;
    this.endpoint = endpoint.id;
    endpoint.pool.takePlace((taken) => {
      // The client may have left meanwhile.
      if (this.chosen === endpoint) {
        if (taken) this.connect(service, endpoint);
        else {
          this.detail = 'the endpoint has as many connections as it may';
          this.failTry('overloaded', false);
        }
      } else if (taken) endpoint.pool.leavePlace();
    });
  }

  private failTry(failure: RelayResult, hasPlace: boolean): void {
    this.failure = failure;
    (this.tried ??= []).push(this.chosen as Endpoint<UpstreamPoolLike>);
    this.leaveEndpoint(hasPlace);
    this.choose();
  }

  private leaveEndpoint(hasPlace: boolean): void {
    const endpoint = this.chosen;
    if (endpoint === null) return;
    this.chosen = null;
    this.compiled?.service?.onEnd(endpoint);
    if (hasPlace) endpoint.pool.leavePlace();
  }

  // 4. The connection.

  private connect(service: Service<UpstreamPoolLike>, endpoint: Endpoint<UpstreamPoolLike>): void {
    const { context } = this;
    if (this.connectBegun < 0) this.connectBegun = context.now();
    const upstream = connect({
      host: endpoint.host,
      port: endpoint.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    });
    this.upstream = upstream;
    context.wheel.scheduleIn(this, service.config.timeouts.connect);
    this.detail = 'the endpoint took too long to connect to';
    upstream.on('error', (error: NodeJS.ErrnoException) => {
      this.detail = `connecting to the endpoint failed: ${error.code ?? error.message}`;
    });
    upstream.on('close', () => this.onConnectFailed(upstream));
    upstream.on('connect', () => this.onConnected(service, upstream));
  }

  private onConnectFailed(upstream: Socket): void {
    if (this.upstream !== upstream || this.phase !== CONNECTING) return;
    this.upstream = null;
    this.context.wheel.remove(this);
    this.compiled?.service?.onFailure(this.chosen as Endpoint<UpstreamPoolLike>, 'connect-failure');
    this.failTry('connect_failed', true);
  }

  // 5. The relay.

  private onConnected(service: Service<UpstreamPoolLike>, upstream: Socket): void {
    if (this.upstream !== upstream || this.phase !== CONNECTING) return;
    const { context, socket, peer } = this;
    const { proxyProtocol, timeouts } = service.config;
    context.wheel.remove(this);
    this.phase = RELAYING;
    // Not at its end, which may be days away: what fails does so at once, and would stand alone.
    this.metrics.relayed.value++;
    context.onRelayOutcome(false);
    service.onSuccess(this.chosen as Endpoint<UpstreamPoolLike>);
    socket.off('error', this.onClientError).off('close', this.onClientClose);
    if (proxyProtocol !== undefined) upstream.write(proxyProtocol === 'v1' ? writeProxyV1(peer) : writeProxyV2(peer));
    this.relay = new Relay(socket, upstream, {
      wheel: context.wheel,
      idleTimeout: timeouts.streamIdle,
      tallyIn: this.metrics.bytesIn,
      tallyOut: this.metrics.bytesOut,
      onEnd: (end) => {
        this.finish(ENDS[end]);
        this.onClosed(this);
      },
    });
  }

  onDeadline(): void {
    if (this.phase === HELLO) this.failHello('the ClientHello did not come in time');
    // Its `close` tells.
    else this.upstream?.destroy();
  }

  private onClientGone(): void {
    if (this.phase === HELLO && this.received.length === 0) this.leave();
    else this.finish('client_reset');
    this.onClosed(this);
  }

  private refuse(result: RelayResult, detail: string): void {
    if (this.phase === OVER) return;
    this.finish(result);
    const { logger } = this.context;
    if (logger.level === 'debug') {
      logger.debug('connection failed', {
        request_id: this.requestId,
        route: this.route,
        code: this.errorCode,
        detail,
      });
    }
    // `close` follows.
    this.socket.resetAndDestroy();
  }

  // 6. Account.

  private finish(result: RelayResult): void {
    if (this.phase === OVER) return;
    const { context, metrics, relay, upstream } = this;
    const now = context.now();
    this.leave();
    this.upstream = null;
    if (relay === null) upstream?.destroy();
    else {
      this.bytesIn = relay.bytesIn;
      this.bytesOut = relay.bytesOut;
    }
    this.leaveEndpoint(upstream !== null);
    this.errorCode = CODES[result];
    if (this.errorCode !== '') this.status = ERRORS[this.errorCode].status;
    this.durationMs = now - this.begun;
    if (this.connectBegun >= 0) this.upstreamMs = now - this.connectBegun;
    metrics.count(result);
    const failure = failureOf(result);
    if (failure !== undefined) context.onRelayOutcome(failure);
    if (this.compiled !== null) metrics.active.value--;
    context.accountRaw(this);
  }

  private leave(): void {
    const { context, snapshot } = this;
    this.phase = OVER;
    this.received = [];
    context.wheel.remove(this);
    context.relays--;
    snapshot.release();
  }

  // As its listener knows it.

  close(): void {
    // What is relayed has no end that could be waited for but its own.
    this.closing = true;
    if (this.phase === HELLO && this.received.length === 0) this.context.wheel.scheduleIn(this, LAST_HELLO);
  }

  destroy(): void {
    // The account comes first: the log may be closed before the sockets are.
    this.finish('cut');
    if (this.relay === null) this.socket.resetAndDestroy();
    else this.relay.destroy();
  }

  // What the access log reads, beside the fields.

  get route(): string {
    return this.compiled === null ? 'none' : this.compiled.name;
  }

  get service(): string {
    return this.compiled === null ? '' : this.compiled.serviceName;
  }

  userAgent(): string {
    return '';
  }

  header(): undefined {
    return undefined;
  }
}
