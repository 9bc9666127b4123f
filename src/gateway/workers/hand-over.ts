/** Connections that were accepted here, on their way to the workers. */
import type { Socket } from 'node:net';
import type { WorkerProcess } from './worker-process.ts';

/** Connections that wait for a worker, before more are refused. */
const MOST_WAITING = 1024;

export interface HandOverDeps {
  readonly workers: () => Iterable<WorkerProcess>;
  /** False when no worker is going to serve any more. */
  readonly open: () => boolean;
}

export class HandOver {
  private readonly deps: HandOverDeps;
  private nextTurn = 0;
  /** Accepted while no worker served: at a start, or after all of them ended at once. */
  private readonly waiting: { readonly listener: string; readonly socket: Socket }[] = [];

  constructor(deps: HandOverDeps) {
    this.deps = deps;
  }

  /** Gives it to the workers in turn, or lets it wait for one. */
  take(listener: string, socket: Socket): void {
    const running = [...this.deps.workers()].filter(({ state }) => state === 'running');
    const worker = running[this.nextTurn++ % running.length];
    if (worker !== undefined) worker.hand(listener, socket);
    else if (this.waiting.length < MOST_WAITING && this.deps.open()) this.waiting.push({ listener, socket });
    else socket.destroy();
  }

  /** A worker serves: those who came before it did are its first. */
  admitWaiting(): void {
    for (const { listener, socket } of this.waiting.splice(0)) this.take(listener, socket);
  }

  /** Those who wait are refused. */
  close(): void {
    for (const { socket } of this.waiting.splice(0)) socket.destroy();
  }
}
