/** Operators' regular expressions, matched in time linear in the text whatever the pattern (RE2 syntax, by re2js). */
import { RE2JS, RE2JSSyntaxException } from 're2js';

/** A pattern that cannot be used, with the reason for people. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

export interface PatternMatch {
  readonly start: number;
  readonly end: number;
  /** The whole match, then its groups, `''` for one that took no part. */
  readonly groups: readonly string[];
}

export interface Pattern {
  readonly source: string;
  /** True when the pattern is found anywhere in `value`; anchors in it hold. */
  test(value: string): boolean;
  /** The first match; null without one. */
  find(value: string): PatternMatch | null;
}

/** Longest pattern taken, in characters: compiling is linear too, but not free. */
const MAX_SOURCE = 4096;

/** Compiles a pattern; throws PatternError for syntax that is wrong or that no linear-time engine can serve. */
export function parsePattern(source: string): Pattern {
  if (source.length > MAX_SOURCE) throw new PatternError(`the pattern is longer than ${MAX_SOURCE} characters`);
  if (/\(\?<?[=!]/.test(source)) {
    throw new PatternError('look-ahead and look-behind cannot be matched in linear time and are not supported');
  }
  if (/(?:^|[^\\])(?:\\\\)*\\(?:[1-9]|k<)/.test(source)) {
    throw new PatternError('back-references cannot be matched in linear time and are not supported');
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) throw new PatternError(error.message);
    throw error;
  }
  return {
    source,
    test: (value) => compiled.matcher(value).find(),
    find(value) {
      const matcher = compiled.matcher(value);
      if (!matcher.find()) return null;
      const groups: string[] = [];
      for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? '');
      return { start: matcher.start(), end: matcher.end(), groups };
    },
  };
}
