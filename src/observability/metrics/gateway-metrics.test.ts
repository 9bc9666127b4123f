/** The page of metrics: what is counted, under which labels, over reloads, and whether Prometheus takes it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../base/errors.ts';
import { DURATION_BOUNDS } from './gateway-metrics.ts';
import { createTestMetrics, linesOf } from './test-gauges.test.support.ts';

describe('the metrics of the gateway', () => {
  it('shows requests and their durations by route, service, method and status', () => {
    const metrics = createTestMetrics();
    metrics.routeMetrics('user-by-id', 'users').record('GET', 200, 1.5, 1.2);
    metrics.routeMetrics('user-by-id', 'users').record('GET', 200, 0.05, -1);
    metrics.unrouted.record('BREW', 404, 0.2, -1);
    const page = metrics.render();
    expect(linesOf(page, 'http_requests_total')).toEqual([
      'http_requests_total{route="none",service="",method="other",status="404"} 1',
      'http_requests_total{route="user-by-id",service="users",method="GET",status="200"} 2',
    ]);
    const labels = 'route="user-by-id",service="users",method="GET",status="200"';
    expect(page).toContain(`http_request_duration_seconds_bucket{${labels},le="0.0001"} 1\n`);
    expect(page).toContain(`http_request_duration_seconds_bucket{${labels},le="0.001"} 1\n`);
    expect(page).toContain(`http_request_duration_seconds_bucket{${labels},le="0.0025"} 2\n`);
    expect(page).toContain(`http_request_duration_seconds_sum{${labels}} 0.00155\n`);
    expect(linesOf(page, 'portico_upstream_request_duration_seconds_count')).toEqual([
      'portico_upstream_request_duration_seconds_count{route="user-by-id",service="users"} 1',
    ]);
  });

  it('tells how requests fared, together and by route', () => {
    const metrics = createTestMetrics();
    metrics.routeMetrics('idle', 'users');
    for (let i = 0; i < 3; i++) metrics.routeMetrics('busy', 'users').record('GET', 200, 1.5, 1.2);
    metrics.routeMetrics('busy', 'users').record('POST', 503, 1.5, -1);
    metrics.unrouted.record('GET', 404, 0.2, -1);
    const { total, routes } = metrics.stats();
    expect(total).toMatchObject({ requests: 5, failed: 1, successRate: 80 });
    expect(routes).toEqual([
      {
        route: 'busy',
        service: 'users',
        requests: 4,
        failed: 1,
        successRate: 75,
        durations: { mean: 1.5, p50: 1.75, p90: expect.closeTo(2.35), p99: expect.closeTo(2.485) },
      },
      expect.objectContaining({ route: 'none', requests: 1, failed: 0 }),
    ]);
  });

  it('shows the live numbers', () => {
    const page = createTestMetrics().render();
    expect(linesOf(page, 'http_active_requests')).toEqual(['http_active_requests 2']);
    expect(linesOf(page, 'portico_config_generation')).toEqual(['portico_config_generation 7']);
    expect(linesOf(page, 'portico_endpoint_healthy')).toEqual([
      'portico_endpoint_healthy{service="users",endpoint="http://127.0.0.1:9001"} 1',
      'portico_endpoint_healthy{service="users",endpoint="http://127.0.0.1:9002"} 0',
    ]);
    expect(linesOf(page, 'portico_upstream_connections')).toEqual([
      'portico_upstream_connections{service="users",state="active"} 1',
      'portico_upstream_connections{service="users",state="idle"} 3',
    ]);
    expect(linesOf(page, 'nodejs_eventloop_lag_seconds')).toEqual(['nodejs_eventloop_lag_seconds 0.0015']);
    expect(linesOf(page, 'portico_build_info')).toEqual([
      `portico_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
    ]);
  });

  it('tells what the process costs in the units of the names', () => {
    const page = createTestMetrics().render();
    const value = (name: string): number => Number(linesOf(page, `${name} `)[0].split(' ')[1]);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10 * 1024 * 1024);
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0.01);
    expect(value('process_cpu_seconds_total')).toBeLessThan(1000);
    expect(Math.abs(value('process_start_time_seconds') - (Date.now() / 1000 - process.uptime()))).toBeLessThan(1);
  });

  it('shows every error code from the start, and counts one that does not exist as internal', () => {
    const metrics = createTestMetrics();
    expect(linesOf(metrics.render(), 'http_errors_total')).toHaveLength(Object.keys(ERRORS).length);
    metrics.errors.count('route_not_found');
    metrics.errors.count('route_not_found');
    metrics.errors.count('constructor' as 'route_not_found');
    const counted = linesOf(metrics.render(), 'http_errors_total').filter((line) => !line.endsWith(' 0'));
    expect(counted).toEqual([
      'http_errors_total{error_type="internal_error"} 1',
      'http_errors_total{error_type="route_not_found"} 2',
    ]);
  });

  it('counts reloads by result', () => {
    const metrics = createTestMetrics();
    metrics.reloads.count('failure');
    expect(linesOf(metrics.render(), 'portico_config_reloads_total')).toEqual([
      'portico_config_reloads_total{result="failure"} 1',
      'portico_config_reloads_total{result="success"} 0',
    ]);
  });

  it('keeps the counts of a route over reloads, and forgets a route that is gone', () => {
    const metrics = createTestMetrics();
    const kept = metrics.routeMetrics('kept', 's');
    kept.record('GET', 200, 1, -1);
    metrics.routeMetrics('gone', 's').record('GET', 200, 1, -1);
    metrics.unrouted.record('GET', 404, 1, -1);
    metrics.retainRoutes(({ route }) => route === 'kept');
    expect(metrics.routeMetrics('kept', 's')).toBe(kept);
    expect(metrics.routeMetrics('kept', 'other')).not.toBe(kept);
    const lines = linesOf(metrics.render(), 'http_requests_total').map((line) => /route="([^"]*)"/.exec(line)?.[1]);
    expect(lines).toEqual(['kept', 'none']);
  });

  it('tells routes apart whose names and services run together', () => {
    const metrics = createTestMetrics();
    expect(metrics.routeMetrics('a', 'bc')).not.toBe(metrics.routeMetrics('ab', 'c'));
    expect(metrics.routeMetrics('a","b', 'c')).not.toBe(metrics.routeMetrics('a', 'b","c'));
  });

  it('makes the same page of the same counts, and of the pieces', () => {
    const page = (): string => {
      const metrics = createTestMetrics();
      for (const route of ['b', 'a']) metrics.routeMetrics(route, 's').record('GET', 200, 1, 1);
      expect([...metrics.pieces()].join('').length).toBeGreaterThan(1000);
      return metrics.render().replace(/^process_.*$/gm, '');
    };
    expect(page()).toBe(page());
  });
});

describe('promtool', () => {
  const promtool = spawnSync('promtool', ['--version']).error === undefined;
  it.skipIf(!promtool && process.env.REQUIRE_SERVICES !== '1')(
    'accepts the page without remarks (needs promtool)',
    () => {
      const metrics = createTestMetrics({
        connections: () => [{ service: 'a"b\\c\nd', state: 'idle', count: 1 }],
      });
      const route = metrics.routeMetrics('hostile "name"\\\n{}', 'ü');
      for (const status of [200, 301, 404, 500, 999]) route.record('GET', status, status / 10, 1);
      route.record('BREW', 200, 40_000, 39_000);
      for (const page of [metrics.render(), createTestMetrics().render()]) {
        const result = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
        expect({ status: result.status, said: result.stdout + result.stderr }).toEqual({ status: 0, said: '' });
      }
    },
  );
});

describe('docs/reference/metrics.md', () => {
  const text = readFileSync(new URL('../../../docs/reference/metrics.md', import.meta.url), 'utf8');

  it('lists every metric with type, labels and meaning, and nothing else', () => {
    const rows = [...text.matchAll(/^\| `([^`]+)` \| (\w+) \|([^|]*)\| (.*) \|$/gm)];
    const documented = rows.map(([, name, type, labels, help]) => {
      return { name, type, help, labels: [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1]) };
    });
    const defined = createTestMetrics()
      .definitions()
      .map(({ name, type, help, labels }) => ({ name, type, help, labels: [...labels] }));
    expect(documented).toEqual(defined);
    expect(text.match(/^\|/gm)).toHaveLength(defined.length + 2);
  });

  it('tells the limits of the buckets', () => {
    expect(text).toContain(`\n${[...DURATION_BOUNDS, '+Inf'].join(', ')}.\n`);
  });
});
