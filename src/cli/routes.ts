/** `portico routes`: the table of routes in the order in which they are considered. */
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import type { RouteConfig } from '../config/model.ts';
import { isRawMatch, isRawRoute } from '../config/raw-route.ts';
import { effectivePath } from '../router/compiled-route.ts';
import { PATH_KIND } from '../router/path-matcher.ts';
import { createRawRouter } from '../router/raw-router.ts';
import { createRouter } from '../router/router.ts';
import { type Command, parseCommandArgs } from './command.ts';
import { CONFIG_OPTION, configFile, readConfig } from './config-file.ts';
import { table } from './table.ts';

export const routesCommand: Command = {
  name: 'routes',
  summary: 'Prints the routes in the order of precedence.',
  details:
    'Routes of relayed connections stand after those of requests, with the method TCP and names by SNI as hosts. Quarantined ones have their reason as the target; those whose match is broken stand last.',
  usage: '-c FILE [--json]',
  options: [CONFIG_OPTION, { name: 'json', help: 'the table as one JSON object' }],
  async run(args, io) {
    const parsed = parseCommandArgs(routesCommand, args);
    const { config, findings } = await readConfig(configFile(parsed, io), io);
    if (config === null) throw new OperatorError(`the file has errors\n${textOfFindings(findings)}`);
    const ordered = [...createRouter(config.routes).table(), ...createRawRouter(config.routes).table()].map(
      (index) => config.routes[index],
    );
    const unmatched = config.routes.filter(({ quarantined }) => quarantined?.matched === false);
    const rows = [...ordered, ...unmatched].map((route) => ({
      route: route.name,
      priority: route.priority,
      methods: isRawRoute(route) ? ['TCP'] : (route.match.methods ?? []),
      hosts: route.match.sni ?? route.match.hosts ?? [],
      ...(isRawRoute(route) ? { listeners: route.match.listeners ?? [] } : {}),
      path: pathOf(route),
      target: targetOf(route),
      state: route.quarantined === undefined ? 'active' : 'quarantined',
      ...(route.quarantined === undefined ? {} : { reason: route.quarantined.reason }),
    }));
    if (parsed.flag('json')) io.out(`${JSON.stringify({ routes: rows })}\n`);
    else io.out(tableOf(rows));
    return 0;
  },
};

/** The path by which the router finds the route, which may stand in a map of `all`. */
function pathOf({ match, quarantined }: RouteConfig): string {
  if (quarantined?.matched === false) return '(none)';
  if (isRawMatch(match)) return match.listeners === undefined ? '-' : `on ${match.listeners.join(',')}`;
  const { kind, text } = effectivePath(match);
  if (kind === PATH_KIND.none) return '-';
  if (kind === PATH_KIND.prefix) return `${text.replace(/\/+$/, '')}/*`;
  return kind === PATH_KIND.regex ? `~ ${text}` : text;
}

function targetOf({ service, respond, quarantined }: RouteConfig): string {
  if (quarantined !== undefined) return '503 route_quarantined';
  return service ?? `respond ${respond?.status}`;
}

type Row = {
  route: string;
  priority: number;
  methods: string[];
  hosts: string[];
  path: string;
  target: string;
  reason?: string;
};

function tableOf(rows: readonly Row[]): string {
  return table([
    ['ROUTE', 'PRIORITY', 'METHODS', 'HOSTS', 'PATH', 'TARGET'],
    ...rows.map((row) => [
      row.route,
      String(row.priority),
      row.methods.join(',') || '*',
      row.hosts.join(',') || '*',
      row.path,
      row.reason === undefined ? row.target : `${row.target}: ${row.reason}`,
    ]),
  ]);
}
