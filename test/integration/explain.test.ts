/** What `explain` tells of requests that do not come as plain HTTP/1.1: by TLS, as calls of gRPC, as WebSockets. */
import { beforeAll, expect, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/model.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { explainConnection } from '../../src/gateway/explain-connection.ts';
import { createAuthority } from '../support/certificates.ts';
import { configOf } from '../support/gateway.ts';

let config: GatewayConfig;

beforeAll(async () => {
  const { cert, key } = createAuthority().issue({ names: ['shop.example'] });
  const tls = { certificates: [{ certFile: 'shop.crt', keyFile: 'shop.key' }] };
  const file = {
    version: 1,
    listeners: [
      { name: 'raw', address: '127.0.0.1:8025', mode: 'tcp' },
      { name: 'plain', address: '127.0.0.1:8080' },
      { name: 'shop', address: '127.0.0.1:8443', tls },
      { name: 'partners', address: '127.0.0.1:8444', tls },
    ],
    services: [
      { name: 'calls', protocol: 'grpc', endpoints: ['http://127.0.0.1:9'] },
      { name: 'chat', endpoints: ['http://127.0.0.1:9'] },
      { name: 'mail', endpoints: ['tcp://127.0.0.1:9'] },
    ],
    routes: [
      { name: 'calls', match: { pathPrefix: '/x.Y' }, service: 'calls', timeout: '3s' },
      { name: 'chat', match: { path: '/chat' }, service: 'chat', websocket: {} },
      { name: 'mail', match: { listeners: ['raw'] }, service: 'mail' },
    ],
  };
  config = await configOf(file, [], { 'shop.crt': cert, 'shop.key': key });
});

function explain(method: string, url: string, ...headers: string[]) {
  return explainRequest(config, { method, url, headers }, builtInPolicies);
}

test.each([
  ['/chat', 'http', '8080'],
  ['http://shop.example/chat', 'http', '8080'],
  ['https://shop.example/chat', 'https', '8443'],
  ['https://shop.example:8444/chat', 'https', '8444'],
  ['https://shop.example:8080/chat', 'http', '8080'],
  ['https://shop.example:1/chat', 'https', '8443'],
])('%s comes in at the listener that fits it', async (url, proto, port) => {
  const headers = { 'x-forwarded-proto': proto, 'x-forwarded-port': port };
  expect(await explain('GET', url)).toMatchObject({ route: 'chat', request: { headers } });
});

test('a call of gRPC comes by HTTP/2 where that is spoken, and is refused elsewhere', async () => {
  const type = 'content-type: application/grpc';
  expect(await explain('POST', 'https://shop.example/x.Y/Z', type, 'grpc-timeout: 2S')).toMatchObject({
    route: 'calls',
    request: { url: 'http://127.0.0.1:9/x.Y/Z', headers: { 'content-type': 'application/grpc' } },
    answer: null,
  });
  expect(await explain('POST', 'http://shop.example/x.Y/Z', type)).toMatchObject({
    route: 'calls',
    request: null,
    answer: { status: 415, code: 'unsupported_media_type' },
  });
});

test('a call of gRPC-Web is shown as the call that it becomes', async () => {
  expect(await explain('POST', 'http://shop.example/x.Y/Z', 'content-type: application/grpc-web+proto')).toMatchObject({
    route: 'calls',
    request: { headers: { 'content-type': 'application/grpc+proto', te: 'trailers' } },
  });
});

test('ws:// and wss:// stand for the handshake, in which what is given is kept', async () => {
  const handshake = { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' };
  expect(await explain('GET', 'wss://shop.example/chat')).toMatchObject({
    route: 'chat',
    request: { headers: { ...handshake, host: 'shop.example', 'x-forwarded-proto': 'https' } },
  });
  expect(await explain('GET', 'ws://shop.example/chat', 'Sec-WebSocket-Version: 8')).toMatchObject({
    answer: { status: 426, code: 'upgrade_required' },
  });
});

test('who calls, who may and how much decide as they would, and a refusal tells its reason', async () => {
  const sha256 = '7a2f7564ce78935a49d041e372d84e4ac1eb2430e9160e1683fd7e886dfef347';
  const key = 'x-api-key: pk_acme01_for-trying-only-0123456789abcdef';
  const access = await configOf({
    version: 1,
    listeners: [{ name: 'plain', address: '127.0.0.1:8080' }],
    tiers: { free: { rate: 1, quotas: { day: 10 } } },
    consumers: [{ name: 'acme', apiKeys: [{ id: 'acme01', sha256, scopes: ['orders:read'] }] }],
    services: [{ name: 'orders', endpoints: ['http://127.0.0.1:9'] }],
    routes: [
      { name: 'read', match: { methods: ['GET'] }, ...guarded('orders:read') },
      { name: 'write', match: { methods: ['POST'] }, ...guarded('orders:write') },
    ],
  });
  const ask = (method: string, ...headers: string[]) =>
    explainRequest(access, { method, url: '/orders', headers }, builtInPolicies);

  const granted = await ask('GET', key);
  expect(granted).toMatchObject({ answer: null, request: { headers: { 'x-consumer-name': 'acme' } } });
  expect(granted).not.toHaveProperty('reason');
  expect(await ask('GET')).toMatchObject({ request: null, answer: { status: 401 }, reason: 'no API key' });
  expect(await ask('POST', key)).toMatchObject({ answer: { status: 403 }, reason: 'not the permission orders:write' });
});

function guarded(permission: string) {
  const limits = [{ rateLimit: { tiers: { default: 'free' } } }, { rateLimit: { limit: 5, mode: 'shadow' } }];
  const policies = [
    { apiKey: {} },
    { authorize: { permissions: [permission] } },
    ...limits,
    { concurrency: { max: 1 } },
  ];
  return { service: 'orders', policies };
}

test('limits say what they grant, count nothing, and refuse nobody', async () => {
  const limits = [
    { rateLimit: { limit: 1, per: '1h', key: 'ip' } },
    { rateLimit: { name: 'dear', tiers: { default: 'free' }, cost: 50 } },
  ];
  const tiers = { free: { rate: 10, per: '1s', quotas: { day: 20 } } };
  const limited = await configOf({
    version: 1,
    listeners: [{ name: 'plain', address: '127.0.0.1:8080' }],
    tiers,
    routes: [{ name: 'a', match: { path: '/a' }, respond: { status: 204 }, policies: limits }],
  });
  for (let i = 0; i < 2; i++) {
    const { policies, answer } = await explainRequest(
      limited,
      { method: 'GET', url: '/a', headers: [] },
      builtInPolicies,
    );
    expect(policies).toEqual([
      {
        name: 'rateLimit',
        phase: 'meter',
        effect: 'grants 1 in 1h (token-bucket), by address; the tier of who calls, by default free, by consumer',
      },
    ]);
    expect(answer?.status).toBe(204);
  }
});

test.each([
  [
    'a request',
    async (many: GatewayConfig) => explainRequest(many, { method: 'GET', url: '/r4000', headers: [] }, builtInPolicies),
  ],
  ['a connection', async (many: GatewayConfig) => explainConnection(many, { listener: 'raw' }, builtInPolicies)],
])('%s among thousands of routes is explained while others have their turns', async (_, explainAmong) => {
  const [, chat, mail] = config.routes;
  const routes = Array.from({ length: 5000 }, (_, index) => [
    { ...chat, name: `r${index}`, match: { path: `/r${index}` } },
    { ...mail, name: `m${index}` },
  ]).flat();
  let turns = 0;
  let over = false;
  const other = (): void => {
    turns++;
    if (!over) setImmediate(other);
  };
  setImmediate(other);
  const told = await explainAmong({ ...config, routes });
  over = true;
  if ('fault' in told) throw new Error(told.fault);
  expect([told.candidates.length, told.candidates.filter(({ matched }) => matched).map(({ route }) => route)]).toEqual([
    5000,
    [told.route],
  ]);
  expect(told.endpoints).toHaveLength(1);
  // Built at once it has none.
  expect(turns).toBeGreaterThan(6);
});
