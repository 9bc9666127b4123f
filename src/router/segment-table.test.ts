/** The table of segments, against a plain look along the list. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasEdge, SegmentTable } from './segment-table.ts';

const segment = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '%', '.'), maxLength: 4 });

describe('an edge', () => {
  test.each([
    ['/a', 0, '/a', true],
    ['/a/b', 0, '/a', true],
    ['/ab', 0, '/a', false],
    ['/a', 0, '/ab', false],
    ['/a/b/c', 2, '/b', true],
    ['/a/b/c', 2, '/b/c', true],
    ['/a/b/cd', 2, '/b/c', false],
    ['/a/', 2, '/', true],
    ['/a//b', 2, '/', true],
    ['/a//b', 2, '//b', true],
  ])('of %s at %i is %s: %s', (path, at, edge, expected) => {
    expect(hasEdge(path, at, edge)).toBe(expected);
  });
});

test('every segment is found, and none that is not there', () => {
  fc.assert(
    fc.property(fc.uniqueArray(segment, { minLength: 2, maxLength: 200 }), segment, segment, (keys, asked, rest) => {
      const nodes = keys.map((key) => ({ edge: `/${key}` }));
      const table = new SegmentTable(nodes);
      for (const node of nodes) {
        expect(table.find(`/x${node.edge}`, 2)).toBe(node);
        expect(table.find(`${node.edge}/${rest}`, 0)).toBe(node);
      }
      expect(table.find(`/${asked}`, 0)).toBe(nodes.find(({ edge }) => edge === `/${asked}`) ?? null);
    }),
  );
});

test('a way of several segments is one edge', () => {
  const nodes = [{ edge: '/a/b/c' }, { edge: '/b/c' }];
  const table = new SegmentTable(nodes);
  expect(table.find('/a/b/c/d', 0)).toBe(nodes[0]);
  expect(table.find('/a/b/x', 0)).toBeNull();
  expect(table.find('/a/b', 0)).toBeNull();
});
