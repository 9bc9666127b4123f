/** Programs of this package that run in threads and processes of their own. */
import { Worker } from 'node:worker_threads';
import { systemTimers, type TimerHandle, type Timers } from './clock.ts';
import { Turns } from './turns.ts';

export interface Program {
  readonly url: URL;
  /** Options of Node.js that it needs. */
  readonly execArgv: readonly string[];
}

/** The program `name` beside the module of `importer`. From a checkout it is TypeScript, which needs its loader. */
export function programBeside(importer: string, name: string): Program {
  const isSource = importer.endsWith('.ts');
  return {
    url: new URL(`./${name}.${isSource ? 'ts' : 'js'}`, importer),
    execArgv: isSource ? ['--import', 'jiti/register'] : [],
  };
}

/** What a thread of this program says to `order`; rejects when it fails before. `task` is what it does, for people. */
export function askThread<T>(program: Program, order: unknown, task: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(program.url, { workerData: order, execArgv: [...program.execArgv] });
    thread.once('message', resolve);
    thread.once('error', reject);
    // After a message or an error this says nothing more.
    thread.once('exit', (code) => reject(new Error(`the thread that ${task} ended with ${code}`)));
  });
}

/** Milliseconds for which a thread is kept that has nothing to do. */
const KEPT = 60_000;

/**
 * A thread that answers one order after another. It is kept for a minute after the last: what the engine has compiled in it
 * makes the next answer come in half the time, and changes seldom come alone.
 */
export class KeptThread<Order, Answer> {
  private readonly program: Program;
  private readonly task: string;
  private readonly timers: Timers;
  private readonly turns = new Turns();
  private thread: Worker | null = null;
  private ending: TimerHandle | null = null;

  /** `task` is what it does, for people. */
  constructor(program: Program, task: string, timers: Timers = systemTimers) {
    this.program = program;
    this.task = task;
    this.timers = timers;
  }

  /** Rejects when the thread fails; the next order has a new one. */
  ask(order: Order): Promise<Answer> {
    return this.turns.take(() => this.askNow(order));
  }

  private async askNow(order: Order): Promise<Answer> {
    if (this.ending !== null) this.timers.clearTimeout(this.ending);
    this.thread ??= this.begin();
    const { thread } = this;
    // Only while somebody waits does it keep the process.
    thread.ref();
    try {
      const answer = await this.answerOf(thread, order);
      thread.unref();
      this.ending = this.timers.setTimeout(() => this.end(), KEPT);
      return answer;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  private begin(): Worker {
    const thread = new Worker(this.program.url, { execArgv: [...this.program.execArgv] });
    // Between two orders, or while it is ended, an error is nobody's.
    return thread.on('error', () => this.forget(thread)).on('exit', () => this.forget(thread));
  }

  private answerOf(thread: Worker, order: Order): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        // One by one: with all listeners at once go those by which Node keeps the channel open.
        thread.off('message', onMessage).off('error', onError).off('exit', onExit);
      };
      const onMessage = (answer: Answer): void => {
        settle();
        resolve(answer);
      };
      const onError = (error: Error): void => {
        settle();
        reject(error);
      };
      const onExit = (code: number): void => onError(new Error(`the thread that ${this.task} ended with ${code}`));
      thread.on('message', onMessage).on('error', onError).on('exit', onExit);
      thread.postMessage(order);
    });
  }

  private forget(thread: Worker): void {
    if (this.thread === thread) this.thread = null;
  }

  private end(): void {
    const { thread } = this;
    this.thread = null;
    if (thread !== null) void thread.terminate();
  }
}
