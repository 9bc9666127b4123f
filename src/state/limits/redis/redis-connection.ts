/** A connection to one Redis or Valkey server, or to the nodes of a cluster, that is made again for as long as it is wanted. */
import type { Timers } from '../../../base/clock.ts';
import { formatRedisAddress, type RedisAddress } from '../../../base/redis-address.ts';
import { FIRST_PAUSE, type Link, LONGEST_PAUSE, openCluster, openServer, type Redis, reasonOf } from './redis-link.ts';
import type { Script, ScriptServer } from './script-server.ts';

export interface RedisConnectionOptions {
  /** One server, or some nodes of a cluster. */
  readonly addresses: readonly RedisAddress[];
  readonly cluster: boolean;
  readonly timers: Timers;
}

/** Milliseconds that what is under way has when the connection is closed. */
const LONGEST_CLOSE = 500;
/** Milliseconds after which a cluster may be looked at anew, where a node of it does not answer. */
const REDISCOVERY = 2_000;
/** Asked and not answered; beyond it the server is not asked: a node that cannot be reached must not fill the memory. */
const MOST_WAITING = 20_000;

/** Loads the library, which only those pay for who use it, and begins to connect. */
export async function openRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  return new RedisConnection(await import('@redis/client'), options);
}

export class RedisConnection implements ScriptServer {
  onReadyChange: ((ready: boolean, reason: string) => void) | null = null;
  /** Settles with the first attempt to connect, whatever becomes of it. */
  readonly attempted: Promise<void>;
  /** Why there is no connection; that of the last attempt. */
  problem = 'not connected yet';
  private readonly redis: Redis;
  private readonly options: RedisConnectionOptions;
  private link: Link;
  private wasReady = false;
  private closed = false;
  private waiting = 0;
  private rediscovering = false;
  private onAllAnswered: (() => void) | null = null;
  private settleAttempted: () => void = () => {};

  constructor(redis: Redis, options: RedisConnectionOptions) {
    this.redis = redis;
    this.options = options;
    this.attempted = new Promise((resolve) => {
      this.settleAttempted = resolve;
    });
    this.link = this.begin();
  }

  /** The servers, for the log. */
  get name(): string {
    return this.options.addresses.map(formatRedisAddress).join(', ');
  }

  get ready(): boolean {
    return this.link.isReady && this.waiting < MOST_WAITING && !this.closed;
  }

  async run(script: Script, key: string, args: readonly string[]): Promise<unknown> {
    if (!this.ready) throw new Error('not connected');
    const { link } = this;
    this.waiting++;
    try {
      return await link.send(key, ['EVALSHA', script.sha1, '1', key, ...args]);
    } catch (error) {
      if (!(error instanceof this.redis.ErrorReply)) this.onUnreachable(link);
      else if (error.message.startsWith('NOSCRIPT')) {
        // The server was started anew, or told to forget its scripts: with the source it knows it again.
        return await link.send(key, ['EVAL', script.source, '1', key, ...args]);
      }
      throw error;
    } finally {
      if (--this.waiting === 0) this.onAllAnswered?.();
    }
  }

  renew(): void {
    if (this.closed) return;
    const before = this.link;
    this.link = this.begin();
    before.destroy();
    this.tell(false, 'connecting anew');
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.waiting > 0) await this.lastAnswers();
    this.link.destroy();
  }

  /** A server that does not answer must not keep the process. */
  private lastAnswers(): Promise<void> {
    const { timers } = this.options;
    return new Promise((resolve) => {
      const timer = timers.setTimeout(resolve, LONGEST_CLOSE);
      this.onAllAnswered = () => {
        timers.clearTimeout(timer);
        resolve();
      };
    });
  }

  private begin(): Link {
    const link = this.open();
    void this.connect(link, FIRST_PAUSE);
    return link;
  }

  private open(): Link {
    const { redis, options } = this;
    const link: Link = (options.cluster ? openCluster : openServer)(redis, options.addresses, {
      onReady: () => this.onState(link, 'connected'),
      onProblem: (reason) => {
        this.onState(link, reason);
        // A cluster has further nodes to try.
        if (!options.cluster) this.settleAttempted();
      },
    });
    return link;
  }

  /** The library itself begins again where a connection breaks that once was there, or of one server never was. */
  private async connect(link: Link, pause: number): Promise<void> {
    try {
      await link.connect();
    } catch (error) {
      if (this.closed || this.link !== link) return;
      this.onState(link, reasonOf(error as Error));
      this.options.timers.setTimeout(() => void this.connect(link, Math.min(2 * pause, LONGEST_PAUSE)), pause);
    }
    this.settleAttempted();
  }

  private onState(link: Link, reason: string): void {
    if (link !== this.link || this.closed) return;
    if (!link.isReady) this.problem = reason;
    this.tell(link.isReady, reason);
  }

  private tell(ready: boolean, reason: string): void {
    if (ready === this.wasReady) return;
    this.wasReady = ready;
    this.onReadyChange?.(ready, reason);
  }

  /**
   * A node of the cluster cannot be asked, and the library learns only from nodes that answer who has its keys now: what the
   * cluster is like is found out anew, beside the connections that are in use.
   */
  private onUnreachable(link: Link): void {
    const { cluster, timers } = this.options;
    if (!cluster || link !== this.link || this.rediscovering || this.closed) return;
    this.rediscovering = true;
    timers.setTimeout(() => {
      this.rediscovering = false;
    }, REDISCOVERY);
    const next = this.open();
    next.connect().then(
      () => this.goOver(link, next),
      () => {},
    );
  }

  private goOver(from: Link, to: Link): void {
    if (this.link !== from || this.closed) return to.destroy();
    this.link = to;
    this.onState(to, 'connected');
    this.options.timers.setTimeout(() => from.destroy(), LONGEST_CLOSE);
  }
}
