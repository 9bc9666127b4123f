/** The HTTP/1.1 connections to one endpoint, with a request at a time each or several in a line: the warmest is used first. */
import { ConnectionPool, type PoolSetting } from './connection-pool.ts';
import { PipelinedConnection, type PipelineOwner } from './pipelined-connection.ts';
import { Pipelines } from './pipelines.ts';
import type { PoolOptions, PoolWaiter, UpstreamRequest } from './upstream.ts';
import { UpstreamConnection } from './upstream-connection.ts';

export class UpstreamPool extends ConnectionPool implements PipelineOwner {
  private readonly resting: UpstreamConnection[] = [];
  private readonly pipelines: Pipelines;

  constructor(setting: PoolSetting, options: PoolOptions) {
    super(setting, options, 'http/1.1');
    this.pipelines = new Pipelines(options.pipelining);
  }

  get idle(): number {
    return this.resting.length;
  }

  get depth(): number {
    return this.pipelines.depth;
  }

  acquire(waiter: PoolWaiter): UpstreamRequest | null {
    const connection = this.options.pipelining > 1 && waiter.mayShare ? this.acquireShared() : this.wake();
    if (connection === null) this.enqueue(waiter);
    return connection;
  }

  acquireFresh(waiter: PoolWaiter): null {
    // The oldest resting connections are as likely stale as the one that just failed: make room for a new one. More than one has
    // to go where there are more than there may be by now.
    if (this.total >= this.most) this.yieldIdle(this.total - this.most + 1);
    this.enqueue(waiter);
    return null;
  }

  /** The warmest connection that rests. */
  private wake(): UpstreamConnection | null {
    let connection = this.resting.pop();
    while (connection !== undefined) {
      if (connection.usable) return connection;
      connection = this.resting.pop();
    }
    return null;
  }

  /** A place behind the requests of a connection, or on one that rests. */
  private acquireShared(): UpstreamRequest | null {
    // Whoever waits for a connection that is in use goes first: one that wants it to itself would never have it else.
    const wanted = this.waiters.size > this.connecting;
    const roomy = wanted ? null : this.pipelines.pick(this.now());
    if (roomy !== null) return roomy.take();
    // Those that rest nobody waits for, but one who wants a new connection instead (see `acquireFresh`).
    const rested = this.wake();
    if (rested !== null) return this.begun(rested);
    // Better behind a slow answer than not at all.
    return wanted || this.total < this.most ? null : (this.pipelines.pickSlow()?.take() ?? null);
  }

  /** For a request that shares: the first of a line, where the connection can have one. */
  private begun(connection: UpstreamConnection): UpstreamRequest {
    if (!(connection instanceof PipelinedConnection)) return connection;
    this.pipelines.add(connection);
    return connection.take();
  }

  override configure(options: PoolOptions): void {
    const { tls } = this;
    super.configure(options);
    this.pipelines.allow(options.pipelining);
    if (this.tls !== tls) this.pipelines.retire();
  }

  yieldIdle(count: number): void {
    for (const connection of this.resting.splice(0, count)) connection.close();
  }

  protected begin(): void {
    if (this.options.pipelining > 1) new PipelinedConnection(this);
    else new UpstreamConnection(this);
  }

  onConnected(connection: UpstreamConnection): void {
    this.connecting--;
    this.onReleased(connection);
  }

  onReleased(connection: UpstreamConnection): void {
    // Made with a certificate, or in a belief, that no longer counts.
    if (connection.tls !== this.tls) return connection.close();
    const waiter = this.nextWaiter();
    if (waiter !== null) {
      const shares = this.options.pipelining > 1 && waiter.mayShare;
      waiter.onConnection(shares ? this.begun(connection) : connection);
      if (shares && connection instanceof PipelinedConnection) this.onRoom(connection);
    } else if (this.closed) connection.close();
    else {
      this.resting.push(connection);
      connection.rest();
    }
  }

  onTurnTaken(took: number, now: number): void {
    this.pipelines.onTurnTaken(took, now);
  }

  onStandstill(now: number): void {
    this.pipelines.rest(now);
  }

  onRoom(connection: PipelinedConnection): void {
    if (connection.tls !== this.tls) return connection.retire();
    for (const waiter of this.waiters) {
      // One that wants a connection to itself has to wait for one, and those behind it wait with it.
      if (!connection.hasRoom || !waiter.mayShare) break;
      this.waiters.delete(waiter);
      waiter.onConnection(connection.take());
    }
    this.pipelines.add(connection);
  }

  onConnectFailed(_connection: UpstreamConnection, detail: string): void {
    this.connectFailed(detail);
  }

  onClosed(connection: UpstreamConnection): void {
    this.total--;
    const at = this.resting.lastIndexOf(connection);
    if (at >= 0) this.resting.splice(at, 1);
    this.unlist(connection);
    this.connectForWaiters();
  }

  private unlist(connection: UpstreamConnection): void {
    if (connection instanceof PipelinedConnection) this.pipelines.delete(connection);
  }

  /** It counts no more: what limits tunnels is the limit of their route. */
  onDetached(connection: UpstreamConnection): void {
    this.total--;
    this.unlist(connection);
    this.connectForWaiters();
  }

  override close(): void {
    super.close();
    for (const connection of this.resting.splice(0)) connection.close();
  }
}
