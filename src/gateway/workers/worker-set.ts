/** The worker processes of a supervisor: how they begin, are watched over, are replaced, and end. */
import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { GatewayConfig } from '../../config/model.ts';
import type { Emit, GatewayEvent } from '../../observability/events.ts';
import type { FromWorker } from './protocol.ts';
import type { SocketSharing } from './sockets.ts';
import { WorkerGoneError, WorkerProcess } from './worker-process.ts';

type WorkerEvent = Extract<GatewayEvent, { type: 'worker' }>;

/** Milliseconds between two looks at the workers. */
const LOOK = 1000;
/** A worker that ended early is replaced after a pause that doubles, from the first to the last; in milliseconds. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
/** One that lived so long did not end early, in milliseconds. */
const LONG_LIFE = 10_000;
/** How long a worker may take to begin, and beyond its time to stop, in milliseconds. */
export const START_TIME = 30_000;
const GRACE = 1000;
/** What `workers` means on this machine. */
export function workerCount(workers: 'auto' | number): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

export interface WorkerSetDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly version: string;
  readonly sharing: SocketSharing;
  /** That of the gateway's start, which all workers are to have. */
  readonly secret: Uint8Array;
  /** What all are to seal TLS session tickets by at the moment. */
  readonly ticketSeed: () => Uint8Array;
  readonly emit?: Emit;
  /** Takes whole lines that workers wrote to their standard output. */
  readonly onLines: (lines: string) => void;
}

/** Whom the workers serve. */
export interface WorkerLead {
  state(): 'starting' | 'running' | 'draining' | 'stopped';
  /** The one that runs; asked for only when there is one. */
  config(): GatewayConfig;
  /** Has one more worker begin, in its turn, unless there are enough; `spare` are wanted beyond the count. */
  join(spare?: number): Promise<void>;
  onMessage(worker: WorkerProcess, message: FromWorker): void;
  /** A connection that a worker was handed, and ended before it took. */
  onReturned(listener: string, socket: Socket): void;
  /** It has said nothing since the last look. */
  onSilent(worker: WorkerProcess): void;
  /** The worker is no more. */
  onGone(worker: WorkerProcess): void;
}

export class WorkerSet implements Iterable<WorkerProcess> {
  /** How many there are to be. */
  count: number;
  private readonly deps: WorkerSetDeps;
  private readonly lead: WorkerLead;
  private readonly members = new Set<WorkerProcess>();
  private looking: TimerHandle | null = null;
  private pause = FIRST_PAUSE;
  private replacing = false;

  constructor(count: number, deps: WorkerSetDeps, lead: WorkerLead) {
    this.count = count;
    this.deps = deps;
    this.lead = lead;
  }

  /** All that have not ended, in the order in which they began. */
  [Symbol.iterator](): Iterator<WorkerProcess> {
    return this.members.values();
  }

  get size(): number {
    return this.members.size;
  }

  /** Those that serve or are about to. */
  get serving(): WorkerProcess[] {
    return [...this.members].filter(({ state }) => state !== 'draining');
  }

  begin(): WorkerProcess {
    const { version, sharing, clock, onLines } = this.deps;
    const worker = new WorkerProcess({ version, sockets: sharing }, clock.now(), {
      onMessage: (from, message) => this.lead.onMessage(from, message),
      onLines,
      onReturned: (listener, socket) => this.lead.onReturned(listener, socket),
      onExit: (ended, code, signal) => this.onExit(ended, code, signal),
    });
    this.members.add(worker);
    return worker;
  }

  /** Settles when the worker has begun; rejects when it ends before, or takes too long. */
  async started(worker: WorkerProcess): Promise<void> {
    await within(START_TIME, worker.started);
    worker.send({ type: 'secret', secret: this.deps.secret });
    this.tellTickets(worker);
  }

  /** Tells it what TLS session tickets are sealed by, as it is to be told again whenever that changes. */
  tellTickets(worker: WorkerProcess): void {
    worker.send({ type: 'ticket-seed', seed: this.deps.ticketSeed() });
  }

  /** Has every worker that serves, or is about to, do something; one that ends meanwhile is passed over. */
  async toAll(work: (worker: WorkerProcess) => Promise<unknown>): Promise<void> {
    await Promise.all(
      this.serving.map((worker) =>
        work(worker).catch((error: unknown) => {
          if (!(error instanceof WorkerGoneError)) throw error;
        }),
      ),
    );
  }

  /** Has them tell what they counted; one that is slow to answer keeps nobody waiting long. */
  async collect(): Promise<void> {
    await Promise.all(
      [...this.members]
        .filter(({ state }) => state === 'running' || state === 'draining')
        .map((worker) => within(GRACE, worker.request({ type: 'collect' })).catch(() => {})),
    );
  }

  private onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void {
    const { clock, timers, logger } = this.deps;
    this.members.delete(worker);
    this.lead.onGone(worker);
    this.emit(worker, 'ended', signal === null ? `exit status ${code}` : `signal ${signal}`);
    const state = this.lead.state();
    if (state === 'draining' || state === 'stopped') return;
    if (this.serving.length >= this.count) return;
    const lived = clock.now() - worker.begun;
    this.pause = lived > LONG_LIFE ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, this.pause * 2);
    // The first one is replaced at once: only those who end again and again must wait.
    const delay = lived > LONG_LIFE ? 0 : this.pause;
    // One that ends before the gateway serves makes its start fail.
    if (state !== 'running') return;
    logger.error('a worker ended and is replaced', { pid: worker.pid, code, signal, delay_ms: delay });
    timers.setTimeout(() => void this.lead.join(), delay);
  }

  /** Looks at them from now on, again and again: one that does not answer is killed, one that is too large replaced. */
  watch(): void {
    const { timers, logger } = this.deps;
    this.looking = timers.setTimeout(() => {
      const { workerHeartbeat, workerMemory } = this.lead.config();
      for (const worker of this.members) {
        if (worker.state !== 'running') continue;
        // Looks are counted, not time: a pause of this process itself is nobody else's silence.
        if (worker.silence++ * LOOK >= workerHeartbeat) {
          logger.error('a worker does not answer and is killed', { pid: worker.pid, silent_ms: workerHeartbeat });
          this.emit(worker, 'killed', `no answer for ${workerHeartbeat} ms`);
          worker.kill();
          continue;
        }
        if (worker.silence > 1) this.lead.onSilent(worker);
        worker.request({ type: 'collect' }).catch(() => {});
        const memory = worker.report?.residentMemory ?? 0;
        if (workerMemory !== undefined && memory > workerMemory) this.outgrown(worker, memory);
      }
      this.watch();
    }, LOOK);
  }

  unwatch(): void {
    if (this.looking !== null) this.deps.timers.clearTimeout(this.looking);
  }

  /** A new worker takes the place of one that has grown too large, and then that one ends. */
  private outgrown(worker: WorkerProcess, memory: number): void {
    if (this.replacing) return;
    this.replacing = true;
    this.deps.logger.warn('a worker has outgrown its memory and is replaced', {
      pid: worker.pid,
      resident_bytes: memory,
    });
    void this.lead
      .join(1)
      .then(async () => {
        const { timeout } = this.lead.config().shutdown;
        // Without the other one there would be one too few; and it may have ended, or be about to, for another reason.
        if (this.serving.length <= this.count) return;
        if (worker.state === 'running') await this.drain(worker, timeout);
        else this.drainSurplus(timeout);
      })
      .finally(() => {
        this.replacing = false;
      });
  }

  /** Those beyond `count` end: the youngest go. */
  drainSurplus(timeout: number): void {
    for (const worker of this.serving.slice(this.count)) void this.drain(worker, timeout);
  }

  /** The worker ends what it has; answers how many requests had to be cut. One that drains already goes on with it. */
  drain(worker: WorkerProcess, timeout: number): Promise<number> {
    worker.drained ??= this.drainNow(worker, timeout);
    return worker.drained;
  }

  private async drainNow(worker: WorkerProcess, timeout: number): Promise<number> {
    worker.state = 'draining';
    this.emit(worker, 'draining');
    try {
      const { cut } = await within(timeout + GRACE, worker.request({ type: 'stop', timeout }));
      return cut;
    } catch (error) {
      if (error instanceof WorkerGoneError) return 0;
      worker.kill();
      return worker.report?.active ?? 0;
    }
  }

  /** All end what they have; answers how many requests had to be cut. */
  async drainAll(timeout: number): Promise<number> {
    const cuts = await Promise.all([...this.members].map((worker) => this.drain(worker, timeout)));
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }

  /** The worker serves the running generation. */
  setRunning(worker: WorkerProcess): void {
    if (worker.state !== 'starting') return;
    worker.state = 'running';
    this.emit(worker, 'running');
  }

  private emit({ pid }: WorkerProcess, state: WorkerEvent['state'], reason?: string): void {
    this.deps.emit?.({ type: 'worker', pid, state, ...(reason === undefined ? {} : { reason }) });
  }

  kill(): void {
    for (const worker of this.members) worker.kill();
  }
}

/** Rejects when the work takes longer. */
export function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`a worker took longer than ${milliseconds} ms`)), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
