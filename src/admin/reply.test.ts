/** What is written in pieces is what would be written whole. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { json, jsonInPieces } from './reply.ts';

const lists = fc.array(fc.jsonValue(), { maxLength: 3 }).chain((items) =>
  // A list that is short, as long as a piece or two, or longer by one.
  fc
    .constantFrom(0, 1, 255, 256, 257, 512, 513)
    .map((length) => (items.length === 0 ? [] : Array.from({ length }, (_, index) => items[index % items.length]))),
);
const members = fc.oneof(lists, fc.jsonValue(), fc.constant(undefined));

test('in pieces stands what stands in the whole', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), members, { maxKeys: 5 }), (value) => {
      const reply = jsonInPieces(200, value, { etag: '"1"' });
      const text = [...(reply.body as Iterable<string>)].join('');
      expect({ ...reply, body: text }).toEqual(json(200, value, { etag: '"1"' }));
    }),
    { numRuns: 200 },
  );
});

test.each([
  [256, 1],
  // What stands before the list goes with its first piece, what stands behind it ends the answer.
  [257, 3],
  [1024, 5],
])('a list of %i items is %i pieces', (length, pieces) => {
  const { body } = jsonInPieces(200, { list: Array.from({ length }, () => ({})), end: true });
  expect(typeof body === 'string' ? 1 : [...(body as Iterable<string>)].length).toBe(pieces);
});
