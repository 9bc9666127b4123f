/** Reads plain YAML and JSON in a tenth of the time, from the events of js-yaml; all that is unusual or wrong is left to `yaml-source.ts`. */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE } from 'js-yaml';
import { isScalar, Schema } from 'yaml';
import { type Entry, emptyTree, type Place, type SourceTree } from './source-tree.ts';
import { hasReference, SubstitutionError, type SubstitutionSources, substitute } from './substitution.ts';

type ScalarEvent = Extract<Event, { valueStart: number }>;
type Step = string | number;

/** A plain text, read but for its references. */
export interface QuickYaml {
  /** The values as written, references and all. To be read before `tree` fills them in. */
  readonly values: unknown;
  /** Strings that hold references. */
  readonly references: string[];
  /** The tree with its references filled in. To be called once. */
  tree(sources: SubstitutionSources): SourceTree;
}

/** As deep as `yaml-source.ts` goes, which has the words for what is deeper. */
const maxDepth = 64;
const maxEvents = 1_000_000;

/** Characters that one of the two parsers takes for something that the other does not: tabs, other line breaks, marks of byte order. */
const ODD = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/;

/** Lines that begin as marks of documents and directives do. */
const MARK = /^(?:---|\.\.\.|%)/gm;

/** Thrown to leave a text to the thorough reader. */
class Unusual extends Error {}

/**
 * Reads a text that is plain: block and flow collections of scalars, each on a line of its own, without anchors, tags,
 * directives or empty values. The result is what `parseYaml` and `readYaml` make of it. Null for any other text. `isJson`
 * says that the text was found to be JSON.
 */
export function readQuickly(text: string, isJson = false): QuickYaml | null {
  // In JSON tabs stand between tokens only.
  if (ODD.test(isJson ? text.replaceAll('\t', ' ') : text)) return null;
  try {
    const events = parseEvents(text, { maxDepth: maxDepth + 1 });
    return events.length > maxEvents ? null : new QuickReader(text, events).read();
  } catch {
    // Its words and places are not those that findings have.
    return null;
  }
}

/** A string that waits for what its references stand for. */
interface Waiting {
  readonly container: Record<Step, unknown>;
  readonly step: Step;
  readonly entry: Entry;
  readonly path: readonly Step[];
}

class QuickReader {
  private readonly text: string;
  private readonly events: readonly Event[];
  private readonly tree = emptyTree(false);
  private readonly path: Step[] = [];
  private readonly waiting: Waiting[] = [];
  private at = 0;
  // Places are asked for in the order of the text.
  private line = 1;
  private lineStart = 0;
  private lineEnd: number;

  constructor(text: string, events: readonly Event[]) {
    this.text = text;
    this.events = events;
    this.lineEnd = this.endOfLine(0);
  }

  read(): QuickYaml {
    const { tree, waiting, text } = this;
    const document = this.next();
    if (document.type !== EVENT_ID.DOCUMENT) throw new Unusual();
    if ((text.match(MARK)?.length ?? 0) !== (document.explicitStart ? 1 : 0)) throw new Unusual();
    if (document.explicitStart && !/^(?: *(?:#.*)?\n)*--- *\n/.test(text)) throw new Unusual();
    const root = this.events[this.at];
    if (root.type !== EVENT_ID.MAPPING && root.type !== EVENT_ID.SEQUENCE) throw new Unusual();
    tree.start = this.place(root.start);
    tree.root = this.value();
    if (this.next().type !== EVENT_ID.POP || this.at !== this.events.length) throw new Unusual();
    return {
      references: waiting.map(({ container, step }) => container[step] as string),
      values: tree.root,
      tree: (sources) => {
        for (const each of waiting) fillIn(tree, each, sources);
        return tree;
      },
    };
  }

  private next(): Event {
    return this.events[this.at++];
  }

  private value(): unknown {
    const event = this.next();
    if (event.type === EVENT_ID.SCALAR) return resolve(this.text, event);
    if (event.type === EVENT_ID.MAPPING) {
      if (event.anchorStart >= 0 || event.tagStart >= 0) throw new Unusual();
      return this.map();
    }
    if (event.type !== EVENT_ID.SEQUENCE || event.anchorStart >= 0 || event.tagStart >= 0) throw new Unusual();
    return this.list();
  }

  private map(): Record<string, unknown> {
    const { text, path } = this;
    const result: Record<string, unknown> = {};
    const entries = new Map<Step, Entry>();
    this.tree.entries.set(result, entries);
    for (let event = this.next(); event.type !== EVENT_ID.POP; event = this.next()) {
      if (event.type !== EVENT_ID.SCALAR) throw new Unusual();
      const key = keyOf(text, event);
      // Told with both places.
      if (entries.has(key)) throw new Unusual();
      const place = this.place(startOf(event));
      const entry: Entry = { key: place, value: this.place(startOf(this.events[this.at])) };
      path.push(key);
      this.put(result, key, entry);
      path.pop();
      entries.set(key, entry);
    }
    return result;
  }

  private list(): unknown[] {
    const result: unknown[] = [];
    const entries = new Map<Step, Entry>();
    this.tree.entries.set(result, entries);
    while (this.events[this.at].type !== EVENT_ID.POP) {
      const place = this.place(startOf(this.events[this.at]));
      const entry: Entry = { key: place, value: place };
      const index = result.length;
      this.path.push(index);
      this.put(result as unknown as Record<Step, unknown>, index, entry);
      this.path.pop();
      entries.set(index, entry);
    }
    this.at += 1;
    return result;
  }

  private put(container: Record<Step, unknown>, step: Step, entry: Entry): void {
    const value = this.value();
    container[step] = value;
    if (typeof value === 'string' && hasReference(value))
      this.waiting.push({ container, step, entry, path: [...this.path] });
  }

  private place(offset: number): Place {
    if (offset < this.lineStart) throw new Unusual();
    while (offset > this.lineEnd) {
      this.line += 1;
      this.lineStart = this.lineEnd + 1;
      this.lineEnd = this.endOfLine(this.lineStart);
    }
    return { line: this.line, column: offset - this.lineStart + 1 };
  }

  private endOfLine(from: number): number {
    const end = this.text.indexOf('\n', from);
    return end < 0 ? this.text.length : end;
  }
}

function fillIn(tree: SourceTree, { container, step, entry, path }: Waiting, sources: SubstitutionSources): void {
  const text = container[step] as string;
  try {
    const result = substitute(text, sources);
    for (const secret of result.secrets) tree.secrets.add(secret);
    entry.written = { text, result };
    container[step] = result.value;
  } catch (error) {
    if (!(error instanceof SubstitutionError)) throw error;
    tree.problems.push({ code: 'unresolved_reference', message: error.message, place: entry.value, path });
  }
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) {
    // Where nothing stands the two parsers see it in different places.
    if (event.valueStart < 0) throw new Unusual();
    return event.style === SCALAR_STYLE.PLAIN ? event.valueStart : event.valueStart - 1;
  }
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  throw new Unusual();
}

function keyOf(text: string, event: ScalarEvent): string {
  const key = resolve(text, event);
  // No key at all, a merge, and one that is not assigned as others are.
  if (key === null || key === '<<' || key === '__proto__') throw new Unusual();
  // The text as written: a key 1.10 is not the number 1.1.
  return typeof key === 'string' ? key : text.slice(event.valueStart, event.valueEnd);
}

/** What the schema knows beside strings begins with one of these. */
const MAY_BE_NO_STRING = /^[-+.~0-9nNtTfF]/;

const scalarTags = new Schema({ schema: 'core' }).tags.filter(
  (tag) => tag.default === true && tag.collection === undefined,
);

function resolve(text: string, event: ScalarEvent): unknown {
  const { valueStart, valueEnd, style } = event;
  if (event.anchorStart >= 0 || event.tagStart >= 0 || valueStart < 0) throw new Unusual();
  const raw = text.slice(valueStart, valueEnd);
  // Folded lines.
  if (raw.includes('\n')) throw new Unusual();
  if (style === SCALAR_STYLE.SINGLE_QUOTED) return raw.replaceAll("''", "'");
  if (style === SCALAR_STYLE.DOUBLE_QUOTED) return raw.includes('\\') ? getScalarValue(text, event) : raw;
  if (style !== SCALAR_STYLE.PLAIN) throw new Unusual();
  if (!MAY_BE_NO_STRING.test(raw)) return raw;
  for (const tag of scalarTags) {
    if (!('test' in tag) || tag.test?.test(raw) !== true) continue;
    const value = (tag.resolve as (source: string, onError: () => void, options: object) => unknown)(raw, fail, {});
    return isScalar(value) ? value.value : value;
  }
  return raw;
}

function fail(): never {
  throw new Unusual();
}
