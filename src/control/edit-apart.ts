/** Edits configurations for a process that serves requests meanwhile: large ones in a thread of their own. */
import { Worker } from 'node:worker_threads';
import type { ConfigText } from '../config/load.ts';
import type { ValuePath } from '../config/source-tree.ts';
import { withValue } from './config-document.ts';
import type { EditOrder } from './edit-thread.ts';

/** Characters up to which a text is edited here, in some tens of milliseconds: a thread takes longer to begin. */
const SMALL = 32 * 1024;

const isSource = import.meta.url.endsWith('.ts');
/** From a checkout the program is TypeScript, which needs its loader. */
const PROGRAM = new URL(isSource ? './edit-thread.ts' : './edit-thread.js', import.meta.url);
const LOADER = isSource ? ['--import', 'jiti/register'] : [];

/** What `withValue` makes. Rejects also when the thread fails, as for want of memory. */
export async function editApart(source: ConfigText, path: ValuePath, value: unknown): Promise<ConfigText> {
  if (source.text.length <= SMALL) return withValue(source, path, value);
  const order: EditOrder = { source, path, value };
  return new Promise((resolve, reject) => {
    const thread = new Worker(PROGRAM, { workerData: order, execArgv: LOADER });
    thread.once('message', resolve);
    thread.once('error', reject);
    // After a message or an error this says nothing more.
    thread.once('exit', (code) => reject(new Error(`the thread that edits the configuration ended with ${code}`)));
  });
}
