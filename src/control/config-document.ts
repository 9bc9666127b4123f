/** The configuration as a text that can be edited piece by piece: what is not touched keeps its form and its comments. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, stringify } from 'yaml';
import type { ConfigText } from '../config/load.ts';
import { readQuickly } from '../config/quick-yaml.ts';
import type { ValuePath } from '../config/source-tree.ts';

const tags = new WeakMap<ConfigText, string>();

/** The entity tag of a text (RFC 9110 section 8.8.3), quotes included: equal texts have equal tags. */
export function etagOf(source: ConfigText): string {
  let tag = tags.get(source);
  if (tag === undefined) {
    tag = `"${createHash('sha256').update(source.text).digest('base64url').slice(0, 24)}"`;
    tags.set(source, tag);
  }
  return tag;
}

const known = new WeakMap<ConfigText, unknown>();

/** The values as written, references and all; not to be changed. The text must have been loaded without a fault. */
export function valuesOf(source: ConfigText): unknown {
  let values = known.get(source);
  if (values === undefined) {
    const quick = readQuickly(source.text, source.format === 'json');
    values = quick === null ? parse(source).toJS({ maxAliasCount: -1 }) : quick.values;
    known.set(source, values);
  }
  return values;
}

/** The text in the asked form; as it is, comments included, when that is its own. */
export function textAs(source: ConfigText, format: ConfigText['format']): string {
  if (source.format === format) return source.text;
  return format === 'json' ? jsonOf(valuesOf(source)) : stringify(valuesOf(source), { lineWidth: 0 });
}

/** `source` with the value at `path` replaced; `undefined` takes it out. Maps and lists on the way to it are made. */
export function withValue(source: ConfigText, path: ValuePath, value: unknown): ConfigText {
  const wanted = replaced(valuesOf(source), path, value);
  if (source.format === 'json') return { ...source, text: jsonOf(wanted) };
  for (const text of editedTexts(source, path, value)) {
    if (text !== null && isDeepStrictEqual(readable({ ...source, text }), wanted)) return { ...source, text };
  }
  // An anchor went whose aliases stay, or the like: what is meant counts for more than how it was written.
  return { ...source, text: stringify(wanted, { lineWidth: 0 }) };
}

/** The edited text, the one that keeps most of the old first. */
function* editedTexts(source: ConfigText, path: ValuePath, value: unknown): Generator<string | null> {
  const before = textOf(parse(source));
  const after = textOf(edited(parse(source), path, value));
  if (before !== null && after !== null) yield spliced(source.text, before, after);
  yield after;
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
function textOf(document: Document): string | null {
  try {
    return document.toString({ lineWidth: 0 });
  } catch {
    return null;
  }
}

function readable(source: ConfigText): unknown {
  try {
    return valuesOf(source);
  } catch {
    return undefined;
  }
}

/**
 * The change from `before` to `after`, which are written as the library does it, made to the text as a person wrote it:
 * lines before and after the change stay as they are. Null where lines do not answer to each other.
 */
function spliced(text: string, before: string, after: string): string | null {
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
  return [...old.slice(0, first), ...wanted.slice(first, wanted.length - last), ...old.slice(old.length - last)].join(
    '\n',
  );
}

function isSameLine(one: string, other: string): boolean {
  return one === other || one.replace(/[ \t\r]+/g, '') === other.replace(/[ \t\r]+/g, '');
}

function parse({ text }: ConfigText): Document {
  return parseDocument(text, { version: '1.2', schema: 'core', merge: true, keepSourceTokens: false });
}

function jsonOf(values: unknown): string {
  return `${JSON.stringify(values, null, 2)}\n`;
}

function replaced(root: unknown, path: ValuePath, value: unknown): unknown {
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

/** The same path, after aliases on it have become copies: what is edited here must not change elsewhere. */
function unaliased(document: Document, path: ValuePath): ValuePath {
  for (let length = 1; length <= path.length; length++) {
    const part = path.slice(0, length);
    const node = document.getIn(part, true);
    if (isAlias(node)) document.setIn(part, document.createNode(node.toJS(document)));
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
