/** Where two values differ, as deep as both have maps; lists and everything else are compared as a whole. */
import { isDeepStrictEqual } from 'node:util';
import type { ValuePath } from '../source-tree.ts';

export interface Difference {
  readonly path: ValuePath;
  readonly before: unknown;
  readonly after: unknown;
}

/** The differences below a path, in the order of the keys before and then of the new ones. Keys in `except` are left out. */
export function differencesOf(
  path: ValuePath,
  before: unknown,
  after: unknown,
  except: readonly string[] = [],
): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isPlainMap(before) || !isPlainMap(after)) return [{ path, before, after }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys]
    .filter((key) => !except.includes(key))
    .flatMap((key) => differencesOf([...path, key], before[key], after[key]));
}

/** True for a map such as a file has; false for lists and for what a schema made of a text. */
export function isPlainMap(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
