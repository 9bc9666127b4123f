/** Work in slices is the same work, and lets others in between. */
import { describe, expect, test } from 'vitest';
import { atOnce, inSlices, type Steps } from './slices.ts';

function* count(to: number, each: () => void = () => {}): Steps<number> {
  for (let i = 0; i < to; i++) {
    each();
    yield;
  }
  return to;
}

describe('work in slices', () => {
  test('comes to the same as work at once', async () => {
    expect(atOnce(count(1000))).toBe(1000);
    expect(await inSlices(count(1000))).toBe(1000);
  });

  test('lets others have their turn before it ends', async () => {
    let turns = 0;
    let over = false;
    const other = (): void => {
      turns += 1;
      if (!over) setImmediate(other);
    };
    setImmediate(other);
    // Each step takes longer than a slice, by the clock that the slices go by.
    const slow = (): void => {
      const end = performance.now() + 5;
      while (performance.now() < end);
    };
    await inSlices(count(5, slow));
    over = true;
    expect(turns).toBeGreaterThanOrEqual(4);
  });

  test('passes on what the work throws', async () => {
    const failing = (): Steps<number> =>
      count(3, () => {
        throw new Error('no');
      });
    expect(() => atOnce(failing())).toThrow('no');
    await expect(inSlices(failing())).rejects.toThrow('no');
  });
});
