/** Reads YAML and JSON text into a source tree: one document, keys that stand once, bounded depth and expansion. */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
} from 'yaml';
import type { FindingCode } from './finding.ts';
import {
  type Entry,
  emptyTree,
  fileStart,
  type Place,
  type SourceProblem,
  type SourceTree,
  type TreeWithPlaces,
  type ValuePath,
} from './source-tree.ts';
import { hasReference, SubstitutionError, type SubstitutionSources, substitute } from './substitution.ts';

/** Values in a file after its aliases are followed: more is taken for an attack (nested aliases double at every level). */
const maxValues = 1_000_000;
const maxDepth = 64;

/** A parsed text; `fault` is what ended the parsing of it. */
export interface ParsedYaml {
  document: Document | null;
  fault: SourceProblem | null;
  lines: LineCounter;
}

/** Parses the text without looking at its values. Lesser faults stand in `errors` and `warnings` of the document. */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const composer = new Composer({
    lineCounter: lines,
    prettyErrors: false,
    // Checked below: in linear time, and with the place of the first key.
    uniqueKeys: false,
    version: '1.2',
    schema: 'core',
  });
  let first: Document | null = null;
  const end = (code: FindingCode, message: string, offset: number): ParsedYaml => {
    return { document: null, fault: { code, message, place: placeAt(lines, offset), path: [] }, lines };
  };
  try {
    for (const document of composer.compose(tokensOf(text, lines), true, text.length)) {
      if (first === null) first = document;
      else return end('yaml_syntax', 'a second document begins here: a file holds one', document.range[0]);
    }
  } catch (error) {
    if (error instanceof TooDeep) return end('too_deep', error.message, error.offset);
    throw error;
  }
  return { document: first, fault: null, lines };
}

/** Thrown to leave a file that is nested too deeply. */
class TooDeep extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super(`nested deeper than ${maxDepth} levels`);
    this.offset = offset;
  }
}

/**
 * The tokens of a text, up to a bound of nesting. What comes after recurses into them, and where the stack runs out within
 * a regular expression the engine ends the whole process rather than throw.
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > 2 * maxDepth) throw new TooDeep(parser.offset);
  }
  yield* parser.end();
}

/** The strings of a document that hold references. */
export function referencesIn({ document }: ParsedYaml): string[] {
  const found: string[] = [];
  const pending: unknown[] = [document?.contents];
  while (pending.length > 0) {
    const node = pending.pop();
    if (isScalar(node)) {
      if (typeof node.value === 'string' && hasReference(node.value)) found.push(node.value);
    } else if (isMap(node)) {
      for (const pair of node.items) pending.push(pair.value);
    } else if (isSeq(node)) {
      for (const item of node.items) pending.push(item);
    }
  }
  return found;
}

/** Builds the tree of a parsed document and fills in its references. */
export function readYaml(parsed: ParsedYaml, sources: SubstitutionSources): SourceTree {
  const tree = emptyTree(false, new WeakMap());
  const { document, fault, lines } = parsed;
  if (document === null) {
    if (fault !== null) tree.problems.push(fault);
    return tree;
  }
  // One fault of syntax makes the parser stumble over all that follows, so only the first is worth telling.
  const first = [...document.errors, ...document.warnings].sort((one, other) => one.pos[0] - other.pos[0])[0];
  if (first !== undefined) {
    const place = placeAt(lines, first.pos[0]);
    tree.problems.push({ code: 'yaml_syntax', message: syntaxMessage(first.code, first.message), place, path: [] });
    return tree;
  }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    tree.problems.push({ code: 'empty_file', message: 'the file is empty', place: fileStart, path: [] });
    return tree;
  }
  const reader = new YamlReader(tree, lines, sources);
  tree.start = reader.place(document.contents);
  tree.root = reader.read(document.contents);
  return tree;
}

function syntaxMessage(code: string, message: string): string {
  if (message === 'Unexpected flow-map-start at node end') {
    return 'a value that holds { or } must be quoted here, as in "/users/{id}" or "${env.NAME}"';
  }
  if (code === 'TAB_AS_INDENT') return 'a tab stands where indentation must be spaces';
  return `not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

/** The place of an offset in the text. */
export function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Thrown to leave a file that would grow without bound. */
class TooLarge extends Error {}

class YamlReader {
  readonly tree: TreeWithPlaces;
  readonly lines: LineCounter;
  readonly sources: SubstitutionSources;
  readonly anchors = new Map<string, Node>();
  readonly open = new Set<Node>();
  values = 0;

  constructor(tree: TreeWithPlaces, lines: LineCounter, sources: SubstitutionSources) {
    this.tree = tree;
    this.lines = lines;
    this.sources = sources;
  }

  place(node: unknown): Place {
    const range = (node as Node | null)?.range;
    return range === null || range === undefined ? this.tree.start : placeAt(this.lines, range[0]);
  }

  problem(code: FindingCode, message: string, node: unknown, path: ValuePath): undefined {
    this.tree.problems.push({ code, message, place: this.place(node), path });
    return undefined;
  }

  read(node: unknown): unknown {
    try {
      return this.value(node, [], undefined);
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
      return this.problem('file_too_large', error.message, null, []);
    }
  }

  /** `into` is the value that stands at the path already, where a key stands twice: a map or a list is added to it. */
  private value(node: unknown, path: ValuePath, entry: Entry | undefined, into?: unknown): unknown {
    this.values += 1;
    if (this.values > maxValues) throw new TooLarge(`more than ${maxValues} values after following aliases`);
    if (path.length > maxDepth) return this.problem('too_deep', `nested deeper than ${maxDepth} levels`, node, path);
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (target === undefined) {
        return this.problem('yaml_syntax', `the alias *${node.source} has no anchor before it`, node, path);
      }
      if (this.open.has(target)) {
        return this.problem('yaml_syntax', `the alias *${node.source} stands within its own anchor`, node, path);
      }
      return this.value(target, path, entry, into);
    }
    if (isScalar(node)) {
      if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
      return this.scalar(node.value, node, path, entry);
    }
    if (!isMap(node) && !isSeq(node)) return null;
    if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
    this.open.add(node);
    const value = isMap(node) ? this.map(node.items, path, into) : this.list(node.items, path, into);
    this.open.delete(node);
    return value;
  }

  private scalar(value: unknown, node: Node, path: ValuePath, entry: Entry | undefined): unknown {
    if (typeof value === 'bigint') return Number(value);
    if (typeof value !== 'string' || !hasReference(value)) return value;
    try {
      const result = substitute(value, this.sources);
      for (const secret of result.secrets) this.tree.secrets.add(secret);
      if (entry !== undefined) entry.written = { text: value, result };
      return result.value;
    } catch (error) {
      if (!(error instanceof SubstitutionError)) throw error;
      this.problem('unresolved_reference', error.message, node, path);
      return value;
    }
  }

  private list(items: readonly unknown[], path: ValuePath, into: unknown): unknown[] {
    const result: unknown[] = Array.isArray(into) ? into : [];
    const entries = this.entriesOf(result);
    for (const item of items) {
      const place = this.place(item);
      const entry: Entry = { key: place, value: place };
      const index = result.length;
      entries.set(index, entry);
      result.push(this.value(item, [...path, index], entry));
    }
    return result;
  }

  private map(pairs: readonly Pair[], path: ValuePath, into: unknown): Record<string, unknown> {
    const isSecond = typeof into === 'object' && into !== null && !Array.isArray(into);
    const result = (isSecond ? into : {}) as Record<string, unknown>;
    const entries = this.entriesOf(result);
    const written: Map<string | number, Entry> = isSecond ? new Map() : entries;
    const merged: unknown[] = [];
    for (const pair of pairs) {
      const key = this.keyOf(pair, path);
      if (key === undefined) continue;
      if (key === '<<' && (pair.key as { type?: string }).type === 'PLAIN') {
        merged.push(pair.value);
        continue;
      }
      const place = this.place(pair.key);
      const entry: Entry = { key: place, value: pair.value === null ? place : this.place(pair.value) };
      const first = written.get(key);
      const full = [...path, key];
      if (first !== undefined) {
        const message = `\`${key}\` stands twice in one map: first on line ${first.key.line}`;
        this.problem('duplicate_key', message, pair.key, full);
      }
      if (first !== undefined || (isSecond && entries.has(key))) {
        // The file is refused; what stands here is checked as a part of the first all the same, to tell everything at once.
        this.value(pair.value, full, entry, result[key]);
        continue;
      }
      written.set(key, entry);
      entries.set(key, entry);
      define(result, key, this.value(pair.value, full, entry));
    }
    for (const node of merged) this.merge(node, result, entries, path);
    return result;
  }

  /** The places of the entries of a map or a list, none yet for a new one. */
  private entriesOf(container: object): Map<string | number, Entry> {
    let entries = this.tree.entries.get(container);
    if (entries === undefined) {
      entries = new Map();
      this.tree.entries.set(container, entries);
    }
    return entries;
  }

  private keyOf(pair: Pair, path: ValuePath): string | undefined {
    const key = pair.key;
    if (isScalar(key) && ['string', 'number', 'boolean'].includes(typeof key.value)) {
      // The text as written: a key 1.10 is not the number 1.1.
      return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
    }
    return this.problem('yaml_syntax', 'a key must be plain text', key ?? pair.value, path);
  }

  /** The merge key `<<: *base`, `<<: [*a, *b]`: keys of the map itself win, then the first map that has them. */
  private merge(
    node: unknown,
    result: Record<string, unknown>,
    entries: Map<string | number, Entry>,
    path: ValuePath,
  ): void {
    const value = this.value(node, path, undefined);
    for (const base of Array.isArray(value) ? value : [value]) {
      if (typeof base !== 'object' || base === null || Array.isArray(base)) {
        this.problem('yaml_syntax', '`<<` takes a map or a list of maps', node, path);
        continue;
      }
      const baseEntries = this.tree.entries.get(base);
      for (const [key, inherited] of Object.entries(base)) {
        if (entries.has(key)) continue;
        entries.set(key, baseEntries?.get(key) ?? { key: this.place(node), value: this.place(node) });
        define(result, key, inherited);
      }
    }
  }
}

/** Sets a key without ever touching a prototype: `__proto__` is a key like any other. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  // Every other key is assigned, which is much cheaper than a definition.
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}
