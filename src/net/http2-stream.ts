/**
 * One request on an HTTP/2 connection (RFC 9113 sections 5 and 8): its head, its body as it comes, and how it ends; its answer is
 * sent by the half that it is made on.
 */
import type { ErrorCode } from '../base/errors.ts';
import { CHUNKED } from '../http/framing.ts';
import type { HeadParser } from '../http/head-parser.ts';
import { HeaderEdits } from '../http/header-edits.ts';
import { H2_ERROR } from '../http/http2-errors.ts';
import type { Http2RequestHead } from '../http/http2-request-head.ts';
import type { Target } from '../http/target.ts';
import type { ClientCertificate } from './client-certificate.ts';
import type { ConnectionContext } from './client-connection.ts';
import { HeldBytes } from './held-bytes.ts';
import { Http2Answer } from './http2-answer.ts';
import { ENDED, RESET_BY_CLIENT, RESET_HERE } from './http2-ledger.ts';
import type { Http2OutputQueue } from './http2-output-queue.ts';
import type { Http2Sender } from './http2-sender.ts';
import { Http2Tunnel } from './http2-tunnel.ts';
import { ReceiveWindow } from './http2-window.ts';
import type { ClientStream, ListenerInfo, RequestSink, Tunnel } from './stream.ts';

/** Octets of a body that a client may send before it is told that there is room for more. */
export const STREAM_WINDOW: number = 256 * 1024;

/** The connection, as its streams know it. */
export interface StreamOwner {
  readonly context: ConnectionContext;
  readonly remoteAddress: string;
  readonly clientCertificate: ClientCertificate | null;
  readonly sender: Http2Sender;
  readonly queue: Http2OutputQueue;
  /** What a stream may send when it begins, in octets. */
  readonly initialWindow: number;
  /** So many octets of DATA were taken, and leave room for others. */
  credit(octets: number): void;
  /** The client broke a rule on this stream alone: it is reset with this code. */
  onStreamFault(stream: Http2Stream, code: number): void;
  /** The stream is over; `how` is one of the ledger's, `givenUp` when it was by the client and before its answer was complete. */
  onStreamEnd(stream: Http2Stream, how: number, givenUp: boolean): void;
}

export class Http2Stream extends Http2Answer implements ClientStream {
  sink: RequestSink | null = null;
  /** Kept by the connection, and used by its streams in turns. */
  memo: unknown;
  readonly request: Http2RequestHead;
  readonly listener: ListenerInfo;
  readonly remoteAddress: string;
  readonly protocol = 'HTTP/2.0';
  readonly minor = 1;
  readonly method: string;
  readonly rawTarget: string;
  readonly target: Target;
  readonly authority: string;
  readonly host: string;
  bodyLength = 0;
  expectsContinue = false;
  bodyReceived = 0;
  mustSwitch = false;
  /** The client's side has ended. */
  received: boolean;
  tunnel: Http2Tunnel | null = null;
  private readonly connection: StreamOwner;
  private readonly window = new ReceiveWindow(STREAM_WINDOW);
  /** Nothing more of the body is wanted, or to come. */
  private bodyDone = true;
  /** What the declared length leaves to come; below zero when none was declared. */
  private bodyLeft: number;
  /** How long the body may stall, in milliseconds; 0 for as long as it likes. */
  private bodyIdle: number;
  private paused = false;
  private held: HeldBytes | null = null;
  private heldTrailers: string | null = null;
  private answered = false;
  private bodiless = false;

  constructor(id: number, request: Http2RequestHead, isWhole: boolean, connection: StreamOwner, memo: unknown) {
    super(id, connection.sender, connection.queue, connection.initialWindow);
    this.request = request;
    this.connection = connection;
    this.memo = memo;
    this.listener = connection.context.listener;
    this.remoteAddress = connection.remoteAddress;
    this.method = request.method;
    this.rawTarget = request.rawTarget;
    this.target = request.target;
    this.authority = request.authority;
    this.host = request.host;
    this.received = isWhole;
    this.bodyLeft = request.declared;
    this.bodyIdle = connection.context.limits.bodyIdle;
    this.bodiless = request.method === 'HEAD';
  }

  get clientCertificate(): ClientCertificate | null {
    return this.connection.clientCertificate;
  }

  get head(): HeadParser {
    return this.request.parser;
  }

  // Reading.

  /** Hands the request on, or refuses it. */
  begin(): void {
    const { request, received } = this;
    const { handler, limits } = this.connection.context;
    if (request.code !== null) return this.refuse(request.code, request.detail);
    if (received && request.declared > 0) return this.connection.onStreamFault(this, H2_ERROR.protocol);
    if (request.isExtended) {
      if (received) return this.refuse('bad_request', 'a CONNECT that has ended is of no use');
      // What the client sends after the head is of the other protocol, and waits until that is spoken (RFC 8441 section 5).
      this.mustSwitch = true;
      this.paused = true;
      this.bodyLeft = -1;
      return handler.onRequest(this);
    }
    if (request.declared > limits.requestBody) {
      return this.refuse('payload_too_large', 'the declared body is larger than the limit');
    }
    if (!received) {
      this.bodyLength = request.declared < 0 ? CHUNKED : request.declared;
      this.expectsContinue = request.expectsContinue && this.bodyLength !== 0;
      this.bodyDone = this.bodyLength === 0;
      if (!this.bodyDone) this.awaitBody();
    }
    handler.onRequest(this);
  }

  private refuse(code: ErrorCode, detail: string): void {
    this.connection.context.handler.onRefused(this, code, detail);
  }

  /** Takes the octets of a frame of DATA, padding and all, into account; false when there are more than were allowed. */
  onDataStart(octets: number): boolean {
    return this.window.receive(octets);
  }

  /** Octets of the window that are free again. */
  credit(octets: number): void {
    this.connection.credit(octets);
    if (this.over || this.received) return;
    const increment = this.window.credit(octets);
    if (increment > 0) this.sender.writeWindow(this.id, increment);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    if (this.bodyLeft >= 0) {
      this.bodyLeft -= size;
      if (this.bodyLeft < 0) {
        this.connection.credit(size);
        return this.connection.onStreamFault(this, H2_ERROR.protocol);
      }
    }
    if (this.paused && (!this.bodyDone || this.mustSwitch)) {
      this.held ??= new HeldBytes();
      return this.held.add(bytes, start, end);
    }
    this.take(bytes, start, end);
    this.credit(size);
  }

  private take(bytes: Buffer, start: number, end: number): void {
    if (this.tunnel !== null) return this.tunnel.onBytes(bytes, start, end);
    if (this.bodyDone) return;
    this.bodyReceived += end - start;
    if (this.bodyReceived > this.connection.context.limits.requestBody) {
      return this.fault('payload_too_large', 'the body is larger than the limit');
    }
    this.awaitBody();
    this.sink?.onRequestBody(bytes, start, end);
  }

  /** The client ends its side; `trailers` are field lines. */
  onEnd(trailers: string): void {
    this.received = true;
    if (this.bodyLeft > 0 && !this.mustSwitch) return this.connection.onStreamFault(this, H2_ERROR.protocol);
    if (this.held !== null || (this.paused && this.mustSwitch)) this.heldTrailers = trailers;
    else this.finishBody(trailers);
  }

  private finishBody(trailers: string): void {
    if (this.tunnel !== null) {
      this.tunnel.onEnd();
      if (this.sent) this.close(ENDED, false);
      return;
    }
    if (this.bodyDone) return;
    this.bodyDone = true;
    this.connection.context.wheel.cancel(this);
    this.sink?.onRequestEnd(trailers);
  }

  /** The body, or its trailers, are not as they must be. */
  fault(code: ErrorCode, detail: string): void {
    if (this.bodyDone) return;
    this.stopBody();
    const { sink } = this;
    if (sink !== null) sink.onRequestFault(code, detail);
    else if (!this.answered) this.connection.context.handler.onRefused(this, code, detail);
  }

  private stopBody(): void {
    this.bodyDone = true;
    this.connection.context.wheel.cancel(this);
    this.dropHeld();
  }

  private dropHeld(): void {
    const { held } = this;
    this.held = null;
    if (held !== null) this.credit(held.size);
  }

  onDeadline(): void {
    if (!this.bodyDone && this.bodyIdle > 0) this.fault('request_timeout', 'the body stalled');
    else this.reset(H2_ERROR.cancel);
  }

  pauseBody(): void {
    if (this.bodyDone) return;
    // The client cannot send while its window is used up: its clock stands still.
    this.connection.context.wheel.cancel(this);
    this.paused = true;
  }

  private awaitBody(): void {
    if (this.bodyIdle > 0) this.connection.context.wheel.scheduleIn(this, this.bodyIdle);
  }

  bodyMayRest(): void {
    this.bodyIdle = 0;
    if (!this.bodyDone) this.connection.context.wheel.cancel(this);
  }

  resumeBody(): void {
    if (this.bodyDone || !this.paused) return;
    if (!this.received) this.awaitBody();
    this.goOn();
  }

  /** Of a tunnel: what comes waits until `goOn`. */
  holdBack(): void {
    this.paused = true;
  }

  /** Gives what was held back, as far as it is taken. */
  goOn(): void {
    this.paused = false;
    while (this.held !== null && !this.paused) {
      const bytes = this.held.take();
      if (this.held.size === 0) this.held = null;
      this.take(bytes, 0, bytes.length);
      this.credit(bytes.length);
    }
    const { heldTrailers } = this;
    if (heldTrailers === null || this.held !== null || this.paused || this.over) return;
    this.heldTrailers = null;
    this.finishBody(heldTrailers);
  }

  // Writing.

  closeAfter(): void {
    // Other streams of the connection are none of this one's business.
  }

  writeInformational(status: number, fields: string): void {
    if (this.answered || this.over) return;
    if (status === 100) this.expectsContinue = false;
    this.sender.writeHeaders(this.id, status, fields, false);
  }

  writeHead(status: number, fields: string, length: number): void {
    this.answered = true;
    if (this.over) return;
    if (status === 204 || status === 304) this.bodiless = true;
    if (length === 0) this.bodiless = true;
    this.sendHead(status, fields, length, this.bodiless);
  }

  writeBody(bytes: Buffer, start: number, end: number): boolean {
    if (this.bodiless || this.over || start === end) return true;
    return this.send(bytes, start, end);
  }

  protected onHeld(): void {
    const { limits, wheel } = this.connection.context;
    // A client that opens its window by nothing takes nothing; who speaks through a tunnel has times of its own.
    if (this.tunnel === null) wheel.scheduleIn(this, limits.bodyIdle);
  }

  protected onRoom(): void {
    if (this.bodyDone || this.bodyIdle === 0) this.connection.context.wheel.cancel(this);
    if (this.tunnel !== null) this.tunnel.onDrain();
    else this.sink?.onClientDrain();
  }

  flush(): void {
    // All that a turn of the event loop writes leaves at its end.
  }

  end(trailers: string): void {
    this.sink = null;
    if (this.over) return;
    if (!this.received && !this.bodyDone) this.stopBody();
    this.finish(trailers);
  }

  protected onSent(): void {
    if (this.received) this.close(ENDED, false);
    // A body that nobody will read must not hold the stream: the client is told to stop (RFC 9113 section 8.1).
    else if (this.tunnel === null) this.reset(H2_ERROR.none);
  }

  switchProtocols(_protocol: string, fields: string): Tunnel {
    this.answered = true;
    this.sink = null;
    // Of no use here (RFC 8441 section 5).
    const edits = new HeaderEdits();
    edits.remove('sec-websocket-accept');
    this.tunnel = new Http2Tunnel(this);
    if (!this.over) this.sender.writeHeaders(this.id, 200, edits.filter(fields), false);
    return this.tunnel;
  }

  abort(): void {
    this.sink = null;
    if (!this.over) this.reset(H2_ERROR.internal);
  }

  /** Ends both sides at once. */
  reset(code: number): void {
    if (this.over) return;
    this.sender.writeReset(this.id, code);
    this.close(RESET_HERE, false);
  }

  // The end.

  /** The client has reset the stream, with whatever code: its work was in vain. */
  onReset(): void {
    this.close(RESET_BY_CLIENT, this.sink !== null);
  }

  /** Nothing more happens on it. Whoever waits for the rest of the request, or for room, is told. */
  close(how: number, givenUp: boolean): void {
    if (this.over) return;
    this.dropAnswer();
    this.bodyDone = true;
    this.connection.context.wheel.remove(this);
    this.dropHeld();
    const { sink, tunnel } = this;
    this.sink = null;
    sink?.onClientGone();
    tunnel?.onClosed();
    this.connection.onStreamEnd(this, how, givenUp);
  }
}
