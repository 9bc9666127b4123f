/** Programs of this package that run in threads and processes of their own. */
import { Worker } from 'node:worker_threads';

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

/** A thread of this program, with its order; null where that will come as its first message. */
export function beginThread(program: Program, order: unknown): Worker {
  return new Worker(program.url, { workerData: order, execArgv: [...program.execArgv] });
}

/** What a thread of this program says to `order`; rejects when it fails before. `task` is what it does, for people. */
export function askThread<T>(program: Program, order: unknown, task: string): Promise<T> {
  return answerOf(beginThread(program, order), task);
}

/** The first message of a thread. */
export function answerOf<T>(thread: Worker, task: string): Promise<T> {
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
    // After a message or an error this says nothing more.
    thread.once('exit', (code) => reject(new Error(`the thread that ${task} ended with ${code}`)));
  });
}
