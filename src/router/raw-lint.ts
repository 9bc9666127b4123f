/** Finds routes of relayed connections that can never win, and pairs that only the file's order decides. */
import { atOnce } from '../base/slices.ts';
import type { RouteConfig } from '../config/model.ts';
import { type RawEntry, rawEntriesOf } from './raw-router.ts';
import type { RouteFault } from './route-fault.ts';

/** What is found about the entries of one route. */
interface Verdict {
  readonly route: string;
  /** Under one of its names at least. */
  reachable: boolean;
  rival: string;
  twin: string;
}

/** Looks only at names that cover one another: not at each with each. */
export function lintRawRoutes(routes: readonly RouteConfig[]): RouteFault[] {
  const verdicts = new Map<number, Verdict>();
  /** Entries that go before the one at hand, by name. */
  const before = new Map<string, RawEntry[]>();
  for (const entry of atOnce(rawEntriesOf(routes))) {
    const verdict = verdicts.get(entry.index) ?? { route: entry.route, reachable: false, rival: '', twin: '' };
    verdicts.set(entry.index, verdict);
    const rival = coveringNames(entry)
      .flatMap((name) => before.get(name) ?? [])
      .find((other) => other.index !== entry.index && coversListeners(other, entry));
    if (rival === undefined) verdict.reachable = true;
    else verdict.rival ||= rival.route;
    const own = keyOf(entry);
    const same = before.get(own) ?? [];
    verdict.twin ||= same.find((other) => other.index !== entry.index && isTied(other, entry))?.route ?? '';
    before.set(own, [...same, entry]);
  }
  return [...verdicts.values()].flatMap(faultOf);
}

function faultOf({ route, reachable, rival, twin }: Verdict): RouteFault[] {
  if (!reachable) {
    const message = `route "${route}" can never be reached: "${rival}" goes before it and takes all its connections`;
    return [{ route, code: 'unreachable_route', message, other: rival }];
  }
  if (twin === '') return [];
  const message = `routes "${twin}" and "${route}" can match the same connection and only their order decides`;
  return [{ route, code: 'ambiguous_routes', message, other: twin }];
}

function keyOf({ name: { name, wildcard } }: RawEntry): string {
  return wildcard ? `*.${name}` : name;
}

/** Its own name, the wildcards over it, and none at all. */
function coveringNames(entry: RawEntry): string[] {
  const { name } = entry.name;
  const names = [keyOf(entry)];
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) names.push(`*.${name.slice(dot + 1)}`);
  if (name !== '') names.push('*.');
  return names;
}

function coversListeners({ listeners: wide }: RawEntry, { listeners: narrow }: RawEntry): boolean {
  if (wide === null) return true;
  return narrow?.every((name) => wide.includes(name)) ?? false;
}

function isTied(other: RawEntry, entry: RawEntry): boolean {
  if (other.priority !== entry.priority) return false;
  if (other.listeners === null || entry.listeners === null) return other.listeners === entry.listeners;
  return other.listeners.some((name) => entry.listeners?.includes(name));
}
