/** Finds the entries whose path may fit, in steps along the path instead of along the list of routes. */
import type { Entry } from './compiled-route.ts';
import { literalPrefixOf, PATH_KIND } from './path-matcher.ts';

/** One place in the tree of segments; lists are in the order of rank. */
export class PathNode {
  literals: Map<string, PathNode> | null = null;
  parameter: PathNode | null = null;
  /** Templates that end here. */
  readonly ends: Entry[] = [];
  /** What fits whatever follows: prefixes, rest wildcards, and patterns that begin so; and routes without a path. */
  readonly covers: Entry[] = [];
}

export class PathIndex {
  readonly exact = new Map<string, Entry[]>();
  readonly root = new PathNode();

  /** Entries come in the order of rank. */
  add(entry: Entry): void {
    const { path } = entry;
    if (path.kind === PATH_KIND.exact) {
      const list = this.exact.get(path.text);
      if (list === undefined) this.exact.set(path.text, [entry]);
      else list.push(entry);
      return;
    }
    let node = this.root;
    if (path.kind === PATH_KIND.regex) {
      const prefix = literalPrefixOf(path.text);
      if (prefix !== '') for (const part of prefix.slice(1).split('/')) node = literalChild(node, part);
    }
    for (const { literal } of path.segments) {
      if (literal !== null) node = literalChild(node, literal);
      else {
        node.parameter ??= new PathNode();
        node = node.parameter;
      }
    }
    if (path.kind === PATH_KIND.template && path.rest === null) node.ends.push(entry);
    else node.covers.push(entry);
  }
}

function literalChild(node: PathNode, literal: string): PathNode {
  node.literals ??= new Map();
  let child = node.literals.get(literal);
  if (child === undefined) {
    child = new PathNode();
    node.literals.set(literal, child);
  }
  return child;
}
