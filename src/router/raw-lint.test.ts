/** Routes of relayed connections that can never win. */
import { expect, test } from 'vitest';
import type { MatchConfig, RouteConfig } from '../config/model.ts';
import { lintRoutes } from './lint.ts';

type Row = [match: MatchConfig, priority?: number];

function faultsOf(rows: readonly Row[]): string[] {
  const routes = rows.map(([match, priority = 0], index): RouteConfig => {
    return { name: String.fromCharCode(97 + index), match, priority, service: 's', policies: [] };
  });
  return lintRoutes(routes).map(({ route, code, other }) => `${route} ${code} ${other}`);
}

test.each<[string, Row[], string[]]>([
  ['names apart', [[{ sni: ['x.test'] }], [{ sni: ['y.test'] }]], []],
  ['an exact name under a wildcard', [[{ sni: ['*.test'] }], [{ sni: ['x.test'] }], [{ listeners: ['l'] }]], []],
  ['requests beside connections', [[{}], [{ sni: ['x.test'] }]], []],
  ['one name twice', [[{ sni: ['x.test'] }], [{ sni: ['x.test'] }]], ['b unreachable_route a']],
  ['a wildcard twice', [[{ sni: ['*.test'] }], [{ sni: ['*.test'] }]], ['b unreachable_route a']],
  ['one listener twice', [[{ listeners: ['l', 'm'] }], [{ listeners: ['m'] }]], ['b unreachable_route a']],
  ['one name of two', [[{ sni: ['x.test'] }], [{ sni: ['x.test', 'y.test'] }]], ['b ambiguous_routes a']],
  ['listeners that overlap', [[{ listeners: ['l', 'm'] }], [{ listeners: ['m', 'n'] }]], ['b ambiguous_routes a']],
  ['a name with and without a listener', [[{ sni: ['x.test'] }], [{ sni: ['x.test'], listeners: ['l'] }]], []],
  ['a wildcard of higher priority', [[{ sni: ['a.x.test'] }], [{ sni: ['*.test'] }, 1]], ['a unreachable_route b']],
  [
    'every name of higher priority',
    [[{ sni: ['x.test'], listeners: ['l'] }], [{ listeners: ['l', 'm'] }, 1]],
    ['a unreachable_route b'],
  ],
  ['every name of one listener', [[{ sni: ['x.test'] }], [{ listeners: ['l'] }, 1]], []],
])('%s', (_name, rows, expected) => {
  expect(faultsOf(rows)).toEqual(expected);
});
