/** The findings about routes, each with cases that have it and cases near by that do not, and the router as their judge. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MatchConfig, RouteConfig } from '../config/model.ts';
import { lintRoutes } from './lint.ts';
import type { RouteQuery } from './route-query.ts';
import { createRouter } from './router.ts';

type Loose = Partial<MatchConfig> & { priority?: number };

function routesOf(list: readonly Loose[]): RouteConfig[] {
  return list.map(({ priority = 0, ...match }, index) => {
    return { name: `r${index}`, match, priority, service: 's', policies: [] } as unknown as RouteConfig;
  });
}

function findings(list: readonly Loose[]): string[] {
  return lintRoutes(routesOf(list)).map(({ code, route, other }) => `${code} ${route} ${other}`);
}

/** The second route is never reached for the first. */
const shadowed: [string, Loose, Loose][] = [
  ['the same path', { path: '/a' }, { path: '/a' }],
  ['the same path in another spelling', { path: '/caf%c3%a9' }, { path: '/caf%C3%A9' }],
  ['the same template with other names', { path: '/a/{x}' }, { path: '/a/{id}' }],
  ['the same prefix but for a slash', { pathPrefix: '/a' }, { pathPrefix: '/a/' }],
  ['the same pattern', { pathRegex: '^/a' }, { pathRegex: '^/a' }],
  ['no path at all', {}, {}],
  ['the same host in another case', { hosts: ['A.example'], path: '/a' }, { hosts: ['a.example'], path: '/a' }],
  [
    'the same methods in another order',
    { path: '/a', methods: ['GET', 'PUT'] },
    { path: '/a', methods: ['PUT', 'GET'] },
  ],
  ['HEAD, which GET serves', { path: '/a', methods: ['GET'] }, { path: '/a', methods: ['HEAD'] }],
  ['the same header', { path: '/a', headers: { x: '1' } }, { path: '/a', headers: { x: '1' } }],
  ['the same exclusion', { path: '/a', not: { query: { v: '1' } } }, { path: '/a', not: { query: { v: '1' } } }],
  ['fewer methods under higher priority', { path: '/a', priority: 1 }, { path: '/a', methods: ['GET'] }],
  ['more conditions under higher priority', { path: '/a', priority: 1 }, { path: '/a', headers: { x: '1' } }],
  ['a path under a prefix of higher priority', { pathPrefix: '/a', priority: 1 }, { path: '/a/b' }],
  ['a path that is the prefix of higher priority', { pathPrefix: '/a/', priority: 1 }, { path: '/a' }],
  ['a path under an escaped prefix', { pathPrefix: '/caf%c3%a9', priority: 1 }, { path: '/caf%C3%A9/x' }],
  ['a template under it', { pathPrefix: '/a', priority: 1 }, { path: '/a/{x}' }],
  ['a rest under it', { pathPrefix: '/a', priority: 1 }, { path: '/a/*' }],
  ['a longer prefix under it', { pathPrefix: '/a', priority: 1 }, { pathPrefix: '/a/b' }],
  ['anything under a route without path of higher priority', { priority: 1 }, { path: '/a', headers: { x: '1' } }],
  ['a host under a wildcard of higher priority', { hosts: ['*.b'], priority: 1 }, { hosts: ['a.b'], path: '/x' }],
  ['a wildcard under a wider one', { hosts: ['*.b'], priority: 1 }, { hosts: ['*.a.b'], path: '/x' }],
  ['a path of negative priority', { pathPrefix: '/a' }, { path: '/a/b', priority: -1 }],
  ['a pattern behind the prefix that is everything', { pathPrefix: '/' }, { pathRegex: '^/a' }],
];

/** The file's order decides between the two. */
const ambiguous: [string, Loose, Loose][] = [
  ['one other condition each', { path: '/a', headers: { x: '1' } }, { path: '/a', query: { y: '1' } }],
  ['a condition and a method', { path: '/a', headers: { x: '1' } }, { path: '/a', methods: ['GET'] }],
  ['methods that overlap', { path: '/a', methods: ['GET', 'PUT'] }, { path: '/a', methods: ['PUT', 'POST'] }],
  ['a header that may be any', { path: '/a', headers: { x: '1' } }, { path: '/a', headers: { x: { present: true } } }],
  ['a repeated parameter', { path: '/a', query: { v: '1' } }, { path: '/a', query: { v: '2' } }],
  ['different exclusions', { path: '/a', not: { query: { v: '1' } } }, { path: '/a', not: { query: { v: '2' } } }],
  ['one host of several', { hosts: ['a', 'b'], path: '/x' }, { hosts: ['b', 'c'], path: '/x' }],
];

const clean: [string, ...Loose[]][] = [
  ['nothing'],
  ['other paths', { path: '/a' }, { path: '/b' }, { path: '/a/' }],
  ['other hosts', { hosts: ['a'], path: '/x' }, { hosts: ['b'], path: '/x' }, { path: '/x' }],
  ['a wildcard and the host above it', { hosts: ['*.b'], priority: 1 }, { hosts: ['b'], path: '/x' }],
  ['other methods', { path: '/a', methods: ['GET'] }, { path: '/a', methods: ['POST'] }],
  ['HEAD first', { path: '/a', methods: ['HEAD'], priority: 1 }, { path: '/a', methods: ['GET'] }],
  ['a condition first', { path: '/a', headers: { x: '1' } }, { path: '/a' }],
  ['a method first', { path: '/a', methods: ['GET'] }, { path: '/a' }],
  [
    'a condition of higher priority',
    { path: '/a', headers: { x: '1' }, priority: 1 },
    { path: '/a', query: { y: '1' } },
  ],
  ['one header with two values', { path: '/a', headers: { v: '1' } }, { path: '/a', headers: { V: '2' } }],
  ['a header there or not', { path: '/a', headers: { v: '1' } }, { path: '/a', headers: { v: { present: false } } }],
  [
    'a parameter there or not',
    { path: '/a', query: { v: { present: true } } },
    { path: '/a', query: { v: { present: false } } },
  ],
  ['a prefix and what is beside it', { pathPrefix: '/a', priority: 1 }, { path: '/ab' }, { path: '/{x}/b' }, {}],
  ['a prefix and the wider rest', { pathPrefix: '/a/b', priority: 1 }, { path: '/a/*' }, { pathPrefix: '/a' }],
  ['a prefix with a condition', { pathPrefix: '/a', headers: { x: '1' }, priority: 1 }, { path: '/a/b' }],
  ['a prefix with a method', { pathPrefix: '/a', methods: ['GET'], priority: 1 }, { path: '/a/b' }],
  ['a prefix under other hosts', { hosts: ['a'], pathPrefix: '/', priority: 1 }, { path: '/x' }],
  ['no path, which takes OPTIONS *, behind a prefix', { pathPrefix: '/', priority: 1 }, {}],
  ['a catch-all behind all', { path: '/a' }, { pathRegex: '^/b' }, { pathPrefix: '/b/c' }, {}],
  [
    'a route that one of its hosts has left',
    { hosts: ['a'], path: '/x', priority: 1 },
    { hosts: ['a', 'b'], path: '/x' },
  ],
];

describe('lint', () => {
  test.each(shadowed)('finds a route that cannot be reached: %s', (_, wide, narrow) => {
    expect(findings([wide, narrow])).toEqual(['unreachable_route r1 r0']);
    // Where the order of the file does not decide, it does not matter.
    if ((wide.priority ?? 0) > (narrow.priority ?? 0))
      expect(findings([narrow, wide])).toEqual(['unreachable_route r0 r1']);
  });

  test.each(ambiguous)('finds two between which only their order decides: %s', (_, one, two) => {
    expect(findings([one, two])).toEqual(['ambiguous_routes r1 r0']);
    expect(findings([two, one])).toEqual(['ambiguous_routes r1 r0']);
  });

  test.each(clean)('finds nothing about %s', (_, ...list) => {
    expect(findings(list)).toEqual([]);
  });

  test('says which, in words', () => {
    const [fault] = lintRoutes(routesOf([{ path: '/a' }, { path: '/a' }]));
    const [tie] = lintRoutes(
      routesOf([
        { path: '/b', methods: ['GET'] },
        { path: '/b', query: { a: '1' } },
      ]),
    );
    expect(fault).toEqual({
      route: 'r1',
      code: 'unreachable_route',
      message: 'route "r1" can never be reached: "r0" goes before it and takes all its requests',
      other: 'r0',
    });
    expect(tie.message).toBe('routes "r0" and "r1" can match the same request and only their order decides');
  });

  test('names a route once, and the route with several hosts not against itself', () => {
    expect(findings([{ hosts: ['a', 'b'], path: '/x' }])).toEqual([]);
    expect(findings([{ hosts: ['a', '*.a', 'a'], path: '/x' }])).toEqual([]);
    const both = { hosts: ['a', 'b'], path: '/x' };
    expect(findings([both, both, both])).toEqual(['unreachable_route r1 r0', 'unreachable_route r2 r0']);
  });

  test('says of no route that it cannot be reached which a request reaches', () => {
    const value = fc.constantFrom('1', '2', { present: true }, { present: false });
    const match = fc.record(
      {
        where: fc.constantFrom<Loose>(
          { path: '/a' },
          { path: '/a/{x}' },
          { path: '/a/*' },
          { path: '/{x}/b' },
          { pathPrefix: '/' },
          { pathPrefix: '/a' },
          { pathPrefix: '/a/b' },
          { pathRegex: '^/a/[b-c]$' },
          {},
        ),
        hosts: fc.subarray(['a.b', 'b', '*.b'], { minLength: 1 }),
        methods: fc.subarray(['GET', 'HEAD', 'POST'], { minLength: 1 }),
        headers: fc.record({ x: value, y: value }, { requiredKeys: [] }),
        query: fc.record({ v: value }),
        not: fc.record({ headers: fc.record({ x: value }) }),
        priority: fc.constantFrom(-1, 0, 1),
      },
      { requiredKeys: ['where'] },
    );
    const lists = fc.array(
      match.map(({ where, ...rest }) => ({ ...where, ...rest }) as Loose),
      { minLength: 2, maxLength: 5 },
    );
    const some = <T>(...values: T[]): T[] => values;
    const queries: RouteQuery[] = some('*', '/', '/a', '/a/', '/a/b', '/a/c', '/a/b/d', '/d/b', '/d').flatMap((path) =>
      some('a.b', 'b', 'c.b', 'd').flatMap((host) =>
        some('GET', 'HEAD', 'POST', 'PUT').flatMap((method) =>
          some('', 'v=1', 'v=2', 'v=1&v=2').flatMap((query) =>
            some<Record<string, string>>({}, { x: '1' }, { x: '2' }, { y: '1' }, { y: '2' }, { x: '1', y: '1' }).map(
              (headers) => ({ path, host, method, query, header: (name: string) => headers[name] }),
            ),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(lists, (list) => {
        const routes = routesOf(list);
        const lost = lintRoutes(routes).filter(({ code }) => code === 'unreachable_route');
        if (lost.length === 0) return;
        const router = createRouter(routes);
        const reached = new Set(queries.map((query) => router.match(query)));
        expect(lost.filter(({ route }) => reached.has(Number(route.slice(1))))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
