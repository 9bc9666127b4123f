/** Bytes that wait: they come out as they went in, and take little more room than they have. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeldBytes } from './held-bytes.ts';

test('what is taken is what was added, in whatever sizes', () => {
  const step = fc.oneof(
    fc.integer({ min: 0, max: 200_000 }),
    fc.integer({ min: 0, max: 20 }),
    fc.constant('take' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const held = new HeldBytes();
      let next = 0;
      const added: Buffer[] = [];
      const taken: Buffer[] = [];
      for (const each of steps) {
        if (each === 'take') {
          if (held.size > 0) taken.push(held.take());
          continue;
        }
        const bytes = Buffer.alloc(each + 2, next++ % 251);
        held.add(bytes, 1, each + 1);
        // Others use that memory again.
        added.push(Buffer.from(bytes.subarray(1, each + 1)));
        bytes.fill(255);
      }
      while (held.size > 0) taken.push(held.take());
      expect(Buffer.concat(taken).equals(Buffer.concat(added))).toBe(true);
      expect(held.size).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('many small ones are few pieces', () => {
  const held = new HeldBytes();
  const one = Buffer.from('x');
  for (let i = 0; i < 256 * 1024; i++) held.add(one, 0, 1);
  let pieces = 0;
  for (; held.size > 0; pieces++) held.take();
  expect(pieces).toBeLessThan(15);
});
