/**
 * One HTTP/1 connection of a client: reads requests one after another, and writes their answers in the same order.
 *
 * Longer than a room should be: it is the state machine of RFC 9112 section 9, whose parts share every field.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ErrorCode } from '../base/errors.ts';
import { Timed, type TimerWheel } from '../base/timer-wheel.ts';
import {
  type BodySink,
  CHUNKED_DONE,
  CHUNKED_INVALID,
  CHUNKED_TOO_LARGE,
  ChunkedDecoder,
} from '../http/chunked-decoder.ts';
import { FIELD } from '../http/field-name.ts';
import { countById, fieldById, hasListMember } from '../http/fields.ts';
import { CHUNKED, INVALID_FRAMING, requestFraming } from '../http/framing.ts';
import { HEAD_COMPLETE, type HeadParser, NEED_MORE } from '../http/head-parser.ts';
import { statusLine } from '../http/reason.ts';
import { RequestParser } from '../http/request-parser.ts';
import { hostOf, isAuthority, parseTarget, type Target } from '../http/target.ts';
import { type ClientCertificate, clientCertificateOf } from './client-certificate.ts';
import { addressOf, hasPeer } from './peer.ts';
import { readShared } from './shared-read.ts';
import { SocketTunnel } from './socket-tunnel.ts';
import { SocketWriter } from './socket-writer.ts';
import type { ClientLink, ClientStream, ListenerInfo, RequestHandler, RequestSink, Tunnel } from './stream.ts';

/** Limits of the connections of one listener; times in milliseconds, sizes in bytes. */
export interface ConnectionLimits {
  /** Requests at once on one HTTP/2 connection. */
  streams: number;
  requestHead: number;
  requestBody: number;
  headTimeout: number;
  bodyIdle: number;
  keepAlive: number;
}

/** What the connections of a listener share. */
export interface ConnectionContext {
  readonly listener: ListenerInfo;
  readonly handler: RequestHandler;
  readonly wheel: TimerWheel;
  readonly limits: ConnectionLimits;
  readonly onClosed: (connection: ClientLink) => void;
  /** False where the sockets cannot be made anew: they then read by themselves. */
  readonly sharedReads: boolean;
}

const IDLE = 0;
const HEAD = 1;
const BODY = 2;
/** The request is complete, its answer is not. */
const ANSWERING = 3;
/** The last answer is written; what still comes is thrown away, so that a reset does not destroy it. */
const LINGERING = 4;
const CLOSED = 5;
/** HTTP is given up: see `tunnel`. */
const SWITCHED = 6;

/** Bodies up to this size share a write with the head, in bytes. */
const COALESCE = 16 * 1024;
/** Pipelined bytes held before the client is paused. */
const STASH = 16 * 1024;
/** Bytes of a request's body thrown away for the sake of the connection, after an early answer. */
const DRAIN = 256 * 1024;
/** How long a connection waits for the client's end after its last answer has left this process, in milliseconds. */
const LINGER = 2000;
/** How long an idle connection of a listener that closes still takes a request, in milliseconds. */
const LAST_REQUEST = 250;
/**
 * A client that takes nothing for so long is gone, in milliseconds. Long, since the kernel says that there is room only
 * when a third of its own buffer is free, which takes a slow reader its time.
 */
const STALL = 120_000;

export class ClientConnection extends Timed implements ClientLink, ClientStream, BodySink {
  sink: RequestSink | null = null;
  memo: unknown = null;
  readonly listener: ListenerInfo;
  readonly remoteAddress: string;
  readonly clientCertificate: ClientCertificate | null;
  method = '';
  rawTarget = '';
  readonly target: Target = { path: '', query: '', hasQuery: false, authority: null };
  authority = '';
  host = '';
  minor = 1;
  bodyLength = 0;
  expectsContinue = false;
  bodyReceived = 0;
  readonly mustSwitch = false;

  private readonly context: ConnectionContext;
  private readonly socket: Socket;
  private readonly writer: SocketWriter;
  private readonly parser: RequestParser;
  private decoder: ChunkedDecoder | null = null;
  private phase = IDLE;
  private bodyLeft = 0;
  private drained = 0;
  private bodyPaused = false;
  private stash: Buffer | null = null;
  private feeding = false;
  /** The chunk under way holds more than the request that is being begun. */
  private moreInput = false;
  private halfClosed = false;
  private closing = false;
  private draining = false;
  // The answer under way.
  private out = '';
  private answered = false;
  private chunkedAnswer = false;
  private bodiless = false;
  private hostSeen: string | null = null;
  private tunnel: SocketTunnel | null = null;

  constructor(socket: Socket, context: ConnectionContext) {
    super();
    this.context = context;
    this.listener = context.listener;
    this.parser = new RequestParser(context.limits.requestHead);
    this.remoteAddress = addressOf(socket);
    this.clientCertificate = clientCertificateOf(socket);
    const { sharedReads } = context;
    this.socket = readShared(socket, (bytes, start, end) => this.feed(bytes, start, end), sharedReads);
    // The handle of TLS takes one write at a time, and only its `Writable` keeps to that.
    const direct = sharedReads && (socket as Partial<TLSSocket>).encrypted !== true;
    this.writer = new SocketWriter(this.socket, () => this.onDrain(), direct);
    this.socket.on('end', () => this.onEnd());
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => this.onClose());
    this.setDeadline(context.limits.headTimeout);
  }

  get head(): HeadParser {
    return this.parser;
  }

  get protocol(): string {
    return this.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  /** True when no request is being read or answered. */
  get idle(): boolean {
    return this.phase === IDLE;
  }

  /** True from the first byte of a request to the last one of its answer. */
  get busy(): boolean {
    return this.phase === HEAD || this.phase === BODY || this.phase === ANSWERING;
  }

  // Reading.

  /** Takes bytes that are only valid during the call. */
  private feed(chunk: Buffer, start: number, end: number): void {
    if (this.tunnel !== null) return this.tunnel.onRead(chunk, start, end);
    this.feeding = true;
    while (start < end) {
      if (this.phase <= HEAD) {
        // Who does not read answers gets no more of them: the rest waits for `drain`.
        if (this.phase === IDLE && this.writer.congested) {
          this.keepForLater(chunk, start, end);
          this.socket.pause();
          break;
        }
        const result = this.parser.execute(chunk, start, end);
        if (result === HEAD_COMPLETE) {
          start = this.parser.consumed;
          this.moreInput = start < end;
          this.startRequest();
          this.moreInput = false;
        } else if (result === NEED_MORE) {
          if (this.phase === IDLE) {
            this.phase = HEAD;
            this.setDeadline(this.context.limits.headTimeout);
          }
          break;
        } else {
          this.refuseHead(faultCode(this.parser.fault), this.parser.detail);
        }
      } else if (this.phase === BODY) {
        start = this.takeBody(chunk, start, end);
      } else if (this.phase === ANSWERING) {
        this.keepForLater(chunk, start, end);
        break;
      } else {
        this.discard(end - start);
        break;
      }
    }
    this.feeding = false;
    if (this.halfClosed && this.phase < ANSWERING) this.endInput();
  }

  private startRequest(): void {
    const parser = this.parser;
    this.method = parser.method;
    this.rawTarget = parser.target;
    this.minor = parser.minor;
    this.bodyReceived = 0;
    this.drained = 0;
    this.bodyLeft = 0;
    this.answered = false;
    this.chunkedAnswer = false;
    this.expectsContinue = false;
    this.bodiless = parser.method === 'HEAD';
    this.phase = ANSWERING;
    if (parser.minor < 0) return this.refuse('bad_request', 'only HTTP/1.x is spoken here');
    if (parser.method === 'CONNECT') return this.refuse('method_not_allowed', 'CONNECT is not served');
    if (!parseTarget(parser.method, parser.target, this.target)) {
      return this.refuse('bad_request', 'the request target is of no form that this server takes');
    }
    const hostFault = this.readHost();
    if (hostFault !== null) return this.refuse('bad_request', hostFault);
    const length = requestFraming(parser, parser.minor);
    if (length === INVALID_FRAMING) {
      return this.refuse('bad_request', 'Content-Length and Transfer-Encoding do not tell one certain length');
    }
    this.bodyLength = length;
    const connection = fieldById(parser, FIELD.connection);
    if (connection === undefined) this.closing = this.draining || parser.minor === 0;
    else {
      this.closing =
        this.draining ||
        hasListMember(connection, 'close') ||
        (parser.minor === 0 && !hasListMember(connection, 'keep-alive'));
    }
    if ((parser.seen & (1 << FIELD.expect)) !== 0 && parser.minor === 1) {
      if (fieldById(parser, FIELD.expect)?.toLowerCase() !== '100-continue') {
        return this.refuse('expectation_failed', 'the only expectation known is 100-continue');
      }
      this.expectsContinue = length !== 0;
    }
    if (length > this.context.limits.requestBody) {
      return this.refuse('payload_too_large', 'the declared body is larger than the limit');
    }
    if (length === 0) this.clearDeadline();
    else {
      this.phase = BODY;
      this.bodyLeft = length;
      if (length === CHUNKED) {
        this.decoder ??= new ChunkedDecoder();
        this.decoder.reset(this.context.limits.requestBody);
      }
      this.setDeadline(this.context.limits.bodyIdle);
    }
    this.context.handler.onRequest(this);
  }

  /** Host is required once in HTTP/1.1, never twice, and an absolute target overrules it (RFC 9112 section 3.2). */
  private readHost(): string | null {
    const parser = this.parser;
    const lines = countById(parser, FIELD.host);
    if (lines > 1) return 'Host is repeated';
    if (lines === 0 && parser.minor === 1) return 'Host is missing';
    let authority = '';
    if (lines === 1) {
      authority = fieldById(parser, FIELD.host) as string;
      if (authority !== this.hostSeen) {
        if (!isAuthority(authority)) return 'Host is not a valid host';
        this.hostSeen = authority;
        this.host = hostOf(authority);
      } else if (this.authority !== authority) this.host = hostOf(authority);
    } else this.host = '';
    if (this.target.authority !== null) {
      authority = this.target.authority;
      this.host = hostOf(authority);
    }
    this.authority = authority;
    return null;
  }

  private takeBody(chunk: Buffer, start: number, end: number): number {
    if (this.deadline !== 0) this.setDeadline(this.context.limits.bodyIdle);
    if (this.bodyLength !== CHUNKED) {
      const stop = Math.min(end, start + this.bodyLeft);
      this.bodyLeft -= stop - start;
      this.onBodyBytes(chunk, start, stop);
      if (this.bodyLeft === 0 && this.phase === BODY) this.finishBody('');
      return stop;
    }
    const decoder = this.decoder as ChunkedDecoder;
    const result = decoder.execute(chunk, start, end, this);
    if (this.phase !== BODY) return end;
    if (result === CHUNKED_INVALID || result === CHUNKED_TOO_LARGE) {
      this.faultBody(result === CHUNKED_INVALID ? 'bad_request' : 'payload_too_large', decoder.detail);
      return end;
    }
    if (result !== CHUNKED_DONE) return end;
    this.finishBody(decoder.trailers);
    return decoder.consumed;
  }

  /** Decoded bytes of the body; called by `takeBody` and by the decoder. */
  onBodyBytes(bytes: Buffer, start: number, end: number): void {
    if (this.phase !== BODY) return;
    this.bodyReceived += end - start;
    if (this.sink !== null) this.sink.onRequestBody(bytes, start, end);
    else if (this.answered) {
      this.drained += end - start;
      if (this.drained > DRAIN) this.linger();
    }
  }

  private finishBody(trailers: string): void {
    this.phase = ANSWERING;
    this.clearDeadline();
    // Paused for the body's sake; there is none any more, and the client's going away must be seen.
    if (this.bodyPaused) this.resumeBody();
    if (this.sink !== null) this.sink.onRequestEnd(trailers);
    else if (this.answered) this.next();
  }

  private faultBody(code: ErrorCode, detail: string): void {
    this.closing = true;
    this.phase = ANSWERING;
    this.clearDeadline();
    const sink = this.sink;
    if (sink !== null) sink.onRequestFault(code, detail);
    else if (this.answered) this.linger();
    else this.context.handler.onRefused(this, code, detail);
  }

  /** Refuses a head that was not read to its end: what the request before it had must not be taken for its own. */
  private refuseHead(code: ErrorCode, detail: string): void {
    this.method = '';
    this.rawTarget = '';
    this.authority = '';
    this.host = '';
    this.target.path = '';
    this.target.query = '';
    this.minor = 1;
    this.bodyLength = 0;
    this.bodyReceived = 0;
    this.bodiless = false;
    this.expectsContinue = false;
    this.refuse(code, detail);
  }

  private refuse(code: ErrorCode, detail: string): void {
    this.phase = ANSWERING;
    this.closing = true;
    this.answered = false;
    this.chunkedAnswer = false;
    this.clearDeadline();
    this.context.handler.onRefused(this, code, detail);
  }

  private keepForLater(chunk: Buffer, start: number, end: number): void {
    const rest = Buffer.from(chunk.subarray(start, end));
    this.stash = this.stash === null ? rest : Buffer.concat([this.stash, rest]);
    if (this.stash.length > STASH) this.socket.pause();
  }

  private discard(bytes: number): void {
    this.drained += bytes;
    if (this.drained > DRAIN) this.socket.destroy();
  }

  private onEnd(): void {
    this.halfClosed = true;
    if (this.tunnel !== null) return this.tunnel.onEnd();
    // Whoever ends its side may still read the answer; whoever resets does not.
    if (!hasPeer(this.socket)) return void this.socket.destroy();
    if (this.phase === LINGERING) this.socket.destroySoon();
    else if (this.phase !== ANSWERING) this.endInput();
  }

  /** Nothing more comes of what is being read; requests that came whole are still answered. */
  private endInput(): void {
    if (this.phase === HEAD) this.refuseHead('bad_request', 'the request ended within its head');
    else if (this.phase === BODY) this.faultBody('bad_request', 'the request ended within its body');
    else this.linger();
  }

  private onClose(): void {
    this.phase = CLOSED;
    this.stash = null;
    const sink = this.sink;
    this.sink = null;
    if (sink !== null) sink.onClientGone();
    this.tunnel?.onClosed();
    this.context.wheel.remove(this);
    this.context.onClosed(this);
  }

  private onDrain(): void {
    if (this.tunnel !== null) return this.tunnel.onDrain();
    if (this.phase === ANSWERING) this.clearDeadline();
    if (this.sink !== null) this.sink.onClientDrain();
    else if (this.phase === IDLE && !this.feeding) this.takeStash();
  }

  onDeadline(): void {
    if (this.phase === IDLE) this.linger();
    else if (this.phase === HEAD) this.refuseHead('request_timeout', 'the head did not come in time');
    else if (this.phase === BODY && !this.bodyPaused) this.faultBody('request_timeout', 'the body stalled');
    else if (this.phase === LINGERING) this.socket.destroy();
    else resetSocket(this.socket);
  }

  pauseBody(): void {
    if (this.bodyPaused || this.phase !== BODY) return;
    this.bodyPaused = true;
    // The client cannot send while it is paused: its clock stands still.
    this.clearDeadline();
    this.socket.pause();
  }

  bodyMayRest(): void {
    // Nobody converses over HTTP/1: the answer mostly waits for the whole request.
  }

  resumeBody(): void {
    if (!this.bodyPaused) return;
    this.bodyPaused = false;
    if (this.phase === BODY) this.setDeadline(this.context.limits.bodyIdle);
    this.socket.resume();
  }

  // Writing.

  closeAfter(): void {
    this.closing = true;
  }

  writeInformational(status: number, fields: string): void {
    if (this.minor === 0 || this.answered || this.phase === CLOSED) return;
    if (status === 100) this.expectsContinue = false;
    this.writer.write(`${statusLine(status)}${fields}\r\n`);
  }

  writeHead(status: number, fields: string, length: number): void {
    this.answered = true;
    // Who waits for 100 Continue and gets a final answer will not send the body: the connection has no next request.
    if (this.phase === BODY && (this.expectsContinue || this.bodyLength < 0 || this.bodyLeft > DRAIN))
      this.closing = true;
    if (status === 204 || status === 304) this.bodiless = true;
    let framing = '';
    if (length < 0 && !this.bodiless) {
      if (this.minor === 0) this.closing = true;
      else {
        this.chunkedAnswer = true;
        framing = 'Transfer-Encoding: chunked\r\n';
      }
    }
    if (this.halfClosed && this.stash === null && !this.moreInput && this.phase === ANSWERING) this.closing = true;
    if (this.closing) framing += 'Connection: close\r\n';
    else if (this.minor === 0) framing += 'Connection: keep-alive\r\n';
    this.out = `${statusLine(status)}${fields}${framing}\r\n`;
  }

  writeBody(bytes: Buffer, start: number, end: number): boolean {
    if (this.bodiless || this.phase === CLOSED || start === end) return true;
    const size = end - start;
    if (size + this.out.length <= COALESCE) {
      const text = bytes.toString('latin1', start, end);
      this.out += this.chunkedAnswer ? `${size.toString(16)}\r\n${text}\r\n` : text;
      return !this.writer.congested;
    }
    const socket = this.socket;
    socket.cork();
    if (this.chunkedAnswer) this.out += `${size.toString(16)}\r\n`;
    if (this.out !== '') socket.write(this.out, 'latin1');
    this.out = this.chunkedAnswer ? '\r\n' : '';
    // The bytes belong to a buffer that the next read of any upstream fills again.
    const more = socket.write(Buffer.from(bytes.subarray(start, end)));
    socket.uncork();
    return more || this.awaitDrain();
  }

  flush(): void {
    if (this.out === '') return;
    const text = this.out;
    this.out = '';
    if (this.phase !== CLOSED && !this.writer.write(text)) this.awaitDrain();
  }

  private awaitDrain(): false {
    if (this.phase === ANSWERING) this.setDeadline(STALL);
    return false;
  }

  end(trailers: string): void {
    this.sink = null;
    if (this.phase === CLOSED) return;
    if (this.chunkedAnswer && !this.bodiless) this.out += `0\r\n${trailers}\r\n`;
    this.flush();
    if (this.closing) this.linger();
    else if (this.phase === ANSWERING) this.next();
    else if (this.bodyPaused) this.resumeBody();
  }

  abort(): void {
    this.sink = null;
    this.out = '';
    if (this.phase === CLOSED) return;
    if (this.chunkedAnswer) {
      // The missing last chunk tells the client; a reset would take back what it has not read yet.
      this.linger();
      return;
    }
    this.phase = LINGERING;
    this.clearDeadline();
    resetSocket(this.socket);
  }

  switchProtocols(protocol: string, fields: string): Tunnel {
    const early = this.stash;
    this.stash = null;
    this.sink = null;
    this.phase = SWITCHED;
    this.context.wheel.remove(this);
    this.writer.write(`${statusLine(101)}${fields}Upgrade: ${protocol}\r\nConnection: Upgrade\r\n\r\n`);
    this.tunnel = new SocketTunnel(this.socket, this.writer, early, this.halfClosed);
    // It may be paused for what came early.
    if (early !== null) this.socket.resume();
    return this.tunnel;
  }

  // Between requests.

  private next(): void {
    this.phase = IDLE;
    this.parser.reset();
    this.setDeadline(this.context.limits.keepAlive);
    if (!this.feeding && !this.writer.congested) this.takeStash();
  }

  private takeStash(): void {
    if (this.stash === null) {
      if (this.halfClosed) this.linger();
      return;
    }
    const stash = this.stash;
    this.stash = null;
    this.socket.resume();
    this.feed(stash, 0, stash.length);
  }

  private linger(): void {
    this.phase = LINGERING;
    this.sink = null;
    this.drained = 0;
    this.stash = null;
    if (this.halfClosed) {
      this.socket.destroySoon();
      return;
    }
    this.bodyPaused = false;
    this.setDeadline(STALL);
    this.socket.end(() => this.setLinger());
    this.socket.resume();
  }

  private setLinger(): void {
    if (this.phase === LINGERING) this.setDeadline(LINGER);
  }

  /** Ends a busy connection after its answer, and an idle one soon. */
  close(): void {
    this.draining = true;
    // A request may be on its way: whoever sends it is told by its answer, and not by a closed connection.
    if (this.phase === IDLE) this.setDeadline(LAST_REQUEST);
    else this.closing = true;
  }

  /** Ends the connection whatever it does. */
  destroy(): void {
    this.socket.destroy();
  }

  private setDeadline(milliseconds: number): void {
    this.context.wheel.scheduleIn(this, milliseconds);
  }

  private clearDeadline(): void {
    this.context.wheel.cancel(this);
  }
}

/** Ends a connection so that the peer cannot take what it has for complete: a reset, or the lack of TLS's own end. */
function resetSocket(socket: Socket): void {
  if ((socket as Partial<TLSSocket>).encrypted === true) socket.destroy();
  else socket.resetAndDestroy();
}

function faultCode(fault: HeadParser['fault']): ErrorCode {
  if (fault === 'start_line_too_long') return 'uri_too_long';
  return fault === 'head_too_large' ? 'request_head_too_large' : 'bad_request';
}
