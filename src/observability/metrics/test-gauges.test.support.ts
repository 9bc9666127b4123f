/** Gateway metrics over fixed gauges, for the tests of this room. */
import type { EventLoopLag } from '../event-loop-lag.ts';
import { createGatewayMetrics, type GatewayGauges, type GatewayMetrics } from './gateway-metrics.ts';

const FIXED_GAUGES: GatewayGauges = {
  activeRequests: () => 2,
  configGeneration: () => 7,
  endpoints: () => [
    { service: 'users', endpoint: 'http://127.0.0.1:9002', healthy: false },
    { service: 'users', endpoint: 'http://127.0.0.1:9001', healthy: true },
  ],
  connections: () => [
    { service: 'users', state: 'idle', count: 3 },
    { service: 'users', state: 'active', count: 1 },
  ],
  webSockets: () => [{ route: 'chat', count: 2 }],
  droppedLogLines: () => 0,
  quarantinedRoutes: () => 0,
  certificates: () => [
    { listener: 'secure', service: '', name: 'a.example', seconds: 86_400 },
    { listener: 'secure', service: '', name: 'a.example', seconds: 172_800 },
    { listener: '', service: 'users', name: 'gateway "1"', seconds: -5 },
  ],
};

const lag: EventLoopLag = { worst: () => 1.5, close: () => {} };

export function createTestMetrics(gauges: Partial<GatewayGauges> = {}): GatewayMetrics {
  return createGatewayMetrics({ gauges: { ...FIXED_GAUGES, ...gauges }, version: '1.2.3', lag, wall: Date.now });
}

/** The lines of a page that begin with `prefix`, in their order. */
export function linesOf(page: string, prefix: string): string[] {
  return page.split('\n').filter((line) => line.startsWith(prefix));
}
