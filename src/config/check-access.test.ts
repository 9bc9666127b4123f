/** What is said of tiers, consumers and keys that do not fit together. */
import { describe, expect, test } from 'vitest';
import { builtInSchemas } from '../gateway/built-in-policies.ts';
import { parseConfigValue } from './load.ts';

const digest = 'ab'.repeat(32);

function findingsOf(rest: object): string[] {
  const file = {
    version: 1,
    listeners: [{ name: 'public', address: '127.0.0.1:8080' }],
    tiers: { free: { rate: 1 }, pro: { rate: 2 } },
    ...rest,
  };
  return parseConfigValue(file, { policies: builtInSchemas }).findings.map(
    ({ severity, code, path, suggestion }) =>
      `${severity} ${code} ${path}${suggestion === undefined ? '' : ` ${suggestion}`}`,
  );
}

describe('access', () => {
  test.each<[string, object, string[]]>([
    ['sound', { consumers: [{ name: 'a', tier: 'pro', apiKeys: [{ id: 'k1', sha256: digest, tier: 'free' }] }] }, []],
    [
      'a tier that is not there',
      { consumers: [{ name: 'a', tier: 'por' }] },
      ['error unknown_tier consumers[0].tier pro'],
    ],
    [
      'a tier of a key',
      { consumers: [{ name: 'a', apiKeys: [{ id: 'k1', sha256: digest, tier: 'fre' }] }] },
      ['error unknown_tier consumers[0].apiKeys[0].tier free'],
    ],
    ['two of one name', { consumers: [{ name: 'a' }, { name: 'a' }] }, ['error duplicate_name consumers[1].name']],
    [
      'two keys of one id',
      { consumers: ['a', 'b'].map((name) => ({ name, apiKeys: [{ id: 'k1', sha256: digest }] })) },
      ['error duplicate_name consumers[1].apiKeys[0].id'],
    ],
    [
      'a problem of a policy, in a list of them',
      { policies: [{ anyOf: [{ anonymous: { tier: 'fre' } }] }] },
      ['error unknown_tier policies[0].anyOf[0].anonymous.tier free'],
    ],
    [
      'a credential that nobody looks at',
      { policies: [{ anyOf: [{ anonymous: {} }, { apiKey: {} }] }] },
      ['warning no_effect policies[0].anyOf[1].apiKey'],
    ],
    ['one that takes whatever comes, at the end', { policies: [{ anyOf: [{ apiKey: {} }, { anonymous: {} }] }] }, []],
    [
      'a key in clear',
      { consumers: [{ name: 'a', apiKeys: [{ id: 'k1', sha256: 'pk_k1_secret' }] }] },
      ['error invalid_value consumers[0].apiKeys[0].sha256'],
    ],
    [
      'an id with other letters',
      { consumers: [{ name: 'a', apiKeys: [{ id: 'k_1', sha256: digest }] }] },
      ['error invalid_value consumers[0].apiKeys[0].id'],
    ],
    ['a malformed permission', { roles: { a: ['orders:read', 'orders read'] } }, ['error invalid_value roles.a[1]']],
    [
      'a store of another kind',
      { state: { keys: { postgres: 'mysql://x' } } },
      ['error invalid_value state.keys.postgres'],
    ],
    ['a shared store of another kind', { state: { shared: 'http://x' } }, ['error invalid_value state.shared']],
    ['a store at no port', { state: { shared: 'redis://x:99999' } }, ['error invalid_value state.shared']],
    [
      'a cluster in another database',
      { state: { shared: ['redis://x', 'redis://y/2'] } },
      ['error invalid_value state.shared'],
    ],
  ])('%s', (_, rest, expected) => {
    expect(findingsOf(rest)).toEqual(expected);
  });
});
