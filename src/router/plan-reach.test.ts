/** What becomes of requests under another configuration, held to two routers that serve them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GatewayConfig, MatchConfig } from '../config/model.ts';
import { matchDifferences, togetherOf } from '../config/plan/match-relation.ts';
import { configOf, type Written, withRoutes } from '../config/plan/plan.test.support.ts';
import { planGateway, planReach } from './plan-reach.ts';
import type { RouteQuery } from './route-query.ts';
import { createRouter } from './router.ts';

function routesOf(...routes: [name: string, match: MatchConfig, rest?: Written][]): GatewayConfig {
  return configOf(withRoutes(...routes.map(([name, match, rest]) => ({ name, match, ...rest }))));
}

/** `CODE ROUTE BEFORE -> AFTER: EXAMPLES` of every change. */
function reached(before: GatewayConfig, after: GatewayConfig): string[] {
  return planReach(before, after).map(({ code, route, before: from, after: to, examples }) => {
    const sides = [from, to].map((value) => (value === undefined ? '-' : String(value)));
    return `${code} ${route} ${sides.join(' -> ')}${examples === undefined ? '' : `: ${examples.join('; ')}`}`;
  });
}

const jwt = { policies: [{ jwt: {} }] };
const GET = { methods: ['GET'] };

type Row = [what: string, before: GatewayConfig, after: GatewayConfig, ...lines: string[]];

const rows: Row[] = [
  ['nothing', routesOf(['a', { path: '/a' }]), routesOf(['a', { path: '/a' }])],
  ['another name', routesOf(['a', { path: '/a' }]), routesOf(['b', { path: '/a' }])],
  ['a new path', routesOf(), routesOf(['a', { path: '/a', ...GET }]), 'requests_reachable a - -> a: GET /a'],
  [
    'a path of every method that is gone',
    routesOf(['a', { path: '/a/{x}' }]),
    routesOf(),
    'requests_unreachable a a -> -: GET|HEAD|POST|... /a/1',
  ],
  [
    'a method less',
    routesOf(['a', { path: '/a', methods: ['GET', 'PUT'] }]),
    routesOf(['a', { path: '/a', ...GET }]),
    'requests_unreachable a a -> -: PUT /a',
  ],
  [
    'a host more',
    routesOf(['a', { path: '/a', hosts: ['a.b'], ...GET }]),
    routesOf(['a', { path: '/a', hosts: ['a.b', '*.c'], ...GET }]),
    'requests_reachable a - -> a: GET any.c/a',
  ],
  [
    'a longer prefix',
    routesOf(['a', { pathPrefix: '/a', ...GET }]),
    routesOf(['a', { pathPrefix: '/a/b', ...GET }]),
    'requests_unreachable a a -> -: GET /a; GET /a/x',
  ],
  [
    'a condition more',
    routesOf(['a', { path: '/a', ...GET }]),
    routesOf(['a', { path: '/a', ...GET, headers: { 'X-Key': 'geheim' } }]),
    'requests_unreachable a a -> -: GET /a',
  ],
  [
    'conditions less',
    routesOf(
      ['a', { path: '/a', ...GET, headers: { 'X-Key': 'geheim' }, query: { v: '1' } }],
      ['b', { path: '/a', ...GET }],
    ),
    routesOf(['b', { path: '/a', ...GET }]),
    'requests_moved b a -> b: GET /a with header x-key, query v',
  ],
  [
    'a cut out of a prefix',
    routesOf(['all', { pathPrefix: '/', ...GET }]),
    routesOf(['all', { pathPrefix: '/', ...GET }], ['a', { path: '/a', ...GET }]),
    'requests_moved a all -> a: GET /a',
  ],
  [
    'a cut out of what is protected',
    routesOf(['all', { pathPrefix: '/', ...GET }, jwt]),
    routesOf(['all', { pathPrefix: '/', ...GET }, jwt], ['a', { path: '/a', ...GET }]),
    'requests_unprotected a all -> a: GET /a',
  ],
  [
    'more requests than examples',
    routesOf(['a', { pathPrefix: '/a', ...GET, hosts: ['a', 'b'] }]),
    routesOf(),
    'requests_unreachable a a -> -: GET a/a; GET a/a/x; GET b/a',
  ],
  [
    'a pattern that says what it means',
    routesOf(['a', { pathRegex: '^/a/[0-9]+$', ...GET }]),
    routesOf(),
    'requests_unreachable a a -> -: GET /a/1',
  ],
  ['a pattern that does not', routesOf(['a', { pathRegex: '^/[a-f]{8}$', ...GET }]), routesOf()],
  [
    'a higher priority that hides another route',
    routesOf(['wide', { pathPrefix: '/a', ...GET }], ['a', { path: '/a/b', ...GET }]),
    routesOf(['wide', { pathPrefix: '/a', ...GET }, { priority: 1 }], ['a', { path: '/a/b', ...GET }]),
    'requests_moved wide a -> wide: GET /a/b',
    'route_shadowed a - -> wide',
  ],
  [
    'a lower one that shows it again',
    routesOf(['wide', { pathPrefix: '/a', ...GET }, { priority: 1 }], ['a', { path: '/a/b', ...GET }]),
    routesOf(['wide', { pathPrefix: '/a', ...GET }], ['a', { path: '/a/b', ...GET }]),
    'requests_moved a wide -> a: GET /a/b',
    'route_unshadowed a wide -> -',
  ],
  [
    'a new route that nothing reaches',
    routesOf(['a', { path: '/a' }]),
    routesOf(['a', { path: '/a' }], ['b', { path: '/a' }]),
    'route_shadowed b - -> a',
  ],
];

describe('what becomes of requests', () => {
  test.each(rows)('%s', (_, before, after, ...lines) => {
    expect(reached(before, after)).toEqual(lines);
  });

  test('says it in a sentence, of which no value is a secret', () => {
    const [change] = planReach(
      routesOf(['a', { path: '/a', methods: ['GET', 'PUT'], cookies: { s: 'geheim' } }]),
      routesOf(),
    );
    expect(change).toEqual({
      severity: 'notice',
      code: 'requests_unreachable',
      route: 'a',
      path: 'routes.a',
      message: 'requests such as GET|PUT /a with cookie s are taken by no route any more',
      before: 'a',
      examples: ['GET|PUT /a with cookie s'],
    });
  });

  test('goes with what differs in the files, the gravest first', () => {
    const changes = planGateway(
      routesOf(['all', { pathPrefix: '/' }, jwt]),
      routesOf(['all', { pathPrefix: '/' }, jwt], ['a', { path: '/a' }]),
    );
    expect(changes.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
      'danger requests_unprotected',
      'notice route_added',
      'notice route_without_authentication',
    ]);
  });
});

const two = (one: MatchConfig, other: MatchConfig, rest: Written = {}): [GatewayConfig, GatewayConfig] => [
  routesOf(['a', one, rest], ['b', other]),
  routesOf(['b', other], ['a', one, rest]),
];

describe('an order of the file that is the other way round', () => {
  test.each<[string, [GatewayConfig, GatewayConfig]]>([
    ['one condition each', two({ path: '/a', headers: { x: '1' } }, { path: '/a', query: { y: '1' } })],
    ['patterns', two({ pathRegex: '^/a' }, { pathRegex: '^/b' })],
    ['templates that cross', two({ path: '/a/{x}' }, { path: '/{x}/b' })],
    ['one method of several', two({ path: '/a', methods: ['GET', 'PUT'] }, { path: '/a', methods: ['HEAD', 'POST'] })],
    [
      'one host of several',
      two({ path: '/a', hosts: ['a', 'b'], ...GET }, { path: '/a', hosts: ['b', 'c'], query: { y: '1' } }),
    ],
  ])('counts between %s', (_, [before, after]) => {
    const orders = planReach(before, after).filter(({ code }) => code === 'route_order_changed');
    expect(orders).toEqual([
      {
        severity: 'notice',
        code: 'route_order_changed',
        route: 'b',
        path: 'routes.b',
        message: 'route "b" now goes before "a": only the file\'s order ranks them',
        before: ['a', 'b'],
        after: ['b', 'a'],
      },
    ]);
  });

  test.each<[string, [GatewayConfig, GatewayConfig]]>([
    ['paths', two({ path: '/a' }, { path: '/b' })],
    ['hosts', two({ path: '/a', hosts: ['a'] }, { path: '/a', hosts: ['b'] })],
    ['methods', two({ path: '/a', methods: ['GET'] }, { path: '/a', methods: ['PUT'] })],
    ['values of a header', two({ path: '/a', headers: { x: '1' } }, { path: '/a', headers: { x: '2' } })],
    ['templates', two({ path: '/a/{x}' }, { path: '/b/{x}' })],
    ['prefixes of one length', two({ pathPrefix: '/a' }, { pathPrefix: '/b' })],
    ['ranks', two({ path: '/{x}' }, { pathPrefix: '/' })],
    ['priorities', two({ pathRegex: 'a' }, { pathRegex: 'b' }, { priority: 1 })],
  ])('does not between different %s', (_, [before, after]) => {
    expect(planGateway(before, after)).toEqual([]);
  });

  test('is told once for the route that moved', () => {
    const match = (name: string): [string, MatchConfig] => [name, { pathRegex: name }];
    const changes = planReach(
      routesOf(match('a'), match('b'), match('c')),
      routesOf(match('c'), match('a'), match('b')),
    );
    expect(changes.map(({ message }) => message)).toEqual([
      'route "c" now goes before "a", "b": only the file\'s order ranks them',
    ]);
  });
});

describe('the router agrees', () => {
  const value = fc.constantFrom('1', '2', { present: true }, { present: false }, { regex: '1' });
  const optional = { requiredKeys: [] };
  const nest = fc.constantFrom<MatchConfig>({ path: '/a' }, { methods: ['GET'] }, { headers: { x: '1' } });
  const conditions = fc.record(
    {
      hosts: fc.subarray(['a.b', 'b', '*.b', '*.a.b'], { minLength: 1 }),
      methods: fc.subarray(['GET', 'HEAD', 'POST'], { minLength: 1 }),
      headers: fc.record({ x: value, y: value }, optional),
      query: fc.record({ v: value }, optional),
      any: fc.array(nest, { minLength: 1, maxLength: 2 }),
      all: fc.array(nest, { minLength: 1, maxLength: 2 }),
      not: nest,
    },
    optional,
  );
  const where = fc.constantFrom<MatchConfig>(
    { path: '/a' },
    { path: '/a/' },
    { path: '/a/{x}' },
    { path: '/a/*' },
    { path: '/{x}/b' },
    { pathPrefix: '/' },
    { pathPrefix: '/a' },
    { pathPrefix: '/a/b' },
    { pathRegex: '^/a/[b-c]$' },
    {},
  );
  const match = fc.tuple(where, conditions).map(([path, rest]): MatchConfig => ({ ...path, ...rest }));
  const queries: RouteQuery[] = [];
  for (const path of ['*', '/', '/a', '/a/', '/a/b', '/a/c', '/a/b/d', '/d/b', '/d']) {
    for (const host of ['a.b', 'b', 'c.b', 'c.a.b', 'd']) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT']) {
        for (const query of ['', 'v=1', 'v=2']) {
          for (const headers of [{}, { x: '1' }, { x: '2', y: '1' }] as Record<string, string>[]) {
            queries.push({ path, host, method, query, header: (name) => headers[name] });
          }
        }
      }
    }
  }
  const taken = (config: GatewayConfig): boolean[] => {
    const router = createRouter(config.routes);
    return queries.map((query) => router.match(query) >= 0);
  };

  const keys = ['hosts', 'methods', 'headers', 'query', 'any', 'all', 'not'] as const;
  const nearKey = fc.tuple(fc.oneof(where, match), conditions, conditions, fc.constantFrom(...keys)).map(sidesOf);
  /** Matches that differ in one key: between any two there is seldom more to say than that they differ. */
  const near = fc.oneof(fc.tuple(where, where, fc.constant({})), fc.tuple(where, where, conditions), nearKey, nearKey);

  /** What both ask, and what each asks besides. */
  function sidesOf(
    drawn: [MatchConfig, object, object, (typeof keys)[number]],
  ): [MatchConfig, MatchConfig, MatchConfig] {
    const [common, one, other, key] = drawn;
    const only = (conditions: MatchConfig): MatchConfig =>
      conditions[key] === undefined ? {} : { [key]: conditions[key] };
    const { [key]: _value, ...kept } = common;
    return [only(one), only(other), kept];
  }

  test('with every word about asking more or less', () => {
    fc.assert(
      fc.property(near, ([one, other, common]) => {
        const [before, after] = [routesOf(['r', { ...common, ...one }]), routesOf(['r', { ...common, ...other }])];
        const relation = togetherOf(matchDifferences(before.routes[0].match, after.routes[0].match));
        fc.pre(relation !== 'other');
        const [from, to] = [taken(before), taken(after)];
        if (relation !== 'narrower') expect(from.findIndex((is, index) => is && !to[index])).toBe(-1);
        if (relation !== 'wider') expect(to.findIndex((is, index) => is && !from[index])).toBe(-1);
      }),
      { numRuns: 800 },
    );
  });

  test('that nothing is reached or lost where nothing is asked differently', () => {
    const list = fc.array(match, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(list, (matches) => {
        const before = routesOf(...matches.map((one, index): [string, MatchConfig] => [`r${index}`, one]));
        const after = routesOf(...matches.map((one, index): [string, MatchConfig] => [`q${index}`, one]));
        expect(planReach(before, structuredClone(before))).toEqual([]);
        const renamed = planGateway(before, after).map(({ code }) => code);
        expect(new Set(renamed)).toEqual(new Set(['route_renamed']));
      }),
      { numRuns: 100 },
    );
  });
});
