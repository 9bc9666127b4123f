/** The library's client of one server, or of a cluster, set up so that nothing waits in it. */
import type * as RedisModule from '@redis/client';
import type { RedisAddress } from '../../../base/redis-address.ts';

export type Redis = typeof RedisModule;

/** A client as far as it is used: it connects once, and is made anew by whoever has it. */
export interface Link {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  send(key: string, args: string[]): Promise<unknown>;
  destroy(): void;
}

export interface LinkEvents {
  onReady(): void;
  /** A connection broke, or did not come about. */
  onProblem(reason: string): void;
}

/** Milliseconds between attempts to connect, the first and the longest. */
export const FIRST_PAUSE = 50;
export const LONGEST_PAUSE = 2_000;
const CONNECT_TIMEOUT = 2_000;
/** Attempts after which a node of a cluster is given up: the others know which one has its keys by now. */
const ATTEMPTS_AT_NODE = 4;

/** Connects again by itself, for ever. */
export function openServer(redis: Redis, [address]: readonly RedisAddress[], events: LinkEvents): Link {
  const { database } = address;
  const client = redis.createClient({ ...settings(address, pauseBefore), database, RESP: 2 });
  client.on('error', (error: Error) => events.onProblem(reasonOf(error)));
  client.on('ready', () => events.onReady());
  return {
    get isReady() {
      return client.isReady;
    },
    connect: () => client.connect(),
    send: (_key, args) => client.sendCommand(args),
    destroy: () => client.destroy(),
  };
}

/** Finds the other nodes by these. */
export function openCluster(redis: Redis, addresses: readonly RedisAddress[], events: LinkEvents): Link {
  const patience = (retries: number): number | Error =>
    retries < ATTEMPTS_AT_NODE ? pauseBefore(retries) : new Error('the node is gone');
  const cluster = redis.createCluster({
    rootNodes: addresses.map((address) => ({ socket: socketOf(address) })),
    defaults: settings(addresses[0], patience),
    // Nodes are connected to when they are first asked: one that is gone does not keep the others from being used.
    minimizeConnections: true,
    RESP: 2,
  });
  cluster.on('error', (error: Error) => events.onProblem(reasonOf(error)));
  return {
    get isReady() {
      return cluster.isReady;
    },
    connect: () => cluster.connect().then(() => events.onReady()),
    send: (key, args) => cluster.sendCommand(key, false, args),
    destroy: () => cluster.destroy(),
  };
}

/** Several addresses of one name have an error together, which has no message. */
export function reasonOf(error: Error & { readonly code?: string }): string {
  return error.message || error.code || error.name;
}

function pauseBefore(retries: number): number {
  return Math.min(FIRST_PAUSE * 2 ** Math.min(retries, 10), LONGEST_PAUSE);
}

function socketOf({ host, port, tls }: RedisAddress) {
  return tls ? { host, port, tls: true as const } : { host, port };
}

function settings(address: RedisAddress, reconnectStrategy: (retries: number) => number | Error) {
  const { username, password } = address;
  return {
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    socket: { ...socketOf(address), connectTimeout: CONNECT_TIMEOUT, reconnectStrategy },
    // What cannot be sent at once is refused, and deadlines are kept by who asks.
    commandOptions: { timeout: 0 },
    disableOfflineQueue: true,
    // Asked for an answer before it counts as connected, whatever the answer is.
    clientInfoTag: 'portico',
    maintNotifications: 'disabled' as const,
  };
}
