/** A configuration file as plain values, each with its place in the text and with references filled in. */
import type { FindingCode } from './finding.ts';
import type { Substituted } from './substitution.ts';

/** Steps from the top of the file to a value: keys and indices. */
export type ValuePath = readonly (string | number)[];

/** A place in the text; both begin at 1. */
export interface Place {
  line: number;
  column: number;
}

/** What is known of one entry of a map or a list. */
export interface Entry {
  /** Where its key stands; for an item of a list, where the item begins. */
  key: Place;
  /** Where its value begins. */
  value: Place;
  /** The text as written and what was put in, when the value holds references. */
  written?: { text: string; result: Substituted };
}

/** Something wrong with the file itself: its syntax, or a reference. */
export interface SourceProblem {
  code: FindingCode;
  message: string;
  place: Place;
  path: ValuePath;
  suggestion?: string;
}

/** What is known of the entries of the maps and lists of a file. */
export interface Entries {
  get(container: object): ReadonlyMap<string | number, Entry> | undefined;
}

/** The values of a file, their places and the problems found while reading them. */
export interface SourceTree {
  root: unknown;
  entries: Entries;
  /** Where the file's first value begins. */
  start: Place;
  problems: SourceProblem[];
  /** True where the text tells not every place for certain, so that messages carry the path. */
  namesPaths: boolean;
  /** Everything that came from outside, so that no message shows it. */
  secrets: Set<string>;
}

export const fileStart: Place = { line: 1, column: 1 };

/** A tree whose places are noted as they are met. */
export interface TreeWithPlaces extends SourceTree {
  entries: WeakMap<object, Map<string | number, Entry>>;
}

/** A tree to be filled. */
export function emptyTree<E extends Entries>(
  namesPaths: boolean,
  entries: E,
): Omit<SourceTree, 'entries'> & { entries: E } {
  return { root: undefined, entries, start: fileStart, problems: [], namesPaths, secrets: new Set() };
}

/** The value at a path, undefined when there is none. */
export function valueAt(root: unknown, path: ValuePath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** The entry at a path, undefined when the file has none. */
export function entryAt(tree: SourceTree, path: ValuePath): Entry | undefined {
  if (path.length === 0) return undefined;
  const parent = valueAt(tree.root, path.slice(0, -1));
  if (typeof parent !== 'object' || parent === null) return undefined;
  return tree.entries.get(parent)?.get(path[path.length - 1]);
}

/** Where the key or the value of a path stands; when the file does not have it, where its nearest parent does. */
export function placeOf(tree: SourceTree, path: ValuePath, part: 'key' | 'value'): Place {
  for (let length = path.length; length > 0; length -= 1) {
    const entry = entryAt(tree, path.slice(0, length));
    // A missing key is shown where its map is named, not at the map's first line.
    if (entry !== undefined) return length === path.length ? entry[part] : entry.key;
  }
  return tree.start;
}

/** `routes[2].match.path`; keys that are not plain words stand in brackets and quotes. */
export function formatPath(path: ValuePath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** The path that `formatPath` wrote. */
export function parsePath(text: string): ValuePath {
  const steps: (string | number)[] = [];
  for (const [, index, quoted, word] of text.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)) {
    if (index !== undefined) steps.push(Number(index));
    else steps.push(quoted === undefined ? word : (JSON.parse(quoted) as string));
  }
  return steps;
}
