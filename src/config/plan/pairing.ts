/** Which listener, service or route of one configuration is which of the other: by name, and by all else when the name is new. */
import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig, RouteConfig } from '../model.ts';

export interface Named {
  readonly name: string;
}

export interface Pairing<T extends Named> {
  /** Those that are in both; of different names when one was renamed. */
  readonly pairs: readonly (readonly [before: T, after: T])[];
  readonly added: readonly T[];
  readonly removed: readonly T[];
}

/** Pairs by name; what is left is paired where it is equal but for its name, each once. */
export function pairUp<T extends Named>(before: readonly T[], after: readonly T[]): Pairing<T> {
  const byName = new Map(before.map((item) => [item.name, item]));
  const known = new Set(after.map(({ name }) => name));
  // Candidates by a text that equal ones share; whether they are equal is then looked at.
  const left = new Map<string, T[]>();
  for (const item of before) {
    if (known.has(item.name)) continue;
    const key = textOf(item);
    const group = left.get(key);
    if (group === undefined) left.set(key, [item]);
    else group.push(item);
  }
  const pairs: (readonly [T, T])[] = [];
  const added: T[] = [];
  const renamed = new Set<T>();
  for (const item of after) {
    const same = byName.get(item.name) ?? takeEqual(left.get(textOf(item)), item);
    if (same === undefined) added.push(item);
    else {
      pairs.push([same, item]);
      renamed.add(same);
    }
  }
  return { pairs, added, removed: before.filter((item) => !renamed.has(item)) };
}

function takeEqual<T extends Named>(candidates: T[] | undefined, item: T): T | undefined {
  const place = candidates?.findIndex((candidate) => isDeepStrictEqual({ ...candidate, name: item.name }, item)) ?? -1;
  return place < 0 ? undefined : candidates?.splice(place, 1)[0];
}

/** All but the name, with keys in one order. */
function textOf(item: Named): string {
  return JSON.stringify({ ...item, name: '' }, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/**
 * The routes of two configurations. A service that only has another name makes no other route: the routes before are given
 * with the new names of their services.
 */
export function pairRoutes(before: GatewayConfig, after: GatewayConfig): Pairing<RouteConfig> {
  const renamed = new Map(pairUp(before.services, after.services).pairs.map(([one, other]) => [one.name, other.name]));
  const routes = before.routes.map((route) => {
    const service = route.service === undefined ? undefined : renamed.get(route.service);
    return service === undefined || service === route.service ? route : { ...route, service };
  });
  return pairUp(routes, after.routes);
}
