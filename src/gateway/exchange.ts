/**
 * One request and its answer, from the parsed head to the account: the straight line of `docs/life-of-a-request.md`,
 * top to bottom. It is one file because it is one path; what can be told apart stands beside it.
 */
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import { connectionNamed, copyFields, HOP_BY_HOP } from '../http/field-copy.ts';
import { FIELD, maskOf } from '../http/field-name.ts';
import { fieldById, fieldByName, hasListMember } from '../http/fields.ts';
import { CHUNKED } from '../http/framing.ts';
import { HeaderEdits } from '../http/header-edits.ts';
import type { ResponseParser } from '../http/response-parser.ts';
import type { ClientStream, RequestSink, ResponseSink, UpstreamFailure } from '../net/stream.ts';
import type { UpstreamConnection } from '../net/upstream-connection.ts';
import type { PoolWaiter, UpstreamPool } from '../net/upstream-pool.ts';
import type { AccessEntry } from '../observability/access-log.ts';
import { isRequestId } from '../observability/request-id.ts';
import { continueTrace, traceIdOf } from '../observability/trace-context.ts';
import { runRequest } from '../pipeline/chain.ts';
import type { PolicyExchange, PolicyHooks, Reply } from '../pipeline/policy.ts';
import { normalizePath } from '../router/path.ts';
import type { RouteQuery } from '../router/route-query.ts';
import type { Endpoint, FailureKind } from '../upstream/endpoint.ts';
import { isIdempotent, mayRetry, type TryFailure } from '../upstream/retry.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { type ConnectionMemo, clientAddressOf, FORWARDED_FIELDS, forwardedLines, memoOf } from './forwarded.ts';
import { problemBody, problemLines } from './problem.ts';
import type { CompiledRoute, Snapshot } from './snapshot.ts';

/** Fields of a request that are written anew or not passed on. */
const REQUEST_DROP = HOP_BY_HOP | FORWARDED_FIELDS | maskOf(FIELD.xRequestId, FIELD.traceparent);
const RESPONSE_DROP = HOP_BY_HOP | maskOf(FIELD.xRequestId);
const HOST = maskOf(FIELD.host);
const CONNECTION = maskOf(FIELD.connection);
const CONTENT_LENGTH = maskOf(FIELD.contentLength);
const TRACESTATE = maskOf(FIELD.tracestate);

/** Bodies up to this size are kept for another try, in bytes. */
const REPLAY = 64 * 1024;
/** How long an upstream may think about `Expect: 100-continue` before the body is asked for in its name, in ms. */
const CONTINUE_WAIT = 500;

/** Stale connections replaced for one request, before it is an error: several may have been closed together. */
const MAX_STALE = 3;

/** Nothing of the answer is on its way. */
const OPEN = 0;
/** The head of the answer is written. */
const ANSWERED = 1;
const OVER = 2;

export class Exchange implements RequestSink, ResponseSink, PoolWaiter, RouteQuery, PolicyExchange, AccessEntry {
  // The request.
  readonly stream: ClientStream;
  readonly snapshot: Snapshot;
  private readonly context: ExchangeContext;
  readonly method: string;
  readonly host: string;
  path: string;
  readonly query: string;
  readonly target: string;
  readonly protocol: string;
  clientAddress: string;
  requestId = '';
  traceparent = '';
  private received: string | undefined = undefined;
  private memo: ConnectionMemo | null = null;
  // Where it goes.
  private compiled: CompiledRoute | null = null;
  private endpointChosen: Endpoint<UpstreamPool> | null = null;
  private connection: UpstreamConnection | null = null;
  private tried: Endpoint<UpstreamPool>[] | null = null;
  private waitingFor: UpstreamPool | null = null;
  private lastTried: Endpoint<UpstreamPool> | null = null;
  retries = 0;
  private sends = 0;
  private connects = 0;
  private staleReplaced = 0;
  private upstreamTarget = '';
  private editsOfRequest: HeaderEdits | null = null;
  private editsOfResponse: HeaderEdits | null = null;
  private responseFailed = false;
  // The body on its way up.
  private body: Buffer[] | null = null;
  private bodyKept = 0;
  private bodyComplete: boolean;
  private bodyDropped = false;
  private requestTrailers = '';
  private upstreamPaused = false;
  // The answer.
  private state = OPEN;
  status = 0;
  upstreamStatus = 0;
  bytesOut = 0;
  errorCode: ErrorCode | '' = '';
  private detail = '';
  // Times, on the gateway's clock.
  private readonly begun: number;
  durationMs = 0;
  upstreamMs = -1;
  private sentAt = 0;
  queuedAt = 0;
  private routeDeadline = 0;
  private tryDeadline = 0;
  private responseDeadline = 0;
  private continueDeadline = 0;
  private retryAt = 0;

  constructor(stream: ClientStream, snapshot: Snapshot, context: ExchangeContext) {
    this.stream = stream;
    this.snapshot = snapshot;
    this.context = context;
    this.method = stream.method;
    this.host = stream.host;
    this.path = stream.target.path;
    this.query = stream.target.query;
    this.target = stream.rawTarget;
    this.protocol = stream.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
    this.clientAddress = stream.remoteAddress;
    this.bodyComplete = stream.bodyLength === 0;
    this.begun = context.now();
    snapshot.active++;
    context.active++;
  }

  // 1. The head is parsed: edge.

  /** Carries the request through to its upstream, or answers it. */
  begin(): void {
    const { stream, context } = this;
    this.identify();
    stream.sink = this;
    if (context.active > context.concurrentRequests) return this.refuse('overloaded', 'too many requests at once');
    if (this.path !== '*') {
      const path = normalizePath(this.path);
      if (path === null) return this.refuse('bad_request', 'the path climbs above the root or has a malformed escape');
      this.path = path;
    }
    this.chooseRoute();
  }

  /** Answers a request whose head was refused. */
  refuseHead(code: ErrorCode, detail: string): void {
    this.identify();
    this.bodyComplete = true;
    this.refuse(
      code,
      detail,
      code === 'method_not_allowed' ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : '',
    );
  }

  private identify(): void {
    const { stream, context } = this;
    const trusted = this.snapshot.trustedProxies(stream.listener.name);
    const memo = memoOf(stream, trusted);
    this.memo = memo;
    this.received = fieldById(stream.head, FIELD.traceparent);
    this.traceparent = continueTrace(this.received);
    if (memo.trusted) {
      this.clientAddress = clientAddressOf(stream, memo, trusted);
      const received = fieldById(stream.head, FIELD.xRequestId);
      if (received !== undefined && isRequestId(received)) {
        this.requestId = received;
        return;
      }
    }
    this.requestId = context.newRequestId();
  }

  // 2. Route.

  private chooseRoute(): void {
    const { router, routes } = this.snapshot;
    const index = router.match(this);
    if (index < 0) {
      const allowed = router.allowed(this);
      if (allowed.length === 0) return this.refuse('route_not_found', 'no route matches the request');
      const allow = allowed.join(', ');
      return this.refuse('method_not_allowed', `this path is served for ${allow}`, `Allow: ${allow}\r\n`);
    }
    const route = routes[index];
    this.compiled = route;
    if (route.timeout !== 0) {
      this.routeDeadline = this.begun + route.timeout;
      this.reschedule();
    }
    // 3. Policies: guard, meter, shape, recall.
    if (route.chain.onRequest.length === 0) return this.answerOrForward();
    let reply: ReturnType<typeof runRequest>;
    try {
      reply = runRequest(route.chain.onRequest, this);
    } catch (error) {
      return this.failPolicy(error);
    }
    if (reply === undefined) this.answerOrForward();
    else if (reply instanceof Promise) this.awaitPolicies(reply);
    else this.replyOf(reply);
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
      (error: unknown) => this.failPolicy(error),
    );
  }

  /** A policy threw: its part of the request is undone, which nobody may take for done. */
  private failPolicy(error: unknown): void {
    this.context.logger.error('a policy failed', { route: this.route, error });
    if (this.state === OPEN) this.refuse('internal_error', 'a policy failed');
  }

  /** Tells the policies that the head of the answer is known; one that throws makes it a 500 of which they do not hear. */
  private runResponse(list: readonly PolicyHooks[]): boolean {
    if (this.responseFailed) return true;
    try {
      for (const hooks of list) hooks.onResponse?.(this);
      return true;
    } catch (error) {
      this.responseFailed = true;
      this.editsOfResponse = null;
      this.leaveUpstream();
      this.endTry();
      this.state = OPEN;
      this.failPolicy(error);
      return false;
    }
  }

  private answerOrForward(): void {
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
    const endpoint = service === null ? null : service.pick(this, this.tried);
    if (service === null || endpoint === null) {
      return this.refuse('no_healthy_endpoint', 'no endpoint of the service is healthy', '', service?.retryAfter());
    }
    service.onSend(endpoint);
    this.endpointChosen = endpoint;
    this.connect(endpoint, false);
  }

  private connect(endpoint: Endpoint<UpstreamPool>, fresh: boolean): void {
    this.waitingFor = endpoint.pool;
    const connection = fresh ? endpoint.pool.acquireFresh(this) : endpoint.pool.acquire(this);
    if (connection !== null) this.onConnection(connection);
    else if (this.waitingFor !== null && !this.bodyComplete) this.stream.pauseBody();
  }

  /** No connection could be had; nothing of the request was sent. */
  onConnectionRefused(code: ErrorCode, detail: string): void {
    this.waitingFor = null;
    if (code !== 'upstream_connect_failed') return this.failTry(null, code, detail, true);
    this.markFailure('connect-failure');
    this.failTry('connect-failure', code, detail, true);
  }

  // 5. Send.

  onConnection(connection: UpstreamConnection): void {
    const { stream, context } = this;
    const route = this.compiled as CompiledRoute;
    this.waitingFor = null;
    this.connection = connection;
    this.sends++;
    this.sentAt = context.now();
    if (route.retry !== null && route.retry.perTryTimeout !== null) {
      this.tryDeadline = this.sentAt + route.retry.perTryTimeout;
    }
    connection.send(this, this.method, this.writeRequestHead(route), stream.bodyLength);
    if (stream.bodyLength === 0) {
      this.awaitHead();
      return;
    }
    if (this.body !== null) for (const chunk of this.body) connection.sendBody(chunk);
    if (this.bodyKept > REPLAY) this.dropBody();
    if (this.bodyComplete) {
      connection.endBody(this.requestTrailers);
      this.awaitHead();
      return;
    }
    if (stream.expectsContinue) this.continueDeadline = this.sentAt + CONTINUE_WAIT;
    stream.resumeBody();
    this.reschedule();
  }

  private writeRequestHead(route: CompiledRoute): string {
    const { stream } = this;
    const { head } = stream;
    let drop = REQUEST_DROP;
    let lines = '';
    if (route.host !== null || stream.target.authority !== null || (head.seen & HOST) === 0) {
      const fallback = stream.authority === '' ? this.endpointChosen?.id : stream.authority;
      lines = `Host: ${route.host ?? fallback}\r\n`;
      drop |= HOST;
    }
    const { received } = this;
    // A state without the trace that it belongs to is noise (W3C Trace Context section 3.3).
    if (received === undefined || traceIdOf(this.traceparent) !== received.slice(3, 35)) drop |= TRACESTATE;
    const names = (head.seen & CONNECTION) === 0 ? null : connectionNamed(head);
    const edits = this.editsOfRequest;
    // An untouched start line is taken with the fields, in one piece.
    const { upstreamTarget } = this;
    const untouched = lines === '' && stream.minor === 1 && upstreamTarget === this.target;
    lines += copyFields(head, drop, names, edits, untouched ? 0 : head.fieldsStart);
    let own = forwardedLines(stream, this.memo as ConnectionMemo);
    own += `X-Request-ID: ${this.requestId}\r\ntraceparent: ${this.traceparent}\r\n`;
    lines += edits === null ? own : edits.filter(own) + edits.lines();
    if (stream.bodyLength === CHUNKED) lines += 'Transfer-Encoding: chunked\r\n';
    if (this.takesTrailers()) lines += 'TE: trailers\r\nConnection: TE\r\n';
    return untouched ? `${lines}\r\n` : `${this.method} ${upstreamTarget} HTTP/1.1\r\n${lines}\r\n`;
  }

  private plainTarget(): string {
    const { path, query } = this;
    return this.stream.target.hasQuery ? `${path}?${query}` : path;
  }

  private takesTrailers(): boolean {
    const te = fieldById(this.stream.head, FIELD.te);
    return te !== undefined && this.stream.minor === 1 && hasListMember(te, 'trailers');
  }

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    // The bytes stand in a buffer that the next read of any client fills again.
    const chunk = Buffer.from(bytes.subarray(start, end));
    const { connection } = this;
    if (!this.bodyDropped) {
      this.body ??= [];
      this.body.push(chunk);
      this.bodyKept += chunk.length;
    }
    if (connection === null) {
      this.stream.pauseBody();
      return;
    }
    if (this.bodyKept > REPLAY) this.dropBody();
    if (!connection.sendBody(chunk)) {
      this.upstreamPaused = true;
      this.stream.pauseBody();
    }
  }

  private dropBody(): void {
    this.body = null;
    this.bodyKept = 0;
    this.bodyDropped = true;
  }

  onRequestEnd(trailers: string): void {
    this.bodyComplete = true;
    this.requestTrailers = trailers;
    if (this.connection === null) return;
    this.connection.endBody(trailers);
    if (this.state === OPEN) this.awaitHead();
  }

  onUpstreamDrain(): void {
    if (!this.upstreamPaused) return;
    this.upstreamPaused = false;
    this.stream.resumeBody();
  }

  private awaitHead(): void {
    const { responseTimeout } = this.compiled as CompiledRoute;
    if (responseTimeout !== 0) {
      const { bodyLength } = this.stream;
      this.responseDeadline = (bodyLength === 0 ? this.sentAt : this.context.now()) + responseTimeout;
    }
    this.continueDeadline = 0;
    this.reschedule();
  }

  // 6. The head of the answer.

  onInformational(parser: ResponseParser): void {
    if (parser.status === 100) {
      this.continueDeadline = 0;
      this.reschedule();
      if (!this.stream.expectsContinue) return;
    }
    const names = (parser.seen & CONNECTION) === 0 ? null : connectionNamed(parser);
    this.stream.writeInformational(parser.status, copyFields(parser, RESPONSE_DROP | CONTENT_LENGTH, names, null));
  }

  onResponseHead(parser: ResponseParser, length: number): void {
    const route = this.compiled as CompiledRoute;
    const endpoint = this.endpointChosen as Endpoint<UpstreamPool>;
    const { status } = parser;
    route.service?.onSuccess(endpoint);
    this.upstreamStatus = status;
    if (route.retry?.covers(status) && this.mayTryAgain(status, false)) {
      this.connection?.abort();
      this.endTry();
      this.scheduleRetry();
      return;
    }
    this.tryDeadline = 0;
    this.responseDeadline = 0;
    this.continueDeadline = 0;
    this.state = ANSWERED;
    this.status = status;
    if (this.routeDeadline === 0) this.context.wheel.cancel(this.stream.alarm);
    if (route.chain.onResponse.length > 0 && !this.runResponse(route.chain.onResponse)) return;
    const drop = status === 204 ? RESPONSE_DROP | CONTENT_LENGTH : RESPONSE_DROP;
    const names = (parser.seen & CONNECTION) === 0 ? null : connectionNamed(parser);
    const edits = this.editsOfResponse;
    let lines = copyFields(parser, drop, names, edits);
    const own = `X-Request-ID: ${this.requestId}\r\n`;
    lines += edits === null ? own : edits.filter(own) + edits.lines();
    this.stream.writeHead(status, lines, length);
  }

  // 7. The body of the answer.

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    if (this.state !== ANSWERED) return;
    this.bytesOut += end - start;
    if (!this.stream.writeBody(bytes, start, end)) this.connection?.pause();
  }

  onReadEnd(): void {
    if (this.state === ANSWERED) this.stream.flush();
  }

  onClientDrain(): void {
    if (this.state === ANSWERED) this.connection?.resume();
  }

  onResponseEnd(trailers: string): void {
    this.connection = null;
    if (this.state !== ANSWERED) return;
    const now = this.context.now();
    this.endTry(now);
    // The account comes first: after `end` the stream may at once tell of the next request.
    const last = trailers !== '' && this.takesTrailers() ? trailers : '';
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
      this.stream.abort();
      this.finish();
      return;
    }
    // It was closed while it rested: nobody read the request, and the client need not know (RFC 9112 section 9.3.1).
    if (failure.stale && this.staleReplaced < MAX_STALE && isIdempotent(this.method) && !this.bodyDropped) {
      this.staleReplaced++;
      this.sends--;
      this.connect(this.endpointChosen as Endpoint<UpstreamPool>, true);
      return;
    }
    const invalid = failure.code === 'upstream_invalid_response';
    this.markFailure(invalid ? 'invalid-response' : 'reset');
    this.failTry(invalid ? null : 'reset', failure.code, failure.detail, failure.unsent);
  }

  private markFailure(kind: FailureKind): void {
    const service = this.compiled?.service;
    if (service && this.endpointChosen !== null) service.onFailure(this.endpointChosen, kind);
  }

  private mayTryAgain(failure: TryFailure, unsent: boolean): boolean {
    const retry = (this.compiled as CompiledRoute).retry;
    if (retry === null || this.bodyDropped) return false;
    return mayRetry(retry, failure, this.sends + this.connects, this.method, unsent);
  }

  /** A try is over without an answer: another one where the route's plan and the request allow it, else the error. */
  private failTry(failure: TryFailure | null, code: ErrorCode, detail: string, unsent: boolean): void {
    if (unsent) this.connects++;
    const again = failure !== null && this.mayTryAgain(failure, unsent && this.sends === 0);
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
    this.tryDeadline = 0;
    this.responseDeadline = 0;
    this.continueDeadline = 0;
    this.lastTried = endpoint;
  }

  private scheduleRetry(): void {
    const { context } = this;
    const retry = (this.compiled as CompiledRoute).retry as NonNullable<CompiledRoute['retry']>;
    if (this.lastTried !== null) {
      this.tried ??= [];
      this.tried.push(this.lastTried);
    }
    this.retries++;
    this.stream.pauseBody();
    this.retryAt = context.now() + retry.backoff(this.retries, context.random);
    this.reschedule();
  }

  onDeadline(now: number): void {
    if (this.routeDeadline !== 0 && now >= this.routeDeadline)
      return this.timeOut("the route's time is used up", null, false);
    if (this.retryAt !== 0 && now >= this.retryAt) {
      this.retryAt = 0;
      this.reschedule();
      return this.choose();
    }
    if (this.tryDeadline !== 0 && now >= this.tryDeadline)
      return this.timeOut('the time for one try is used up', 'reset', true);
    if (this.responseDeadline !== 0 && now >= this.responseDeadline) {
      return this.timeOut('the upstream did not answer in time', null, true);
    }
    if (this.continueDeadline !== 0 && now >= this.continueDeadline) {
      this.continueDeadline = 0;
      this.stream.writeInformational(100, '');
    }
    this.reschedule();
  }

  /** `blamed`: the endpoint was too slow, not the route's own time too short. */
  private timeOut(detail: string, failure: TryFailure | null, blamed: boolean): void {
    this.leaveUpstream();
    if (this.state === ANSWERED) {
      this.errorCode = 'upstream_timeout';
      this.detail = detail;
      this.endTry();
      this.stream.abort();
      this.finish();
      return;
    }
    if (blamed) this.markFailure('timeout');
    this.failTry(failure, 'upstream_timeout', detail, false);
  }

  private leaveUpstream(): void {
    if (this.waitingFor !== null) this.waitingFor.forget(this);
    this.waitingFor = null;
    if (this.connection !== null) this.connection.abort();
    this.connection = null;
  }

  private reschedule(): void {
    let next = this.routeDeadline;
    if (this.tryDeadline !== 0 && (next === 0 || this.tryDeadline < next)) next = this.tryDeadline;
    if (this.responseDeadline !== 0 && (next === 0 || this.responseDeadline < next)) next = this.responseDeadline;
    if (this.continueDeadline !== 0 && (next === 0 || this.continueDeadline < next)) next = this.continueDeadline;
    if (this.retryAt !== 0 && (next === 0 || this.retryAt < next)) next = this.retryAt;
    const { alarm } = this.stream;
    alarm.owner = this;
    if (next === 0) this.context.wheel.cancel(alarm);
    else this.context.wheel.schedule(alarm, next);
  }

  onRequestFault(code: ErrorCode, detail: string): void {
    this.bodyComplete = true;
    this.leaveUpstream();
    this.endTry();
    if (this.state === OPEN) this.refuse(code, detail);
    else {
      this.errorCode = code;
      this.detail = detail;
      this.stream.abort();
      this.finish();
    }
  }

  onClientGone(): void {
    this.leaveUpstream();
    this.endTry();
    this.errorCode = 'client_closed';
    if (this.status === 0) this.status = ERRORS.client_closed.status;
    this.finish();
  }

  // Answers of the gateway's own.

  private replyOf(reply: Reply): void {
    if (reply.code !== undefined) return this.refuse(reply.code, reply.detail ?? '');
    const edits = new HeaderEdits();
    try {
      for (const name of Object.keys(reply.headers)) edits.set(name, reply.headers[name]);
    } catch (error) {
      return this.failPolicy(error);
    }
    const body = Buffer.from(reply.body);
    this.answer(reply.status, `${this.context.dateLine()}${edits.lines()}Content-Length: ${body.length}\r\n`, body);
  }

  private refuse(code: ErrorCode, detail: string, lines = '', retryAfter?: number): void {
    this.errorCode = code;
    this.detail = detail;
    const body = Buffer.from(problemBody(code, detail, this.requestId));
    const { status } = ERRORS[code];
    if (status === 400 || status === 408 || status === 413) this.stream.closeAfter();
    const all = `${this.context.dateLine()}${problemLines(code, retryAfter)}${lines}Content-Length: ${body.length}\r\n`;
    this.answer(status, all, body);
  }

  private answer(status: number, lines: string, body: Buffer): void {
    if (this.state !== OPEN) return;
    this.leaveUpstream();
    this.state = ANSWERED;
    this.status = status;
    const chain = this.compiled === null ? this.snapshot.globalChain : this.compiled.chain;
    if (chain.onResponse.length > 0 && !this.runResponse(chain.onResponse)) return;
    const edits = this.editsOfResponse;
    const own = `${lines}X-Request-ID: ${this.requestId}\r\n`;
    this.stream.writeHead(status, edits === null ? own : edits.filter(own) + edits.lines(), body.length);
    if (this.method !== 'HEAD') this.bytesOut = body.length;
    this.stream.writeBody(body, 0, body.length);
    this.finish();
    this.stream.end('');
  }

  // 8. Account.

  private finish(now = this.context.now()): void {
    if (this.state === OVER) return;
    this.state = OVER;
    const { context, compiled } = this;
    const { alarm } = this.stream;
    if (alarm.owner === this) {
      context.wheel.cancel(alarm);
      alarm.owner = null;
    }
    this.body = null;
    this.durationMs = now - this.begun;
    if (compiled !== null) {
      compiled.metrics.record(this.method, this.status, this.durationMs, this.upstreamMs);
      if (compiled.chain.onEnd.length > 0) this.runEnd(compiled.chain.onEnd);
    } else context.unrouted.record(this.method, this.status, this.durationMs, -1);
    if (this.errorCode !== '') context.onError(this, this.errorCode, this.detail);
    context.account(this, now);
    context.active--;
    this.snapshot.release();
  }

  private runEnd(list: readonly PolicyHooks[]): void {
    for (const hooks of list) {
      try {
        hooks.onEnd?.(this);
      } catch (error) {
        this.failPolicy(error);
      }
    }
  }

  // What policies, the router and the access log read.

  header(lowerName: string): string | undefined {
    return fieldByName(this.stream.head, lowerName);
  }

  get requestEdits(): HeaderEdits {
    this.editsOfRequest ??= new HeaderEdits();
    return this.editsOfRequest;
  }

  get responseEdits(): HeaderEdits {
    this.editsOfResponse ??= new HeaderEdits();
    return this.editsOfResponse;
  }

  get route(): string {
    return this.compiled === null ? 'none' : this.compiled.name;
  }

  get routeName(): string {
    return this.route;
  }

  get service(): string {
    return this.compiled === null ? '' : this.compiled.serviceName;
  }

  get endpoint(): string {
    const endpoint = this.endpointChosen ?? this.lastTried;
    return endpoint === null ? '' : endpoint.id;
  }

  get bytesIn(): number {
    return this.stream.bodyReceived;
  }

  get traceId(): string {
    return traceIdOf(this.traceparent);
  }

  userAgent(): string {
    return fieldById(this.stream.head, FIELD.userAgent) ?? '';
  }
}
