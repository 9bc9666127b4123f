/** The audit trail: who was refused what, and what operators did, as it stands in the file. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createIdentity } from '../../src/pipeline/identity.ts';
import type { Policy } from '../../src/pipeline/policy.ts';
import { configOf, configWith, startTestGateway } from '../support/gateway.ts';
import { closeManaged, startManagedTest } from '../support/managed.ts';
import { closedAfterEach } from '../support/opened.ts';
import { rawClient } from '../support/raw-client.ts';

// The last one named here is the first to be closed.
afterEach(closeManaged);
const opened = closedAfterEach();

function newFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'portico-audit-'));
  opened.push({ close: () => rmSync(directory, { recursive: true }) });
  return join(directory, 'audit.log');
}

function linesOf(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'latin1')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Refuses everybody, and says why to operators only. */
const refusing: Policy = {
  name: 'refusing',
  phase: 'authorize',
  schema: z.unknown(),
  create: () => ({
    effect: 'refuses',
    onRequest(exchange) {
      exchange.identify(createIdentity({ kind: 'test', subject: 'ann', consumer: 'acme', credential: 'k1' }));
      return { status: 403, code: 'forbidden', headers: {}, body: '', reason: 'lacks orders:write' };
    },
  }),
};

test('a refusal is a line with who, what, why and from where, and without what the client sent as a secret', async () => {
  const file = newFile();
  const gateway = await startTestGateway(
    configWith({
      listener: { trustedProxies: ['127.0.0.1/32'] },
      logging: { level: 'silent', access: false, audit: { file } },
      routes: [
        { name: 'orders', match: { path: '/orders' }, respond: {}, policies: [{ refusing: {} }] },
        { name: 'open', match: { path: '/open' }, respond: {} },
      ],
    }),
    [refusing],
  );
  opened.push(gateway);
  const client = await rawClient(gateway.port);
  opened.push(client);
  const secret = 'Authorization: Bearer geheim\r\nX-API-Key: geheim\r\nCookie: a=geheim\r\n';
  const get = (target: string): string =>
    `GET ${target} HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 198.51.100.7\r\n${secret}\r\n`;
  await client.send(get('/open') + get('/orders?token=geheim') + get('/nowhere'));
  const [, refused] = [await client.answer(), await client.answer(), await client.answer()];
  expect([refused.status, refused.body.includes('orders:write')]).toEqual([403, false]);
  await gateway.gateway.stop();
  const [line, ...others] = linesOf(file);
  expect(others).toEqual([]);
  expect(line).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: 'info',
    msg: 'audit',
    action: 'request',
    outcome: 'refused',
    target: 'orders',
    who: { kind: 'test', subject: 'ann', consumer: 'acme', tier: null, credential: 'k1' },
    client: '198.51.100.7',
    reason: 'lacks orders:write',
    status: 403,
    code: 'forbidden',
    request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    method: 'GET',
    host: 'shop.example',
    path: '/orders',
  });
  expect(readFileSync(file, 'latin1')).not.toContain('geheim');
});

test.each([1, 2])('what operators change, and who is turned away, is noted with %i workers', async (workers) => {
  const file = newFile();
  const token = 'an-admin-token-of-many-letters';
  const { admin, server } = await startManagedTest(`version: 1
workers: ${workers}
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", writes: true, token: ${token} }
logging: { access: false, audit: { file: "${file}" } }
shutdown: { drain: 0ms, timeout: 1s }
services: [{ name: users, registration: true, endpoints: [] }]
routes: [{ name: fixed, match: { path: /fixed }, respond: { status: 200 } }]
`);
  const call = async (method: string, path: string, bearer: string, body?: string): Promise<number> => {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    return (await fetch(`${admin}${path}`, { method, headers, body: body ?? null })).status;
  };
  const route = JSON.stringify({ match: { path: '/new' }, respond: { status: 204 } });
  expect(await call('GET', '/status', token)).toBe(200);
  expect(await call('GET', '/status', 'geheim')).toBe(401);
  expect(await call('PUT', '/routes/fresh?x=geheim', token, route)).toBe(400);
  expect(await call('PUT', '/routes/fresh', token, route)).toBe(201);
  expect(await call('DELETE', '/routes/none', token)).toBe(404);
  expect(await call('POST', '/services/users/endpoints', token, '{"url":"http://127.0.0.1:9"}')).toBe(201);
  await server.stop();
  expect(
    linesOf(file).map(({ action, outcome, target, status, who }) => [action, outcome, target, status, who]),
  ).toEqual([
    ['getStatus', 'refused', '/status', 401, null],
    ['putRoute', 'failed', '/routes/fresh', 400, { kind: 'admin' }],
    ['putRoute', 'done', '/routes/fresh', 201, { kind: 'admin' }],
    ['deleteRoute', 'failed', '/routes/none', 404, { kind: 'admin' }],
    ['registerEndpoint', 'done', '/services/users/endpoints/127.0.0.1%3A9', 201, { kind: 'admin' }],
  ]);
  const text = readFileSync(file, 'latin1');
  expect([text.includes('geheim'), text.includes(token)]).toEqual([false, false]);
});

test('a reload begins, moves and ends the trail', async () => {
  const [first, second] = [newFile(), newFile()];
  const textOf = (audit: unknown): object =>
    configWith({
      logging: { level: 'silent', access: false, audit },
      routes: [{ name: 'all', match: { pathPrefix: '/' }, respond: {}, policies: [{ refusing: {} }] }],
    });
  const gateway = await startTestGateway(textOf(false), [refusing]);
  opened.push(gateway);
  const client = await rawClient(gateway.port);
  opened.push(client);
  const refusedAs = async (path: string): Promise<void> => {
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect((await client.answer()).status).toBe(403);
  };
  await refusedAs('/unseen');
  for (const [audit, path] of [
    [{ file: first }, '/1'],
    [{ file: second }, '/2'],
    [false, '/3'],
    [{ file: first }, '/4'],
  ] as const) {
    await gateway.gateway.apply(await configOf(textOf(audit), [refusing]));
    await refusedAs(path);
  }
  await gateway.gateway.stop();
  const paths = (file: string) => linesOf(file).map(({ path }) => path);
  expect([paths(first), paths(second)]).toEqual([['/1', '/4'], ['/2']]);
});
