/** API keys on their way through a gateway. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configOf, configWith, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { joinedValue, type WireField } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const opened = closedAfterEach();

const KEY = 'pk_acme01_for-trying-only-0123456789abcdef';

const acme = {
  name: 'acme',
  tier: 'pro',
  apiKeys: [
    {
      id: 'acme01',
      sha256: '7A2F7564CE78935A49D041E372D84E4AC1EB2430E9160E1683FD7E886DFEF347',
      scopes: ['orders:read'],
    },
  ],
};

type Ask = (path: string, fields?: string) => Promise<WireResponse>;

async function startWith(policies: object[]): Promise<{ ask: Ask; seen: WireField[][] }> {
  const seen: WireField[][] = [];
  const origin = await startOrigin({
    onRequest: ({ fields }, connection) => {
      seen.push(fields);
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    },
  });
  const gateway = await startTestGateway(
    configWith({
      tiers: { pro: { rate: 100 } },
      consumers: [acme],
      services: [{ name: 'origin', endpoints: [origin.url] }],
      routes: [{ name: 'orders', match: { pathPrefix: '/orders' }, service: 'origin', policies }],
    }),
  );
  opened.push(origin, gateway);
  const ask: Ask = (path, fields = '') => exchange(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return { ask, seen };
}

describe('a declared key', () => {
  test.each([
    ['alone', [{ apiKey: {} }]],
    ['as one of several ways', [{ anyOf: [{ apiKey: { header: 'x-api-key' } }, { anonymous: {} }] }]],
  ])('%s says to the upstream who calls, and stays here itself', async (_name, policies) => {
    const { ask, seen } = await startWith(policies);
    expect((await ask('/orders', `X-Api-Key: ${KEY}\r\nX-Consumer-Name: bank\r\n`)).status).toBe(200);
    expect(joinedValue(seen[0], 'x-consumer-name')).toBe('acme');
    expect(joinedValue(seen[0], 'x-consumer-tier')).toBe('pro');
    expect(joinedValue(seen[0], 'x-user-id')).toBeUndefined();
    expect(joinedValue(seen[0], 'x-api-key')).toBeUndefined();
  });

  test('is asked for, and all that is wrong with one is told alike', async () => {
    const { ask, seen } = await startWith([{ apiKey: {} }]);
    const answers = [
      await ask('/orders'),
      await ask('/orders', 'X-Api-Key: \r\n'),
      await ask('/orders', `X-Api-Key: ${KEY}0\r\n`),
      await ask('/orders', 'X-Api-Key: pk_nobody_for-trying-only-0123456789abcdef\r\n'),
      await ask('/orders', `X-Api-Key: ${KEY}\r\nX-Api-Key: ${KEY}\r\n`),
      await ask('/orders', `Authorization: Bearer ${KEY}\r\n`),
      await ask(`/orders?x-api-key=${KEY}`),
    ];
    for (const { status, fields, body } of answers) {
      expect(status).toBe(401);
      expect(joinedValue(fields, 'www-authenticate')).toBe('ApiKey realm="portico", header="x-api-key"');
      const { instance, ...problem } = JSON.parse(body.toString());
      expect(problem).toMatchObject({ code: 'unauthenticated', detail: 'a valid credential is required' });
      expect(instance).toBe(joinedValue(fields, 'x-request-id'));
    }
    expect(seen).toEqual([]);
  });

  test('that lacks a scope is forbidden, and the client is not told which', async () => {
    const { ask } = await startWith([{ apiKey: { scopes: ['orders:write'] } }]);
    const { status, body } = await ask('/orders', `X-Api-Key: ${KEY}\r\n`);
    expect(status).toBe(403);
    expect(body.toString()).not.toContain('orders:write');
  });
});

test('no place of credentials is written to the access log, whatever it is called and whenever it came to be', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'portico-'));
  opened.push({ close: () => rmSync(directory, { recursive: true }) });
  const file = join(directory, 'access.log');
  const fields = ['path', 'query', 'header.x-partner', 'header.cookie', 'header.referer'];
  const config = (policies: object[]): object =>
    configWith({
      logging: { level: 'silent', access: { file, fields, redact: [] } },
      consumers: [acme],
      tiers: { pro: { rate: 100 } },
      routes: [{ name: 'orders', match: { pathPrefix: '/' }, respond: { status: 200 }, policies }],
    });
  const jwt = { secret: 'x'.repeat(32), from: [{ cookie: 'session' }] };
  const gateway = await startTestGateway(config([]));
  opened.push(gateway);
  const ask = async (key: string): Promise<void> => {
    const client = await rawClient(gateway.port);
    opened.push(client);
    const head = `X-Partner: ${key}\r\nCookie: a=b; session=${key}\r\nReferer: http://a/?k%65y=${key}\r\n`;
    await client.send(`GET /?a=b&key=${key} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${head}\r\n`);
    await client.answer();
  };
  await ask('seen');
  const policies = [{ anyOf: [{ apiKey: { header: 'X-Partner', query: 'key' } }, { jwt }] }];
  await gateway.gateway.apply(await configOf(config(policies)));
  await ask(KEY);
  await gateway.gateway.stop(0);
  const text = readFileSync(file, 'utf8');
  expect(text.match(/seen/g)).toHaveLength(4);
  expect(text).toContain('a=b&key=[redacted]');
  expect(text).not.toContain(KEY);
});
