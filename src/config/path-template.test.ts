/** Patterns of paths, their parameters, and what is none. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkPathTemplate, pathPrefixProblem } from './path-template.ts';

test.each([
  ['/', []],
  ['/users', []],
  ['/users/', []],
  ['/users/{id}', ['id']],
  ['/{a}/{b_2}/{c-d}', ['a', 'b_2', 'c-d']],
  ['/files/{path*}', ['path']],
  ['/{kind}/{rest*}', ['kind', 'rest']],
  ['/users/*', []],
  ['/*', []],
  ["/a%20b/%2F/;v=1,2/@:!$&'()+=~", []],
  ['/.well-known/..x', []],
  ['//a', []],
])('%s holds the parameters %j', (path, parameters) => {
  expect(checkPathTemplate(path)).toEqual({ problem: null, parameters });
});

test.each([
  ['', 'begin with a slash'],
  ['users', 'begin with a slash'],
  ['{id}', 'begin with a slash'],
  ['/a?b=c', 'query'],
  ['/a#b', 'query'],
  ['/a b', 'percent-encode'],
  ['/ä', 'percent-encode'],
  ['/a\n', 'percent-encode'],
  ['/a\\b', 'percent-encode'],
  ['/a|b', 'percent-encode'],
  ['/%zz', 'percent-encoding'],
  ['/a%2', 'percent-encoding'],
  ['/a/../b', 'removed'],
  ['/a/%2e%2E', 'removed'],
  ['/./a', 'removed'],
  ['/x{id}', 'whole segment'],
  ['/{id}x', 'whole segment'],
  ['/{a}{b}', 'whole segment'],
  ['/{a', 'whole segment'],
  ['/a}', 'whole segment'],
  ['/{}', 'parameter name'],
  ['/{1}', 'parameter name'],
  ['/{a.b}', 'parameter name'],
  ['/{*}', 'parameter name'],
  ['/{a**}', 'parameter name'],
  ['/{id}/{id}', 'twice'],
  ['/{id}/{id*}', 'twice'],
  ['/*/a', 'last segment'],
  ['/{path*}/a', 'last segment'],
  ['/{path*}/', 'last segment'],
  ['/a*', 'inside a segment'],
  ['/**', 'inside a segment'],
])('%j is refused', (path, reason) => {
  expect(checkPathTemplate(path).problem).toContain(reason);
});

test.each([
  ['/', null],
  ['/users', null],
  ['/users/', null],
  ['/users/*', 'without one'],
  ['/{id}', 'no parameters'],
  ['users', 'begin with a slash'],
  ['/a/..', 'removed'],
])('prefix %s: %s', (path, reason) => {
  const problem = pathPrefixProblem(path);
  if (reason === null) expect(problem).toBe(null);
  else expect(problem).toContain(reason);
});

test('a check never throws, and what passes begins with a slash and holds no control characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'/{}*.%2eaZ \n\u00e4?'), maxLength: 12 }), (path) => {
      const { problem } = checkPathTemplate(path);
      if (problem === null) expect(path).toMatch(/^\/[\x21-\x7e]*$/);
    }),
    { numRuns: 1000 },
  );
});
