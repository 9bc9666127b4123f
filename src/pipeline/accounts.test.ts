/** Tiers and consumers as the configuration has them. */
import { expect, test } from 'vitest';
import { Accounts } from './accounts.ts';

const tier = { rate: 1, per: 1000, quotas: {} };
const consumer = { apiKeys: [], metadata: {} };
const config = {
  tiers: { free: tier, pro: tier },
  consumers: [
    { ...consumer, name: 'acme', tier: 'pro' },
    { ...consumer, name: 'guest' },
  ],
};
const accounts = new Accounts(config);

test.each<[unknown, string | null, string | null]>([
  ['free', 'acme', 'free'],
  ['none', 'acme', 'pro'],
  [undefined, 'acme', 'pro'],
  [['free'], 'acme', 'pro'],
  ['free', null, 'free'],
  ['constructor', null, null],
  [undefined, 'guest', null],
  [undefined, 'nobody', null],
])('of the tier %j and the consumer %j the tier is %j', (named, name, expected) => {
  expect(accounts.tierOf(named, name)).toBe(expected);
});

test.each<[unknown, boolean]>([
  ['acme', true],
  ['guest', true],
  ['nobody', false],
  ['toString', false],
  [7, false],
  [undefined, false],
])('%j is declared: %s', (name, expected) => {
  expect(accounts.isDeclared(name)).toBe(expected);
});

test('two that answer differently are told apart', () => {
  const others = [
    { ...config, tiers: { free: tier } },
    { ...config, consumers: [{ ...consumer, name: 'acme', tier: 'free' }] },
    { ...config, consumers: [] },
  ];
  const all = [accounts, ...others.map((one) => new Accounts(one))].map(({ fingerprint }) => fingerprint);
  expect(new Set(all).size).toBe(4);
  expect(new Accounts(structuredClone(config)).fingerprint).toBe(accounts.fingerprint);
});
