/** Many series added up, and quantiles of them. */
import { describe, expect, it } from 'vitest';
import { HistogramLayout } from './histogram.ts';
import { quantileOf, Traffic } from './traffic.ts';

describe('a quantile', () => {
  const bounds = Float64Array.of(10, 20, 40);

  it.each([
    [[10, 0, 0, 0], 0.5, 5],
    [[10, 0, 0, 0], 1, 10],
    [[0, 10, 0, 0], 0.5, 15],
    [[50, 40, 10, 0], 0.5, 10],
    [[50, 40, 10, 0], 0.9, 20],
    [[50, 40, 10, 0], 0.99, 38],
    [[0, 0, 0, 5], 0.5, 40],
    [[1, 0, 0, 99], 0.99, 40],
    [[0, 0, 4, 0], 0, 20],
  ])('of %j at %d is %d', (buckets, q, expected) => {
    expect(quantileOf(bounds, Float64Array.from(buckets), q)).toBeCloseTo(expected, 9);
  });

  it('of nothing is no number', () => {
    expect(quantileOf(bounds, new Float64Array(4), 0.5)).toBeNaN();
  });
});

describe('traffic', () => {
  it('adds up series, and tells failed ones apart', () => {
    const layout = new HistogramLayout([0.01, 0.02], 1000);
    const fine = layout.createCell();
    const failed = layout.createCell();
    for (let i = 0; i < 9; i++) fine.observe(4);
    failed.observe(14);
    const traffic = new Traffic(layout.bounds);
    traffic.add(fine, false);
    traffic.add(failed, true);
    expect(traffic.read()).toEqual({
      requests: 10,
      failed: 1,
      successRate: 90,
      durations: { mean: 5, p50: expect.closeTo(50 / 9), p90: 10, p99: expect.closeTo(19) },
    });
  });

  it('is a success and took no time when there was none', () => {
    expect(new Traffic(Float64Array.of(1)).read()).toEqual({
      requests: 0,
      failed: 0,
      successRate: 100,
      durations: null,
    });
  });
});
