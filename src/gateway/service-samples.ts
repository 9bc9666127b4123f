/** What metrics show of services: the health of their endpoints, and their connections by state. */

interface SampledService {
  readonly name: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly healthy: boolean;
    readonly pool: { readonly open: number; readonly idle: number };
  }[];
}

export function* endpointSamples(
  services: Iterable<SampledService>,
): Iterable<{ service: string; endpoint: string; healthy: boolean }> {
  for (const { name, endpoints } of services) {
    for (const { id, healthy } of endpoints) yield { service: name, endpoint: id, healthy };
  }
}

export function* connectionSamples(
  services: Iterable<SampledService>,
): Iterable<{ service: string; state: string; count: number }> {
  for (const { name, endpoints } of services) {
    let open = 0;
    let idle = 0;
    for (const { pool } of endpoints) {
      open += pool.open;
      idle += pool.idle;
    }
    yield { service: name, state: 'active', count: open - idle };
    yield { service: name, state: 'idle', count: idle };
  }
}
