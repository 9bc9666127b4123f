/**
 * One request on an HTTP/2 connection: its fields are written as a head of HTTP/1 and read by the same parser, so that
 * whatever they hold is judged by the same rules before anything is passed on (RFC 9113 sections 8.2 and 10.3).
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ErrorCode } from '../base/errors.ts';
import { Timed } from '../base/timer-wheel.ts';
import { FIELD } from '../http/field-name.ts';
import { countById, fieldById } from '../http/fields.ts';
import { CHUNKED, INVALID_FRAMING, requestFraming } from '../http/framing.ts';
import { HEAD_COMPLETE, type HeadParser } from '../http/head-parser.ts';
import type { RequestParser } from '../http/request-parser.ts';
import { hostOf, isAuthority, parseTarget, type Target } from '../http/target.ts';
import type { ClientCertificate } from './client-certificate.ts';
import type { ConnectionContext } from './client-connection.ts';
import { fieldsOf, requestText, trailerText } from './http2-fields.ts';
import { Http2Tunnel } from './http2-tunnel.ts';
import type { ClientStream, ListenerInfo, RequestSink, Tunnel } from './stream.ts';

/** Bodies up to this size wait for the end of the answer, to share a frame with it, in bytes. */
const COALESCE = 16 * 1024;

/** Bytes of a head are only needed while it is parsed. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

const NO_BYTES = Buffer.alloc(0);

/** What a request leaves to the next one on the connection. */
export interface StreamKit {
  readonly parser: RequestParser;
  memo: unknown;
}

/** The connection, as its streams know it. */
export interface StreamOwner {
  readonly context: ConnectionContext;
  readonly remoteAddress: string;
  readonly clientCertificate: ClientCertificate | null;
  /**
   * A stream is over; what it used may serve the next, unless it is null. `givenUp`: by the client, before its answer was
   * complete.
   */
  onStreamEnd(kit: StreamKit | null, givenUp: boolean): void;
}

export class Http2Stream extends Timed implements ClientStream {
  sink: RequestSink | null = null;
  readonly listener: ListenerInfo;
  readonly remoteAddress: string;
  readonly protocol = 'HTTP/2.0';
  readonly minor = 1;
  method = '';
  rawTarget = '';
  readonly target: Target = { path: '', query: '', hasQuery: false, authority: null };
  authority = '';
  host = '';
  bodyLength = 0;
  expectsContinue = false;
  bodyReceived = 0;
  mustSwitch = false;
  private readonly stream: ServerHttp2Stream;
  private readonly connection: StreamOwner;
  private readonly kit: StreamKit;
  /** The client's side has ended. */
  private received = true;
  /** Nothing more of the body is wanted, or to come. */
  private bodyDone = true;
  /** How long the body may stall, in milliseconds; 0 for as long as it likes. */
  private bodyIdle: number;
  private answered = false;
  private bodiless = false;
  private endsByTrailers = false;
  private over = false;
  private pending: Buffer = NO_BYTES;
  private trailers = '';
  private incoming = '';
  private tunnel: Http2Tunnel | null = null;

  constructor(stream: ServerHttp2Stream, connection: StreamOwner, kit: StreamKit) {
    super();
    this.stream = stream;
    this.connection = connection;
    this.kit = kit;
    this.listener = connection.context.listener;
    this.remoteAddress = connection.remoteAddress;
    this.bodyIdle = connection.context.limits.bodyIdle;
    stream.on('error', noop);
    stream.on('close', () => this.onClose());
  }

  get memo(): unknown {
    return this.kit.memo;
  }

  set memo(memo: unknown) {
    this.kit.memo = memo;
  }

  get clientCertificate(): ClientCertificate | null {
    return this.connection.clientCertificate;
  }

  get head(): HeadParser {
    return this.kit.parser;
  }

  // Reading.

  /** `fields` are names and values in turns, as they were received. */
  begin(fields: readonly string[], isWhole: boolean): void {
    const head = requestText(fields);
    if ('fault' in head) return this.refuse('bad_request', head.fault);
    const { parser } = this.kit;
    const { length } = head.text;
    if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(length);
    scratch.write(head.text, 0, 'latin1');
    if (parser.execute(scratch, 0, length) !== HEAD_COMPLETE) {
      return this.refuse(parser.fault === 'malformed' ? 'bad_request' : 'request_head_too_large', parser.detail);
    }
    // A field that was more than one line of text would be an attack on whoever reads the text.
    if (parser.consumed !== length || parser.count !== head.lines) {
      return this.refuse('bad_request', 'a field has a line break in it');
    }
    this.method = parser.method;
    this.rawTarget = parser.target;
    this.bodiless = parser.method === 'HEAD';
    if (parser.method === 'CONNECT') return this.refuse('method_not_allowed', 'CONNECT is not served');
    if (!parseTarget(parser.method, parser.target, this.target) || this.target.authority !== null) {
      return this.refuse('bad_request', 'the request target is of no form that this server takes');
    }
    const authority = countById(parser, FIELD.host) === 1 ? fieldById(parser, FIELD.host) : undefined;
    if (authority === undefined || !isAuthority(authority)) {
      return this.refuse('bad_request', 'there is not one valid :authority');
    }
    this.authority = authority;
    this.host = hostOf(authority);
    const expectation = fieldById(parser, FIELD.expect);
    if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
      return this.refuse('expectation_failed', 'the only expectation known is 100-continue');
    }
    if (head.extended) return this.receiveConnect(isWhole);
    this.expectsContinue = expectation !== undefined && !isWhole;
    this.receive(isWhole);
  }

  /** What the client sends after the head is of the other protocol, and waits until that is spoken (RFC 8441 section 5). */
  private receiveConnect(isWhole: boolean): void {
    this.mustSwitch = true;
    this.received = isWhole;
    if (isWhole) return this.refuse('bad_request', 'a CONNECT that has ended is of no use');
    if (requestFraming(this.kit.parser, 1) !== 0) return this.refuse('bad_request', 'a CONNECT has no length');
    this.connection.context.handler.onRequest(this);
  }

  private receive(isWhole: boolean): void {
    const { handler, limits } = this.connection.context;
    const length = isWhole ? 0 : requestFraming(this.kit.parser, 1);
    if (length === INVALID_FRAMING)
      return this.refuse('bad_request', 'Content-Length does not tell one certain length');
    this.bodyLength = !isWhole && length === 0 ? CHUNKED : length;
    if (length > limits.requestBody)
      return this.refuse('payload_too_large', 'the declared body is larger than the limit');
    if (!isWhole) {
      const { stream } = this;
      this.bodyDone = false;
      this.received = false;
      stream.on('trailers', (...[, , fields]: [object, number, string[]]) => this.onTrailers(fields));
      stream.on('data', (chunk: Buffer) => this.onData(chunk));
      stream.on('end', () => this.onEnd());
      this.awaitBody();
    }
    handler.onRequest(this);
  }

  private onData(chunk: Buffer): void {
    const { limits } = this.connection.context;
    if (this.bodyDone) return;
    this.bodyReceived += chunk.length;
    if (this.bodyReceived > limits.requestBody)
      return this.fault('payload_too_large', 'the body is larger than the limit');
    this.awaitBody();
    this.sink?.onRequestBody(chunk, 0, chunk.length);
  }

  private onTrailers(fields: readonly string[]): void {
    const text = trailerText(fields);
    if (typeof text === 'string') this.incoming = text;
    else this.fault('bad_request', text.fault);
  }

  private onEnd(): void {
    // The library ends what was reset, or lost with its connection, as it ends what is complete. Its close follows.
    if (this.stream.closed) return;
    this.received = true;
    if (this.bodyDone) return;
    this.bodyDone = true;
    this.connection.context.wheel.cancel(this);
    this.sink?.onRequestEnd(this.incoming);
  }

  private fault(code: ErrorCode, detail: string): void {
    if (this.bodyDone) return;
    this.bodyDone = true;
    this.connection.context.wheel.cancel(this);
    const { sink } = this;
    if (sink !== null) sink.onRequestFault(code, detail);
    else if (!this.answered) this.connection.context.handler.onRefused(this, code, detail);
  }

  private refuse(code: ErrorCode, detail: string): void {
    this.bodyDone = true;
    this.connection.context.handler.onRefused(this, code, detail);
  }

  onDeadline(): void {
    if (!this.bodyDone && this.bodyIdle > 0) this.fault('request_timeout', 'the body stalled');
    else this.stream.close(constants.NGHTTP2_CANCEL);
  }

  private onClose(): void {
    if (this.over) return;
    this.over = true;
    this.bodyDone = true;
    this.connection.context.wheel.remove(this);
    const { sink } = this;
    this.sink = null;
    sink?.onClientGone();
    this.tunnel?.onClosed();
    const givenUp = sink !== null && this.stream.rstCode !== constants.NGHTTP2_NO_ERROR;
    // The head of a tunnel is asked for when both of its ends are over.
    this.connection.onStreamEnd(this.tunnel === null ? this.kit : null, givenUp);
  }

  pauseBody(): void {
    if (this.bodyDone) return;
    // The client cannot send while its window is used up: its clock stands still.
    this.connection.context.wheel.cancel(this);
    this.stream.pause();
  }

  private awaitBody(): void {
    if (this.bodyIdle > 0) this.connection.context.wheel.scheduleIn(this, this.bodyIdle);
  }

  bodyMayRest(): void {
    this.bodyIdle = 0;
    if (!this.bodyDone) this.connection.context.wheel.cancel(this);
  }

  resumeBody(): void {
    if (this.bodyDone || !this.stream.isPaused()) return;
    this.awaitBody();
    this.stream.resume();
  }

  // Writing.

  /** True when nothing can be answered: a stream that was reset is closed only when what came of its body is read. */
  private get isGone(): boolean {
    return this.over || this.stream.closed || this.stream.destroyed;
  }

  closeAfter(): void {
    // Other streams of the connection are none of this one's business.
  }

  writeInformational(status: number, fields: string): void {
    if (this.answered || this.isGone) return;
    if (status === 100) this.expectsContinue = false;
    this.stream.additionalHeaders(fieldsOf(fields, status));
  }

  writeHead(status: number, fields: string, length: number): void {
    this.answered = true;
    if (this.isGone) return;
    if (status === 204 || status === 304) this.bodiless = true;
    const endStream = this.bodiless || length === 0;
    this.bodiless = endStream;
    const { stream } = this;
    const waitForTrailers = !endStream && length < 0;
    this.endsByTrailers = waitForTrailers;
    stream.respond(fieldsOf(fields, status), { endStream, waitForTrailers, sendDate: false } as object);
    if (waitForTrailers) stream.on('wantTrailers', () => this.sendTrailers());
    if (!endStream) stream.on('drain', () => this.onDrain());
  }

  writeBody(bytes: Buffer, start: number, end: number): boolean {
    if (this.bodiless || this.over || start === end) return true;
    // The bytes belong to a buffer that the next read of any upstream fills again.
    const chunk = Buffer.from(bytes.subarray(start, end));
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    return this.pending.length <= COALESCE ? !this.stream.writableNeedDrain : this.push();
  }

  private push(): boolean {
    const { pending, stream } = this;
    this.pending = NO_BYTES;
    if (stream.write(pending)) return true;
    // Its window is exact: a client that opens it by nothing takes nothing.
    const { limits, wheel } = this.connection.context;
    wheel.scheduleIn(this, limits.bodyIdle);
    return false;
  }

  flush(): void {
    if (this.pending.length > 0 && !this.over) this.push();
  }

  private onDrain(): void {
    if (this.bodyDone || this.bodyIdle === 0) this.connection.context.wheel.cancel(this);
    this.sink?.onClientDrain();
  }

  private sendTrailers(): void {
    this.stream.sendTrailers(fieldsOf(this.trailers, 0));
    if (!this.received) setImmediate(stopReceiving, this.stream);
  }

  end(trailers: string): void {
    this.sink = null;
    if (this.over) return;
    this.trailers = trailers;
    const { stream } = this;
    if (!this.bodiless) {
      if (this.pending.length > 0) stream.end(this.pending);
      else stream.end();
    }
    this.pending = NO_BYTES;
    if (this.received) return;
    // A body that nobody will read must not hold the stream: the client is told to stop (RFC 9113 section 8.1).
    this.bodyDone = true;
    this.connection.context.wheel.cancel(this);
    stream.resume();
    if (stream.writableFinished) setImmediate(stopReceiving, stream);
    else if (!this.endsByTrailers) stream.once('finish', () => setImmediate(stopReceiving, stream));
  }

  switchProtocols(_protocol: string, fields: string): Tunnel {
    const { stream } = this;
    this.answered = true;
    this.sink = null;
    const headers = fieldsOf(fields, 200);
    // Of no use here (RFC 8441 section 5).
    delete headers['sec-websocket-accept'];
    if (!this.isGone) stream.respond(headers, { endStream: false, sendDate: false } as object);
    this.tunnel = new Http2Tunnel(stream);
    return this.tunnel;
  }

  abort(): void {
    this.sink = null;
    if (!this.over) this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** In a turn of its own: a reset would overtake what was written in this one. */
function stopReceiving(stream: ServerHttp2Stream): void {
  stream.close(constants.NGHTTP2_NO_ERROR);
}

function noop(): void {
  // What went wrong is told by the stream's end.
}
