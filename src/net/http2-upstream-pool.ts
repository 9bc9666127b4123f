/** The HTTP/2 connections to one endpoint: each carries many requests, and another one is made when they are full. */
import { ConnectionPool, type PoolSetting } from './connection-pool.ts';
import { Http2UpstreamSession, type SessionOwner } from './http2-upstream-session.ts';
import type { PoolOptions, PoolWaiter, UpstreamRequest } from './upstream.ts';

export class Http2UpstreamPool extends ConnectionPool implements SessionOwner {
  private readonly sessions = new Set<Http2UpstreamSession>();
  /** Those that may have room; the last one is filled first, so that the others come to rest. */
  private readonly roomy: Http2UpstreamSession[] = [];
  /** Those that end with their requests: they stand in nobody's way. */
  private leaving = 0;

  constructor(setting: PoolSetting, options: PoolOptions) {
    super(setting, options, 'h2');
    this.share = options.streams;
  }

  get streams(): number {
    return this.options.streams;
  }

  override get open(): number {
    return this.total + this.leaving;
  }

  get idle(): number {
    let idle = 0;
    for (const session of this.sessions) if (session.idle) idle++;
    return idle;
  }

  acquire(waiter: PoolWaiter): UpstreamRequest | null {
    const { roomy } = this;
    for (let last = roomy.length - 1; last >= 0; last--) {
      if (roomy[last].hasRoom) return roomy[last].take();
      roomy.pop();
    }
    this.enqueue(waiter);
    return null;
  }

  acquireFresh(waiter: PoolWaiter): null {
    // One that rests is as likely stale as the one that just failed: make room for a new one.
    if (this.total >= this.most) this.yieldIdle(1);
    this.enqueue(waiter);
    return null;
  }

  yieldIdle(count: number): void {
    let left = count;
    for (const session of this.sessions) {
      if (left === 0) return;
      if (!session.idle) continue;
      left--;
      session.retire();
    }
  }

  override configure(options: PoolOptions): void {
    super.configure(options);
    for (const session of this.sessions) if (session.tls !== this.tls) session.retire();
  }

  protected begin(): void {
    this.sessions.add(new Http2UpstreamSession(this));
  }

  onConnected(session: Http2UpstreamSession): void {
    this.connecting--;
    this.share = Math.max(1, session.capacity);
    // Made with a certificate, or in a belief, that no longer counts.
    if (session.tls !== this.tls) return session.retire();
    this.onRoom(session);
    // One that allows nothing is not alone with that: it may say so later.
    if (session.capacity > 0) this.connectForWaiters();
  }

  onRoom(session: Http2UpstreamSession): void {
    while (session.hasRoom) {
      const waiter = this.nextWaiter();
      if (waiter === null) break;
      waiter.onConnection(session.take());
    }
    if (this.closed && session.idle) session.retire();
    else if (session.hasRoom && !this.roomy.includes(session)) this.roomy.push(session);
  }

  onConnectFailed(session: Http2UpstreamSession, detail: string): void {
    this.sessions.delete(session);
    this.connectFailed(detail);
  }

  onRetired(session: Http2UpstreamSession): void {
    this.total--;
    this.leaving++;
    const at = this.roomy.indexOf(session);
    if (at >= 0) this.roomy.splice(at, 1);
    this.connectForWaiters();
  }

  onClosed(session: Http2UpstreamSession): void {
    this.leaving--;
    this.sessions.delete(session);
    this.connectForWaiters();
  }

  override close(): void {
    super.close();
    for (const session of this.sessions) if (session.idle) session.retire();
  }
}
