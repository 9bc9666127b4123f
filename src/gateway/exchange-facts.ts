/**
 * What is known of one request, from its head to its end: the one object that the router, policies, the head for the upstream
 * and the access log read. What is done about it is `Exchange`.
 */
import type { ErrorCode } from '../base/errors.ts';
import { FIELD } from '../http/field-name.ts';
import { fieldById, fieldByName, fieldNames } from '../http/fields.ts';
import { NO_GRPC_STATUS } from '../http/grpc.ts';
import { HeaderEdits } from '../http/header-edits.ts';
import { cookieValues, queryValues } from '../http/request-values.ts';
import type { ClientCertificate } from '../net/client-certificate.ts';
import type { ClientStream } from '../net/stream.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import type { AccessEntry } from '../observability/access-log.ts';
import { isRequestId } from '../observability/request-id.ts';
import { continueTrace, traceIdOf } from '../observability/trace-context.ts';
import type { Identity } from '../pipeline/identity.ts';
import type { PolicyExchange } from '../pipeline/policy.ts';
import type { RouteQuery } from '../router/route-query.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { certificateLines } from './certificate-lines.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { type ConnectionMemo, clientAddressOf, forwardedLines, memoOf, otherAddressOf } from './forwarded.ts';
import { type GrpcCall, grpcCallOf } from './grpc-call.ts';
import type { OutgoingRequest } from './heads.ts';
import type { CompiledRoute, Snapshot } from './snapshot.ts';
import type { WebSocketUpgrade } from './websocket-upgrade.ts';

export abstract class ExchangeFacts implements RouteQuery, PolicyExchange, AccessEntry, OutgoingRequest {
  // The request.
  readonly stream: ClientStream;
  readonly snapshot: Snapshot;
  readonly method: string;
  readonly host: string;
  path: string;
  readonly query: string;
  readonly target: string;
  readonly protocol: string;
  clientAddress: string;
  /** What a trusted proxy says of the client cannot be read: to take the proxy for it would give a client the proxy's rights. */
  protected hidden = false;
  readonly requestId: string;
  readonly traceparent: string;
  readonly received: string | undefined;
  /** Null where the request is not gRPC. */
  protected grpc: GrpcCall | null;
  protected readonly memo: ConnectionMemo;
  /** Of a request for a WebSocket. */
  protected webSocket: WebSocketUpgrade | null = null;
  /** Who calls. */
  identity: Identity | null = null;
  /** Bytes of body that a policy lets pass. */
  protected bodyMax = Number.POSITIVE_INFINITY;
  // Where it goes.
  protected compiled: CompiledRoute | null = null;
  protected endpointChosen: Endpoint<UpstreamPoolLike> | null = null;
  protected lastTried: Endpoint<UpstreamPoolLike> | null = null;
  retries = 0;
  upstreamTarget = '';
  protected editsOfRequest: HeaderEdits | null = null;
  protected editsOfResponse: HeaderEdits | null = null;
  // The answer.
  status = 0;
  upstreamStatus = 0;
  bytesOut = 0;
  errorCode: ErrorCode | '' = '';
  // Times: on the gateway's clock, and how long, in milliseconds.
  protected readonly begun: number;
  durationMs = 0;
  upstreamMs = -1;

  constructor(stream: ClientStream, snapshot: Snapshot, context: ExchangeContext) {
    this.stream = stream;
    this.snapshot = snapshot;
    this.method = stream.method;
    this.host = stream.host;
    this.path = stream.target.path;
    this.query = stream.target.query;
    this.target = stream.rawTarget;
    this.protocol = stream.protocol;
    this.clientAddress = stream.remoteAddress;
    this.grpc = grpcCallOf(stream, false);
    this.begun = context.now();
    this.memo = memoOf(stream, snapshot.proxyTrust(stream.listener.name));
    this.received = fieldById(stream.head, FIELD.traceparent);
    this.traceparent = continueTrace(this.received);
    const requestId = this.memo.trusted ? fieldById(stream.head, FIELD.xRequestId) : undefined;
    this.requestId = requestId !== undefined && isRequestId(requestId) ? requestId : context.newRequestId();
    if (this.memo.trusted) this.findClient(context);
  }

  private findClient(context: ExchangeContext): void {
    const { stream, memo } = this;
    const address = clientAddressOf(stream, memo);
    if (address === null) this.hidden = true;
    else this.clientAddress = address;
    const other = otherAddressOf(stream, memo, address);
    if (other !== address) context.onDisputedClient(stream, this.clientAddress, other);
  }

  abstract get over(): boolean;

  header(lowerName: string): string | undefined {
    return fieldByName(this.stream.head, lowerName);
  }

  headerNames(): string[] {
    return fieldNames(this.stream.head);
  }

  get scheme(): string {
    return this.stream.listener.scheme;
  }

  identify(identity: Identity): void {
    this.identity = identity;
  }

  cookie(name: string): string | undefined {
    const header = this.header('cookie');
    return header === undefined ? undefined : cookieValues(header, name)[0];
  }

  queryParameter(name: string): string | undefined {
    return queryValues(this.query, name)[0];
  }

  get bodyLength(): number {
    return this.stream.bodyLength;
  }

  limitBody(max: number): void {
    this.bodyMax = Math.min(this.bodyMax, max);
  }

  get identityLines(): string {
    return this.identity === null ? '' : this.identity.lines;
  }

  get stripped(): ReadonlySet<string> | null {
    return this.snapshot.ownHeaders;
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

  get upstreamHost(): string | null {
    return this.compiled === null ? null : this.compiled.host;
  }

  get forwarded(): string {
    return forwardedLines(this.stream, this.memo);
  }

  get clientCertificate(): ClientCertificate | null {
    return this.stream.clientCertificate;
  }

  get certificateLines(): string {
    const { memo, stream } = this;
    if (memo.certificateLines === null) {
      const { clientCertificate, listener } = stream;
      const forwards = clientCertificate !== null && this.snapshot.forwardsCertificates(listener.name);
      memo.certificateLines = forwards ? certificateLines(clientCertificate) : '';
    }
    return memo.certificateLines;
  }

  get edits(): HeaderEdits | null {
    return this.editsOfRequest;
  }

  get endpoint(): string {
    const endpoint = this.endpointChosen ?? this.lastTried;
    return endpoint === null ? '' : endpoint.id;
  }

  get bytesIn(): number {
    return this.webSocket?.relay?.bytesIn ?? this.stream.bodyReceived;
  }

  get upgrades(): boolean {
    return this.webSocket !== null;
  }

  get grpcStatus(): number {
    return this.grpc === null ? NO_GRPC_STATUS : this.grpc.status;
  }

  get traceId(): string {
    return traceIdOf(this.traceparent);
  }

  userAgent(): string {
    return fieldById(this.stream.head, FIELD.userAgent) ?? '';
  }
}
