/** The HTTP/1.1 connections to one endpoint, a request at a time each: the warmest is used first. */
import { ConnectionPool, type PoolSetting } from './connection-pool.ts';
import type { PoolOptions, PoolWaiter } from './upstream.ts';
import { UpstreamConnection, type UpstreamOwner } from './upstream-connection.ts';

export class UpstreamPool extends ConnectionPool implements UpstreamOwner {
  private readonly resting: UpstreamConnection[] = [];

  constructor(setting: PoolSetting, options: PoolOptions) {
    super(setting, options, 'http/1.1');
  }

  get idle(): number {
    return this.resting.length;
  }

  acquire(waiter: PoolWaiter): UpstreamConnection | null {
    let connection = this.resting.pop();
    while (connection !== undefined) {
      if (connection.usable) return connection;
      connection = this.resting.pop();
    }
    this.enqueue(waiter);
    return null;
  }

  acquireFresh(waiter: PoolWaiter): null {
    // The oldest resting connection is as likely stale as the one that just failed: make room for a new one.
    if (this.total >= this.most && this.resting.length > 0) this.resting.shift()?.close();
    this.enqueue(waiter);
    return null;
  }

  yieldIdle(count: number): void {
    for (const connection of this.resting.splice(0, count)) connection.close();
  }

  protected begin(): void {
    new UpstreamConnection(this);
  }

  onConnected(connection: UpstreamConnection): void {
    this.connecting--;
    this.onReleased(connection);
  }

  onReleased(connection: UpstreamConnection): void {
    // Made with a certificate, or in a belief, that no longer counts.
    if (connection.tls !== this.tls) return connection.close();
    const waiter = this.nextWaiter();
    if (waiter !== null) waiter.onConnection(connection);
    else if (this.closed) connection.close();
    else {
      this.resting.push(connection);
      connection.rest();
    }
  }

  onConnectFailed(_connection: UpstreamConnection, detail: string): void {
    this.connectFailed(detail);
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

  override close(): void {
    super.close();
    for (const connection of this.resting.splice(0)) connection.close();
  }
}
