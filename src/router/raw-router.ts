/** Chooses the route of a relayed connection: by the name that SNI asks for, and by its listener. */
import { atOnce, type Steps } from '../base/slices.ts';
import type { RouteConfig } from '../config/model.ts';
import { isRawRoute } from '../config/raw-route.ts';
import { byRouteOf } from './by-route.ts';
import { compileHosts, type HostMatcher, matchesHost } from './host-matcher.ts';
import type { Candidate } from './router.ts';

/** A route under one of its names. */
export interface RawEntry {
  readonly index: number;
  readonly route: string;
  readonly priority: number;
  readonly name: HostMatcher;
  readonly listeners: readonly string[] | null;
  /** Place in the order: lower wins. */
  rank: number;
}

/** Entries of one name, in the order of precedence. */
type Entries = RawEntry[];

export class RawRouter {
  private readonly exact = new Map<string, Entries>();
  /** By what stands after `*.`. */
  private readonly wildcards = new Map<string, Entries>();
  private readonly everyName: Entries = [];
  private readonly entries: readonly RawEntry[];

  /** `entries` in the order of precedence. To be filled before it is asked. */
  constructor(entries: readonly RawEntry[]) {
    this.entries = entries;
  }

  *fill(): Steps<void> {
    for (const entry of this.entries) {
      yield;
      const { name, wildcard } = entry.name;
      if (name === '') this.everyName.push(entry);
      else addTo(wildcard ? this.wildcards : this.exact, name, entry);
    }
  }

  /**
   * The place in the config of the route that takes the connection; -1 when none does. `serverName` is in lower case, `''`
   * where the client named none.
   */
  match(listener: string, serverName: string): number {
    let best = firstFor(this.everyName, listener);
    if (serverName !== '') {
      best = better(best, firstFor(this.exact.get(serverName), listener));
      for (let dot = serverName.indexOf('.', 1); dot > 0; dot = serverName.indexOf('.', dot + 1)) {
        best = better(best, firstFor(this.wildcards.get(serverName.slice(dot + 1)), listener));
      }
    }
    return best === null ? -1 : best.index;
  }

  /** Places in the config, in the order of precedence. */
  table(): readonly number[] {
    return [...new Set(this.entries.map(({ index }) => index))];
  }

  /** Every route that takes connections in the order of precedence, with what kept it from this one; in steps. */
  *explain(listener: string, serverName: string): Steps<Candidate[]> {
    const winner = this.match(listener, serverName);
    // In the order of each route's best entry.
    const byRoute = yield* byRouteOf(this.entries);
    const chosen = byRoute.get(winner)?.[0].route;
    const candidates: Candidate[] = [];
    for (const all of byRoute.values()) {
      yield;
      const [{ index, route }] = all;
      const matched = index === winner;
      const lost = faultOf(all, listener, serverName) ?? `outranked by ${chosen}`;
      candidates.push({ route, matched, reason: matched ? 'chosen' : lost });
    }
    return candidates;
  }
}

/** Compiles the routes that take connections; `routes` may hold others, which are left out. */
export function createRawRouter(routes: readonly RouteConfig[]): RawRouter {
  return atOnce(rawRouterOf(routes));
}

/** `createRawRouter`, in steps. */
export function* rawRouterOf(routes: readonly RouteConfig[]): Steps<RawRouter> {
  const router = new RawRouter(yield* rawEntriesOf(routes));
  yield* router.fill();
  return router;
}

/** The entries of all routes that take connections, in the order of precedence, `rank` being the place; in steps. */
export function* rawEntriesOf(routes: readonly RouteConfig[]): Steps<RawEntry[]> {
  const entries: RawEntry[] = [];
  for (const [index, route] of routes.entries()) {
    yield;
    if (!isRawRoute(route) || route.quarantined?.matched === false) continue;
    const listeners = route.match.listeners ?? null;
    for (const name of compileHosts(route.match.sni)) {
      entries.push({ index, route: route.name, priority: route.priority, name, listeners, rank: 0 });
    }
  }
  yield;
  // At once: ten thousand take some milliseconds.
  entries.sort(compare);
  for (let rank = 0; rank < entries.length; rank++) entries[rank].rank = rank;
  return entries;
}

/** Why a route, given by all its entries, does not take the connection; null where it would. */
function faultOf(entries: Entries, listener: string, serverName: string): string | null {
  const [{ listeners }] = entries;
  if (listeners !== null && !listeners.includes(listener)) return `listener is not ${listeners.join(' or ')}`;
  if (entries.some(({ name }) => name.name === '' || matchesHost(name, serverName))) return null;
  const names = entries.map(({ name: { name, wildcard } }) => (wildcard ? `*.${name}` : name));
  return `server name is not ${names.join(' or ')}`;
}

function compare(a: RawEntry, b: RawEntry): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  const nameA = nameClass(a.name);
  const nameB = nameClass(b.name);
  if (nameA !== nameB) return nameB > nameA ? 1 : -1;
  if ((a.listeners === null) !== (b.listeners === null)) return a.listeners === null ? 1 : -1;
  return a.index - b.index;
}

function nameClass({ name, wildcard }: HostMatcher): number {
  return wildcard ? name.length : Number.POSITIVE_INFINITY;
}

function addTo(map: Map<string, Entries>, name: string, entry: RawEntry): void {
  const known = map.get(name);
  if (known === undefined) map.set(name, [entry]);
  else known.push(entry);
}

function firstFor(entries: Entries | undefined, listener: string): RawEntry | null {
  if (entries === undefined) return null;
  for (const entry of entries) if (entry.listeners === null || entry.listeners.includes(listener)) return entry;
  return null;
}

function better(a: RawEntry | null, b: RawEntry | null): RawEntry | null {
  if (a === null || b === null) return a ?? b;
  return a.rank < b.rank ? a : b;
}
