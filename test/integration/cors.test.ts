/** CORS in a running gateway: which route a preflight belongs to, and what a page sees of answers of every kind. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import type { Policy } from '../../src/pipeline/policy.ts';
import { configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { untilQuiet } from '../support/quiet.ts';
import { exchange, headerOf, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import { valuesOf } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const opened = closedAfterEach();

const APP = 'https://app.example.com';
const CORS = { cors: { origins: [APP], methods: ['GET', 'POST'], credentials: true } };

/** Refuses everybody, as authentication does. */
const guard: Policy = {
  name: 'guard',
  phase: 'guard',
  schema: z.unknown(),
  create: () => ({
    effect: 'refuses',
    onRequest: () => ({ status: 401, headers: {}, body: '', code: 'unauthenticated', detail: 'who is there' }),
  }),
};

async function start(routes: object[], policies: object[] = []): Promise<{ gateway: TestGateway; origin: Origin }> {
  const origin = await startOrigin({
    onRequest: (request, connection) =>
      connection.write(
        `HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\nContent-Length: 2\r\n\r\n${request.method === 'HEAD' ? '' : 'ok'}`,
      ),
  });
  opened.push(origin);
  const services = [{ name: 'origin', endpoints: [origin.url] }];
  const gateway = await startTestGateway(
    configWith({
      services,
      routes: routes.map((route) => ('respond' in route ? route : { service: 'origin', ...route })),
      policies,
    }),
    [guard],
  );
  opened.push(gateway);
  return { gateway, origin };
}

function ask(port: number, line: string, fields: Record<string, string> = {}): Promise<WireResponse> {
  const lines = Object.entries({ Host: 'a', Origin: APP, ...fields }).map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(port, `${line} HTTP/1.1\r\n${lines.join('')}\r\n`, line.split(' ')[0]);
}

const preflight = (port: number, path: string, method: string, more?: Record<string, string>): Promise<WireResponse> =>
  ask(port, `OPTIONS ${path}`, { 'Access-Control-Request-Method': method, ...more });

const allowedIn = (answer: WireResponse): [number, string | undefined, string | undefined] => [
  answer.status,
  headerOf(answer, 'access-control-allow-origin'),
  headerOf(answer, 'access-control-allow-methods'),
];

const ALLOWED = [204, APP, 'GET, POST'];

describe('a preflight', () => {
  test('is answered for the route of the method it asks for, before who calls is asked, and goes no further', async () => {
    const { gateway, origin } = await start([
      { name: 'read', match: { path: '/x', methods: ['GET'] }, policies: [{ guard: {} }, CORS] },
      {
        name: 'write',
        match: { path: '/x', methods: ['PUT'] },
        policies: [{ cors: { origins: ['*'], methods: ['PUT'] } }],
      },
      { name: 'bare', match: { path: '/x', methods: ['DELETE'] } },
    ]);
    const { port } = gateway;
    const answer = await preflight(port, '/x', 'GET');
    expect(allowedIn(answer)).toEqual(ALLOWED);
    expect([headerOf(answer, 'access-control-allow-credentials'), headerOf(answer, 'access-control-max-age')]).toEqual([
      'true',
      '600',
    ]);
    expect([headerOf(answer, 'content-length'), headerOf(answer, 'transfer-encoding')]).toEqual([undefined, undefined]);
    expect(valuesOf(answer.fields, 'vary').join(', ')).toContain('Origin');
    expect(allowedIn(await preflight(port, '/x', 'HEAD'))).toEqual(ALLOWED);
    expect(allowedIn(await preflight(port, '/x', 'PUT'))).toEqual([204, '*', 'PUT']);
    // Neither the route of that method nor any other has the policy.
    for (const method of ['DELETE', 'PATCH']) {
      const refused = await preflight(port, '/x', method);
      expect(allowedIn(refused)).toEqual([405, undefined, undefined]);
      expect(headerOf(refused, 'allow')).toBe('DELETE, GET, HEAD, PUT');
    }
    expect((await preflight(port, '/elsewhere', 'GET')).status).toBe(404);
    expect(allowedIn(await preflight(port, '/x', 'GET', { Origin: 'https://evil.example' }))).toEqual([
      204,
      undefined,
      undefined,
    ]);
    expect(origin.requests).toHaveLength(0);
    const page = [...gateway.gateway.metrics.pieces()].join('');
    expect(page).toMatch(/http_requests_total\{route="read",[^}]*method="OPTIONS",status="204"\} 3/);
    await untilQuiet(gateway);
  });

  test('of a path that nothing serves is answered by the policy of all routes, so that the page sees the 404', async () => {
    const route = { name: 'by-header', match: { path: '/x', methods: ['GET'], headers: { 'x-v': '2' } } };
    const { gateway } = await start([route], [CORS]);
    for (const path of ['/x', '/nowhere'])
      expect(allowedIn(await preflight(gateway.port, path, 'GET'))).toEqual(ALLOWED);
    const missing = await ask(gateway.port, 'GET /nowhere');
    expect(allowedIn(missing)).toEqual([404, APP, undefined]);
  });

  test('goes to a route for OPTIONS where nothing answers it', async () => {
    const { gateway, origin } = await start([
      { name: 'get', match: { path: '/x', methods: ['GET'] } },
      { name: 'options', match: { path: '/x', methods: ['OPTIONS'] } },
      { name: 'cors', match: { path: '/y', methods: ['GET'] }, policies: [CORS] },
    ]);
    expect(allowedIn(await preflight(gateway.port, '/x', 'GET'))).toEqual([200, '*', undefined]);
    expect(origin.requests[0]).toMatchObject({ method: 'OPTIONS', target: '/x' });
  });

  test('is none without an origin or a method: such a request is one like others', async () => {
    const { gateway, origin } = await start(
      [
        { name: 'x', match: { path: '/x', methods: ['GET'] } },
        { name: 'y', match: { path: '/y' } },
      ],
      [CORS],
    );
    expect((await ask(gateway.port, 'OPTIONS /x')).status).toBe(405);
    expect(allowedIn(await ask(gateway.port, 'OPTIONS /y'))).toEqual([200, APP, undefined]);
    expect((await ask(gateway.port, 'OPTIONS /y', { 'Access-Control-Request-Method': 'A B' })).status).toBe(200);
    expect(origin.requests.map(({ method }) => method)).toEqual(['OPTIONS', 'OPTIONS']);
    expect((await preflight(gateway.port, '*', 'GET')).status).toBe(204);
  });

  test('with a body, and one after another on a connection', async () => {
    const { gateway } = await start([{ name: 'x', match: { path: '/x', methods: ['GET'] }, policies: [CORS] }]);
    const client = await rawClient(gateway.port);
    opened.push(client);
    const head = `OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: ${APP}\r\nAccess-Control-Request-Method: GET\r\n`;
    await client.send(`${head}Content-Length: 5\r\n\r\nhello${head}\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect([(await client.answer()).status, (await client.answer()).status, (await client.answer()).status]).toEqual([
      204, 204, 200,
    ]);
  });
});

describe('an answer', () => {
  test('of the upstream has the fields of the policy and not its own', async () => {
    const { gateway, origin } = await start([{ name: 'x', match: { path: '/x' }, policies: [CORS] }]);
    const answer = await ask(gateway.port, 'GET /x');
    expect(valuesOf(answer.fields, 'access-control-allow-origin')).toEqual([APP]);
    expect(valuesOf(answer.fields, 'vary')).toEqual(['Accept', 'Origin']);
    const other = await ask(gateway.port, 'GET /x', { Origin: 'https://evil.example' });
    expect([
      other.status,
      valuesOf(other.fields, 'access-control-allow-origin'),
      valuesOf(other.fields, 'vary'),
    ]).toEqual([200, [], ['Accept', 'Origin']]);
    expect(valuesOf((await origin.request(0)).fields, 'origin')).toEqual([APP]);
  });

  test.each([
    ['a refusal of a policy', 'GET /guarded', 401],
    ['a route’s own', 'GET /static', 418],
    ['an upstream that is not there', 'GET /gone', 502],
    ['a method that is not served', 'POST /static', 405],
    ['a route that is out of service', 'GET /broken', 503],
  ])('that the gateway makes itself has them: %s', async (_, line, status) => {
    const config = configWith({
      services: [{ name: 'gone', endpoints: ['http://127.0.0.1:1'] }],
      routes: [
        { name: 'guarded', match: { path: '/guarded' }, service: 'gone', policies: [{ guard: {} }] },
        { name: 'static', match: { path: '/static', methods: ['GET'] }, respond: { status: 418 } },
        { name: 'gone', match: { path: '/gone' }, service: 'gone' },
        { name: 'broken', match: { path: '/broken' }, service: 'nobody' },
      ],
      policies: [CORS],
      onInvalidRoute: 'quarantine',
    });
    const gateway = await startTestGateway(config, [guard]);
    opened.push(gateway);
    expect(allowedIn(await ask(gateway.port, line))).toEqual([status, APP, undefined]);
    if (status !== 405) expect(allowedIn(await preflight(gateway.port, line.slice(4), 'GET'))).toEqual(ALLOWED);
  });
});

test('explain tells which route a preflight belongs to', async () => {
  const config = await configOf(
    configWith({
      routes: [
        { name: 'get', match: { path: '/x', methods: ['GET'] }, respond: {}, policies: [CORS] },
        { name: 'put', match: { path: '/x', methods: ['PUT'] }, respond: {} },
      ],
    }),
  );
  const headers = [`Origin: ${APP}`, 'Access-Control-Request-Method: GET'];
  const explained = await explainRequest(config, { method: 'OPTIONS', url: '/x', headers }, builtInPolicies);
  expect(explained).toMatchObject({
    route: 'get',
    candidates: [
      { route: 'get', matched: true },
      { route: 'put', matched: false, reason: 'method is not PUT' },
    ],
    policies: [{ name: 'cors', phase: 'guard' }],
    answer: { status: 204 },
  });
});
