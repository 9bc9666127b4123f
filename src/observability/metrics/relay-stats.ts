/** How relayed connections fared, read from the series in which they are counted. */
import type { CellFamily } from './registry.ts';
import { failureOf, type RelayFamilies, type RelayResult } from './relay-metrics.ts';

export interface RelayTraffic {
  /** Open now. */
  active: number;
  /** Relayed, or refused: open ones among them, those whose client left before it was known are not. */
  connections: number;
  /** Those for which the gateway had no endpoint. */
  failed: number;
  /** Percent that did not fail, 0 to 100; 100 without connections. */
  successRate: number;
  /** Over, whatever became of them. */
  ended: number;
  /** From clients, and to them, so far. */
  bytesIn: number;
  bytesOut: number;
}

export interface RouteRelays extends RelayTraffic {
  readonly route: string;
  readonly service: string;
}

export interface RelayStats {
  readonly total: RelayTraffic;
  /** Those that had connections. */
  readonly routes: RouteRelays[];
}

/** All connections together, and those of each route that had any, by its name. */
export function relayStats({ active, relayed, ended, bytes }: RelayFamilies): RelayStats {
  const byRoute = new Map<string, RouteRelays>();
  addTo(byRoute, active, (traffic, count) => (traffic.active += count));
  addTo(byRoute, relayed, (traffic, count) => (traffic.connections += count));
  addTo(byRoute, ended, (traffic, count, result) => {
    traffic.ended += count;
    const failure = failureOf(result as RelayResult);
    if (failure === undefined) return;
    traffic.connections += count;
    if (failure) traffic.failed += count;
  });
  addTo(byRoute, bytes, (traffic, count, direction) => {
    if (direction === 'in') traffic.bytesIn += count;
    else traffic.bytesOut += count;
  });
  const total = noTraffic();
  const routes: RouteRelays[] = [];
  for (const [, one] of [...byRoute].sort(([a], [b]) => (a < b ? -1 : 1))) {
    // What outlives its route only ends.
    if (one.active === 0 && one.connections === 0) continue;
    one.successRate = rateOf(one);
    routes.push(one);
    for (const key of SUMS) total[key] += one[key];
  }
  total.successRate = rateOf(total);
  return { total, routes };
}

const SUMS = ['active', 'connections', 'failed', 'ended', 'bytesIn', 'bytesOut'] as const;

function noTraffic(): RelayTraffic {
  return { active: 0, connections: 0, failed: 0, successRate: 100, ended: 0, bytesIn: 0, bytesOut: 0 };
}

function rateOf({ connections, failed }: RelayTraffic): number {
  return connections === 0 ? 100 : (100 * (connections - failed)) / connections;
}

/** Names are of characters that labels need not escape. */
const LABELS = /^route="([^"]*)",service="([^"]*)"(?:,[a-z]+="([^"]*)")?$/;

/** `add` is told the value of the label beside route and service, or `''`. */
function addTo(
  byRoute: Map<string, RouteRelays>,
  family: CellFamily,
  add: (traffic: RouteRelays, count: number, label: string) => void,
): void {
  for (const [labels, { value }] of family.entries()) {
    const [, route, service, label = ''] = LABELS.exec(labels) ?? [];
    if (route === undefined || value === 0) continue;
    const key = `${route}\n${service}`;
    let traffic = byRoute.get(key);
    if (traffic === undefined) byRoute.set(key, (traffic = { route, service, ...noTraffic() }));
    add(traffic, value, label);
  }
}
