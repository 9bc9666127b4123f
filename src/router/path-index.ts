/** Finds the entries whose path may fit, in steps along the path instead of along the list of routes. */
import type { Steps } from '../base/slices.ts';
import type { Entry } from './compiled-route.ts';
import { literalPrefixOf, PATH_KIND } from './path-matcher.ts';
import { SegmentTable } from './segment-table.ts';

/** One place in the tree of segments. Its entries hang one after another, in the order of rank. */
export class PathNode {
  /** The literal segments that lead here from the node above, each with its slash; `''` for the root and parameters. */
  edge: string;
  /** The one literal way on, or null when there is none or `table` holds several. */
  only: PathNode | null = null;
  table: SegmentTable<PathNode> | null = null;
  parameter: PathNode | null = null;
  /** Exact paths and templates that end here. */
  ends: Entry | null = null;
  /** What fits whatever follows: prefixes, rest wildcards, and patterns that begin so; and routes without a path. */
  covers: Entry | null = null;
  /** While the tree grows: literal children by their segment. */
  private children: Map<string, PathNode> | null = new Map();

  constructor(edge = '') {
    this.edge = edge;
  }

  literal(segment: string): PathNode {
    const children = this.children as Map<string, PathNode>;
    let child = children.get(segment);
    if (child === undefined) {
      child = new PathNode(`/${segment}`);
      children.set(segment, child);
    }
    return child;
  }

  /** The tree is complete: joins ways without a fork, so that a search touches few nodes. */
  *seal(): Steps<void> {
    if (this.parameter !== null) yield* this.parameter.seal();
    const children = [...(this.children ?? []).values()];
    this.children = null;
    for (const child of children) {
      yield;
      yield* child.seal();
      child.join();
      // A copy: as put together it is a tree of slices of the file's text.
      child.edge = Buffer.from(child.edge, 'latin1').toString('latin1');
    }
    if (children.length === 1) this.only = children[0];
    else if (children.length > 1) this.table = new SegmentTable(children);
  }

  /** Takes the place of the only node below, when nothing stands or forks here. */
  private join(): void {
    const { only } = this;
    if (only === null || this.parameter !== null || this.ends !== null || this.covers !== null) return;
    this.edge += only.edge;
    this.only = only.only;
    this.table = only.table;
    this.parameter = only.parameter;
    this.ends = only.ends;
    this.covers = only.covers;
  }
}

export class PathIndex {
  readonly root = new PathNode();
  /** While the tree grows: the last entry after each first one. */
  private readonly tails = new Map<Entry, Entry>();

  /** Entries come in the order of rank, each once. */
  add(entry: Entry): void {
    const { path } = entry;
    let node = this.root;
    if (path.kind === PATH_KIND.regex) {
      const prefix = literalPrefixOf(path.text);
      if (prefix !== '') for (const part of prefix.slice(1).split('/')) node = node.literal(part);
    }
    if (path.kind === PATH_KIND.exact) for (const part of path.text.slice(1).split('/')) node = node.literal(part);
    for (const { literal } of path.segments) {
      if (literal !== null) node = node.literal(literal);
      else {
        node.parameter ??= new PathNode();
        node = node.parameter;
      }
    }
    const ends = path.kind === PATH_KIND.exact || (path.kind === PATH_KIND.template && path.rest === null);
    if (ends) node.ends = this.append(node.ends, entry);
    else node.covers = this.append(node.covers, entry);
  }

  private append(first: Entry | null, entry: Entry): Entry {
    if (first === null) return entry;
    (this.tails.get(first) ?? first).next = entry;
    this.tails.set(first, entry);
    return first;
  }

  /** All entries are in. */
  *seal(): Steps<void> {
    yield* this.root.seal();
    this.tails.clear();
  }
}
