/** HTTP/2 to services: many requests on one connection, and what each side may do to the other. */

import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer as createPlainServer } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { FLAG, FRAME } from '../../src/http/http2-frames.ts';
import { createAuthority } from '../support/certificates.ts';
import { configFor, configOf, startTestGateway, type TestFiles, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import {
  block,
  frame,
  numbers,
  type RawHttp2Connection,
  type RawHttp2Script,
  startRawHttp2Origin,
} from '../support/raw-http2-origin.ts';
import { Signal, turn } from '../support/waiting.ts';

const opened = closedAfterEach();

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, origin: Http2Origin) => void;

class Http2Origin {
  readonly server: Http2Server;
  readonly signal = new Signal();
  readonly sessions = new Set<ServerHttp2Session>();
  readonly requests: IncomingHttpHeaders[] = [];
  /** Connections accepted since the start. */
  accepted = 0;
  /** Streams that are open now. */
  streams = 0;
  mostStreams = 0;

  constructor(server: Http2Server, onStream: OnStream) {
    this.server = server;
    server.on('session', (session) => {
      this.accepted++;
      this.sessions.add(session);
      session.on('error', () => {});
      session.on('close', () => {
        this.sessions.delete(session);
        this.signal.notify();
      });
      this.signal.notify();
    });
    server.on('stream', (stream, headers) => {
      this.requests.push(headers);
      this.mostStreams = Math.max(this.mostStreams, ++this.streams);
      stream.on('error', () => {});
      stream.on('close', () => {
        this.streams--;
        this.signal.notify();
      });
      onStream(stream, headers, this);
      this.signal.notify();
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  until<T>(look: () => T | undefined | false, what: string): Promise<T> {
    return this.signal.until(look, what);
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }
}

const fine: OnStream = (stream) => {
  stream.respond({ ':status': 200 });
  stream.end('fine');
};

async function http2Origin(onStream: OnStream = fine, settings = {}, tls?: SecureServerOptions): Promise<Http2Origin> {
  const server = tls === undefined ? createServer({ settings }) : createSecureServer({ ...tls, settings });
  const origin = new Http2Origin(server as Http2Server, onStream);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(origin);
  return origin;
}

type Extra = NonNullable<Parameters<typeof configFor>[1]>;

async function gatewayTo(origin: { port: number }, extra: Extra = {}, files: TestFiles = {}): Promise<TestGateway> {
  const service = { protocol: 'h2c', ...extra.service };
  const config = configFor([`http://127.0.0.1:${origin.port}`], { ...extra, service });
  const gateway = await startTestGateway(config, [], undefined, files);
  opened.push(gateway);
  return gateway;
}

/** Resolves when so many connections stand, of which so many rest. */
async function untilPool(gateway: TestGateway, open: number, idle: number): Promise<void> {
  const pool = poolOf(gateway);
  for (let turns = 0; turns < 1000 && (pool.open !== open || pool.idle !== idle); turns++) await turn();
  expect([pool.open, pool.idle, pool.waiting]).toEqual([open, idle, 0]);
}

const poolOf = ({ gateway }: TestGateway) => gateway.current!.services.get('origin')!.endpoints[0].pool;

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

interface Answered {
  readonly status: number;
  readonly body: Buffer;
  readonly headers: IncomingMessage['headers'];
}

/** A request that is begun and not ended. */
function begin(port: number, { method = 'GET', path = '/', headers }: Asked = {}): ClientRequest {
  return request({ port, host: '127.0.0.1', method, path, headers, agent: false });
}

function answerTo(sent: ClientRequest): Promise<Answered> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks), headers: answer.headers }),
      );
    });
  });
}

function ask(port: number, asked: Asked = {}): Promise<Answered> {
  const sent = begin(port, asked);
  const answer = answerTo(sent);
  sent.end(asked.body);
  return answer;
}

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

interface Problem {
  code: string;
  detail: string;
}

const problemIn = (body: Buffer): Problem => JSON.parse(body.toString()) as Problem;

describe('the request that the endpoint gets', () => {
  test('has pseudo-header fields, and none of one connection', async () => {
    const origin = await http2Origin();
    const { port } = await gatewayTo(origin);
    const answer = await exchange(
      port,
      'GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nX-Mixed:   Case  \r\nCookie: a=1\r\nCookie: b=2\r\nX-Two: 1\r\nX-Two: 2\r\n' +
        'Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers, deflate\r\nUpgrade: h2c\r\n\r\n',
    );
    expect([answer.status, answer.body.toString()]).toEqual([200, 'fine']);
    expect(origin.requests[0]).toMatchObject({
      ':method': 'GET',
      ':scheme': 'http',
      ':path': '/a?b=c',
      ':authority': 'shop.example',
      'x-mixed': 'Case',
      cookie: 'a=1; b=2',
      'x-two': '1, 2',
      te: 'trailers',
      'x-forwarded-for': '127.0.0.1',
    });
    for (const name of ['host', 'connection', 'x-hop', 'keep-alive', 'upgrade']) {
      expect(origin.requests[0]).not.toHaveProperty(name);
    }
  });
});

describe('the answer that the client gets', () => {
  test.each<[string, string, Record<string, string | string[] | number>, string, Record<string, unknown>, string]>([
    ['of known length', 'GET', { ':status': 200, 'content-length': 4 }, 'body', { 'content-length': '4' }, 'body'],
    ['of unknown length', 'GET', { ':status': 200 }, 'body', { 'transfer-encoding': 'chunked' }, 'body'],
    ['without a body', 'GET', { ':status': 404 }, '', { 'content-length': '0' }, ''],
    ['to HEAD', 'HEAD', { ':status': 200, 'content-length': 4000 }, '', { 'content-length': '4000' }, ''],
    ['that has not changed', 'GET', { ':status': 304, etag: '"a"' }, '', { etag: '"a"' }, ''],
    ['with nothing to say', 'GET', { ':status': 204 }, '', {}, ''],
    ['with cookies', 'GET', { ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, '', { 'set-cookie': ['a=1', 'b=2'] }, ''],
  ])('%s', async (_, method, headers, body, expected, received) => {
    const origin = await http2Origin((stream) => {
      stream.respond(headers, { endStream: body === '' });
      if (body !== '') stream.end(body);
    });
    const gateway = await gatewayTo(origin);
    const answer = await ask(gateway.port, { method });
    expect(answer.status).toBe(headers[':status']);
    expect(answer.headers).toMatchObject(expected);
    expect(answer.body.toString()).toBe(received);
    await origin.until(() => origin.streams === 0, 'the stream to be over');
    await untilPool(gateway, 1, 1);
  });

  test('has the interim answers first', async () => {
    const origin = await http2Origin((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
      fine(stream, {}, origin);
    });
    const client = await rawClient((await gatewayTo(origin)).port);
    opened.push(client);
    await client.send(GET);
    const outcome = await client.read();
    expect(outcome).toMatchObject({ kind: 'answer', interim: [{ status: 103 }], answer: { status: 200 } });
  });

  test('has the trailers, when the client takes them', async () => {
    const origin = await http2Origin((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
      stream.end('fine');
    });
    const answer = await exchange((await gatewayTo(origin)).port, GET.replace('\r\n\r\n', '\r\nTE: trailers\r\n\r\n'));
    expect(answer.body.toString()).toBe('fine');
    expect(answer.trailers).toEqual([expect.objectContaining({ name: 'x-sum', value: '42' })]);
  });
});

describe('the body of the request', () => {
  test('goes up with its trailers', async () => {
    let trailers: IncomingHttpHeaders = {};
    let body = '';
    const origin = await http2Origin((stream, headers) => {
      expect(headers).not.toHaveProperty('transfer-encoding');
      stream.on('trailers', (received) => {
        trailers = received;
      });
      stream.on('data', (chunk) => (body += chunk));
      stream.on('end', () => fine(stream, headers, origin));
    });
    const gateway = await gatewayTo(origin);
    const answer = await exchange(
      gateway.port,
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n',
    );
    expect([answer.status, body, trailers['x-sum']]).toEqual([200, 'hello', '42']);
    expect((await ask(gateway.port, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } })).status).toBe(200);
    await origin.until(() => origin.streams === 0, 'the streams to be over');
  });

  test('is asked for when the endpoint wants it', async () => {
    const server = createServer(() => {});
    server.on('checkContinue', (request, response) => {
      response.writeContinue();
      request.on('data', () => {});
      request.on('end', () => response.end('taken'));
    });
    const origin = new Http2Origin(server, () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(origin);
    const client = await rawClient((await gatewayTo(origin)).port);
    opened.push(client);
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    expect((await client.untilBytes(25)).toString('latin1')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    await client.send('hello');
    expect((await client.read()).kind).toBe('answer');
  });

  test('may be cut short by an answer', async () => {
    const origin = await http2Origin((stream) => {
      stream.respond({ ':status': 413 });
      stream.end('enough');
    });
    const gateway = await gatewayTo(origin);
    const sent = begin(gateway.port, { method: 'POST', headers: { 'content-length': 1_000_000 } });
    const answer = answerTo(sent);
    sent.write('x');
    expect(await answer).toMatchObject({ status: 413, body: Buffer.from('enough') });
    sent.destroy();
    await origin.until(() => origin.streams === 0, 'the stream to be over');
    expect(poolOf(gateway).idle).toBe(1);
  });
});

describe('many requests', () => {
  test('share one connection', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const origin = await http2Origin((stream) => {
      waiting.push(stream);
      if (waiting.length === 50) for (const one of waiting) fine(one, {}, origin);
    });
    const gateway = await gatewayTo(origin);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(gateway.port)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect([origin.accepted, origin.mostStreams]).toEqual([1, 50]);
    await origin.until(() => origin.streams === 0, 'the streams to be over');
    await untilPool(gateway, 1, 1);
  });

  test.each([
    ['the endpoint allows', { maxConcurrentStreams: 5 }, 100],
    ['the service allows', {}, 5],
  ])('never are more than %s, on no more connections than allowed', async (_, settings, streams) => {
    const held: ServerHttp2Stream[] = [];
    const bySession = new Map<unknown, number>();
    const origin = await http2Origin((stream) => {
      const { session } = stream;
      const count = (bySession.get(session) ?? 0) + 1;
      bySession.set(session, count);
      expect(count).toBeLessThanOrEqual(5);
      stream.on('close', () => bySession.set(session, (bySession.get(session) as number) - 1));
      held.push(stream);
      // Nobody is answered before both connections are full.
      if (held.length >= 10) for (const one of held) if (!one.headersSent) fine(one, {}, origin);
    }, settings);
    const gateway = await gatewayTo(origin, { service: { connections: { max: 2, streams } } });
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => ask(gateway.port, { method: 'POST', body: 'x' })),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(origin.accepted).toBe(2);
  });

  test('that find no room are refused, at once or in time', async () => {
    const origin = await http2Origin(() => {});
    const gateway = await gatewayTo(origin, {
      service: { connections: { max: 1, streams: 1, queue: 1, queueTimeout: '30ms' } },
    });
    const first = begin(gateway.port);
    first.on('error', () => {});
    first.end();
    await origin.until(() => origin.streams === 1, 'the first request');
    const answers = await Promise.all([ask(gateway.port), ask(gateway.port)]);
    const details = answers.map(({ status, body }) => [status, problemIn(body).detail]).sort();
    expect(details).toEqual([
      [503, 'no connection to the endpoint became free in time'],
      [503, 'the queue for a connection to the endpoint is full'],
    ]);
    first.socket?.resetAndDestroy();
    await origin.until(() => origin.streams === 0, 'the stream to be over');
    expect(poolOf(gateway).waiting).toBe(0);
  });
});

test('an endpoint that allows no streams for now is waited for', async () => {
  const allowing = (streams: number): Buffer => frame(FRAME.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, streams]));
  const origin = await startRawHttp2Origin({
    first: allowing(0),
    onRequest: (stream, connection) =>
      connection.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, block([':status', '200']))),
  });
  opened.push(origin);
  const gateway = await gatewayTo(origin, { service: { connections: { queueTimeout: '5s' } } });
  const answer = ask(gateway.port);
  await origin.until(
    () => origin.connections[0]?.frames.some(({ flags }) => flags === FLAG.ack),
    'the settings to be taken',
  );
  expect(poolOf(gateway).waiting).toBe(1);
  origin.connections[0].write(allowing(1));
  expect((await answer).status).toBe(200);
  expect(origin.connections).toHaveLength(1);
  await untilPool(gateway, 1, 1);
});

describe('flow control', () => {
  const MEGABYTE = 1024 * 1024;
  const SIZE = 50 * MEGABYTE;
  const piece = Buffer.alloc(64 * 1024, 'portico');

  /** Writes pieces until `SIZE` is reached or nobody takes more. */
  function pour(to: { write(bytes: Buffer): boolean; once(event: 'drain', then: () => void): void; end(): void }): {
    written: number;
  } {
    const state = { written: 0 };
    const go = (): void => {
      while (state.written < SIZE) {
        state.written += piece.length;
        if (!to.write(piece)) {
          to.once('drain', go);
          return;
        }
      }
      to.end();
    };
    go();
    return state;
  }

  /** Resolves when the number stands still over many turns of the event loop. */
  async function settled(read: () => number): Promise<number> {
    let before = -1;
    for (let same = 0; same < 30; ) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      same = read() === before ? same + 1 : 0;
      before = read();
    }
    return before;
  }

  test('holds an endpoint that sends more than the client takes, and lets nothing of it be lost', async () => {
    let state = { written: 0 };
    const origin = await http2Origin((stream) => {
      stream.respond({ ':status': 200 });
      state = pour(stream);
    });
    const gateway = await gatewayTo(origin);
    const sent = begin(gateway.port);
    sent.end();
    const answer = await new Promise<IncomingMessage>((resolve) => sent.on('response', resolve));
    expect(await settled(() => state.written)).toBeLessThan(16 * MEGABYTE);
    // Another request is not held with it.
    const other = begin(gateway.port);
    other.end();
    const second = await new Promise<IncomingMessage>((resolve) => other.on('response', resolve));
    expect(second.statusCode).toBe(200);
    second.destroy();
    let received = 0;
    for await (const chunk of answer) received += (chunk as Buffer).length;
    expect(received).toBe(SIZE);
    expect(origin.accepted).toBe(1);
  });

  test('holds a client that sends more than the endpoint takes, and lets nothing of it be lost', async () => {
    let received = 0;
    let upload: ServerHttp2Stream | null = null;
    const origin = await http2Origin((stream) => {
      upload = stream;
    });
    const gateway = await gatewayTo(origin);
    const sent = begin(gateway.port, { method: 'POST', headers: { 'content-length': SIZE } });
    const answer = answerTo(sent);
    const state = pour(sent);
    const stream = await origin.until(() => upload ?? undefined, 'the request');
    expect(await settled(() => state.written)).toBeLessThan(16 * MEGABYTE);
    stream.on('data', (chunk: Buffer) => (received += chunk.length));
    stream.on('end', () => fine(stream, {}, origin));
    expect((await answer).status).toBe(200);
    expect(received).toBe(SIZE);
  });
});

describe('a connection that the endpoint gives up', () => {
  test('gracefully, again and again under load, costs no request', async () => {
    const origin = await http2Origin((stream) => {
      const { session } = stream;
      if (origin.requests.length % 20 === 0) session?.close();
      stream.on('data', () => {});
      stream.on('end', () => setImmediate(() => fine(stream, {}, origin)));
    });
    const gateway = await gatewayTo(origin);
    let failed = 0;
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        const { status } = await ask(gateway.port, { method: 'POST', body: 'hello' });
        if (status !== 200) failed++;
      }
    };
    await Promise.all(Array.from({ length: 10 }, worker));
    expect(failed).toBe(0);
    expect(origin.accepted).toBeGreaterThan(5);
    await origin.until(() => origin.streams === 0 && origin.sessions.size <= 1, 'the old connections to be closed');
  });

  test('lets what it had taken end, and takes nothing more', async () => {
    let slow: ServerHttp2Stream | null = null;
    const origin = await http2Origin((stream, headers) => {
      if (headers[':path'] !== '/slow') return fine(stream, headers, origin);
      slow = stream;
      stream.session?.goaway(0, stream.id);
    });
    const gateway = await gatewayTo(origin, { service: { connections: { max: 1 } } });
    const first = ask(gateway.port, { path: '/slow' });
    const stream = await origin.until(() => slow ?? undefined, 'the slow request');
    expect((await ask(gateway.port)).status).toBe(200);
    expect(origin.accepted).toBe(2);
    fine(stream, {}, origin);
    expect((await first).status).toBe(200);
    await origin.until(() => origin.sessions.size === 1, 'the old connection to be closed');
    await untilPool(gateway, 1, 1);
  });

  test('at rest is replaced without the client’s knowing', async () => {
    const origin = await http2Origin();
    const gateway = await gatewayTo(origin);
    for (let i = 0; i < 3; i++) {
      expect((await ask(gateway.port)).status).toBe(200);
      for (const session of origin.sessions) session.destroy();
      await origin.until(() => origin.sessions.size === 0, 'the connection to be closed');
    }
    expect(origin.accepted).toBe(3);
  });

  test.each([
    ['before the head', false],
    ['after the head', true],
  ])('without a word %s fails its requests visibly', async (_, answered) => {
    const origin = await http2Origin((stream) => {
      if (answered) {
        stream.respond({ ':status': 200 });
        stream.write('part');
      }
      setImmediate(() => stream.session?.destroy());
    });
    const gateway = await gatewayTo(origin);
    const answer = ask(gateway.port, { method: 'POST', body: 'x' });
    if (answered) await expect(answer).rejects.toThrow();
    else
      expect(await answer.then(({ status, body }) => [status, problemIn(body).code])).toEqual([502, 'upstream_reset']);
    await untilPool(gateway, 0, 0);
  });
});

describe('a stream that the endpoint refuses', () => {
  test('is sent again, whatever its method', async () => {
    let refused = 0;
    const origin = await http2Origin((stream, headers) => {
      stream.on('data', () => {});
      if (refused < 2) {
        refused++;
        stream.close(7);
      } else stream.on('end', () => fine(stream, headers, origin));
    });
    const gateway = await gatewayTo(origin);
    expect((await ask(gateway.port, { method: 'POST', body: 'once' })).status).toBe(200);
    expect(origin.requests).toHaveLength(3);
    const [endpoint] = gateway.gateway.current!.services.get('origin')!.endpoints;
    expect(endpoint.failures).toBe(0);
  });

  test('again and again is an error in the end', async () => {
    const origin = await http2Origin((stream) => stream.close(7));
    const gateway = await gatewayTo(origin);
    const { status, body } = await ask(gateway.port);
    expect([status, problemIn(body).code]).toEqual([502, 'upstream_reset']);
    expect(origin.requests.length).toBeLessThan(6);
  });
});

test('an answer that the route tries again after leaves no stream behind', async () => {
  let answers = 0;
  const origin = await http2Origin((stream, headers) => {
    if (++answers > 1) return fine(stream, headers, origin);
    stream.respond({ ':status': 503 });
    stream.write('busy');
  });
  const retry = { attempts: 2, on: [503], backoff: { base: '1ms', max: '1ms' } };
  const gateway = await gatewayTo(origin, { route: { retry } });
  expect((await ask(gateway.port)).status).toBe(200);
  await origin.until(() => origin.streams === 0, 'the streams to be over');
  expect(origin.accepted).toBe(1);
  await untilPool(gateway, 1, 1);
});

describe('a request that is cut', () => {
  test('by the client is taken back from the endpoint, whose connection goes on', async () => {
    const codes: (number | undefined)[] = [];
    const origin = await http2Origin((stream, headers) => {
      if (headers[':path'] === '/') return fine(stream, headers, origin);
      stream.on('close', () => codes.push(stream.rstCode));
      if (headers[':path'] === '/answered') {
        stream.respond({ ':status': 200 });
        stream.write('part');
      }
    });
    const gateway = await gatewayTo(origin);
    for (const path of ['/waiting', '/answered']) {
      const client = await rawClient(gateway.port);
      await client.send(GET.replace('/', path));
      await origin.until(() => origin.streams === 1, 'the request');
      if (path === '/answered') await client.untilBytes(20);
      client.reset();
      await origin.until(() => origin.streams === 0, 'the stream to be over');
    }
    expect(codes).toEqual([8, 8]);
    expect((await ask(gateway.port)).status).toBe(200);
    expect([origin.accepted, poolOf(gateway).open, poolOf(gateway).idle]).toEqual([1, 1, 1]);
  });

  test('by a connection that swallows everything takes the connection with it', async () => {
    const origin = await startRawHttp2Origin({ onRequest: () => {}, acknowledges: false });
    opened.push(origin);
    const gateway = await gatewayTo(origin, { service: { timeouts: { response: '30ms', connect: '50ms' } } });
    expect((await ask(gateway.port)).status).toBe(504);
    await origin.until(() => origin.connections[0].closed, 'the connection to be closed');
    await untilPool(gateway, 0, 0);
  });
});

describe('an answer that is malformed', () => {
  const headers = (stream: number, flags: number, ...fields: [string, string][]): Buffer =>
    frame(FRAME.headers, flags | FLAG.endHeaders, stream, block([':status', '200'], ...fields));
  const whole = FLAG.endStream;

  async function rawGateway(script: RawHttp2Script): Promise<TestGateway> {
    const origin = await startRawHttp2Origin(script);
    opened.push(origin);
    return gatewayTo(origin, { service: { timeouts: { response: '2s', connect: '1s' } } });
  }

  type Answer = (stream: number) => Buffer[];

  test.each<[string, Answer]>([
    ['a field of one connection', (id) => [headers(id, whole, ['connection', 'close'])]],
    ['a transfer coding', (id) => [headers(id, whole, ['transfer-encoding', 'chunked'])]],
    ['a field name in upper case', (id) => [headers(id, whole, ['X-A', 'b'])]],
    ['two lengths', (id) => [headers(id, 0, ['content-length', '1'], ['content-length', '2']), frame(0, 1, id, 'x')]],
    ['a length that is none', (id) => [headers(id, whole, ['content-length', '-1'])]],
    ['a length without its body', (id) => [headers(id, whole, ['content-length', '5'])]],
    ['no status', (id) => [frame(FRAME.headers, 5, id, block(['x-a', 'b']))]],
    ['a status that is none', (id) => [frame(FRAME.headers, 5, id, block([':status', '2000']))]],
    ['a pseudo-header field of requests', (id) => [headers(id, whole, [':path', '/'])]],
    ['101', (id) => [frame(FRAME.headers, 4, id, block([':status', '101']))]],
    ['interim answers without end', (id) => Array(40).fill(frame(FRAME.headers, 4, id, block([':status', '103'])))],
    ['an interim answer at the end', (id) => [frame(FRAME.headers, 5, id, block([':status', '103']))]],
    ['a reset for no reason in place of a head', (id) => [frame(FRAME.rstStream, 0, id, numbers(0))]],
    ['no head at all', (id) => [frame(FRAME.rstStream, 0, id, numbers(1))]],
    ['more fields than anybody needs', (id) => [headers(id, whole, ...Array(1200).fill(['x-a', 'b']))]],
  ])('by %s is 502, and the connection is as good as new', async (_, answer) => {
    let id = 0;
    const gateway = await rawGateway({
      onRequest: (stream, connection) => {
        id = stream;
        connection.write(...(stream === 1 ? answer(stream) : [headers(stream, whole)]));
      },
    });
    const { status, body } = await ask(gateway.port);
    expect([status, problemIn(body).code]).toEqual([502, 'upstream_invalid_response']);
    expect((await ask(gateway.port)).status).toBe(200);
    expect(id).toBeGreaterThanOrEqual(1);
    expect(poolOf(gateway).waiting).toBe(0);
  });

  test('by a value with a line break in it carries nothing into the client’s answer', async () => {
    const gateway = await rawGateway({
      onRequest: (stream, connection) => connection.write(headers(stream, whole, ['x-a', 'b\r\nx-evil: 1'])),
    });
    const answer = await ask(gateway.port);
    expect(answer.headers).not.toHaveProperty('x-evil');
  });

  test('by a reset for no reason in place of its end is taken as complete, as Node.js means it', async () => {
    const gateway = await rawGateway({
      onRequest: (stream, connection) =>
        connection.write(
          headers(stream, 0),
          frame(FRAME.data, 0, stream, 'all'),
          frame(FRAME.rstStream, 0, stream, numbers(0)),
        ),
    });
    expect((await ask(gateway.port)).body.toString()).toBe('all');
  });

  test.each([2, 8])('by a reset with code %i before the head is 502', async (code) => {
    const gateway = await rawGateway({
      onRequest: (stream, connection) => connection.write(frame(FRAME.rstStream, 0, stream, numbers(code))),
    });
    const { status, body } = await ask(gateway.port);
    expect([status, problemIn(body).code]).toEqual([502, 'upstream_reset']);
    await untilPool(gateway, 1, 1);
  });

  test.each<[string, Answer]>([
    ['less than its length', (id) => [headers(id, 0, ['content-length', '9']), frame(FRAME.data, whole, id, 'part')]],
    ['more than its length', (id) => [headers(id, 0, ['content-length', '2']), frame(FRAME.data, whole, id, 'part')]],
    ['a reset', (id) => [headers(id, 0), frame(FRAME.data, 0, id, 'part'), frame(FRAME.rstStream, 0, id, numbers(2))]],
    [
      'a reset for no reason before all has come',
      (id) => [
        headers(id, 0, ['content-length', '9']),
        frame(FRAME.data, 0, id, 'part'),
        frame(FRAME.rstStream, 0, id, numbers(0)),
      ],
    ],
    ['a cancel', (id) => [headers(id, 0), frame(FRAME.data, 0, id, 'part'), frame(FRAME.rstStream, 0, id, numbers(8))]],
    [
      'trailers that must not stand there',
      (id) => [headers(id, 0), frame(FRAME.headers, 5, id, block(['content-length', '3']))],
    ],
    ['a pseudo-header field in trailers', (id) => [headers(id, 0), headers(id, whole)]],
    ['a connection error', (id) => [headers(id, 0), frame(FRAME.goaway, 0, 0, numbers(id, 2))]],
  ])('by %s after the head cuts the client’s', async (_, answer) => {
    const gateway = await rawGateway({
      onRequest: (stream, connection) => connection.write(...answer(stream)),
    });
    await expect(ask(gateway.port)).rejects.toThrow();
  });

  test.each<[string, (connection: RawHttp2Connection, stream: number) => void]>([
    ['a frame too long', (connection) => connection.socket.write(Buffer.from('ffffff000000000001', 'hex'))],
    ['data for nobody', (connection) => connection.write(frame(FRAME.data, 0, 0, 'x'))],
    ['data before the head', (connection, id) => connection.write(frame(FRAME.data, 1, id, 'x'))],
    ['settings of a wrong size', (connection) => connection.write(frame(FRAME.settings, 0, 0, 'x'))],
    ['fields that cannot be decoded', (c, id) => c.write(frame(FRAME.headers, 5, id, Buffer.alloc(8, 0xff)))],
    ['no HTTP/2 any more', (connection) => connection.socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['its end', (connection) => connection.socket.end()],
  ])('by %s fails the request, and the next one goes elsewhere', async (_, spoil) => {
    let spoilt = false;
    const origin = await startRawHttp2Origin({
      onRequest: (stream, connection) => {
        if (spoilt) connection.write(headers(stream, whole));
        else spoil(connection, stream);
        spoilt = true;
      },
    });
    opened.push(origin);
    const gateway = await gatewayTo(origin, { service: { timeouts: { response: '200ms', connect: '100ms' } } });
    const { status } = await ask(gateway.port, { method: 'POST', body: 'x' });
    expect(status).toBeGreaterThanOrEqual(502);
    await origin.until(() => origin.connections[0].closed, 'the connection to be closed');
    expect((await ask(gateway.port)).status).toBe(200);
    await untilPool(gateway, 1, 1);
  });
});

describe('connecting', () => {
  const authority = createAuthority();
  const files = { 'ca.pem': authority.ca };
  const sound = authority.issue({ names: ['127.0.0.1'] });
  const secure = { service: { protocol: 'h2', tls: { caFile: 'ca.pem' } } };

  test('is by ALPN under TLS', async () => {
    const origin = await http2Origin(fine, {}, sound);
    const gateway = await gatewayTo(origin, secure, files);
    expect((await ask(gateway.port)).status).toBe(200);
    expect((await ask(gateway.port)).status).toBe(200);
    expect(origin.accepted).toBe(1);
    expect(origin.requests[0][':scheme']).toBe('https');
  });

  test('goes on with the TLS session of before', async () => {
    const origin = await http2Origin(fine, {}, sound);
    let resumed = 0;
    origin.server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.isSessionReused()) resumed++;
    });
    const gateway = await gatewayTo(origin, secure, files);
    for (let i = 0; i < 3; i++) {
      expect((await ask(gateway.port)).status).toBe(200);
      for (const session of origin.sessions) session.close();
      await origin.until(() => origin.sessions.size === 0, 'the connection to be closed');
      await untilPool(gateway, 0, 0);
    }
    expect([origin.accepted, resumed]).toEqual([3, 2]);
  });

  test('fails with an endpoint that agrees on something else', async () => {
    const server = createTlsServer({ ...sound, ALPNProtocols: ['http/1.1'] });
    const silent = createTlsServer(sound);
    server.on('tlsClientError', () => {});
    for (const one of [server, silent]) {
      await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
      opened.push(one);
      const gateway = await gatewayTo({ port: (one.address() as AddressInfo).port }, secure, files);
      const { status, body } = await ask(gateway.port);
      expect(status).toBe(502);
      expect(problemIn(body).code).toBe('upstream_connect_failed');
      expect(problemIn(body).detail).toMatch(
        /^TLS handshake: (ERR_SSL_\S*NO_APPLICATION_PROTOCOL|h2 was not agreed on by ALPN)$/,
      );
      await untilPool(gateway, 0, 0);
    }
  });

  test.each<[string, string]>([
    ['speaks HTTP/1.1', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['says nothing', ''],
  ])('fails with an endpoint that %s', async (_, words) => {
    const server = createPlainServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        if (words !== '') socket.end(words);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(server);
    const gateway = await gatewayTo(
      { port: (server.address() as AddressInfo).port },
      { service: { timeouts: { connect: '100ms' }, passive: { failures: 0 } } },
    );
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gateway.port)));
    for (const { status, body } of answers) {
      expect([status, problemIn(body).code]).toEqual([502, 'upstream_connect_failed']);
      expect(problemIn(body).detail).toMatch(/^HTTP\/2: ./);
    }
    expect([poolOf(gateway).open, poolOf(gateway).waiting]).toEqual([0, 0]);
  });

  test('again is what comes of a reload that changes TLS, and busy connections end', async () => {
    let slow: ServerHttp2Stream | null = null;
    const origin = await http2Origin(
      (stream, headers) => {
        if (headers[':path'] === '/slow') slow = stream;
        else fine(stream, headers, origin);
      },
      {},
      sound,
    );
    const gateway = await gatewayTo(origin, secure, files);
    const first = ask(gateway.port, { path: '/slow' });
    const stream = await origin.until(() => slow ?? undefined, 'the slow request');
    const client = authority.issue({ names: ['gateway'], client: true });
    const tls = { caFile: 'ca.pem', certFile: 'cert.pem', keyFile: 'key.pem' };
    const changed = configFor([`http://127.0.0.1:${origin.port}`], { service: { protocol: 'h2', tls } });
    await gateway.gateway.apply(
      await configOf(changed, [], { ...files, 'cert.pem': client.cert, 'key.pem': client.key }),
    );
    expect((await ask(gateway.port)).status).toBe(200);
    expect(origin.accepted).toBe(2);
    fine(stream, {}, origin);
    expect((await first).status).toBe(200);
    await origin.until(() => origin.sessions.size === 1, 'the old connection to be closed');
  });

  test('by another protocol is what comes of a reload that says so', async () => {
    const origin = await http2Origin();
    const gateway = await gatewayTo(origin);
    expect((await ask(gateway.port)).status).toBe(200);
    await gateway.gateway.apply(await configOf(configFor([`http://127.0.0.1:${origin.port}`])));
    await origin.until(() => origin.sessions.size === 0, 'the connection to be closed');
    expect((await ask(gateway.port)).status).toBe(502);
  });

  test('ends with the time that a connection may rest', async () => {
    const origin = await http2Origin();
    const gateway = await gatewayTo(origin, { service: { connections: { idleTimeout: '30ms' } } });
    expect((await ask(gateway.port)).status).toBe(200);
    await origin.until(() => origin.sessions.size === 0, 'the connection to be closed');
    await untilPool(gateway, 0, 0);
  });
});
