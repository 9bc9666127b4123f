/** A thread that begins before it is known what it is to load: its modules take as long to be read as those of the process. */
import type { Worker } from 'node:worker_threads';
import { answerOf, askThread, beginThread, programBeside } from '../../base/program.ts';

/** Bytes up to which a text is loaded where it is needed, in some ten milliseconds: a thread takes longer to begin. */
export const SMALL = 64 * 1024;

const PROGRAM = programBeside(import.meta.url, 'load-thread');
const TASK = 'loads the configuration';

/** One at most, of the whole process. */
let waiting: Worker | null = null;

/** Begins a thread for the next load, unless one waits. It keeps no process from ending. */
export function beginAhead(): void {
  if (waiting !== null) return;
  const thread = beginThread(PROGRAM, null);
  const forget = (): void => {
    if (waiting === thread) waiting = null;
  };
  // One that fails is no loss: the load begins another, and tells.
  thread.on('error', forget).on('exit', forget).unref();
  waiting = thread;
}

/** True while a thread waits. */
export function isWaiting(): boolean {
  return waiting !== null;
}

/** Has a thread carry out the order: the one that waits, or a new one. Rejects when it fails. */
export function askLoader<T>(order: unknown): Promise<T> {
  const thread = waiting;
  waiting = null;
  if (thread === null) return askThread(PROGRAM, order, TASK);
  thread.ref();
  thread.postMessage(order);
  return answerOf(thread, TASK);
}
