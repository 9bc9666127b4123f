/** Answers that come piece by piece: each piece reaches the client before the next is made, and silence has a bound. */
import { once } from 'node:events';
import { constants, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { answerOf, http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { untilQuiet } from '../support/quiet.ts';
import { type Outcome, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, type OriginConnection, startOrigin } from '../support/raw-origin.ts';
import { Signal, turn } from '../support/waiting.ts';

const opened = closedAfterEach();

const GET = 'GET /events HTTP/1.1\r\nHost: a\r\n\r\n';
const SSE = 'text/event-stream';

const head = (type: string, framing = 'Transfer-Encoding: chunked'): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n${framing === '' ? '' : `${framing}\r\n`}\r\n`;
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

interface SetUp {
  origin: Origin;
  gateway: TestGateway;
  client: RawClient;
  /** The origin's side of the request with this index, the first without one, once it has come. */
  asked: (index?: number) => Promise<OriginConnection>;
}

async function setUp(extra: Parameters<typeof configFor>[1] = {}, shutdown?: object): Promise<SetUp> {
  const begun: OriginConnection[] = [];
  const origin = await startOrigin({ onRequest: (_request, connection) => void begun.push(connection) });
  opened.push(origin);
  const gateway = await startTestGateway({ ...configFor([origin.url], extra), ...(shutdown && { shutdown }) });
  opened.push(gateway);
  const client = await rawClient(gateway.port);
  opened.push(client);
  return { origin, gateway, client, asked: (index = 0) => origin.until(() => begun[index], 'the request') };
}

/** Waits until the client has got the text, and takes all that came to the end of it. */
async function untilText(client: RawClient, text: string): Promise<void> {
  for (let bytes = 1; client.unread.indexOf(text) < 0; bytes = client.unread.length + 1) await client.untilBytes(bytes);
  client.unread = client.unread.subarray(client.unread.indexOf(text) + text.length);
}

/** Another request, whose answer begins and goes no further: by the time it is cut, what began before it would have been. */
async function untilCut(gateway: TestGateway, asked: SetUp['asked'], begins: string, index = 1): Promise<Outcome> {
  const client = await rawClient(gateway.port);
  opened.push(client);
  await client.send(GET);
  (await asked(index)).write(begins);
  const outcome = await client.read();
  client.close();
  expect(outcome).toMatchObject({ kind: 'cut', status: 200 });
  return outcome;
}

describe('an answer that comes piece by piece', () => {
  test.each([
    ['server-sent events', SSE, true],
    ['server-sent events, with parameters', 'Text/Event-Stream; charset=utf-8', true],
    ['lines of JSON', 'application/x-ndjson', true],
    ['plain text', 'text/plain', true],
    ['events until the connection ends', SSE, false],
  ])('is passed on as it comes: %s', async (_, type, chunked) => {
    const { client, asked, gateway } = await setUp();
    await client.send(GET);
    const connection = await asked();
    connection.write(head(type, chunked ? undefined : ''));
    await untilText(client, '\r\n\r\n');
    for (let i = 0; i < 20; i++) {
      // The next one is made when the client has this one: a buffer anywhere between would wait for ever.
      const event = `data: ${i}\n\n`;
      connection.write(chunked ? chunk(event) : event);
      await untilText(client, event);
    }
    if (chunked) connection.write('0\r\n\r\n');
    else connection.end();
    await untilText(client, '0\r\n\r\n');
    client.close();
    await untilQuiet(gateway);
  });

  test('is passed on by the byte, also the head', async () => {
    const { client, asked } = await setUp();
    await client.send(GET);
    const connection = await asked();
    const bytes = Buffer.from(`${head(SSE)}${chunk('data: one\n\n')}${chunk(': keep\n\n')}0\r\n\r\n`);
    await connection.writePieces(Array.from(bytes, (byte) => Buffer.of(byte)));
    expect((await client.answer()).body.toString()).toBe('data: one\n\n: keep\n\n');
  });

  test('ends upstream when the client goes', async () => {
    const { client, asked, gateway, origin } = await setUp();
    await client.send(GET);
    const connection = await asked();
    connection.write(head(SSE) + chunk('data: 1\n\n'));
    await untilText(client, 'data: 1\n\n');
    client.reset();
    await origin.until(() => origin.open.length === 0, 'the upstream to be closed');
    await untilQuiet(gateway);
  });
});

describe('over HTTP/2', () => {
  /** Listens without TLS; `respond` begins the answer and gives the way to write to it. */
  async function startStreams(): Promise<{ url: string; asked: () => Promise<ServerHttp2Stream> }> {
    const server = createServer();
    const sessions = new Set<ServerHttp2Session>();
    const begun = new Promise<ServerHttp2Stream>((resolve) => {
      server.on('stream', (stream) => {
        stream.on('error', () => {});
        resolve(stream);
      });
    });
    server.on('session', (session) => sessions.add(session));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    opened.push({
      close: () => {
        for (const session of sessions) session.destroy();
        server.close();
      },
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => begun };
  }

  /** The answer to a GET, and what of it has come and was not taken. */
  async function streamOf(gateway: TestGateway) {
    const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
    opened.push(client);
    const stream = client.session.request({ ':path': '/events', ':authority': 'a' });
    const answer = answerOf(stream);
    let text = '';
    const signal = new Signal();
    stream.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      signal.notify();
    });
    const until = async (piece: string): Promise<void> => {
      await signal.until(() => text.endsWith(piece), piece);
    };
    return { stream, answer, until };
  }

  const listener = { protocols: ['h2', 'http/1.1'] };

  test('from the client, each event is passed on as it comes', async () => {
    const { asked, gateway } = await setUp({ listener });
    const { answer, until } = await streamOf(gateway);
    const connection = await asked();
    connection.write(head(SSE));
    for (let i = 0; i < 20; i++) {
      connection.write(chunk(`data: ${i}\n\n`));
      await until(`data: ${i}\n\n`);
    }
    connection.write('0\r\n\r\n');
    expect(await answer).toMatchObject({ status: 200, reset: 0 });
  });

  test('to the upstream, too', async () => {
    const { url, asked } = await startStreams();
    const gateway = await startTestGateway(configFor([url], { listener, service: { protocol: 'h2c' } }));
    opened.push(gateway);
    const { answer, until } = await streamOf(gateway);
    const stream = await asked();
    stream.respond({ ':status': 200, 'content-type': SSE });
    for (let i = 0; i < 20; i++) {
      stream.write(`data: ${i}\n\n`);
      await until(`data: ${i}\n\n`);
    }
    stream.end();
    expect(await answer).toMatchObject({ status: 200, reset: 0 });
  });

  test('events outlive the time of the route, and silence resets the stream on both sides', async () => {
    const service = { timeouts: { streamIdle: '150ms' } };
    const { asked, gateway, origin } = await setUp({ listener, service, route: { timeout: '100ms' } });
    const { answer } = await streamOf(gateway);
    const connection = await asked();
    const begun = performance.now();
    connection.write(head(SSE) + chunk('data: 1\n\n'));
    const { status, body, reset } = await answer;
    expect([status, body.toString(), reset]).toEqual([200, 'data: 1\n\n', constants.NGHTTP2_INTERNAL_ERROR]);
    // Not by the time of the route, which was shorter.
    expect(performance.now() - begun).toBeGreaterThan(140);
    await origin.until(() => origin.open.length === 0, 'the upstream to be closed');
    await expect.poll(() => gateway.gateway.active).toBe(0);
  });
});

describe('server-sent events', () => {
  test('outlive the time of the route, which other answers do not', async () => {
    const { client, asked, gateway } = await setUp({ route: { timeout: '80ms' } });
    await client.send(GET);
    const connection = await asked();
    connection.write(head(SSE) + chunk('1\n'));
    await untilText(client, '1\n');
    expect(await untilCut(gateway, asked, head('application/x-ndjson') + chunk('1\n'))).toMatchObject({
      body: Buffer.from('1\n'),
    });
    connection.write(chunk('2\n'));
    await untilText(client, '2\n');
    expect(client.ended).toBeNull();
  });

  test('must begin within the time of the route', async () => {
    const { client, asked } = await setUp({ route: { timeout: '50ms' } });
    await client.send(GET);
    await asked();
    expect((await client.answer()).status).toBe(504);
  });

  test('are cut for all to see when the upstream is silent for too long, and not while it speaks', async () => {
    const { client, asked, gateway, origin } = await setUp({ service: { timeouts: { streamIdle: '120ms' } } });
    await client.send(GET);
    const connection = await asked();
    connection.write(head(SSE));
    let silentOne: Outcome | undefined;
    void untilCut(gateway, asked, head(SSE)).then((outcome) => (silentOne = outcome));
    for (let i = 0; silentOne === undefined; i++) {
      connection.write(chunk(`: ${i}\n\n`));
      await untilText(client, `: ${i}\n\n`);
    }
    expect(client.ended).toBeNull();
    // The chunking is left incomplete.
    await client.untilEnded();
    expect(client.unread.toString()).not.toContain('0\r\n\r\n');
    await origin.until(() => origin.open.length === 0, 'the upstream to be closed');
    client.close();
    await untilQuiet(gateway);
    const page = [...gateway.gateway.metrics.pieces()].join('');
    expect(page).toContain('http_errors_total{error_type="upstream_timeout"} 2');
  });

  test.each([
    ['another type', 'text/event-streams', undefined],
    ['a length, and so an end', SSE, 'Content-Length: 8'],
    ['another type that has it as a parameter', 'text/plain; x=text/event-stream', undefined],
  ])('are not what has %s: silence is no matter there', async (_, type, framing) => {
    const { client, asked, gateway } = await setUp({ service: { timeouts: { streamIdle: '40ms' } } });
    await client.send(GET);
    const connection = await asked();
    connection.write(head(type, framing) + (framing === undefined ? chunk('1234') : '1234'));
    await untilText(client, '\r\n\r\n');
    await untilCut(gateway, asked, head(SSE));
    expect(client.ended).toBeNull();
    connection.write(framing === undefined ? `${chunk('5678')}0\r\n\r\n` : '5678');
    await untilText(client, '5678');
  });

  test('are not cut for a client that reads slowly: it is not the upstream that is silent', async () => {
    const { client, asked, gateway } = await setUp({ service: { timeouts: { streamIdle: '80ms' } } });
    client.socket.pause();
    await client.send(GET);
    const connection = await asked();
    connection.write(head(SSE));
    const event = `data: ${'x'.repeat(64 * 1024 - 8)}\n\n`;
    let sent = 0;
    // Until nothing more goes in.
    while (connection.socket.writableLength < 256 * 1024) {
      connection.write(chunk(event));
      sent++;
      await turn();
    }
    for (let index = 1; index < 4; index++) await untilCut(gateway, asked, head(SSE), index);
    expect(connection.ended).toBeNull();
    // Megabytes, which are counted and not kept.
    let received = 0;
    let tail = '';
    client.socket.removeAllListeners('data').on('data', (bytes: Buffer) => {
      received += bytes.length;
      tail = `${tail}${bytes.toString('latin1', Math.max(0, bytes.length - 5))}`.slice(-5);
    });
    client.socket.resume();
    connection.write('0\r\n\r\n');
    await expect.poll(() => tail).toBe('0\r\n\r\n');
    expect(received).toBeGreaterThan(sent * event.length);
  });

  test('go on in a shutdown until its time is over, and are then cut', async () => {
    const { client, asked, gateway } = await setUp({}, { drain: '10ms', timeout: '400ms' });
    await client.send(GET);
    const connection = await asked();
    connection.write(head(SSE) + chunk('data: 1\n\n'));
    await untilText(client, 'data: 1\n\n');
    const stopped = gateway.gateway.stop();
    const connects = (): Promise<boolean> =>
      rawClient(gateway.port).then(
        (other) => other.close() === undefined,
        () => false,
      );
    await expect.poll(connects).toBe(false);
    connection.write(chunk('data: 2\n\n'));
    await untilText(client, 'data: 2\n\n');
    expect(await stopped).toBe(1);
    await client.untilEnded();
    expect(client.unread.toString()).not.toContain('0\r\n\r\n');
  });
});
