/** Finds routes that can never win and pairs that only the file's order decides. */
import type { RouteConfig } from '../config/model.ts';
import { compareRank, compileEntries, type Entry } from './compiled-route.ts';
import { PATH_KIND } from './path-matcher.ts';

export interface RouteFault {
  route: string;
  code: 'unreachable_route' | 'ambiguous_routes';
  message: string;
  /** The route that takes its requests. */
  other: string;
}

/** Checks within groups of routes of one path and host, and against the wider prefixes: not each with each. */
export function lintRoutes(routes: readonly RouteConfig[]): RouteFault[] {
  const faults: RouteFault[] = [];
  const groups = new Map<string, Entry[]>();
  const covers: Entry[] = [];
  for (const entry of compileEntries(routes)) {
    const cover = covers.find((wide) => wide.index !== entry.index && isCoveredBy(entry, wide));
    const key = `${entry.host.wildcard}\n${entry.host.name}\n${pathKey(entry)}`;
    const group = groups.get(key);
    const rival = cover ?? group?.find((other) => other.index !== entry.index && takesAll(other, entry));
    if (rival !== undefined) {
      const message = `route "${entry.name}" can never be reached: "${rival.name}" goes before it and takes all its requests`;
      faults.push({ route: entry.name, code: 'unreachable_route', message, other: rival.name });
    } else {
      const twin = group?.find((other) => other.index !== entry.index && isTied(other, entry));
      if (twin !== undefined) {
        const message = `routes "${twin.name}" and "${entry.name}" can match the same request and only their order decides`;
        faults.push({ route: entry.name, code: 'ambiguous_routes', message, other: twin.name });
      }
    }
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
    // Only what asks nothing but a host and a prefix can swallow routes of other paths.
    if (entry.predicates.length === 0 && isWide(entry)) covers.push(entry);
  }
  return faults.filter((fault, i) => faults.findIndex((f) => f.route === fault.route) === i);
}

function pathKey({ path }: Entry): string {
  if (path.kind === PATH_KIND.exact || path.kind === PATH_KIND.regex) return `${path.kind} ${path.text}`;
  const shape = path.segments.map(({ literal }) => (literal === null ? '{}' : literal)).join('/');
  return `${path.kind} ${shape} ${path.rest === null ? '' : '*'}`;
}

function isWide({ path, priority }: Entry): boolean {
  return priority > 0 && (path.kind === PATH_KIND.prefix || path.kind === PATH_KIND.none);
}

function isCoveredBy(entry: Entry, wide: Entry): boolean {
  if (!coversHost(wide, entry) || !coversMethods(wide, entry)) return false;
  if (wide.path.kind === PATH_KIND.none || wide.path.segments.length === 0) return true;
  const prefix = wide.path.text.replace(/\/+$/, '');
  if (entry.path.kind === PATH_KIND.exact)
    return entry.path.text === prefix || entry.path.text.startsWith(`${prefix}/`);
  const wanted = wide.path.segments;
  return (
    entry.path.kind !== PATH_KIND.none &&
    entry.path.kind !== PATH_KIND.regex &&
    wanted.every(({ literal }, i) => entry.path.segments[i]?.literal === literal)
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
  return methods?.every((method) => wide.methods?.includes(method)) ?? false;
}

/** `other`, which goes before, takes every request of `entry`: its conditions are all among those of `entry`. */
function takesAll(other: Entry, entry: Entry): boolean {
  if (!coversMethods(other, entry)) return false;
  const reasons = new Set(entry.predicates.map(({ reason }) => reason));
  return other.predicates.every(({ reason }) => reasons.has(reason));
}

function isTied(other: Entry, entry: Entry): boolean {
  if (compareRank(other, entry) !== 0) return false;
  const { methods } = entry;
  if (other.methods === null || methods === null) return true;
  return other.methods.some((method) => methods.includes(method));
}
