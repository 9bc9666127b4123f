/** The router: one table of cases for its meaning, and the naive reading of the contract as the judge of its index. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { atOnce } from '../base/slices.ts';
import type { MatchConfig, RouteConfig } from '../config/model.ts';
import { compareRank, compileEntries, type Entry } from './compiled-route.ts';
import { matchesHost } from './host-matcher.ts';
import { matchesPath } from './path-matcher.ts';
import { servesMethod } from './predicate.ts';
import type { RouteQuery } from './route-query.ts';
import { createRouter } from './router.ts';

type Loose = { name?: string; match: Partial<MatchConfig>; priority?: number };

function routesOf(list: readonly Loose[]): RouteConfig[] {
  return list.map(({ name, match, priority }, index) => {
    return {
      name: name ?? `r${index}`,
      match,
      priority: priority ?? 0,
      service: 's',
      policies: [],
    } as unknown as RouteConfig;
  });
}

function queryOf(
  target: string,
  { method = 'GET', host = 'a.example.com', headers = {} as Record<string, string> } = {},
): RouteQuery {
  const [path, query = ''] = target.split('?');
  return { method, host, path, query, header: (name) => headers[name] };
}

/** Name, routes in the file's order, request, the name of the route that must win (null: none). */
const cases: [string, Loose[], RouteQuery, string | null][] = [
  ['an exact path', [{ match: { path: '/a' } }], queryOf('/a'), 'r0'],
  ['a literal in another spelling', [{ match: { path: '/%61/caf%c3%a9/{x}' } }], queryOf('/a/caf%C3%A9/1'), 'r0'],
  ['an exact path is not its slashed form', [{ match: { path: '/a' } }], queryOf('/a/'), null],
  ['a slashed exact path is another', [{ match: { path: '/a/' } }, { match: { path: '/a' } }], queryOf('/a/'), 'r0'],
  ['a template', [{ match: { path: '/a/{id}' } }], queryOf('/a/7'), 'r0'],
  ['a template needs a segment that is not empty', [{ match: { path: '/a/{id}' } }], queryOf('/a/'), null],
  ['a template takes one segment', [{ match: { path: '/a/{id}' } }], queryOf('/a/7/b'), null],
  ['an encoded slash does not separate', [{ match: { path: '/a/{id}' } }], queryOf('/a/7%2Fb'), 'r0'],
  [
    'exact goes before template',
    [{ match: { path: '/a/{id}' } }, { match: { path: '/a/me' } }],
    queryOf('/a/me'),
    'r1',
  ],
  ['more literals go first', [{ match: { path: '/{a}/{b}' } }, { match: { path: '/x/{b}' } }], queryOf('/x/y'), 'r1'],
  [
    'a literal first does not hide the other branch',
    [{ match: { path: '/x/{b}/c' } }, { match: { path: '/{a}/y/d' } }],
    queryOf('/x/y/d'),
    'r1',
  ],
  ['a rest of zero segments', [{ match: { path: '/o/*' } }], queryOf('/o'), 'r0'],
  ['a rest of an empty segment', [{ match: { path: '/o/*' } }], queryOf('/o/'), 'r0'],
  ['a rest of many segments', [{ match: { path: '/o/{p*}' } }], queryOf('/o/a/b/c'), 'r0'],
  ['a rest keeps to its segments', [{ match: { path: '/o/*' } }], queryOf('/ox'), null],
  [
    'a template without rest goes before one with',
    [{ match: { path: '/o/{p*}' } }, { match: { path: '/o/{id}' } }],
    queryOf('/o/1'),
    'r1',
  ],
  ['a prefix covers itself', [{ match: { pathPrefix: '/users' } }], queryOf('/users'), 'r0'],
  ['a prefix covers what is under it', [{ match: { pathPrefix: '/users' } }], queryOf('/users/1/x'), 'r0'],
  ['a prefix keeps to whole segments', [{ match: { pathPrefix: '/users' } }], queryOf('/usersearch'), null],
  ['a slash at the end of a prefix says nothing', [{ match: { pathPrefix: '/users/' } }], queryOf('/users'), 'r0'],
  ['the root prefix covers all', [{ match: { pathPrefix: '/' } }], queryOf('/x/y'), 'r0'],
  [
    'a longer prefix goes first',
    [{ match: { pathPrefix: '/a' } }, { match: { pathPrefix: '/a/b' } }],
    queryOf('/a/b/c'),
    'r1',
  ],
  [
    'a template goes before a prefix',
    [{ match: { pathPrefix: '/a/b' } }, { match: { path: '/a/{x}' } }],
    queryOf('/a/b'),
    'r1',
  ],
  [
    'a prefix goes before a pattern',
    [{ match: { pathRegex: '^/a/b$' } }, { match: { pathPrefix: '/a' } }],
    queryOf('/a/b'),
    'r1',
  ],
  ['a pattern', [{ match: { pathRegex: '^/n/[0-9]{1,6}$' } }], queryOf('/n/123456'), 'r0'],
  ['a pattern that does not fit', [{ match: { pathRegex: '^/n/[0-9]{1,6}$' } }], queryOf('/n/1234567'), null],
  ['a pattern found by its beginning', [{ match: { pathRegex: '^/a/b/(c|d)$' } }], queryOf('/a/b/d'), 'r0'],
  ['a pattern of alternatives from the start', [{ match: { pathRegex: '^/a/x|^/b/y' } }], queryOf('/b/y'), 'r0'],
  [
    'a pattern whose last segment only begins so',
    [{ match: { pathRegex: '^/files/report-[0-9]+' } }],
    queryOf('/files/report-7'),
    'r0',
  ],
  ['a pattern with an optional slash', [{ match: { pathRegex: '^/a/?$' } }], queryOf('/a'), 'r0'],
  ['a pattern with a repeated segment', [{ match: { pathRegex: '^/a/*b$' } }], queryOf('/ab'), 'r0'],
  [
    'no path ranks after all that have one',
    [{ match: { headers: { a: '1' } } }, { match: { pathRegex: '^/x' } }],
    queryOf('/x', { headers: { a: '1' } }),
    'r1',
  ],
  [
    'priority goes before everything',
    [{ match: { path: '/a', hosts: ['a.example.com'] } }, { match: { pathPrefix: '/' }, priority: 1 }],
    queryOf('/a'),
    'r1',
  ],
  [
    'negative priority goes last',
    [{ match: { path: '/a' }, priority: -1 }, { match: { pathPrefix: '/' } }],
    queryOf('/a'),
    'r1',
  ],
  [
    'an exact host goes before the path',
    [{ match: { path: '/a' } }, { match: { pathPrefix: '/', hosts: ['a.example.com'] } }],
    queryOf('/a'),
    'r1',
  ],
  [
    'an exact host goes before a wildcard',
    [{ match: { path: '/a', hosts: ['*.example.com'] } }, { match: { pathPrefix: '/', hosts: ['a.example.com'] } }],
    queryOf('/a'),
    'r1',
  ],
  [
    'a longer wildcard goes first',
    [{ match: { hosts: ['*.com'] } }, { match: { hosts: ['*.example.com'] } }],
    queryOf('/a'),
    'r1',
  ],
  [
    'a wildcard does not cover its own domain',
    [{ match: { hosts: ['*.example.com'] } }],
    queryOf('/', { host: 'example.com' }),
    null,
  ],
  [
    'a wildcard covers several labels',
    [{ match: { hosts: ['*.example.com'] } }],
    queryOf('/', { host: 'x.y.example.com' }),
    'r0',
  ],
  ['another host', [{ match: { hosts: ['b.example.com'] } }], queryOf('/'), null],
  ['a method', [{ match: { path: '/', methods: ['POST'] } }], queryOf('/', { method: 'POST' }), 'r0'],
  ['another method', [{ match: { path: '/', methods: ['POST'] } }], queryOf('/'), null],
  ['methods are case-sensitive', [{ match: { path: '/', methods: ['GET'] } }], queryOf('/', { method: 'get' }), null],
  ['HEAD by GET', [{ match: { path: '/', methods: ['GET'] } }], queryOf('/', { method: 'HEAD' }), 'r0'],
  [
    'a narrower method that does not fit yields',
    [{ match: { path: '/a', methods: ['PUT'] } }, { match: { pathPrefix: '/a' } }],
    queryOf('/a'),
    'r1',
  ],
  [
    'more conditions go first',
    [{ match: { path: '/' } }, { match: { path: '/', headers: { a: '1' } } }],
    queryOf('/', { headers: { a: '1' } }),
    'r1',
  ],
  [
    'methods count as one condition',
    [{ match: { path: '/' } }, { match: { path: '/', methods: ['GET'] } }],
    queryOf('/'),
    'r1',
  ],
  [
    'equal ranks go by the file',
    [{ match: { path: '/', headers: { a: '1' } } }, { match: { path: '/', headers: { b: '1' } } }],
    queryOf('/', { headers: { a: '1', b: '1' } }),
    'r0',
  ],
  ['a header by value', [{ match: { headers: { a: '1' } } }], queryOf('/', { headers: { a: '2' } }), null],
  [
    'a header by pattern',
    [{ match: { headers: { 'user-agent': { regex: '(?i)mobile|iphone' } } } }],
    queryOf('/', { headers: { 'user-agent': 'an iPhone' } }),
    'r0',
  ],
  ['a header that must be there', [{ match: { headers: { a: { present: true } } } }], queryOf('/'), null],
  ['a header that must not be there', [{ match: { headers: { a: { present: false } } } }], queryOf('/'), 'r0'],
  ['a query parameter', [{ match: { query: { v: '2' } } }], queryOf('/?a=1&v=2'), 'r0'],
  ['a query parameter, decoded', [{ match: { query: { v: 'a b/c' } } }], queryOf('/?v=a+b%2Fc'), 'r0'],
  ['a repeated query parameter', [{ match: { query: { v: '2' } } }], queryOf('/?v=1&v=2'), 'r0'],
  ['a query parameter without value is there', [{ match: { query: { v: { present: true } } } }], queryOf('/?v'), 'r0'],
  ['a malformed escape in the query', [{ match: { query: { v: '%zz' } } }], queryOf('/?v=%zz'), 'r0'],
  ['a cookie', [{ match: { cookies: { beta: '1' } } }], queryOf('/', { headers: { cookie: 'a=b; beta=1' } }), 'r0'],
  ['a quoted cookie', [{ match: { cookies: { beta: '1' } } }], queryOf('/', { headers: { cookie: 'beta="1"' } }), 'r0'],
  ['any of nests', [{ match: { any: [{ headers: { a: '1' } }, { query: { a: '1' } }] } }], queryOf('/?a=1'), 'r0'],
  ['none of nests', [{ match: { any: [{ headers: { a: '1' } }, { query: { a: '1' } }] } }], queryOf('/'), null],
  [
    'all of nests',
    [{ match: { all: [{ pathPrefix: '/u' }, { any: [{ query: { b: '1' } }] }] } }],
    queryOf('/u/1?b=1'),
    'r0',
  ],
  ['not', [{ match: { not: { headers: { a: '1' } } } }], queryOf('/', { headers: { a: '1' } }), null],
  [
    'not, of a whole map',
    [{ match: { not: { headers: { a: '1' }, methods: ['POST'] } } }],
    queryOf('/', { headers: { a: '1' } }),
    'r0',
  ],
  [
    "a path in `all` ranks as the route's",
    [{ match: { pathRegex: '^/u' } }, { match: { all: [{ pathPrefix: '/u' }] } }],
    queryOf('/u'),
    'r1',
  ],
  ['hosts in nests', [{ match: { any: [{ hosts: ['*.example.com'] }] } }], queryOf('/'), 'r0'],
  [
    'the asterisk',
    [{ match: { path: '/' } }, { match: { methods: ['OPTIONS'] } }],
    queryOf('*', { method: 'OPTIONS' }),
    'r1',
  ],
  ['the asterisk is under no path', [{ match: { pathPrefix: '/' } }], queryOf('*', { method: 'OPTIONS' }), null],
];

describe('the router', () => {
  test.each(cases)('%s', (_name, list, query, expected) => {
    const routes = routesOf(list);
    const index = createRouter(routes).match(query);
    expect(index < 0 ? null : routes[index].name).toBe(expected);
    expect(naive(routes, query)).toBe(expected);
  });

  test('says which methods are allowed where only the method is wrong', () => {
    const router = createRouter(
      routesOf([
        { match: { path: '/a', methods: ['PUT'] } },
        { match: { pathPrefix: '/a', methods: ['GET'] } },
        { match: { path: '/a', methods: ['DELETE'], headers: { x: '1' } } },
      ]),
    );
    expect(router.allowed(queryOf('/a', { method: 'POST' }))).toEqual(['GET', 'HEAD', 'PUT']);
    expect(router.allowed(queryOf('/b'))).toEqual([]);
  });

  test('hands parameters on with their percent-encoding', () => {
    const router = createRouter(routesOf([{ match: { path: '/l/{kind}/{rest*}' } }]));
    expect({ ...router.params(0, '/l/a%2Fb/c/d') }).toEqual({ kind: 'a%2Fb', rest: 'c/d' });
    expect({ ...router.params(0, '/l/a') }).toEqual({ kind: 'a', rest: '' });
  });

  test('explains with the first condition that failed', () => {
    const router = createRouter(
      routesOf([
        { match: { path: '/a', methods: ['POST'] } },
        { match: { path: '/a', headers: { x: '1' } } },
        { match: { pathPrefix: '/' } },
        { match: { path: '/a' } },
        { match: { path: '/a', hosts: ['other.example.com'] } },
      ]),
    );
    const reasons = Object.fromEntries(
      atOnce(router.explain(queryOf('/a'))).map(({ route, reason }) => [route, reason]),
    );
    expect(reasons).toEqual({
      r0: 'method is not POST',
      r1: 'header x is not "1"',
      r2: 'outranked by r3',
      r3: 'chosen',
      r4: 'host is not other.example.com',
    });
  });

  test('agrees with the naive reading on arbitrary tables and requests', () => {
    const segment = fc.constantFrom('a', 'b', 'c', '{x}');
    const path = fc
      .array(segment, { minLength: 1, maxLength: 3 })
      .map((parts) => `/${parts.map((p, i) => (p === '{x}' ? `{x${i}}` : p)).join('/')}`);
    const pathMatch = fc.oneof(
      path.map((text) => ({ path: text })),
      path.map((text) => ({ path: `${text}/*` })),
      path.filter((text) => !text.includes('{')).map((text) => ({ pathPrefix: text })),
      fc.constantFrom('^/a/', '^/a/b$', 'c$', '^/(a|b)/c').map((text) => ({ pathRegex: text })),
      fc.constant({}),
    );
    const match = fc
      .record({
        p: pathMatch,
        hosts: fc.option(fc.constantFrom(['a.example.com'], ['*.example.com'], ['*.com', 'b.example.com']), {
          nil: undefined,
        }),
        methods: fc.option(fc.constantFrom(['GET'], ['POST', 'PUT']), { nil: undefined }),
        headers: fc.option(fc.constantFrom({ h: '1' }, { h: { present: true } }), { nil: undefined }),
      })
      .map(({ p, ...rest }) => ({ ...p, ...rest }) as Partial<MatchConfig>);
    const table = fc.array(fc.record({ match, priority: fc.constantFrom(0, 0, 0, 1) }), {
      minLength: 1,
      maxLength: 12,
    });
    const request = fc.record({
      target: fc
        .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 4 })
        .map((parts) => `/${parts.join('/')}`),
      method: fc.constantFrom('GET', 'HEAD', 'POST'),
      host: fc.constantFrom('a.example.com', 'b.example.com', 'example.com', 'x.com', ''),
      headers: fc.constantFrom<Record<string, string>>({}, { h: '1' }, { h: '2' }),
    });
    fc.assert(
      fc.property(table, request, (list, { target, ...options }) => {
        const routes = routesOf(list);
        const query = queryOf(target, options);
        const index = createRouter(routes).match(query);
        expect(index < 0 ? null : routes[index].name).toBe(naive(routes, query));
      }),
      { numRuns: 3000 },
    );
  });
});

/** Sorts all entries by rank and takes the first that fits: the contract, word for word. */
function naive(routes: readonly RouteConfig[], query: RouteQuery): string | null {
  const fitting = (entry: Entry): boolean =>
    matchesHost(entry.host, query.host) &&
    matchesPath(entry.path, query.path) &&
    servesMethod(entry.methods, query.method) &&
    entry.predicates.every((predicate) => predicate.test(query));
  const winners = compileEntries(routes)
    .filter(fitting)
    .sort((a, b) => compareRank(a, b) || a.index - b.index);
  return winners[0]?.name ?? null;
}
