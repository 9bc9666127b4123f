/** A burst passes, and then a rate. */
import { describe, expect, test } from 'vitest';
import { LeakyBucket } from './leaky-bucket.ts';

/** The pours, counted from 1, that overflow. */
function overflows(capacity: number, rate: number, times: readonly number[]): number[] {
  const bucket = new LeakyBucket(capacity, rate, 0);
  return times.flatMap((time, i) => (bucket.pour(time) ? [i + 1] : []));
}

describe('a bucket', () => {
  test.each<[string, number[], number[]]>([
    ['takes its capacity at once', [0, 0, 0], []],
    ['overflows by one more', [0, 0, 0, 0], [4]],
    ['empties with time', [0, 0, 0, 500, 1000, 1500], []],
    ['empties no faster than its rate', [0, 0, 0, 250, 499], [4, 5]],
    ['is never emptier than empty', [60_000, 60_000, 60_000, 60_000], [4]],
  ])('%s', (_, times, expected) => {
    expect(overflows(3, 2, times)).toEqual(expected);
  });
});
