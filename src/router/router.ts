/** Chooses the route of a request, in time that grows with its path and not with the number of routes. */
import { atOnce, type Steps } from '../base/slices.ts';
import type { RouteConfig } from '../config/model.ts';
import { byRouteOf } from './by-route.ts';
import { type Entry, entriesOf } from './compiled-route.ts';
import { matchesHost } from './host-matcher.ts';
import { PathIndex, type PathNode } from './path-index.ts';
import { matchesPath, PATH_KIND, paramsOf } from './path-matcher.ts';
import { servesMethod } from './predicate.ts';
import type { RouteQuery } from './route-query.ts';
import { hasEdge } from './segment-table.ts';

/** The account of one route for one request. */
export interface Candidate {
  route: string;
  matched: boolean;
  reason: string;
}

const NONE = Number.POSITIVE_INFINITY;

export class Router {
  private readonly entries: readonly Entry[];
  private readonly exactHosts = new Map<string, PathIndex>();
  /** By what stands after `*.`. */
  private readonly wildcardHosts = new Map<string, PathIndex>();
  private readonly everyHost = new PathIndex();
  /** By the route's place in the config. */
  private readonly byRoute: Entry[] = [];
  // The search under way: fields instead of arguments and closures, since a search never waits.
  private best: Entry | null = null;
  private bestRank = NONE;
  private query: RouteQuery | null = null;
  private allowedMethods: Set<string> | null = null;

  /** `entries` in the order of precedence. To be filled before it is asked. */
  constructor(entries: readonly Entry[]) {
    this.entries = entries;
  }

  *fill(): Steps<void> {
    for (const entry of this.entries) {
      yield;
      this.indexFor(entry).add(entry);
      this.byRoute[entry.index] ??= entry;
    }
    for (const index of [...this.exactHosts.values(), ...this.wildcardHosts.values(), this.everyHost])
      yield* index.seal();
  }

  private indexFor({ host }: Entry): PathIndex {
    if (host.name === '') return this.everyHost;
    const map = host.wildcard ? this.wildcardHosts : this.exactHosts;
    let index = map.get(host.name);
    if (index === undefined) {
      index = new PathIndex();
      map.set(host.name, index);
    }
    return index;
  }

  /** The place in the config of the route that serves the request; -1 when none does. */
  match(query: RouteQuery): number {
    this.best = null;
    this.bestRank = NONE;
    this.query = query;
    this.search(query);
    this.query = null;
    return this.best === null ? -1 : (this.best as Entry).index;
  }

  /** The methods under which the request would be served, sorted, for `Allow`; none when it is not a matter of method. */
  allowed(query: RouteQuery): string[] {
    const methods = new Set<string>();
    this.allowedMethods = methods;
    this.query = query;
    this.search(query);
    this.query = null;
    this.allowedMethods = null;
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  }

  private search(query: RouteQuery): void {
    const { host, path } = query;
    if (this.exactHosts.size > 0) {
      const index = this.exactHosts.get(host);
      if (index !== undefined) this.descend(index.root, path, 0);
    }
    if (this.wildcardHosts.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const index = dot === 0 ? undefined : this.wildcardHosts.get(host.slice(dot + 1));
        if (index !== undefined) this.descend(index.root, path, 0);
      }
    }
    this.descend(this.everyHost.root, path, 0);
  }

  /** `at` is where the path goes on after the segments of `node`: at a slash or at its end. */
  private descend(node: PathNode, path: string, at: number): void {
    if (node.covers !== null) this.consider(node.covers);
    if (at >= path.length) {
      if (node.ends !== null) this.consider(node.ends);
      return;
    }
    const { only, table, parameter } = node;
    if (path.charCodeAt(at) !== 47) return;
    if (only !== null) {
      if (hasEdge(path, at, only.edge)) this.descend(only, path, at + only.edge.length);
    } else if (table !== null) {
      const child = table.find(path, at);
      if (child !== null) this.descend(child, path, at + child.edge.length);
    }
    if (parameter === null) return;
    let next = path.indexOf('/', at + 1);
    if (next < 0) next = path.length;
    if (next > at + 1) this.descend(parameter, path, next);
  }

  private consider(first: Entry): void {
    const query = this.query as RouteQuery;
    for (let entry: Entry | null = first; entry !== null; entry = entry.next) {
      if (this.allowedMethods !== null) {
        if (entry.methods !== null && fits(entry, query))
          for (const method of entry.methods) this.allowedMethods.add(method);
        continue;
      }
      if (entry.rank >= this.bestRank) return;
      if (entry.methods !== null && !servesMethod(entry.methods, query.method)) continue;
      if ((!entry.plain || query.path.charCodeAt(0) !== 47) && !fits(entry, query)) continue;
      this.best = entry;
      this.bestRank = entry.rank;
      return;
    }
  }

  /** Parameters of a route's template, as they stand in the path; null when the route has no template. */
  params(index: number, path: string): Record<string, string> | null {
    return paramsOf(this.byRoute[index].path, path);
  }

  /** Every route in the order of precedence, with the first condition that failed; in steps, since each is looked at. */
  *explain(query: RouteQuery): Steps<Candidate[]> {
    const winner = this.match(query);
    // In the order of each route's best entry.
    const byRoute = yield* byRouteOf(this.entries);
    const candidates: Candidate[] = [];
    for (const all of byRoute.values()) {
      yield;
      const [entry] = all;
      const fault = all.every(({ host }) => !matchesHost(host, query.host)) ? hostFault(all) : faultOf(entry, query);
      const matched = entry.index === winner;
      const lost = fault ?? `outranked by ${this.byRoute[winner]?.name}`;
      candidates.push({ route: entry.name, matched, reason: matched ? 'chosen' : lost });
    }
    return candidates;
  }

  /** Places in the config, in the order of precedence. */
  table(): number[] {
    return [...new Set(this.entries.map(({ index }) => index))];
  }
}

/** What the tree does not decide: patterns, which it only finds by their beginning, and the conditions beside the path. */
function fits(entry: Entry, query: RouteQuery): boolean {
  const { kind } = entry.path;
  if (kind === PATH_KIND.regex && !matchesPath(entry.path, query.path)) return false;
  // The asterisk of OPTIONS is under no path, not even under the root.
  if (kind >= PATH_KIND.prefix && query.path.charCodeAt(0) !== 47) return false;
  const { predicates } = entry;
  for (let i = 0; i < predicates.length; i++) if (!predicates[i].test(query)) return false;
  return true;
}

function hostFault(entries: readonly Entry[]): string {
  return `host is not ${entries.map(({ host }) => (host.wildcard ? `*.${host.name}` : host.name)).join(' or ')}`;
}

function faultOf(entry: Entry, query: RouteQuery): string | null {
  if (!matchesPath(entry.path, query.path)) {
    const kinds = ['', 'does not match', 'is not under', 'does not match', 'is not'];
    return `path ${kinds[entry.path.kind]} ${entry.path.text}`;
  }
  if (!servesMethod(entry.methods, query.method)) return `method is not ${(entry.methods ?? []).join(' or ')}`;
  for (const predicate of entry.predicates) if (!predicate.test(query)) return predicate.reason;
  return null;
}

/** Compiles the routes. Throws PatternError for a pattern that config was to refuse. */
export function createRouter(routes: readonly RouteConfig[]): Router {
  return atOnce(routerOf(routes));
}

/** `createRouter`, in steps. */
export function* routerOf(routes: readonly RouteConfig[]): Steps<Router> {
  const router = new Router(yield* entriesOf(routes));
  yield* router.fill();
  return router;
}
