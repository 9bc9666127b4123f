/** How streams ended: the latest are remembered, whatever numbers the client passes over. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENDED, FORGOTTEN, Http2Ledger, OPEN, RESET_BY_CLIENT, RESET_HERE, SKIPPED } from './http2-ledger.ts';

test('a stream is what was last said of it', () => {
  const ledger = new Http2Ledger();
  for (const id of [1, 3, 9]) ledger.open(id);
  ledger.end(1, ENDED);
  ledger.end(3, RESET_HERE);
  expect([1, 3, 5, 7, 9].map((id) => ledger.find(id))).toEqual([ENDED, RESET_HERE, SKIPPED, SKIPPED, OPEN]);
  expect(ledger.last).toBe(9);
});

test('is what a list of all streams would say, of those that it remembers', () => {
  const steps = fc.array(
    fc.record({
      skip: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3000 })),
      how: fc.constantFrom(OPEN, ENDED, RESET_BY_CLIENT, RESET_HERE),
      later: fc.integer({ min: 0, max: 20 }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const ledger = new Http2Ledger();
      const ends = new Map<number, number>();
      const opened: number[] = [];
      let next = 1;
      for (const { skip, how, later } of all) {
        next += 2 * skip;
        ledger.open(next);
        ends.set(next, OPEN);
        opened.push(next);
        // Some end long after others began.
        const which = opened[Math.max(0, opened.length - 1 - later)];
        ledger.end(which, how);
        ends.set(which, how);
        next += 2;
      }
      for (let id = 1; id <= ledger.last; id += 2) {
        const isKnown = ledger.last - id < 2048;
        expect(ledger.find(id)).toBe(isKnown ? (ends.get(id) ?? SKIPPED) : FORGOTTEN);
      }
    }),
    { numRuns: 50 },
  );
});
