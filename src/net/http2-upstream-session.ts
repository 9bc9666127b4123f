/** One HTTP/2 connection to an endpoint, under TLS or by prior knowledge, and the requests that it carries at once. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { formatAddress } from '../base/address.ts';
import { Timed } from '../base/timer-wheel.ts';
import { RESPONSE_HEAD } from './answer-limits.ts';
import { Http2UpstreamRequest, type StreamCarrier } from './http2-upstream-request.ts';
import type { ConnectionOwner } from './upstream.ts';
import type { UpstreamTls } from './upstream-tls.ts';

/** Where a connection leads and what it reports to. */
export interface SessionOwner extends ConnectionOwner {
  /** Most requests at once on one connection. */
  readonly streams: number;
  onConnected(session: Http2UpstreamSession): void;
  onConnectFailed(session: Http2UpstreamSession, detail: string): void;
  /** One more request may be sent than before. */
  onRoom(session: Http2UpstreamSession): void;
  /** It takes no new requests; those that it has may end. */
  onRetired(session: Http2UpstreamSession): void;
  onClosed(session: Http2UpstreamSession): void;
}

/** Octets of an answer that may be under way to a client that reads slowly, and on the whole connection. */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 1024 * 1024;
/** Memory that the library may hold for one connection, in megabytes. */
const SESSION_MEMORY = 32;
/** Fields of one answer. */
const MAX_FIELDS = 1000;
/** Requests on one connection; a stream's number has 31 bits, of which a client has every other one. */
const MAX_REQUESTS = 2 ** 30 - 1;

const CONNECTING = 0;
const OPEN = 1;
/** Takes no new requests. */
const RETIRED = 2;
const CLOSED = 3;

export class Http2UpstreamSession extends Timed implements StreamCarrier {
  /** What it was made with. */
  readonly tls: UpstreamTls | null;
  readonly scheme: 'http' | 'https';
  answers = 0;
  /** Requests that have not ended. */
  active = 0;
  private readonly owner: SessionOwner;
  private readonly socket: Socket;
  private session: ClientHttp2Session | null = null;
  private phase = CONNECTING;
  private reached = false;
  /** What the endpoint allows. */
  private limit = 0;
  /** How many it had when it refused one more; of no account when it has rested since. */
  private refusedAt = Number.POSITIVE_INFINITY;
  private sent = 0;
  /** `answers` when the first of the active requests was sent. */
  private answersAtRest = 0;
  /** The last stream that the endpoint will answer, once it says that there is one. */
  private lastStream = Number.POSITIVE_INFINITY;
  private doubted = false;
  private fault = '';

  constructor(owner: SessionOwner) {
    super();
    this.owner = owner;
    const { host, port, tls } = owner;
    this.tls = tls;
    this.scheme = tls === null ? 'http' : 'https';
    const how = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    this.socket = tls === null ? connectSocket(how) : tls.connect();
    this.socket.on('connect', () => (this.reached = true));
    this.socket.on(tls === null ? 'connect' : 'secureConnect', () => this.onSocket());
    this.socket.on('error', (error: Error) => this.blame(error));
    this.socket.on('close', () => {
      if (this.session === null) this.onClose();
    });
    owner.wheel.scheduleIn(this, owner.connectTimeout);
  }

  private onSocket(): void {
    if (this.tls !== null && (this.socket as TLSSocket).alpnProtocol !== 'h2') {
      this.fault = 'h2 was not agreed on by ALPN';
      this.socket.destroy();
      return;
    }
    const { host, port } = this.owner;
    const session = connect(`${this.scheme}://${formatAddress({ host, port })}`, {
      createConnection: () => this.socket,
      maxSessionMemory: SESSION_MEMORY,
      maxHeaderListPairs: MAX_FIELDS,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: RESPONSE_HEAD },
    });
    this.session = session;
    // The endpoint's settings say that it speaks HTTP/2, and how many requests it takes at once.
    session.on('remoteSettings', ({ maxConcurrentStreams }) => this.onSettings(maxConcurrentStreams));
    session.on('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW));
    session.on('goaway', (_code: number, lastStream: number) => this.onGoaway(lastStream));
    session.on('error', (error: Error) => this.blame(error));
    session.on('close', () => this.onClose());
  }

  private blame(error: NodeJS.ErrnoException): void {
    this.fault ||= error.code === 'ERR_HTTP2_ERROR' || error.code === undefined ? error.message : error.code;
  }

  private onSettings(maxConcurrentStreams = Number.POSITIVE_INFINITY): void {
    this.limit = maxConcurrentStreams;
    if (this.phase === CONNECTING) {
      this.owner.wheel.cancel(this);
      this.phase = OPEN;
      this.owner.onConnected(this);
      if (this.idle) this.rest();
    } else if (this.hasRoom) this.owner.onRoom(this);
  }

  // Requests.

  /** Requests that it takes at once. */
  get capacity(): number {
    return Math.min(this.limit, this.owner.streams, this.refusedAt);
  }

  get hasRoom(): boolean {
    const { session } = this;
    return this.phase === OPEN && this.active < this.capacity && session !== null && !session.closed;
  }

  /** True while it rests. */
  get idle(): boolean {
    return this.phase === OPEN && this.active === 0;
  }

  /** A place for one request. */
  take(): Http2UpstreamRequest {
    if (this.active++ === 0) {
      this.answersAtRest = this.answers;
      if (!this.doubted) this.owner.wheel.cancel(this);
    }
    return new Http2UpstreamRequest(this);
  }

  open(fields: OutgoingHttpHeaders, endStream: boolean, waitForTrailers: boolean): ClientHttp2Stream {
    const stream = (this.session as ClientHttp2Session).request(fields, { endStream, waitForTrailers });
    if (++this.sent >= MAX_REQUESTS) this.retire();
    return stream;
  }

  onRequestEnd(): void {
    this.active--;
    if (this.phase === OPEN) {
      if (this.active === 0) {
        this.refusedAt = Number.POSITIVE_INFINITY;
        this.rest();
      }
      this.owner.onRoom(this);
    } else if (this.active === 0) this.close();
  }

  /** Called when nobody wants it at once. */
  private rest(): void {
    if (!this.doubted) this.owner.wheel.scheduleIn(this, this.owner.idleTimeout);
  }

  onRefused(): void {
    // With nothing else on it, it would refuse the next one, too.
    if (this.active <= 1) this.retire();
    else this.refusedAt = this.active - 1;
  }

  leftOut(stream: number): boolean {
    return stream > this.lastStream;
  }

  wasStale(answersBefore: number): boolean {
    const gone = this.phase === CLOSED || this.session === null || this.session.destroyed;
    return gone && answersBefore > 0 && this.answers === this.answersAtRest;
  }

  /**
   * A connection that is silently lost, or that the library has given up without a word, would swallow every other
   * request, too: it must answer a ping within the time to connect.
   */
  doubt(): void {
    const { session, owner } = this;
    if (this.doubted || this.phase === CLOSED || session === null || session.destroyed) return;
    const asked = session.ping(() => {
      this.doubted = false;
      if (this.phase === CLOSED) return;
      owner.wheel.cancel(this);
      if (this.idle) this.rest();
    });
    if (!asked) return;
    this.doubted = true;
    owner.wheel.scheduleIn(this, owner.connectTimeout);
  }

  describeEnd(code: number): string {
    if (this.fault !== '') return this.fault;
    if (code !== 0 && this.session?.destroyed === false) return `the stream was reset with code ${code}`;
    return 'the upstream closed the connection';
  }

  // The end.

  private onGoaway(lastStream: number): void {
    this.lastStream = Math.min(this.lastStream, lastStream);
    this.retire();
  }

  /** Takes no new requests, and closes when those that it has have ended. */
  retire(): void {
    if (this.phase !== OPEN) return;
    this.phase = RETIRED;
    if (!this.doubted) this.owner.wheel.cancel(this);
    this.owner.onRetired(this);
    if (this.active === 0) this.close();
  }

  /** Ends it and whatever it still carries. */
  close(): void {
    if (this.session === null) this.socket.destroy();
    else this.session.destroy();
  }

  private onClose(): void {
    const { phase, owner } = this;
    if (phase === CLOSED) return;
    this.phase = CLOSED;
    owner.wheel.remove(this);
    if (phase === CONNECTING) this.onConnectFailed();
    else {
      if (phase === OPEN) owner.onRetired(this);
      owner.onClosed(this);
    }
  }

  private onConnectFailed(): void {
    this.tls?.forgetSession();
    const fault = this.fault || 'closed';
    let stage = '';
    if (this.session !== null) stage = 'HTTP/2: ';
    else if (this.reached && this.tls !== null) stage = 'TLS handshake: ';
    this.owner.onConnectFailed(this, stage + fault);
  }

  onDeadline(): void {
    if (this.phase === CONNECTING) this.fault = this.reached ? 'timeout' : 'connect timeout';
    else if (this.doubted) this.fault = 'the connection is lost';
    else if (this.active > 0) return;
    this.close();
  }
}
