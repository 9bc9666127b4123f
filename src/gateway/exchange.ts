/**
 * One request and its answer, from the parsed head to the account: the straight line of `docs/life-of-a-request.md`,
 * top to bottom. It is one file because it is one path; what can be told apart stands beside it, and what others read of a
 * request in `exchange-facts.ts`.
 */
import { type DeadlineOwner, Deadlines } from '../base/deadlines.ts';
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import {
  GRPC,
  GRPC_STATUS,
  grpcStatusLines,
  grpcStatusOfError,
  grpcStatusOfHttp,
  trailersOnlyLines,
} from '../http/grpc.ts';
import { HeaderEdits } from '../http/header-edits.ts';
import type { ResponseParser } from '../http/response-parser.ts';
import { asksForWebSocket } from '../http/websocket-handshake.ts';
import type { ClientStream, RequestSink, UpgradeSink, UpstreamFailure } from '../net/stream.ts';
import {
  canUpgrade,
  type PoolWaiter,
  type UpgradableRequest,
  type UpstreamPoolLike,
  type UpstreamRequest,
} from '../net/upstream.ts';
import type { RelayOwner, WebSocketRelay } from '../net/websocket-relay.ts';
import { runEnd, runRequest, runResponse } from '../pipeline/chain.ts';
import type { PolicyHooks, Reply } from '../pipeline/policy.ts';
import { preflightMethod } from '../pipeline/preflight.ts';
import { normalizePath } from '../router/path.ts';
import type { Endpoint, FailureKind } from '../upstream/endpoint.ts';
import { isIdempotent, mayRetry, type RetryPlan, type TryFailure } from '../upstream/retry.ts';
import type { Service } from '../upstream/service.ts';
import type { StickyClaim } from '../upstream/sticky.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { ExchangeFacts } from './exchange-facts.ts';
import { type GrpcCall, grpcCallOf, grpcKindOf } from './grpc-call.ts';
import { GrpcWebStream } from './grpc-web-stream.ts';
import {
  informationalLines,
  isEventStream,
  ownLines,
  requestHead,
  requestTrailers,
  responseLines,
  takesTrailers,
} from './heads.ts';
import { NO_WAIT_LINE, problemBody, problemLines, waitLine } from './problem.ts';
import { ReplayBody } from './replay-body.ts';
import { routingQuery } from './routing-query.ts';
import type { CompiledRoute, Snapshot } from './snapshot.ts';
import { errorOf, refusalOf, WebSocketUpgrade } from './websocket-upgrade.ts';

/** How long an upstream may think about `Expect: 100-continue` before the body is asked for in its name, in ms. */
const CONTINUE_WAIT = 500;

/** For a method that is served nowhere. */
const SERVED_METHODS = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

/** Stale connections replaced for one request, before it is an error: several may have been closed together. */
const MAX_STALE = 3;

// Deadlines.
/** The route's `timeout`, for everything. */
const WHOLE = 0;
/** `perTryTimeout`. */
const ONE_TRY = 1;
/** The service's `timeouts.response`. */
const RESPONSE_HEAD = 2;
const CONTINUE = 3;
/** The end of the pause before the next try. */
const BACKOFF = 4;
/** The service's `timeouts.streamIdle`. */
const SILENCE = 5;
const DEADLINES = 6;

const NOTHING = Buffer.alloc(0);

/** For a request that stood behind others for as long as an answer may take. */
const OVERTIME: UpstreamFailure = {
  code: 'upstream_timeout',
  detail: 'the upstream did not answer those ahead in time',
  stale: false,
  unprocessed: true,
};

/** Nothing of the answer is on its way. */
const OPEN = 0;
/** The head of the answer is written. */
const ANSWERED = 1;
/** HTTP is over: a WebSocket is open. */
const SWITCHED = 2;
const OVER = 3;

export class Exchange extends ExchangeFacts implements RequestSink, UpgradeSink, RelayOwner, PoolWaiter, DeadlineOwner {
  private readonly context: ExchangeContext;
  private readonly deadlines: Deadlines;
  // Where it goes.
  private connection: UpstreamRequest | null = null;
  private tried: Endpoint<UpstreamPoolLike>[] | null = null;
  private waitingFor: UpstreamPoolLike | null = null;
  /** What the client's cookie says; null where the service is not sticky. */
  private claim: StickyClaim<UpstreamPoolLike> | null = null;
  /** Tries that sent something, and those that found no connection. */
  private sends = 0;
  private refusals = 0;
  private staleReplaced = 0;
  private responseFailed = false;
  // The body on its way up.
  private body: ReplayBody | null = null;
  private bodyComplete: boolean;
  private requestTrailers = '';
  private upstreamPaused = false;
  // The answer.
  private state = OPEN;
  /** Longest silence of the upstream in an answer without an end of its own, in milliseconds; 0 for every other answer. */
  private streamIdle = 0;
  /** When the last bytes of such an answer came, on the gateway's clock. */
  private heardAt = 0;
  /** The client has not taken what it was sent, and the upstream waits for it. */
  private held = false;
  private detail = '';
  // Times, on the gateway's clock.
  private sentAt = 0;
  queuedAt = 0;

  constructor(stream: ClientStream, snapshot: Snapshot, context: ExchangeContext) {
    super(stream, snapshot, context);
    this.context = context;
    this.bodyComplete = stream.bodyLength === 0;
    this.memo.deadlines ??= new Deadlines(context.wheel, DEADLINES);
    this.deadlines = this.memo.deadlines;
    this.deadlines.owner = this;
    snapshot.active++;
    context.active++;
  }

  get over(): boolean {
    return this.state === OVER;
  }

  // 1. The head is parsed: edge.

  /** Carries the request through to its upstream, or answers it. */
  begin(): void {
    const { stream, context } = this;
    stream.sink = this;
    if (context.active > context.requests.granted) {
      // Another process may have some to spare.
      stream.pauseBody();
      context.requests.ask((grown) => {
        if (this.state !== OPEN) return;
        stream.resumeBody();
        // One of this process may have left meanwhile.
        if (grown || context.active <= context.requests.granted) this.admitted();
        else this.refuse('overloaded', 'too many requests at once');
      });
    } else this.admitted();
  }

  private admitted(): void {
    if (this.hidden) return this.refuse('bad_request', 'the Forwarded field is malformed');
    if (this.path !== '*') {
      const path = normalizePath(this.path);
      if (path === null) return this.refuse('bad_request', 'the path climbs above the root or has a malformed escape');
      this.path = path;
    }
    this.chooseRoute();
  }

  /** Answers a request whose head was refused. */
  refuseHead(code: ErrorCode, detail: string): void {
    this.bodyComplete = true;
    this.refuse(code, detail, code === 'method_not_allowed' ? SERVED_METHODS : '');
  }

  // 2. Route.

  private chooseRoute(): void {
    const { snapshot } = this;
    const { router, routes } = snapshot;
    const mayBePreflight = this.method === 'OPTIONS' && snapshot.answersPreflights;
    const index = router.match(mayBePreflight ? routingQuery(this, snapshot) : this);
    if (this.stream instanceof GrpcWebStream) {
      this.bridge(this.stream, index < 0 || routes[index].isGrpc);
      // What has come of its body may be nothing that can be bridged.
      if (this.state !== OPEN) return;
    }
    if (mayBePreflight && preflightMethod(this) !== null) {
      const { preflight } = index < 0 ? snapshot.globalChain : routes[index].chain;
      if (preflight !== null) return this.answerPreflight(preflight, index);
    }
    if (index < 0) {
      const allowed = router.allowed(this);
      if (allowed.length === 0) return this.refuse('route_not_found', 'no route matches the request');
      const allow = allowed.join(', ');
      return this.refuse('method_not_allowed', `this path is served for ${allow}`, `Allow: ${allow}\r\n`);
    }
    const route = routes[index];
    this.compiled = route;
    if (this.grpc !== null) this.beginCall(this.grpc, route);
    else if (route.timeout !== 0) this.deadlines.set(WHOLE, this.begun + route.timeout);
    if (route.isGrpc && this.grpc === null && grpcKindOf(this.stream) === GRPC) {
      return this.refuse('unsupported_media_type', 'gRPC is spoken over HTTP/2, or as gRPC-Web over HTTP/1.1');
    }
    // 3. Policies: guard, meter, shape, recall.
    if (route.chain.onRequest.length === 0) return this.answerOrForward();
    let reply: ReturnType<typeof runRequest>;
    try {
      reply = runRequest(route.chain.onRequest, this);
    } catch (error) {
      return this.policyFailed(error);
    }
    if (reply === undefined) this.answerOrForward();
    else if (reply instanceof Promise) this.awaitPolicies(reply);
    else this.replyOf(reply);
  }

  /** What is asked as gRPC-Web becomes gRPC where the service speaks it, and where only the gateway answers. */
  private bridge(stream: GrpcWebStream, wanted: boolean): void {
    stream.decide(wanted);
    if (wanted) this.grpc = grpcCallOf(stream, true);
  }

  private beginCall(grpc: GrpcCall, route: CompiledRoute): void {
    grpc.limit(this.begun, route.timeout);
    if (grpc.deadline !== 0) this.deadlines.set(WHOLE, grpc.deadline);
    else this.watchSilence(route);
    // Its own bounds take the place of the one on bodies that stall: a call may be a conversation.
    this.stream.bodyMayRest();
  }

  /** `index` of the route, or -1: whether there is one is for the request to come to hear. */
  private answerPreflight(hooks: PolicyHooks, index: number): void {
    if (index >= 0) this.compiled = this.snapshot.routes[index];
    let reply: Reply | undefined;
    try {
      reply = hooks.onPreflight?.(this);
    } catch (error) {
      return this.policyFailed(error);
    }
    if (reply !== undefined) this.replyOf(reply);
  }

  private awaitPolicies(pending: Promise<Reply | undefined>): void {
    this.stream.pauseBody();
    pending.then(
      (reply) => {
        if (this.state !== OPEN) return;
        this.stream.resumeBody();
        if (reply === undefined) this.answerOrForward();
        else this.replyOf(reply);
      },
      (error: unknown) => this.policyFailed(error),
    );
  }

  /** What a policy was to see to did not happen: the request does not go on without it. */
  private policyFailed(error: unknown): void {
    this.context.logger.error('a policy failed', { route: this.route, request_id: this.requestId, error });
    if (this.state === OPEN) this.refuse('internal_error', 'a policy failed');
  }

  private answerOrForward(): void {
    // What came before the policy that bounds it had its turn.
    if (this.stream.bodyReceived > this.bodyMax) {
      return this.refuse('payload_too_large', 'the body is larger than the route lets pass');
    }
    const { webSocket } = this.compiled as CompiledRoute;
    if (webSocket === null || !asksForWebSocket(this.stream)) {
      if (!this.stream.mustSwitch) return this.forward();
      return this.refuse('method_not_allowed', 'there are no WebSockets here', SERVED_METHODS);
    }
    const refusal = refusalOf(this.stream);
    if (refusal !== null) return this.refuse(refusal.code, refusal.detail, refusal.lines);
    this.webSocket = new WebSocketUpgrade(this.stream, webSocket);
    this.webSocket.reserve((granted) => {
      if (this.state !== OPEN) return;
      if (granted) this.forward();
      else this.refuse('overloaded', 'the route has as many WebSockets as it may have');
    });
  }

  private forward(): void {
    const { staticReply, rewrite, index } = this.compiled as CompiledRoute;
    if (staticReply === null) {
      const { path, query, stream } = this;
      if (rewrite === null) this.upstreamTarget = this.plainTarget();
      else {
        const rewritten = rewrite.apply(path, query, stream.target.hasQuery, this.snapshot.router.params(index, path));
        if (rewritten === null) return this.refuse('bad_request', 'the rewritten path climbs above the root');
        this.upstreamTarget = rewritten;
      }
      this.choose();
    } else this.answer(staticReply.status, this.context.dateLine() + staticReply.lines, staticReply.body);
  }

  // 4. Endpoint.

  private choose(): void {
    const service = (this.compiled as CompiledRoute).service;
    const endpoint =
      service === null ? null : service.sticky === null ? service.pick(this, this.tried) : this.pickSticky(service);
    if (service === null || endpoint === null) {
      return this.refuse('no_healthy_endpoint', 'no endpoint of the service is healthy', '', service?.retryAfter());
    }
    service.onSend(endpoint);
    this.endpointChosen = endpoint;
    this.connect(endpoint, false);
  }

  private pickSticky(service: Service<UpstreamPoolLike>): Endpoint<UpstreamPoolLike> | null {
    this.claim ??= service.sticky?.read(this.header('cookie')) ?? null;
    return this.claim === null ? service.pick(this, this.tried) : service.pickClaimed(this.claim, this, this.tried);
  }

  /** After the policies: what they do to the cookies of the upstream is not meant for this one. */
  private setStickyCookie(): void {
    const sticky = this.compiled?.service?.sticky;
    if (!sticky || this.claim === null || this.endpointChosen === null) return;
    const cookie = sticky.cookieFor(this.claim, this.endpointChosen, this.stream.listener.scheme === 'https');
    if (cookie !== null) this.responseEdits.add('Set-Cookie', cookie);
  }

  private connect(endpoint: Endpoint<UpstreamPoolLike>, fresh: boolean): void {
    this.waitingFor = endpoint.pool;
    const connection = fresh ? endpoint.pool.acquireFresh(this) : endpoint.pool.acquire(this);
    if (connection !== null) this.onConnection(connection);
    else if (this.waitingFor !== null && !this.bodyComplete) this.stream.pauseBody();
  }

  /** Whoever lost a place behind others does not stand there again. */
  get mayShare(): boolean {
    const { stream } = this;
    if (stream.bodyLength !== 0 || stream.expectsContinue) return false;
    return this.webSocket === null && this.staleReplaced === 0 && isIdempotent(this.method);
  }

  /** No connection could be had; nothing of the request was sent. */
  onConnectionRefused(code: ErrorCode, detail: string): void {
    this.waitingFor = null;
    this.refusals++;
    if (code !== 'upstream_connect_failed') return this.failTry(null, code, detail);
    this.markFailure('connect-failure');
    this.failTry('connect-failure', code, detail);
  }

  // 5. Send.

  onConnection(connection: UpstreamRequest): void {
    const { stream } = this;
    const { retry } = this.compiled as CompiledRoute;
    this.waitingFor = null;
    this.connection = connection;
    this.sends++;
    this.sentAt = this.context.now();
    this.grpc?.tell(this, this.sentAt);
    if (retry !== null && retry.perTryTimeout !== null) this.deadlines.set(ONE_TRY, this.sentAt + retry.perTryTimeout);
    if (this.webSocket !== null) return this.sendUpgrade(connection);
    connection.send(this, this.method, requestHead(this), stream.bodyLength);
    if (stream.bodyLength === 0) return this.awaitHead(this.sentAt);
    this.body?.sendTo(connection);
    this.body?.passedOn();
    if (this.bodyComplete) {
      connection.endBody(this.requestTrailers);
      return this.awaitHead(this.sentAt);
    }
    if (stream.expectsContinue) this.deadlines.set(CONTINUE, this.sentAt + CONTINUE_WAIT);
    stream.resumeBody();
  }

  /** A service whose protocol has no upgrade is refused with the configuration; this is what is left. */
  private sendUpgrade(connection: UpstreamRequest): void {
    if (!canUpgrade(connection)) {
      this.refuse('upstream_connect_failed', 'the protocol of the upstream has no WebSockets');
      return this.endTry();
    }
    connection.sendUpgrade(this, this.method, requestHead(this));
    this.awaitHead(this.sentAt);
  }

  private plainTarget(): string {
    const { path, query } = this;
    return this.stream.target.hasQuery ? `${path}?${query}` : path;
  }

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    // The bytes stand in a buffer that the next read of any client fills again.
    const chunk = Buffer.from(bytes.subarray(start, end));
    const { connection } = this;
    if (this.stream.bodyReceived > this.bodyMax) return this.onBodyTooLarge();
    if (this.streamIdle !== 0) this.heardAt = this.context.now();
    this.body ??= new ReplayBody();
    this.body.add(chunk);
    if (connection === null) {
      this.stream.pauseBody();
      return;
    }
    this.body.passedOn();
    if (!connection.sendBody(chunk)) {
      this.upstreamPaused = true;
      this.stream.pauseBody();
    }
  }

  /** Beyond what a policy lets pass. What has gone to the upstream is cut off there: it never sees the end. */
  private onBodyTooLarge(): void {
    if (this.bodyComplete) return;
    this.onRequestFault('payload_too_large', 'the body is larger than the route lets pass');
  }

  onRequestEnd(trailers: string): void {
    if (this.stream.bodyReceived > this.bodyMax) return;
    this.bodyComplete = true;
    this.requestTrailers = requestTrailers(trailers, this.stripped);
    if (this.connection === null) return;
    this.connection.endBody(this.requestTrailers);
    if (this.state === OPEN) this.awaitHead(this.context.now());
  }

  onUpstreamDrain(): void {
    if (!this.upstreamPaused) return;
    this.upstreamPaused = false;
    this.stream.resumeBody();
  }

  /** The request's last byte was sent at `now`. */
  private awaitHead(now: number): void {
    const { responseTimeout } = this.compiled as CompiledRoute;
    if (responseTimeout !== 0 && this.grpc?.timed !== true) this.deadlines.set(RESPONSE_HEAD, now + responseTimeout);
    this.deadlines.clear(CONTINUE);
  }

  // 6. The head of the answer.

  onInformational(parser: ResponseParser): void {
    if (parser.status === 100) {
      this.deadlines.clear(CONTINUE);
      if (!this.stream.expectsContinue) return;
    }
    this.stream.writeInformational(parser.status, informationalLines(parser));
  }

  onSwitchingProtocols(parser: ResponseParser): void {
    const connection = this.connection as UpgradableRequest;
    const upgrade = this.webSocket as WebSocketUpgrade;
    const fault = upgrade.judge(parser);
    if (fault !== null) {
      connection.abort();
      return this.onUpstreamFailed({
        code: 'upstream_invalid_response',
        detail: fault,
        stale: false,
        unprocessed: false,
      });
    }
    const { service, chain, metrics } = this.compiled as CompiledRoute;
    service?.onSuccess(this.endpointChosen as Endpoint<UpstreamPoolLike>);
    this.status = this.upstreamStatus = parser.status;
    if (chain.onResponse.length > 0 && !this.runResponsePolicies(chain.onResponse)) return;
    if (this.claim !== null) this.setStickyCookie();
    const now = this.context.now();
    this.state = SWITCHED;
    this.deadlines.remove();
    this.memo.deadlines = null;
    this.connection = null;
    this.upstreamMs = Math.max(0, this.upstreamMs) + now - this.sentAt;
    this.sentAt = 0;
    // Of what counts as a request only the handshake is one.
    this.durationMs = now - this.begun;
    metrics.record(this.method, this.status, this.durationMs, this.upstreamMs);
    this.context.active--;
    const lines = responseLines(parser, this.requestId, this.editsOfResponse);
    const client = this.stream.switchProtocols('websocket', lines);
    const { webSockets } = this.context;
    webSockets.add(upgrade.createRelay(client, connection.detach(), webSockets.wheel, this));
  }

  onRelayEnded(relay: WebSocketRelay): void {
    this.context.webSockets.remove(relay);
    this.compiled?.metrics.recordClose(relay.closeCode);
    this.errorCode = errorOf(relay);
    this.detail = relay.detail;
    this.bytesOut = relay.bytesOut;
    this.endTry();
    this.finish();
  }

  onResponseHead(parser: ResponseParser, length: number): void {
    const route = this.compiled as CompiledRoute;
    const endpoint = this.endpointChosen as Endpoint<UpstreamPoolLike>;
    const { status } = parser;
    if (this.stream.mustSwitch && status < 300) return this.onNotSwitched();
    route.service?.onSuccess(endpoint);
    this.upstreamStatus = status;
    this.grpc?.onHead(parser, length);
    const failure = this.grpc?.failure ?? status;
    if (route.retry?.covers(failure) && this.mayTryAgain(failure)) {
      this.connection?.abort();
      this.endTry();
      this.scheduleRetry();
      return;
    }
    this.clearTryDeadlines();
    // An answer with a length has an end.
    if (length < 0 && isEventStream(parser)) this.beginStream(route);
    this.status = status;
    const { onResponse } = route.chain;
    if (onResponse.length > 0 && !this.runResponsePolicies(onResponse)) return;
    if (this.claim !== null) this.setStickyCookie();
    this.state = ANSWERED;
    this.stream.writeHead(status, responseLines(parser, this.requestId, this.editsOfResponse), length);
  }

  /** An answer of success to an extended CONNECT would say that the tunnel is there (RFC 8441 section 4). */
  private onNotSwitched(): void {
    this.connection?.abort();
    const detail = 'the upstream answered as to a plain request';
    this.onUpstreamFailed({ code: 'upstream_invalid_response', detail, stale: false, unprocessed: false });
  }

  /**
   * False when one of them failed. What it was to change or hide must not go out: the answer becomes a 500, of which no
   * policy hears.
   */
  private runResponsePolicies(hooks: CompiledRoute['chain']['onResponse']): boolean {
    if (this.responseFailed) return true;
    try {
      runResponse(hooks, this);
      return true;
    } catch (error) {
      this.responseFailed = true;
      this.editsOfResponse = null;
      this.leaveUpstream();
      this.endTry();
      this.state = OPEN;
      this.policyFailed(error);
      return false;
    }
  }

  /** The route's time has brought the head of the answer; from here on it is the silences that count. */
  private beginStream(route: CompiledRoute): void {
    this.deadlines.clear(WHOLE);
    this.watchSilence(route);
  }

  private watchSilence({ service }: CompiledRoute): void {
    this.streamIdle = service?.config.timeouts.streamIdle ?? 0;
    this.heardAt = this.context.now();
    if (this.streamIdle !== 0) this.deadlines.set(SILENCE, this.heardAt + this.streamIdle);
  }

  /** Looked at once in a while, so that an event costs no more than a note of the time. */
  private onSilence(): void {
    const now = this.context.now();
    if (this.held) this.heardAt = now;
    const due = this.heardAt + this.streamIdle;
    if (due > now) this.deadlines.set(SILENCE, due);
    else this.timeOut('the stream was silent for too long', null, false);
  }

  // 7. The body of the answer.

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    if (this.state !== ANSWERED) return;
    this.bytesOut += end - start;
    if (this.streamIdle !== 0) this.heardAt = this.context.now();
    if (this.stream.writeBody(bytes, start, end)) return;
    this.held = true;
    this.connection?.pause();
  }

  onReadEnd(): void {
    if (this.state === ANSWERED) this.stream.flush();
  }

  onClientDrain(): void {
    if (this.state !== ANSWERED) return;
    this.held = false;
    if (this.streamIdle !== 0) this.heardAt = this.context.now();
    this.connection?.resume();
  }

  onResponseEnd(trailers: string): void {
    this.connection = null;
    if (this.state !== ANSWERED) return;
    const now = this.context.now();
    this.endTry(now);
    this.grpc?.onEnd(trailers, this.status);
    // The account comes first: after `end` the stream may at once tell of the next request.
    const last = trailers !== '' && takesTrailers(this.stream) ? trailers : '';
    this.finish(now);
    this.stream.end(last);
  }

  // What goes wrong.

  onUpstreamFailed(failure: UpstreamFailure): void {
    this.connection = null;
    if (this.state !== OPEN) {
      this.errorCode = failure.code;
      this.detail = failure.detail;
      this.markFailure(failure.code === 'upstream_invalid_response' ? 'invalid-response' : 'reset');
      this.endTry();
      this.stream.flush();
      this.cutAnswer();
      return;
    }
    if (failure.code === 'upstream_connect_failed') {
      this.sends--;
      return this.onConnectionRefused(failure.code, failure.detail);
    }
    if (this.isReplaced(failure)) {
      this.staleReplaced++;
      this.sends--;
      // They begin anew with the connection to come.
      this.clearTryDeadlines();
      this.connect(this.endpointChosen as Endpoint<UpstreamPoolLike>, failure.stale);
      return;
    }
    const invalid = failure.code === 'upstream_invalid_response';
    this.markFailure(invalid ? 'invalid-response' : 'reset');
    this.failTry(invalid ? null : 'reset', failure.code, failure.detail);
  }

  /**
   * True where the client need not know: the connection was closed while it rested, so that nobody read the request (RFC
   * 9112 section 9.3.1), or the upstream says that it did nothing with it (RFC 9113 section 8.7).
   */
  private isReplaced({ stale, unprocessed }: UpstreamFailure): boolean {
    if (this.staleReplaced >= MAX_STALE || this.body?.lost) return false;
    return unprocessed || (stale && isIdempotent(this.method));
  }

  private markFailure(kind: FailureKind): void {
    const service = this.compiled?.service;
    if (service && this.endpointChosen !== null) service.onFailure(this.endpointChosen, kind);
  }

  private mayTryAgain(failure: TryFailure): boolean {
    const { retry } = this.compiled as CompiledRoute;
    if (retry === null || this.body?.lost) return false;
    return mayRetry(retry, failure, this.sends + this.refusals, this.method, this.sends === 0);
  }

  /** Whether the route's plan covers the status of gRPC that the client would be given. */
  private mayCallAgain(code: ErrorCode): boolean {
    return this.grpc !== null && this.mayTryAgain(grpcStatusOfError(code));
  }

  /** A try is over without an answer: another one where the route's plan and the request allow it, else the error. */
  private failTry(failure: TryFailure | null, code: ErrorCode, detail: string): void {
    const again = failure !== null && (this.mayTryAgain(failure) || this.mayCallAgain(code));
    this.endTry();
    if (again) this.scheduleRetry();
    else this.refuse(code, detail);
  }

  private endTry(now = this.context.now()): void {
    const endpoint = this.endpointChosen;
    if (endpoint === null) return;
    this.compiled?.service?.onEnd(endpoint);
    if (this.sentAt !== 0) this.upstreamMs = Math.max(0, this.upstreamMs) + now - this.sentAt;
    this.sentAt = 0;
    this.connection = null;
    this.endpointChosen = null;
    this.clearTryDeadlines();
    this.lastTried = endpoint;
  }

  private clearTryDeadlines(): void {
    this.deadlines.clear(ONE_TRY);
    this.deadlines.clear(RESPONSE_HEAD);
    this.deadlines.clear(CONTINUE);
  }

  private scheduleRetry(): void {
    const { context } = this;
    const retry = (this.compiled as CompiledRoute).retry as RetryPlan;
    if (this.lastTried !== null) {
      this.tried ??= [];
      this.tried.push(this.lastTried);
    }
    this.retries++;
    this.stream.pauseBody();
    this.deadlines.set(BACKOFF, context.now() + retry.backoff(this.retries, context.random));
  }

  onDeadline(slot: number): void {
    if (slot === WHOLE)
      this.timeOut(this.grpc?.timed ? 'the deadline has passed' : "the route's time is used up", null, false);
    else if (slot === BACKOFF) this.choose();
    else if (slot === ONE_TRY) this.timeOut('the time for one try is used up', 'reset', true);
    else if (slot === SILENCE) this.onSilence();
    else if (slot === RESPONSE_HEAD) this.onResponseTime();
    else this.stream.writeInformational(100, '');
  }

  private onResponseTime(): void {
    const { connection } = this;
    if (connection === null || connection.inTurn) {
      return this.timeOut('the upstream did not answer in time', null, true);
    }
    // It answers somebody else, or should: this request has its time where it is alone.
    connection.abort();
    this.onUpstreamFailed(OVERTIME);
  }

  /** `blamed`: the endpoint was too slow, not the route's own time too short. */
  private timeOut(detail: string, failure: TryFailure | null, blamed: boolean): void {
    const inTurn = this.connection === null || this.connection.inTurn;
    this.leaveUpstream();
    if (this.state === ANSWERED) {
      this.errorCode = 'upstream_timeout';
      this.detail = detail;
      this.endTry();
      this.cutAnswer();
      return;
    }
    if (blamed && inTurn) this.markFailure('timeout');
    this.failTry(failure, 'upstream_timeout', detail);
  }

  private leaveUpstream(): void {
    if (this.waitingFor !== null) this.waitingFor.forget(this);
    this.waitingFor = null;
    if (this.connection !== null) this.connection.abort();
    this.connection = null;
  }

  onRequestFault(code: ErrorCode, detail: string): void {
    this.bodyComplete = true;
    this.leaveUpstream();
    this.endTry();
    if (this.state === OPEN) this.refuse(code, detail);
    else {
      this.errorCode = code;
      this.detail = detail;
      this.cutAnswer();
    }
  }

  /** Ends an answer that is under way and will not be whole, so that the client can see it. */
  private cutAnswer(): void {
    const { grpc, errorCode } = this;
    if (grpc === null || errorCode === '' || !grpc.open) {
      this.stream.abort();
      this.finish();
      return;
    }
    grpc.status = grpcStatusOfError(errorCode);
    this.finish();
    this.stream.end(grpcStatusLines(grpc.status, `${errorCode}: ${this.detail}`));
  }

  onClientGone(): void {
    this.leaveUpstream();
    this.endTry();
    this.errorCode = 'client_closed';
    if (this.status === 0) this.status = ERRORS.client_closed.status;
    if (this.grpc !== null) this.grpc.status = GRPC_STATUS.cancelled;
    this.finish();
  }

  // Answers of the gateway's own.

  private replyOf(reply: Reply): void {
    const edits = new HeaderEdits();
    try {
      for (const name of Object.keys(reply.headers)) {
        const value = reply.headers[name];
        // The body's length is the gateway's to say.
        if (name.toLowerCase() === 'content-length') continue;
        if (typeof value === 'string') edits.set(name, value);
        else for (const line of value) edits.add(name, line);
      }
    } catch (error) {
      return this.policyFailed(error);
    }
    if (reply.reason !== undefined) this.context.onPolicyRefusal(this, reply);
    if (reply.code !== undefined) return this.refuseFor(reply, reply.code, edits);
    if (this.grpc !== null && reply.status >= 400) {
      edits.remove('content-type');
      return this.answerCall(grpcStatusOfHttp(reply.status), `HTTP status ${reply.status}`, edits.lines());
    }
    const body = Buffer.from(reply.body);
    // RFC 9110 section 8.6: no Content-Length in a 204.
    const length = reply.status === 204 ? '' : `Content-Length: ${body.length}\r\n`;
    this.answer(reply.status, `${this.context.dateLine()}${edits.lines()}${length}`, body);
  }

  /** A refusal of a policy, with what it says of itself. */
  private refuseFor({ detail = '', members }: Reply, code: ErrorCode, edits: HeaderEdits): void {
    const wait = edits.drops('retry-after') ? NO_WAIT_LINE : undefined;
    this.refuse(code, detail, edits.lines(), wait, members);
  }

  private refuse(
    code: ErrorCode,
    detail: string,
    lines = '',
    retryAfter?: number,
    members?: Readonly<Record<string, unknown>>,
  ): void {
    // Whoever asks as gRPC-Web and gets no further than here is told in its words.
    if (this.stream instanceof GrpcWebStream && !this.stream.decided) this.bridge(this.stream, true);
    this.errorCode = code;
    this.detail = detail;
    const { status, closes } = ERRORS[code];
    if (closes) this.stream.closeAfter();
    if (this.grpc !== null) {
      return this.answerCall(grpcStatusOfError(code), `${code}: ${detail}`, waitLine(code, retryAfter) + lines);
    }
    const body = Buffer.from(problemBody(code, detail, this.requestId, members));
    const all = `${this.context.dateLine()}${problemLines(code, retryAfter)}${lines}Content-Length: ${body.length}\r\n`;
    this.answer(status, all, body);
  }

  /** Answers a call of gRPC with nothing but how it ended. */
  private answerCall(status: number, message: string, lines: string): void {
    if (this.state !== OPEN) return;
    (this.grpc as GrpcCall).status = status;
    this.answer(200, this.context.dateLine() + trailersOnlyLines(status, message) + lines, NOTHING);
  }

  private answer(status: number, lines: string, body: Buffer): void {
    if (this.state !== OPEN) return;
    this.leaveUpstream();
    this.state = ANSWERED;
    this.status = status;
    const { onResponse } = this.compiled === null ? this.snapshot.globalChain : this.compiled.chain;
    if (onResponse.length > 0 && !this.runResponsePolicies(onResponse)) return;
    this.stream.writeHead(status, ownLines(lines, this.requestId, this.editsOfResponse), body.length);
    if (this.method !== 'HEAD') this.bytesOut = body.length;
    this.stream.writeBody(body, 0, body.length);
    this.finish();
    this.stream.end('');
  }

  // 8. Account.

  private finish(now = this.context.now()): void {
    if (this.state === OVER) return;
    const switched = this.state === SWITCHED;
    this.state = OVER;
    const { context, compiled } = this;
    this.body = null;
    // Time in which a socket is open is not the gateway's own.
    if (switched) this.upstreamMs += now - this.begun - this.durationMs;
    this.durationMs = now - this.begun;
    if (!switched) {
      this.deadlines.release();
      const metrics = compiled === null ? context.unrouted : compiled.metrics;
      metrics.record(this.method, this.status, this.durationMs, compiled === null ? -1 : this.upstreamMs);
      if (this.grpc !== null) metrics.recordGrpc(this.grpc.status);
      context.active--;
    }
    this.webSocket?.release();
    if (compiled !== null && compiled.chain.onEnd.length > 0) runEnd(compiled.chain.onEnd, this, context.logger);
    if (this.errorCode !== '') context.onError(this, this.errorCode, this.detail);
    context.account(this, now);
    this.snapshot.release();
  }
}
