/** Edits of one route or service in a plain text, at the price of its own lines: all others stay as they are. */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { readQuickly } from '../config/quick-yaml.ts';
import { endOfItem, endOfLine, type RouteLines, spacesAt } from '../config/route-lines.ts';
import type { ValuePath } from '../config/source-tree.ts';
import { replaced } from './value-edit.ts';
import { editedYaml, styleOf, type YamlStyle } from './yaml-edit.ts';

/** Lists of the configuration whose items have names. */
export type NamedList = 'routes' | 'services';

const HEAD = 'routes:\n';

/** The value of an item as it is written; null where it cannot be read alone. */
export function itemValue(text: string, lines: RouteLines, index: number): { readonly value: unknown } | null {
  const { start, end } = spanOf(text, lines, index);
  return readItem(whole(text.slice(start, end)), lines.indent);
}

/** Characters. */
export function lengthOfItem(text: string, lines: RouteLines, index: number): number {
  const { start, end } = spanOf(text, lines, index);
  return end - start;
}

/**
 * The text with the value at `path` replaced, which is in a list whose items stand in these lines; `undefined` takes it out.
 * Null where more than the lines of one item would have to change, or the result could not be read alone.
 *
 * What is new is put where a parser has nothing open but the list, is one item of the same indentation and complete: what is
 * around it means what it did.
 */
export function withItem(text: string, lines: RouteLines, path: ValuePath, value: unknown): string | null {
  const [, index, ...inner] = path;
  const count = lines.starts.length;
  if (typeof index !== 'number' || index > count) return null;
  const isWhole = inner.length === 0;
  if (index === count) return isWhole && value !== undefined ? withAdded(text, lines, value) : null;
  if (isWhole && value === undefined) return count === 1 ? null : withoutItem(text, lines, index);
  return withChanged(text, lines, index, inner, value);
}

function withChanged(text: string, lines: RouteLines, index: number, inner: ValuePath, value: unknown): string | null {
  const { indent } = lines;
  const { start, end } = spanOf(text, lines, index);
  const piece = whole(text.slice(start, end));
  const known = readItem(piece, indent);
  if (known === null) return null;
  const wanted = replaced(known.value, inner, value);
  if (isDeepStrictEqual(known.value, wanted)) return text;
  const style = styleOf(piece, indent);
  for (const candidate of editedYaml(piece, [0, ...inner], value, style, indent)) {
    if (isItem(candidate, indent, wanted)) return put(text, start, end, candidate);
  }
  const fresh = freshItem(wanted, indent, style);
  return fresh === null ? null : put(text, start, end, fresh);
}

/** Behind what belongs to the last item. */
function withAdded(text: string, lines: RouteLines, value: unknown): string | null {
  const { indent, starts } = lines;
  const last = spanOf(text, lines, starts.length - 1);
  const style = styleOf(whole(text.slice(last.start, last.end)), indent);
  const fresh = freshItem(value, indent, style);
  if (fresh === null) return null;
  const at = endOfOwnComments(text, last.end, indent);
  if (at < text.length || text.endsWith('\n')) return text.slice(0, at) + fresh + text.slice(at);
  return `${text}\n${fresh.slice(0, -1)}`;
}

/** With it go the comments that are its own: right above its first line, but for those of the whole list, and further in below it. */
function withoutItem(text: string, lines: RouteLines, index: number): string {
  const { indent } = lines;
  const span = spanOf(text, lines, index);
  const end = endOfOwnComments(text, span.end, indent);
  let { start } = span;
  while (index > 0) {
    const above = lineAbove(text, start);
    if (above === start || spacesAt(text, above) !== indent || text[above + indent] !== '#') break;
    start = above;
  }
  const above = lineAbove(text, start);
  // Of two blank lines that would meet one goes, too.
  if (isBlank(text, above) && (end >= text.length || isBlank(text, end))) start = above;
  return text.slice(0, start) + text.slice(end);
}

/** From the beginning of its first line to behind its last one. */
function spanOf(text: string, { starts, indent }: RouteLines, index: number): { start: number; end: number } {
  const start = starts[index];
  return { start, end: Math.min(endOfItem(text, start, indent) + 1, text.length) };
}

/** Behind the comments that follow at once and stand further in than the items. */
function endOfOwnComments(text: string, from: number, indent: number): number {
  let at = from;
  for (;;) {
    const spaces = spacesAt(text, at);
    if (spaces <= indent || text[at + spaces] !== '#') return at;
    at = Math.min(endOfLine(text, at) + 1, text.length);
  }
}

/** Offset of the line above the one that begins here; the same where there is none. */
function lineAbove(text: string, start: number): number {
  return start === 0 ? 0 : text.lastIndexOf('\n', start - 2) + 1;
}

function isBlank(text: string, start: number): boolean {
  return text[start + spacesAt(text, start)] === '\n';
}

/** The last line of a text may have no end. */
function whole(piece: string): string {
  return piece.endsWith('\n') ? piece : `${piece}\n`;
}

function put(text: string, start: number, end: number, piece: string): string {
  const rest = text.slice(end);
  return text.slice(0, start) + (rest === '' && !text.endsWith('\n') ? piece.slice(0, -1) : piece) + rest;
}

/** Without lines that belong together: they would make the text one that is not plain. */
function freshItem(value: unknown, indent: number, style: YamlStyle): string | null {
  const text = stringify([value], { lineWidth: 0, blockQuote: false, ...style });
  const indented = text.replace(/^(?=.)/gm, ' '.repeat(indent));
  return isItem(indented, indent, value) ? indented : null;
}

function isItem(piece: string, indent: number, wanted: unknown): boolean {
  const read = readItem(piece, indent);
  return read !== null && isDeepStrictEqual(read.value, wanted);
}

/** Null for what is no single item that begins with the first line. */
function readItem(piece: string, indent: number): { readonly value: unknown } | null {
  const quick = readQuickly(HEAD + piece);
  const lines = quick?.routeLines;
  if (quick === null || lines?.indent !== indent || lines.starts.length !== 1 || lines.starts[0] !== HEAD.length)
    return null;
  return { value: (quick.values as { routes: unknown[] }).routes[0] };
}
