/** What the pools of every protocol share: how many connections there may be, and the bounded line of those who wait for one. */
import { isDeepStrictEqual } from 'node:util';
import type { Allowance } from '../base/allowance.ts';
import { type DeadlineOwner, Deadlines } from '../base/deadlines.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { PoolOptions, PoolWaiter, UpstreamPoolLike, UpstreamRequest } from './upstream.ts';
import { DEFAULT_TLS, UpstreamTls } from './upstream-tls.ts';

/** Where a pool leads and what it stands on. */
export interface PoolSetting {
  readonly host: string;
  readonly port: number;
  /** Whether the endpoint is spoken to under TLS. */
  readonly secure: boolean;
  readonly wheel: TimerWheel;
  readonly now: () => number;
  /** Says how many of the connections may stand here when the limit is shared with other processes; else null. */
  readonly createAllowance: ((pool: UpstreamPoolLike) => Allowance) | null;
}

/** Deadlines: of the first in the line, and until the allowance is asked for more again, in milliseconds. */
const QUEUE = 0;
const ASK = 1;
const ASK_AGAIN = 50;

export abstract class ConnectionPool implements UpstreamPoolLike, DeadlineOwner {
  readonly host: string;
  readonly port: number;
  readonly wheel: TimerWheel;
  readonly now: () => number;
  /** What new connections use; null without TLS. Another object: those that stand are to be replaced. */
  tls: UpstreamTls | null;
  protected options: PoolOptions;
  protected readonly waiters = new Set<PoolWaiter>();
  protected connecting = 0;
  protected total = 0;
  protected closed = false;
  /** How many requests a connection that is under way will take. */
  protected share = 1;
  private readonly protocol: string;
  private readonly allowance: Allowance | null;
  private readonly deadlines: Deadlines;
  private asking = false;

  /** `protocol` is the one to agree on by ALPN. Throws when the options of TLS cannot be used. */
  constructor(setting: PoolSetting, options: PoolOptions, protocol: string) {
    this.host = setting.host;
    this.port = setting.port;
    this.wheel = setting.wheel;
    this.now = setting.now;
    this.options = options;
    this.protocol = protocol;
    this.tls = setting.secure ? this.createTls() : null;
    this.deadlines = new Deadlines(setting.wheel, 2);
    this.deadlines.owner = this;
    this.allowance = setting.createAllowance === null ? null : setting.createAllowance(this);
  }

  abstract get idle(): number;
  abstract acquire(waiter: PoolWaiter): UpstreamRequest | null;
  abstract acquireFresh(waiter: PoolWaiter): UpstreamRequest | null;
  abstract yieldIdle(count: number): void;
  /** Begins a connection, which is counted already. */
  protected abstract begin(): void;

  get connectTimeout(): number {
    return this.options.connectTimeout;
  }

  get idleTimeout(): number {
    return this.options.idleTimeout;
  }

  get open(): number {
    return this.total;
  }

  get waiting(): number {
    return this.waiters.size;
  }

  configure(options: PoolOptions): void {
    const { tls } = this.options;
    this.options = options;
    if (this.tls === null || isDeepStrictEqual(tls, options.tls)) return;
    this.tls = this.createTls();
    this.yieldIdle(this.idle);
  }

  private createTls(): UpstreamTls {
    return new UpstreamTls(this.options.tls ?? DEFAULT_TLS, this.host, this.port, this.protocol);
  }

  forget(waiter: PoolWaiter): void {
    this.waiters.delete(waiter);
  }

  takePlace(then: (taken: boolean) => void): void {
    const take = (): void => {
      const taken = this.total < this.most;
      if (taken) this.total++;
      then(taken);
    };
    if (this.allowance === null || this.total < this.most || this.total >= this.options.max) take();
    else this.allowance.ask(take);
  }

  leavePlace(): void {
    this.total--;
    this.connectForWaiters();
  }

  close(): void {
    this.closed = true;
  }

  protected enqueue(waiter: PoolWaiter): void {
    const canConnect = this.total < this.most;
    if (!canConnect && this.waiters.size - this.coming >= this.options.queue) {
      waiter.onConnectionRefused('overloaded', 'the queue for a connection to the endpoint is full');
      return;
    }
    waiter.queuedAt = this.now();
    this.waiters.add(waiter);
    if (canConnect && this.waiters.size > this.coming) this.connect();
    else {
      if (!this.deadlines.isSet(QUEUE)) this.deadlines.set(QUEUE, waiter.queuedAt + this.options.queueTimeout);
      this.askForMore();
    }
  }

  /** The first in the line, who then no longer stands there; null when nobody waits. */
  protected nextWaiter(): PoolWaiter | null {
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter);
      return waiter;
    }
    return null;
  }

  /** How many connections there may be. */
  protected get most(): number {
    return this.allowance === null ? this.options.max : Math.min(this.options.max, this.allowance.granted);
  }

  /** Requests that the connections under way will take. */
  private get coming(): number {
    return this.connecting * this.share;
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

  private connect(): void {
    this.total++;
    this.connecting++;
    this.begin();
  }

  protected connectForWaiters(): void {
    while (this.waiters.size > this.coming && this.total < this.most) this.connect();
    if (this.waiters.size > this.coming) this.askForMore();
  }

  /** A connect has failed: those who waited for it hear, and the others may have another one. */
  protected connectFailed(detail: string): void {
    this.connecting--;
    this.total--;
    for (let left = Math.min(this.share, this.waiters.size); left > 0; left--) {
      this.nextWaiter()?.onConnectionRefused('upstream_connect_failed', detail);
    }
    this.connectForWaiters();
  }

  onDeadline(slot: number, now: number): void {
    if (slot === QUEUE) this.onQueueTime(now);
    else if (this.waiters.size > this.coming) this.askForMore();
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
      if (this.waiters.size <= this.coming) {
        this.deadlines.set(QUEUE, now + this.options.queueTimeout);
        return;
      }
      this.waiters.delete(waiter);
      waiter.onConnectionRefused('overloaded', 'no connection to the endpoint became free in time');
    }
  }
}
