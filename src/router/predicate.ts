/** What a route asks of a request beside its own host and path: methods, headers, query, cookies, and nests of all. */
import { parsePattern } from '../base/pattern.ts';
import type { MatchConfig, ValueMatch } from '../config/model.ts';
import { cookieValues, queryValues } from '../http/request-values.ts';
import { compileHosts, type HostMatcher, matchesHost } from './host-matcher.ts';
import { compilePath, matchesPath, PATH_KIND, type PathMatcher } from './path-matcher.ts';
import type { RouteQuery } from './route-query.ts';

/** One condition. `reason` says, for people, what a request that fails it lacks; conditions of one reason are one. */
export interface Predicate {
  readonly reason: string;
  /** For a condition about one value: whose it is, and what it must be. */
  readonly value?: { readonly of: string; readonly wanted: ValueMatch };
  test(query: RouteQuery): boolean;
}

/** True when a route with these methods serves the method: GET serves HEAD (RFC 9110 section 9.3.2). */
export function servesMethod(methods: readonly string[] | null, method: string): boolean {
  if (methods === null || methods.includes(method)) return true;
  return method === 'HEAD' && methods.includes('GET');
}

/** True when no request can meet both; false where that is not plain. */
export function areExclusive({ value: a }: Predicate, { value: b }: Predicate): boolean {
  if (a === undefined || b === undefined || a.of !== b.of) return false;
  if (isAbsence(a.wanted) || isAbsence(b.wanted)) return isAbsence(a.wanted) !== isAbsence(b.wanted);
  // Parameters and cookies may be repeated with several values; several lines of a header are one.
  if (!a.of.startsWith('header ')) return false;
  return typeof a.wanted === 'string' && typeof b.wanted === 'string' && a.wanted !== b.wanted;
}

function isAbsence(wanted: ValueMatch): boolean {
  return typeof wanted !== 'string' && 'present' in wanted && !wanted.present;
}

/** The conditions of a map, without its own host, path and methods when `outer` says that the index sees to these. */
export function compilePredicates(match: MatchConfig, outer: boolean): Predicate[] {
  const list: Predicate[] = [];
  if (!outer) {
    if (match.hosts !== undefined) list.push(hostPredicate(compileHosts(match.hosts), match.hosts));
    const path = compilePath(match);
    if (path.kind !== PATH_KIND.none) list.push(pathPredicate(path));
    if (match.methods !== undefined) list.push(methodPredicate(match.methods));
  }
  for (const [name, wanted] of Object.entries(match.headers ?? {})) list.push(headerPredicate(name, wanted));
  for (const [name, wanted] of Object.entries(match.query ?? {})) list.push(queryPredicate(name, wanted));
  for (const [name, wanted] of Object.entries(match.cookies ?? {})) list.push(cookiePredicate(name, wanted));
  if (match.any !== undefined) list.push(anyPredicate(match.any));
  if (match.all !== undefined) list.push(allPredicate(match.all));
  if (match.not !== undefined) list.push(notPredicate(match.not));
  return list;
}

function hostPredicate(hosts: readonly HostMatcher[], names: readonly string[]): Predicate {
  return {
    reason: `host is not ${names.join(' or ')}`,
    test: (query) => hosts.some((host) => matchesHost(host, query.host)),
  };
}

function pathPredicate(path: PathMatcher): Predicate {
  return { reason: `path does not match ${path.text}`, test: (query) => matchesPath(path, query.path) };
}

function methodPredicate(methods: readonly string[]): Predicate {
  return { reason: `method is not ${methods.join(' or ')}`, test: (query) => servesMethod(methods, query.method) };
}

type ValueTest = (value: string | undefined) => boolean;

function compileValue(wanted: ValueMatch): { test: ValueTest; text: string } {
  if (typeof wanted === 'string') return { test: (value) => value === wanted, text: `is not "${wanted}"` };
  if ('regex' in wanted) {
    const pattern = parsePattern(wanted.regex);
    return { test: (value) => value !== undefined && pattern.test(value), text: `does not match ${wanted.regex}` };
  }
  const { present } = wanted;
  return { test: (value) => (value !== undefined) === present, text: present ? 'is missing' : 'is present' };
}

function headerPredicate(name: string, wanted: ValueMatch): Predicate {
  const { test, text } = compileValue(wanted);
  const lowerName = name.toLowerCase();
  return {
    reason: `header ${name} ${text}`,
    value: { of: `header ${lowerName}`, wanted },
    test: (query) => test(query.header(lowerName)),
  };
}

/** A repeated parameter fits when one of its values does; `present: false` when there is none. */
function queryPredicate(name: string, wanted: ValueMatch): Predicate {
  const { test, text } = compileValue(wanted);
  return {
    reason: `query parameter ${name} ${text}`,
    value: { of: `query ${name}`, wanted },
    test: (query) => fitsAny(queryValues(query.query, name), test),
  };
}

function cookiePredicate(name: string, wanted: ValueMatch): Predicate {
  const { test, text } = compileValue(wanted);
  return {
    reason: `cookie ${name} ${text}`,
    value: { of: `cookie ${name}`, wanted },
    test: (query) => fitsAny(cookieValues(query.header('cookie') ?? '', name), test),
  };
}

function fitsAny(values: readonly string[], test: ValueTest): boolean {
  return values.length === 0 ? test(undefined) : values.some(test);
}

function everyOf(predicates: readonly Predicate[], query: RouteQuery): boolean {
  for (const predicate of predicates) if (!predicate.test(query)) return false;
  return true;
}

function anyPredicate(maps: readonly MatchConfig[]): Predicate {
  const alternatives = maps.map((map) => compilePredicates(map, false));
  const reason = `none of: ${alternatives.map((list) => list.map((p) => p.reason).join(' and ')).join('; ')}`;
  return { reason, test: (query) => alternatives.some((list) => everyOf(list, query)) };
}

function allPredicate(maps: readonly MatchConfig[]): Predicate {
  const list = maps.flatMap((map) => compilePredicates(map, false));
  return { reason: `not all hold of: ${list.map((p) => p.reason).join('; ')}`, test: (query) => everyOf(list, query) };
}

function notPredicate(map: MatchConfig): Predicate {
  const list = compilePredicates(map, false);
  const reason = `what \`not\` excludes is there; it is not where ${list.map((p) => p.reason).join(' or ')}`;
  return { reason, test: (query) => !everyOf(list, query) };
}
