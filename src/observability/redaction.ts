/** What a log must never show: values of named headers, query parameters and cookies. */
import { ALWAYS_REDACTED } from '../base/always-redacted.ts';

export const REDACTED = '[redacted]';

const PERCENT = 37;
const SPACE = 32;
const SEMICOLON = 59;

/** Hides the values of named headers, query parameters and cookies; names are compared without regard to case. */
export class Redaction {
  private readonly names: ReadonlySet<string>;
  /** 1 at the lengths that a hidden name has: most names are ruled out without a copy. */
  private readonly lengths = new Uint8Array(256);

  constructor(names: readonly string[]) {
    this.names = new Set([...ALWAYS_REDACTED, ...names.map((name) => name.toLowerCase())]);
    for (const name of this.names) this.lengths[Math.min(name.length, 255)] = 1;
  }

  /** True when the header of this name is hidden wholly. */
  hides(name: string): boolean {
    return this.names.has(name.toLowerCase());
  }

  /** The value of a header that is not hidden wholly, with the secrets within a list of cookies or a URL hidden. */
  header(lowerName: string, value: string): string {
    if (lowerName === 'cookie') return this.query(value);
    return lowerName === 'referer' ? this.target(value) : value;
  }

  /** A URL or request target with the values of named parameters hidden. */
  target(target: string): string {
    const mark = target.indexOf('?');
    return mark < 0 ? target : target.slice(0, mark + 1) + this.query(target.slice(mark + 1));
  }

  /**
   * A query without `?`, or a list of cookies, with the values of named parameters hidden. `;` separates as `&` does: it
   * does for some upstreams. Copies only from the first hidden value on; most lists have none.
   */
  query(list: string): string {
    let result = '';
    let copied = 0;
    let start = 0;
    while (start < list.length) {
      const equals = list.indexOf('=', start);
      if (equals < 0) break;
      // Parameters without a value may stand before the one that has this `=`.
      const before = equals === start ? -1 : lastSeparator(list, start, equals);
      if (before >= 0) start = before + 1;
      const end = nextSeparator(list, equals + 1);
      if (this.isHidden(list, start, equals)) {
        result += list.slice(copied, equals + 1) + REDACTED;
        copied = end;
      }
      start = end + 1;
    }
    return copied === 0 ? list : result + list.slice(copied);
  }

  private isHidden(list: string, from: number, to: number): boolean {
    let start = from;
    while (start < to && list.charCodeAt(start) === SPACE) start++;
    let end = to;
    while (end > start && list.charCodeAt(end - 1) === SPACE) end--;
    for (let i = start; i < end; i++) {
      // The name as the upstream will read it: an encoded letter must not let a secret pass.
      if (list.charCodeAt(i) === PERCENT) return this.names.has(decodeName(list.slice(start, end)));
    }
    return this.lengths[Math.min(end - start, 255)] === 1 && this.names.has(list.slice(start, end).toLowerCase());
  }
}

function lastSeparator(list: string, from: number, to: number): number {
  for (let i = to - 1; i >= from; i--) {
    const code = list.charCodeAt(i);
    if (code === 38 || code === SEMICOLON) return i;
  }
  return -1;
}

function nextSeparator(list: string, from: number): number {
  for (let i = from; i < list.length; i++) {
    const code = list.charCodeAt(i);
    if (code === 38 || code === SEMICOLON) return i;
  }
  return list.length;
}

/** Byte by byte, so that one malformed sequence does not hide the rest from the comparison. */
function decodeName(name: string): string {
  return name.replace(/%([0-9a-fA-F]{2})/g, decodeByte).toLowerCase();
}

function decodeByte(_match: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
