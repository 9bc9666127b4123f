/** Routes that cannot be built, taken out of a file whose other parts may go live (`onInvalidRoute: quarantine`). */
import type { z } from 'zod';
import { didYouMean } from '../base/nearest.ts';
import { checkMatch } from './check-routes.ts';
import type { Finding } from './finding.ts';
import type { Findings, LocatedFinding } from './findings.ts';
import type { RouteConfig } from './model.ts';
import type { GatewaySchema } from './schema.ts';
import { formatPath, type ValuePath, valueAt } from './source-tree.ts';

/** One route of the file that was taken out. */
export interface QuarantinedRoute {
  /** Its own where that is sound, else its path, `routes[2]`, which no operator can write as a name. */
  name: string;
  /** Its place in the list of the file. */
  index: number;
  /** False where its match is broken: no request is known to be its own, and others may take what it was to take. */
  matched: boolean;
  /** Its errors, in the order of their places. */
  findings: Finding[];
}

/** What is left of a file, with `quarantined` on the routes that were taken out. */
export interface Quarantined {
  config: z.output<GatewaySchema> & { routes: RouteConfig[] };
  routes: QuarantinedRoute[];
}

/** A match that nothing meets: what reads a route without looking at `quarantined` does not give it everything. */
const nothing = { not: {} };

/**
 * Takes the routes with errors out of a file. Null where that is not wanted, or where an error concerns more than
 * routes. Faults of matches that are found on the way are added to `findings`.
 */
export function quarantineRoutes(root: unknown, schema: GatewaySchema, findings: Findings): Quarantined | null {
  if (valueAt(root, ['onInvalidRoute']) !== 'quarantine') return null;
  const broken = new Map<number, LocatedFinding[]>();
  for (const error of findings.errors()) {
    const [section, index] = error.path;
    if (section !== 'routes' || typeof index !== 'number') return null;
    const known = broken.get(index);
    if (known === undefined) broken.set(index, [error]);
    else known.push(error);
  }
  const written = valueAt(root, ['routes']) as unknown[];
  const standIns = written.map((route, index) => {
    const errors = broken.get(index);
    return errors === undefined ? route : standInOf(route, errors);
  });
  const parsed = schema.safeParse({ ...(root as object), routes: standIns });
  // Cannot happen: everything with an error was taken out.
  if (!parsed.success) return null;
  const config: Quarantined['config'] = parsed.data;
  const routes: QuarantinedRoute[] = [];
  for (const [index, errors] of [...broken].sort(([a], [b]) => a - b)) {
    const standIn = config.routes[index];
    const isSound = (key: string): boolean => isSoundPart(written[index], key, errors);
    const matched = isSound('match') && isSoundMatch(standIn.match, ['routes', index, 'match'], errors, findings);
    const name = isSound('name') ? standIn.name : formatPath(['routes', index]);
    const { match, priority, policies } = standIn;
    const quarantined = { reason: reasonOf(errors[0].finding), matched };
    config.routes[index] = { name, match: matched ? match : nothing, priority, policies, quarantined };
    routes.push({ name, index, matched, findings: errors.map(({ finding }) => finding) });
  }
  return { config, routes };
}

/** What of a broken route can be parsed: its name, match and priority, each where it is sound. */
function standInOf(route: unknown, errors: readonly LocatedFinding[]): object {
  const standIn: Record<string, unknown> = { name: 'broken', match: {}, respond: {} };
  for (const key of ['name', 'match', 'priority']) {
    if (isSoundPart(route, key, errors)) standIn[key] = valueAt(route, [key]);
  }
  return standIn;
}

/** True where the route has the key, and none of its errors lies there. */
function isSoundPart(route: unknown, key: string, errors: readonly LocatedFinding[]): boolean {
  return valueAt(route, [key]) !== undefined && !errors.some(({ path }) => path[2] === key);
}

/** Of a route that its other errors left nothing of, the checks across values have not seen the match. */
function isSoundMatch(
  match: RouteConfig['match'],
  path: ValuePath,
  errors: LocatedFinding[],
  findings: Findings,
): boolean {
  let sound = true;
  checkMatch(match, path, {
    report(report) {
      const located = findings.addReport(report);
      if (report.severity !== 'error') return;
      sound = false;
      errors.push(located);
    },
  });
  return sound;
}

/** The place and the text of a finding: what `/status` says of its route. */
function reasonOf({ file, line, column, code, message, suggestion }: Finding): string {
  return `${file}:${line}:${column}: ${code}: ${message}${didYouMean(suggestion)}`;
}
