/** HTTP/2 from clients, with prior knowledge: the same requests, policies and refusals as over HTTP/1. */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePolicy } from '../../src/pipeline/policy.ts';
import { configFor, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { answerOf, type Http2Client, http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { type Origin, type OriginScript, startOrigin } from '../support/raw-origin.ts';
import { listOf, valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

async function setUp(
  script: OriginScript = {},
  extra: Parameters<typeof configFor>[1] = {},
): Promise<{ origin: Origin; gateway: TestGateway; client: Http2Client }> {
  const origin = await startOrigin(script);
  const listener = { protocols: ['h2', 'http/1.1'], ...extra.listener };
  const gateway = await startTestGateway(configFor([origin.url], { ...extra, listener }));
  const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
  opened.push(origin, gateway, client);
  return { origin, gateway, client };
}

/** Nothing is left of requests or upstream connections that were given up. */
async function atRest(gateway: TestGateway): Promise<void> {
  await expect.poll(() => gateway.gateway.active).toBe(0);
}

describe('a request', () => {
  test('arrives as one of HTTP/1.1, with its cookies in one field', async () => {
    const { origin, client, gateway } = await setUp();
    const answer = await client.request({
      ':path': '/a?b=c',
      ':authority': 'shop.example',
      cookie: ['a=1', 'b=2'],
      'x-many': ['1', '2'],
      te: 'trailers',
    });
    expect([answer.status, answer.body.toString(), answer.reset]).toEqual([200, 'ok', 0]);
    const { method, target, fields } = await origin.request(0);
    expect([method, target]).toEqual(['GET', '/a?b=c']);
    expect(valuesOf(fields, 'host')).toEqual(['shop.example']);
    expect(valuesOf(fields, 'cookie')).toEqual(['a=1; b=2']);
    expect(listOf(fields, 'x-many')).toEqual(['1', '2']);
    expect(listOf(fields, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(valuesOf(fields, 'x-request-id')).toEqual([answer.headers['x-request-id']]);
    expect(answer.headers.connection).toBeUndefined();
    await atRest(gateway);
  });

  test('of HTTP/1 is served on the same address', async () => {
    const { gateway } = await setUp();
    const client = await rawClient(gateway.port);
    opened.push(client);
    await client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(headerOf(await client.answer(), 'x-request-line')).toBe('GET /x');
  });

  test.each(['POST', 'PUT', 'DELETE'])('%s with a body of known and of unknown length', async (method) => {
    const { origin, client } = await setUp();
    const body = 'x'.repeat(100_000);
    const headers = { ':method': method, ':path': '/', ':authority': 'a' };
    expect((await client.request({ ...headers, 'content-length': body.length }, body)).status).toBe(200);
    expect((await client.request(headers, body)).status).toBe(200);
    const [known, unknown] = [await origin.request(0), await origin.request(1)];
    expect([known.body.toString('latin1'), unknown.body.toString('latin1')]).toEqual([body, body]);
    expect(valuesOf(known.fields, 'content-length')).toEqual([String(body.length)]);
    expect(valuesOf(unknown.fields, 'transfer-encoding')).toEqual(['chunked']);
  });

  test('HEAD, 204 and 304 have no body', async () => {
    const { client } = await setUp({
      onRequest: ({ method, target }, connection) => {
        const status = target === '/204' ? '204 No Content' : target === '/304' ? '304 Not Modified' : '200 OK';
        connection.write(`HTTP/1.1 ${status}\r\n${target === '/204' ? '' : 'Content-Length: 5\r\n'}\r\n`);
        if (target === '/200' && method !== 'HEAD') connection.write('12345');
      },
    });
    for (const [method, path, status] of [
      ['HEAD', '/200', 200],
      ['GET', '/204', 204],
      ['GET', '/304', 304],
    ] as const) {
      const answer = await client.request({ ':method': method, ':path': path, ':authority': 'a' });
      expect([answer.status, answer.body.length, answer.reset]).toEqual([status, 0, 0]);
    }
  });

  test('many at once share the connection, each with its own answer', async () => {
    const { client, gateway } = await setUp();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => client.request({ ':path': `/${i}`, ':authority': 'a' })),
    );
    expect(answers.map(({ headers }) => headers['x-request-line'])).toEqual(answers.map((_, i) => `GET /${i}`));
    await atRest(gateway);
    expect(gateway.gateway.connections).toBe(1);
  });
});

describe('bodies and trailers', () => {
  test('trailers pass both ways', async () => {
    const { origin, client } = await setUp({
      onRequest: (_, connection) =>
        connection.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n',
        ),
    });
    const stream = client.session.request(
      { ':method': 'POST', ':path': '/', ':authority': 'a', te: 'trailers' },
      { endStream: false, waitForTrailers: true },
    );
    const answer = answerOf(stream);
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-up': '1' }));
    stream.end('body');
    const { trailers, body } = await answer;
    expect([body.toString(), trailers['x-sum']]).toEqual(['hi', '7']);
    expect(valuesOf((await origin.request(0)).trailers, 'x-up')).toEqual(['1']);
  });

  test('trailers that frame or authenticate are refused', async () => {
    const { client, gateway } = await setUp();
    const stream = client.session.request(
      { ':method': 'POST', ':path': '/', ':authority': 'a' },
      { endStream: false, waitForTrailers: true },
    );
    const answer = answerOf(stream);
    stream.on('wantTrailers', () => stream.sendTrailers({ authorization: 'x' }));
    stream.end('body');
    expect((await answer).status).toBe(400);
    await atRest(gateway);
  });

  test('interim answers are passed on, and 100 Continue is asked for', async () => {
    const { client } = await setUp({
      onHead: (_, connection) =>
        connection.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n'),
    });
    const stream = client.open({ ':method': 'POST', ':path': '/', ':authority': 'a', expect: '100-continue' });
    const interim: unknown[] = [];
    stream.on('headers', (headers) => interim.push([headers[':status'], headers.link]));
    const answer = answerOf(stream);
    await once(stream, 'continue');
    stream.end('x');
    expect((await answer).status).toBe(200);
    expect(interim).toEqual([
      [103, '</a>'],
      [100, undefined],
    ]);
  });

  test('a slow reader holds the upstream back, and gets everything', async () => {
    const size = 20 * 1024 * 1024;
    let written = 0;
    const { client, gateway } = await setUp({
      onRequest: (_, { socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        const chunk = Buffer.alloc(64 * 1024, 97);
        const more = (): void => {
          while (written < size) {
            written += chunk.length;
            if (!socket.write(chunk)) return void socket.once('drain', more);
          }
        };
        more();
      },
    });
    const stream = client.session.request({ ':path': '/', ':authority': 'a' });
    await once(stream, 'response');
    stream.pause();
    let before = -1;
    // What stands between origin and client is bounded: the origin comes to a stop.
    await expect
      .poll(
        () => {
          const still = written === before;
          before = written;
          return still;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(written).toBeLessThan(size);
    let received = 0;
    stream.on('data', (chunk: Buffer) => (received += chunk.length));
    stream.resume();
    await once(stream, 'close');
    expect(received).toBe(size);
    await atRest(gateway);
  });
});

test('fields of a connection that a policy of somebody else sets are left out, and the process lives', async () => {
  const stubborn = definePolicy({
    name: 'stubborn',
    phase: 'answer',
    schema: z.strictObject({}),
    create: () => ({
      effect: 'sets what it should not',
      onResponse: ({ responseEdits }) => {
        for (const name of ['x-a', 'connection', 'keep-alive', 'te', 'upgrade']) responseEdits.add(name, 'close');
        for (const value of ['1', '2']) responseEdits.add('content-location', value);
      },
    }),
  });
  const config = configWith({
    listener: { protocols: ['h2'] },
    routes: [{ name: 'r', match: {}, respond: {}, policies: [{ stubborn: {} }] }],
  });
  const gateway = await startTestGateway(config, [stubborn]);
  const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
  opened.push(gateway, client);
  const { status, headers } = await client.request({ ':path': '/', ':authority': 'a' });
  expect([status, headers['x-a'], headers['content-location']]).toEqual([200, 'close', '1, 2']);
  expect([headers.connection, headers['keep-alive'], headers.te, headers.upgrade]).toEqual(Array(4).fill(undefined));
  await atRest(gateway);
});

describe('what is refused', () => {
  test.each([
    ['a head beyond the limit', { 'x-a': 'x'.repeat(3000) }, 431],
    ['an authority that is none', { ':authority': 'a:b' }, 400],
    ['two hosts', { host: 'other' }, 400],
    ['a path that climbs', { ':path': '/../..' }, 400],
    ['an unknown expectation', { expect: 'tea' }, 417],
    ['CONNECT without a protocol', { ':method': 'CONNECT', ':path': undefined, ':scheme': undefined }, 405],
  ])('%s', async (_, headers, status) => {
    const { client, gateway, origin } = await setUp({}, { listener: { limits: { requestHead: '2KiB' } } });
    const all = { ':path': '/', ':authority': 'a', ...headers };
    const answer = await client.request(all);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    // The others on the connection are none the worse.
    expect((await client.request({ ':path': '/', ':authority': 'a' })).status).toBe(200);
    expect(origin.connections.flatMap(({ requests }) => requests)).toHaveLength(1);
    await atRest(gateway);
  });

  test('a body beyond the limit, declared or not', async () => {
    const { client, gateway } = await setUp({}, { listener: { limits: { requestBody: '10KiB' } } });
    const headers = { ':method': 'POST', ':path': '/', ':authority': 'a' };
    expect((await client.request({ ...headers, 'content-length': 20_000 }, 'x'.repeat(20_000))).status).toBe(413);
    expect((await client.request(headers, 'x'.repeat(20_000))).status).toBe(413);
    await atRest(gateway);
  });

  test('a body that stalls', async () => {
    const { client, gateway } = await setUp({}, { listener: { timeouts: { bodyIdle: '100ms' } } });
    const stream = client.open({ ':method': 'POST', ':path': '/', ':authority': 'a' });
    stream.write('x');
    expect((await answerOf(stream)).status).toBe(408);
    await atRest(gateway);
  });
});

describe('ends', () => {
  test.each([
    ['of known length', 'Content-Length: 10\r\n\r\n123'],
    ['of unknown length', 'Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n'],
  ])('an answer %s that is cut upstream is cut for the client', async (_, rest) => {
    const { client, gateway } = await setUp({
      onRequest: (_, connection) => {
        connection.write(`HTTP/1.1 200 OK\r\n${rest}`);
        connection.end();
      },
    });
    const answer = await client.request({ ':path': '/', ':authority': 'a' });
    expect(answer.reset).not.toBe(constants.NGHTTP2_NO_ERROR);
    await atRest(gateway);
  });

  test('a client that gives up ends the request upstream', async () => {
    const { client, gateway, origin } = await setUp({ onRequest: () => {} });
    const stream = client.session.request({ ':path': '/', ':authority': 'a' });
    stream.on('error', () => {});
    await origin.request(0);
    stream.close(constants.NGHTTP2_CANCEL);
    await atRest(gateway);
    await expect.poll(() => origin.connections[0].ended).not.toBeNull();
  });

  test('a connection that dies ends all of its requests', async () => {
    const { client, gateway, origin } = await setUp({ onRequest: () => {} });
    const { active } = gateway.gateway;
    expect(active).toBe(0);
    for (let i = 0; i < 5; i++) client.session.request({ ':path': '/', ':authority': 'a' }).on('error', () => {});
    await origin.request(0);
    client.session.destroy();
    await atRest(gateway);
    await expect.poll(() => gateway.gateway.connections).toBe(0);
  });

  test('a drain lets the request under way end, and takes those that come before the client knows', async () => {
    let release = (): void => {};
    const { client, gateway, origin } = await setUp({
      onRequest: ({ target }, connection) => {
        const answer = (): void => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        if (target === '/slow') release = answer;
        else answer();
      },
    });
    const slow = client.request({ ':path': '/slow', ':authority': 'a' });
    await origin.request(0);
    const goaway = once(client.session, 'goaway');
    const stopped = gateway.gateway.stop(0, 5000);
    expect((await goaway).slice(0, 1)).toEqual([constants.NGHTTP2_NO_ERROR]);
    release();
    expect((await slow).status).toBe(200);
    expect(await stopped).toBe(0);
  });

  test('an idle connection is ended', async () => {
    const { client } = await setUp({}, { listener: { timeouts: { keepAlive: '100ms' } } });
    await once(client.session, 'close');
  });
});

test('a client that does not say what it speaks is not waited for', async () => {
  const { gateway } = await setUp({}, { listener: { timeouts: { requestHead: '100ms' } } });
  const client = await rawClient(gateway.port);
  opened.push(client);
  await client.send('PRI');
  await expect.poll(() => client.ended).not.toBeNull();
});

test('a client that gives up stream after stream is cut, counted and told', async () => {
  const { client, gateway } = await setUp({ onRequest: () => {} });
  const goaway = once(client.session, 'goaway');
  let asked = 0;
  while (!client.session.destroyed && !client.session.closed && asked < 5000) {
    asked += 50;
    for (let i = 0; i < 50; i++) {
      const stream = client.session.request({ ':path': '/', ':authority': 'a' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await goaway)[0]).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  await expect.poll(() => gateway.gateway.connections).toBe(0);
  await atRest(gateway);
  expect(gateway.gateway.metrics.render()).toContain('fault="http2_flood"} 1');
});

test('what is not HTTP/2 after its preface is refused, counted and told', async () => {
  const lines: unknown[] = [];
  const logger = {
    level: 'warn' as const,
    debug: () => {},
    info: () => {},
    warn: (...line: unknown[]) => lines.push(line),
    error: () => {},
  };
  const config = configWith({
    listener: { protocols: ['h2', 'http/1.1'] },
    routes: [{ name: 'r', match: {}, respond: {} }],
    logging: { level: 'warn', access: false },
  });
  const gateway = await startTestGateway(config, [], logger);
  const client = await rawClient(gateway.port);
  opened.push(gateway, client);
  await client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame at all, and never was one');
  await expect.poll(() => lines).toMatchObject([['connection refused', { listener: 'test', fault: 'http2_protocol' }]]);
  expect(gateway.gateway.metrics.render()).toContain(
    'portico_connection_faults_total{listener="test",fault="http2_protocol"} 1',
  );
  await expect.poll(() => gateway.gateway.connections).toBe(0);
});
