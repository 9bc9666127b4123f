/** Where the routes of a text stand, line by line, so that a later text can be held against it. */

/** The routes of a text that stand one below the other, each on lines of its own. */
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
