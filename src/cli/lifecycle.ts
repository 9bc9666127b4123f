/** How a running gateway ends: told by a signal or by the admin API to stop, or to make room for its successor. */
import type { Logger } from '../base/logger.ts';
import type { Lease } from '../control/endpoint-registry.ts';
import type { Server } from './serve.ts';
import { startSuccessor } from './successor.ts';

export class Lifecycle {
  private readonly logger: Logger;
  private server: Server | null = null;
  private leases: () => readonly Lease[] = () => [];
  private stopping = false;
  private signalled = false;
  /** Set while a successor is on its way; gives it up. */
  private succeeding: AbortController | null = null;
  private onDone: () => void = () => {};
  /** Resolves when the gateway has stopped. */
  private readonly done = new Promise<void>((resolve) => {
    this.onDone = resolve;
  });

  constructor(logger: Logger) {
    this.logger = logger;
  }

  /** Obeys signals, for as long as `server` runs; resolves when it has stopped. `leases` are what a successor goes on with. */
  untilStopped(server: Server, leases?: () => readonly Lease[]): Promise<void> {
    this.server = server;
    if (leases !== undefined) this.leases = leases;
    process.on('SIGUSR2', () => void this.upgrade().catch(() => {}));
    process.on('SIGTERM', () => this.signal('SIGTERM'));
    process.on('SIGINT', () => this.signal('SIGINT'));
    return this.done;
  }

  /** Drains and stops; where that has begun, it goes on. */
  drain(cause = 'api'): void {
    const { server, logger } = this;
    if (server === null || this.stopping) return;
    this.stopping = true;
    // Who stops the gateway does not want its successor either.
    this.succeeding?.abort();
    logger.info('draining', { signal: cause });
    void server.stop().then((cut) => this.finish(cut));
  }

  /** Drains and stops; at the second signal, at once. What the admin API began is none: a drain before SIGTERM must cut nothing. */
  private signal(name: string): void {
    const { server, logger } = this;
    if (server === null) return;
    if (this.signalled) {
      logger.warn('stopped at once, by a second signal', { signal: name, cut_requests: server.active });
      server.abandon();
      process.exit(1);
    }
    this.signalled = true;
    if (this.stopping) logger.info('draining already: another signal stops at once', { signal: name });
    else this.drain(name);
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
      const pid = await startSuccessor({ sockets: server.inheritance, leases: this.leases() }, abort.signal);
      this.stopping = true;
      logger.info('succeeded: draining', { successor: pid });
      // New connections are the successor's, from now on.
      void server.retire().then((cut) => this.finish(cut));
      return pid;
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
