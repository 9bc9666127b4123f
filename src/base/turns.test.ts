/** Pieces of work wait for each other, also for one that fails. */
import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

it('begins a piece of work when the one before it has ended, also in a failure', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  let fail: (error: Error) => void = () => {};
  const first = turns.take(() => {
    seen.push('first begins');
    return new Promise<void>((_, reject) => (fail = reject));
  });
  const second = turns.take(async () => seen.push('second begins'));
  const refused = expect(first).rejects.toThrow('broken');
  await Promise.resolve();
  expect(seen).toEqual(['first begins']);
  fail(new Error('broken'));
  await refused;
  expect(await second).toBe(2);
});
