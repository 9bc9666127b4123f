/** Edits of configurations for a process that serves requests meanwhile: large ones in a thread of their own. */
import { Worker } from 'node:worker_threads';
import { programBeside } from '../base/program.ts';
import type { ConfigText } from '../config/load.ts';
import type { ValuePath } from '../config/source-tree.ts';
import { withValue } from './config-document.ts';

/** What the thread is to do: see `withValue`. */
export interface EditOrder {
  readonly source: ConfigText;
  readonly path: ValuePath;
  readonly value: unknown;
}

/** Characters up to which a text is edited here, in some tens of milliseconds: a thread takes longer to begin. */
const SMALL = 32 * 1024;

const PROGRAM = programBeside(import.meta.url, 'edit-thread');

/** As `withValue`. Rejects when the thread fails, as when a text is too large for its memory. */
export async function edited(source: ConfigText, path: ValuePath, value: unknown): Promise<ConfigText> {
  if (source.text.length <= SMALL) return withValue(source, path, value);
  const order: EditOrder = { source, path, value };
  return new Promise((resolve, reject) => {
    const thread = new Worker(PROGRAM.url, { workerData: order, execArgv: [...PROGRAM.execArgv] });
    thread.once('message', resolve);
    thread.once('error', reject);
    // After a message or an error this says nothing more.
    thread.once('exit', (code) => reject(new Error(`the thread that edits the configuration ended with ${code}`)));
  });
}
