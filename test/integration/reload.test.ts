/** Changing a running gateway: nothing in flight is lost, what stays keeps its connections, and what is wrong changes nothing. */

import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configFor, configOf, configWith, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { startProxied } from '../support/proxied.ts';
import { rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { freePort } from '../support/services.ts';

const opened = closedAfterEach();

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a reload', () => {
  test('lets a request in flight end on the generation on which it began', async () => {
    let release = (): void => {};
    const slow = await startOrigin({
      onRequest: (_request, connection) => {
        release = () => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold');
      },
    });
    const fresh = await startOrigin({
      onRequest: (_request, connection) => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew'),
    });
    const { gateway, port, close } = await startTestGateway(configFor([slow.url]));
    opened.push(slow, fresh, { close });
    const first = await rawClient(port);
    const second = await rawClient(port);
    opened.push(first, second);
    await first.send(GET);
    await slow.request(0);
    expect(await gateway.apply(await configOf(configFor([fresh.url])))).toBe(true);
    await second.send(GET);
    expect((await second.answer()).body.toString()).toBe('new');
    release();
    expect((await first.answer()).body.toString()).toBe('old');
    // The old endpoint belongs to no generation now: its connection is let go.
    await slow.until(() => slow.open.length === 0, 'the old connections to be closed');
    await first.send(GET);
    expect((await first.answer()).body.toString()).toBe('new');
  });

  test('keeps connections and counts of endpoints that stay, and equal content is no new generation', async () => {
    const { origin, gateway: started, client } = await startProxied(opened);
    const { gateway } = started;
    await client.send(GET);
    await client.answer();
    expect(await gateway.apply(await configOf(configFor([origin.url])))).toBe(false);
    expect(gateway.generation).toBe(1);
    await gateway.apply(await configOf(configFor([origin.url], { route: { priority: 3 } })));
    expect(gateway.generation).toBe(2);
    await client.send(GET);
    await client.answer();
    expect(origin.connections).toHaveLength(1);
    expect(gateway.current?.services.get('origin')?.endpoints[0].requests).toBe(2);
  });

  test('that cannot have its address changes nothing', async () => {
    const { origin, gateway: started, client } = await startProxied(opened);
    const { gateway } = started;
    const taken = createServer();
    opened.push(taken);
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    const wanted = await configOf(configFor([origin.url], { listener: { address } }));
    await expect(gateway.apply(wanted)).rejects.toThrow(/EADDRINUSE/);
    expect(gateway.generation).toBe(1);
    await client.send(GET);
    expect((await client.answer()).status).toBe(200);
  });

  test('moves listeners: new ones answer, old ones end after their answers', async () => {
    const { origin, gateway: started, client } = await startProxied(opened);
    const { gateway } = started;
    await client.send(GET);
    await client.answer();
    await gateway.apply(await configOf(configFor([origin.url], { listener: { name: 'other' } })));
    expect(await client.untilClosed()).toBe('end');
    const moved = await rawClient(gateway.addresses[0].port);
    opened.push(moved);
    await moved.send(GET);
    expect((await moved.answer()).status).toBe(200);
  });
});

test('an address that one change gives up can be had by the next', async () => {
  const listener = { name: 'public', address: '127.0.0.1:0' };
  const { gateway, close } = await startTestGateway({ version: 1, listeners: [listener] });
  const address = `127.0.0.1:${await freePort()}`;
  const both = await configOf({ version: 1, listeners: [listener, { name: 'other', address }] });
  const one = await configOf({ version: 1, listeners: [listener] });
  for (let i = 0; i < 10; i++) {
    await gateway.apply(both);
    await gateway.apply(one);
  }
  expect(gateway.addresses).toHaveLength(1);
  await close();
});

describe('stopping', () => {
  test('serves while it drains, then ends what is idle and waits for what is busy', async () => {
    let release = (): void => {};
    const origin = await startOrigin({
      onRequest: (request, connection) => {
        const answer = (): void => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        if (request.target === '/slow') release = answer;
        else answer();
      },
    });
    const config = { ...configFor([origin.url]), shutdown: { drain: '100ms', timeout: '5s' } };
    const { gateway, port, close } = await startTestGateway(config);
    const idle = await rawClient(port);
    const busy = await rawClient(port);
    opened.push(origin, { close }, idle, busy);
    await idle.send(GET);
    await idle.answer();
    await busy.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await origin.request(1);
    const stopped = gateway.stop();
    expect(gateway.state).toBe('draining');
    await idle.send(GET);
    expect((await idle.answer()).status).toBe(200);
    expect(await idle.untilClosed()).toBe('end');
    await expect(rawClient(port)).rejects.toThrow(/ECONNREFUSED/);
    release();
    const answer = await busy.answer();
    expect(answer.fields.find(({ name }) => name.toLowerCase() === 'connection')?.value).toBe('close');
    expect(await stopped).toBe(0);
    expect(gateway.state).toBe('stopped');
  });

  test('cuts at the timeout, and says how many', async () => {
    const origin = await startOrigin({ onRequest: () => {} });
    const config = { ...configFor([origin.url]), shutdown: { drain: '0ms', timeout: '60ms' } };
    const { gateway, port, close } = await startTestGateway(config);
    const client = await rawClient(port);
    opened.push(origin, { close }, client);
    await client.send(GET);
    await origin.request(0);
    expect(await gateway.stop()).toBe(1);
    expect(await client.untilClosed()).toBeDefined();
  });

  test('does not wait for a slow reader of the access log beyond its time', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portico-stop-'));
    const fifo = join(directory, 'access.log');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    opened.push({ close: () => rmSync(directory, { recursive: true }) }, { close: () => closeSync(reader) });
    const { gateway, port, close } = await startTestGateway(
      configWith({
        routes: [{ name: 'all', match: { pathPrefix: '/' }, respond: { status: 200 } }],
        shutdown: { drain: '0ms', timeout: '50ms' },
        logging: { level: 'silent', access: { file: fifo } },
      }),
    );
    const client = await rawClient(port);
    opened.push({ close }, client);
    const requests = 50;
    const length = 16 * 1024;
    for (let i = 0; i < requests; i++) {
      await client.send(`GET /${'x'.repeat(length)} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.answer();
    }
    // It always takes something, so nobody could call it dead; all of it would take ten seconds.
    let read = 0;
    const page = Buffer.alloc(4096);
    const slowly = setInterval(() => {
      read += readSync(reader, page);
    }, 50);
    await gateway.stop();
    clearInterval(slowly);
    expect(gateway.state).toBe('stopped');
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan((requests * length) / 2);
  });
});

test('policies of the answer also act on the gateway’s own answers, and cannot break the head', async () => {
  const { port, close } = await startTestGateway(
    configWith({
      routes: [{ name: 'teapot', match: { path: '/teapot' }, respond: { status: 418, body: 'short and stout\n' } }],
      policies: [{ responseHeaders: { set: { 'X-Gateway': 'portico' }, remove: ['cache-control'] } }],
    }),
  );
  const client = await rawClient(port);
  opened.push({ close }, client);
  await client.send('GET /teapot HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n');
  const teapot = await client.answer();
  const none = await client.answer();
  expect([teapot.status, none.status]).toEqual([418, 404]);
  for (const { fields } of [teapot, none]) {
    expect(fields.find(({ name }) => name === 'X-Gateway')?.value).toBe('portico');
    expect(fields.some(({ name }) => name.toLowerCase() === 'cache-control')).toBe(false);
  }
});
