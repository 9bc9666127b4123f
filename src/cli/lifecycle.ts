/** How a running gateway ends: told by a signal or by the admin API to stop, or to make room for its successor. */
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Lease } from '../control/endpoint-registry.ts';
import type { Server } from './serve.ts';
import { startSuccessor } from './successor.ts';

/** Does something while nothing else changes the configuration. */
type Hold = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Milliseconds within which signals are one: `timeout` and `npm` send one to the process, and a terminal or they themselves another
 * to its whole group. Nobody presses a key twice in that time.
 */
const SAME_SIGNAL = 200;

export class Lifecycle {
  private readonly logger: Logger;
  private readonly clock: Pick<Clock, 'now'>;
  private server: Server | null = null;
  private leases: () => readonly Lease[] = () => [];
  private hold: Hold = (work) => work();
  private stopping = false;
  /** When the first signal to stop came, on the clock; null before. */
  private signalled: number | null = null;
  /** Set while a successor is on its way; gives it up. */
  private succeeding: AbortController | null = null;
  private onDone: () => void = () => {};
  /** Resolves when the gateway has stopped. */
  private readonly done = new Promise<void>((resolve) => {
    this.onDone = resolve;
  });

  constructor(logger: Logger, clock: Pick<Clock, 'now'> = systemClock) {
    this.logger = logger;
    this.clock = clock;
  }

  /**
   * Obeys signals, for as long as `server` runs; resolves when it has stopped. `leases` are what a successor goes on with,
   * and `hold` keeps the configuration as it is while one is on its way.
   */
  untilStopped(server: Server, { leases, hold }: { leases?: () => readonly Lease[]; hold?: Hold } = {}): Promise<void> {
    this.server = server;
    if (leases !== undefined) this.leases = leases;
    if (hold !== undefined) this.hold = hold;
    process.on('SIGUSR2', () => void this.upgrade().catch(() => {}));
    process.on('SIGTERM', () => this.stop('SIGTERM'));
    process.on('SIGINT', () => this.stop('SIGINT'));
    return this.done;
  }

  /** Drains and stops; at the second signal, at once. The API may ask twice, and before a signal: it has no haste. */
  stop(cause: 'api' | 'SIGTERM' | 'SIGINT'): void {
    const { server, logger } = this;
    if (server === null) return;
    const now = this.clock.now();
    if (this.signalled !== null && cause !== 'api') {
      if (now - this.signalled < SAME_SIGNAL) return;
      logger.warn('stopped at once, by a second signal', { signal: cause, cut_requests: server.active });
      server.abandon();
      process.exit(1);
    }
    if (cause !== 'api') this.signalled = now;
    if (this.stopping) {
      logger.info('draining already', { signal: cause, active_requests: server.active });
      return;
    }
    this.stopping = true;
    // Who stops the gateway does not want its successor either.
    this.succeeding?.abort();
    logger.info('draining', { signal: cause });
    void server.stop().then((cut) => this.finish(cut));
  }

  /**
   * Starts the program on disk to go on in this one's place, and drains. Answers the successor's process id; rejects with the
   * reason when it does not come to serve, and then this gateway stays.
   */
  async upgrade(): Promise<number> {
    const { server, logger } = this;
    if (server === null || this.stopping || this.succeeding !== null)
      throw new Error('the gateway is starting or stopping');
    const abort = new AbortController();
    this.succeeding = abort;
    logger.info('upgrading: a successor is started', {});
    try {
      return await this.hold(async () => {
        if (this.stopping) throw new Error('the gateway is stopping');
        const { inheritance: sockets, secret, ticketSeed } = server;
        const legacy = { sockets, leases: this.leases(), secret, tickets: ticketSeed.legacy };
        const pid = await startSuccessor(legacy, abort.signal);
        this.stopping = true;
        logger.info('succeeded: draining', { successor: pid });
        // New connections are the successor's, from now on; changes that waited are refused.
        void server.retire().then((cut) => this.finish(cut));
        return pid;
      });
    } catch (error) {
      if (!this.stopping) logger.error('the upgrade failed; the running gateway stays', { error });
      throw error;
    } finally {
      this.succeeding = null;
    }
  }

  private finish(cut: number): void {
    this.logger.info('stopped', { cut_requests: cut });
    this.onDone();
  }
}
