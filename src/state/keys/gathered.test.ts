/** Many questions at once, and who gets which answer. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Gathered } from './gathered.ts';

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('everybody gets his own answer, by few questions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 4000 }), async (numbers) => {
      let questions = 0;
      const gathered = new Gathered<string | null>(async (ids) => {
        questions++;
        expect(ids.length).toBeLessThanOrEqual(1000);
        await turn();
        return new Map(ids.filter((id) => Number(id) % 3 > 0).map((id) => [id, `value ${id}`]));
      }, null);
      const answers = await Promise.all(numbers.map((number) => gathered.get(String(number))));
      expect(answers).toEqual(numbers.map((number) => (number % 3 > 0 ? `value ${number}` : null)));
      expect(questions).toBe(Math.ceil(numbers.length / 1000));
    }),
    { numRuns: 20 },
  );
});

test('what comes while two are under way waits for one of them', async () => {
  const ends: (() => void)[] = [];
  const asked: string[] = [];
  const gathered = new Gathered<number>((ids) => {
    asked.push(ids.join(' '));
    return new Promise((resolve) => ends.push(() => resolve(new Map())));
  }, 0);
  const all: Promise<number>[] = [];
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    all.push(gathered.get(id));
    await turn();
  }
  expect(asked).toEqual(['a', 'b']);
  ends[0]();
  await turn();
  await turn();
  expect(asked).toEqual(['a', 'b', 'c d e']);
  for (const end of ends) end();
  expect(await Promise.all(all)).toEqual([0, 0, 0, 0, 0]);
});

test('a question that fails fails for all who asked it, and for nobody else', async () => {
  let fails = true;
  const gathered = new Gathered<number>(async (ids) => {
    if (fails) throw new Error('away');
    return new Map(ids.map((id) => [id, 1]));
  }, 0);
  const outcomes = await Promise.allSettled([gathered.get('a'), gathered.get('b')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await gathered.get('a')).toBe(1);
});
