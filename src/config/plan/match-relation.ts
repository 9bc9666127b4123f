/** Whether a route asks more or less of a request than before, key by key of `match`; where that is not plain, only that it differs. */
import { isDeepStrictEqual } from 'node:util';
import type { MatchConfig, ValueMatch } from '../model.ts';
import { isRawMatch } from '../raw-route.ts';

/** How what is asked after relates to what was asked before. `same` is another text for the same. */
export type MatchRelation = 'same' | 'wider' | 'narrower' | 'other';

/** One key of a match that differs. */
export interface MatchDifference {
  /** The key; none for a path that is asked for under another key. */
  readonly key: keyof MatchConfig | null;
  readonly relation: MatchRelation;
  readonly before: unknown;
  readonly after: unknown;
}

/** The keys that differ. */
export function matchDifferences(before: MatchConfig, after: MatchConfig): MatchDifference[] {
  const found: MatchDifference[] = [];
  const paths = pathDifference(before, after);
  if (paths !== null) found.push(paths);
  for (const [key, relate] of relations) {
    if (isDeepStrictEqual(before[key], after[key])) continue;
    found.push({ key, relation: relate(before, after), before: before[key], after: after[key] });
  }
  return found;
}

/** What the keys come to together: conditions must all hold. */
export function togetherOf(differences: readonly MatchDifference[]): MatchRelation {
  const kinds = new Set(differences.map(({ relation }) => relation));
  kinds.delete('same');
  if (kinds.size === 0) return 'same';
  return kinds.size === 1 ? [...kinds][0] : 'other';
}

const relations: readonly [keyof MatchConfig, (before: MatchConfig, after: MatchConfig) => MatchRelation][] = [
  [
    'listeners',
    (before, after) => rawRelation(before, after, coverRelation(before.listeners, after.listeners, coversNames)),
  ],
  ['sni', (before, after) => rawRelation(before, after, coverRelation(before.sni, after.sni, coversHosts))],
  ['hosts', (before, after) => coverRelation(before.hosts, after.hosts, coversHosts)],
  ['methods', (before, after) => coverRelation(before.methods, after.methods, coversMethods)],
  ['headers', (before, after) => coverRelation(lowered(before.headers), lowered(after.headers), coversValues)],
  ['query', (before, after) => coverRelation(before.query, after.query, coversValues)],
  ['cookies', (before, after) => coverRelation(before.cookies, after.cookies, coversValues)],
  ['any', (before, after) => coverRelation(before.any, after.any, coversAny)],
  ['all', (before, after) => coverRelation(before.all, after.all, coversAll)],
  ['not', (before, after) => coverRelation(before.not, after.not, coversNothing)],
];

/** What takes connections has nothing in common with what takes requests. */
function rawRelation(before: MatchConfig, after: MatchConfig, relation: MatchRelation): MatchRelation {
  return isRawMatch(before) === isRawMatch(after) ? relation : 'other';
}

/** `covers(a, b)` is true only where every request that meets `b` meets `a`. Nothing asked is met by all. */
function coverRelation<T>(
  before: T | undefined,
  after: T | undefined,
  covers: (wide: T, narrow: T) => boolean,
): MatchRelation {
  if (before === undefined || after === undefined) {
    if (before === after) return 'same';
    return after === undefined ? 'wider' : 'narrower';
  }
  const widens = covers(after, before);
  const narrows = covers(before, after);
  if (widens && narrows) return 'same';
  if (widens) return 'wider';
  return narrows ? 'narrower' : 'other';
}

function coversNames(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((name) => wide.includes(name));
}

function coversHosts(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((host) => wide.some((one) => coversHost(one, host)));
}

function coversHost(wide: string, host: string): boolean {
  if (wide === host) return true;
  // A wildcard stands for one or more labels, so it covers narrower wildcards too.
  return wide.startsWith('*.') && host.length > wide.length - 1 && host.endsWith(wide.slice(1));
}

function coversMethods(wide: readonly string[], narrow: readonly string[]): boolean {
  // GET serves HEAD.
  return narrow.every((method) => wide.includes(method) || (method === 'HEAD' && wide.includes('GET')));
}

function lowered(headers: Record<string, ValueMatch> | undefined): Record<string, ValueMatch> | undefined {
  if (headers === undefined) return undefined;
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function coversValues(wide: Record<string, ValueMatch>, narrow: Record<string, ValueMatch>): boolean {
  return Object.entries(wide).every(
    ([name, wanted]) => Object.hasOwn(narrow, name) && coversValue(wanted, narrow[name]),
  );
}

function coversValue(wide: ValueMatch, narrow: ValueMatch): boolean {
  if (isDeepStrictEqual(wide, narrow)) return true;
  if (typeof wide === 'string' || !('present' in wide) || !wide.present) return false;
  // Whatever the value must be, it must be there.
  return typeof narrow === 'string' || 'regex' in narrow || narrow.present;
}

function coversAny(wide: readonly MatchConfig[], narrow: readonly MatchConfig[]): boolean {
  return narrow.every((map) => wide.some((other) => isDeepStrictEqual(other, map)));
}

function coversAll(wide: readonly MatchConfig[], narrow: readonly MatchConfig[]): boolean {
  return coversAny(narrow, wide);
}

function coversNothing(): boolean {
  return false;
}

const pathKeys = ['path', 'pathPrefix', 'pathRegex'] as const;

function pathDifference(before: MatchConfig, after: MatchConfig): MatchDifference | null {
  const from = pathKeys.find((key) => before[key] !== undefined);
  const to = pathKeys.find((key) => after[key] !== undefined);
  if (from === to && (from === undefined || before[from] === after[from])) return null;
  const relation = coverRelation(
    from === undefined ? undefined : shapeOf(from, before[from] as string),
    to === undefined ? undefined : shapeOf(to, after[to] as string),
    coversPath,
  );
  if (from !== undefined && to !== undefined && from !== to) {
    return { key: null, relation, before: { [from]: before[from] }, after: { [to]: after[to] } };
  }
  const key = (from ?? to) as (typeof pathKeys)[number];
  return { key, relation, before: before[key], after: after[key] };
}

/** A path by its segments, null for one parameter; `open` when more may follow. Null where the text tells too little. */
type PathShape = { segments: readonly (string | null)[]; open: boolean } | null;

function shapeOf(key: (typeof pathKeys)[number], text: string): PathShape {
  // Patterns, and texts that are compared in another form than they are written in.
  if (key === 'pathRegex' || text.includes('%')) return null;
  if (key === 'pathPrefix') {
    const prefix = text.replace(/\/+$/, '');
    return { segments: prefix === '' ? [] : prefix.slice(1).split('/'), open: true };
  }
  const segments: (string | null)[] = [];
  for (const part of text.slice(1).split('/')) {
    if (part === '*' || (part.startsWith('{') && part.endsWith('*}'))) return { segments, open: true };
    segments.push(part.startsWith('{') ? null : part);
  }
  return { segments, open: false };
}

function coversPath(wide: PathShape, narrow: PathShape): boolean {
  if (wide === null || narrow === null) return false;
  if (wide.segments.length > narrow.segments.length) return false;
  if (!wide.open && (narrow.open || wide.segments.length !== narrow.segments.length)) return false;
  return wide.segments.every((literal, index) => {
    const other = narrow.segments[index];
    // A parameter is never empty.
    return literal === null ? other !== '' : literal === other;
  });
}
