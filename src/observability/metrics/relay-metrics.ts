/** What is counted of connections whose bytes are only relayed. */
import type { CountedFamilies } from './counted-families.ts';
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

/** Where the connections of one route are counted. */
export class RelayMetrics {
  /** Connections now. */
  readonly active: Cell;
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
  readonly bytes: CellFamily;
}

const ROUTE_LABELS: readonly string[] = ['route', 'service'];

export function createRelayFamilies(counted: CountedFamilies): RelayFamilies {
  return {
    ended: counted.add({
      name: 'portico_tcp_connections_total',
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
  families.bytes.retain(keepsLabels);
}
