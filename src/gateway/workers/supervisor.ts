/** Leads the workers: one configuration, one set of limits, one verdict on each endpoint, and one account of it all. */

import type { Clock, Timers } from '../../base/clock.ts';
import type { Inheritance, InheritedSocket } from '../../base/inherited.ts';
import type { Logger } from '../../base/logger.ts';
import { inSlices } from '../../base/slices.ts';
import { createStartSecret } from '../../base/start-secret.ts';
import { type TicketLegacy, TicketSeed } from '../../base/ticket-seed.ts';
import { Turns } from '../../base/turns.ts';
import type { GatewayConfig } from '../../config/model.ts';
import type { Emit } from '../../observability/events.ts';
import { Audit } from '../audit.ts';
import { CertificateExpiry } from '../certificate-expiry.ts';
import type { ApplyOptions } from '../gateway.ts';
import type { PreparedState } from '../gateway-state.ts';
import type { KeyDesk } from '../key-desk.ts';
import type { KeyPlaceOptions } from '../key-place.ts';
import { OwnState } from '../own-state.ts';
import type { HealthPicture, StatsPicture, StatusPicture } from '../picture.ts';
import { logQuarantined, type RouteState, routeState } from '../quarantine.ts';
import { isSameConfig } from '../same-config.ts';
import { Account } from './account.ts';
import { hasLate, prepareInAll, prepareInOne, routeStates } from './generation.ts';
import { HandOver } from './hand-over.ts';
import { Ledger } from './ledger.ts';
import type { FromWorker } from './protocol.ts';
import { Services } from './services.ts';
import { type SocketSharing, Sockets } from './sockets.ts';
import { StateDesk } from './state-desk.ts';
import { WorkerGoneError, type WorkerProcess } from './worker-process.ts';
import { START_TIME, WorkerSet, within } from './worker-set.ts';

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly random: () => number;
  readonly version: string;
  readonly sharing: SocketSharing;
  /** Addresses from the process whose place this one takes. */
  readonly inherited: Inheritance;
  /** That of the process whose place this one takes; without it a new one is made. */
  readonly secret?: Uint8Array;
  /** Of the same process: what TLS session tickets are sealed by. */
  readonly tickets?: TicketLegacy;
  /** Told of generations that go live, of endpoints, and of workers that come and go. */
  readonly emit?: Emit;
  /** What the configuration does not say of the place of API keys. */
  readonly keyPlace?: KeyPlaceOptions;
  /** Takes whole lines that workers wrote to their standard output. */
  readonly onLines: (lines: string) => void;
}

/**
 * A port that was free for any (port 0) is let go before the workers have it, and somebody else may have been given it: then
 * another one will do.
 */
function isTakenMeanwhile(error: unknown, { listeners }: GatewayConfig): boolean {
  return (error as Error).message.includes('EADDRINUSE') && listeners.some(({ address }) => address.port === 0);
}

export class Supervisor {
  /** `starting`, `running`, `draining` (still serving), `stopped`. */
  state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting';
  generation = 0;
  /** Keys of this start are made from it, the same in all workers. */
  readonly secret: Uint8Array;
  /** Of TLS session tickets; workers follow it. */
  readonly ticketSeed: TicketSeed;
  private readonly deps: SupervisorDeps;
  private readonly workers: WorkerSet;
  private readonly sockets: Sockets;
  private readonly ledger: Ledger;
  private readonly account: Account;
  private readonly services: Services;
  private readonly handOver: HandOver;
  private readonly policyState: OwnState;
  private readonly desk: StateDesk;
  /** Of what operators do; refusals are the workers' to tell. */
  readonly audit: Audit;
  private readonly certificates: CertificateExpiry;
  private config: GatewayConfig | null = null;
  /** As the workers have it: with real ports. */
  private workerConfig: GatewayConfig | null = null;
  private readonly turns = new Turns();

  constructor(count: number, deps: SupervisorDeps) {
    this.deps = deps;
    this.secret = deps.secret ?? createStartSecret();
    this.ledger = new Ledger(count);
    this.certificates = new CertificateExpiry(deps);
    this.policyState = new OwnState(
      {
        ...deps,
        ...deps.keyPlace,
        onKeyChange: (key) => {
          for (const worker of this.workers) worker.answerState({ type: 'key-changed', key });
        },
      },
      false,
    );
    this.audit = new Audit(deps);
    this.desk = new StateDesk(this.policyState);
    this.ticketSeed = new TicketSeed(deps, () => {
      for (const worker of this.workers) this.workers.tellTickets(worker);
    });
    this.ticketSeed.lead();
    const workerDeps = { ...deps, secret: this.secret, ticketSeed: () => this.ticketSeed.legacy.seed };
    this.workers = new WorkerSet(count, workerDeps, {
      state: () => this.state,
      config: () => this.config as GatewayConfig,
      join: (spare) => this.join(spare),
      onMessage: (worker, message) => this.onMessage(worker, message),
      onReturned: (listener, socket) => this.handOver.take(listener, socket),
      onSilent: (worker) => this.ledger.onSilent(worker),
      onGone: (worker) => {
        this.ledger.leave(worker);
        this.desk.leave(worker);
        this.account.leave(worker);
      },
    });
    this.handOver = new HandOver({ workers: () => this.workers, open: () => this.state !== 'stopped' });
    this.sockets = new Sockets(deps.sharing, deps.inherited, (name, socket) => this.handOver.take(name, socket));
    this.account = new Account({
      clock: deps.clock,
      timers: deps.timers,
      version: deps.version,
      generation: () => this.generation,
      services: () => this.services.all,
      workers: () => this.workers,
      quarantinedRoutes: () => this.routeStates().filter(({ reason }) => reason !== undefined).length,
      certificates: () => this.certificates.samples(),
    });
    this.services = new Services({
      ...deps,
      createPool: () => this.account.createPool(),
      workers: () => this.workers,
    });
  }

  get addresses(): { name: string; host: string; port: number }[] {
    return this.sockets.addresses;
  }

  /** What operators do with API keys. */
  get keys(): KeyDesk {
    return this.policyState.keys.desk;
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
   * unless there is a route to be built anew. Workers that are to come are part of that; those that are to go drain after it.
   */
  apply(config: GatewayConfig, options: ApplyOptions = {}): Promise<boolean> {
    return this.turns.take(() => this.applyNow(config, options));
  }

  private async applyNow(config: GatewayConfig, options: ApplyOptions): Promise<boolean> {
    this.refuseWhenStopping();
    const { force = false, after = 0, workers: count = this.workers.count } = options;
    const unforced = !force && this.config !== null && count === this.workers.count;
    const same = unforced && (await inSlices(isSameConfig(this.config as GatewayConfig, config)));
    // What kept a route from being built may stand outside the configuration.
    if (same && !hasLate(this.config, this.routeStates())) return false;
    const services = this.services.create(config);
    let sockets: Awaited<ReturnType<Sockets['prepare']>> | null = null;
    let state: PreparedState | null = null;
    let audit: PreparedState | null = null;
    const generation = Math.max(this.generation, after) + 1;
    let fresh: WorkerProcess[] = [];
    try {
      audit = this.audit.prepare(config);
      state = await this.policyState.prepare(config);
      sockets = await this.sockets.prepare(config.listeners);
      const more = this.workers.size === 0 ? count : Math.max(0, count - this.workers.count);
      fresh = Array.from({ length: more }, () => this.workers.begin());
      await Promise.all(fresh.map((worker) => this.workers.started(worker)));
      const prepareBy = ({ listeners }: { listeners: GatewayConfig['listeners'] }): Promise<GatewayConfig> =>
        prepareInAll(this.workers, generation, { ...config, listeners });
      let workerConfig: GatewayConfig;
      try {
        workerConfig = await prepareBy(sockets);
      } catch (error) {
        if (!isTakenMeanwhile(error, config)) throw error;
        sockets.discard();
        sockets = await this.sockets.prepare(config.listeners);
        workerConfig = await prepareBy(sockets);
      }
      this.refuseWhenStopping();
      this.workerConfig = workerConfig;
    } catch (error) {
      for (const service of services.values()) service.close();
      sockets?.discard();
      state?.discard();
      audit?.discard();
      if (this.config === null) this.killAll();
      else for (const worker of fresh) worker.kill();
      throw error;
    }
    // Before any worker serves by the new one.
    state.commit();
    audit.commit();
    const former = this.services.swap(services);
    this.config = config;
    this.certificates.follow(config);
    this.generation = generation;
    this.deps.logger.level = config.logging.level;
    this.setLimits(config);
    this.setCount(count);
    this.account.retain(config);
    logQuarantined(this.deps.logger, this.routeStates());
    // New ones come last: by then the others have given back what is to be theirs.
    await this.workers.toAll((worker) => (fresh.includes(worker) ? Promise.resolve() : this.commit(worker)));
    await this.workers.toAll((worker) => (fresh.includes(worker) ? this.commit(worker) : Promise.resolve()));
    sockets.commit();
    this.workers.drainSurplus(config.shutdown.timeout);
    for (const service of former.values()) service.close();
    if (this.state === 'starting') {
      this.state = 'running';
      this.workers.watch();
    }
    // One that ended while this was under way was not missed then.
    for (let missing = this.workers.count - this.workers.serving.length; missing > 0; missing--) void this.join();
    this.deps.emit?.({ type: 'config', result: 'applied', generation });
    return true;
  }

  private setCount(count: number): void {
    if (count === this.workers.count) return;
    this.deps.logger.info('the number of workers changes', { from: this.workers.count, to: count });
    this.workers.count = count;
    this.ledger.setParts(count);
  }

  private refuseWhenStopping(): void {
    if (this.state === 'draining' || this.state === 'stopped') throw new Error('the gateway is stopping');
  }

  private setLimits(config: GatewayConfig): void {
    const limits = this.services.limits(config);
    this.ledger.retain((key) => limits.has(key));
    for (const [key, limit] of limits) this.ledger.setLimit(key, limit);
  }

  private async commit(worker: WorkerProcess): Promise<void> {
    const { down } = this.services;
    await worker.request({ type: 'commit', shares: [...this.ledger.join(worker)], down });
    worker.running = { generation: this.generation, config: this.workerConfig as GatewayConfig };
    this.workers.setRunning(worker);
    this.handOver.admitWaiting();
  }

  /** One more worker, on the generation that runs by then, unless there are enough; `spare` are wanted beyond the count. */
  private join(spare = 0): Promise<void> {
    return this.turns.take(async () => {
      if (this.state !== 'running' || this.workerConfig === null) return;
      if (this.workers.serving.length >= this.workers.count + spare) return;
      const worker = this.workers.begin();
      try {
        await this.workers.started(worker);
        // Nobody looks at it before it runs, and whatever changes the configuration waits for it.
        await within(START_TIME, prepareInOne(worker, this.generation, this.workerConfig));
        await within(START_TIME, this.commit(worker));
        const states = worker.quarantined.map(({ name, reason }) => routeState(name, reason));
        logQuarantined(this.deps.logger, states);
      } catch (error) {
        if (error instanceof WorkerGoneError) return;
        this.deps.logger.error('a worker could not begin', { pid: worker.pid, error });
        worker.kill();
      }
    });
  }

  private onMessage(worker: WorkerProcess, message: FromWorker): void {
    this.ledger.onHeard(worker);
    switch (message.type) {
      case 'report':
        return this.account.add(worker, message.report);
      case 'ask':
        return this.ledger.onAsk(worker, message.key);
      case 'give':
        return this.ledger.onGiven(worker, message.key, message.count);
      case 'return':
        return this.ledger.onReturned(worker, message.key, message.count);
      case 'state-question':
        return this.desk.onQuestion(worker, message.question);
      case 'verdict':
        return this.services.onVerdict(worker, message.verdict);
    }
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

  /** A route is active where every worker serves it. */
  private routeStates(): RouteState[] {
    return routeStates(this.workerConfig, this.workers);
  }

  /** After the workers have told what they counted. */
  private async collected<T>(read: () => T): Promise<T> {
    await this.workers.collect();
    return read();
  }

  reopenLogs(): void {
    this.audit.reopen();
    for (const worker of this.workers) worker.send({ type: 'reopen-logs' });
  }

  /** Drains and stops all workers, serving on for `drain` milliseconds; answers how many requests had to be cut. */
  async stop(drain = this.config?.shutdown.drain ?? 0): Promise<number> {
    if (this.state === 'draining' || this.state === 'stopped') return 0;
    this.state = 'draining';
    const timeout = this.config?.shutdown.timeout ?? 0;
    const serving = Math.min(drain, timeout);
    if (serving > 0) for (const worker of this.workers) worker.send({ type: 'drain' });
    if (serving > 0) await new Promise((resolve) => setTimeout(resolve, serving));
    // What was accepted here is with a worker before that worker is told to stop.
    this.sockets.close();
    const cut = await this.workers.drainAll(timeout - serving);
    await this.audit.close();
    this.end();
    return cut;
  }

  /** Ends everything at once: for a start that failed half-way. */
  abandon(): void {
    this.killAll();
    this.end();
  }

  private killAll(): void {
    this.state = 'stopped';
    this.workers.kill();
  }

  private end(): void {
    this.state = 'stopped';
    this.sockets.close();
    this.handOver.close();
    this.workers.unwatch();
    this.services.close();
    this.certificates.close();
    this.ticketSeed.close();
    this.account.close();
    void this.policyState.close();
    void this.audit.close();
  }
}
