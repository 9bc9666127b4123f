/** Edits of configurations for a process that serves requests meanwhile: large ones in a thread of their own. */
import { askThread, programBeside } from '../base/program.ts';
import type { ConfigText } from '../config/load.ts';
import type { RouteLines } from '../config/route-lines.ts';
import type { ValuePath } from '../config/source-tree.ts';
import { deriveValues, withValue } from './config-document.ts';
import { lengthOfItem, withItem } from './item-text.ts';

/** What the thread is to do: see `withValue`. */
export interface EditOrder {
  readonly source: ConfigText;
  readonly path: ValuePath;
  readonly value: unknown;
}

/** Characters up to which a text is edited here, in some tens of milliseconds: a thread takes longer to begin. */
const SMALL = 32 * 1024;

/** The same of one item, which is parsed and written some times. */
const SMALL_ITEM = 4 * 1024;

const PROGRAM = programBeside(import.meta.url, 'edit-thread');
const TASK = 'edits the configuration';

/**
 * As `withValue`. `lines` are those of the items of the list that the path begins with, where they are known: what concerns
 * one of them only is done here at once. Rejects when the thread fails, as when a text is too large for its memory.
 */
export async function edited(
  source: ConfigText,
  path: ValuePath,
  value: unknown,
  lines: RouteLines | null = null,
): Promise<ConfigText> {
  if (source.text.length <= SMALL) return withValue(source, path, value);
  const isQuick = lines !== null && isSmall(source.text, lines, path, value);
  const text = isQuick ? withItem(source.text, lines, path, value) : null;
  const order: EditOrder = { source, path, value };
  const next = text === null ? await askThread<ConfigText>(PROGRAM, order, TASK) : { ...source, text };
  deriveValues(source, next, path, value);
  return next;
}

function isSmall(text: string, lines: RouteLines, [, index]: ValuePath, value: unknown): boolean {
  if (value !== undefined && JSON.stringify(value).length > SMALL_ITEM) return false;
  return lengthOfItem(text, lines, Math.min(Number(index), lines.starts.length - 1)) <= SMALL_ITEM;
}
