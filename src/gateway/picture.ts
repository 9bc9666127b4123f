/** Plain-data pictures of a running gateway for whoever shows them: nothing below knows that admin exists. */
import { formatAddress } from '../base/address.ts';
import type { Finding } from '../config/finding.ts';
import type { HealthTotals } from '../observability/health-window.ts';
import type { RouteStats } from '../observability/metrics/gateway-metrics.ts';
import type { RelayStats } from '../observability/metrics/relay-stats.ts';
import type { TrafficStats } from '../observability/metrics/traffic.ts';
import type { Gateway } from './gateway.ts';
import { type RouteState, routeState } from './quarantine.ts';

/** The shape of `/status` (the contract's "Shapes"). */
export interface StatusPicture {
  /** Of the process that leads: the one to send signals to. */
  pid: number;
  generation: number;
  state: string;
  listeners: { name: string; address: string }[];
  workers: { pid: number; state: string }[];
  routes: RouteState[];
  services: {
    name: string;
    endpoints: { id: string; url: string; healthy: boolean; active: number; requests: number; failures: number }[];
  }[];
  /** Where the running configuration came from, and how the last attempt to change it ended. */
  config?: ConfigPicture;
}

export interface ConfigPicture {
  file: string;
  /** The entity tag of what is written. */
  etag: string;
  /** Why it came to run: `start`, `signal`, `file`, `certificate`, `api`, `rollback`, `last-good`. */
  cause: string;
  /** Since when, in ISO 8601. */
  at: string;
  /** True when the file does not say what runs. */
  diverged: boolean;
  lastReload: AttemptPicture | null;
}

/** An attempt to load the file anew, or to change the configuration. */
export interface AttemptPicture {
  at: string;
  cause: string;
  result: 'success' | 'failure';
  /** What was wrong: findings, or the one reason. */
  findings?: readonly Finding[];
  error?: string;
}

/** How requests fared since the gateway began to count. */
export interface StatsPicture {
  /** Requests in progress. */
  active: number;
  total: TrafficStats;
  /** Those of the running configuration that had requests, and `none` for requests that no route took. */
  routes: RouteStats[];
  /** Connections whose bytes are only relayed. */
  relays: RelayStats;
}

export interface HealthPicture extends HealthTotals {
  status: 'healthy' | 'degraded' | 'unhealthy';
}

export function statusPicture(gateway: Gateway): StatusPicture {
  const snapshot = gateway.current;
  return {
    pid: process.pid,
    generation: gateway.generation,
    state: gateway.state,
    listeners: gateway.addresses.map((address) => ({ name: address.name, address: formatAddress(address) })),
    workers: [{ pid: process.pid, state: gateway.state }],
    routes: (snapshot?.routes ?? []).map(({ name, quarantined }) => routeState(name, quarantined)),
    services: [...(snapshot?.services.values() ?? [])].map((service) => ({
      name: service.name,
      endpoints: service.endpoints.map(({ id, url, healthy, active, requests, failures }) => {
        return { id, url, healthy, active, requests, failures };
      }),
    })),
  };
}

/** Over the last 60 s: degraded under 90 % success, unhealthy under 50 %; healthy without traffic. */
export function healthPicture(totals: HealthTotals): HealthPicture {
  const rate = totals.total === 0 ? 1 : (totals.total - totals.failed) / totals.total;
  return { status: rate < 0.5 ? 'unhealthy' : rate < 0.9 ? 'degraded' : 'healthy', ...totals };
}
