/** Reads plain YAML and JSON in a tenth of the time, from the events of js-yaml; all that is unusual or wrong is left to `yaml-source.ts`. */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE } from 'js-yaml';
import { isScalar, Schema } from 'yaml';
import { atOnce, type Steps } from '../base/slices.ts';
import { type RouteLines, routeLinesOf } from './route-lines.ts';
import { type Entry, emptyTree, type Place, type SourceTree } from './source-tree.ts';
import {
  hasReference,
  type Substituted,
  SubstitutionError,
  type SubstitutionSources,
  substitute,
} from './substitution.ts';

type ScalarEvent = Extract<Event, { valueStart: number }>;
type Step = string | number;

/** A plain text, read but for its references. */
export interface QuickYaml {
  /** The values as written, references and all. To be read before `tree` fills them in. */
  readonly values: unknown;
  /** Strings that hold references. */
  readonly references: string[];
  /** Where its routes stand; null where they cannot be told apart by lines. */
  readonly routeLines: RouteLines | null;
  /** The same of its services. */
  readonly serviceLines: RouteLines | null;
  /** The tree with its references filled in. To be called once. */
  tree(sources: SubstitutionSources): SourceTree;
}

/** As deep as `yaml-source.ts` goes, which has the words for what is deeper. */
const maxDepth = 64;
export const maxEvents = 1_000_000;

/** Characters that one of the two parsers takes for something that the other does not: tabs, other line breaks, marks of byte order. */
export const ODD = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/;

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
  return atOnce(quickSteps(text, isJson));
}

/** `readQuickly` in two steps of some length: what the parser does, and what is made of that. */
export function* quickSteps(text: string, isJson = false): Steps<QuickYaml | null> {
  // In JSON tabs stand between tokens only.
  if (ODD.test(isJson ? text.replaceAll('\t', ' ') : text)) return null;
  try {
    const events = parseEvents(text, { maxDepth: maxDepth + 1 });
    yield;
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
  readonly path: readonly Step[];
  written?: { text: string; result: Substituted };
}

class QuickReader {
  private readonly text: string;
  private readonly events: readonly Event[];
  private readonly path: Step[] = [];
  private readonly waiting: Waiting[] = [];
  /** Offsets at which routes and services begin. */
  private readonly routes: number[] = [];
  private readonly services: number[] = [];
  private at = 0;
  /** The furthest place so far. */
  private offset = 0;

  constructor(text: string, events: readonly Event[]) {
    this.text = text;
    this.events = events;
  }

  read(): QuickYaml {
    const { waiting, text, events } = this;
    const document = this.next();
    if (document.type !== EVENT_ID.DOCUMENT) throw new Unusual();
    if ((text.match(MARK)?.length ?? 0) !== (document.explicitStart ? 1 : 0)) throw new Unusual();
    if (document.explicitStart && !/^(?: *(?:#.*)?\n)*--- *\n/.test(text)) throw new Unusual();
    const root = events[this.at];
    if (root.type !== EVENT_ID.MAPPING && root.type !== EVENT_ID.SEQUENCE) throw new Unusual();
    this.pass(root.start);
    const values = this.value();
    if (this.next().type !== EVENT_ID.POP || this.at !== events.length) throw new Unusual();
    return {
      references: waiting.map(({ container, step }) => container[step] as string),
      values,
      routeLines: routeLinesOf(text, this.routes, events.length),
      serviceLines: routeLinesOf(text, this.services, events.length),
      tree(sources) {
        const places = new LatePlaces(text, events, values, waiting);
        const tree = emptyTree(false, places);
        tree.root = values;
        tree.start = places.start;
        const faults = waiting.map((each) => fillIn(tree, each, sources));
        for (const [index, { container, step, path }] of waiting.entries()) {
          const message = faults[index];
          if (message === null) continue;
          const place = places.get(container)?.get(step)?.value ?? tree.start;
          tree.problems.push({ code: 'unresolved_reference', message, place, path });
        }
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
    for (let event = this.next(); event.type !== EVENT_ID.POP; event = this.next()) {
      if (event.type !== EVENT_ID.SCALAR) throw new Unusual();
      const key = keyOf(text, event);
      // Told with both places.
      if (Object.hasOwn(result, key)) throw new Unusual();
      this.pass(startOf(event));
      this.pass(startOf(this.events[this.at]));
      path.push(key);
      this.put(result, key);
      path.pop();
    }
    return result;
  }

  private list(): unknown[] {
    const result: unknown[] = [];
    const [list] = this.path;
    const starts =
      this.path.length !== 1 ? null : list === 'routes' ? this.routes : list === 'services' ? this.services : null;
    while (this.events[this.at].type !== EVENT_ID.POP) {
      const index = result.length;
      if (starts !== null) starts.push(startOf(this.events[this.at]));
      this.pass(startOf(this.events[this.at]));
      this.path.push(index);
      this.put(result as unknown as Record<Step, unknown>, index);
      this.path.pop();
    }
    this.at += 1;
    return result;
  }

  private put(container: Record<Step, unknown>, step: Step): void {
    const value = this.value();
    container[step] = value;
    if (typeof value === 'string' && hasReference(value)) this.waiting.push({ container, step, path: [...this.path] });
  }

  /** Places come in the order of the text, line by line. */
  private pass(offset: number): void {
    if (offset >= this.offset) this.offset = offset;
    else if (this.text.slice(offset, this.offset).includes('\n')) throw new Unusual();
  }
}

/** The places of what a `QuickReader` read, found when they are asked for: of a sound text hardly any are. */
class LatePlaces {
  readonly start: Place;
  private readonly text: string;
  private readonly events: readonly Event[];
  private readonly values: unknown;
  private readonly waiting: readonly Waiting[];
  /** Indices of the events with which maps and lists begin. */
  private readonly beginnings = new Map<object, number>();
  private readonly found = new Map<object, Map<Step, Entry>>();
  /** Offsets at which lines begin. */
  private readonly lines: number[] = [0];

  constructor(text: string, events: readonly Event[], values: unknown, waiting: readonly Waiting[]) {
    this.text = text;
    this.events = events;
    this.waiting = waiting;
    this.values = values;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) this.lines.push(end + 1);
    this.start = this.place(events[1]);
  }

  get(container: object): ReadonlyMap<Step, Entry> | undefined {
    if (this.beginnings.size === 0) this.mark(this.values, 1);
    const found = this.found.get(container);
    const beginning = this.beginnings.get(container);
    if (found !== undefined || beginning === undefined) return found;
    const entries = this.entriesOf(beginning);
    this.found.set(container, entries);
    for (const { container: of, step, written } of this.waiting) {
      const entry = of === container ? entries.get(step) : undefined;
      if (entry !== undefined && written !== undefined) entry.written = written;
    }
    return entries;
  }

  /**
   * Marks what is in a value that begins with the event of this index, and answers the index after it. Strings may have been
   * filled in since they were read; maps and lists are as they were.
   */
  private mark(value: unknown, index: number): number {
    const { events, text } = this;
    const { type } = events[index];
    if (type === EVENT_ID.SCALAR) return index + 1;
    const container = value as Record<Step, unknown>;
    this.beginnings.set(container, index);
    let at = index + 1;
    for (let step = 0; events[at].type !== EVENT_ID.POP; step += 1) {
      at =
        type === EVENT_ID.SEQUENCE
          ? this.mark(container[step], at)
          : this.mark(container[keyOf(text, events[at] as ScalarEvent)], at + 1);
    }
    return at + 1;
  }

  private entriesOf(beginning: number): Map<Step, Entry> {
    const { events, text } = this;
    const entries = new Map<Step, Entry>();
    const isMap = events[beginning].type === EVENT_ID.MAPPING;
    for (let at = beginning + 1; events[at].type !== EVENT_ID.POP; at = this.after(at)) {
      const key = this.place(events[at]);
      const step = isMap ? keyOf(text, events[at] as ScalarEvent) : entries.size;
      if (isMap) at += 1;
      entries.set(step, { key, value: this.place(events[at]) });
    }
    return entries;
  }

  /** The index after the value that begins with the event of this one. */
  private after(index: number): number {
    let depth = 0;
    let at = index;
    do {
      const { type } = this.events[at++];
      if (type === EVENT_ID.POP) depth -= 1;
      else if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE) depth += 1;
    } while (depth > 0);
    return at;
  }

  private place(event: Event): Place {
    const offset = startOf(event);
    const { lines } = this;
    let low = 0;
    let high = lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lines[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - lines[low] + 1 };
  }
}

/** Fills in the reference, and answers why it cannot be, or null. */
function fillIn(tree: SourceTree, waiting: Waiting, sources: SubstitutionSources): string | null {
  const { container, step } = waiting;
  const text = container[step] as string;
  try {
    const result = substitute(text, sources);
    for (const secret of result.secrets) tree.secrets.add(secret);
    waiting.written = { text, result };
    container[step] = result.value;
    return null;
  } catch (error) {
    if (!(error instanceof SubstitutionError)) throw error;
    return error.message;
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
