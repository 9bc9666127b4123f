/** The configuration as a text that can be edited piece by piece: what is not touched keeps its form and its comments. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import type { ConfigText } from '../config/load.ts';
import { readQuickly } from '../config/quick-yaml.ts';
import type { RouteLines } from '../config/route-lines.ts';
import type { ValuePath } from '../config/source-tree.ts';
import { type NamedList, withItem } from './item-text.ts';
import { replaced } from './value-edit.ts';
import { editedYaml, parseDocumentOf } from './yaml-edit.ts';

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

/** What a text was found to be. */
interface Reading {
  readonly values: unknown;
  /** By list; null where items do not stand on lines of their own. */
  readonly lines: Readonly<Record<NamedList, RouteLines | null>>;
}

const readings = new WeakMap<ConfigText, Reading>();
/** Of texts that nobody has read, and that edits of others have made. */
const derived = new WeakMap<ConfigText, unknown>();

function readingOf(source: ConfigText): Reading {
  let reading = readings.get(source);
  if (reading === undefined) {
    const quick = readQuickly(source.text, source.format === 'json');
    const values = quick === null ? parseDocumentOf(source.text).toJS({ maxAliasCount: -1 }) : quick.values;
    const { routeLines: routes = null, serviceLines: services = null } = quick ?? {};
    reading = { values, lines: { routes, services } };
    readings.set(source, reading);
  }
  return reading;
}

/** The values as written, references and all; not to be changed. The text must have been loaded without a fault. */
export function valuesOf(source: ConfigText): unknown {
  return derived.get(source) ?? readingOf(source).values;
}

/** `edited` is `source` with this value replaced: where the values of the one are known, those of the other are, too. */
export function deriveValues(source: ConfigText, edited: ConfigText, path: ValuePath, value: unknown): void {
  const values = derived.get(source) ?? readings.get(source)?.values;
  if (values !== undefined) derived.set(edited, replaced(values, path, value));
}

/** The text in the asked form; as it is, comments included, when that is its own. */
export function textAs(source: ConfigText, format: ConfigText['format']): string {
  if (source.format === format) return source.text;
  return format === 'json' ? jsonOf(valuesOf(source)) : stringify(valuesOf(source), { lineWidth: 0 });
}

/** `source` with the value at `path` replaced; `undefined` takes it out. Maps and lists on the way to it are made. */
export function withValue(source: ConfigText, path: ValuePath, value: unknown): ConfigText {
  const { values, lines } = readingOf(source);
  const [list] = path;
  const places = list === 'routes' || list === 'services' ? lines[list] : null;
  const text = places === null ? null : withItem(source.text, places, path, value);
  if (text !== null) return { ...source, text };
  const wanted = replaced(values, path, value);
  if (source.format === 'json') return { ...source, text: jsonOf(wanted) };
  for (const text of editedYaml(source.text, path, value)) {
    if (isDeepStrictEqual(readable({ ...source, text }), wanted)) return { ...source, text };
  }
  // An anchor went whose aliases stay, or the like: what is meant counts for more than how it was written.
  return { ...source, text: stringify(wanted, { lineWidth: 0 }) };
}

function readable(source: ConfigText): unknown {
  try {
    return valuesOf(source);
  } catch {
    return undefined;
  }
}

function jsonOf(values: unknown): string {
  return `${JSON.stringify(values, null, 2)}\n`;
}
