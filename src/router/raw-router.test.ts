/** Which route takes a name on a listener, and why the others do not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atOnce } from '../base/slices.ts';
import type { MatchConfig, RouteConfig } from '../config/model.ts';
import { matchesHost } from './host-matcher.ts';
import { createRawRouter } from './raw-router.ts';

function routeOf(name: string, match: MatchConfig, priority = 0): RouteConfig {
  return { name, match, priority, service: 's', policies: [] };
}

const routes = [
  routeOf('requests', {}),
  routeOf('rest of a', { listeners: ['a'] }),
  routeOf('every wildcard', { sni: ['*.example.com'] }),
  routeOf('deep wildcard', { sni: ['*.b.example.com'] }),
  routeOf('exact', { sni: ['x.example.com', 'y.example.com'] }),
  routeOf('exact on a', { sni: ['x.example.com'], listeners: ['a'] }),
  routeOf('exact again', { sni: ['x.example.com'] }),
  routeOf('above all', { sni: ['*.top.test'], listeners: ['a', 'b'] }, 5),
  routeOf('never', { sni: ['z.top.test'] }),
  { ...routeOf('broken', { sni: ['q.test'] }), quarantined: { reason: 'it', matched: false } },
];
const router = createRawRouter(routes);

test.each([
  ['a', '', 'rest of a'],
  ['b', '', null],
  ['b', 'x.example.com', 'exact'],
  ['a', 'x.example.com', 'exact on a'],
  ['a', 'y.example.com', 'exact'],
  ['a', 'other.example.com', 'every wildcard'],
  ['a', 'x.b.example.com', 'deep wildcard'],
  ['b', 'b.example.com', 'every wildcard'],
  ['a', 'example.com', 'rest of a'],
  ['b', 'example.com', null],
  ['b', '.example.com', null],
  // A name is what the client says it is, labels or not.
  ['b', '.c.example.com', 'every wildcard'],
  ['a', 'z.top.test', 'above all'],
  ['c', 'z.top.test', 'never'],
  ['b', 'q.test', null],
])('on %s the name "%s" goes to %s', (listener, serverName, expected) => {
  expect(routes[router.match(listener, serverName)]?.name ?? null).toBe(expected);
});

test('the order is told', () => {
  expect(router.table().map((index) => routes[index].name)).toEqual([
    'above all',
    'exact on a',
    'exact',
    'exact again',
    'never',
    'deep wildcard',
    'every wildcard',
    'rest of a',
  ]);
});

test.each([
  [
    'a',
    'x.example.com',
    [
      'above all: server name is not *.top.test',
      'exact on a: chosen',
      'exact: outranked by exact on a',
      'exact again: outranked by exact on a',
      'never: server name is not z.top.test',
      'deep wildcard: server name is not *.b.example.com',
      'every wildcard: outranked by exact on a',
      'rest of a: outranked by exact on a',
    ],
  ],
  [
    'c',
    '',
    [
      'above all: listener is not a or b',
      'exact on a: listener is not a',
      'exact: server name is not x.example.com or y.example.com',
      'exact again: server name is not x.example.com',
      'never: server name is not z.top.test',
      'deep wildcard: server name is not *.b.example.com',
      'every wildcard: server name is not *.example.com',
      'rest of a: listener is not a',
    ],
  ],
])('it is told why routes do not take what comes on %s for "%s"', (listener, serverName, expected) => {
  const told = atOnce(router.explain(listener, serverName));
  expect(told.map(({ route, reason }) => `${route}: ${reason}`)).toEqual(expected);
  expect(told.filter(({ matched }) => matched)).toEqual(told.filter(({ reason }) => reason === 'chosen'));
});

const labels = fc.constantFrom('a', 'b', 'c');
const names = fc.array(labels, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.'));
const sni = fc.array(
  fc.tuple(fc.boolean(), names).map(([wildcard, name]) => (wildcard ? `*.${name}` : name)),
  { minLength: 1, maxLength: 3 },
);
const listeners = fc.uniqueArray(fc.constantFrom('l', 'm', 'n'), { minLength: 1 });
const arbitraryRoute = fc
  .record({
    sni: fc.option(sni, { nil: undefined }),
    listeners: fc.option(listeners, { nil: undefined }),
    priority: fc.nat(2),
  })
  .map(({ priority, ...match }) => routeOf('r', JSON.parse(JSON.stringify(match)) as MatchConfig, priority));

/** By the rules as they are written: each route under each of its names, the best of those that fit. */
function naively(all: readonly RouteConfig[], listener: string, serverName: string): number {
  const fitting = all.flatMap(({ match, priority }, index) => {
    if (match.listeners === undefined && match.sni === undefined) return [];
    if (match.listeners !== undefined && !match.listeners.includes(listener)) return [];
    return (match.sni ?? ['']).flatMap((text) => {
      const wildcard = text.startsWith('*.');
      const name = wildcard ? text.slice(2) : text;
      const fits = text === '' || (serverName !== '' && matchesHost({ name, wildcard }, serverName));
      const rank = text === '' ? 0 : wildcard ? name.length : 1000;
      return fits ? [{ index, key: [priority, rank, match.listeners === undefined ? 0 : 1, -index] }] : [];
    });
  });
  fitting.sort((one, other) => {
    const at = one.key.findIndex((value, i) => value !== other.key[i]);
    return at < 0 ? 0 : other.key[at] - one.key[at];
  });
  return fitting[0]?.index ?? -1;
}

test('agrees with the naive reading', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryRoute, { maxLength: 12 }),
      fc.constantFrom('l', 'm', 'n', 'o'),
      fc.oneof(
        fc.constant(''),
        names,
        names.map((name) => `.${name}`),
        names.map((name) => `x.${name}`),
      ),
      (all, listener, serverName) => {
        const router = createRawRouter(all.map((route, index) => ({ ...route, name: String(index) })));
        const winner = naively(all, listener, serverName);
        expect(router.match(listener, serverName)).toBe(winner);
        const told = atOnce(router.explain(listener, serverName));
        expect(told.map(({ route }) => Number(route))).toEqual(router.table());
        expect(told.filter(({ matched }) => matched).map(({ route }) => Number(route))).toEqual(
          winner < 0 ? [] : [winner],
        );
        // Only what would take the connection without the winner is outranked.
        for (const { route, reason } of told) {
          const fits = naively([all[Number(route)]], listener, serverName) === 0;
          expect([reason, fits]).toEqual([expect.stringMatching(fits ? /^(chosen|outranked by)/ : / is not /), fits]);
        }
      },
    ),
    { numRuns: 500 },
  );
});
