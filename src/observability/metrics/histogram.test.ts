/** Values fall into their buckets, and cells stay apart. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HistogramLayout } from './histogram.ts';

describe('a histogram', () => {
  it('counts a value in the first bucket whose limit it does not pass, and shows buckets summed up', () => {
    const layout = new HistogramLayout([0.001, 0.01], 1000);
    const cell = layout.createCell();
    for (const value of [0.5, 1, 1.001, 10, 11, 5000]) cell.observe(value);
    expect(layout.render('d', 'a="b"', cell)).toBe(
      'd_bucket{a="b",le="0.001"} 2\n' +
        'd_bucket{a="b",le="0.01"} 4\n' +
        'd_bucket{a="b",le="+Inf"} 6\n' +
        'd_sum{a="b"} 5.023501\n' +
        'd_count{a="b"} 6\n',
    );
  });

  it('writes no braces but those of le when there are no labels', () => {
    const layout = new HistogramLayout([1]);
    expect(layout.render('d', '', layout.createCell())).toBe(
      'd_bucket{le="1"} 0\nd_bucket{le="+Inf"} 0\nd_sum 0\nd_count 0\n',
    );
  });

  it('takes what is no duration for zero, so that one bad value cannot spoil the sum', () => {
    const cell = new HistogramLayout([1]).createCell();
    for (const value of [-1, Number.NaN, -0, -Infinity]) cell.observe(value);
    expect([cell.sum, cell.count, cell.bucket(0)]).toEqual([0, 4, 4]);
  });

  it('keeps cells apart, over the borders of its pages', () => {
    const layout = new HistogramLayout([1, 2, 3]);
    const cells = Array.from({ length: 100 }, () => layout.createCell());
    cells.forEach((cell, index) => {
      for (let i = 0; i < index; i++) cell.observe(i % 5);
    });
    cells.forEach((cell, index) => {
      expect(cell.count).toBe(index);
    });
    expect(cells[99].sum).toBe(19 * 10 + 0 + 1 + 2 + 3);
  });

  it('agrees with counting one by one', () => {
    const bounds = [1, 5, 25];
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 })), (values) => {
        const cell = new HistogramLayout(bounds).createCell();
        for (const value of values) cell.observe(value);
        const expected = [...bounds, Infinity].map(
          (bound, i, all) => values.filter((value) => value <= bound && (i === 0 || value > all[i - 1])).length,
        );
        expect(expected.map((_, i) => cell.bucket(i))).toEqual(expected);
        expect(cell.count).toBe(values.length);
        expect(cell.sum).toBe(values.reduce((a, b) => a + b, 0));
      }),
    );
  });

  it('refuses limits that do not ascend', () => {
    expect(() => new HistogramLayout([1, 1])).toThrow(TypeError);
    expect(() => new HistogramLayout([1, Number.NaN])).toThrow(TypeError);
  });
});
