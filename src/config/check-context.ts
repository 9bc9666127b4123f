/** What every check across values is given, and how it speaks of values. */
import { formatDuration } from '../base/duration.ts';
import type { Report } from './findings.ts';
import type { ValuePath } from './source-tree.ts';

/** What a check is given beside the values. */
export interface CheckContext {
  /** The whole file as it was written, also what is wrong in it. */
  raw: unknown;
  /**
   * True of a route that was checked before, beside the same service and the same rest of the file but for other routes and
   * services, and of which there was nothing to be said. Of its written form nothing but name and service may be known.
   */
  isKnown(route: number): boolean;
  /** What the file has at the place of a value under check, right or wrong; undefined for nothing. */
  written(path: ValuePath): unknown;
  /** The path of a value under check as people know it: `services[2]`. */
  nameOf(path: ValuePath): string;
  /** The key of a value under check and, where it can be shown, what the file says: `` `drain` `40s` ``. */
  subject(path: ValuePath): string;
  /** What the file says for a value under check, in quotes; empty when it is nothing to be shown. */
  shown(path: ValuePath): string;
  report(report: Report): void;
  /** Reports on a path of `raw` rather than of the values under check. */
  reportWritten(report: Report): void;
}

/** The key of a duration with what the file says, or with the default that stands for it. */
export function durationAt(path: ValuePath, milliseconds: number, context: CheckContext): string {
  const isDefault = context.written(path) === undefined;
  return `${context.subject(path)}${isDefault ? ` (${formatDuration(milliseconds)} by default)` : ''}`;
}

/** A route by its name, where that can be shown. */
export function routeAt(path: ValuePath, context: CheckContext): string {
  return `the route ${context.shown([...path, 'name'])}`.trimEnd();
}

/** Reports all but the first of `keys`, which stand in one map though only one may: `rule` says so. */
export function reportRivals(
  keys: readonly string[],
  path: ValuePath,
  rule: string,
  context: Pick<CheckContext, 'report'>,
): void {
  for (const key of keys.slice(1)) {
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, key],
      part: 'key',
      message: `\`${key}\` stands beside \`${keys[0]}\`: ${rule}`,
    });
  }
}
