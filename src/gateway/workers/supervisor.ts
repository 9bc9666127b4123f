/** Leads the workers: one configuration, one set of limits, one verdict on each endpoint, and one account of it all. */

import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';
import type { Inheritance, InheritedSocket } from '../../base/inherited.ts';
import type { Logger } from '../../base/logger.ts';
import { inSlices } from '../../base/slices.ts';
import type { GatewayConfig } from '../../config/model.ts';
import { type ConfigParcel, packConfig } from '../../config/parcel.ts';
import type { Emit, GatewayEvent } from '../../observability/events.ts';
import { createServices } from '../../upstream/create-services.ts';
import { probeHttp } from '../../upstream/health/http-probe.ts';
import type { Service } from '../../upstream/service.ts';
import { type ApplyOptions, connectionsKey, isSameConfig, REQUESTS_KEY } from '../gateway.ts';
import type { HealthPicture, StatsPicture, StatusPicture } from '../picture.ts';
import { type LateQuarantine, logQuarantined, type RouteState, routeState, withQuarantined } from '../quarantine.ts';
import { type AbsentPool, Account } from './account.ts';
import { Ledger } from './ledger.ts';
import type { FromWorker, Verdict } from './protocol.ts';
import { type SocketSharing, Sockets } from './sockets.ts';
import { WorkerGoneError, WorkerProcess } from './worker-process.ts';

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly random: () => number;
  readonly version: string;
  readonly sharing: SocketSharing;
  /** Addresses from the process whose place this one takes. */
  readonly inherited: Inheritance;
  /** Told of generations that go live, of endpoints, and of workers that come and go. */
  readonly emit?: Emit;
  /** Takes whole lines that workers wrote to their standard output. */
  readonly onLines: (lines: string) => void;
}

type WorkerEvent = Extract<GatewayEvent, { type: 'worker' }>;

/** Milliseconds between two looks at the workers. */
const LOOK = 1000;
/** A worker that ended early is replaced after a pause that doubles, from the first to the last; in milliseconds. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
/** One that lived so long did not end early, in milliseconds. */
const LONG_LIFE = 10_000;
/** How long a worker may take to begin, and beyond its time to stop, in milliseconds. */
const START_TIME = 30_000;
const GRACE = 1000;
/** Connections that wait for a worker, before more are refused. */
const MOST_WAITING = 1024;

/** What `workers` means on this machine. */
export function workerCount(workers: 'auto' | number): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

export class Supervisor {
  /** `starting`, `running`, `draining` (still serving), `stopped`. */
  state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting';
  generation = 0;
  private readonly deps: SupervisorDeps;
  private readonly count: number;
  private readonly workers = new Set<WorkerProcess>();
  private readonly sockets: Sockets;
  private readonly ledger: Ledger;
  private readonly account: Account;
  private config: GatewayConfig | null = null;
  /** As the workers have it: real ports, and their part of what is theirs alone. */
  private workerConfig: GatewayConfig | null = null;
  private services: ReadonlyMap<string, Service<AbsentPool>> = new Map();
  private turns: Promise<unknown> = Promise.resolve();
  private looking: TimerHandle | null = null;
  private pause = FIRST_PAUSE;
  private nextTurn = 0;
  private replacing = false;
  /** Accepted while no worker served: at a start, or after all of them ended at once. */
  private readonly waiting: { readonly listener: string; readonly socket: Socket }[] = [];

  constructor(count: number, deps: SupervisorDeps) {
    this.count = count;
    this.deps = deps;
    this.ledger = new Ledger(count);
    this.sockets = new Sockets(deps.sharing, deps.inherited, (listener, socket) => this.handOver(listener, socket));
    this.account = new Account({
      clock: deps.clock,
      timers: deps.timers,
      version: deps.version,
      generation: () => this.generation,
      services: () => this.services,
      workers: () => this.workers,
      quarantinedRoutes: () => this.routeStates().filter(({ reason }) => reason !== undefined).length,
    });
  }

  get addresses(): { name: string; host: string; port: number }[] {
    return this.sockets.addresses;
  }

  get inheritance(): readonly InheritedSocket[] {
    return this.sockets.inheritance;
  }

  /** Requests in progress, by the workers' last reports. */
  get active(): number {
    return this.account.active;
  }

  countReload(result: 'success' | 'failure'): void {
    this.account.metrics.reloads.count(result);
  }

  /**
   * Makes `config` the running one in every worker, as one generation: prepared by all before any goes live. Rejects with
   * the reason, and has changed nothing, when one cannot. Answers false, and does nothing, when it equals the running one,
   * unless there is a route to be built anew.
   */
  apply(config: GatewayConfig, options: ApplyOptions = {}): Promise<boolean> {
    return this.inTurn(() => this.applyNow(config, options));
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.turns.then(work);
    this.turns = turn.catch(() => undefined);
    return turn;
  }

  private async applyNow(config: GatewayConfig, { force = false, after = 0 }: ApplyOptions): Promise<boolean> {
    this.refuseWhenStopping();
    const same = !force && this.config !== null && (await inSlices(isSameConfig(this.config, config)));
    // What kept a route from being built may stand outside the configuration.
    if (same && !this.hasLate()) return false;
    const services = this.createServices(config);
    let sockets: Awaited<ReturnType<Sockets['prepare']>> | null = null;
    const generation = Math.max(this.generation, after) + 1;
    try {
      sockets = await this.sockets.prepare(config.listeners);
      const wanted = { ...config, listeners: this.partOf(sockets.listeners) };
      const first = this.workers.size === 0;
      if (first) await this.startAll();
      const workerConfig = await this.prepareAll(generation, wanted);
      this.refuseWhenStopping();
      this.workerConfig = workerConfig;
    } catch (error) {
      for (const service of services.values()) service.close();
      sockets?.discard();
      if (this.config === null) this.killAll();
      throw error;
    }
    const former = this.services;
    for (const service of services.values()) service.commit();
    this.services = services;
    this.config = config;
    this.generation = generation;
    this.deps.logger.level = config.logging.level;
    this.setLimits(config);
    this.account.retain(config);
    logQuarantined(this.deps.logger, this.routeStates());
    await this.toAll((worker) => this.commit(worker));
    sockets.commit();
    for (const service of former.values()) service.close();
    if (this.state === 'starting') {
      this.state = 'running';
      this.look();
    }
    this.deps.emit?.({ type: 'config', result: 'applied', generation });
    return true;
  }

  private refuseWhenStopping(): void {
    if (this.state === 'draining' || this.state === 'stopped') throw new Error('the gateway is stopping');
  }

  private createServices(config: GatewayConfig): Map<string, Service<AbsentPool>> {
    return createServices<AbsentPool>(config.services, this.services, {
      clock: this.deps.clock,
      timers: this.deps.timers,
      logger: this.deps.logger,
      random: this.deps.random,
      createPool: () => this.account.createPool(),
      check: probeHttp,
      onHealthChange: ({ name }, { id, url, healthy }, reason) => {
        this.deps.emit?.({ type: 'health', service: name, endpoint: id, healthy, reason });
        // A rest ends in each worker by itself.
        this.tell({ service: name, url, healthy, reason }, null);
      },
    });
  }

  /** Connections of clients are counted where they are: each worker has its part of the limit. */
  private partOf(listeners: GatewayConfig['listeners']): GatewayConfig['listeners'] {
    return listeners.map((listener) => {
      const connections = Math.ceil(listener.limits.connections / this.count);
      return { ...listener, limits: { ...listener.limits, connections } };
    });
  }

  private setLimits(config: GatewayConfig): void {
    const limits = new Map([[REQUESTS_KEY, config.limits.concurrentRequests]]);
    for (const service of this.services.values()) {
      for (const { url } of service.endpoints)
        limits.set(connectionsKey(service.name, url), service.config.connections.max);
    }
    this.ledger.retain((key) => limits.has(key));
    for (const [key, limit] of limits) this.ledger.setLimit(key, limit);
  }

  // Workers.

  private async startAll(): Promise<void> {
    const begun = Array.from({ length: this.count }, () => this.begin());
    await Promise.all(begun.map((worker) => this.within(START_TIME, worker.started)));
  }

  private begin(): WorkerProcess {
    const { version, sharing, clock, onLines } = this.deps;
    const worker = new WorkerProcess({ version, sockets: sharing }, clock.now(), {
      onMessage: (from, message) => this.onMessage(from, message),
      onLines,
      onReturned: (listener, socket) => this.handOver(listener, socket),
      onExit: (ended, code, signal) => this.onExit(ended, code, signal),
    });
    this.workers.add(worker);
    return worker;
  }

  private within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`a worker took longer than ${milliseconds} ms`)), milliseconds);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /**
   * Has the generation prepared by every worker; answers the configuration that all of them have, in which a route is
   * quarantined that one of them could not build. Rejects when it cannot be had. A worker that ends meanwhile says nothing
   * about it.
   */
  private async prepareAll(generation: number, config: GatewayConfig): Promise<GatewayConfig> {
    const errors: string[] = [];
    const late: LateQuarantine[] = [];
    let ready = 0;
    const parcel = await inSlices(packConfig(config));
    await this.toAll(async (worker) => {
      const { error, quarantined } = await prepare(worker, generation, parcel);
      late.push(...quarantined);
      worker.quarantined = [];
      if (error === null) ready++;
      else errors.push(error);
    });
    if (errors.length === 0 && ready > 0) {
      // A route that is quarantined is not built again, so this ends.
      return late.length === 0 ? config : this.prepareAll(generation, withQuarantined(config, late));
    }
    await this.toAll((worker) => worker.request({ type: 'discard' }));
    throw new Error(errors[0] ?? 'no worker is running');
  }

  /** True where a route serves in the configuration and not in the workers. */
  private hasLate(): boolean {
    const serving = this.config?.routes.filter(({ quarantined }) => quarantined === undefined).length ?? 0;
    return this.routeStates().filter(({ reason }) => reason === undefined).length < serving;
  }

  /** A route is active where every worker serves it. */
  private routeStates(): RouteState[] {
    const late = [...this.workers].flatMap(({ quarantined }) => quarantined);
    const { routes } = withQuarantined(this.workerConfig ?? { routes: [] }, late);
    return routes.map(({ name, quarantined }) => routeState(name, quarantined?.reason));
  }

  private async commit(worker: WorkerProcess): Promise<void> {
    await worker.request({ type: 'commit', shares: [...this.ledger.join(worker)], down: this.downVerdicts() });
    if (worker.state === 'starting') {
      worker.state = 'running';
      this.emitWorker(worker, 'running');
    }
    this.admitWaiting();
  }

  /** Has every worker that serves, or is about to, do something; one that ends meanwhile is passed over. */
  private async toAll(work: (worker: WorkerProcess) => Promise<unknown>): Promise<void> {
    const wanted = [...this.workers].filter(({ state }) => state !== 'draining');
    await Promise.all(
      wanted.map((worker) =>
        work(worker).catch((error: unknown) => {
          if (!(error instanceof WorkerGoneError)) throw error;
        }),
      ),
    );
  }

  /** One more worker, on the generation that runs by then, unless there are `most` already. */
  private join(most = this.count): Promise<void> {
    return this.inTurn(async () => {
      if (this.state !== 'running' || this.workerConfig === null) return;
      // A generation that found none of them alive has started all of them anew.
      if (this.lasting >= most) return;
      const worker = this.begin();
      try {
        await this.within(START_TIME, worker.started);
        const parcel = await inSlices(packConfig(this.workerConfig));
        // Nobody looks at it before it runs, and whatever changes the configuration waits for it.
        const { error, quarantined } = await this.within(START_TIME, prepare(worker, this.generation, parcel));
        if (error !== null) throw new Error(error);
        worker.quarantined = quarantined;
        await this.within(START_TIME, this.commit(worker));
        logQuarantined(
          this.deps.logger,
          quarantined.map(({ name, reason }) => routeState(name, reason)),
        );
      } catch (error) {
        if (error instanceof WorkerGoneError) return;
        this.deps.logger.error('a worker could not begin', { pid: worker.pid, error });
        worker.kill();
      }
    });
  }

  /** Workers that serve, or are about to. */
  private get lasting(): number {
    return [...this.workers].filter(({ state }) => state !== 'draining').length;
  }

  private onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void {
    const { clock, timers, logger } = this.deps;
    this.workers.delete(worker);
    this.ledger.leave(worker);
    this.account.leave(worker);
    this.emitWorker(worker, 'ended', signal === null ? `exit status ${code}` : `signal ${signal}`);
    if (this.state === 'draining' || this.state === 'stopped') return;
    if (this.lasting >= this.count) return;
    const lived = clock.now() - worker.begun;
    this.pause = lived > LONG_LIFE ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, this.pause * 2);
    // The first one is replaced at once: only those who end again and again must wait.
    const delay = lived > LONG_LIFE ? 0 : this.pause;
    // One that ends before the gateway serves makes its start fail.
    if (this.state !== 'running') return;
    logger.error('a worker ended and is replaced', { pid: worker.pid, code, signal, delay_ms: delay });
    timers.setTimeout(() => void this.join(), delay);
  }

  private onMessage(worker: WorkerProcess, message: FromWorker): void {
    switch (message.type) {
      case 'report':
        return this.account.add(worker, message.report);
      case 'ask':
        return this.ledger.onAsk(worker, message.key);
      case 'give':
        return this.ledger.onGiven(worker, message.key, message.count);
      case 'verdict':
        return this.onVerdict(worker, message.verdict);
    }
  }

  /** Traffic of one worker marked an endpoint down. */
  private onVerdict(worker: WorkerProcess, verdict: Verdict): void {
    const service = this.services.get(verdict.service);
    const endpoint = service?.endpoints.find(({ url }) => url === verdict.url);
    if (service === undefined || endpoint === undefined || !endpoint.healthy) return;
    this.from = worker;
    service.applyVerdict(endpoint, verdict.healthy, verdict.reason);
    this.from = null;
  }

  /** Who told the verdict that is being applied, and need not hear it. */
  private from: WorkerProcess | null = null;

  private tell(verdict: Verdict, _worker: WorkerProcess | null): void {
    for (const worker of this.workers) if (worker !== this.from) worker.send({ type: 'verdict', verdict });
  }

  private downVerdicts(): Verdict[] {
    const down: Verdict[] = [];
    for (const service of this.services.values()) {
      for (const { url, healthy } of service.endpoints) {
        if (!healthy) down.push({ service: service.name, url, healthy, reason: 'it was down before' });
      }
    }
    return down;
  }

  private handOver(listener: string, socket: Socket): void {
    const running = [...this.workers].filter(({ state }) => state === 'running');
    const worker = running[this.nextTurn++ % running.length];
    if (worker !== undefined) worker.hand(listener, socket);
    else if (this.waiting.length < MOST_WAITING && this.state !== 'stopped') this.waiting.push({ listener, socket });
    else socket.destroy();
  }

  /** A worker serves: those who came before it did are its first. */
  private admitWaiting(): void {
    for (const { listener, socket } of this.waiting.splice(0)) this.handOver(listener, socket);
  }

  // Watching over them.

  private look(): void {
    const { timers, logger } = this.deps;
    this.looking = timers.setTimeout(() => {
      const { workerHeartbeat, workerMemory } = this.config as GatewayConfig;
      for (const worker of this.workers) {
        if (worker.state !== 'running') continue;
        // Looks are counted, not time: a pause of this process itself is nobody else's silence.
        if (worker.silence++ * LOOK >= workerHeartbeat) {
          logger.error('a worker does not answer and is killed', { pid: worker.pid, silent_ms: workerHeartbeat });
          this.emitWorker(worker, 'killed', `no answer for ${workerHeartbeat} ms`);
          worker.kill();
          continue;
        }
        worker.request({ type: 'collect' }).catch(() => {});
        const memory = worker.report?.residentMemory ?? 0;
        if (workerMemory !== undefined && memory > workerMemory) this.outgrown(worker, memory);
      }
      this.look();
    }, LOOK);
  }

  /** A new worker takes the place of one that has grown too large, and then that one ends. */
  private outgrown(worker: WorkerProcess, memory: number): void {
    if (this.replacing) return;
    this.replacing = true;
    this.deps.logger.warn('a worker has outgrown its memory and is replaced', {
      pid: worker.pid,
      resident_bytes: memory,
    });
    void this.join(this.count + 1)
      .then(() => this.drain(worker, (this.config as GatewayConfig).shutdown.timeout))
      .finally(() => {
        this.replacing = false;
      });
  }

  /** The worker ends what it has; answers how many requests had to be cut. */
  private async drain(worker: WorkerProcess, timeout: number): Promise<number> {
    worker.state = 'draining';
    this.emitWorker(worker, 'draining');
    try {
      const { cut } = await this.within(timeout + GRACE, worker.request({ type: 'stop', timeout }));
      return cut;
    } catch (error) {
      if (error instanceof WorkerGoneError) return 0;
      worker.kill();
      return worker.report?.active ?? 0;
    }
  }

  private emitWorker({ pid }: WorkerProcess, state: WorkerEvent['state'], reason?: string): void {
    this.deps.emit?.({ type: 'worker', pid, state, ...(reason === undefined ? {} : { reason }) });
  }

  // The whole.

  status(): Promise<StatusPicture> {
    return this.collected(() => ({
      pid: process.pid,
      generation: this.generation,
      state: this.state,
      listeners: this.account.listeners(this.addresses),
      workers: [...this.workers].map(({ pid, state }) => ({ pid, state })),
      routes: this.routeStates(),
      services: this.account.services(),
    }));
  }

  health(): Promise<HealthPicture> {
    return this.collected(() => this.account.health());
  }

  metrics(): Promise<Iterable<string>> {
    return this.collected(() => this.account.metrics.pieces());
  }

  stats(): Promise<StatsPicture> {
    return this.collected(() => ({ active: this.active, ...this.account.metrics.stats() }));
  }

  /** The configuration of the generation that runs; null before the first. */
  get current(): GatewayConfig | null {
    return this.config;
  }

  /** After the workers have told what they counted; one that is slow to answer keeps nobody waiting long. */
  private async collected<T>(read: () => T): Promise<T> {
    await Promise.all(
      [...this.workers]
        .filter(({ state }) => state === 'running' || state === 'draining')
        .map((worker) => this.within(GRACE, worker.request({ type: 'collect' })).catch(() => {})),
    );
    return read();
  }

  reopenLogs(): void {
    for (const worker of this.workers) worker.send({ type: 'reopen-logs' });
  }

  /** Drains and stops all workers, serving on for `drain` milliseconds; answers how many requests had to be cut. */
  async stop(drain = this.config?.shutdown.drain ?? 0): Promise<number> {
    if (this.state === 'draining' || this.state === 'stopped') return 0;
    this.state = 'draining';
    const timeout = this.config?.shutdown.timeout ?? 0;
    const serving = Math.min(drain, timeout);
    if (serving > 0) await new Promise((resolve) => setTimeout(resolve, serving));
    // What was accepted here is with a worker before that worker is told to stop.
    this.sockets.close();
    const cuts = await Promise.all([...this.workers].map((worker) => this.drain(worker, timeout - serving)));
    this.end();
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }

  /** Ends everything at once: for a start that failed half-way. */
  abandon(): void {
    this.killAll();
    this.end();
  }

  private killAll(): void {
    this.state = 'stopped';
    for (const worker of this.workers) worker.kill();
  }

  private end(): void {
    this.state = 'stopped';
    this.sockets.close();
    for (const { socket } of this.waiting.splice(0)) socket.destroy();
    if (this.looking !== null) this.deps.timers.clearTimeout(this.looking);
    for (const service of this.services.values()) service.close();
    this.account.close();
  }
}

/** Has a worker build a generation; the channel keeps the order of what is sent. */
function prepare(worker: WorkerProcess, generation: number, { rest, services, routes }: ConfigParcel) {
  for (const portion of services) worker.send({ type: 'portion', list: 'services', portion });
  for (const portion of routes) worker.send({ type: 'portion', list: 'routes', portion });
  return worker.request({ type: 'prepare', generation, rest });
}
