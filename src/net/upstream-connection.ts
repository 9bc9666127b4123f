/** One HTTP/1.1 connection to an endpoint, under TLS or not, carrying one request at a time, read into a buffer that all of them share. */
import { connect, type Socket } from 'node:net';
import { Timed } from '../base/timer-wheel.ts';
import { type BodySink, CHUNKED_DONE, CHUNKED_INVALID, ChunkedDecoder } from '../http/chunked-decoder.ts';
import { FIELD } from '../http/field-name.ts';
import { fieldById, hasListMember } from '../http/fields.ts';
import { CHUNKED, INVALID_FRAMING, responseFraming, UNTIL_CLOSE } from '../http/framing.ts';
import { HEAD_COMPLETE, NEED_MORE } from '../http/head-parser.ts';
import { ResponseParser } from '../http/response-parser.ts';
import { MAX_INFORMATIONAL, RESPONSE_HEAD } from './answer-limits.ts';
import { SocketTunnel } from './socket-tunnel.ts';
import { SocketWriter } from './socket-writer.ts';
import type { ResponseSink, Tunnel, UpgradeSink, UpstreamFailure } from './stream.ts';
import type { ConnectionOwner, UpgradableRequest } from './upstream.ts';
import { isHandshakeRefusal, type UpstreamTls } from './upstream-tls.ts';

/** Where a connection leads and what it reports to. */
export interface UpstreamOwner extends ConnectionOwner {
  onConnected(connection: UpstreamConnection): void;
  onConnectFailed(connection: UpstreamConnection, detail: string): void;
  /** The answer is complete and the connection may carry another request. */
  onReleased(connection: UpstreamConnection): void;
  onClosed(connection: UpstreamConnection): void;
  /** The connection speaks HTTP no more: it is no longer the owner's. */
  onDetached(connection: UpstreamConnection): void;
}

const CONNECTING = 0;
export const IDLE = 1;
export const HEAD = 2;
export const BODY = 3;
export const CLOSED = 4;
/** HTTP is given up: see `tunnel`. */
const SWITCHED = 5;

/** Every upstream reads into this one: a callback is over before the next read begins (see the decision on buffers). */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** In the place of the parser of a connection that speaks HTTP no more. */
const NO_PARSER = new ResponseParser(0);

export class UpstreamConnection extends Timed implements UpgradableRequest, BodySink {
  /** What it was made with. */
  readonly tls: UpstreamTls | null;
  protected readonly owner: UpstreamOwner;
  protected readonly socket: Socket;
  protected readonly writer: SocketWriter;
  protected parser = new ResponseParser(RESPONSE_HEAD);
  private decoder: ChunkedDecoder | null = null;
  protected sink: ResponseSink | null = null;
  /** The sink, while the request asks for another protocol. */
  private upgradeSink: UpgradeSink | null = null;
  private tunnel: SocketTunnel | null = null;
  protected phase = CONNECTING;
  /** The endpoint was reached, and TLS is what is left to agree on. */
  private reached = false;
  private method = '';
  private bodyLength = 0;
  protected bodyLeft = 0;
  private served = 0;
  private answerBegun = false;
  private requestDone = true;
  private chunkedRequest = false;
  protected reusable = true;
  protected paused = false;
  private informational = 0;
  private fault = '';

  constructor(owner: UpstreamOwner) {
    super();
    this.owner = owner;
    const { host, port, tls } = owner;
    this.tls = tls;
    const onread = { buffer: readBuffer, callback: (size: number) => this.onRead(size) };
    this.socket =
      tls === null
        ? connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, onread })
        : tls.connect(onread);
    if (tls !== null) this.socket.on('connect', () => (this.reached = true));
    this.socket.on(tls === null ? 'connect' : 'secureConnect', () => this.onConnect());
    // The handle of TLS takes one write at a time, and only its `Writable` keeps to that.
    this.writer = new SocketWriter(this.socket, () => this.onDrain(), tls === null);
    this.socket.on('end', () => this.onEnd());
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.fault = error.code ?? error.message;
    });
    this.socket.on('close', () => this.onClose());
    owner.wheel.scheduleIn(this, owner.connectTimeout);
  }

  private onConnect(): void {
    this.owner.wheel.cancel(this);
    this.phase = IDLE;
    this.owner.onConnected(this);
  }

  /** False when the socket was destroyed but has not said so yet. */
  get usable(): boolean {
    return this.phase === IDLE && !this.socket.destroyed;
  }

  // The request.

  get inTurn(): boolean {
    return true;
  }

  send(sink: ResponseSink, method: string, head: string, length: number): void {
    this.owner.wheel.cancel(this);
    this.expect(sink, method);
    this.requestDone = length === 0;
    this.chunkedRequest = length === CHUNKED;
    if (length === 0) {
      this.writer.write(head);
      return;
    }
    // What has come of the body is written in this turn: let it share the head's system call.
    this.socket.cork();
    process.nextTick(uncork, this.socket);
    this.socket.write(head, 'latin1');
  }

  /** The next answer that comes is for this one. */
  protected expect(sink: ResponseSink, method: string): void {
    this.sink = sink;
    this.method = method;
    this.phase = HEAD;
    this.answerBegun = false;
    this.informational = 0;
  }

  sendUpgrade(sink: UpgradeSink, method: string, head: string): void {
    this.upgradeSink = sink;
    this.send(sink, method, head, 0);
  }

  detach(): Tunnel {
    this.sink = null;
    this.upgradeSink = null;
    this.phase = SWITCHED;
    this.owner.wheel.remove(this);
    this.tunnel = new SocketTunnel(this.socket, this.writer, null, false);
    this.owner.onDetached(this);
    return this.tunnel;
  }

  protected onDrain(): void {
    if (this.tunnel !== null) this.tunnel.onDrain();
    else this.sink?.onUpstreamDrain();
  }

  sendBody(bytes: Buffer): boolean {
    const socket = this.socket;
    if (!this.chunkedRequest) return socket.write(bytes);
    if (bytes.length === 0) return true;
    socket.cork();
    socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1');
    socket.write(bytes);
    const more = socket.write('\r\n', 'latin1');
    socket.uncork();
    return more;
  }

  endBody(trailers: string): void {
    this.requestDone = true;
    if (this.chunkedRequest) this.socket.write(`0\r\n${trailers}\r\n`, 'latin1');
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  /** The connection cannot be used again. */
  abort(): void {
    this.sink = null;
    this.reusable = false;
    this.socket.destroy();
  }

  /** Ends an idle connection. */
  close(): void {
    this.socket.destroy();
  }

  /** Called by the pool when it puts the connection aside. */
  rest(): void {
    this.owner.wheel.scheduleIn(this, this.owner.idleTimeout);
  }

  // The answer.

  protected onRead(size: number): boolean {
    let start = 0;
    while (start < size) {
      if (this.phase === HEAD) start = this.readHead(start, size);
      else if (this.phase === BODY) start = this.readBody(start, size);
      else if (this.tunnel !== null) {
        this.tunnel.onRead(readBuffer, start, size);
        start = size;
      } else {
        // Bytes that no request asked for: whatever comes next on this connection could answer the wrong request.
        this.reusable = false;
        this.socket.destroy();
        return true;
      }
    }
    this.sink?.onReadEnd();
    return true;
  }

  /** Whether bytes that come after a complete answer are the beginning of another one that was asked for. */
  protected get awaitsMore(): boolean {
    return false;
  }

  private readHead(start: number, end: number): number {
    const parser = this.parser;
    this.answerBegun = true;
    const result = parser.execute(readBuffer, start, end);
    if (result === NEED_MORE) return end;
    if (result !== HEAD_COMPLETE) return this.invalid(parser.detail, end);
    const sink = this.sink as ResponseSink;
    const status = parser.status;
    if (status < 200) {
      if (status === 101) return this.switchTo(parser, end);
      if (++this.informational > MAX_INFORMATIONAL) return this.invalid('too many interim answers', end);
      sink.onInformational(parser);
      parser.reset();
      return parser.consumed;
    }
    const length = responseFraming(parser, parser.minor, status, this.method);
    if (length === INVALID_FRAMING) {
      return this.invalid('Content-Length and Transfer-Encoding do not tell one certain length', end);
    }
    this.reusable = length !== UNTIL_CLOSE && this.keepsAlive();
    this.bodyLength = length;
    this.bodyLeft = length;
    this.phase = BODY;
    const consumed = parser.consumed;
    if (length === CHUNKED) {
      if (this.decoder === null) this.decoder = new ChunkedDecoder();
      else this.decoder.reset();
    }
    if (length !== 0) {
      sink.onResponseHead(parser, length < 0 ? -1 : length);
      return consumed;
    }
    const next = this.afterAnswer(consumed, end);
    sink.onResponseHead(parser, 0);
    if (this.sink !== null) this.finish('');
    return next;
  }

  /**
   * An answer is complete at `position`: answers where reading goes on. One with bytes behind it that nobody asked for is one
   * to give, on a connection not to keep.
   */
  private afterAnswer(position: number, end: number): number {
    if (position === end || this.awaitsMore) return position;
    this.reusable = false;
    return end;
  }

  /** The sink detaches the connection, or aborts it. What follows the head in the same read is of the new protocol. */
  private switchTo(parser: ResponseParser, end: number): number {
    const sink = this.upgradeSink;
    if (sink === null) return this.invalid('101 Switching Protocols was not asked for', end);
    sink.onSwitchingProtocols(parser);
    if (this.tunnel === null) return end;
    // A parser that nobody needs any more is a good part of what an idle tunnel would cost.
    this.parser = NO_PARSER;
    return parser.consumed;
  }

  private keepsAlive(): boolean {
    const connection = fieldById(this.parser, FIELD.connection);
    if (connection === undefined) return this.parser.minor === 1;
    if (hasListMember(connection, 'close')) return false;
    return this.parser.minor === 1 || hasListMember(connection, 'keep-alive');
  }

  private readBody(start: number, end: number): number {
    if (this.bodyLength === CHUNKED) {
      const decoder = this.decoder as ChunkedDecoder;
      const result = decoder.execute(readBuffer, start, end, this);
      if (this.sink === null) return end;
      if (result === CHUNKED_INVALID) return this.invalid(decoder.detail, end);
      if (result !== CHUNKED_DONE) return end;
      const next = this.afterAnswer(decoder.consumed, end);
      this.finish(decoder.trailers);
      return next;
    }
    if (this.bodyLength === UNTIL_CLOSE) {
      this.onBodyBytes(readBuffer, start, end);
      return end;
    }
    const stop = Math.min(end, start + this.bodyLeft);
    this.bodyLeft -= stop - start;
    if (this.bodyLeft > 0) {
      this.onBodyBytes(readBuffer, start, stop);
      return stop;
    }
    const next = this.afterAnswer(stop, end);
    this.onBodyBytes(readBuffer, start, stop);
    if (this.sink !== null) this.finish('');
    return next;
  }

  onBodyBytes(bytes: Buffer, start: number, end: number): void {
    if (this.sink !== null) this.sink.onResponseBody(bytes, start, end);
  }

  protected finish(trailers: string): void {
    const sink = this.sink as ResponseSink;
    this.sink = null;
    this.upgradeSink = null;
    this.parser.reset();
    this.served++;
    // The last bytes may have filled the client: that is no concern of the next request's.
    this.resume();
    if (this.reusable && this.requestDone && this.phase !== CLOSED) {
      this.phase = IDLE;
      this.release();
    } else {
      this.phase = CLOSED;
      this.socket.destroy();
    }
    sink.onResponseEnd(trailers);
  }

  /** The connection may carry another request. */
  protected release(): void {
    this.owner.onReleased(this);
  }

  private invalid(detail: string, end: number): number {
    this.fail({ code: 'upstream_invalid_response', detail, stale: false, unprocessed: false });
    return end;
  }

  protected fail(failure: UpstreamFailure): void {
    const sink = this.sink;
    this.sink = null;
    this.reusable = false;
    this.socket.destroy();
    if (sink !== null) sink.onUpstreamFailed(failure);
  }

  private onEnd(): void {
    if (this.tunnel !== null) return this.tunnel.onEnd();
    // A reset that comes together with bytes is reported as an end by libuv, which then looks no further; the kernel
    // knows better: a connection that was reset has no peer any more.
    const reset = this.socket.remoteAddress === undefined;
    if (this.phase === BODY && this.bodyLength === UNTIL_CLOSE && this.sink !== null && !reset) this.finish('');
    else if (this.sink !== null) this.failReset('the upstream closed the connection');
    else this.socket.destroy();
  }

  private failReset(detail: string): void {
    if (this.served === 0 && !this.answerBegun && isHandshakeRefusal(this.fault)) {
      this.tls?.forgetSession();
      return this.fail({
        code: 'upstream_connect_failed',
        detail: `TLS handshake: ${this.fault}`,
        stale: false,
        unprocessed: true,
      });
    }
    const stale = this.served > 0 && !this.answerBegun;
    this.fail({ code: 'upstream_reset', detail, stale, unprocessed: false });
  }

  protected onClose(): void {
    const phase = this.phase;
    this.phase = CLOSED;
    this.owner.wheel.remove(this);
    if (this.tunnel !== null) this.tunnel.onClosed();
    else if (phase === CONNECTING) this.onConnectFailed();
    else {
      this.owner.onClosed(this);
      if (this.sink !== null) this.failReset(this.fault || 'the upstream closed the connection');
    }
  }

  private onConnectFailed(): void {
    const fault = this.fault || 'closed';
    this.tls?.forgetSession();
    this.owner.onConnectFailed(this, this.reached ? `TLS handshake: ${fault}` : fault);
  }

  onDeadline(): void {
    if (this.phase === CONNECTING) this.fault = this.reached ? 'timeout' : 'connect timeout';
    else if (this.phase !== IDLE) return;
    this.socket.destroy();
  }
}

function uncork(socket: Socket): void {
  socket.uncork();
}
