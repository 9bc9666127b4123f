/** The connections to one endpoint: the warmest is used first, and those who must wait do so in a bounded line. */
import type { Allowance } from '../base/allowance.ts';
import { Deadlines } from '../base/deadlines.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import { UpstreamConnection, type UpstreamOwner } from './upstream-connection.ts';

/** Times in milliseconds. `max` connections, `queue` requests waiting beyond those that have a connect under way. */
export interface PoolOptions {
  readonly max: number;
  readonly queue: number;
  readonly queueTimeout: number;
  readonly idleTimeout: number;
  readonly connectTimeout: number;
}

/** A request that waits for a connection. */
export interface PoolWaiter {
  queuedAt: number;
  onConnection(connection: UpstreamConnection): void;
  onConnectionRefused(code: ErrorCode, detail: string): void;
}

/** Deadlines: of the first in the line, and until the allowance is asked for more again, in milliseconds. */
const QUEUE = 0;
const ASK = 1;
const ASK_AGAIN = 50;

export class UpstreamPool implements UpstreamOwner {
  readonly host: string;
  readonly port: number;
  readonly wheel: TimerWheel;
  readonly now: () => number;
  private options: PoolOptions;
  private readonly allowance: Allowance | null;
  private readonly deadlines: Deadlines;
  private asking = false;
  private readonly resting: UpstreamConnection[] = [];
  private readonly waiters = new Set<PoolWaiter>();
  private connecting = 0;
  private total = 0;
  private closed = false;

  /** `allowance` says how many of the connections may stand here when the limit is shared with other processes. */
  constructor(
    host: string,
    port: number,
    options: PoolOptions,
    wheel: TimerWheel,
    now: () => number,
    createAllowance: ((pool: UpstreamPool) => Allowance) | null = null,
  ) {
    this.host = host;
    this.port = port;
    this.options = options;
    this.wheel = wheel;
    this.now = now;
    this.deadlines = new Deadlines(wheel, 2);
    this.deadlines.owner = this;
    this.allowance = createAllowance === null ? null : createAllowance(this);
  }

  get connectTimeout(): number {
    return this.options.connectTimeout;
  }

  get idleTimeout(): number {
    return this.options.idleTimeout;
  }

  /** Connections of every state. */
  get open(): number {
    return this.total;
  }

  get idle(): number {
    return this.resting.length;
  }

  get waiting(): number {
    return this.waiters.size;
  }

  configure(options: PoolOptions): void {
    this.options = options;
  }

  /**
   * A connection at once when one rests; else null, and the waiter hears later, or during this call when there is no
   * room to wait.
   */
  acquire(waiter: PoolWaiter): UpstreamConnection | null {
    let connection = this.resting.pop();
    while (connection !== undefined) {
      if (connection.usable) return connection;
      connection = this.resting.pop();
    }
    this.enqueue(waiter);
    return null;
  }

  /** A connection that has never served, for a request that must not meet a stale one twice. */
  acquireFresh(waiter: PoolWaiter): null {
    // The oldest resting connection is as likely stale as the one that just failed: make room for a new one.
    if (this.total >= this.most && this.resting.length > 0) this.resting.shift()?.close();
    this.enqueue(waiter);
    return null;
  }

  private enqueue(waiter: PoolWaiter): void {
    const canConnect = this.total < this.most;
    if (!canConnect && this.waiters.size - this.connecting >= this.options.queue) {
      waiter.onConnectionRefused('overloaded', 'the queue for a connection to the endpoint is full');
      return;
    }
    waiter.queuedAt = this.now();
    this.waiters.add(waiter);
    if (canConnect && this.waiters.size > this.connecting) this.connect();
    else {
      if (!this.deadlines.isSet(QUEUE)) this.deadlines.set(QUEUE, waiter.queuedAt + this.options.queueTimeout);
      this.askForMore();
    }
  }

  /** How many connections there may be. */
  private get most(): number {
    return this.allowance === null ? this.options.max : Math.min(this.options.max, this.allowance.granted);
  }

  /** Somebody waits: are there connections that other processes do not use? */
  private askForMore(): void {
    if (this.allowance === null || this.asking || this.closed) return;
    if (this.total < this.most || this.total >= this.options.max) return;
    this.asking = true;
    this.allowance.ask((grown) => {
      this.asking = false;
      if (grown) this.connectForWaiters();
      else if (this.waiters.size > 0) this.deadlines.set(ASK, this.now() + ASK_AGAIN);
    });
  }

  /** Closes up to `count` idle connections, those that rest longest first, for other processes to have. */
  yieldIdle(count: number): void {
    for (const connection of this.resting.splice(0, count)) connection.close();
  }

  /** The waiter no longer wants a connection. */
  forget(waiter: PoolWaiter): void {
    this.waiters.delete(waiter);
  }

  private connect(): void {
    this.total++;
    this.connecting++;
    new UpstreamConnection(this);
  }

  onConnected(connection: UpstreamConnection): void {
    this.connecting--;
    this.onReleased(connection);
  }

  onReleased(connection: UpstreamConnection): void {
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter);
      waiter.onConnection(connection);
      return;
    }
    if (this.closed) {
      connection.close();
      return;
    }
    this.resting.push(connection);
    connection.rest();
  }

  onConnectFailed(_connection: UpstreamConnection, detail: string): void {
    this.connecting--;
    this.total--;
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter);
      waiter.onConnectionRefused('upstream_connect_failed', detail);
      break;
    }
    this.connectForWaiters();
  }

  onClosed(connection: UpstreamConnection): void {
    this.total--;
    const at = this.resting.lastIndexOf(connection);
    if (at >= 0) this.resting.splice(at, 1);
    this.connectForWaiters();
  }

  /** It counts no more: what limits tunnels is the limit of their route. */
  onDetached(_connection: UpstreamConnection): void {
    this.total--;
    this.connectForWaiters();
  }

  private connectForWaiters(): void {
    while (this.waiters.size > this.connecting && this.total < this.most) this.connect();
    if (this.waiters.size > this.connecting) this.askForMore();
  }

  onDeadline(slot: number, now: number): void {
    if (slot === QUEUE) this.onQueueTime(now);
    else if (this.waiters.size > this.connecting) this.askForMore();
  }

  /** Some waiter has stood in the line for the queue's time. */
  private onQueueTime(now: number): void {
    for (const waiter of this.waiters) {
      const left = waiter.queuedAt + this.options.queueTimeout - now;
      if (left > 0) {
        this.deadlines.set(QUEUE, now + left);
        return;
      }
      // Those with a connect under way have the connect timeout instead.
      if (this.waiters.size <= this.connecting) {
        this.deadlines.set(QUEUE, now + this.options.queueTimeout);
        return;
      }
      this.waiters.delete(waiter);
      waiter.onConnectionRefused('overloaded', 'no connection to the endpoint became free in time');
    }
  }

  /** Closes what rests now and what works when its request ends. */
  close(): void {
    this.closed = true;
    for (const connection of this.resting.splice(0)) connection.close();
  }
}
