/** Routes that only the file's order ranks, and whose order is now the other way round. */
import { isDeepStrictEqual } from 'node:util';
import type { RouteConfig } from '../config/model.ts';
import { type Change, createChange } from '../config/plan/change.ts';
import { compileEntries, type Entry } from './compiled-route.ts';
import { PATH_KIND } from './path-matcher.ts';
import { areExclusive } from './predicate.ts';

/** The changes of order between routes that were paired and ask the same as before. */
export function planOrder(
  pairs: readonly (readonly [RouteConfig, RouteConfig])[],
  before: readonly RouteConfig[],
  after: readonly RouteConfig[],
): Change[] {
  const placeBefore = new Map(before.map(({ name }, index) => [name, index]));
  const placeAfter = new Map(after.map(({ name }, index) => [name, index]));
  const same: Placed[] = pairs
    .filter(([one, other]) => one.priority === other.priority && isDeepStrictEqual(one.match, other.match))
    .map(([one, other]) => ({ route: other, was: placeBefore.get(one.name) ?? 0, is: placeAfter.get(other.name) ?? 0 }))
    .sort((a, b) => a.is - b.is);
  // Nothing stands in another order: no route needs to be compared with another.
  if (same.every(({ was }, index) => index === 0 || same[index - 1].was < was)) return [];
  const entries = compileEntries(same.map(({ route }) => route));
  const overtaken = new Map<string, Set<string>>();
  for (const group of groupsOf(entries)) {
    group.forEach((first, index) => {
      for (const second of group.slice(index + 1)) {
        if (same[first.index].was < same[second.index].was || !mayShare(first, second)) continue;
        const names = overtaken.get(first.name) ?? new Set();
        overtaken.set(first.name, names.add(second.name));
      }
    });
  }
  return [...overtaken].map(([route, names]) => {
    const quoted = [...names].map((name) => `"${name}"`).join(', ');
    const message = `route "${route}" now goes before ${quoted}: only the file's order ranks them`;
    const involved = same.filter(({ route: { name } }) => name === route || names.has(name));
    const values = { after: involved.map(({ route: { name } }) => name), before: namesAsTheyWere(involved) };
    return createChange('route_order_changed', ['routes', route], { message, ...values });
  });
}

/** A route that is in both configurations, with its places in the two. */
interface Placed {
  readonly route: RouteConfig;
  readonly was: number;
  readonly is: number;
}

function namesAsTheyWere(routes: readonly Placed[]): string[] {
  return [...routes].sort((a, b) => a.was - b.was).map(({ route }) => route.name);
}

/** Entries that rank alike and may take the same request, as far as their hosts and the form of their paths tell. */
function groupsOf(entries: readonly Entry[]): Entry[][] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { priority, host, path, weight } = entry;
    const isFixed = path.kind === PATH_KIND.exact || path.kind === PATH_KIND.prefix;
    const fixed = path.kind === PATH_KIND.exact ? path.text : path.segments.map(({ literal }) => literal).join('/');
    const rank = [
      priority,
      host.wildcard,
      host.name,
      path.kind,
      path.literals,
      path.rest === null,
      path.length,
      weight,
    ];
    const key = JSON.stringify([rank, isFixed ? fixed : '']);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

/** False where no request can be of both. */
function mayShare(a: Entry, b: Entry): boolean {
  if (a.index === b.index) return false;
  if (a.methods !== null && b.methods !== null && !servesCommon(a.methods, b.methods)) return false;
  if (a.predicates.some((one) => b.predicates.some((two) => areExclusive(one, two)))) return false;
  if (a.path.kind !== PATH_KIND.template) return true;
  if (a.path.rest === null && a.path.segments.length !== b.path.segments.length) return false;
  return a.path.segments.every(({ literal }, index) => {
    const other = b.path.segments[index]?.literal ?? null;
    return literal === null || other === null || literal === other;
  });
}

function servesCommon(a: readonly string[], b: readonly string[]): boolean {
  const withHead = (methods: readonly string[]): readonly string[] =>
    methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  return withHead(a).some((method) => withHead(b).includes(method));
}
