/** Turns what a schema says of a value into flat problems: one place, one code, one sentence. */

import type { z } from 'zod';
import { nearest } from '../base/nearest.ts';
import { type FindingCode, findingCodes } from './finding.ts';
import { knownKeys } from './known-keys.ts';
import { type ValuePath, valueAt } from './source-tree.ts';

/** A problem of one value. `message` reads on from the value and never quotes it. */
export interface ValueProblem {
  path: ValuePath;
  /** Whether the key or the value is at fault. */
  part: 'key' | 'value';
  code: FindingCode;
  message: string;
  suggestion?: string;
  /** What kind of value a number or boolean written as a reference should become. */
  wants?: 'number' | 'boolean';
  /** What must go from the tree so that the rest can be looked at. */
  prune: ValuePath;
}

type Issue = z.core.$ZodIssue;
type UnionIssue = Extract<Issue, { code: 'invalid_union' }>;

/** Flattens the issues of `schema` with the values of `root`. */
export function problemsOf(issues: readonly Issue[], schema: z.ZodType, root: unknown): ValueProblem[] {
  const problems = issues.flatMap((issue) => flatten(issue, [], schema, root));
  // A misspelt key is not also a missing one.
  const meant = new Set(problems.map(({ path, suggestion }) => JSON.stringify([...path.slice(0, -1), suggestion])));
  return problems.filter(({ code, path }) => code !== 'missing_key' || !meant.has(JSON.stringify(path)));
}

/** Words for a parse; a schema's own words go before them. */
export function wordIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${kindName(issue.expected)}, found ${kindOf(issue.input)}${quoteHint(issue.expected, issue.input)}`;
    case 'invalid_value':
      return `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'array') return `needs at least ${count(Number(issue.minimum), 'entry', 'entries')}`;
      if (issue.origin === 'string')
        return issue.minimum === 1 ? 'must not be empty' : `is shorter than ${issue.minimum}`;
      return undefined;
    case 'invalid_union':
      return 'is of none of the kinds that may stand here';
    default:
      return undefined;
  }
}

function flatten(issue: Issue, base: ValuePath, schema: z.ZodType, root: unknown): ValueProblem[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const keys = knownKeys(schema, path);
      return issue.keys.map((key) => unknownKey(path, key, keys));
    }
    case 'invalid_key':
      return [
        { path, part: 'key', code: 'invalid_key', message: issue.issues[0]?.message ?? issue.message, prune: path },
      ];
    case 'invalid_union':
      return flattenUnion(issue, path, schema, root);
    default:
      return [plainProblem(issue, path, root)];
  }
}

function unknownKey(path: ValuePath, key: string, keys: readonly string[]): ValueProblem {
  const full = [...path, key];
  const isPolicy = path.length > 1 && path[path.length - 2] === 'policies';
  const known = keys.length > 0 && keys.length <= 24 ? `; known here: ${keys.join(', ')}` : '';
  return {
    path: full,
    part: 'key',
    code: isPolicy ? 'unknown_policy' : 'unknown_key',
    message: `${isPolicy ? 'is not a policy' : 'is not a known key'}${known}`,
    suggestion: nearest(key, keys),
    // An item of a list of policies is nothing without its one key.
    prune: isPolicy ? path : full,
  };
}

function plainProblem(issue: Issue, fullPath: ValuePath, root: unknown): ValueProblem {
  const path = withinFile(fullPath, root);
  const value = valueAt(root, path);
  if (
    value === undefined &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union')
  ) {
    return { path, part: 'key', code: 'missing_key', message: 'is missing', prune: path.slice(0, -1) };
  }
  const params = issue.code === 'custom' ? issue.params : undefined;
  const finding = isFindingCode(params?.finding) ? params.finding : undefined;
  const isKey = finding === 'duplicate_header';
  const problem: ValueProblem = {
    path,
    part: isKey ? 'key' : 'value',
    code: finding ?? (issue.code === 'invalid_type' ? 'invalid_type' : 'invalid_value'),
    message: issue.message,
    prune: path,
  };
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    problem.code = 'unknown_name';
    problem.suggestion = nearest(
      value,
      issue.values.filter((known) => typeof known === 'string'),
    );
  }
  if (finding === 'unknown_name' && typeof value === 'string' && Array.isArray(params?.known)) {
    problem.suggestion = nearest(value, params.known as string[]);
  }
  problem.wants = wantedKind(issue);
  if (/\bquote\b/.test(issue.message) && (typeof value === 'number' || typeof value === 'boolean')) {
    problem.suggestion = JSON.stringify(String(value));
  }
  return problem;
}

function isFindingCode(code: unknown): code is FindingCode {
  return typeof code === 'string' && Object.hasOwn(findingCodes, code);
}

/** Where a short form stands for a map (`http://...` for `{ url }`), the problem is the short form's. */
function withinFile(path: ValuePath, root: unknown): ValuePath {
  for (let length = 1; length < path.length; length += 1) {
    const value = valueAt(root, path.slice(0, length));
    if (typeof value !== 'object' && value !== undefined) return path.slice(0, length);
  }
  return path;
}

/** Of the choices of a union, the one that the value is nearest to speaks; when none is near, the union itself. */
function flattenUnion(issue: UnionIssue, path: ValuePath, schema: z.ZodType, root: unknown): ValueProblem[] {
  const near = issue.errors
    .filter((choice) => !choice.some(isOfOtherKind))
    .map((choice) => choice.flatMap((inner) => flatten(inner, path, schema, root)));
  if (near.length > 0) return near.reduce((best, next) => (next.length < best.length ? next : best));
  const own = plainProblem(issue, path, root);
  if (own.code !== 'missing_key') own.code = 'invalid_type';
  own.wants = issue.errors
    .flat()
    .filter(isOfOtherKind)
    .map(wantedKind)
    .find((kind) => kind !== undefined);
  return [own];
}

/** True when a choice of a union was never meant: the value is of another kind altogether. */
function isOfOtherKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.every((choice) => choice.some(isOfOtherKind));
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function wantedKind(issue: Issue): 'number' | 'boolean' | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.expected === 'number' || issue.expected === 'int') return 'number';
    if (issue.expected === 'boolean') return 'boolean';
  }
  if (issue.code === 'invalid_value') {
    const kind = typeof issue.values[0];
    if (kind === 'number' || kind === 'boolean') return kind;
  }
  return undefined;
}

function quoteHint(expected: string, input: unknown): string {
  return expected === 'string' && ['number', 'boolean'].includes(typeof input) ? ': quote it' : '';
}

function count(number: number, one: string, many: string): string {
  return number === 1 ? `one ${one}` : `${number} ${many}`;
}

const kindNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'nothing',
};

function kindName(expected: string): string {
  return kindNames[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'boolean') return 'a boolean';
  return kindNames[typeof value] ?? `a ${typeof value}`;
}
