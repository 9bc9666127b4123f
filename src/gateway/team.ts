/** What a gateway that is one of several processes leaves to the one that leads them, and the names of what they share. */
import type { Allowance } from '../base/allowance.ts';

/** What a gateway leaves to, or has from, the process that leads several. */
export interface Team {
  /** Where connections come from: an address shared by port, or handed over one by one. */
  readonly sockets: 'reuse-port' | 'handed-over';
  /** The part of a shared limit that is this process's. `inUse` counts what it uses; `yieldIdle` frees what it can. */
  allowance(key: string, inUse: () => number, yieldIdle: (count: number) => void): Allowance;
  /** An endpoint changed by what this process saw of it. Checks are made elsewhere. */
  onHealthChange(service: string, url: string, healthy: boolean, reason: string): void;
}

/** The name of the limit `concurrentRequests` among allowances. */
export const REQUESTS_KEY = 'requests';

/** The name of the limit of clients' connections to a listener. */
export function listenerKey(listener: string): string {
  return `listener ${listener}`;
}

/** The name of the limit of open WebSockets of a route. */
export function webSocketsKey(route: string): string {
  return `websockets ${route}`;
}

/** The name of the limit of connections to an endpoint. */
export function connectionsKey(service: string, url: string): string {
  return `connections ${service} ${url}`;
}
