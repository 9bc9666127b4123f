/** Collects findings of one file: gives them their places and words, and keeps values that came from outside out of them. */
import { nearest } from '../base/nearest.ts';
import type { Finding, FindingCode, Severity } from './finding.ts';
import type { ValueProblem } from './issue.ts';
import {
  entryAt,
  formatPath,
  placeOf,
  type SourceProblem,
  type SourceTree,
  type ValuePath,
  valueAt,
} from './source-tree.ts';
import type { Substituted } from './substitution.ts';

/**
 * What a check across values has to say. `message` is a whole sentence about the value at `path`; unless it begins with the key,
 * key and value stand before it, where the value is the place and can be shown.
 */
export interface Report {
  severity: Severity;
  code: FindingCode;
  path: ValuePath;
  message: string;
  /** Whether the key or the value is shown; the value by default. */
  part?: 'key' | 'value';
  suggestion?: string;
  /** Names among which the nearest to the value is suggested. */
  known?: readonly string[];
}

export interface Findings {
  addSourceProblem(problem: SourceProblem): void;
  addValueProblem(problem: ValueProblem): void;
  /** The key at a path of the file and, where it can be shown, its value: `` `drain` `40s` ``. */
  subject(path: ValuePath): string;
  /** The value at a path of the file as messages show it, in quotes; empty when it is none to be shown. */
  shown(path: ValuePath): string;
  /** The path of the report is one of the file. */
  addReport(report: Report): LocatedFinding;
  hasErrors(): boolean;
  /** Every error with its path, in the order of the file: also what `all` tells only once, since an anchor stands in two places. */
  errors(): LocatedFinding[];
  /** Everything found, in the order of the file, each only once. */
  all(): Finding[];
}

/** A finding, and the path of what it is about. */
export interface LocatedFinding {
  finding: Finding;
  path: ValuePath;
}

/** Longest value that a message quotes. */
const maxQuoted = 80;

export function createFindings(file: string, tree: SourceTree): Findings {
  const found: LocatedFinding[] = [];
  const longSecrets = [...tree.secrets].filter((secret) => secret.length >= 8);

  function add(
    path: ValuePath,
    finding: Omit<Finding, 'file' | 'line' | 'column' | 'path'>,
    place: { line: number; column: number },
  ): LocatedFinding {
    const { severity, code, message, suggestion } = finding;
    const complete: Finding = { file, ...place, severity, code, message, path: formatPath(path), suggestion };
    if (tree.namesPaths && complete.path !== '') complete.message += ` (at ${complete.path})`;
    complete.message = hide(complete.message, longSecrets);
    if (complete.suggestion === undefined) delete complete.suggestion;
    const located = { finding: complete, path };
    found.push(located);
    return located;
  }

  return {
    addSourceProblem({ code, message, place, path, suggestion }) {
      add(path, { severity: 'error', code, message, suggestion }, place);
    },
    addValueProblem(problem) {
      const { path, part, code } = problem;
      const written = part === 'value' ? entryAt(tree, path)?.written : undefined;
      const quoted = part === 'value' ? quote(tree, path) : '';
      // The engine's reason quotes parts of the pattern.
      const words =
        written !== undefined && code === 'invalid_pattern' ? 'is not a regular expression' : problem.message;
      const message = written === undefined ? words : hideParts(words, written.result);
      const sentence = `${subject(path)}${quoted}${message.startsWith('expected') ? ':' : ''} ${message}`;
      const suggestion = written === undefined ? problem.suggestion : undefined;
      add(path, { severity: 'error', code, message: sentence, suggestion }, placeOf(tree, path, part));
    },
    addReport(report) {
      const { path } = report;
      const written = entryAt(tree, path)?.written;
      const value = valueAt(tree.root, path);
      const near = report.known !== undefined && typeof value === 'string' ? nearest(value, report.known) : undefined;
      const suggestion = written === undefined ? (report.suggestion ?? near) : undefined;
      const words = written === undefined ? report.message : hideParts(report.message, written.result);
      const { severity, code, part = 'value' } = report;
      const quoted = part === 'value' ? quote(tree, path) : '';
      const isNamed = quoted === '' || words.startsWith(`${subject(path)} `);
      const message = isNamed ? words : `${subject(path)}${quoted}: ${words}`;
      return add(path, { severity, code, message, suggestion }, placeOf(tree, path, part));
    },
    subject: (path) => `${subject(path)}${quote(tree, path)}`,
    shown: (path) => quote(tree, path).trimStart(),
    hasErrors: () => found.some(({ finding }) => finding.severity === 'error'),
    errors: () => found.filter(({ finding }) => finding.severity === 'error').sort(byPlace),
    all() {
      const seen = new Set<string>();
      return found
        .sort(byPlace)
        .map(({ finding }) => finding)
        .filter(({ line, column, code, message }) => {
          const key = JSON.stringify([line, column, code, message]);
          return !seen.has(key) && seen.add(key) !== undefined;
        });
    },
  };
}

function byPlace({ finding: a }: LocatedFinding, { finding: b }: LocatedFinding): number {
  return a.line - b.line || a.column - b.column;
}

/** The key that a sentence is about: `` `path` ``, or `` `endpoints[0]` `` for an item of a list. */
function subject(path: ValuePath): string {
  if (path.length === 0) return 'the file';
  let start = path.length - 1;
  while (start > 0 && typeof path[start] === 'number') start -= 1;
  return start === path.length - 1 ? `\`${path[start]}\`` : `\`${formatPath(path.slice(start))}\``;
}

/** The value as it stands in the file, when it is short, shown by its reference if it came from outside, and no secret. */
function quote(tree: SourceTree, path: ValuePath): string {
  const written = entryAt(tree, path)?.written;
  const value = written === undefined ? valueAt(tree.root, path) : written.text;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return '';
  const text = String(value);
  if (text === '' || text.length > maxQuoted || /[\x00-\x1f\x7f-\x9f`]/.test(text)) return '';
  // Credentials in a URL.
  if (/\/\/[^/]*@/.test(text)) return '';
  if (path.some((step) => typeof step === 'string' && /token|secret|password|authorization|cookie|key$/i.test(step)))
    return '';
  return ` \`${text}\``;
}

/** Hides what was put into a value, also where only a part of the value is quoted. */
function hideParts(message: string, { value, secrets }: Substituted): string {
  const parts = message.replace(/`([^`]+)`/g, (whole, part: string) => (value.includes(part) ? '(hidden)' : whole));
  return hide(parts, secrets);
}

function hide(message: string, secrets: readonly string[]): string {
  let result = message;
  for (const secret of secrets) result = result.split(secret).join('(hidden)');
  return result;
}
