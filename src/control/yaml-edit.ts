/** Edits of a piece of YAML by its nodes, so that lines, comments and the form of what is not touched stay. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import type { ValuePath } from '../config/source-tree.ts';

/** How the library is to write. */
export interface YamlStyle {
  /** Spaces of each level. */
  readonly indent: number;
  /** Whether lists stand deeper than their keys. */
  readonly indentSeq: boolean;
}

const USUAL: YamlStyle = { indent: 2, indentSeq: true };

const STYLES: readonly YamlStyle[] = [
  USUAL,
  { indent: 2, indentSeq: false },
  { indent: 4, indentSeq: true },
  { indent: 4, indentSeq: false },
];

/**
 * The edited text, the one that keeps most of the old first. None is known to be right: an anchor may have gone whose aliases
 * stay. `indent` is by how many spaces all of the text stands further right than it would alone.
 */
export function* editedYaml(
  text: string,
  path: ValuePath,
  value: unknown,
  style = USUAL,
  indent = 0,
): Generator<string> {
  const alone = indent === 0 ? text : outdented(text, indent);
  const before = textOf(parseDocumentOf(alone), style);
  const after = textOf(edited(parseDocumentOf(alone), path, value), style);
  if (after === null) return;
  const wanted = after.split('\n').map((line) => (line === '' ? line : ' '.repeat(indent) + line));
  const kept = before === null ? null : spliced(text, before, after, wanted);
  if (kept !== null) yield kept;
  yield wanted.join('\n');
}

/** The style in which most lines of a short text are written as the library would. */
export function styleOf(text: string, indent: number): YamlStyle {
  const alone = outdented(text, indent);
  const document = parseDocumentOf(alone);
  const lines = alone.split('\n');
  let best = { style: USUAL, equal: -1 };
  for (const style of STYLES) {
    const written = (textOf(document, style) ?? '').split('\n');
    if (written.length !== lines.length) continue;
    const equal = lines.filter((line, at) => startOf(line) === startOf(written[at])).length;
    if (equal > best.equal) best = { style, equal };
  }
  return best.style;
}

export function parseDocumentOf(text: string): Document {
  return parseDocument(text, { version: '1.2', schema: 'core', merge: true, keepSourceTokens: false });
}

/** Comments may stand further left. */
function outdented(text: string, indent: number): string {
  return text
    .split('\n')
    .map((line) => line.slice(Math.min(indent, startOf(line))))
    .join('\n');
}

function startOf(line: string): number {
  return line.length - line.trimStart().length;
}

function edited(document: Document, path: ValuePath, value: unknown): Document {
  if (path.length === 0) document.contents = reconciled(document, document.contents, value) as Document['contents'];
  else if (value === undefined) document.deleteIn(unaliased(document, path));
  else {
    const known = document.getIn(unaliased(document, path), true);
    document.setIn([...path], reconciled(document, known, value));
  }
  return document;
}

/** Null when it cannot be written: an alias has lost its anchor. */
function textOf(document: Document, { indent, indentSeq }: YamlStyle): string | null {
  try {
    return document.toString({ lineWidth: 0, indent, indentSeq });
  } catch {
    return null;
  }
}

/**
 * The change from `before` to `after`, which are written as the library does it, made to the text as a person wrote it:
 * lines before and after the change stay as they are. Null where lines do not answer to each other. `indented` are the lines of
 * `after` as they are to stand in the text.
 */
function spliced(text: string, before: string, after: string, indented: readonly string[]): string | null {
  if (before === after) return text;
  const [old, plain, wanted] = [text, before, after].map((each) => each.split('\n'));
  if (old.length !== plain.length || old.some((line, index) => !isSameLine(line, plain[index]))) return null;
  let first = 0;
  while (first < plain.length && first < wanted.length && plain[first] === wanted[first]) first++;
  let last = 0;
  while (
    last < plain.length - first &&
    last < wanted.length - first &&
    plain[plain.length - 1 - last] === wanted[wanted.length - 1 - last]
  ) {
    last++;
  }
  return [...old.slice(0, first), ...indented.slice(first, wanted.length - last), ...old.slice(old.length - last)].join(
    '\n',
  );
}

function isSameLine(one: string, other: string): boolean {
  return one === other || one.replace(/[ \t\r]+/g, '') === other.replace(/[ \t\r]+/g, '');
}

/**
 * The same path, after aliases on it have become copies: what is edited here must not change elsewhere. Where nothing stands
 * that something is to stand in, a list or a map does.
 */
function unaliased(document: Document, path: ValuePath): ValuePath {
  for (let length = 1; length <= path.length; length++) {
    const part = path.slice(0, length);
    const node = document.getIn(part, true);
    if (isAlias(node)) document.setIn(part, document.createNode(node.toJS(document)));
    else if (length < path.length && isScalar(node) && node.value === null) {
      document.setIn(part, document.createNode(typeof path[length] === 'number' ? [] : {}));
    }
  }
  return path;
}

/** A node for `value` that keeps of `node` whatever is equal, with its comments. */
function reconciled(document: Document, node: unknown, value: unknown): Node {
  if (isMap(node) && isPlainMap(value) && !node.has('<<') && node.anchor === undefined) {
    for (const { key } of [...node.items]) {
      const name = String(isScalar(key) ? key.value : key);
      if (!Object.hasOwn(value, name)) node.delete(key);
    }
    for (const [name, item] of Object.entries(value)) {
      const known = node.get(name, true);
      if (known === undefined) node.set(name, item);
      else if (!isSame(document, known, item)) node.set(name, reconciled(document, known, item));
    }
    return node;
  }
  if (isSeq(node) && Array.isArray(value) && node.anchor === undefined) {
    const counterparts = new Counterparts(document, node.items);
    node.items = value.map((item) => {
      const equal = counterparts.takeEqual(item);
      if (equal !== undefined) return equal;
      const named = counterparts.takeNamed(item);
      return named === undefined ? document.createNode(item) : reconciled(document, named, item);
    });
    return node;
  }
  if (isScalar(node) && isSame(document, node, value)) return node;
  return document.createNode(value) as Node;
}

/** Which item of a list a value goes on from: its equal, or else the one of its name; each is taken once. */
class Counterparts {
  private readonly equal = new Map<string, unknown[]>();
  private readonly named = new Map<string, unknown>();
  private readonly taken = new Set<unknown>();

  constructor(document: Document, items: readonly unknown[]) {
    for (const item of items) {
      const text = JSON.stringify((item as Node | null)?.toJS(document, { maxAliasCount: -1 }));
      const others = this.equal.get(text);
      if (others === undefined) this.equal.set(text, [item]);
      else others.push(item);
      const name = isMap(item) ? (item.get('name') ?? item.get('url')) : undefined;
      if (typeof name === 'string' && !this.named.has(name)) this.named.set(name, item);
    }
  }

  takeEqual(value: unknown): unknown {
    const item = this.equal.get(JSON.stringify(value))?.find((candidate) => !this.taken.has(candidate));
    if (item !== undefined) this.taken.add(item);
    return item;
  }

  takeNamed(value: unknown): unknown {
    if (!isPlainMap(value)) return undefined;
    const item = this.named.get(String(value.name ?? value.url));
    if (item === undefined || this.taken.has(item)) return undefined;
    this.taken.add(item);
    return item;
  }
}

function isSame(document: Document, node: unknown, value: unknown): boolean {
  const values = (node as Node | null)?.toJS(document, { maxAliasCount: -1 });
  return JSON.stringify(values) === JSON.stringify(value);
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
