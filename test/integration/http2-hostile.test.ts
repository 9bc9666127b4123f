/** HTTP/2 between those who mean no good: clients that leave in the worst moment, and upstreams that say things twice. */

import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { FLAG, FRAME } from '../../src/http/http2-frames.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { http2Client } from '../support/http2-client.ts';
import {
  type FrameClient,
  fieldBlock,
  frame,
  frameClient,
  requestFields,
  requestFrame,
  resetFrame,
} from '../support/http2-frames.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { type OriginScript, startOrigin } from '../support/raw-origin.ts';
import { turn } from '../support/waiting.ts';

const NO_ERROR = 0;
const CANCEL = 8;

const opened = closedAfterEach();

async function setUp(script: OriginScript, extra: Parameters<typeof configFor>[1] = {}) {
  const origin = await startOrigin(script);
  const gateway = await startTestGateway(
    configFor([origin.url], { ...extra, listener: { protocols: ['h2', 'http/1.1'] } }),
  );
  opened.push(origin, gateway);
  return { origin, gateway };
}

async function framesTo({ port }: TestGateway): Promise<FrameClient> {
  const client = await frameClient(port);
  opened.push(client);
  return client;
}

function data(stream: number, size: number): Buffer {
  return frame(FRAME.data, 0, stream, Buffer.alloc(size, 97));
}

describe('a body that ends with', () => {
  const ends: [string, (client: FrameClient) => unknown][] = [
    ['a reset that says that nothing is wrong', (client) => client.send(resetFrame(1, NO_ERROR))],
    ['a cancellation', (client) => client.send(resetFrame(1, CANCEL))],
    ['the end of the connection', (client) => client.socket.end()],
    ['the loss of the connection', (client) => client.close()],
  ];
  test.each(ends)('%s is not passed on as a complete one', async (_, leave) => {
    const { origin, gateway } = await setUp({});
    const client = await framesTo(gateway);
    await client.send(requestFrame(1, '/upload', { method: 'POST', endStream: false }), data(1, 1000));
    await origin.until(() => origin.bytesReceived > 1000, 'the body');
    await leave(client);
    await origin.until(() => origin.connections[0].ended !== null, 'the connection to be cut');
    expect(origin.requests).toEqual([]);
    await expect.poll(() => gateway.gateway.active).toBe(0);
  });
});

describe('a stream that is reset while its body waits', () => {
  test.each([false, true])('is answered by nothing, and nobody else is harmed (100-continue: %s)', async (expects) => {
    const service = { connections: { max: 1, queueTimeout: '700ms' } };
    const { origin, gateway } = await setUp({ onRequest: () => {} }, { service });
    const client = await framesTo(gateway);
    await client.send(requestFrame(1, '/first'));
    await origin.request(0);
    const fields = requestFields('/second', 'POST');
    if (expects) fields.push(['expect', '100-continue']);
    await client.send(frame(FRAME.headers, FLAG.endHeaders, 3, fieldBlock(fields)), data(3, 1000));
    await expect.poll(() => gateway.gateway.active).toBe(2);
    for (let i = 0; i < 5; i++) await turn();
    await client.send(data(3, 1000), resetFrame(3, NO_ERROR));
    await expect.poll(() => gateway.gateway.active).toBe(1);
    expect(client.frames.filter(({ stream }) => stream === 3)).toEqual([]);
    expect(client.ended).toBe(false);
  });
});

describe('a field that is there twice, of which the library takes one,', () => {
  const SINGLE = ['content-type', 'etag', 'location', 'x-content-type-options', 'retry-after'];
  test.each(SINGLE)('%s: in an answer and in an interim one', async (name) => {
    const lines = `${name}: a\r\n${name}: b\r\n`;
    const { gateway } = await setUp({
      onRequest: (_, connection) =>
        connection.write(
          `HTTP/1.1 103 Early Hints\r\n${lines}\r\nHTTP/1.1 200 OK\r\n${lines}Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok`,
        ),
    });
    const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
    opened.push(client);
    const answer = await client.request({ ':path': '/', ':authority': 'a' });
    expect([answer.status, answer.headers[name], answer.body.toString()]).toEqual([200, 'a, b', 'ok']);
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  });

  test('in the trailers of an answer', async () => {
    const { gateway } = await setUp({
      onRequest: (_, connection) =>
        connection.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nETag: a\r\nETag: b\r\n\r\n',
        ),
    });
    const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
    opened.push(client);
    const answer = await client.request({ ':path': '/', ':authority': 'a' });
    expect([answer.reset, answer.body.toString(), answer.trailers.etag]).toEqual([0, 'ok', 'a, b']);
  });

  test('in the trailers of a request to an upstream of HTTP/2', async () => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(200, { 'x-etag': request.trailers.etag ?? 'none' }).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(server);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const gateway = await startTestGateway(configFor([url], { service: { protocol: 'h2c' } }));
    const client = await rawClient(gateway.port);
    opened.push(gateway, client);
    await client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nETag: a\r\nETag: b\r\n\r\n',
    );
    expect(headerOf(await client.answer(), 'x-etag')).toBe('a, b');
  });
});

test('a Host that :authority belies is refused, whatever other fields end alike', async () => {
  const { origin, gateway } = await setUp({});
  const client = await framesTo(gateway);
  const fields: [string, string][] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a.test'],
    ['host', 'b.test'],
    ['x-host', 'a.test'],
  ];
  await client.send(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, fieldBlock(fields)));
  await client.until(() => client.frames.some(({ type }) => type === FRAME.headers), 'the refusal');
  expect(origin.requests).toEqual([]);
});
