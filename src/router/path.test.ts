/** Path normalisation and rewriting: one form, no climbing, nothing that a server could read as something else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RouteConfig } from '../config/model.ts';
import { normalizePath } from './path.ts';
import { compileRewrite } from './rewrite.ts';

const cases: [string, string | null][] = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a//b/', '/a//b/'],
  ['/%61%2d%7E', '/a-~'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%2Fb', '/a%2Fb'],
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/..', '/'],
  ['/a/.', '/a/'],
  ['/.', '/'],
  ['/..', null],
  ['/a/../../b', null],
  ['/%2e%2e/etc', null],
  ['/.hidden/..x', '/.hidden/..x'],
  ['/a%', null],
  ['/a%2', null],
  ['/a%zz', null],
  ['/a%00b', null],
  ['/a%0d%0ab', '/a%0D%0Ab'],
  ['/a\\..\\b', '/a%5C..%5Cb'],
  ['/{a}|"<>^`', '/%7Ba%7D%7C%22%3C%3E%5E%60'],
  ['/a..%2f..', '/a..%2F..'],
  ['/%c3%a9', '/%C3%A9'],
];

describe('normalisation', () => {
  test.each(cases)('%s becomes %s', (path, expected) => {
    expect(normalizePath(path)).toBe(expected);
  });

  test('is idempotent, and leaves no dot segments', () => {
    const part = fc.constantFrom('a', '.', '..', '%2e', '%2f', '%41', '%', '\\', '{', '');
    fc.assert(
      fc.property(
        fc.array(
          fc.array(part, { maxLength: 3 }).map((p) => p.join('')),
          { minLength: 1, maxLength: 5 },
        ),
        (segments) => {
          const once = normalizePath(`/${segments.join('/')}`);
          if (once === null) return;
          expect(normalizePath(once)).toBe(once);
          expect(once.split('/').some((s) => s === '.' || s === '..')).toBe(false);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

const rewrites: [RouteConfig['rewrite'], string, string | null, Record<string, string> | null, string | null][] = [
  [{ stripPrefix: '/api/v2' }, '/api/v2/users', null, null, '/users'],
  [{ stripPrefix: '/api/v2' }, '/api/v2', 'a=1', null, '/?a=1'],
  [{ stripPrefix: '/api/' }, '/api/x', '', null, '/x?'],
  [{ stripPrefix: '/api' }, '/apix', null, null, '/apix'],
  [{ stripPrefix: '/api' }, '/api//evil.example', null, null, '/evil.example'],
  [{ path: '/v3/{id}/{kind}' }, '/legacy/a/b', 'q=1', { kind: 'a', id: 'b%2Fc' }, '/v3/b%2Fc/a?q=1'],
  [{ path: '/v3/{rest}' }, '/x', null, { rest: 'a/b' }, '/v3/a/b'],
  [{ path: '/v3/{rest*}' }, '/x', null, { rest: 'a/b' }, '/v3/a/b'],
  [{ path: '/{rest}' }, '/x', null, { rest: '/evil.example' }, '/evil.example'],
  [{ path: '/search?q={id}' }, '/x', 'old=1', { id: '7' }, '/search?q=7'],
  [{ regex: { pattern: '^/u/([0-9]+)$', replacement: '/users/$1' } }, '/u/12', 'a=1', null, '/users/12?a=1'],
  [{ path: '/i?id={id}' }, '/x', null, { id: '1&admin=true' }, '/i?id=1%26admin%3Dtrue'],
  [{ regex: { pattern: '/pub$', replacement: '/x' } }, '/rx/pub/a/pub', null, null, '/rx/pub/a/x'],
  [{ regex: { pattern: 'x(.*)', replacement: '$1/..' } }, '/x..', null, null, null],
  [{ regex: { pattern: '^/none', replacement: '/y' } }, '/x', null, null, '/x'],
];

describe('rewriting', () => {
  test.each(rewrites)('%j of %s?%s with %j gives %s', (rewrite, path, query, params, expected) => {
    const compiled = compileRewrite({ match: {}, rewrite } as RouteConfig);
    expect(compiled?.apply(path, query ?? '', query !== null, params)).toBe(expected);
  });
});

test('$1 in a path names a group of the route’s own pattern', () => {
  const route = { match: { pathRegex: '^/u/([0-9]+)$' }, rewrite: { path: '/users/$1?id=$1' } } as RouteConfig;
  expect(compileRewrite(route)?.apply('/u/12', 'a=b', true, null)).toBe('/users/12?id=12');
});
