/** Checks of rewrites: every parameter and group that they use must come from the route's own match. */
import { nearest } from '../base/nearest.ts';
import { PatternError, parsePattern } from '../base/pattern.ts';
import { type CheckContext, reportRivals } from './check-context.ts';
import type { MatchConfig, RouteConfig } from './model.ts';
import { checkPathTemplate } from './path-template.ts';
import type { ValuePath } from './source-tree.ts';

export function checkRewrite({ rewrite, match }: RouteConfig, route: ValuePath, context: CheckContext): void {
  if (rewrite === undefined) return;
  const path = [...route, 'rewrite'];
  const kinds = (['stripPrefix', 'path', 'regex'] as const).filter((key) => rewrite[key] !== undefined);
  reportRivals(kinds, path, 'a rewrite has one of stripPrefix, path and regex', context);
  // A path that was refused is not here any more, and its parameters are unknown.
  const isWhole = countPaths(match) === countPaths(context.written([...route, 'match']));
  if (rewrite.path !== undefined && isWhole) checkTemplate(rewrite.path, match, [...path, 'path'], context);
  if (rewrite.stripPrefix !== undefined) checkPrefix(rewrite.stripPrefix, match, [...path, 'stripPrefix'], context);
  if (rewrite.regex !== undefined) {
    const problem = groupProblem(rewrite.regex.replacement, groupCount(rewrite.regex.pattern), '`pattern`');
    if (problem !== null) reportReference(problem, [...path, 'regex', 'replacement'], context);
  }
}

function checkTemplate(template: string, match: MatchConfig, path: ValuePath, context: CheckContext): void {
  const { parameters, groups } = sourceOf(match) ?? { parameters: [], groups: null };
  for (const [whole, name] of template.matchAll(/\{([^{}]*)\}/g)) {
    if (parameters.includes(name.replace(/\*$/, ''))) continue;
    const known = parameters.length === 0 ? 'it has none' : `it has ${parameters.join(', ')}`;
    const near = nearest(name, parameters);
    const suggestion = near === undefined ? undefined : `{${near}}`;
    reportReference(`\`${whole}\` is no parameter of the route’s path: ${known}`, path, context, suggestion);
  }
  if (/[{}]/.test(template.replace(/\{[^{}]*\}/g, '')))
    reportReference('has a brace without its partner', path, context);
  const problem = groupProblem(template, groups, '`match.pathRegex`');
  if (problem !== null) reportReference(problem, path, context);
}

function reportReference(message: string, path: ValuePath, context: CheckContext, suggestion?: string): void {
  context.report({ severity: 'error', code: 'unknown_parameter', path, message, suggestion });
}

function countPaths(match: unknown): number {
  if (typeof match !== 'object' || match === null) return 0;
  const { path, pathRegex, all, any } = match as Record<string, unknown>;
  const own = (path === undefined ? 0 : 1) + (pathRegex === undefined ? 0 : 1);
  const nested = [all, any].flatMap((nest) => (Array.isArray(nest) ? nest : []));
  return nested.reduce((sum: number, inner) => sum + countPaths(inner), own);
}

interface PathSource {
  parameters: string[];
  /** Groups of the expression; null where the path is none. */
  groups: number | null;
}

/** What the path by which the router finds the route can give: its own, or the only one under `all`. */
function sourceOf(match: MatchConfig): PathSource | null {
  if (match.path !== undefined) return { parameters: checkPathTemplate(match.path).parameters, groups: null };
  if (match.pathPrefix !== undefined) return { parameters: [], groups: null };
  if (match.pathRegex !== undefined) return { parameters: [], groups: groupCount(match.pathRegex) };
  const nested = (match.all ?? []).map(sourceOf).filter((source) => source !== null);
  return nested.length === 1 ? nested[0] : null;
}

/** What is wrong with the `$1` of a text, or null. `groups` is null where there is no expression at all. */
function groupProblem(text: string, groups: number | null, where: string): string | null {
  for (const [whole, digits] of text.matchAll(/\$([0-9])/g)) {
    if (groups === null) return `\`${whole}\` names a group, but the route has no ${where}`;
    if (Number(digits) > groups) return `\`${whole}\` names a group that ${where} does not have: it has ${groups}`;
  }
  return null;
}

/** How many groups a valid expression has: an empty alternative matches at once and shows them all. */
function groupCount(source: string): number {
  try {
    return (parsePattern(`(?:${source})|`).find('')?.groups.length ?? 1) - 1;
  } catch (error) {
    if (error instanceof PatternError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function checkPrefix(prefix: string, match: MatchConfig, path: ValuePath, context: CheckContext): void {
  const matched = match.pathPrefix ?? match.path;
  if (matched === undefined) return;
  const bare = prefix.replace(/\/+$/, '');
  if (matched === bare || matched.startsWith(`${bare}/`)) return;
  // A parameter or a wildcard may stand for a segment of the prefix.
  if (/[{*]/.test(matched) || (match.pathPrefix !== undefined && bare.startsWith(matched.replace(/\/+$/, '')))) return;
  context.report({
    severity: 'warning',
    code: 'no_effect',
    path,
    message: 'no path that this route takes begins with the prefix: nothing is ever stripped',
  });
}
