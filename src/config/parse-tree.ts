/** Applies a schema to a source tree: references become numbers where wanted, and what is wrong is cut out for a second look. */
import type { z } from 'zod';
import { problemsOf, type ValueProblem, wordIssue } from './issue.ts';
import { entryAt, type SourceTree, type ValuePath, valueAt } from './source-tree.ts';

/** What a schema makes of a tree. */
export interface ParsedTree<T> {
  /** The whole, when nothing is wrong. */
  value: T | undefined;
  problems: ValueProblem[];
  /** What is left when everything wrong is taken out, for checks across values; undefined when nothing is. */
  sound: T | undefined;
  /** The path in the file of a path in `sound`. */
  originOf(path: ValuePath): ValuePath;
}

/**
 * Parses the tree's values. `partial` is the schema for what is left when something is wrong; `ignored` are paths already
 * reported, whose problems are not reported again.
 */
export function parseTree<T>(
  tree: SourceTree,
  schema: z.ZodType<T>,
  partial: () => z.ZodType<T>,
  ignored: readonly ValuePath[],
): ParsedTree<T> {
  const first = parseWithConversions(tree, schema);
  const cuts = new Cuts();
  for (const path of ignored) cuts.add(path);
  const problems = first.problems.filter((problem) => !cuts.covers(problem.path));
  if (first.value !== undefined && ignored.length === 0) {
    return { value: first.value, problems: [], sound: first.value, originOf: (path) => path };
  }
  for (const problem of first.problems) cuts.add(problem.prune);
  // Cutting out a required value makes its parent wrong, so this climbs; depth bounds it.
  const tolerant = partial();
  for (let round = 0; round < 64 && !cuts.isEverything(); round += 1) {
    const pruned = cuts.apply(tree.root);
    const result = tolerant.safeParse(pruned);
    if (result.success) {
      return { value: undefined, problems, sound: result.data, originOf: (path) => cuts.originOf(pruned, path) };
    }
    for (const problem of problemsOf(result.error.issues, tolerant, pruned))
      cuts.add(cuts.originOf(pruned, problem.prune));
  }
  return { value: undefined, problems, sound: undefined, originOf: (path) => path };
}

/** A scalar that is one reference as a whole may be a number or a boolean where the schema wants one. */
function parseWithConversions<T>(tree: SourceTree, schema: z.ZodType<T>): { value?: T; problems: ValueProblem[] } {
  for (;;) {
    const result = schema.safeParse(tree.root, { error: wordIssue });
    if (result.success) return { value: result.data, problems: [] };
    const problems = problemsOf(result.error.issues, schema, tree.root);
    const converted = problems.filter((problem) => convert(tree, problem)).length;
    if (converted === 0) return { problems };
  }
}

function convert(tree: SourceTree, problem: ValueProblem): boolean {
  if (problem.wants === undefined || entryAt(tree, problem.path)?.written?.result.whole !== true) return false;
  const parent = valueAt(tree.root, problem.path.slice(0, -1)) as Record<string | number, unknown>;
  const step = problem.path[problem.path.length - 1];
  const text = parent[step];
  if (typeof text !== 'string') return false;
  if (problem.wants === 'number' && /^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?$/.test(text)) parent[step] = Number(text);
  else if (problem.wants === 'boolean' && (text === 'true' || text === 'false')) parent[step] = text === 'true';
  else return false;
  return true;
}

type CutNode = { cut: boolean; inner: Map<string | number, CutNode> };

/** Paths taken out of a tree. Lists close up, so the original indices are remembered. */
class Cuts {
  private readonly top: CutNode = { cut: false, inner: new Map() };
  private readonly indices = new WeakMap<object, number[]>();

  add(path: ValuePath): void {
    let node = this.top;
    for (const step of path) {
      let next = node.inner.get(step);
      if (next === undefined) {
        next = { cut: false, inner: new Map() };
        node.inner.set(step, next);
      }
      node = next;
    }
    node.cut = true;
  }

  isEverything(): boolean {
    return this.top.cut;
  }

  /** True when the path or something around it is taken out. */
  covers(path: ValuePath): boolean {
    let node: CutNode | undefined = this.top;
    for (const step of path) {
      if (node === undefined || node.cut) break;
      node = node.inner.get(step);
    }
    return node?.cut === true;
  }

  apply(value: unknown, node: CutNode | undefined = this.top): unknown {
    // Untouched parts are shared with the tree: nothing writes to them.
    if (node === undefined || typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      const kept: unknown[] = [];
      const origin: number[] = [];
      value.forEach((item, index) => {
        const inner = node.inner.get(index);
        if (inner?.cut === true) return;
        kept.push(this.apply(item, inner));
        origin.push(index);
      });
      this.indices.set(kept, origin);
      return kept;
    }
    const kept: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) {
      const inner = node.inner.get(key);
      if (inner?.cut === true) continue;
      Object.defineProperty(kept, key, {
        value: this.apply(item, inner),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return kept;
  }

  originOf(pruned: unknown, path: ValuePath): ValuePath {
    const origin: (string | number)[] = [];
    let value = pruned;
    for (const step of path) {
      const list = typeof value === 'object' && value !== null ? this.indices.get(value) : undefined;
      origin.push(list !== undefined && typeof step === 'number' ? (list[step] ?? step) : step);
      value = valueAt(value, [step]);
    }
    return origin;
  }
}
