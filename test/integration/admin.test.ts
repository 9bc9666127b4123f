/** The admin listener before a real gateway, in one process and in several: what it tells is what happens. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { type Server, serve } from '../../src/cli/serve.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { configOf, configWith } from '../support/gateway.ts';
import { closeManaged, startManagedTest } from '../support/managed.ts';
import { startOrigin } from '../support/raw-origin.ts';

const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function start(workers: number) {
  const origin = await startOrigin({ onRequest: (_request, connection) => connection.write(OK) });
  opened.push(() => origin.close());
  const document = configWith({
    services: [{ name: 'users', endpoints: [origin.url] }],
    routes: [
      { name: 'user-by-id', match: { path: '/users/{id}' }, service: 'users', rewrite: { path: '/internal/{id}' } },
      { name: 'broken', match: { path: '/broken' }, respond: { status: 500 } },
    ],
    workers,
    admin: { address: '127.0.0.1:0' },
  });
  const server = await serve(await configOf(document), { ...silentLogger });
  opened.push(() => server.stop());
  return { server, document, base: `http://127.0.0.1:${server.admin?.port}` };
}

interface Picture {
  routes: { durations: Record<'mean' | 'p50' | 'p90' | 'p99', number> }[];
  workers: { pid: number }[];
}

async function ask(url: string): Promise<Picture> {
  return (await fetch(url)).json() as Promise<Picture>;
}

/** Follows `/events`; `until` resolves with what came so far once `wanted` takes one. */
async function follow(base: string) {
  const [response] = (await once(get(`${base}/events`, { agent: false }), 'response')) as [IncomingMessage];
  opened.push(() => response.destroy());
  const seen: { type: string; [field: string]: unknown }[] = [];
  let rest = '';
  response.setEncoding('utf8').on('data', (piece: string) => {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const type = /^event: (.*)$/m.exec(block)?.[1];
      if (type !== undefined) seen.push({ type, ...JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '{}') });
    }
  });
  return {
    seen,
    response,
    async until(wanted: (event: (typeof seen)[number]) => boolean): Promise<void> {
      while (!seen.some(wanted)) await once(response, 'data');
    },
  };
}

function portOf(server: Server): number {
  return server.addresses[0].port;
}

describe.each([1, 2])('the admin listener of a gateway with workers: %i', (workers) => {
  test('/stats tells of all requests, whoever answered them', async () => {
    const { server, base } = await start(workers);
    const port = portOf(server);
    for (let i = 0; i < 6; i++) await (await fetch(`http://127.0.0.1:${port}/users/${i}`)).text();
    for (let i = 0; i < 2; i++) await (await fetch(`http://127.0.0.1:${port}/broken`)).text();
    const stats = await ask(`${base}/stats`);
    expect(stats).toMatchObject({ active: 0, total: { requests: 8, failed: 2, successRate: 75 } });
    expect(stats.routes).toMatchObject([
      { route: 'broken', service: '', requests: 2, failed: 2, successRate: 0 },
      { route: 'user-by-id', service: 'users', requests: 6, failed: 0, successRate: 100 },
    ]);
    const { mean, p50, p90, p99 } = stats.routes[1].durations;
    expect(mean).toBeGreaterThan(0);
    expect(p50).toBeGreaterThan(0);
    expect(p90).toBeGreaterThanOrEqual(p50);
    expect(p99).toBeGreaterThanOrEqual(p90);
  });

  test('/explain tells what `portico explain` tells, of the configuration that runs by then', async () => {
    const { server, base, document } = await start(workers);
    const url = '/users/42?full=1';
    const asked = `${base}/explain?url=${encodeURIComponent(url)}&header=X-A:%201`;
    const expected = await explainRequest(
      await configOf(document),
      { method: 'GET', url, headers: ['X-A: 1'] },
      builtInPolicies,
    );
    const told = await ask(asked);
    const trace = expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    expect(told).toEqual({
      ...expected,
      request: { ...expected.request, headers: { ...expected.request?.headers, traceparent: trace } },
    });
    expect(told).toMatchObject({ route: 'user-by-id', service: 'users', endpoints: [{ chosen: true }] });
    expect(await ask(asked.replace('/explain?', '/explain?method=POST&'))).toMatchObject({ route: 'user-by-id' });
    const changed = { ...document, routes: [{ name: 'other', match: { pathPrefix: '/' }, respond: { status: 204 } }] };
    await server.apply(await configOf(changed));
    expect(await ask(asked)).toMatchObject({ route: 'other', service: null, answer: { status: 204 } });
  });

  test('/stats, /gateway/health and /explain tell of relayed connections', async () => {
    const { server, base, document } = await start(workers);
    await server.apply(
      await configOf({
        ...document,
        listeners: [
          { name: 'mail', address: '127.0.0.1:0', mode: 'tcp' },
          { name: 'test', address: '127.0.0.1:0' },
        ],
        // Nobody listens on port 1.
        services: [{ name: 'smtp', endpoints: ['tcp://127.0.0.1:1'] }],
        routes: [{ name: 'mail', match: { listeners: ['mail'] }, service: 'smtp' }],
      }),
    );
    const one = connect(server.addresses.find(({ name }) => name === 'mail')?.port ?? 0, '127.0.0.1');
    await new Promise((resolve) =>
      one
        .on('error', () => {})
        .on('close', resolve)
        .resume(),
    );
    const failed = { active: 0, connections: 1, failed: 1, successRate: 0, ended: 1, bytesIn: 0, bytesOut: 0 };
    expect(await ask(`${base}/stats`)).toMatchObject({
      total: { requests: 0 },
      relays: { total: failed, routes: [{ route: 'mail', service: 'smtp', ...failed }] },
    });
    const health = await fetch(`${base}/gateway/health`);
    expect(health.status).toBe(503);
    expect(await health.json()).toEqual({ status: 'unhealthy', total: 1, failed: 1, successRate: 0 });
    expect(await ask(`${base}/explain?listener=mail`)).toMatchObject({
      route: 'mail',
      service: 'smtp',
      endpoints: [{ url: 'tcp://127.0.0.1:1', chosen: true }],
      connection: { listener: 'mail', protocol: 'TCP', error: null },
    });
    for (const [query, detail] of [
      ['listener=test', 'listener: test serves requests: ask with a URL'],
      ['listener=mail&sni=a', 'sni: mail is of mode tcp, and reads no server name'],
      ['listener=mial', 'listener: there is no listener "mial"; did you mean "mail"?'],
    ]) {
      const refused = await fetch(`${base}/explain?${query}`);
      expect([refused.status, await refused.json()]).toMatchObject([400, { detail: `Bad query: ${detail}.` }]);
    }
  });

  test('/events tells of a configuration that goes live, and ends when the gateway begins to stop', async () => {
    const { server, base, document } = await start(workers);
    const events = await follow(base);
    await server.apply(await configOf({ ...document, limits: { concurrentRequests: 77 } }));
    await events.until(({ type, generation }) => type === 'config' && generation === 2);
    expect(events.seen).toEqual([{ type: 'config', at: expect.any(String), result: 'applied', generation: 2 }]);
    const ended = once(events.response, 'end');
    await Promise.all([server.stop(), ended]);
  });

  test('/events tells of an endpoint that goes down', async () => {
    const { server, base, document } = await start(workers);
    const events = await follow(base);
    // Nobody listens on port 1.
    const services = [{ name: 'users', endpoints: ['http://127.0.0.1:1'], passive: { failures: 1 } }];
    await server.apply(await configOf({ ...document, services }));
    expect((await fetch(`http://127.0.0.1:${portOf(server)}/users/1`)).status).toBe(502);
    await events.until(({ type }) => type === 'health');
    expect(events.seen.at(-1)).toMatchObject({
      type: 'health',
      service: 'users',
      endpoint: '127.0.0.1:1',
      healthy: false,
      reason: expect.stringContaining('connect-failure'),
    });
  });
});

test('/events tells of a worker that ends and of the one in its place', async () => {
  const { base } = await start(2);
  const events = await follow(base);
  const { workers } = await ask(`${base}/status`);
  process.kill(workers[0].pid, 'SIGKILL');
  await events.until(({ state }) => state === 'running');
  expect(events.seen).toMatchObject([
    { type: 'worker', pid: workers[0].pid, state: 'ended', reason: 'signal SIGKILL' },
    { type: 'worker', state: 'running' },
  ]);
  expect(events.seen[1].pid).not.toBe(workers[0].pid);
});

test('/events tells of a configuration that could not go live', async () => {
  const document = `version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
workers: 1
logging: { level: silent, access: false }
routes: [{ name: all, match: { pathPrefix: / }, respond: { status: 204 } }]
`;
  const gateway = await startManagedTest(document);
  opened.push(closeManaged);
  const events = await follow(gateway.admin);
  gateway.write(document.replace('status: 204', 'status: 2040'));
  expect((await fetch(`${gateway.admin}/reload`, { method: 'POST' })).status).toBe(422);
  await events.until(({ type }) => type === 'config');
  expect(events.seen).toMatchObject([
    { type: 'config', result: 'failed', generation: 1, cause: 'api', error: expect.stringContaining('error') },
  ]);
});
