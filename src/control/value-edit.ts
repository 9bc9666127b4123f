/** Edits of values by path: the old ones stay as they are. */
import type { ValuePath } from '../config/source-tree.ts';

/** `root` with the value at `path` replaced; `undefined` takes it out. Maps and lists on the way to it are made. */
export function replaced(root: unknown, path: ValuePath, value: unknown): unknown {
  if (path.length === 0) return value;
  const [step, ...rest] = path;
  if (typeof step === 'number') {
    const list: unknown[] = Array.isArray(root) ? [...root] : [];
    if (value === undefined && rest.length === 0) list.splice(step, 1);
    else list[step] = replaced(list[step], rest, value);
    return list;
  }
  const map = { ...(root as Record<string, unknown> | undefined) };
  if (value === undefined && rest.length === 0) delete map[step];
  else map[step] = replaced(map[step], rest, value);
  return map;
}
