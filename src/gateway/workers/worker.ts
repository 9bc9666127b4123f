/** A worker: one gateway that carries traffic, and does as the supervisor says. */
import { Socket, type SocketConstructorOpts } from 'node:net';
import { systemClock, systemTimers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { inSlices } from '../../base/slices.ts';
import type { GatewayConfig } from '../../config/model.ts';
import { unpackConfig } from '../../config/parcel.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import { builtInPolicies } from '../built-in-policies.ts';
import { Gateway, type Prepared } from '../gateway.ts';
import type { LateQuarantine } from '../quarantine.ts';
import type { EndpointReport, FromWorker, ToWorker, Verdict, WorkerReport, WorkerStart } from './protocol.ts';
import { RemoteState } from './remote-state.ts';
import { Shares } from './shares.ts';

export interface WorkerDeps {
  readonly start: WorkerStart;
  readonly logger: Logger;
  readonly send: (message: FromWorker) => void;
  /** The worker is through: its process may end. */
  readonly end: () => void;
}

export class Worker {
  private readonly deps: WorkerDeps;
  private readonly gateway: Gateway;
  private readonly shares: Shares;
  private readonly state: RemoteState;
  private prepared: Prepared | null = null;
  /** Portions of the configuration that is to be prepared. */
  private portions: { routes: Uint8Array[]; services: Uint8Array[] } = { routes: [], services: [] };
  private readonly told = new WeakMap<Endpoint, { requests: number; failures: number }>();
  private droppedTold = 0;
  /** True while a verdict of the supervisor is applied: it need not be told. */
  private obeying = false;

  constructor(deps: WorkerDeps) {
    this.deps = deps;
    const { start, logger, send } = deps;
    this.shares = new Shares({
      ask: (key) => send({ type: 'ask', key }),
      give: (key, count) => send({ type: 'give', key, count }),
      giveUnasked: (key, count) => send({ type: 'return', key, count }),
    });
    this.state = new RemoteState((question) => send({ type: 'state-question', question }), {
      clock: systemClock,
      timers: systemTimers,
      logger,
    });
    this.gateway = new Gateway({
      state: this.state,
      clock: systemClock,
      timers: systemTimers,
      logger,
      policies: builtInPolicies,
      random: Math.random,
      version: start.version,
      team: {
        sockets: start.sockets,
        allowance: (key, inUse, yieldIdle) => this.shares.allowance(key, inUse, yieldIdle),
        onHealthChange: (service, url, healthy, reason) => {
          // A rest that is over is over everywhere: each process has a clock of its own.
          if (!this.obeying && !healthy) send({ type: 'verdict', verdict: { service, url, healthy, reason } });
        },
      },
    });
    send({ type: 'started' });
  }

  /** `handle`: what came with the message, of the kind that `SocketConstructorOpts` takes. */
  onMessage(message: ToWorker, handle?: unknown): void {
    switch (message.type) {
      case 'connection':
        this.deps.send({ type: 'took', id: message.id });
        if (handle !== undefined)
          this.gateway.adopt(message.listener, new Socket({ handle, allowHalfOpen: true } as SocketConstructorOpts));
        return;
      case 'secret':
        this.gateway.secret = message.secret;
        return;
      case 'ticket-seed':
        return this.gateway.ticketSeed.follow(message.seed);
      case 'portion':
        this.portions[message.list].push(message.portion);
        return;
      case 'verdict':
        return this.obey(message.verdict);
      case 'grant':
        return this.shares.onGrant(message.key, message.count, message.settled);
      case 'recall':
        return this.shares.onRecall(message.key, message.count, message.owed);
      case 'state-answer':
        return this.state.onAnswer(message.answer);
      case 'drain':
        return this.gateway.drainWebSockets(Number.POSITIVE_INFINITY);
      case 'reopen-logs':
        return this.gateway.reopenLogs();
      case 'collect':
        return this.deps.send({ type: 'report', id: message.id, report: this.report() });
      default:
        void this.answer(message);
    }
  }

  /** The supervisor is gone: what is under way may end, and so does the worker. */
  async orphaned(): Promise<void> {
    await this.gateway.stop(0);
    this.deps.end();
  }

  private async answer(message: Extract<ToWorker, { type: 'prepare' | 'commit' | 'discard' | 'stop' }>): Promise<void> {
    const { id } = message;
    let error: string | null = null;
    let cut = 0;
    let quarantined: readonly LateQuarantine[] = [];
    try {
      if (message.type === 'prepare') {
        // What was prepared before was not to be.
        this.discard();
        const { portions } = this;
        this.portions = { routes: [], services: [] };
        const former = this.formerOf(message.upon);
        const config = await inSlices(unpackConfig({ rest: message.rest, ...portions }, former));
        this.prepared = await this.gateway.prepare(config, message.generation);
        quarantined = this.prepared.quarantined;
      } else if (message.type === 'commit') {
        this.commit(message.shares, message.down);
        // The next generation may want them again, and the supervisor looks whether they are free.
        await this.gateway.whenClosed();
      } else if (message.type === 'discard') this.discard();
      else cut = await this.gateway.stop(0, message.timeout);
    } catch (fault) {
      error = (fault as Error).message;
    }
    if (message.type === 'stop') this.deps.send({ type: 'report', id: 0, report: this.report() });
    this.deps.send({ type: 'done', id, error, cut, quarantined });
    if (message.type === 'stop') this.deps.end();
  }

  /** What a configuration is told by; undefined where it is told wholly. Throws where something else runs. */
  private formerOf(generation: number): GatewayConfig | undefined {
    if (generation === 0) return undefined;
    const { current } = this.gateway;
    if (current?.generation !== generation) throw new Error('the worker runs another generation than it should');
    return current.config;
  }

  private discard(): void {
    this.prepared?.discard();
    this.prepared = null;
    this.shares.discard();
  }

  private commit(shares: [string, number][], down: Verdict[]): void {
    this.prepared?.commit();
    this.prepared = null;
    this.shares.commit();
    const keys = new Set(shares.map(([key]) => key));
    this.shares.retain((key) => keys.has(key));
    this.shares.set(shares);
    for (const verdict of down) this.obey(verdict);
  }

  private obey({ service: name, url, healthy, reason }: Verdict): void {
    const service = this.gateway.current?.services.get(name);
    const endpoint = service?.endpoints.find((candidate) => candidate.url === url);
    if (service === undefined || endpoint === undefined) return;
    this.obeying = true;
    service.applyVerdict(endpoint, healthy, reason);
    this.obeying = false;
  }

  private report(): WorkerReport {
    const { gateway } = this;
    const { user, system } = process.cpuUsage();
    const dropped = gateway.droppedLogLines;
    const droppedLines = dropped - this.droppedTold;
    this.droppedTold = dropped;
    return {
      metrics: gateway.metrics.takeDelta(),
      droppedLines,
      active: gateway.active,
      webSockets: [...gateway.webSockets.samples()],
      endpoints: this.endpointReports(),
      lag: gateway.lagMs,
      residentMemory: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
    };
  }

  private endpointReports(): EndpointReport[] {
    const reports: EndpointReport[] = [];
    for (const service of this.gateway.current?.services.values() ?? []) {
      for (const endpoint of service.endpoints) {
        const { url, active, requests, failures, pool } = endpoint;
        const before = this.told.get(endpoint) ?? { requests: 0, failures: 0 };
        const { open, idle } = pool;
        // Of what rests as it did there is nothing to say.
        if (active + open === 0 && requests === before.requests && failures === before.failures) continue;
        this.told.set(endpoint, { requests, failures });
        reports.push({
          service: service.name,
          url,
          active,
          open,
          idle,
          requests: requests - before.requests,
          failures: failures - before.failures,
        });
      }
    }
    return reports;
  }
}
