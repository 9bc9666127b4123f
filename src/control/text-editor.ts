/** Edits of configurations for a process that serves requests meanwhile: large ones in a thread of their own. */
import { askThread, programBeside } from '../base/program.ts';
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
  return askThread(PROGRAM, order, 'edits the configuration');
}
