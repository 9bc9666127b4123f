/** Who calls: what an authentication found reaches the upstream, what clients claim never does, and refusals say why to nobody but operators. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type AuthenticationOutcome, defineAuthentication, policyOf } from '../../src/pipeline/authentication.ts';
import { createIdentity } from '../../src/pipeline/identity.ts';
import type { Policy, PolicyExchange } from '../../src/pipeline/policy.ts';
import { configWith, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { valuesOf, type WireField } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const opened = closedAfterEach();

/** Takes the name in `X-Key`; `slow` does so later. */
function authentication(name: string, header: string): Policy {
  const find = (exchange: PolicyExchange): AuthenticationOutcome => {
    const subject = exchange.header(header);
    if (subject === undefined) return { reason: 'no key', error: 'error="invalid_request"' };
    const forward = { 'X-Tenant': 'blue' };
    return createIdentity({ kind: name, subject, roles: ['a', 'b'], consumer: 'acme', tier: 'pro', forward });
  };
  return policyOf(
    defineAuthentication({
      name,
      schema: z.unknown(),
      ownHeaders: () => ['X-Tenant', 'X-Tenant-ID'],
      create: () => ({
        challenge: `Test realm="${name}"`,
        effect: name,
        isPresent: (exchange) => exchange.header(header) !== undefined,
        authenticate: (exchange) =>
          header === 'x-slow' ? Promise.resolve().then(() => find(exchange)) : find(exchange),
      }),
    }) as never,
  );
}

type Ask = (path: string, fields?: string) => Promise<WireResponse>;

async function start(): Promise<{ ask: Ask; seen: WireField[][]; trailers: WireField[][]; port: number }> {
  const seen: WireField[][] = [];
  const trailers: WireField[][] = [];
  const origin = await startOrigin({
    onRequest: (request, connection) => {
      seen.push(request.fields);
      trailers.push(request.trailers);
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    },
  });
  const policies = [authentication('key', 'x-key'), authentication('slow', 'x-slow')];
  const route = (path: string, ...names: string[]) => ({
    name: path.slice(1),
    match: { path },
    service: 'origin',
    policies: names.map((name) => ({ [name]: {} })),
  });
  const services = [{ name: 'origin', endpoints: [origin.url] }];
  const routes = [route('/open'), route('/key', 'key'), route('/slow', 'slow')];
  const gateway = await startTestGateway(configWith({ services, routes }), policies);
  opened.push(origin, gateway);
  const ask: Ask = (path, fields = '') => exchange(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return { ask, seen, trailers, port: gateway.port };
}

const SPOOFED = [
  'X-User-ID: root',
  'x-user-roles: admin',
  'X_USER_ID: root',
  'x-consumer_name: bank',
  'X-Consumer-Tier: best',
  'X-Tenant: red',
  'x_tenant: red',
  'X-Tenant_ID: red',
  'X_Tenant-ID: red',
];

function identityFields(fields: readonly WireField[]): string[] {
  return fields
    .filter(({ name }) => /^x[-_](?:user|consumer|tenant)/i.test(name))
    .map(({ name, value }) => `${name}: ${value}`);
}

describe('identity', () => {
  test.each([
    ['/open', '', []],
    [
      '/key',
      'X-Key: ann\r\n',
      ['X-User-ID: ann', 'X-User-Roles: a,b', 'X-Consumer-Name: acme', 'X-Consumer-Tier: pro', 'X-Tenant: blue'],
    ],
    [
      '/slow',
      'X-Slow: bob\r\n',
      ['X-User-ID: bob', 'X-User-Roles: a,b', 'X-Consumer-Name: acme', 'X-Consumer-Tier: pro', 'X-Tenant: blue'],
    ],
  ])('of %s is what the gateway found, and never what the client claims', async (path, fields, expected) => {
    const { ask, seen } = await start();
    await ask(path, `${SPOOFED.join('\r\n')}\r\n${fields}`);
    await ask(path, `Connection: x-tenant, keep-alive\r\n${SPOOFED.join('\r\n')}\r\n${fields}`);
    expect(seen.map(identityFields)).toEqual([expected, expected]);
  });

  test('is not what the client claims in trailers', async () => {
    const { port, trailers } = await start();
    const lines = [...SPOOFED, 'X-Sum: 1', 'x_forwarded_for: 192.0.2.1'].join('\r\n');
    const fields = 'X-Key: ann\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE, close\r\n';
    const { status } = await exchange(
      port,
      `POST /key HTTP/1.1\r\nHost: a\r\n${fields}\r\n1\r\na\r\n0\r\n${lines}\r\n\r\n`,
    );
    expect(status).toBe(200);
    expect(trailers.map((all) => all.map(({ name }) => name))).toEqual([['X-Sum']]);
  });

  test.each([
    'X_Forwarded_For',
    'x-forwarded_for',
    'X_Forwarded_Proto',
    'X-Forwarded_Host',
    'x_forwarded_port',
    'X_Request_ID',
  ])('of client and request is never claimed by %s, which is the same behind CGI', async (name) => {
    const { ask, seen } = await start();
    await ask('/open', `${name}: forged\r\n`);
    expect(seen).toHaveLength(1);
    expect(seen[0].map((field) => field.value)).not.toContain('forged');
  });

  test.each(['/key', '/slow'])(
    'is asked for by 401 with a challenge on %s, and the upstream hears nothing',
    async (path) => {
      const { ask, seen } = await start();
      const { status, fields, body } = await ask(path);
      expect(status).toBe(401);
      expect(valuesOf(fields, 'www-authenticate')).toEqual([`Test realm="${path.slice(1)}", error="invalid_request"`]);
      expect(JSON.parse(body.toString())).toMatchObject({
        code: 'unauthenticated',
        status: 401,
        detail: 'a valid credential is required',
      });
      expect(body.toString()).not.toContain('no key');
      expect(seen).toEqual([]);
    },
  );

  test.each([
    ['bell\u0007 and ž', 'bell%07 and %C5%BE'],
    ['\ud800x', '?x'],
    ['a\r\nX-User-Roles: admin', 'a%0D%0AX-User-Roles: admin'],
    // Whoever reads a field leaves out the space at its ends: another name would be read than the one that was verified.
    ['  spaces in ', '%20%20spaces in%20'],
    ['\u00a0admin\ufeff', '%C2%A0admin%EF%BB%BF'],
    ['   ', '%20%20%20'],
  ])('%j becomes a safe field value', (subject, value) => {
    expect(createIdentity({ kind: 'test', subject }).lines).toBe(`X-User-ID: ${value}\r\n`);
  });
});

test('a Forwarded field that cannot be read does not give the client the address of its proxy', async () => {
  const gateway = await startTestGateway(
    configWith({
      listener: { trustedProxies: ['127.0.0.1/32'] },
      routes: [
        { name: 'all', match: { pathPrefix: '/' }, respond: {}, policies: [{ ipFilter: { allow: ['127.0.0.0/8'] } }] },
      ],
    }),
  );
  opened.push(gateway);
  const statusOf = async (forwarded: string): Promise<number> => {
    const request = `GET / HTTP/1.1\r\nHost: a\r\nForwarded: ${forwarded}\r\n\r\n`;
    return (await exchange(gateway.port, request)).status;
  };
  expect(await statusOf('for=198.51.100.7')).toBe(403);
  expect(await statusOf('for="\r\nForwarded: for=198.51.100.7')).toBe(400);
  expect(await statusOf('@@, for=198.51.100.7')).toBe(400);
  expect(await statusOf('for=127.0.0.9')).toBe(200);
});
