/** What one route asks of a path: exact, template, prefix or pattern; with its place in the order of precedence. */
import { type Pattern, parsePattern } from '../base/pattern.ts';
import type { MatchConfig } from '../config/model.ts';
import { normalizePath } from './path.ts';

/** Kinds in ascending order of precedence. */
export const PATH_KIND = { none: 0, regex: 1, prefix: 2, template: 3, exact: 4 } as const;

export interface Segment {
  readonly literal: string | null;
  /** Name of the parameter, `''` when it has none. */
  readonly name: string;
}

export interface PathMatcher {
  readonly kind: number;
  /** For people. */
  readonly text: string;
  /** Segments of a template or prefix, the rest wildcard not counted. */
  readonly segments: readonly Segment[];
  /** Name of the rest wildcard's parameter (`''` for `*`), null without one. */
  readonly rest: string | null;
  readonly pattern: Pattern | null;
  /** Literal segments, for the order among templates. */
  readonly literals: number;
  /** Characters, for the order among prefixes. */
  readonly length: number;
}

/** The matcher of a map's own path key; of kind `none` when it has none. */
export function compilePath(match: MatchConfig): PathMatcher {
  if (match.path !== undefined) return compileTemplate(match.path);
  if (match.pathPrefix !== undefined) {
    // A final slash says nothing more: prefixes cover whole segments anyway.
    const prefix = literalOf(match.pathPrefix.replace(/\/+$/, ''));
    const segments = prefix === '' ? [] : prefix.slice(1).split('/').map(literalSegment);
    return { ...nothing, kind: PATH_KIND.prefix, text: match.pathPrefix, segments, length: prefix.length };
  }
  if (match.pathRegex === undefined) return nothing;
  return { ...nothing, kind: PATH_KIND.regex, text: match.pathRegex, pattern: parsePattern(match.pathRegex) };
}

const nothing: PathMatcher = {
  kind: PATH_KIND.none,
  text: '',
  segments: [],
  rest: null,
  pattern: null,
  literals: 0,
  length: 0,
};

function literalSegment(literal: string): Segment {
  return { literal, name: '' };
}

/** What an operator wrote, in the form in which requests are compared: `%c3` and `%C3` are one. */
function literalOf(path: string): string {
  return normalizePath(path) ?? path;
}

function compileTemplate(text: string): PathMatcher {
  if (!/[{*]/.test(text)) return { ...nothing, kind: PATH_KIND.exact, text: literalOf(text) };
  const segments: Segment[] = [];
  let rest: string | null = null;
  for (const part of text.slice(1).split('/')) {
    if (part === '*') rest = '';
    else if (part.startsWith('{') && part.endsWith('*}')) rest = part.slice(1, -2);
    else if (part.startsWith('{')) segments.push({ literal: null, name: part.slice(1, -1) });
    else segments.push(literalSegment(literalOf(`/${part}`).slice(1)));
  }
  const literals = segments.filter(({ literal }) => literal !== null).length;
  return { ...nothing, kind: PATH_KIND.template, text, segments, rest, literals };
}

/** True when the path is the matcher's; the same verdict that the index gives, one route at a time. */
export function matchesPath(matcher: PathMatcher, path: string): boolean {
  switch (matcher.kind) {
    case PATH_KIND.none:
      return true;
    case PATH_KIND.exact:
      return path === matcher.text;
    case PATH_KIND.regex:
      return (matcher.pattern as Pattern).test(path);
    default:
      return matchSegments(matcher, path, null);
  }
}

/** Parameters of a template by name, as they stand in the path; null when the path is not the template's. */
export function paramsOf(matcher: PathMatcher, path: string): Record<string, string> | null {
  const params: Record<string, string> = Object.create(null);
  return matcher.kind === PATH_KIND.template && matchSegments(matcher, path, params) ? params : null;
}

function matchSegments(matcher: PathMatcher, path: string, params: Record<string, string> | null): boolean {
  let at = 0;
  for (const { literal, name } of matcher.segments) {
    if (path.charCodeAt(at) !== 47) return false;
    let next = path.indexOf('/', at + 1);
    if (next < 0) next = path.length;
    const segment = path.slice(at + 1, next);
    if (literal === null ? segment === '' : segment !== literal) return false;
    if (params !== null && literal === null && name !== '') params[name] = segment;
    at = next;
  }
  if (matcher.kind === PATH_KIND.prefix)
    return path.startsWith('/') && (at === path.length || path.charCodeAt(at) === 47);
  if (matcher.rest === null) return at === path.length;
  if (params !== null && matcher.rest !== '') params[matcher.rest] = path.slice(at + 1);
  return path.startsWith('/');
}

/** The literal text that every path of an anchored pattern starts with, cut to whole segments; `''` when unknown. */
export function literalPrefixOf(pattern: string): string {
  if (!pattern.startsWith('^/') || /\|/.test(pattern)) return '';
  const literal = /^\^((?:\/[A-Za-z0-9_~-]+)*)\/(?![*?+{])/.exec(pattern);
  return literal === null ? '' : literal[1];
}
