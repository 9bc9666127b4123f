/** A connection to one Redis or Valkey server, or to the nodes of a cluster, that is made again for as long as it is wanted. */
import type * as RedisModule from '@redis/client';
import type { Timers } from '../../../base/clock.ts';
import { formatRedisAddress, type RedisAddress } from '../../../base/redis-address.ts';
import type { Script, ScriptServer } from './script-server.ts';

export interface RedisConnectionOptions {
  /** One server, or some nodes of a cluster. */
  readonly addresses: readonly RedisAddress[];
  readonly cluster: boolean;
  readonly timers: Timers;
}

/** The library's client or cluster, as far as it is used. */
interface Link {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  send(key: string, args: string[]): Promise<unknown>;
  destroy(): void;
}

type Redis = typeof RedisModule;

/** Milliseconds between attempts to connect, the first and the longest. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 2_000;
const CONNECT_TIMEOUT = 2_000;
/** Milliseconds that what is under way has when the connection is closed. */
const LONGEST_CLOSE = 500;
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
      if (!(error as Error).message?.startsWith('NOSCRIPT')) throw error;
      // The server was started anew, or told to forget its scripts: with the source it knows it again.
      return await link.send(key, ['EVAL', script.source, '1', key, ...args]);
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
    const link = this.options.cluster ? this.openCluster() : this.openServer();
    void this.connect(link, FIRST_PAUSE);
    return link;
  }

  /** The library itself begins again where a connection breaks that once was there, or of one server never was. */
  private async connect(link: Link, pause: number): Promise<void> {
    try {
      await link.connect();
      this.onState(link, 'connected');
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

  private openServer(): Link {
    const [address] = this.options.addresses;
    const client = this.redis.createClient({ ...settings(address), database: address.database, RESP: 2 });
    const link: Link = {
      get isReady() {
        return client.isReady;
      },
      connect: () => client.connect(),
      send: (_key, args) => client.sendCommand(args),
      destroy: () => client.destroy(),
    };
    client.on('error', (error: Error) => {
      this.onState(link, reasonOf(error));
      this.settleAttempted();
    });
    client.on('ready', () => this.onState(link, 'connected'));
    return link;
  }

  private openCluster(): Link {
    const [first] = this.options.addresses;
    const cluster = this.redis.createCluster({
      rootNodes: this.options.addresses.map((address) => ({ socket: socketOf(address) })),
      defaults: settings(first),
      // Nodes are connected to when they are first asked, so that one that is gone does not keep the others from being used.
      minimizeConnections: true,
      RESP: 2,
    });
    const link: Link = {
      get isReady() {
        return cluster.isReady;
      },
      connect: () => cluster.connect(),
      send: (key, args) => cluster.sendCommand(key, false, args),
      destroy: () => cluster.destroy(),
    };
    cluster.on('error', (error: Error) => {
      this.problem = reasonOf(error);
    });
    return link;
  }
}

/** Several addresses of one name have an error together, which has no message. */
function reasonOf(error: Error & { readonly code?: string }): string {
  return error.message || error.code || error.name;
}

function socketOf({ host, port, tls }: RedisAddress) {
  return tls ? { host, port, tls: true as const } : { host, port };
}

/** Nothing waits in the library: what cannot be sent at once is refused, and deadlines are kept by who asks. */
function settings(address: RedisAddress) {
  const { username, password } = address;
  return {
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    socket: {
      ...socketOf(address),
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: (retries: number) => Math.min(FIRST_PAUSE * 2 ** Math.min(retries, 10), LONGEST_PAUSE),
    },
    commandOptions: { timeout: 0 },
    disableOfflineQueue: true,
    // Asked for an answer before it counts as connected, whatever the answer is.
    clientInfoTag: 'portico',
    maintNotifications: 'disabled' as const,
  };
}
