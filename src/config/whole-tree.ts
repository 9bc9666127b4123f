/** What a short text says of the whole one: which routes it has, where they stand, and the tree of it all. */
import type { RouteConfig } from './model.ts';
import type { RouteLines } from './route-lines.ts';
import type { ShortText } from './short-text.ts';
import type { Entries, Entry, Place, SourceTree } from './source-tree.ts';

type Step = string | number;
type Written = Record<string, unknown> & { readonly routes: unknown[] };

/** One route of the whole text: the place of the former one that it is, or its place among the routes of the short text. */
export type Origin = { readonly former: number } | { readonly short: number };

/** A short text with what it was found to be. */
export interface ReadShort {
  readonly short: ShortText;
  readonly lines: RouteLines;
  /** Of all routes of the whole text, in their order. */
  readonly origins: readonly Origin[];
}

/** Null where a line that stands for routes was not found to be one of the list. */
export function readShort(short: ShortText, lines: RouteLines | null, indent: number): ReadShort | null {
  if (lines === null || lines.indent !== indent) return null;
  const origins: Origin[] = [];
  let next = 0;
  for (const [index, start] of lines.starts.entries()) {
    const run = short.runs[next];
    if (run?.short !== start) origins.push({ short: index });
    else {
      for (let at = 0; at < run.starts.length; at++) origins.push({ former: run.first + at });
      next += 1;
    }
  }
  return next === short.runs.length ? { short, lines, origins } : null;
}

/** Where the routes of the whole text stand; `events` is how many there may be in it. */
export function wholeLines({ short, lines }: ReadShort, events: number): RouteLines {
  const starts: number[] = [];
  // How much further something stands in the whole text.
  let ahead = 0;
  let next = 0;
  for (const start of lines.starts) {
    const run = short.runs[next];
    if (run?.short !== start) starts.push(start + ahead);
    else {
      starts.push(...run.starts);
      const after = short.text.indexOf('\n', start) + 1;
      ahead = run.end - after;
      next += 1;
    }
  }
  return { indent: lines.indent, starts: Uint32Array.from(starts), events };
}

/** The tree of the whole text. Former routes stand in it for their written forms, of which they have name and service. */
export function wholeTree(tree: SourceTree, read: ReadShort, former: readonly RouteConfig[]): SourceTree {
  const written = tree.root as Written;
  const routes = read.origins.map((of) => ('former' in of ? former[of.former] : written.routes[of.short]));
  const root = { ...written, routes };
  const entries = new WholeEntries(tree, read, root);
  return { ...tree, root, entries, start: entries.place(tree.start) };
}

class WholeEntries implements Entries {
  private readonly tree: SourceTree;
  private readonly origins: readonly Origin[];
  private readonly root: Written;
  /** Lines of the short text that stand for more, and by how many what follows stands further down. */
  private readonly lines: number[] = [];
  private readonly shifts: number[] = [];

  constructor(tree: SourceTree, { short, origins }: ReadShort, root: Written) {
    this.tree = tree;
    this.origins = origins;
    this.root = root;
    let line = 1;
    let at = 0;
    let shift = 0;
    for (const run of short.runs) {
      for (; at < run.short; at = short.text.indexOf('\n', at) + 1) line += 1;
      shift += run.lines - 1;
      this.lines.push(line);
      this.shifts.push(shift);
    }
  }

  get(container: object): ReadonlyMap<Step, Entry> | undefined {
    const { tree, root } = this;
    const written = tree.root as Written;
    if (container === root.routes) return this.ofRoutes(tree.entries.get(written.routes));
    const entries = tree.entries.get(container === root ? written : container);
    return entries && new Map([...entries].map(([step, entry]) => [step, this.entry(entry)]));
  }

  /** Of former routes nothing is known, and nothing asked. */
  private ofRoutes(entries: ReadonlyMap<Step, Entry> | undefined): ReadonlyMap<Step, Entry> {
    const all = new Map<Step, Entry>();
    for (const [index, of] of this.origins.entries()) {
      const entry = 'short' in of ? entries?.get(of.short) : undefined;
      if (entry !== undefined) all.set(index, this.entry(entry));
    }
    return all;
  }

  private entry({ key, value, ...rest }: Entry): Entry {
    return { key: this.place(key), value: this.place(value), ...rest };
  }

  place({ line, column }: Place): Place {
    // How many of the lines stand above.
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle] < line) low = middle + 1;
      else high = middle;
    }
    return { line: line + (low === 0 ? 0 : this.shifts[low - 1]), column };
  }
}
