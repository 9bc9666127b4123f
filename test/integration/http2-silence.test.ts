/** Clients of HTTP/2 that wait for an answer and say nothing: asked for a sign, and given up when none comes. */

import { expect, test } from 'vitest';
import { FRAME } from '../../src/http/http2-frames.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { http2Client } from '../support/http2-client.ts';
import { frameClient, requestFrame } from '../support/http2-frames.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import { Signal } from '../support/waiting.ts';

const opened = closedAfterEach();

/** The origin never answers. */
async function setUp(): Promise<{ origin: Origin; gateway: TestGateway }> {
  const origin = await startOrigin({ onRequest: () => {} });
  const listener = { protocols: ['h2', 'http/1.1'], timeouts: { keepAlive: '100ms' } };
  const gateway = await startTestGateway(configFor([origin.url], { listener }));
  opened.push(origin, gateway);
  return { origin, gateway };
}

test('a client that answers pings is kept, however long it waits', async () => {
  const { origin, gateway } = await setUp();
  const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
  opened.push(client);
  const signal = new Signal();
  let pings = 0;
  client.session.on('ping', () => {
    pings++;
    signal.notify();
  });
  void client.request({ ':path': '/', ':authority': 'a' });
  await origin.request(0);
  // More than one that is given up would have been sent.
  await signal.until(() => pings === 15, 'pings');
  expect([gateway.gateway.active, client.session.destroyed]).toEqual([1, false]);
});

test('one that does not is given up, and its request with it', async () => {
  const { origin, gateway } = await setUp();
  const client = await frameClient(gateway.port);
  opened.push(client);
  await client.send(requestFrame(1, '/'));
  await origin.request(0);
  await client.until(() => client.ended, 'the end of the connection');
  expect(client.frames.filter(({ type }) => type === FRAME.ping).length).toBeGreaterThan(1);
  await expect.poll(() => gateway.gateway.active).toBe(0);
  await origin.until(() => origin.open.length === 0, 'the end of the request at the origin');
});
