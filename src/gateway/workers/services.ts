/** The services as the supervisor has them: their endpoints are checked here, and each verdict on one is told to all workers. */
import type { Clock, Timers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { GatewayConfig } from '../../config/model.ts';
import type { Emit } from '../../observability/events.ts';
import { createServices } from '../../upstream/create-services.ts';
import { probe } from '../../upstream/health/probe.ts';
import type { Service } from '../../upstream/service.ts';
import { connectionsKey, listenerKey, REQUESTS_KEY, webSocketsKey } from '../team.ts';
import type { AbsentPool } from './account.ts';
import type { Verdict } from './protocol.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface ServicesDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly random: () => number;
  readonly emit?: Emit;
  readonly createPool: () => AbsentPool;
  readonly workers: () => Iterable<WorkerProcess>;
}

type ServiceMap = ReadonlyMap<string, Service<AbsentPool>>;

export class Services {
  /** Those of the running generation. */
  all: ServiceMap = new Map();
  private readonly deps: ServicesDeps;
  /** Who told the verdict that is being applied, and need not hear it. */
  private from: WorkerProcess | null = null;

  constructor(deps: ServicesDeps) {
    this.deps = deps;
  }

  /** For a generation that may come to run: endpoints that stay are those of the running one. */
  create(config: GatewayConfig): Map<string, Service<AbsentPool>> {
    return createServices<AbsentPool>(config.services, this.all, {
      clock: this.deps.clock,
      timers: this.deps.timers,
      logger: this.deps.logger,
      random: this.deps.random,
      createPool: this.deps.createPool,
      check: probe,
      onHealthChange: ({ name }, { id, url, healthy }, reason) => {
        this.deps.emit?.({ type: 'health', service: name, endpoint: id, healthy, reason });
        // A rest ends in each worker by itself.
        this.tell({ service: name, url, healthy, reason });
      },
    });
  }

  /** They are the running ones from now on; answers the former ones. */
  swap(services: ServiceMap): ServiceMap {
    const former = this.all;
    for (const service of services.values()) service.commit();
    this.all = services;
    return former;
  }

  /** The limits that all workers share, by their keys among allowances. */
  limits({ limits: { concurrentRequests }, listeners, routes }: GatewayConfig): Map<string, number> {
    const limits = new Map([[REQUESTS_KEY, concurrentRequests]]);
    for (const listener of listeners) limits.set(listenerKey(listener.name), listener.limits.connections);
    for (const service of this.all.values()) {
      for (const { url } of service.endpoints)
        limits.set(connectionsKey(service.name, url), service.config.connections.max);
    }
    for (const { name, websocket } of routes) {
      if (websocket !== undefined) limits.set(webSocketsKey(name), websocket.maxConnections);
    }
    return limits;
  }

  /** Traffic of one worker marked an endpoint down. */
  onVerdict(worker: WorkerProcess, verdict: Verdict): void {
    const service = this.all.get(verdict.service);
    const endpoint = service?.endpoints.find(({ url }) => url === verdict.url);
    if (service === undefined || endpoint === undefined || !endpoint.healthy) return;
    this.from = worker;
    service.applyVerdict(endpoint, verdict.healthy, verdict.reason);
    this.from = null;
  }

  private tell(verdict: Verdict): void {
    for (const worker of this.deps.workers()) if (worker !== this.from) worker.send({ type: 'verdict', verdict });
  }

  /** The endpoints that a worker which begins is to leave alone. */
  get down(): Verdict[] {
    const down: Verdict[] = [];
    for (const service of this.all.values()) {
      for (const { url, healthy } of service.endpoints) {
        if (!healthy) down.push({ service: service.name, url, healthy, reason: 'it was down before' });
      }
    }
    return down;
  }

  close(): void {
    for (const service of this.all.values()) service.close();
  }
}
