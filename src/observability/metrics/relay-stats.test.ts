import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RelayResult, relayOutcomesOf } from './relay-metrics.ts';
import { createTestMetrics } from './test-gauges.test.support.ts';

const RESULTS: readonly RelayResult[] = [
  'completed',
  'no_hello',
  'no_route',
  'quarantined',
  'no_endpoint',
  'overloaded',
  'connect_failed',
  'client_reset',
  'upstream_reset',
  'idle',
  'cut',
];

const NOTHING = { active: 0, connections: 0, failed: 0, successRate: 100, ended: 0, bytesIn: 0, bytesOut: 0 };

describe('the numbers of relayed connections', () => {
  it('are those of each route that had any, and of all together', () => {
    const metrics = createTestMetrics();
    metrics.relayMetrics('idle', 'db');
    const busy = metrics.relayMetrics('busy', 'db');
    busy.active.value = 2;
    busy.relayed.value = 3;
    busy.bytesIn.value = 10;
    busy.bytesOut.value = 2000;
    busy.count('upstream_reset');
    busy.count('connect_failed');
    metrics.unroutedRelays.count('no_route');
    const one = { ...NOTHING, active: 2, connections: 4, failed: 1, successRate: 75, ended: 2 };
    expect(metrics.stats().relays).toEqual({
      total: { ...one, connections: 5, successRate: 80, ended: 3, bytesIn: 10, bytesOut: 2000 },
      routes: [
        { route: 'busy', service: 'db', ...one, bytesIn: 10, bytesOut: 2000 },
        { route: 'none', service: '', ...NOTHING, connections: 1, ended: 1 },
      ],
    });
  });

  it('are a success without any', () => {
    expect(createTestMetrics().stats().relays).toEqual({ total: NOTHING, routes: [] });
  });

  it('end with their route, also where a connection of it ends later', () => {
    const metrics = createTestMetrics();
    const gone = metrics.relayMetrics('gone', 'db');
    gone.relayed.value++;
    gone.active.value++;
    metrics.retainRoutes(() => false);
    gone.count('completed');
    gone.active.value--;
    expect(metrics.stats().relays).toEqual({ total: NOTHING, routes: [] });
  });

  it.each([
    ['completed', 0, 0],
    ['client_reset', 0, 0],
    ['upstream_reset', 0, 0],
    ['idle', 0, 0],
    ['cut', 0, 0],
    ['no_hello', 1, 0],
    ['no_route', 1, 0],
    ['quarantined', 1, 1],
    ['no_endpoint', 1, 1],
    ['overloaded', 1, 1],
    ['connect_failed', 1, 1],
  ] as const)(
    'of one that ended as %s are %d of which the outcome is its end, %d of them failed',
    (result, ...expected) => {
      const metrics = createTestMetrics();
      metrics.relayMetrics('r', 's').count(result);
      const { total, failed } = relayOutcomesOf(metrics.takeDelta().counted);
      expect([total, failed]).toEqual(expected);
    },
  );

  const event = fc.record({
    route: fc.constantFrom('a', 'b'),
    relayed: fc.boolean(),
    bytes: fc.nat(1000),
    result: fc.option(fc.constantFrom(...RESULTS), { nil: null }),
  });

  it('are the same whichever of several processes counted them, and so is what health is told', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), event), { maxLength: 40 }), (events) => {
        const alone = createTestMetrics();
        const workers = [createTestMetrics(), createTestMetrics(), createTestMetrics()];
        const leader = createTestMetrics();
        const outcomes = { total: 0, failed: 0 };
        for (const [worker, { route, relayed, bytes, result }] of events) {
          for (const metrics of [alone, workers[worker]]) {
            const one = metrics.relayMetrics(route, 's');
            if (relayed) one.relayed.value++;
            if (result === null) one.active.value++;
            else one.count(result);
            one.bytesIn.value += bytes;
          }
        }
        const deltas = workers.map((metrics) => metrics.takeDelta());
        for (const delta of deltas) {
          leader.addDelta(delta);
          const { total, failed } = relayOutcomesOf(delta.counted);
          outcomes.total += total;
          outcomes.failed += failed;
        }
        leader.showGauges(deltas.map(({ counted }) => counted.gauges));
        const { relays } = alone.stats();
        expect(leader.stats().relays).toEqual(relays);
        expect(relayOutcomesOf(alone.takeDelta().counted)).toEqual(outcomes);
        const { connections, failed } = relays.routes.reduce(
          (sum, one) => ({ connections: sum.connections + one.connections, failed: sum.failed + one.failed }),
          { connections: 0, failed: 0 },
        );
        expect({ total: connections, failed }).toEqual(outcomes);
      }),
      { numRuns: 100 },
    );
  });
});
