/** A text without the routes that stood in a former one: what is left is read in no time, and the rest is known. */
import type { Steps } from '../base/slices.ts';
import { ODD } from './quick-yaml.ts';
import { endOfItem, nextContent, type RouteLines, spacesAt } from './route-lines.ts';

/** A text that was read, and where its routes stand in it. */
export interface FormerText {
  readonly text: string;
  readonly lines: RouteLines;
}

/** Routes that stand one after the other in both texts, with nothing but comments between them. */
export interface Run {
  /** Offset of its first line in the text. */
  readonly start: number;
  /** Offset of the line after it, the comments behind it included. */
  end: number;
  /** How many lines that are. */
  lines: number;
  /** Offset of the line in the short text that stands for it. */
  readonly short: number;
  /** Place of the first route in the former text. */
  readonly first: number;
  /** Offsets of the lines in the text with which its routes begin. */
  readonly starts: number[];
}

export interface ShortText {
  readonly text: string;
  readonly runs: readonly Run[];
}

/** Lines that are looked at in one step. */
const STEP = 32;

/**
 * Puts one line in the place of each run of routes that stood in the former text in the same words; `isUsable` tells by their
 * places which of them may be left out. Each stands in for one route at most, so that the number of events stays known.
 *
 * Where the short text is found to have its line as an item of `routes`, with the same indentation, the routes left out are
 * what they were: a parser comes to their first line with nothing open but the list, goes through the same characters, and
 * is followed by a line that is indented no deeper (`endOfItem`), as it was then.
 */
export function* shortenText(text: string, former: FormerText, isUsable: (index: number) => boolean): Steps<ShortText> {
  const reader = new Shortener(text, former, isUsable);
  yield* reader.readFormer();
  let seen = 0;
  for (let at = reader.find(0); at >= 0; at = reader.take(at)) if (++seen % STEP === 0) yield;
  return reader.result();
}

class Shortener {
  private readonly text: string;
  private readonly former: FormerText;
  private readonly isUsable: (index: number) => boolean;
  private readonly dash: string;
  private readonly parts: string[] = [];
  private readonly runs: Run[] = [];
  private readonly used: Uint8Array;
  /** Places of routes by their first lines. */
  private readonly byFirstLine = new Map<string, number>();
  /** The route that should come next. */
  private next = 0;
  /** Offset up to which the text is dealt with, and the length of what became of it. */
  private done = 0;
  private length = 0;

  constructor(text: string, former: FormerText, isUsable: (index: number) => boolean) {
    this.text = text;
    this.former = former;
    this.isUsable = isUsable;
    const { indent, starts } = former.lines;
    this.dash = `\n${' '.repeat(indent)}- `;
    this.used = new Uint8Array(starts.length);
  }

  *readFormer(): Steps<void> {
    const { text, lines } = this.former;
    for (const [index, start] of lines.starts.entries()) {
      if (index % STEP === 0) yield;
      this.byFirstLine.set(lineAt(text, start), index);
    }
  }

  /** Offset of the next line that may begin a route; -1 for none. */
  find(from: number): number {
    const before = this.text.indexOf(this.dash, Math.max(0, from - 1));
    return before < 0 ? -1 : before + 1;
  }

  /** Looks at the line at this offset, and answers that of the next one to be looked at. */
  take(at: number): number {
    const index = this.indexOf(at);
    if (index < 0) return this.find(at + 1);
    this.next = index + 1;
    const { indent } = this.former.lines;
    const start = this.former.lines.starts[index];
    const end = endOfItem(this.former.text, start, indent);
    const words = this.former.text.slice(start, end);
    if (this.used[index] === 1 || !this.isUsable(index) || this.text.slice(at, at + words.length) !== words)
      return this.find(at + 1);
    // It may go on where the former one ended, on the same line or below.
    const after = at + words.length;
    if (after < this.text.length && this.text.charCodeAt(after) !== 10) return this.find(at + 1);
    const rest = nextContent(this.text, after);
    if (rest < this.text.length && spacesAt(this.text, rest) > indent) return this.find(at + 1);
    if (rest > after + 1 && ODD.test(this.text.slice(after, rest))) return this.find(at + 1);
    this.leaveOut(index, at, rest);
    return this.find(rest);
  }

  result(): ShortText {
    return { text: this.parts.join('') + this.text.slice(this.done), runs: this.runs };
  }

  /** The place of the former route that the line at this offset may begin; -1 for none. */
  private indexOf(at: number): number {
    const { text, former, next } = this;
    const { starts } = former.lines;
    const line = lineAt(text, at);
    if (next < starts.length && line === lineAt(former.text, starts[next])) return next;
    return this.byFirstLine.get(line) ?? -1;
  }

  private leaveOut(index: number, at: number, end: number): void {
    const { text } = this;
    this.used[index] = 1;
    const lines = linesIn(text, at, end);
    const run = this.runs.at(-1);
    if (run !== undefined && run.end === at && run.first + run.starts.length === index) {
      run.starts.push(at);
      run.lines += lines;
      run.end = end;
    } else {
      const before = text.slice(this.done, at);
      this.length += before.length;
      this.runs.push({ start: at, end, lines, short: this.length, first: index, starts: [at] });
      const line = `${this.dash.slice(1)}0\n`;
      this.parts.push(before, line);
      this.length += line.length;
    }
    this.done = end;
  }
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.slice(start) : text.slice(start, end);
}

function linesIn(text: string, start: number, end: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
