/** One HTTP/2 connection of a client (RFC 9113): its streams, its end, and what it is refused for. */
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { LeakyBucket } from '../base/leaky-bucket.ts';
import { Timed } from '../base/timer-wheel.ts';
import { RequestParser } from '../http/request-parser.ts';
import { type ClientCertificate, clientCertificateOf } from './client-certificate.ts';
import type { ConnectionContext } from './client-connection.ts';
import { Http2Stream, type StreamKit, type StreamOwner } from './http2-stream.ts';
import { addressOf } from './peer.ts';
import type { ClientLink } from './stream.ts';

/** Octets of a body that a client may send before it is told that there is room for more, by stream and in all. */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 1024 * 1024;
/** Memory that the library may hold for one connection, in megabytes. */
const SESSION_MEMORY = 16;
const INVALID_FRAMES = 100;
/** Streams that a client may give up at once, and after that by second: each is work that nobody wanted (CVE-2023-44487). */
const RESETS = 500;
const RESET_RATE = 30;
/**
 * Pings and settings, which the library answers however many come, as long as they come slowly enough to be read. Clients of
 * gRPC measure by pings, one for each round trip while they receive: that may be thousands a second.
 */
const CONTROL_FRAMES = 10_000;
const CONTROL_RATE = 5000;
/** What the library calls an attack in its messages; it has no codes for them. */
const FLOOD = /flood|too many/i;
/** How long a client has to learn that no new streams are taken before they are refused, in milliseconds. */
const LAST_REQUESTS = 250;

type Destroy = (error?: Error, code?: number) => void;

// Numbers of nghttp2's errors, which the library's errors carry as `errno`.
const PROTOCOL = -505;
const FLOW_CONTROL = -524;
const CODES: ReadonlyMap<number, number> = new Map([
  [-510, constants.NGHTTP2_STREAM_CLOSED],
  [-903, constants.NGHTTP2_PROTOCOL_ERROR],
]);
/** How often a connection is given time to show that it is sound, and how long each time, in milliseconds. */
const MOST_DOUBTS = 10;
const ANSWER_TIME = 100;
/** How often a connection with streams is looked at in the time that one without is kept. */
const LOOKS = 4;
const MOST_SILENT_LOOKS = 8;

export class Http2Connection extends Timed implements ClientLink, StreamOwner {
  readonly context: ConnectionContext;
  readonly remoteAddress: string;
  readonly clientCertificate: ClientCertificate | null;
  private readonly session: ServerHttp2Session;
  private readonly socket: Socket;
  private readonly kits: StreamKit[] = [];
  private streams = 0;
  private doubts = 0;
  /** Frames that showed that the codec reads. */
  private signs = 0;
  /** Octets that had come when it was last looked at, and how often there were no more. */
  private bytesHeard = 0;
  private silentLooks = 0;
  private readonly resets: LeakyBucket;
  private readonly controlFrames: LeakyBucket;
  private draining = false;
  private closed = false;

  constructor(socket: Socket, context: ConnectionContext) {
    super();
    this.context = context;
    this.remoteAddress = addressOf(socket);
    this.socket = socket;
    this.clientCertificate = clientCertificateOf(socket);
    const now = context.wheel.now();
    this.resets = new LeakyBucket(RESETS, RESET_RATE, now);
    this.controlFrames = new LeakyBucket(CONTROL_FRAMES, CONTROL_RATE, now);
    const { limits } = context;
    // Who ends its side has nothing more to ask, and takes no answers: streams cannot outlive it.
    socket.allowHalfOpen = false;
    this.session = performServerHandshake(socket, {
      maxSessionMemory: SESSION_MEMORY,
      maxHeaderListPairs: 256,
      maxSendHeaderBlockLength: 1024 * 1024,
      maxOutstandingPings: 10,
      maxSessionInvalidFrames: INVALID_FRAMES,
      settings: {
        maxConcurrentStreams: limits.streams,
        initialWindowSize: STREAM_WINDOW,
        maxHeaderListSize: limits.requestHead,
        enablePush: false,
        enableConnectProtocol: true,
      },
    });
    const { session } = this;
    const destroy = session.destroy.bind(session);
    session.destroy = (error?: Error, code?: number) => this.onLibraryFault(destroy, error, code);
    session.setLocalWindowSize(CONNECTION_WINDOW);
    // What came stands in the fourth argument as names and values in turns, which the types do not know yet.
    session.on('stream', (stream: ServerHttp2Stream, ...[, flags, fields]: [object, number, string[]]) =>
      this.onStream(stream, flags, fields),
    );
    session.on('ping', () => {
      this.signs++;
      this.count(this.controlFrames, 'too many pings');
    });
    session.on('remoteSettings', () => this.count(this.controlFrames, 'too many settings'));
    session.on('error', (error: Error) => this.onFault(error));
    session.on('close', () => this.onClose());
    this.rest();
  }

  private onStream(stream: ServerHttp2Stream, flags: number, fields: readonly string[]): void {
    this.signs++;
    if (this.streams++ === 0) this.context.wheel.scheduleIn(this, this.context.limits.keepAlive / LOOKS);
    const kit = this.kits.pop() ?? { parser: new RequestParser(this.context.limits.requestHead), memo: null };
    new Http2Stream(stream, this, kit).begin(fields, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
  }

  onStreamEnd(kit: StreamKit | null, givenUp: boolean): void {
    this.streams--;
    if (givenUp) this.count(this.resets, 'too many streams given up');
    if (kit !== null) {
      kit.parser.reset();
      this.kits.push(kit);
    }
    if (this.streams === 0) this.rest();
  }

  private count(bucket: LeakyBucket, fault: string): void {
    if (!bucket.pour(this.context.wheel.now()) || this.session.destroyed) return;
    this.session.destroy(new Error(fault), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  private rest(): void {
    if (!this.closed)
      this.context.wheel.scheduleIn(this, this.draining ? LAST_REQUESTS : this.context.limits.keepAlive);
  }

  onDeadline(): void {
    if (this.draining || this.streams === 0) this.session.close();
    else this.look();
  }

  /**
   * Who is not heard of for long is asked for a sign, and given up when there is none: a client that vanished, and on Node.js
   * 20 one whose fault made the codec say goodbye, after which it reads nothing, not even the client's end.
   */
  private look(): void {
    const { session, socket } = this;
    this.context.wheel.scheduleIn(this, this.context.limits.keepAlive / LOOKS);
    const { bytesRead } = socket;
    if (bytesRead !== this.bytesHeard) {
      this.bytesHeard = bytesRead;
      this.silentLooks = 0;
    } else if (++this.silentLooks <= MOST_SILENT_LOOKS) session.ping(noop);
    else session.destroy(new Error('nothing was heard of the client'));
  }

  /**
   * The library cuts a connection for whatever its codec reports, before the codec has sent the frame that says why. Given a
   * moment, it does; and an acknowledgement of a ping that was never sent, which it reports too, is no reason at all
   * (RFC 9113 section 6.7).
   */
  private onLibraryFault(destroy: Destroy, error: (Error & { errno?: number }) | undefined, code?: number): void {
    if (error?.errno === FLOW_CONTROL) {
      setImmediate(() => destroy(error, constants.NGHTTP2_FLOW_CONTROL_ERROR));
    } else if (error?.errno === PROTOCOL && ++this.doubts <= MOST_DOUBTS) {
      const giveUp = (): void => destroy(error, constants.NGHTTP2_PROTOCOL_ERROR);
      const signs = this.signs;
      setTimeout(() => {
        if (this.signs === signs) this.askForSign(giveUp);
      }, ANSWER_TIME);
    } else destroy(error, code ?? CODES.get(error?.errno ?? 0));
  }

  /** After a real fault the codec reads no more, and so never hears the answer. */
  private askForSign(giveUp: () => void): void {
    if (this.closed) return;
    const timer = setTimeout(giveUp, ANSWER_TIME);
    this.session.ping((failed) => {
      if (failed === null) clearTimeout(timer);
    });
  }

  private onFault(error: Error): void {
    const { handler, listener } = this.context;
    const fault = FLOOD.test(error.message) ? 'http2_flood' : 'http2_protocol';
    handler.onConnectionFault(listener, this.remoteAddress, fault, error.message);
  }

  private onClose(): void {
    this.closed = true;
    this.context.wheel.remove(this);
    this.context.onClosed(this);
  }

  /** Tells the client that no new streams are taken; those that are on their way still are, for a moment (RFC 9113 section 6.8). */
  close(): void {
    if (this.draining || this.closed) return;
    this.draining = true;
    this.session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    this.context.wheel.scheduleIn(this, LAST_REQUESTS);
  }

  destroy(): void {
    this.session.destroy();
  }
}

function noop(): void {
  // The answer is heard as octets.
}
