/** The contract between the forward path and the connections to an endpoint, whatever protocol they speak. */
import type { ErrorCode } from '../base/errors.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { ResponseSink, Tunnel, UpgradeSink } from './stream.ts';
import type { UpstreamTls, UpstreamTlsOptions } from './upstream-tls.ts';

/** The way of one request to an upstream and of its answer back: a connection of its own, or a stream of one. */
export interface UpstreamRequest {
  /** False while the endpoint owes answers to others before this one: its silence says nothing of this request. */
  readonly inTurn: boolean;
  /**
   * Sends a head as HTTP/1.1 writes it, to be put into the words of the protocol. `length` is that of the body to follow:
   * 0 for none, `CHUNKED` for one whose length is not known.
   */
  send(sink: ResponseSink, method: string, head: string, length: number): void;
  /** False when no more should come before `onUpstreamDrain`. The bytes must stay as they are: they are not copied. */
  sendBody(bytes: Buffer): boolean;
  /** `trailers` are field lines, `''` when there are none; they are only sent after a body of unknown length. */
  endBody(trailers: string): void;
  /** No more of the answer's body should come until `resume`. */
  pause(): void;
  resume(): void;
  /** Gives the request up: its sink hears no more. */
  abort(): void;
}

/** A way that can give HTTP up for another protocol. */
export interface UpgradableRequest extends UpstreamRequest {
  /** Sends the head of a request without body that asks for another protocol (RFC 9110 section 7.8). */
  sendUpgrade(sink: UpgradeSink, method: string, head: string): void;
  /** Gives HTTP up, during the sink's `onSwitchingProtocols`: the sink hears no more. */
  detach(): Tunnel;
}

export function canUpgrade(upstream: UpstreamRequest): upstream is UpgradableRequest {
  return 'sendUpgrade' in upstream;
}

/** A request that waits for a connection. */
export interface PoolWaiter {
  queuedAt: number;
  /**
   * Whether the request may be sent before those ahead of it on a connection are answered: one without a body, that may be
   * sent twice (RFC 9112 section 9.3.2) and asks for no other protocol. Any other has a connection to itself meanwhile.
   */
  readonly mayShare: boolean;
  onConnection(upstream: UpstreamRequest): void;
  onConnectionRefused(code: ErrorCode, detail: string): void;
}

/**
 * Times in milliseconds. `max` connections, `queue` requests waiting beyond those that have a connect under way. `tls` is
 * of no account where the endpoint is not spoken to under TLS; its object is the same for all endpoints of a service.
 */
export interface PoolOptions {
  readonly max: number;
  readonly queue: number;
  readonly queueTimeout: number;
  readonly idleTimeout: number;
  readonly connectTimeout: number;
  /** Most requests at once on one connection, for protocols that can carry several. */
  readonly streams: number;
  /** Most requests in flight on one connection, for HTTP/1.1. */
  readonly pipelining: number;
  readonly tls?: UpstreamTlsOptions;
}

/** Where connections lead, and for how long. */
export interface ConnectionOwner {
  readonly host: string;
  readonly port: number;
  readonly tls: UpstreamTls | null;
  readonly wheel: TimerWheel;
  /** Milliseconds. */
  readonly connectTimeout: number;
  readonly idleTimeout: number;
}

/** The connections to one endpoint. */
export interface UpstreamPoolLike {
  /** Connections of every state. */
  readonly open: number;
  /** Of these, those that carry no request. */
  readonly idle: number;
  readonly waiting: number;
  /**
   * A way at once when there is one; else null, and the waiter hears later, or during this call when there is no room to
   * wait.
   */
  acquire(waiter: PoolWaiter): UpstreamRequest | null;
  /** A way over a connection that has never served, for a request that must not meet a stale one twice. */
  acquireFresh(waiter: PoolWaiter): UpstreamRequest | null;
  /** The waiter no longer wants a connection. */
  forget(waiter: PoolWaiter): void;
  /**
   * Takes the place of a connection that the caller opens and closes itself. `then` is told, at once or later, whether
   * there was one; `leavePlace` gives it back.
   */
  takePlace(then: (taken: boolean) => void): void;
  leavePlace(): void;
  configure(options: PoolOptions): void;
  /** Closes up to `count` idle connections, those that rest longest first, for other processes to have. */
  yieldIdle(count: number): void;
  /** Closes what rests now and what works when its requests end. */
  close(): void;
}
