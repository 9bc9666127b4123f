/** Finds routes that can never win and pairs that only the file's order decides. */
import type { RouteConfig } from '../config/model.ts';
import { compareRank, compileEntries, type Entry } from './compiled-route.ts';
import { PATH_KIND } from './path-matcher.ts';
import { areExclusive, servesMethod } from './predicate.ts';
import { lintRawRoutes } from './raw-lint.ts';
import type { RouteFault } from './route-fault.ts';

/** What is found about the entries of one route. */
interface Verdict {
  readonly entry: Entry;
  /** Under one of its hosts at least. */
  reachable: boolean;
  rival: Entry | undefined;
  twin: Entry | undefined;
}

/** Checks within groups of routes of one path and host, and against the wider prefixes: not each with each. */
export function lintRoutes(routes: readonly RouteConfig[]): RouteFault[] {
  const verdicts = new Map<number, Verdict>();
  const groups = new Map<string, Entry[]>();
  const covers: Entry[] = [];
  const entries = compileEntries(routes);
  const lowest = entries.at(-1)?.priority ?? 0;
  for (const entry of entries) {
    const verdict = verdicts.get(entry.index) ?? { entry, reachable: false, rival: undefined, twin: undefined };
    verdicts.set(entry.index, verdict);
    const key = `${entry.host.wildcard}\n${entry.host.name}\n${pathKey(entry)}`;
    const group = groups.get(key);
    const cover = covers.find((wide) => wide.index !== entry.index && isCoveredBy(entry, wide));
    const rival = cover ?? group?.find((other) => other.index !== entry.index && takesAll(other, entry));
    verdict.rival ??= rival;
    if (rival === undefined) verdict.reachable = true;
    verdict.twin ??= group?.find((other) => other.index !== entry.index && isTied(other, entry));
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
    // Only what asks nothing but a host and a prefix can swallow routes of other paths.
    if (entry.predicates.length === 0 && isWide(entry, lowest)) covers.push(entry);
  }
  return [...[...verdicts.values()].flatMap(faultOf), ...lintRawRoutes(routes)];
}

function faultOf({ entry: { name }, reachable, rival, twin }: Verdict): RouteFault[] {
  if (!reachable && rival !== undefined) {
    const message = `route "${name}" can never be reached: "${rival.name}" goes before it and takes all its requests`;
    return [{ route: name, code: 'unreachable_route', message, other: rival.name }];
  }
  if (twin === undefined) return [];
  const message = `routes "${twin.name}" and "${name}" can match the same request and only their order decides`;
  return [{ route: name, code: 'ambiguous_routes', message, other: twin.name }];
}

function pathKey({ path }: Entry): string {
  if (path.kind === PATH_KIND.exact || path.kind === PATH_KIND.regex) return `${path.kind} ${path.text}`;
  const shape = path.segments.map(({ literal }) => (literal === null ? '{}' : literal)).join('/');
  return `${path.kind} ${shape} ${path.rest === null ? '' : '*'}`;
}

/** True for a prefix that may go before routes of other paths: by its priority, or as everything before patterns. */
function isWide({ path, priority }: Entry, lowest: number): boolean {
  if (path.kind !== PATH_KIND.prefix && path.kind !== PATH_KIND.none) return false;
  return priority > lowest || path.segments.length === 0;
}

function isCoveredBy(entry: Entry, wide: Entry): boolean {
  if (!coversHost(wide, entry) || !coversMethods(wide, entry)) return false;
  if (wide.path.kind === PATH_KIND.none) return true;
  const wanted = wide.path.segments;
  // Without a path there is `OPTIONS *` beside all that begins with a slash.
  if (entry.path.kind === PATH_KIND.none) return false;
  if (wanted.length === 0) return true;
  if (entry.path.kind === PATH_KIND.exact) {
    const prefix = wanted.map(({ literal }) => `/${literal}`).join('');
    return entry.path.text === prefix || entry.path.text.startsWith(`${prefix}/`);
  }
  return (
    entry.path.kind !== PATH_KIND.regex && wanted.every(({ literal }, i) => entry.path.segments[i]?.literal === literal)
  );
}

function coversHost(wide: Entry, entry: Entry): boolean {
  if (wide.host.name === '') return true;
  if (!wide.host.wildcard) return !entry.host.wildcard && entry.host.name === wide.host.name;
  return entry.host.name.endsWith(`.${wide.host.name}`) || (entry.host.wildcard && entry.host.name === wide.host.name);
}

function coversMethods(wide: Entry, entry: Entry): boolean {
  if (wide.methods === null) return true;
  const methods = entry.methods;
  return methods?.every((method) => servesMethod(wide.methods, method)) ?? false;
}

/** `other`, which goes before, takes every request of `entry`: its conditions are all among those of `entry`. */
function takesAll(other: Entry, entry: Entry): boolean {
  if (!coversMethods(other, entry)) return false;
  const reasons = new Set(entry.predicates.map(({ reason }) => reason));
  return other.predicates.every(({ reason }) => reasons.has(reason));
}

function isTied(other: Entry, entry: Entry): boolean {
  if (compareRank(other, entry) !== 0) return false;
  if (other.predicates.some((one) => entry.predicates.some((two) => areExclusive(one, two)))) return false;
  const { methods } = entry;
  if (other.methods === null || methods === null) return true;
  return other.methods.some((method) => methods.includes(method));
}
