/** Where the routes of a text stand, line by line, so that a later text can be held against it, and one of them edited alone. */

/** The routes of a text, or its services, that stand one below the other, each on lines of its own. */
export interface RouteLines {
  /** Spaces before the dash of each. */
  readonly indent: number;
  /** Offsets of the lines with which they begin, in their order. */
  readonly starts: Uint32Array;
  /** Not fewer than the events that a parser sees in the whole text. */
  readonly events: number;
}

/** By the offsets at which the values of the routes begin. Null where one does not stand after a dash like the others. */
export function routeLinesOf(text: string, values: readonly number[], events: number): RouteLines | null {
  const starts = new Uint32Array(values.length);
  let indent = -1;
  for (const [index, value] of values.entries()) {
    const start = text.lastIndexOf('\n', value - 1) + 1;
    const spaces = spacesAt(text, start);
    if (indent === -1) indent = spaces;
    const dash = start + spaces;
    // The first line of a route is known by its dash and a space.
    if (spaces !== indent || text[dash] !== '-' || dash + 1 + spacesAt(text, dash + 1) !== value) return null;
    starts[index] = start;
  }
  return indent === -1 ? null : { indent, starts, events };
}

/** How many spaces stand from this offset on. */
export function spacesAt(text: string, offset: number): number {
  let at = offset;
  while (text.charCodeAt(at) === 32) at += 1;
  return at - offset;
}

/**
 * Where the item ends whose first line begins here: at the end of its last line. Lines that are indented deeper belong to it:
 * in plain texts nothing goes on at less. Blank lines and comments between belong to it, too, and not those behind it.
 */
export function endOfItem(text: string, start: number, indent: number): number {
  let end = endOfLine(text, start);
  for (;;) {
    const next = nextContent(text, end);
    if (next >= text.length || spacesAt(text, next) <= indent) return end;
    end = endOfLine(text, next);
  }
}

/** The offset of the first line after this end of a line that is neither blank nor a comment; the length of the text when there is none. */
export function nextContent(text: string, end: number): number {
  for (let at = end + 1; at < text.length; ) {
    const first = text.charCodeAt(at + spacesAt(text, at));
    // A line break, and `#`.
    if (first !== 10 && first !== 35) return Number.isNaN(first) ? text.length : at;
    at = endOfLine(text, at) + 1;
  }
  return text.length;
}

export function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}
