/** What is counted of connections whose bytes are only relayed. */
import type { Counted, CountedFamilies } from './counted-families.ts';
import type { Cell, CellFamily } from './registry.ts';

/** How a relayed connection ended, or why it was not relayed. */
export type RelayResult =
  | 'completed'
  | 'no_hello'
  | 'no_route'
  | 'quarantined'
  | 'no_endpoint'
  | 'overloaded'
  | 'connect_failed'
  | 'client_reset'
  | 'upstream_reset'
  | 'idle'
  | 'cut';

/** Whether a result says that the gateway failed a connection that was not relayed; of others it says nothing of that. */
const VERDICTS: Readonly<Partial<Record<RelayResult, boolean>>> = {
  // As 4xx of requests: what the client asked for.
  no_hello: false,
  no_route: false,
  quarantined: true,
  no_endpoint: true,
  overloaded: true,
  connect_failed: true,
};

/**
 * True where the gateway failed a connection, false where it was the client's to ask better, undefined where the result is
 * of a connection that was relayed, or whose client left before that was known.
 */
export function failureOf(result: RelayResult): boolean | undefined {
  return VERDICTS[result];
}

/** Where the connections of one route are counted. */
export class RelayMetrics {
  /** Connections now. */
  readonly active: Cell;
  /** Connections for which an endpoint was reached. */
  readonly relayed: Cell;
  /** Bytes from clients, and to them. */
  readonly bytesIn: Cell;
  readonly bytesOut: Cell;
  private readonly route: string;
  private readonly service: string;
  private readonly ended: CellFamily;

  constructor(families: RelayFamilies, route: string, service: string) {
    this.route = route;
    this.service = service;
    this.ended = families.ended;
    this.active = families.active.cell(route, service);
    this.relayed = families.relayed.cell(route, service);
    this.bytesIn = families.bytes.cell(route, service, 'in');
    this.bytesOut = families.bytes.cell(route, service, 'out');
  }

  count(result: RelayResult): void {
    this.ended.cell(this.route, this.service, result).value++;
  }
}

export interface RelayFamilies {
  readonly ended: CellFamily;
  readonly active: CellFamily;
  readonly relayed: CellFamily;
  readonly bytes: CellFamily;
}

const ROUTE_LABELS: readonly string[] = ['route', 'service'];

const ENDED = 'portico_tcp_connections_total';
const RELAYED = 'portico_tcp_relayed_connections_total';

export function createRelayFamilies(counted: CountedFamilies): RelayFamilies {
  return {
    ended: counted.add({
      name: ENDED,
      type: 'counter',
      help: 'Relayed connections that are over, by how they ended or why there was nothing to relay.',
      labels: [...ROUTE_LABELS, 'result'],
    }),
    active: counted.add({
      name: 'portico_tcp_active_connections',
      type: 'gauge',
      help: 'Relayed connections that are open.',
      labels: ROUTE_LABELS,
    }),
    relayed: counted.add({
      name: RELAYED,
      type: 'counter',
      help: 'Connections for which an endpoint was reached, those that are open among them.',
      labels: ROUTE_LABELS,
    }),
    bytes: counted.add({
      name: 'portico_tcp_bytes_total',
      type: 'counter',
      help: 'Bytes of relayed connections, from clients (`in`) and to them (`out`).',
      labels: [...ROUTE_LABELS, 'direction'],
    }),
  };
}

/** Forgets the series of routes that `keeps` refuses. */
export function retainRelays(families: RelayFamilies, keeps: (route: string, service: string) => boolean): void {
  const keepsLabels = (labels: string): boolean => {
    // Names are of characters that labels need not escape.
    const names = /^route="([^"]*)",service="([^"]*)"/.exec(labels);
    return names === null || keeps(names[1], names[2]);
  };
  families.ended.retain(keepsLabels);
  families.active.retain(keepsLabels);
  families.relayed.retain(keepsLabels);
  families.bytes.retain(keepsLabels);
}

/** What became of the connections that a process told of: those of which it is known, and those that the gateway failed. */
export function relayOutcomesOf({ counters }: Pick<Counted, 'counters'>): { total: number; failed: number } {
  let total = 0;
  let failed = 0;
  for (const count of Object.values(counters[RELAYED] ?? {})) total += count;
  for (const [labels, count] of Object.entries(counters[ENDED] ?? {})) {
    const failure = failureOf(/result="([^"]*)"/.exec(labels)?.[1] as RelayResult);
    if (failure === undefined) continue;
    total += count;
    if (failure) failed += count;
  }
  return { total, failed };
}
