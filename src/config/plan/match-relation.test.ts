/** Which of two matches asks more. */
import { expect, test } from 'vitest';
import type { MatchConfig } from '../model.ts';
import { matchDifferences } from './match-relation.ts';

test.each<[MatchConfig, MatchConfig, string]>([
  [{ sni: ['a.b'] }, { sni: ['a.b', 'c.d'] }, 'sni wider'],
  [{ sni: ['*.b'] }, { sni: ['a.b'] }, 'sni narrower'],
  [{ sni: ['a.b'] }, { sni: ['c.d'] }, 'sni other'],
  [{ sni: ['a.b'], listeners: ['l'] }, { listeners: ['l'] }, 'sni wider'],
  [{ listeners: ['l', 'm'] }, { listeners: ['m'] }, 'listeners narrower'],
  [{ listeners: ['l', 'm'] }, { listeners: ['m', 'l'] }, 'listeners same'],
  [{ sni: ['a.b'] }, { sni: ['a.b'], listeners: ['l'] }, 'listeners narrower'],
  // A route of connections is now one of requests, or the reverse.
  [{ sni: ['a.b'] }, {}, 'sni other'],
  [{}, { listeners: ['l'] }, 'listeners other'],
])('%j to %j: %s', (before, after, expected) => {
  expect(matchDifferences(before, after).map(({ key, relation }) => `${key} ${relation}`)).toEqual([expected]);
});
