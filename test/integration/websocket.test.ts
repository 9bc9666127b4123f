/** WebSockets through the gateway, with the clients and servers of the `ws` library, and with hands where those are too polite. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { silentLogger } from '../../src/base/logger.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { definePolicy } from '../../src/pipeline/policy.ts';
import { createAuthority } from '../support/certificates.ts';
import { configFor, configOf, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { headerOf, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, type OriginConnection, type OriginScript, startOrigin } from '../support/raw-origin.ts';
import { PATIENCE, turn } from '../support/waiting.ts';
import {
  closeOf,
  echo,
  framesToClose,
  HANDSHAKE_KEY,
  handshake,
  messageOf,
  openWebSocket,
  refusedHandshake,
  startWebSocketOrigin,
  switching,
} from '../support/websocket.ts';
import { close, frame, KEY, readFrames } from '../support/websocket-frame.ts';

const opened: { close(): unknown }[] = [];
let watched: TestGateway | null = null;

async function until(look: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + PATIENCE; !look(); await turn()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
  }
}

/** Nothing is left of any socket: neither in the counts nor in the metrics. */
async function untilNothingIsLeft({ gateway }: TestGateway): Promise<void> {
  const services = [...(gateway.current?.services.values() ?? [])];
  await until(() => gateway.webSockets.size === 0 && gateway.active === 0, 'the WebSockets to end');
  await until(
    () => services.every(({ endpoints }) => endpoints.every(({ active }) => active === 0)),
    'endpoints to rest',
  );
  expect(gateway.metrics.render()).not.toMatch(/^portico_websocket_connections\{.*\} [1-9]/m);
  expect(gateway.metrics.render()).toMatch(/^http_active_requests 0$/m);
}

afterEach(async () => {
  const gateway = watched;
  watched = null;
  for (const one of opened.splice(0).reverse()) await one.close();
  if (gateway !== null) await untilNothingIsLeft(gateway);
});

async function gatewayTo(
  url: string,
  websocket: object = {},
  extra: object = {},
  rest: object = {},
): Promise<TestGateway> {
  const gateway = await startTestGateway({ ...configFor([url], { route: { websocket }, ...extra }), ...rest });
  opened.push(gateway);
  watched = gateway;
  return gateway;
}

/** A `ws` server that echoes, a gateway before it, and a `ws` client. */
async function setUp(websocket: object = {}, serverOptions: object = {}, clientOptions: object = {}) {
  const origin = await startWebSocketOrigin(serverOptions);
  opened.push(origin);
  const gateway = await gatewayTo(origin.url, websocket);
  const client = await openWebSocket(gateway.port, '/', [], clientOptions);
  opened.push({ close: () => client.terminate() });
  return { origin, gateway, client, server: origin.sockets[0] };
}

/** Hands on both sides of the gateway. */
async function byHand(
  script: OriginScript = { onRequest: (_request, connection) => connection.write(switching()) },
  websocket: object = {},
  extra: object = {},
): Promise<{ origin: Origin; gateway: TestGateway; client: RawClient }> {
  const origin = await startOrigin(script);
  opened.push(origin);
  const gateway = await gatewayTo(origin.url, websocket, extra);
  const client = await rawClient(gateway.port);
  opened.push(client);
  return { origin, gateway, client };
}

/** The same, with the handshake done. */
async function openByHand(websocket: object = {}) {
  const { origin, gateway, client } = await byHand(undefined, websocket);
  await client.send(handshake());
  expect((await client.answer()).status).toBe(101);
  const upstream = origin.connections[0];
  const head = upstream.received.length;
  const sent = (): Buffer => upstream.received.subarray(head);
  return { origin, gateway, client, upstream, sent };
}

function codeOf(answer: { body: Buffer | string }): string {
  return (JSON.parse(answer.body.toString()) as { code: string }).code;
}

describe('a conversation', () => {
  test('of text and binary messages is passed as it is', async () => {
    const { client } = await setUp();
    client.send('grüße');
    expect(await messageOf(client)).toEqual({ data: Buffer.from('grüße'), isBinary: false });
    client.send(Buffer.from([0, 255, 1]));
    expect(await messageOf(client)).toEqual({ data: Buffer.from([0, 255, 1]), isBinary: true });
    client.send('');
    expect((await messageOf(client)).data).toHaveLength(0);
  });

  test('in fragments, with pings between them', async () => {
    const { client, server } = await setUp();
    client.send('one ', { fin: false });
    client.ping('in between');
    expect(String((await once(server, 'ping'))[0])).toBe('in between');
    client.send('two ', { fin: false });
    client.send('three', { fin: true });
    expect(String((await messageOf(client)).data)).toBe('one two three');
    const pong = once(client, 'pong');
    client.ping('again');
    expect(String((await pong)[0])).toBe('again');
  });

  test.each([0, 1, 125, 126, 127, 65535, 65536, 200_000])('of %i bytes', async (size) => {
    const { client } = await setUp();
    const sent = Buffer.alloc(size, 'abc');
    client.send(sent);
    expect((await messageOf(client)).data.equals(sent)).toBe(true);
  });

  test('compressed passes through untouched', async () => {
    const options = { perMessageDeflate: { threshold: 0 } };
    const { client } = await setUp({ maxMessage: '2KiB' }, options, options);
    expect(client.extensions).toContain('permessage-deflate');
    // Its size on the wire counts, not what it unfolds to.
    const sent = 'x'.repeat(100_000);
    client.send(sent);
    expect(String((await messageOf(client)).data)).toBe(sent);
  });

  test('under a subprotocol', async () => {
    const origin = await startWebSocketOrigin({ handleProtocols: () => 'superchat' });
    opened.push(origin);
    const gateway = await gatewayTo(origin.url);
    const client = await openWebSocket(gateway.port, '/chat?room=1', ['chat', 'superchat']);
    expect(client.protocol).toBe('superchat');
    client.close();
    await closeOf(client);
  });

  test.each([
    ['the client', 4000, 'enough'],
    ['the server', 3000, ''],
  ])('ends with the code of %s', async (who, code, reason) => {
    const { client, server, gateway } = await setUp();
    const [first, second] = who === 'the client' ? [client, server] : [server, client];
    const ends = Promise.all([closeOf(first), closeOf(second)]);
    first.close(code, reason);
    expect(await ends).toEqual([code, code]);
    await untilNothingIsLeft(gateway);
    const label = code === 4000 ? '4xxx' : '3xxx';
    expect(gateway.gateway.metrics.render()).toContain(`portico_websocket_closes_total{route="all",code="${label}"} 1`);
  });

  test('with somebody who does not read does not fill the gateway', async () => {
    const { origin, client, server } = await setUp({ maxMessage: '64MiB' });
    server.pause();
    const chunk = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 32; i++) client.send(chunk);
    // What the system's buffers hold is gone; the rest waits with the client.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(client.bufferedAmount).toBeGreaterThan(16 * 1024 * 1024);
    let received = 0;
    const all = new Promise<void>((resolve) => {
      client.on('message', (data: Buffer) => {
        received += data.length;
        if (received === 32 * chunk.length) resolve();
      });
    });
    server.resume();
    await all;
    expect(origin.sockets).toHaveLength(1);
  });
});

describe('the handshake', () => {
  test('reaches the upstream as one of its own, and its answer the client', async () => {
    const { origin, client } = await byHand({
      onRequest: (_request, connection) =>
        connection.write(switching({ 'Sec-WebSocket-Protocol': 'chat', 'Set-Cookie': 'a=1', 'Keep-Alive': '5' })),
    });
    await client.send(
      handshake({ Connection: 'keep-alive, Upgrade', 'Sec-WebSocket-Protocol': 'chat', TE: 'trailers' }),
    );
    const answer = await client.answer();
    expect(answer.status).toBe(101);
    expect([headerOf(answer, 'upgrade'), headerOf(answer, 'connection')]).toEqual(['websocket', 'Upgrade']);
    expect([headerOf(answer, 'sec-websocket-protocol'), headerOf(answer, 'set-cookie')]).toEqual(['chat', 'a=1']);
    expect(headerOf(answer, 'keep-alive')).toBeUndefined();
    expect(headerOf(answer, 'x-request-id')).toBeDefined();
    const request = await origin.request(0);
    expect([headerOf(request, 'upgrade'), headerOf(request, 'connection')]).toEqual(['websocket', 'Upgrade']);
    expect([headerOf(request, 'te'), headerOf(request, 'host')]).toEqual([undefined, 'a']);
    expect(headerOf(request, 'sec-websocket-key')).toBe(HANDSHAKE_KEY);
    expect(headerOf(request, 'x-forwarded-for')).toBe('127.0.0.1');
  });

  test.each<[string, Record<string, string | null>, string, number, string]>([
    ['a POST', {}, 'POST / HTTP/1.1', 400, 'bad_request'],
    ['no Connection: upgrade', { Connection: 'keep-alive' }, 'GET / HTTP/1.1', 400, 'bad_request'],
    ['no key', { 'Sec-WebSocket-Key': null }, 'GET / HTTP/1.1', 400, 'bad_request'],
    ['a short key', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 'GET / HTTP/1.1', 400, 'bad_request'],
    ['a body', { 'Content-Length': '3' }, 'GET / HTTP/1.1', 400, 'bad_request'],
    ['no version', { 'Sec-WebSocket-Version': null }, 'GET / HTTP/1.1', 426, 'upgrade_required'],
    ['an old version', { 'Sec-WebSocket-Version': '8' }, 'GET / HTTP/1.1', 426, 'upgrade_required'],
  ])('with %s is refused', async (_name, fields, line, status, code) => {
    const { origin, client } = await byHand();
    await client.send(handshake(fields, line) + (fields['Content-Length'] === undefined ? '' : 'abc'));
    const answer = await client.answer();
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(headerOf(answer, 'sec-websocket-version')).toBe(status === 426 ? '13' : undefined);
    expect(origin.connections).toHaveLength(0);
  });

  test.each<[string, string]>([
    ['a wrong accept', switching({ 'Sec-WebSocket-Accept': 'x' })],
    ['no accept', switching({ 'Sec-WebSocket-Accept': null })],
    ['another protocol', switching({ Upgrade: 'h2c' })],
    ['a subprotocol that was not offered', switching({ 'Sec-WebSocket-Protocol': 'other' })],
    ['an extension that was not offered', switching({ 'Sec-WebSocket-Extensions': 'permessage-deflate' })],
  ])('that is answered with %s is 502', async (_name, bytes) => {
    const { origin, client } = await byHand({ onRequest: (_request, connection) => connection.write(bytes) });
    await client.send(handshake());
    const answer = await client.answer();
    expect([answer.status, codeOf(answer)]).toEqual([502, 'upstream_invalid_response']);
    await origin.until(() => origin.open.length === 0, 'the upstream connection to be cut');
  });

  test('that is refused by the upstream is answered as it says, and the connections go on', async () => {
    const { origin, client } = await byHand({
      onRequest: (_request, connection) => connection.write('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'),
    });
    for (let i = 0; i < 2; i++) {
      await client.send(handshake());
      const answer = await client.answer();
      expect([answer.status, answer.body.toString()]).toEqual([403, 'no']);
    }
    expect(origin.connections).toHaveLength(1);
  });

  test('that is refused by a policy is an ordinary answer', async () => {
    const deny = definePolicy({
      name: 'deny',
      phase: 'guard',
      schema: z.unknown(),
      create: () => ({
        effect: 'refuses',
        onRequest: () => ({ status: 401, headers: {}, body: '', code: 'unauthenticated' as const, detail: 'who?' }),
      }),
    });
    const origin = await startWebSocketOrigin();
    const config = configFor([origin.url], { route: { websocket: {}, policies: [{ deny: {} }] } });
    const gateway = await startTestGateway(config, [deny]);
    opened.push(origin, gateway);
    const refused = await refusedHandshake(gateway.port);
    expect([refused.status, codeOf(refused)]).toEqual([401, 'unauthenticated']);
    expect(origin.sockets).toHaveLength(0);
  });

  test('on a route without WebSockets is a plain request', async () => {
    const origin = await startOrigin();
    const gateway = await startTestGateway(configFor([origin.url]));
    const client = await rawClient(gateway.port);
    opened.push(origin, gateway, client);
    await client.send(handshake());
    expect((await client.answer()).status).toBe(200);
    expect(headerOf(await origin.request(0), 'upgrade')).toBeUndefined();
  });

  test.each([
    ['another protocol', handshake({ Upgrade: 'h2c' })],
    ['HTTP/1.0', handshake({}, 'GET / HTTP/1.0')],
    ['nothing', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('for %s is a plain request, also where there are WebSockets', async (_name, request) => {
    const { origin, client } = await byHand({});
    await client.send(request);
    expect((await client.answer()).status).toBe(200);
    expect(headerOf(await origin.request(0), 'upgrade')).toBeUndefined();
  });

  test('has the time of the service for answers, and no longer', async () => {
    const { client } = await byHand({ onRequest: () => {} }, {}, { service: { timeouts: { response: '50ms' } } });
    await client.send(handshake());
    expect((await client.answer()).status).toBe(504);
  });

  test('is what the timeout of the route bounds, not what comes after', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const gateway = await startTestGateway(configFor([origin.url], { route: { websocket: {}, timeout: '200ms' } }));
    opened.push(gateway);
    const client = await openWebSocket(gateway.port);
    await new Promise((resolve) => setTimeout(resolve, 400));
    client.send('still there');
    expect(String((await messageOf(client)).data)).toBe('still there');
    client.terminate();
  });

  test('finds another endpoint where the first cannot be reached', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const retry = { attempts: 2, on: ['connect-failure'], backoff: { base: '0ms' } };
    const config = configFor(['http://127.0.0.1:1', origin.url], { route: { websocket: {}, retry } });
    const gateway = await startTestGateway(config);
    opened.push(gateway);
    for (let i = 0; i < 2; i++) (await openWebSocket(gateway.port)).terminate();
    expect(origin.sockets).toHaveLength(2);
  });
});

describe('bytes that come with the handshake', () => {
  test('of the client are frames when the upstream has switched, and not before', async () => {
    let upstream: OriginConnection | null = null;
    const { client } = await byHand({ onRequest: (_request, connection) => void (upstream = connection) });
    const early = frame({ payload: 'early', mask: KEY });
    await client.send(Buffer.concat([Buffer.from(handshake()), early]));
    await until(() => upstream !== null, 'the handshake at the upstream');
    const connection = upstream as unknown as OriginConnection;
    const head = connection.received.length;
    expect(connection.received.includes(early)).toBe(false);
    connection.write(switching());
    expect((await client.answer()).status).toBe(101);
    await until(() => connection.received.length === head + early.length, 'the early frame');
    expect(connection.received.subarray(head)).toEqual(early);
  });

  test('of the client are the next request when the upstream refuses', async () => {
    const { origin, client } = await byHand({});
    await client.send(`${handshake()}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect((await client.answer()).status).toBe(200);
    expect(headerOf(await client.answer(), 'x-request-line')).toBe('GET /next');
    expect(origin.requests).toHaveLength(2);
  });

  test('of the upstream reach the client', async () => {
    const { client } = await byHand({
      onRequest: (_request, connection) =>
        connection.write(Buffer.concat([Buffer.from(switching()), frame({ payload: 'hello' })])),
    });
    await client.send(handshake());
    expect((await client.answer()).status).toBe(101);
    const bytes = await client.untilBytes(7);
    expect(readFrames(bytes).map(({ payload }) => payload.toString())).toEqual(['hello']);
  });
});

describe('who breaks the rules is closed, and the other side told', () => {
  test.each([
    ['a frame without a mask', frame({ payload: 'x' }), 1002],
    ['a reserved opcode', frame({ opcode: 3, mask: KEY }), 1002],
    ['a reserved bit', frame({ rsv: 0x40, mask: KEY }), 1002],
    ['a fragmented ping', frame({ opcode: 9, fin: false, mask: KEY }), 1002],
    ['a message that is too large', frame({ payload: Buffer.alloc(2000), mask: KEY }), 1009],
    ['a length beyond all', frame({ declare: 2n ** 62n, lengthBytes: 8, mask: KEY }), 1009],
  ])('the client with %s', async (_name, bytes, code) => {
    const { gateway, client, sent } = await openByHand({ maxMessage: '1KiB' });
    await client.send(Buffer.concat([frame({ payload: 'good', mask: KEY }), bytes]));
    expect((await framesToClose(client)).map((read) => read.code)).toEqual([code]);
    await until(() => readFrames(sent()).length === 2, 'the Close at the upstream');
    expect(readFrames(sent()).map((read) => [read.masked, read.payload.toString('latin1', 0, 4), read.code])).toEqual([
      [true, 'good', null],
      [true, expect.any(String), code === 1009 ? 1009 : 1001],
    ]);
    expect(await client.untilEnded()).toBe('end');
    client.close();
    const label = `portico_websocket_closes_total{route="all",code="${code}"} 1`;
    await until(() => gateway.gateway.metrics.render().includes(label), label);
  });

  test.each([
    ['a frame with a mask', frame({ payload: 'x', mask: KEY }), 1002, 1011],
    ['a continuation of nothing', frame({ opcode: 0 }), 1002, 1011],
    ['a message that is too large', frame({ payload: Buffer.alloc(2000) }), 1009, 1009],
  ])('the upstream with %s', async (_name, bytes, code, clientCode) => {
    const { client, upstream, sent } = await openByHand({ maxMessage: '1KiB' });
    upstream.write(Buffer.concat([frame({ payload: 'good' }), bytes]));
    const frames = await framesToClose(client);
    expect(frames.map((read) => [read.payload.toString('latin1', 0, 4), read.code])).toEqual([
      ['good', null],
      [expect.any(String), clientCode],
    ]);
    await until(() => readFrames(sent()).length === 1, 'the Close at the upstream');
    expect(readFrames(sent())[0]).toMatchObject({ masked: true, code });
  });

  test('with fragments that together are too large', async () => {
    const { client } = await setUp({ maxMessage: '1KiB' });
    client.send(Buffer.alloc(1000), { fin: false });
    client.send(Buffer.alloc(1000), { fin: true });
    expect(await closeOf(client)).toBe(1009);
  });
});

describe('silence', () => {
  test('of both sides ends a socket with 1001', async () => {
    const { client, server } = await setUp({ idleTimeout: '50ms' });
    expect(await Promise.all([closeOf(client), closeOf(server)])).toEqual([1001, 1001]);
  });

  test('is broken by pings', async () => {
    const { client, server } = await setUp({ idleTimeout: '300ms' });
    for (let i = 0; i < 6; i++) {
      client.ping();
      await once(server, 'ping');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(client.readyState).toBe(WebSocket.OPEN);
    expect(await closeOf(client)).toBe(1001);
  });
});

describe('a side that dies', () => {
  test('is told to the client by 1011, where it is the upstream', async () => {
    const { client, server } = await setUp();
    server.terminate();
    expect(await closeOf(client)).toBe(1011);
  });

  test.each(['reset', 'close'] as const)(
    'is seen by the upstream as that, where it is the client (%s)',
    async (how) => {
      const { client, upstream, sent, origin } = await openByHand();
      client[how]();
      await origin.until(() => upstream.ended !== null, 'the upstream connection to end');
      expect(sent()).toHaveLength(0);
    },
  );

  test('within a frame of the upstream is a cut for the client', async () => {
    const { client, upstream } = await openByHand();
    const half = frame({ payload: 'half of this' }).subarray(0, 6);
    upstream.write(half);
    await client.untilBytes(half.length);
    upstream.reset();
    await client.untilEnded();
    expect(client.unread).toEqual(half);
  });
});

describe('limits', () => {
  test('beyond maxConnections a handshake is 503, until one ends', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, { maxConnections: 2 });
    const first = await openWebSocket(gateway.port);
    const second = await openWebSocket(gateway.port);
    const refused = await refusedHandshake(gateway.port);
    expect([refused.status, codeOf(refused)]).toEqual([503, 'overloaded']);
    expect(refused.headers['retry-after']).toBeDefined();
    expect(gateway.gateway.metrics.render()).toContain('portico_websocket_connections{route="all"} 2');
    first.close();
    await closeOf(first);
    await until(() => gateway.gateway.webSockets.size === 1, 'the first to end');
    const third = await openWebSocket(gateway.port);
    second.terminate();
    third.terminate();
  });

  test('a handshake that fails gives its place back', async () => {
    const { gateway, client } = await byHand({}, { maxConnections: 1 });
    for (let i = 0; i < 3; i++) {
      await client.send(handshake());
      expect((await client.answer()).status).toBe(200);
    }
    await untilNothingIsLeft(gateway);
  });

  test('open sockets count neither as requests nor as connections of the pool', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const extra = { service: { connections: { max: 1, queue: 0 } } };
    const gateway = await gatewayTo(origin.url, {}, extra, { limits: { concurrentRequests: 1 } });
    const sockets = [];
    for (let i = 0; i < 3; i++) sockets.push(await openWebSocket(gateway.port));
    expect(gateway.gateway.active).toBe(0);
    expect(gateway.gateway.metrics.render()).toContain('status="101"} 3');
    for (const socket of sockets) socket.terminate();
  });
});

describe('while the gateway changes', () => {
  test('sockets live on over a reload, also of their route, and their generation with them', async () => {
    const origin = await startWebSocketOrigin();
    const other = await startWebSocketOrigin({}, (socket) => socket.on('message', () => socket.send('other')));
    opened.push(origin, other);
    const gateway = await gatewayTo(origin.url);
    const client = await openWebSocket(gateway.port);
    const former = gateway.gateway.current;
    await gateway.gateway.apply(await configOf(configFor([other.url], { route: { websocket: {} } })));
    client.send('hello');
    expect(String((await messageOf(client)).data)).toBe('hello');
    const fresh = await openWebSocket(gateway.port);
    fresh.send('hello');
    expect(String((await messageOf(fresh)).data)).toBe('other');
    expect(former?.active).toBe(1);
    client.close();
    await closeOf(client);
    await until(() => former?.active === 0, 'the former generation to end');
    fresh.terminate();
  });

  test('a limit counts sockets of former generations, and a route that comes back begins anew', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, { maxConnections: 5 });
    const client = await openWebSocket(gateway.port);
    const apply = async (route: object): Promise<unknown> =>
      gateway.gateway.apply(await configOf(configFor([origin.url], { route })));
    await apply({ websocket: { maxConnections: 1 } });
    expect((await refusedHandshake(gateway.port)).status).toBe(503);
    await apply({});
    expect((await refusedHandshake(gateway.port)).status).toBe(426);
    await apply({ websocket: { maxConnections: 2 } });
    const second = await openWebSocket(gateway.port);
    expect((await refusedHandshake(gateway.port)).status).toBe(503);
    client.terminate();
    second.terminate();
  });

  test('a drain closes sockets with 1001, also those that come during it', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, {}, {}, { shutdown: { drain: '400ms', timeout: '5s' } });
    const sockets = [];
    for (let i = 0; i < 4; i++) sockets.push(await openWebSocket(gateway.port));
    const ends = sockets.map((socket) => closeOf(socket));
    const stopped = gateway.gateway.stop();
    const late = await openWebSocket(gateway.port);
    expect(await Promise.all(ends)).toEqual([1001, 1001, 1001, 1001]);
    expect(late.readyState === WebSocket.CLOSED ? 1001 : await closeOf(late)).toBe(1001);
    expect(await stopped).toBe(0);
  });

  test('sockets that do not answer are cut when the shutdown has no more time', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portico-ws-'));
    opened.push({ close: () => rmSync(directory, { recursive: true }) });
    const file = join(directory, 'access.log');
    const origin = await startOrigin({ onRequest: (_request, connection) => connection.write(switching()) });
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, {}, {}, { logging: { level: 'silent', access: { file } } });
    const client = await rawClient(gateway.port);
    opened.push(client);
    await client.send(handshake());
    await client.answer();
    const stopped = gateway.gateway.stop(0, 100);
    expect((await framesToClose(client)).map(({ code }) => code)).toEqual([1001]);
    expect(await stopped).toBe(1);
    await client.untilEnded();
    await origin.until(() => origin.open.length === 0, 'the upstream connection to be cut');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ status: 101 });
  });
});

describe('a socket keeps to', () => {
  test('TLS, on both sides', async () => {
    const authority = createAuthority();
    const { cert, key } = authority.issue({ names: ['127.0.0.1'] });
    const tlsServer = createTlsServer({ cert, key });
    new WebSocketServer({ server: tlsServer }).on('connection', echo);
    tlsServer.listen(0, '127.0.0.1');
    await once(tlsServer, 'listening');
    opened.push({ close: () => tlsServer.close() });
    const { port: originPort } = tlsServer.address() as AddressInfo;
    const config = configFor([`https://127.0.0.1:${originPort}`], {
      listener: { tls: { certificates: [{ certFile: 'a.crt', keyFile: 'a.key' }] } },
      service: { tls: { caFile: 'ca.crt' } },
      route: { websocket: {} },
    });
    const files = { 'a.crt': cert, 'a.key': key, 'ca.crt': authority.ca };
    const gateway = await startTestGateway(config, [], { ...silentLogger }, files);
    opened.push(gateway);
    const client = new WebSocket(`wss://127.0.0.1:${gateway.port}/`, { ca: authority.ca });
    await once(client, 'open');
    for (const size of [5, 1024 * 1024]) {
      const sent = Buffer.alloc(size, 'tls');
      client.send(sent);
      expect((await messageOf(client)).data.equals(sent)).toBe(true);
    }
    client.close(1000);
    expect(await closeOf(client)).toBe(1000);
    await untilNothingIsLeft(gateway);
  });

  test('the endpoint that its cookie names', async () => {
    const origins = [await startWebSocketOrigin(), await startWebSocketOrigin()];
    opened.push(...origins);
    const service = { loadBalancing: { sticky: { cookie: 'at' } } };
    const urls = origins.map(({ url }) => url);
    const gateway = await startTestGateway(configFor(urls, { service, route: { websocket: {} } }));
    opened.push(gateway);
    const first = await rawClient(gateway.port);
    opened.push(first);
    await first.send(handshake());
    const cookie = headerOf(await first.answer(), 'set-cookie')?.split(';')[0];
    expect(cookie).toMatch(/^at=./);
    const chosen = origins.findIndex(({ sockets }) => sockets.length === 1);
    for (let i = 0; i < 4; i++) {
      const client = await openWebSocket(gateway.port, '/', [], { headers: { cookie: cookie as string } });
      client.terminate();
    }
    expect(origins[chosen].sockets).toHaveLength(5);
  });
});

test('explain shows the handshake that the upstream would get', async () => {
  const config = await configOf(configFor(['http://127.0.0.1:9'], { route: { websocket: {} } }));
  const headers = handshake().trimEnd().split('\r\n').slice(1);
  const { route, request } = await explainRequest(config, { method: 'GET', url: '/', headers }, new Map());
  expect([route, request?.headers.upgrade, request?.headers.connection]).toEqual(['all', 'websocket', 'Upgrade']);
});

test('the access log has a line for a socket when it ends, with its bytes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'portico-ws-'));
  opened.push({ close: () => rmSync(directory, { recursive: true }) });
  const file = join(directory, 'access.log');
  const origin = await startWebSocketOrigin();
  opened.push(origin);
  const fields = ['method', 'path', 'status', 'bytes_in', 'bytes_out', 'error', 'route', 'duration_ms', 'upstream_ms'];
  const logging = { level: 'silent', access: { file, fields } };
  const gateway = await gatewayTo(origin.url, {}, {}, { logging });
  const client = await openWebSocket(gateway.port, '/chat');
  client.send('12345');
  await messageOf(client);
  await new Promise((resolve) => setTimeout(resolve, 100));
  origin.sockets[0].terminate();
  await closeOf(client);
  await untilNothingIsLeft(gateway);
  await gateway.gateway.stop(0, 1000);
  const line = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  expect(line).toMatchObject({ method: 'GET', status: 101, route: 'all', error: 'upstream_reset', bytes_out: 7 });
  // A frame of five bytes under a mask, and the answer to the Close.
  expect(line.bytes_in).toBeGreaterThanOrEqual(11);
  // The time in which the socket was open is not the gateway's own.
  expect(line.upstream_ms).toBeGreaterThanOrEqual(90);
  expect(line.upstream_ms).toBeLessThanOrEqual(line.duration_ms as number);
});

describe('over HTTP/2', () => {
  async function session(gateway: TestGateway) {
    const client = connectHttp2(`http://127.0.0.1:${gateway.port}`);
    opened.push({ close: () => client.destroy() });
    await once(client, 'remoteSettings');
    return client;
  }
  const CONNECT = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    ':scheme': 'http',
    ':authority': 'a',
    'sec-websocket-version': '13',
  };
  const listener = { protocols: ['h2', 'http/1.1'] };

  test('a WebSocket is opened by extended CONNECT', async () => {
    const origin = await startWebSocketOrigin({ handleProtocols: () => 'chat' });
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, {}, { listener });
    const client = await session(gateway);
    const stream = client.request({ ...CONNECT, 'sec-websocket-protocol': 'chat' }, { endStream: false });
    const [headers] = (await once(stream, 'response')) as [Record<string, string | number>];
    expect(headers[':status']).toBe(200);
    expect([headers['sec-websocket-protocol'], headers['sec-websocket-accept'], headers.connection]).toEqual([
      'chat',
      undefined,
      undefined,
    ]);
    stream.write(frame({ payload: 'over h2', mask: KEY }));
    const [data] = (await once(stream, 'data')) as [Buffer];
    expect(readFrames(data).map(({ payload }) => payload.toString())).toEqual(['over h2']);
    stream.write(close(1000, KEY));
    const [last] = (await once(stream, 'data')) as [Buffer];
    expect(readFrames(last)[0].code).toBe(1000);
    stream.end();
    await once(stream, 'close');
    await untilNothingIsLeft(gateway);
  });

  test('a stream that is reset ends the upstream connection', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, {}, { listener });
    const client = await session(gateway);
    const stream = client.request(CONNECT, { endStream: false });
    stream.on('error', () => {});
    await once(stream, 'response');
    const end = closeOf(origin.sockets[0]);
    stream.close(8);
    expect(await end).toBe(1006);
    await untilNothingIsLeft(gateway);
  });

  test.each([
    ['another protocol', { ':protocol': 'connect-udp' }, 400],
    ['another version', { 'sec-websocket-version': '8' }, 426],
    ['a key of its own', { 'sec-websocket-key': HANDSHAKE_KEY }, 400],
  ])('it is refused for %s', async (_name, fields, status) => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const gateway = await gatewayTo(origin.url, {}, { listener });
    const stream = (await session(gateway)).request({ ...CONNECT, ...fields }, { endStream: false });
    const [headers] = (await once(stream, 'response')) as [Record<string, number>];
    expect(headers[':status']).toBe(status);
    stream.on('error', () => {}).close(8);
  });

  test('it is refused where there are no WebSockets, and where the upstream takes it for a plain request', async () => {
    const origin = await startOrigin();
    opened.push(origin);
    for (const [route, status] of [
      [{}, 405],
      [{ websocket: {} }, 502],
    ] as const) {
      const gateway = await startTestGateway(configFor([origin.url], { listener, route }));
      opened.push(gateway);
      const stream = (await session(gateway)).request(CONNECT, { endStream: false });
      const [headers] = (await once(stream, 'response')) as [Record<string, number>];
      expect(headers[':status']).toBe(status);
      stream.on('error', () => {}).close(8);
    }
  });
});
