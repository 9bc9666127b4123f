/** A relayed connection is explained: its route, its endpoint, and why not the others. */
import { beforeAll, describe, expect, test } from 'vitest';
import { configOf, configWith } from '../../test/support/gateway.ts';
import type { GatewayConfig } from '../config/model.ts';
import { builtInPolicies } from './built-in-policies.ts';
import { type ExplainConnection, explainConnection, parseServerName } from './explain-connection.ts';

const document = {
  version: 1,
  onInvalidRoute: 'quarantine',
  listeners: [
    { name: 'web', address: '127.0.0.1:8080' },
    { name: 'mail', address: '127.0.0.1:8025', mode: 'tcp' },
    { name: 'secure', address: '127.0.0.1:8443', mode: 'tls-passthrough' },
  ],
  services: [
    { name: 'smtp', endpoints: ['tcp://127.0.0.1:1', 'tcp://127.0.0.1:2'], proxyProtocol: 'v2' },
    { name: 'hashed', endpoints: ['tcp://a:1', 'tcp://b:1', 'tcp://c:1'], loadBalancing: { algorithm: 'ip-hash' } },
    { name: 'drained', endpoints: [{ url: 'tcp://127.0.0.1:4', drain: true }] },
  ],
  routes: [
    { name: 'requests', match: { path: '/' }, respond: { status: 204 } },
    { name: 'smtp', match: { listeners: ['mail'] }, service: 'smtp' },
    { name: 'db', match: { sni: ['db.example.com'] }, service: 'hashed' },
    { name: 'drained', match: { sni: ['drained.example.com'] }, service: 'drained' },
    { name: 'broken', match: { sni: ['broken.example.com'] }, service: 'nobody' },
    { name: 'lost', match: { listeners: ['nowhere'] }, service: 'smtp' },
  ],
};

let config: GatewayConfig;

beforeAll(async () => {
  config = await configOf(document);
});

function explain(connection: ExplainConnection, from: GatewayConfig = config) {
  return explainConnection(from, connection, builtInPolicies);
}

describe('a connection is explained', () => {
  test('with the route that takes it, why others do not, and the endpoint', async () => {
    expect(await explain({ listener: 'mail' })).toEqual({
      route: 'smtp',
      candidates: [
        { route: 'db', matched: false, reason: 'server name is not db.example.com' },
        { route: 'drained', matched: false, reason: 'server name is not drained.example.com' },
        { route: 'broken', matched: false, reason: 'server name is not broken.example.com' },
        { route: 'smtp', matched: true, reason: 'chosen' },
        { route: 'lost', matched: false, reason: expect.stringMatching(/^quarantined, and its match is broken: /) },
      ],
      policies: [],
      service: 'smtp',
      endpoints: [
        { id: '127.0.0.1:1', url: 'tcp://127.0.0.1:1', weight: 1, chosen: true },
        { id: '127.0.0.1:2', url: 'tcp://127.0.0.1:2', weight: 1, chosen: false },
      ],
      request: null,
      answer: null,
      connection: { listener: 'mail', protocol: 'TCP', sni: '', proxyProtocol: 'v2', error: null },
    });
  });

  test.each([
    ['db.example.com', 'db', null],
    ['nobody.example.com', null, 'route_not_found'],
    ['drained.example.com', 'drained', 'no_healthy_endpoint'],
    ['broken.example.com', 'broken', 'route_quarantined'],
  ])('for %s', async (sni, route, error) => {
    const connection = { listener: 'secure', protocol: 'TLS', sni, error };
    expect(await explain({ sni })).toMatchObject({ route, connection });
    expect(await explain({ listener: 'secure', sni })).toMatchObject({ route, connection });
  });

  test('with the reason why its route is quarantined', async () => {
    expect(await explain({ sni: 'broken.example.com' })).toMatchObject({
      service: null,
      endpoints: [],
      quarantined: expect.stringContaining('nobody'),
    });
  });

  test('that names no server', async () => {
    expect(await explain({ listener: 'secure' })).toMatchObject({ route: null, connection: { sni: '' } });
  });

  test('for the client that it is of, where that decides', async () => {
    const chosen = new Set<string | undefined>();
    for (let host = 1; host < 30; host++) {
      const told = await explain({ sni: 'db.example.com', clientAddress: `192.0.2.${host}` });
      if ('fault' in told) throw new Error(told.fault);
      chosen.add(told.endpoints.find((endpoint) => endpoint.chosen)?.id);
    }
    expect([...chosen].sort()).toEqual(['a:1', 'b:1', 'c:1']);
  });
});

describe('no connection is explained', () => {
  test.each([
    [{ listener: 'mial' }, 'listener', 'there is no listener "mial"; did you mean "mail"?'],
    [{ listener: 'x\n"' }, 'listener', 'there is no listener "x\\n\\""'],
    [{ listener: 'web' }, 'listener', 'web serves requests: ask with a URL'],
    [{ listener: 'mail', sni: 'a' }, 'sni', 'mail is of mode tcp, and reads no server name'],
  ])('of %j', async (connection, part, fault) => {
    expect(await explain(connection)).toEqual({ part, fault });
  });

  test.each([
    [[], 'must be given: none reads a server name'],
    [['one', 'two'], 'must be given: one of one, two'],
  ])('where the listener is not told, and those that read names are %j', async (names, fault) => {
    const more = names.map((name) => ({ name, address: '127.0.0.1:0', mode: 'tls-passthrough' }));
    const other = (await configOf({
      ...configWith({ routes: [{ name: 'r', match: {}, respond: { status: 204 } }] }),
      listeners: [{ name: 'web', address: '127.0.0.1:0' }, ...more],
    })) as GatewayConfig;
    expect(await explain({ sni: 'a' }, other)).toEqual({ part: 'listener', fault });
  });
});

test.each([
  ['DB.Example.com', 'db.example.com'],
  ['', null],
  ['a b', null],
  ['a\r\nb', null],
  ['\u00e9.example', null],
  ['\u0000', null],
])('the server name %j is %j', (text, expected) => {
  expect(parseServerName(text)).toBe(expected);
});

test('a server name has at most 255 characters', () => {
  expect(parseServerName('x'.repeat(255))).toBe('x'.repeat(255));
  expect(parseServerName('x'.repeat(256))).toBe(null);
});
