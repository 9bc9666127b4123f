/** One route as the router holds it, and the total order between routes. */
import { atOnce, type Steps } from '../base/slices.ts';
import type { MatchConfig, RouteConfig } from '../config/model.ts';
import { isRawRoute } from '../config/raw-route.ts';
import { compileHosts, type HostMatcher } from './host-matcher.ts';
import { compilePath, PATH_KIND, type PathMatcher } from './path-matcher.ts';
import { compilePredicates, type Predicate } from './predicate.ts';

/** A route under one of its hosts: a route with three hosts has three entries, each with a place of its own. */
export interface Entry {
  readonly index: number;
  readonly name: string;
  readonly priority: number;
  readonly host: HostMatcher;
  readonly path: PathMatcher;
  readonly methods: readonly string[] | null;
  /** Without host, path and methods. */
  readonly predicates: readonly Predicate[];
  /** True when a place in the index and a method are all that it asks. */
  readonly plain: boolean;
  /** `predicates`, and `methods` as one more. */
  readonly weight: number;
  /** Place in the order: lower wins. */
  rank: number;
  /** The next one at the same place of the index. */
  next: Entry | null;
}

/**
 * The entries of all routes, in the order of precedence, `rank` being the place. A quarantined route whose match is broken
 * has none, and neither has one that takes connections rather than requests.
 */
export function compileEntries(routes: readonly RouteConfig[]): Entry[] {
  return atOnce(entriesOf(routes));
}

/** `compileEntries`, in steps. */
export function* entriesOf(routes: readonly RouteConfig[]): Steps<Entry[]> {
  const entries: Entry[] = [];
  for (const [index, route] of routes.entries()) {
    yield;
    const { match } = route;
    if (route.quarantined?.matched === false || isRawRoute(route)) continue;
    const path = effectivePath(match);
    const predicates = compilePredicates(match, true);
    const methods = match.methods ?? null;
    const weight = predicates.length + (methods === null ? 0 : 1);
    for (const host of compileHosts(match.hosts)) {
      entries.push({
        index,
        name: route.name,
        priority: route.priority,
        host,
        path,
        methods,
        predicates,
        plain: predicates.length === 0 && path.kind !== PATH_KIND.regex,
        weight,
        rank: 0,
        next: null,
      });
    }
  }
  yield;
  // At once: ten thousand take some milliseconds.
  entries.sort(compareEntries);
  for (let rank = 0; rank < entries.length; rank++) entries[rank].rank = rank;
  return entries;
}

/**
 * The path by which a route is ranked and found: its own, or the only one among the maps of `all`. A path under `any` or
 * `not` is a condition like others, and a route that has no other ranks as one without a path.
 */
export function effectivePath(match: MatchConfig): PathMatcher {
  const own = compilePath(match);
  if (own.kind !== PATH_KIND.none) return own;
  const nested = (match.all ?? []).map(effectivePath).filter(({ kind }) => kind !== PATH_KIND.none);
  return nested.length === 1 ? nested[0] : own;
}

function hostClass(host: HostMatcher): number {
  if (!host.wildcard) return Number.POSITIVE_INFINITY;
  return host.name.length;
}

/** Negative when `a` goes before `b`; everything but the file's order. */
export function compareRank(a: Entry, b: Entry): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  const hostA = hostClass(a.host);
  const hostB = hostClass(b.host);
  if (hostA !== hostB) return hostB > hostA ? 1 : -1;
  if (a.path.kind !== b.path.kind) return b.path.kind - a.path.kind;
  if (a.path.literals !== b.path.literals) return b.path.literals - a.path.literals;
  if ((a.path.rest === null) !== (b.path.rest === null)) return a.path.rest === null ? -1 : 1;
  if (a.path.length !== b.path.length) return b.path.length - a.path.length;
  return b.weight - a.weight;
}

function compareEntries(a: Entry, b: Entry): number {
  return compareRank(a, b) || a.index - b.index;
}
