/** Windows, order and ends of HTTP/2 connections as a client sees them frame by frame (RFC 9113 sections 5.2, 6.8 and 6.9). */

import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CLIENT_PREFACE, FLAG, FRAME, SETTING } from '../../src/http/http2-frames.ts';
import { configFor, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  type Frame,
  FrameClient,
  fieldBlock,
  frame,
  frameClient,
  pingFrame,
  requestFields,
  requestFrame,
  settingsFrame,
  windowFrame,
} from '../support/http2-frames.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type Origin, type OriginScript, okAnswer, startOrigin } from '../support/raw-origin.ts';
import { PATIENCE } from '../support/waiting.ts';

const opened = closedAfterEach();

interface Setting {
  readonly script?: OriginScript;
  readonly listener?: object;
  readonly service?: object;
  readonly settings?: [number, number][];
}

async function setUp({ script = {}, listener = {}, service = {}, settings = [] }: Setting) {
  const origin = await startOrigin(script);
  const gateway = await startTestGateway(
    configFor([origin.url], { listener: { protocols: ['h2', 'http/1.1'], ...listener }, service }),
  );
  const client = await frameClient(gateway.port, settings);
  opened.push(origin, gateway, client);
  return { origin, gateway, client };
}

const upload = (stream: number, ...extra: [string, string][]): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders, stream, fieldBlock([...requestFields('/', 'POST'), ...extra]));
const data = (stream: number, size: number, flags = 0): Buffer =>
  frame(FRAME.data, flags, stream, Buffer.alloc(size, 97));

/** What the client was allowed to send more, by stream; 0 is the connection. */
function credits(client: FrameClient): Map<number, number> {
  const sums = new Map<number, number>();
  for (const { type, stream, payload } of client.frames) {
    if (type === FRAME.windowUpdate) sums.set(stream, (sums.get(stream) ?? 0) + payload.readUInt32BE(0));
  }
  return sums;
}

const of = (client: FrameClient, stream: number): Frame[] => client.frames.filter((each) => each.stream === stream);
const isDone = (client: FrameClient, stream: number): boolean =>
  of(client, stream).some(({ type, flags }) => type <= FRAME.headers && (flags & FLAG.endStream) !== 0);
const resetOf = (client: FrameClient, stream: number): number | undefined =>
  of(client, stream)
    .find(({ type }) => type === FRAME.rstStream)
    ?.payload.readUInt32BE(0);

async function ping(client: FrameClient): Promise<void> {
  const count = (): number => client.frames.filter(({ type }) => type === FRAME.ping).length;
  const before = count();
  await client.send(pingFrame());
  await client.until(() => count() > before, 'a ping');
}

const OPENING_CREDIT = 1024 * 1024 - 65_535;

describe('what a client may send', () => {
  test('is no more than the upstream takes, and more when it has', async () => {
    let release = (): void => {};
    const script: OriginScript = {
      onRequest: (request, connection) => {
        const answer = (): void => connection.write(okAnswer(request));
        if (request.method === 'GET') release = answer;
        else answer();
      },
    };
    const service = { connections: { max: 1, queueTimeout: '20s' } };
    const { client, origin } = await setUp({ script, service });
    await client.send(requestFrame(1, '/'));
    await origin.request(0);
    // The first frame is kept for a retry, and all that follows for the upstream.
    await client.send(upload(3), ...Array<Buffer>(16).fill(data(3, 16_384)));
    await ping(client);
    expect(credits(client)).toEqual(new Map([[0, OPENING_CREDIT]]));
    release();
    await client.until(() => (credits(client).get(3) ?? 0) > 0, 'room');
    await client.send(data(3, 10, FLAG.endStream));
    await client.until(() => isDone(client, 3), 'the answer');
    expect((await origin.request(1)).body).toHaveLength(16 * 16_384 + 10);
  });

  test('counts padding, and what is thrown away', async () => {
    const { client } = await setUp({ listener: { limits: { requestBody: '1KiB' } } });
    await client.send(upload(1), data(1, 2000));
    await client.until(() => resetOf(client, 1) === 0, 'the end of the refused request');
    const padded = frame(FRAME.data, FLAG.padded, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255 + 1000)]));
    // The client is not to blame: it did not know yet.
    await client.send(...Array<Buffer>(450).fill(padded));
    await client.until(() => credits(client).get(0) !== OPENING_CREDIT, 'room');
    expect(client.goaway).toBeUndefined();
  });

  test('of padding alone makes room for a body', async () => {
    const { client, origin } = await setUp({});
    const padded = frame(FRAME.data, FLAG.padded, 1, Buffer.concat([Buffer.from([255, 98]), Buffer.alloc(255)]));
    await client.send(upload(1));
    // More than the window of a stream, half a window at a time.
    for (let i = 0; i < 3; i++) {
      await client.send(...Array<Buffer>(520).fill(padded));
      await client.until(() => (credits(client).get(1) ?? 0) >= (i + 1) * 128 * 1024, 'room');
    }
    await client.send(data(1, 0, FLAG.endStream));
    expect((await origin.request(0)).body.toString()).toBe('b'.repeat(3 * 520));
  });
});

describe('what is sent to a client', () => {
  const large = (size: number): OriginScript => ({
    onRequest: (request, connection) => connection.write(okAnswer(request, 'x'.repeat(size))),
  });

  test('is the head and one frame, which is the last, for a small answer', async () => {
    const { client } = await setUp({ script: large(100) });
    await client.send(requestFrame(1, '/'), requestFrame(3, '/'));
    await client.until(() => isDone(client, 1) && isDone(client, 3), 'answers');
    for (const id of [1, 3]) {
      expect(of(client, id).map(({ type, flags }) => [type, flags])).toEqual([
        [FRAME.headers, FLAG.endHeaders],
        [FRAME.data, FLAG.endStream],
      ]);
    }
  });

  test('ends with its trailers', async () => {
    const { client } = await setUp({
      script: {
        onRequest: (_, connection) =>
          connection.write(
            'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nx-sum: 1\r\n\r\n',
          ),
      },
    });
    await client.send(requestFrame(1, '/'));
    await client.until(() => isDone(client, 1), 'the answer');
    expect(of(client, 1).map(({ type, flags }) => [type, flags])).toEqual([
      [FRAME.headers, FLAG.endHeaders],
      [FRAME.data, 0],
      [FRAME.headers, FLAG.endHeaders | FLAG.endStream],
    ]);
  });

  test('is shared by those that wait, and stops at the window of the connection', async () => {
    const { client } = await setUp({ script: large(200_000) });
    await client.send(settingsFrame([[SETTING.initialWindowSize, 2 ** 31 - 1]]));
    await client.send(...[1, 3, 5].map((id) => requestFrame(id, '/')));
    await client.until(() => client.dataBytes === 65_535, 'as much as the window lets');
    await ping(client);
    for (let i = 0; i < 9; i++) {
      const before = client.frames.length;
      await client.send(windowFrame(0, 3 * 16_384));
      await client.until(() => client.dataBytes === 65_535 + (i + 1) * 3 * 16_384, 'as much again');
      const served = client.frames.slice(before).filter(({ type }) => type === FRAME.data);
      expect(new Set(served.map(({ stream }) => stream))).toEqual(new Set([1, 3, 5]));
    }
    await client.send(windowFrame(0, 2 ** 30));
    await client.until(() => [1, 3, 5].every((id) => isDone(client, id)), 'the rest');
    expect(client.dataBytes).toBe(600_000);
  });

  test('waits when windows become less than nothing (RFC 9113 section 6.9.2)', async () => {
    const { client } = await setUp({ script: large(100_000), settings: [[SETTING.initialWindowSize, 1000]] });
    await client.send(requestFrame(1, '/'));
    await client.until(() => client.dataBytes === 1000, 'the window');
    await client.send(settingsFrame([[SETTING.initialWindowSize, 100]]), windowFrame(1, 900));
    await ping(client);
    expect(client.dataBytes).toBe(1000);
    await client.send(windowFrame(1, 5));
    await client.until(() => client.dataBytes === 1005, 'what there is room for');
    await client.send(settingsFrame([[SETTING.initialWindowSize, 1_000_000]]), windowFrame(0, 1_000_000));
    await client.until(() => isDone(client, 1), 'the rest');
    expect(client.dataBytes).toBe(100_000);
  });

  test('is given up when nothing of it is taken for too long', async () => {
    const { client, gateway } = await setUp({
      script: large(100_000),
      listener: { timeouts: { bodyIdle: '100ms' } },
      settings: [[SETTING.initialWindowSize, 0]],
    });
    await client.send(requestFrame(1, '/'));
    const code = await client.until(() => resetOf(client, 1), 'the reset');
    expect(code).toBe(8);
    await expect.poll(() => gateway.gateway.active).toBe(0);
    expect(client.dataBytes).toBe(0);
  });

  test('is an answer, and that no more is wanted, for a request that is refused before its end', async () => {
    const { client } = await setUp({ listener: { limits: { requestBody: '1KiB' } } });
    await client.send(upload(1, ['content-length', '5000']), data(1, 1000));
    await client.until(() => resetOf(client, 1) !== undefined, 'the end');
    expect(of(client, 1).map(({ type, flags }) => [type, flags])).toEqual([
      [FRAME.headers, FLAG.endHeaders],
      [FRAME.data, FLAG.endStream],
      [FRAME.rstStream, 0],
    ]);
    expect(resetOf(client, 1)).toBe(0);
  });
});

describe('the end of a connection', () => {
  const goaways = (client: FrameClient): number[][] =>
    client.frames
      .filter(({ type }) => type === FRAME.goaway)
      .map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)]);

  test('is told in two steps, and streams that come between them are served', async () => {
    let release = (): void => {};
    const { client, gateway, origin } = await setUp({
      script: {
        onRequest: (request, connection) => {
          const answer = (): void => connection.write(okAnswer(request));
          if (request.target === '/slow') release = answer;
          else answer();
        },
      },
    });
    await client.send(requestFrame(1, '/slow'));
    await origin.request(0);
    const stopped = gateway.gateway.stop(0, PATIENCE);
    await client.until(() => goaways(client).length === 1, 'the first word');
    await client.send(requestFrame(3, '/'));
    await client.until(() => isDone(client, 3), 'an answer');
    await client.until(() => goaways(client).length === 2, 'the last word');
    // Of this one the client knows that it is not looked at.
    await client.send(requestFrame(5, '/'), data(5, 10), pingFrame());
    await client.until(() => client.frames.some(({ type }) => type === FRAME.ping), 'a ping');
    release();
    await client.until(() => client.ended, 'the end');
    expect([isDone(client, 1), of(client, 5)]).toEqual([true, []]);
    expect(goaways(client).slice(0, 2)).toEqual([
      [2 ** 31 - 1, 0],
      [3, 0],
    ]);
    client.close();
    expect(await stopped).toBe(0);
  });

  test('names no later stream when the client breaks a rule after it', async () => {
    const { client, gateway, origin } = await setUp({ script: { onRequest: () => {} } });
    await client.send(requestFrame(1, '/slow'));
    await origin.request(0);
    const stopped = gateway.gateway.stop(0, PATIENCE);
    await client.until(() => goaways(client).length === 2, 'the last word');
    await client.send(requestFrame(3, '/'), frame(FRAME.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(4)));
    await client.until(() => goaways(client).length === 3, 'what was wrong');
    expect(goaways(client)[2]).toEqual([1, 1]);
    client.close();
    await stopped;
  });

  test('comes when nothing is asked for', async () => {
    const { client } = await setUp({ listener: { timeouts: { keepAlive: '100ms' } } });
    await client.send(requestFrame(1, '/'));
    await client.until(() => client.ended, 'the end');
    expect([isDone(client, 1), goaways(client)]).toEqual([true, [[1, 0]]]);
  });

  async function unknown(gateway: TestGateway, ...bytes: Buffer[]): Promise<FrameClient> {
    const client = new FrameClient(connect({ host: '127.0.0.1', port: gateway.port }));
    opened.push(client);
    await client.send(...bytes);
    return client;
  }

  test.each<[string, Buffer[]]>([
    ['nothing', []],
    ['half a preface', [CLIENT_PREFACE.subarray(0, 10)]],
    ['a preface and no settings', [CLIENT_PREFACE]],
    ['a preface and half its settings', [CLIENT_PREFACE, settingsFrame([[1, 1]]).subarray(0, 12)]],
  ])('comes for who says %s', async (_, bytes) => {
    const config = configWith({
      listener: { protocols: ['h2'], timeouts: { requestHead: '100ms' } },
      routes: [{ name: 'r', match: {}, respond: {} }],
    });
    const gateway = await startTestGateway(config);
    opened.push(gateway);
    const client = await unknown(gateway, ...bytes);
    await client.until(() => client.ended, 'the end');
    expect(goaways(client)).toEqual([[0, 0]]);
    client.close();
    await expect.poll(() => gateway.gateway.connections).toBe(0);
  });

  test('comes for who never acknowledges the settings', async () => {
    const { gateway, origin } = await setUp({
      script: { onRequest: () => {} },
      listener: { timeouts: { keepAlive: '100ms' } },
    });
    const client = await unknown(gateway, CLIENT_PREFACE, settingsFrame([]), requestFrame(1, '/'));
    await origin.request(0);
    // It is alive, and says so.
    const alive = setInterval(() => void client.send(pingFrame()), 10);
    await client.until(() => client.ended, 'the end').finally(() => clearInterval(alive));
    expect(client.goaway).toBe(4);
  });

  test('leaves nothing of what was asked, with frames of every stream half sent', async () => {
    const { client, gateway, origin } = await setUp({ script: { onRequest: () => {} } });
    await client.send(requestFrame(1, '/'), upload(3), data(3, 100), upload(5), data(5, 16_000).subarray(0, 5000));
    await expect.poll(() => gateway.gateway.active).toBe(3);
    await client.send(frame(FRAME.headers, 0, 7, fieldBlock(requestFields('/'))).subarray(0, 20));
    client.socket.end();
    await expect.poll(() => gateway.gateway.active).toBe(0);
    await expect.poll(() => gateway.gateway.connections).toBe(0);
    await expect.poll(() => openOf(origin)).toBe(0);
  });
});

/** Connections that hold a part of a request. */
function openOf(origin: Origin): number {
  return origin.connections.filter(({ requests, ended }) => ended === null && requests.length === 0).length;
}
