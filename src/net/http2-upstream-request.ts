/** One request on an HTTP/2 connection to an endpoint: a stream (RFC 9113 section 8), behind the same contract as HTTP/1.1. */
import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import { CHUNKED, INVALID_FRAMING, responseFraming } from '../http/framing.ts';
import { ResponseParser } from '../http/response-parser.ts';
import { MAX_INFORMATIONAL, RESPONSE_HEAD } from './answer-limits.ts';
import { trailerFields, trailerText } from './http2-fields.ts';
import { readResponse, requestFields } from './http2-upstream-fields.ts';
import type { ResponseSink, UpstreamFailure } from './stream.ts';
import type { UpstreamRequest } from './upstream.ts';

const {
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_FLAG_END_STREAM,
  NGHTTP2_NO_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

/** A head is passed on before the next one is read. */
const parser = new ResponseParser(RESPONSE_HEAD);

/** The connection, as its requests know it. */
export interface StreamCarrier {
  readonly scheme: string;
  /** Heads of answers that it has brought. */
  answers: number;
  /** Throws when nothing can be sent any more. */
  open(fields: OutgoingHttpHeaders, endStream: boolean, waitForTrailers: boolean): ClientHttp2Stream;
  /** A request is over, and its place is free. */
  onRequestEnd(): void;
  /** The endpoint took no more than it has. */
  onRefused(): void;
  /** True when the endpoint has said that it did not look at this stream (RFC 9113 section 6.8). */
  leftOut(stream: number): boolean;
  /** True when the connection had rested and then brought nothing more. */
  wasStale(answersBefore: number): boolean;
  /** Why a stream has ended that was reset with this code, or not at all. */
  describeEnd(code: number): string;
  /** A request was given up, and nothing has come since it was sent. */
  doubt(): void;
  /** Takes no new requests. */
  retire(): void;
}

/** A stream, and the request that it carries: callbacks find it there and need no closure each. */
interface CarryingStream extends ClientHttp2Stream {
  request: Http2UpstreamRequest;
}

export class Http2UpstreamRequest implements UpstreamRequest {
  private readonly session: StreamCarrier;
  private stream: CarryingStream | null = null;
  private sink: ResponseSink | null = null;
  private method = '';
  private requestTrailers = '';
  private requestDone = false;
  private waitsForTrailers = false;
  /** Given up after its answer, and to be reset in place of its trailers. */
  private left = false;
  private answered = false;
  private informational = 0;
  /** What is left of the body that the head declared; below zero when it declared none. */
  private bodyLeft = -1;
  private trailers = '';
  /** The endpoint has ended the stream, in peace. */
  private ended = false;
  private readPending = false;
  /** How many answers the connection had brought when this was sent. */
  private answersBefore = 0;

  constructor(session: StreamCarrier) {
    this.session = session;
  }

  // The request.

  get inTurn(): boolean {
    return true;
  }

  send(sink: ResponseSink, method: string, head: string, length: number): void {
    const { session } = this;
    this.sink = sink;
    this.method = method;
    this.requestDone = length === 0;
    this.answersBefore = session.answers;
    let stream: CarryingStream;
    try {
      stream = session.open(requestFields(head, session.scheme), length === 0, length === CHUNKED) as CarryingStream;
    } catch {
      // It went away between being chosen and now: nothing was sent. The caller is not done with sending yet.
      session.retire();
      process.nextTick(failUnsent, this);
      return;
    }
    this.stream = stream;
    stream.request = this;
    stream.push = onPush;
    stream.on('error', ignore);
    stream.on('headers', onHeaders as () => void);
    stream.on('response', onResponse as () => void);
    stream.on('close', onClose);
    if (length === 0) return;
    stream.on('drain', onDrain);
    this.waitsForTrailers = length === CHUNKED;
    if (this.waitsForTrailers) stream.on('wantTrailers', onWantTrailers);
  }

  sendBody(bytes: Buffer): boolean {
    const { stream } = this;
    return stream === null || stream.destroyed || stream.closed || stream.write(bytes);
  }

  endBody(trailers: string): void {
    const { stream } = this;
    if (this.requestDone) return;
    this.requestDone = true;
    this.requestTrailers = trailers;
    if (stream !== null && !stream.destroyed && !stream.closed) stream.end();
  }

  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  abort(): void {
    const { stream, sink } = this;
    this.sink = null;
    if (stream === null) {
      // Before `send`, or when it could not be sent.
      if (sink === null) this.session.onRequestEnd();
      return;
    }
    if (!this.answered && this.session.answers === this.answersBefore) this.session.doubt();
    this.cancel();
  }

  private cancel(): void {
    const { stream } = this;
    if (stream === null || stream.destroyed) return;
    stream.close(NGHTTP2_CANCEL);
    // What waits to be read by nobody must not hold the stream open.
    stream.resume();
  }

  /**
   * Breaks a request off whose answer is complete. The library does not survive a reset in place of the trailers that it
   * was told to wait for (an assertion of Node.js 26): where it would ask for them at once, the reset is what it is given.
   */
  private leave(): void {
    const { stream } = this;
    if (stream === null || !this.waitsForTrailers || stream.writableLength > 0 || stream.destroyed || stream.closed) {
      this.cancel();
      return;
    }
    this.left = true;
    stream.end();
  }

  onDrain(): void {
    this.sink?.onUpstreamDrain();
  }

  sendTrailers(): void {
    if (this.left) this.cancel();
    else this.stream?.sendTrailers(trailerFields(this.requestTrailers));
  }

  // The answer.

  onHeaders(fields: readonly string[]): void {
    const { sink } = this;
    if (sink === null) return;
    const fault = readResponse(parser, fields, false);
    if (fault !== '') return this.invalid(fault);
    if (parser.status === 101) return this.invalid('101 Switching Protocols is not of HTTP/2');
    if (++this.informational > MAX_INFORMATIONAL) return this.invalid('too many interim answers');
    this.session.answers++;
    sink.onInformational(parser);
  }

  onResponse(flags: number, fields: readonly string[]): void {
    const { sink, stream } = this;
    this.session.answers++;
    if (sink === null || stream === null) return;
    const empty = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    const fault = readResponse(parser, fields, empty && this.method !== 'HEAD');
    if (fault !== '') return this.invalid(fault);
    const { status } = parser;
    if (status < 200) return this.invalid('an interim answer ends the stream');
    const length = responseFraming(parser, 1, status, this.method);
    if (length === INVALID_FRAMING) return this.invalid('Content-Length does not tell one certain length');
    if (empty && length > 0) return this.invalid('the body is shorter than Content-Length');
    this.answered = true;
    this.bodyLeft = length < 0 ? -1 : length;
    sink.onResponseHead(parser, length < 0 ? -1 : length);
    if (empty) {
      stream.resume();
      this.finish();
      return;
    }
    if (this.sink === null) return;
    stream.on('trailers', onTrailers as () => void);
    stream.on('end', onEnd);
    stream.on('data', onData);
  }

  onData(chunk: Buffer): void {
    const { sink } = this;
    if (sink === null) return;
    const { length } = chunk;
    if (this.bodyLeft >= 0) {
      if (length > this.bodyLeft) return this.invalid('the body is longer than Content-Length');
      this.bodyLeft -= length;
    }
    sink.onResponseBody(chunk, 0, length);
    if (this.readPending) return;
    // All frames of one read come before this does.
    this.readPending = true;
    setImmediate(tellReadEnd, this);
  }

  onReadEnd(): void {
    this.readPending = false;
    this.sink?.onReadEnd();
  }

  onTrailers(fields: readonly string[]): void {
    if (this.sink === null) return;
    const text = trailerText(fields);
    if (typeof text === 'string') this.trailers = text;
    else this.invalid(text.fault);
  }

  /** Nothing more of the body can be read. */
  onEnd(): void {
    if (this.sink === null || !this.ended) return;
    if (this.bodyLeft > 0) this.invalid('the body is shorter than Content-Length');
    else this.finish();
  }

  onPush(chunk: unknown): void {
    const { stream } = this;
    if (chunk !== null || stream === null) return;
    // Node.js as a server now and then resets for no reason where the flag for the end is due: it has said all.
    if (!stream.closed || (!stream.destroyed && stream.rstCode === NGHTTP2_NO_ERROR)) this.ended = true;
    // The head may be under way to `onResponse`.
    if (!this.answered) process.nextTick(tellUnanswered, this);
  }

  /** What ends without a head is read by nobody, and the library would wait for that. */
  onUnanswered(): void {
    if (this.answered || this.stream === null) return;
    if (this.ended) this.invalid('the stream ended without a head');
    else this.stream.resume();
  }

  private finish(): void {
    const { sink } = this;
    if (sink === null) return;
    this.sink = null;
    // A body that the endpoint did not wait for is of no use to it.
    if (!this.requestDone) this.leave();
    sink.onResponseEnd(this.trailers);
  }

  // What goes wrong.

  private invalid(detail: string): void {
    this.cancel();
    this.fail({ code: 'upstream_invalid_response', detail, stale: false, unprocessed: false });
  }

  private fail(failure: UpstreamFailure): void {
    const { sink } = this;
    this.sink = null;
    if (sink !== null) sink.onUpstreamFailed(failure);
  }

  onUnsent(): void {
    this.session.onRequestEnd();
    this.fail({ code: 'upstream_reset', detail: 'the connection closed', stale: false, unprocessed: true });
  }

  /** The stream is over, for whatever reason: its place on the connection is free. */
  onClose(): void {
    const { session } = this;
    const stream = this.stream as CarryingStream;
    const code = stream.rstCode ?? 0;
    const unprocessed = !this.answered && (code === NGHTTP2_REFUSED_STREAM || session.leftOut(stream.id ?? 0));
    if (code === NGHTTP2_REFUSED_STREAM) session.onRefused();
    const stale = !this.answered && session.wasStale(this.answersBefore);
    session.onRequestEnd();
    if (this.sink === null) return;
    if (code === NGHTTP2_PROTOCOL_ERROR || code === NGHTTP2_ENHANCE_YOUR_CALM) {
      // Which side found the fault cannot be told.
      const name = code === NGHTTP2_PROTOCOL_ERROR ? 'PROTOCOL_ERROR' : 'ENHANCE_YOUR_CALM';
      const detail = `the stream was ended with ${name}`;
      this.fail({ code: 'upstream_invalid_response', detail, stale: false, unprocessed: false });
      return;
    }
    this.fail({ code: 'upstream_reset', detail: session.describeEnd(code), stale, unprocessed });
  }
}

function onHeaders(this: CarryingStream, _headers: object, _flags: number, fields: readonly string[]): void {
  this.request.onHeaders(fields);
}

function onResponse(this: CarryingStream, _headers: object, flags: number, fields: readonly string[]): void {
  this.request.onResponse(flags, fields);
}

function onTrailers(this: CarryingStream, _headers: object, _flags: number, fields: readonly string[]): void {
  this.request.onTrailers(fields);
}

function onData(this: CarryingStream, chunk: Buffer): void {
  this.request.onData(chunk);
}

function onEnd(this: CarryingStream): void {
  this.request.onEnd();
}

function onDrain(this: CarryingStream): void {
  this.request.onDrain();
}

function onWantTrailers(this: CarryingStream): void {
  this.request.sendTrailers();
}

function onClose(this: CarryingStream): void {
  this.request.onClose();
}

/**
 * The library ends a stream that was reset, or lost with its connection, as it ends one that is complete. Only at this
 * moment can they be told apart: a stream that is closed already was not ended by the endpoint.
 */
function onPush(this: CarryingStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  this.request.onPush(chunk);
  return Readable.prototype.push.call(this, chunk, encoding);
}

function tellReadEnd(request: Http2UpstreamRequest): void {
  request.onReadEnd();
}

function tellUnanswered(request: Http2UpstreamRequest): void {
  request.onUnanswered();
}

function failUnsent(request: Http2UpstreamRequest): void {
  request.onUnsent();
}

function ignore(): void {
  // What went wrong is told by the stream's close.
}
