/** Values as a file would have them, without secrets. */
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../../test/support/certificates.ts';
import { policies } from '../config.test.support.ts';
import { describeConfig } from '../reference.ts';
import type { ValuePath } from '../source-tree.ts';
import { settingAt } from './setting.ts';
import { writtenAt } from './written-value.ts';

const hidden = '(hidden)';
const policy = (name: string): ValuePath => ['routes', 'r', 'policies', name];

describe('a value is written as a file would have it', () => {
  test.each<[ValuePath, unknown, unknown]>([
    [['routes', 'r', 'timeout'], 1500, '1500ms'],
    [['routes', 'r', 'priority'], 1500, 1500],
    [['listeners', 'l', 'limits', 'requestHead'], 32_768, '32KiB'],
    [['listeners', 'l', 'address'], { host: '::1', port: 80 }, '[::1]:80'],
    [
      ['services', 's', 'healthCheck', 'expectStatus'],
      [
        [200, 200],
        [300, 399],
      ],
      ['200', '300-399'],
    ],
    [['routes', 'r', 'retry'], { attempts: 2, perTryTimeout: 60_000 }, { attempts: 2, perTryTimeout: '1m' }],
    [['policies'], [{ name: 'cors', options: { maxAge: 5 } }], [{ cors: { maxAge: 5 } }]],
    [['routes', 'r'], { name: 'r', timeout: undefined }, { name: 'r' }],
    [policy('custom'), { pattern: /a/, list: [1n, null, true] }, { pattern: '/a/', list: ['1', null, true] }],
    [['routes', 'r', 'timeout'], undefined, undefined],
  ])('%j of %o', (path, value, written) => {
    expect(writtenAt(path, value)).toEqual(written);
  });
});

test.each([
  ['https://auth.example/check?key=k-secret', 'https://auth.example/check?(hidden)'],
  ['https://auth.example/check', 'https://auth.example/check'],
  ['https://auth.example/?', 'https://auth.example/?'],
  ['no URL?x', 'no URL?x'],
])('the query of an address is not told: %s', (url, written) => {
  expect(writtenAt([...policy('externalAuth'), 'url'], url)).toBe(written);
  expect(writtenAt(policy('jwt'), { jwks: { url } })).toEqual({ jwks: { url: written } });
});

test('every duration and size of the schema has its unit', () => {
  const keys = describeConfig(policies).flatMap(({ title, rows }) => {
    const [, name, isList] = /^`(\w+)(\[\])?`$/.exec(title) ?? [];
    if (name === undefined && title !== 'Top level') return [];
    const above = name === undefined ? [] : isList === undefined ? [name] : [name, 'x'];
    return rows
      .filter(({ type }) => /^(duration|size)\b/.test(type))
      .map(({ key, type }) => [[...above, ...key.split('.')], type.split(',')[0]] as const);
  });
  expect(keys.length).toBeGreaterThan(20);
  expect(keys.filter(([path, unit]) => settingAt(path)?.unit !== unit)).toEqual([]);
});

describe('secrets are hidden by their key', () => {
  test.each<[ValuePath, unknown, unknown]>([
    [['admin', 'token'], 'abc', hidden],
    [['admin'], { token: 'abc' }, { token: hidden }],
    [policy('jwt'), { secret: 'a', keys: [{ k: 'b' }], issuer: 'c' }, { secret: hidden, keys: hidden, issuer: 'c' }],
    [
      policy('basicAuth'),
      { users: [{ name: 'a', passwordHash: 'b' }] },
      { users: [{ name: 'a', passwordHash: hidden }] },
    ],
    [
      policy('requestHeaders'),
      { set: { Authorization: 'a', 'X-API-Key': 'b', Set: 'c' } },
      { set: { Authorization: hidden, 'X-API-Key': hidden, Set: 'c' } },
    ],
    [['listeners', 'l', 'tls', 'key'], 'a', hidden],
    [[...policy('introspection'), 'clientSecret'], 'a', hidden],
    [['routes', 'r', 'match', 'cookies'], { session: 'a' }, hidden],
    [
      ['services', 's', 'loadBalancing', 'sticky'],
      { cookie: 'id', ttl: 60_000, secret: 'a' },
      { cookie: 'id', ttl: '1m', secret: hidden },
    ],
  ])('%j of %o', (path, value, written) => {
    expect(writtenAt(path, value)).toEqual(written);
  });

  test.each<[ValuePath, unknown]>([
    [policy('apiKey'), { header: 'x-k' }],
    [policy('rateLimit'), { key: 'ip' }],
    [['services', 's', 'loadBalancing', 'sticky', 'cookie'], 'session_id'],
    [['routes', 'tokens', 'priority'], 3],
    [['services', 'keys', 'panic'], true],
  ])('but not by the names of things: %j', (path, value) => {
    expect(writtenAt(path, value)).toEqual(value);
  });
});

test('certificates are told by their names and ends, and their keys not at all', () => {
  const authority = createAuthority('Root');
  const pair = authority.issue({ names: ['a.example'], days: 10 });
  const path: ValuePath = ['listeners', 'l', 'tls', 'certificates'];
  const written = writtenAt(path, [{ certFile: 'a.crt', keyFile: 'a.key', ...pair, cert: pair.cert + authority.ca }]);
  const until = expect.stringMatching(
    /^a\.example until \d{4}-\d\d-\d\d \(SHA-256 ([0-9A-F]{2}:){7}[0-9A-F]{2}\.\.\.\), Root until /,
  );
  expect(written).toEqual([{ certFile: 'a.crt', keyFile: 'a.key', cert: until, key: hidden }]);
  const malformed = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  expect(writtenAt([...path, 'cert'], malformed)).toBe('a malformed certificate');
});
