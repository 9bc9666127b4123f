/** Frames in states that have no place for them (RFC 9113 sections 5 and 6): what ends a stream, and what the connection. */

import { expect, test } from 'vitest';
import { FLAG, FRAME, SETTING } from '../../src/http/http2-frames.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { indexed, literal } from '../support/hpack.ts';
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
import { startOrigin } from '../support/raw-origin.ts';

const CODE = {
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  compression: 9,
  calm: 11,
} as const;

const opened = closedAfterEach();

/** The origin never answers, and takes one request at a time: bodies of others wait. */
async function setUp(): Promise<{ gateway: TestGateway; client: FrameClient }> {
  const origin = await startOrigin({ onRequest: () => {} });
  const service = { connections: { max: 1, queueTimeout: '20s' } };
  const gateway = await startTestGateway(configFor([origin.url], { listener: { protocols: ['h2'] }, service }));
  const client = await frameClient(gateway.port);
  opened.push(origin, gateway, client);
  return { gateway, client };
}

const WHOLE = FLAG.endHeaders | FLAG.endStream;
const data = (stream: number, text: string, flags = 0): Buffer => frame(FRAME.data, flags, stream, Buffer.from(text));
const waits = (stream: number): Buffer => requestFrame(stream, '/waits');
const upload = (stream: number, ...extra: [string, string][]): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders, stream, fieldBlock([...requestFields('/waits', 'POST'), ...extra]));
const head = (stream: number, flags: number, ...extra: [string, string][]): Buffer =>
  frame(FRAME.headers, flags, stream, fieldBlock([...requestFields('/waits'), ...extra]));
/** HEADERS whose priority says on which stream it depends. */
const dependent = (stream: number, parent: number): Buffer =>
  frame(
    FRAME.headers,
    WHOLE | FLAG.priority,
    stream,
    Buffer.concat([Buffer.from([0, 0, 0, parent, 16]), fieldBlock(requestFields('/waits'))]),
  );

/** As many of the largest size. */
const frames = (stream: number, count: number): Buffer[] => Array(count).fill(data(stream, 'a'.repeat(16_384)));

const connectionFaults: [string, number, Buffer[]][] = [
  ['DATA on no stream', CODE.protocol, [data(0, 'a')]],
  ['DATA on a stream that is not open', CODE.protocol, [data(3, 'a')]],
  ['DATA on a stream that only servers begin', CODE.protocol, [waits(1), data(2, 'a')]],
  ['DATA on a stream that was passed over', CODE.protocol, [waits(5), data(3, 'a')]],
  [
    'DATA beyond the window of the connection',
    CODE.flowControl,
    [waits(1), ...[3, 5, 7, 9, 11, 13].flatMap((id) => [upload(id), ...frames(id, 15)])],
  ],
  ['DATA within a head', CODE.protocol, [head(1, 0), data(1, 'a')]],
  ['HEADERS on no stream', CODE.protocol, [head(0, WHOLE)]],
  ['HEADERS on a stream that only servers begin', CODE.protocol, [head(2, WHOLE)]],
  ['HEADERS on a stream that was passed over', CODE.protocol, [waits(5), waits(3)]],
  [
    'HEADERS with a padding that is longer',
    CODE.protocol,
    [frame(FRAME.headers, WHOLE | FLAG.padded, 1, Buffer.from([5, 0x82]))],
  ],
  ['HEADERS with a padding and nothing', CODE.protocol, [frame(FRAME.headers, WHOLE | FLAG.padded, 1)]],
  ['HEADERS with half a priority', CODE.protocol, [frame(FRAME.headers, WHOLE | FLAG.priority, 1, Buffer.alloc(3))]],
  ['a block that is none', CODE.compression, [frame(FRAME.headers, WHOLE, 1, indexed(100))]],
  ['trailers that are none', CODE.compression, [upload(1), frame(FRAME.headers, WHOLE, 1, indexed(100))]],
  [
    'a block that is none, on a stream of the past',
    CODE.compression,
    [waits(1), resetFrame(1, 8), frame(FRAME.headers, WHOLE, 1, indexed(100))],
  ],
  ['a frame within a head', CODE.protocol, [head(1, 0), pingFrame()]],
  ['a frame that nobody knows within a head', CODE.protocol, [head(1, 0), frame(0x99, 0, 1)]],
  ['HEADERS within a head', CODE.protocol, [head(1, 0), head(3, WHOLE)]],
  ['CONTINUATION of another stream', CODE.protocol, [head(1, 0), frame(FRAME.continuation, FLAG.endHeaders, 3)]],
  ['CONTINUATION of nothing', CODE.protocol, [frame(FRAME.continuation, FLAG.endHeaders, 1)]],
  ['CONTINUATION after a whole head', CODE.protocol, [waits(1), frame(FRAME.continuation, FLAG.endHeaders, 1)]],
  ['SETTINGS of a stream', CODE.protocol, [frame(FRAME.settings, 0, 1)]],
  ['SETTINGS of five octets', CODE.frameSize, [frame(FRAME.settings, 0, 0, Buffer.alloc(5))]],
  ['an acknowledgement with settings', CODE.frameSize, [frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(6))]],
  ['an acknowledgement of nothing', CODE.protocol, [frame(FRAME.settings, FLAG.ack, 0)]],
  ['a push that is neither on nor off', CODE.protocol, [settingsFrame([[SETTING.enablePush, 2]])]],
  ['a window that is too large', CODE.flowControl, [settingsFrame([[SETTING.initialWindowSize, 2 ** 31]])]],
  ['a frame size that is too small', CODE.protocol, [settingsFrame([[SETTING.maxFrameSize, 16_383]])]],
  ['a frame size that is too large', CODE.protocol, [settingsFrame([[SETTING.maxFrameSize, 2 ** 24]])]],
  [
    'settings that widen the window of a stream too far',
    CODE.flowControl,
    [waits(1), windowFrame(1, 2 ** 31 - 1 - 65_535), settingsFrame([[SETTING.initialWindowSize, 65_536]])],
  ],
  ['PING of a stream', CODE.protocol, [frame(FRAME.ping, 0, 1, Buffer.alloc(8))]],
  ['PING of seven octets', CODE.frameSize, [frame(FRAME.ping, 0, 0, Buffer.alloc(7))]],
  ['a window that grows by nothing', CODE.protocol, [windowFrame(0, 0)]],
  ['a window that grows too far', CODE.flowControl, [windowFrame(0, 2 ** 31 - 1)]],
  ['a window of a stream that is not open', CODE.protocol, [windowFrame(1, 1)]],
  ['a window of three octets', CODE.frameSize, [frame(FRAME.windowUpdate, 0, 0, Buffer.alloc(3))]],
  ['RST_STREAM of no stream', CODE.protocol, [resetFrame(0, 8)]],
  ['RST_STREAM of a stream that is not open', CODE.protocol, [resetFrame(1, 8)]],
  ['RST_STREAM of three octets', CODE.frameSize, [waits(1), frame(FRAME.rstStream, 0, 1, Buffer.alloc(3))]],
  ['PRIORITY of no stream', CODE.protocol, [priorityFrame(0, 1, 1)]],
  ['PUSH_PROMISE', CODE.protocol, [waits(1), frame(FRAME.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(5))]],
  ['GOAWAY of a stream', CODE.protocol, [frame(FRAME.goaway, 0, 1, Buffer.alloc(8))]],
  ['GOAWAY of seven octets', CODE.frameSize, [frame(FRAME.goaway, 0, 0, Buffer.alloc(7))]],
  ['settings without end', CODE.calm, [settingsFrame(Array(65).fill([0xff00, 1]))]],
];

test.each(connectionFaults)('%s ends the connection with code %i', async (_, code, sent) => {
  const { client, gateway } = await setUp();
  await client.send(...sent);
  await client.until(() => client.ended, 'the end');
  expect(client.goaway).toBe(code);
  const flood = code === CODE.calm ? 'http2_flood' : 'http2_protocol';
  expect(gateway.gateway.metrics.render()).toContain(`fault="${flood}"} 1`);
  expect(gateway.gateway.active).toBe(0);
  client.close();
  await expect.poll(() => gateway.gateway.connections).toBe(0);
});

const END = FLAG.endStream;
const streamFaults: [string, number, Buffer[]][] = [
  ['a field in upper case', CODE.protocol, [head(1, WHOLE, ['X-A', 'b'])]],
  ['a field of one connection', CODE.protocol, [head(1, WHOLE, ['connection', 'close'])]],
  ['a length and no body', CODE.protocol, [head(1, WHOLE, ['content-length', '3'])]],
  ['a body that is shorter than its length', CODE.protocol, [upload(1, ['content-length', '3']), data(1, 'ab', END)]],
  [
    'a body that is longer than its length',
    CODE.protocol,
    [upload(1, ['content-length', '3']), data(1, 'ab'), data(1, 'cd')],
  ],
  ['a body where its length is nothing', CODE.protocol, [upload(1, ['content-length', '0']), data(1, 'a', END)]],
  [
    'a body that is ended too early by trailers',
    CODE.protocol,
    [upload(1, ['content-length', '3']), frame(FRAME.headers, WHOLE, 1)],
  ],
  ['a second head', CODE.protocol, [upload(1), upload(1)]],
  ['trailers with a pseudo-header field', CODE.protocol, [upload(1), head(1, WHOLE)]],
  ['DATA after the end', CODE.streamClosed, [waits(1), data(1, 'a')]],
  ['HEADERS after the end', CODE.streamClosed, [waits(1), waits(1)]],
  ['DATA beyond the window of a stream', CODE.flowControl, [waits(3), upload(5), ...frames(5, 20)]],
  ['a window that grows by nothing', CODE.protocol, [waits(1), windowFrame(1, 0)]],
  ['a window that grows too far', CODE.flowControl, [waits(1), windowFrame(1, 2 ** 31 - 1)]],
  ['HEADERS that depend on themselves', CODE.protocol, [dependent(1, 1)]],
  ['PRIORITY that depends on itself', CODE.protocol, [waits(1), priorityFrame(1, 1, 1)]],
  ['PRIORITY of four octets', CODE.frameSize, [waits(1), frame(FRAME.priority, 0, 1, Buffer.alloc(4))]],
  ['DATA after the reset of the client', CODE.streamClosed, [upload(1), resetFrame(1, 8), data(1, 'a')]],
  ['HEADERS after the reset of the client', CODE.streamClosed, [upload(1), resetFrame(1, 8), head(1, WHOLE)]],
];

test.each(streamFaults)('%s ends the stream alone, with code %i', async (_, code, sent) => {
  const { client, gateway } = await setUp();
  await client.send(...sent);
  const reset = await client.until(() => client.frames.find(({ type }) => type === FRAME.rstStream), 'a reset');
  const ended = sent.some((bytes) => bytes.equals(waits(3))) ? 5 : 1;
  expect([reset.stream, reset.payload.readUInt32BE(0)]).toEqual([ended, code]);
  await client.send(pingFrame());
  await client.until(() => client.frames.some(({ type }) => type === FRAME.ping), 'an answer');
  expect([client.goaway, client.ended]).toEqual([undefined, false]);
  client.close();
  await expect.poll(() => gateway.gateway.active).toBe(0);
});

const HARMLESS: [string, Buffer[]][] = [
  ['windows and resets for streams of the past', [waits(1), resetFrame(1, 8), windowFrame(1, 1), resetFrame(1, 8)]],
  ['PRIORITY of streams that never were', [priorityFrame(7, 5, 1), priorityFrame(2, 0, 1)]],
  ['HEADERS with a padding and a priority', [dependent(1, 3)]],
  ['frames that nobody knows', [frame(0x99, 255, 0, Buffer.alloc(16_384)), waits(1), frame(0x0a, 1, 1)]],
  [
    'settings that nobody knows',
    [
      settingsFrame([
        [0xff00, 7],
        [0x2a, 2 ** 32 - 1],
      ]),
    ],
  ],
  ['acknowledgements of pings that never were', [pingFrame(true)]],
  ['GOAWAY, after which streams go on', [waits(1), frame(FRAME.goaway, 0, 0, Buffer.alloc(20)), waits(3)]],
  ['a reserved bit', [frame(FRAME.windowUpdate, 0, 2 ** 31, Buffer.from([0x80, 0, 0, 1]))]],
  ['flags that mean nothing', [frame(FRAME.headers, WHOLE | 0xc2, 1, fieldBlock(requestFields('/waits')))]],
  [
    'a head in many pieces, some of them empty',
    [head(1, FLAG.endStream), ...[0, 0, 0, FLAG.endHeaders].map((flag) => frame(FRAME.continuation, flag, 1))],
  ],
  ['a head that is cut within a field', cutHead()],
];

function cutHead(): Buffer[] {
  const block = Buffer.concat(requestFields('/waits').map((field) => literal(field, true)));
  return [
    frame(FRAME.headers, FLAG.endStream, 1, block.subarray(0, 9)),
    frame(FRAME.continuation, FLAG.endHeaders, 1, block.subarray(9)),
  ];
}

test.each(HARMLESS)('%s end nothing', async (_, sent) => {
  const { client, gateway } = await setUp();
  await client.send(...sent, pingFrame());
  await client.until(() => client.frames.some(({ type }) => type === FRAME.ping), 'an answer');
  const ends = client.frames.filter(({ type }) => type === FRAME.rstStream || type === FRAME.goaway);
  expect([ends, client.ended]).toEqual([[], false]);
  const begun = sent.filter((bytes) => bytes[3] === FRAME.headers).length;
  const reset = sent.some((bytes) => bytes[3] === FRAME.rstStream) ? 1 : 0;
  await expect.poll(() => gateway.gateway.active).toBe(begun - reset);
});

test('streams beyond those that were allowed are refused, and may come again later', async () => {
  const { client, gateway } = await setUp();
  const ids = Array.from({ length: 130 }, (_, i) => 2 * i + 1);
  await client.send(...ids.map(waits));
  const refused = await client.until(() => {
    const resets = client.frames.filter(({ type }) => type === FRAME.rstStream);
    return resets.length === 2 && resets;
  }, 'refusals');
  expect(refused.map(({ stream, payload }) => [stream, payload.readUInt32BE(0)])).toEqual([
    [257, CODE.refused],
    [259, CODE.refused],
  ]);
  await client.send(resetFrame(1, 8), waits(261), pingFrame());
  await client.until(() => client.frames.some(({ type }) => type === FRAME.ping), 'an answer');
  expect(client.frames.filter(({ type }) => type === FRAME.rstStream)).toHaveLength(2);
  expect(gateway.gateway.active).toBe(128);
});
