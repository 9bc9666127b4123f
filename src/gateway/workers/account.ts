/** What all workers together have counted, and how the whole gateway fares. */

import { formatAddress } from '../../base/address.ts';
import type { Clock, Timers } from '../../base/clock.ts';
import type { GatewayConfig } from '../../config/model.ts';
import { isGrpcFault } from '../../http/grpc.ts';
import { createEventLoopLag, type EventLoopLag } from '../../observability/event-loop-lag.ts';
import { HealthWindow } from '../../observability/health-window.ts';
import {
  type CertificateSample,
  createGatewayMetrics,
  type GatewayMetrics,
  type MetricsDelta,
} from '../../observability/metrics/gateway-metrics.ts';
import { relayOutcomesOf } from '../../observability/metrics/relay-metrics.ts';
import type { EndpointPool } from '../../upstream/endpoint.ts';
import type { Service } from '../../upstream/service.ts';
import { type HealthPicture, healthPicture, type StatusPicture } from '../picture.ts';
import { connectionSamples, endpointSamples } from '../service-samples.ts';
import type { WorkerReport } from './protocol.ts';
import type { WorkerProcess } from './worker-process.ts';

/** The connections of an endpoint, all of which stand in other processes. */
export interface AbsentPool extends EndpointPool {
  open: number;
  idle: number;
}

export interface AccountDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly version: string;
  readonly generation: () => number;
  readonly services: () => ReadonlyMap<string, Service<AbsentPool>>;
  readonly workers: () => Iterable<WorkerProcess>;
  readonly quarantinedRoutes: () => number;
  readonly certificates: () => Iterable<CertificateSample>;
}

export class Account {
  readonly metrics: GatewayMetrics;
  private readonly deps: AccountDeps;
  private readonly window: HealthWindow;
  private readonly lag: EventLoopLag;
  private droppedLines = 0;
  /** Processor time of workers that are no more, in seconds. */
  private spent = 0;

  constructor(deps: AccountDeps) {
    this.deps = deps;
    this.window = new HealthWindow(deps.clock);
    this.lag = createEventLoopLag(deps.clock, deps.timers);
    this.metrics = createGatewayMetrics({
      gauges: {
        activeRequests: () => this.active,
        configGeneration: deps.generation,
        endpoints: () => endpointSamples(deps.services().values()),
        connections: () => connectionSamples(deps.services().values()),
        webSockets: () => this.webSockets(),
        droppedLogLines: () => this.droppedLines,
        quarantinedRoutes: deps.quarantinedRoutes,
        certificates: deps.certificates,
      },
      version: deps.version,
      lag: { worst: () => this.worstLag() },
      wall: deps.clock.wall,
      others: () => this.others(),
    });
  }

  createPool(): AbsentPool {
    return { open: 0, idle: 0, close() {}, configure() {} };
  }

  /** Takes a worker's report. */
  add(worker: WorkerProcess, report: WorkerReport): void {
    worker.report = report;
    this.metrics.addDelta(report.metrics);
    this.droppedLines += report.droppedLines;
    for (const { total, failed } of [outcomesOf(report.metrics), relayOutcomesOf(report.metrics.counted)]) {
      this.window.add(total, failed);
    }
    const services = this.deps.services();
    for (const { service, url, requests, failures } of report.endpoints) {
      const endpoint = services.get(service)?.endpoints.find((candidate) => candidate.url === url);
      if (endpoint === undefined) continue;
      endpoint.requests += requests;
      endpoint.failures += failures;
    }
    this.sumEndpoints();
    this.sumGauges();
  }

  /** The worker is no more: what it counted stays, what it had under way is gone. */
  leave(worker: WorkerProcess): void {
    this.spent += worker.report?.cpuSeconds ?? 0;
    worker.report = null;
    this.sumEndpoints();
    this.sumGauges();
  }

  /** Forgets what belongs to routes that a configuration no longer has. */
  retain(config: GatewayConfig): void {
    const names = new Set(config.routes.map((route) => `${route.name}\n${route.service ?? ''}`));
    this.metrics.retainRoutes(({ route, service }) => names.has(`${route}\n${service}`));
  }

  get active(): number {
    let active = 0;
    for (const { report } of this.deps.workers()) active += report?.active ?? 0;
    return active;
  }

  private webSockets(): { route: string; count: number }[] {
    const sums = new Map<string, number>();
    for (const { report } of this.deps.workers()) {
      for (const { route, count } of report?.webSockets ?? []) sums.set(route, (sums.get(route) ?? 0) + count);
    }
    return [...sums].map(([route, count]) => ({ route, count }));
  }

  listeners(addresses: readonly { name: string; host: string; port: number }[]): StatusPicture['listeners'] {
    return addresses.map(({ name, host, port }) => ({ name, address: formatAddress({ host, port }) }));
  }

  services(): StatusPicture['services'] {
    return [...this.deps.services().values()].map((service) => ({
      name: service.name,
      endpoints: service.endpoints.map(({ id, url, healthy, active, requests, failures }) => {
        return { id, url, healthy, active, requests, failures };
      }),
    }));
  }

  health(): HealthPicture {
    return healthPicture(this.window.read());
  }

  close(): void {
    this.lag.close();
  }

  private sumGauges(): void {
    this.metrics.showGauges([...this.deps.workers()].map(({ report }) => report?.metrics.counted.gauges ?? {}));
  }

  /** What stands in the workers at this moment, added up. */
  private sumEndpoints(): void {
    const sums = new Map<string, { active: number; open: number; idle: number }>();
    for (const { report } of this.deps.workers()) {
      for (const { service, url, active, open, idle } of report?.endpoints ?? []) {
        const key = `${service}\n${url}`;
        const sum = sums.get(key) ?? { active: 0, open: 0, idle: 0 };
        sums.set(key, { active: sum.active + active, open: sum.open + open, idle: sum.idle + idle });
      }
    }
    for (const service of this.deps.services().values()) {
      for (const endpoint of service.endpoints) {
        const sum = sums.get(`${service.name}\n${endpoint.url}`);
        endpoint.active = sum?.active ?? 0;
        endpoint.pool.open = sum?.open ?? 0;
        endpoint.pool.idle = sum?.idle ?? 0;
      }
    }
  }

  private worstLag(): number {
    let worst = this.lag.worst();
    for (const { report } of this.deps.workers()) worst = Math.max(worst, report?.lag ?? 0);
    return worst;
  }

  private others(): { cpuSeconds: number; residentMemory: number } {
    let cpuSeconds = this.spent;
    let residentMemory = 0;
    for (const { report } of this.deps.workers()) {
      cpuSeconds += report?.cpuSeconds ?? 0;
      residentMemory += report?.residentMemory ?? 0;
    }
    return { cpuSeconds, residentMemory };
  }
}

/** How many requests ended, and how many of them in a failure: 5xx, or such a status of gRPC. */
export function outcomesOf({ routes }: Pick<MetricsDelta, 'routes'>): { total: number; failed: number } {
  let total = 0;
  let failed = 0;
  for (const { series, grpc } of routes) {
    let requests = 0;
    let failures = 0;
    for (const [key, delta] of series) {
      // The last number is the sum of durations, the others are buckets.
      let count = 0;
      for (let i = 0; i < delta.length - 1; i++) count += delta[i];
      requests += count;
      if (key % 1000 >= 500) failures += count;
    }
    for (const [status, count] of grpc) if (isGrpcFault(status)) failures += count;
    total += requests;
    // A call that was answered with 5xx, by what is no server of gRPC, is among both.
    failed += Math.min(requests, failures);
  }
  return { total, failed };
}
