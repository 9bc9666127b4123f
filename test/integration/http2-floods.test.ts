/** Clients of HTTP/2 that send much and want little: each is cut or costs nothing, and others are served meanwhile. */

import { describe, expect, test } from 'vitest';
import { FLAG, FRAME, SETTING } from '../../src/http/http2-frames.ts';
import { configFor, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { http2Client } from '../support/http2-client.ts';
import {
  type FrameClient,
  fieldBlock,
  frame,
  frameClient,
  pingFrame,
  priorityFrame,
  requestFields,
  requestFrame,
  resetFrame,
  settingsFrame,
  windowFrame,
} from '../support/http2-frames.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type Origin, type OriginScript, okAnswer, startOrigin } from '../support/raw-origin.ts';
import { turn } from '../support/waiting.ts';

/** What a flood may cost the process that both ends run in, in bytes: far less than what it asks for. */
const MOST_MEMORY = 128 * 1024 * 1024;
/** Frames in one write. */
const BATCH = 500;
/** A stream is cancelled (RFC 9113 section 7). */
const CANCEL = 8;
/** Nothing was done for a stream: it may be asked for again. */
const REFUSED_STREAM = 7;

const opened = closedAfterEach();

async function setUp(
  script: OriginScript = {},
  timeouts: object = {},
): Promise<{ origin: Origin; gateway: TestGateway }> {
  const origin = await startOrigin(script);
  const listener = { protocols: ['h2', 'http/1.1'], timeouts };
  const gateway = await startTestGateway(configFor([origin.url], { listener }));
  opened.push(origin, gateway);
  return { origin, gateway };
}

async function connectTo(gateway: TestGateway, settings?: [number, number][]): Promise<FrameClient> {
  const client = await frameClient(gateway.port, settings);
  opened.push(client);
  return client;
}

const isStopped = (client: FrameClient): boolean => client.ended || client.goaway !== undefined;

/** The stream that a client opens as its `i`th, from 0 on. */
const idOf = (i: number): number => 2 * i + 1;

/** Sends frames until as many are sent, or the gateway has had enough; answers how many it took. */
async function pour(client: FrameClient, count: number, make: (i: number) => Buffer): Promise<number> {
  let sent = 0;
  while (sent < count && !isStopped(client)) {
    const first = sent;
    await client.send(...Array.from({ length: Math.min(BATCH, count - sent) }, (_, i) => make(first + i)));
    sent += BATCH;
    await turn();
  }
  return sent;
}

/** The gateway serves others, and keeps nothing of the flood once it is over. */
async function expectSound(gateway: TestGateway, flooder: FrameClient, memoryBefore: number): Promise<void> {
  const other = await http2Client(`http://127.0.0.1:${gateway.port}`);
  opened.push(other);
  expect((await other.request({ ':path': '/', ':authority': 'a' })).status).toBe(200);
  expect(process.memoryUsage.rss() - memoryBefore).toBeLessThan(MOST_MEMORY);
  flooder.close();
  other.close();
  await expect.poll(() => gateway.gateway.active).toBe(0);
  await expect.poll(() => gateway.gateway.connections).toBe(0);
}

const POST = requestFrame(1, '/', { method: 'POST', endStream: false });
const OPEN_HEAD = frame(FRAME.headers, FLAG.endStream, 1, fieldBlock(requestFields('/')));
const BAD_FIELD = fieldBlock([...requestFields('/'), ['Upper', 'x']]);

interface Flood {
  readonly what: string;
  /** Of the listener. */
  readonly timeouts?: object;
  /** Sent once, before. */
  readonly opening?: Buffer;
  readonly count: number;
  readonly make: (i: number) => Buffer;
}

const stoppedFloods: readonly Flood[] = [
  {
    what: 'streams reset as soon as they are opened (rapid reset)',
    count: 5000,
    make: (i) => Buffer.concat([requestFrame(idOf(i), '/'), resetFrame(idOf(i), CANCEL)]),
  },
  {
    what: 'streams that the gateway must reset: windows beyond their bound',
    count: 5000,
    make: (i) => Buffer.concat([requestFrame(idOf(i), '/'), windowFrame(idOf(i), 2 ** 31 - 1)]),
  },
  {
    what: 'streams that the gateway must reset: malformed fields',
    count: 5000,
    make: (i) => frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, idOf(i), BAD_FIELD),
  },
  { what: 'settings', count: 50_000, make: () => settingsFrame([[SETTING.initialWindowSize, 65_535]]) },
  { what: 'acknowledgements of settings', count: 5000, make: () => frame(FRAME.settings, FLAG.ack, 0) },
  {
    what: 'windows of all streams, many in one frame of settings',
    count: 400,
    make: () => settingsFrame(Array(64).fill([SETTING.initialWindowSize, 65_535])),
  },
  {
    what: 'settings without end in one frame',
    // Some codecs say goodbye by themselves, and then hear no more of the client: time ends the connection.
    timeouts: { keepAlive: '500ms' },
    count: 1,
    make: () => settingsFrame(Array(2000).fill([0xff00, 1])),
  },
  { what: 'pings', count: 50_000, make: () => pingFrame() },
  { what: 'acknowledgements of pings', count: 50_000, make: () => pingFrame(true) },
  {
    what: 'CONTINUATION with fields',
    opening: OPEN_HEAD,
    count: 2000,
    make: (i) => frame(FRAME.continuation, 0, 1, fieldBlock([[`x-${i}`, 'v'.repeat(4000)]])),
  },
  { what: 'CONTINUATION with nothing', opening: OPEN_HEAD, count: 50_000, make: () => frame(FRAME.continuation, 0, 1) },
  { what: 'DATA with nothing', opening: POST, count: 50_000, make: () => frame(FRAME.data, 0, 1) },
  {
    what: 'more streams than are allowed',
    count: 1000,
    make: (i) => requestFrame(idOf(i), '/', { method: 'POST', endStream: false }),
  },
];

describe('a flood of', () => {
  test.each(stoppedFloods)('$what is stopped', async ({ opening, timeouts, count, make }) => {
    const { gateway, origin } = await setUp({}, timeouts);
    const client = await connectTo(gateway);
    const before = process.memoryUsage.rss();
    if (opening !== undefined) await client.send(opening);
    await pour(client, count, make);
    await client.until(() => isStopped(client), 'the end of the connection');
    expect(origin.requests.length).toBeLessThan(2500);
    await expectSound(gateway, client, before);
  });

  test.each<Flood>([
    {
      what: 'priorities',
      count: 50_000,
      make: (i) => priorityFrame(idOf(i % 3000), i % 7 === 0 ? 0 : idOf(4000), i & 255),
    },
    { what: 'frames of no known type', count: 50_000, make: () => frame(0xfa, 0, 0, Buffer.alloc(8)) },
    { what: 'smallest windows', count: 50_000, make: () => windowFrame(0, 1) },
    {
      what: 'trailers without an end',
      opening: POST,
      count: 5000,
      make: () => frame(FRAME.headers, FLAG.endHeaders, 1),
    },
  ])('$what costs nothing', async ({ opening, count, make }) => {
    const { gateway } = await setUp();
    const client = await connectTo(gateway);
    const before = process.memoryUsage.rss();
    if (opening !== undefined) await client.send(opening);
    await pour(client, count, make);
    // Either the connection is cut, or it goes on: then the last frame is answered.
    await client.send(pingFrame());
    const isAnswered = (): boolean =>
      client.frames.some(({ type, flags }) => type === FRAME.ping && flags === FLAG.ack);
    await client.until(() => isStopped(client) || isAnswered(), 'an end or an answer');
    await expectSound(gateway, client, before);
  });
});

test.each([
  ['pings', () => pingFrame()],
  ['settings', () => settingsFrame([[SETTING.initialWindowSize, 65_535]])],
] as const)('answers to %s that are never read do not pile up', async (_, make) => {
  const { gateway } = await setUp();
  const client = await connectTo(gateway);
  const before = process.memoryUsage.rss();
  client.socket.pause();
  await pour(client, 200_000, make);
  client.socket.resume();
  await client.until(() => isStopped(client), 'the end of the connection');
  await expectSound(gateway, client, before);
});

test('heads of answers that are never read do not pile up', async () => {
  const listener = { protocols: ['h2', 'http/1.1'] };
  // Larger than what the table keeps: each head is as large as the first.
  const respond = { status: 204, headers: { 'x-large': 'v'.repeat(8000) } };
  const routes = [{ name: 'large', match: { path: '/large' }, respond }];
  const gateway = await startTestGateway(configWith({ listener, routes }));
  opened.push(gateway);
  const client = await connectTo(gateway);
  client.socket.pause();
  await pour(client, 4000, (i) => requestFrame(idOf(i), '/large'));
  client.socket.resume();
  await client.until(() => isStopped(client), 'the end of the connection');
  const refusals = client.frames.filter(({ type }) => type === FRAME.rstStream);
  expect(new Set(refusals.map(({ payload }) => payload.readUInt32BE(0)))).toEqual(new Set([REFUSED_STREAM]));
});

test('fields that refer to a large one a thousand times over are not unfolded', async () => {
  const { gateway, origin } = await setUp();
  const client = await connectTo(gateway);
  const before = process.memoryUsage.rss();
  const whole = FLAG.endHeaders | FLAG.endStream;
  const large = fieldBlock([['x-large', 'v'.repeat(3900)]], true);
  await client.send(frame(FRAME.headers, whole, 1, Buffer.concat([fieldBlock(requestFields('/')), large])));
  await origin.request(0);
  // The newest entry of the dynamic table (RFC 7541 section 2.3.3): 39 MB of fields in 10,000 octets.
  const bomb = Buffer.concat([fieldBlock(requestFields('/')), Buffer.alloc(10_000, 0x80 | 62)]);
  await pour(client, 100, (i) => frame(FRAME.headers, whole, idOf(i + 1), bomb));
  const resets = (): number => client.frames.filter(({ type }) => type === FRAME.rstStream).length;
  await client.until(() => isStopped(client) || resets() === 100, 'refusals');
  expect(origin.requests.length).toBe(1);
  await expectSound(gateway, client, before);
});

test.each([0, 1])('answers to windows of %i octets wait with the origin, not in memory', async (window) => {
  const body = 'x'.repeat(1024 * 1024);
  const answer = (request: { method: string; target: string }): string =>
    request.target === '/large' ? okAnswer(request, body) : okAnswer(request);
  const { gateway } = await setUp({ onRequest: (request, connection) => connection.write(answer(request)) });
  const client = await connectTo(gateway, [[SETTING.initialWindowSize, window]]);
  const before = process.memoryUsage.rss();
  await pour(client, 50, (i) => requestFrame(idOf(i), '/large'));
  const heads = (): number => client.frames.filter(({ type }) => type === FRAME.headers).length;
  await client.until(() => heads() === 50, 'the heads of all answers');
  await pour(client, 1000, (i) => windowFrame(idOf(i % 50), 1));
  await expect.poll(() => client.dataBytes).toBeGreaterThanOrEqual(1000);
  expect(client.dataBytes).toBe(50 * window + 1000);
  await expectSound(gateway, client, before);
});

// The codec says goodbye by itself, tells nobody, and does not read on: not even that the client leaves.
test.each([
  ['DATA on no stream', frame(FRAME.data, 0, 0, Buffer.from('x'))],
  ['DATA on a stream that never began', frame(FRAME.data, 0, 7, Buffer.from('x'))],
  ['a frame that is too large', frame(FRAME.data, 0, 1, Buffer.alloc(20_000))],
])('after %s nothing is left of requests under way', async (_, bad) => {
  const { gateway } = await setUp({ onRequest: () => {} }, { keepAlive: '200ms' });
  const client = await connectTo(gateway);
  const before = process.memoryUsage.rss();
  await client.send(POST, requestFrame(3, '/waits'));
  await expect.poll(() => gateway.gateway.active).toBe(2);
  await client.send(bad);
  await client.until(() => isStopped(client), 'the end of the connection');
  client.close();
  await expect.poll(() => gateway.gateway.active).toBe(0);
  await expect.poll(() => gateway.gateway.connections).toBe(0);
  expect(process.memoryUsage.rss() - before).toBeLessThan(MOST_MEMORY);
});
