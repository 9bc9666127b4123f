/** Requests are counted under few methods and statuses, whatever clients send. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HistogramLayout } from './histogram.ts';
import { RouteMetrics } from './route-metrics.ts';

function create(): RouteMetrics {
  return new RouteMetrics('r', 's', new HistogramLayout([0.001, 1], 1000));
}

function counts(metrics: RouteMetrics): Record<string, number> {
  return Object.fromEntries(metrics.sorted().map(({ labels, durations }) => [labels, durations.count]));
}

const label = (method: string, status: number | string): string =>
  `route="r",service="s",method="${method}",status="${status}"`;

describe('the metrics of a route', () => {
  it('counts by method and status, the same pair in a row and by turns', () => {
    const metrics = create();
    for (const status of [200, 200, 404, 200, 404]) metrics.record('GET', status, 1, -1);
    metrics.record('POST', 200, 1, -1);
    expect(counts(metrics)).toEqual({ [label('GET', 200)]: 3, [label('GET', 404)]: 2, [label('POST', 200)]: 1 });
  });

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])('knows %s', (method) => {
    const metrics = create();
    metrics.record(method, 200, 1, -1);
    expect(counts(metrics)).toEqual({ [label(method, 200)]: 1 });
  });

  it('counts every other method as other, those of JavaScript itself among them', () => {
    const metrics = create();
    for (const method of ['get', 'PURGE', 'other', '', '__proto__', 'constructor', 'X"Y'])
      metrics.record(method, 200, 1, -1);
    expect(counts(metrics)).toEqual({ [label('other', 200)]: 7 });
  });

  it('counts a status that is none as other', () => {
    const metrics = create();
    for (const status of [0, 99, 600, 999, 200.5, Number.NaN, -1]) metrics.record('GET', status, 1, -1);
    expect(counts(metrics)).toEqual({ [label('GET', 'other')]: 7 });
    metrics.record('GET', 100, 1, -1);
    metrics.record('GET', 599, 1, -1);
    expect(Object.keys(counts(metrics))).toHaveLength(3);
  });

  it('counts calls of gRPC by status, one without a status as UNKNOWN, and hands them to another process', () => {
    const [worker, leader] = [create(), create()];
    for (const status of [0, 0, 14, 16, -1]) worker.recordGrpc(status);
    const samples = (metrics: RouteMetrics) => Object.fromEntries(metrics.grpcSamples());
    const grpc = (status: number): string => `route="r",service="s",grpc_status="${status}"`;
    const expected = { [grpc(0)]: 2, [grpc(2)]: 1, [grpc(14)]: 1, [grpc(16)]: 1 };
    expect(samples(worker)).toEqual(expected);
    leader.recordGrpc(0);
    leader.addDelta(worker.takeDelta()!);
    expect(samples(leader)).toEqual({ ...expected, [grpc(0)]: 3 });
    expect(worker.takeDelta()).toBeNull();
  });

  it('stays bounded whatever an upstream answers, and loses no request', () => {
    const metrics = create();
    let sent = 0;
    for (const method of ['GET', 'POST', 'PURGE']) {
      for (let status = 0; status < 1000; status++, sent++) metrics.record(method, status, 1, -1);
    }
    const all = counts(metrics);
    expect(Object.keys(all).length).toBeLessThanOrEqual(256 + 10);
    expect(Object.values(all).reduce((a, b) => a + b)).toBe(sent);
  });

  it('measures the upstream only when one was asked', () => {
    const metrics = create();
    metrics.record('GET', 200, 5, -1);
    expect(metrics.upstream).toBeNull();
    metrics.record('GET', 200, 5, 0);
    metrics.record('GET', 502, 5, 4);
    expect([metrics.upstream?.count, metrics.upstream?.sum]).toEqual([2, 4]);
  });

  it('agrees with counting one by one', () => {
    const request = fc.tuple(fc.constantFrom('GET', 'POST', 'HEAD', 'BREW'), fc.constantFrom(200, 204, 404, 500, 700));
    fc.assert(
      fc.property(fc.array(request), (requests) => {
        const metrics = create();
        const expected: Record<string, number> = {};
        for (const [method, status] of requests) {
          metrics.record(method, status, 1, -1);
          const key = label(method === 'BREW' ? 'other' : method, status === 700 ? 'other' : status);
          expected[key] = (expected[key] ?? 0) + 1;
        }
        expect(counts(metrics)).toEqual(expected);
      }),
    );
  });
});
