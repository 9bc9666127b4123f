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
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { configFor, startTestGateway, type TestFiles, type TestGateway } from '../support/gateway.ts';
import { exchange, headerOf, rawClient } from '../support/raw-client.ts';
import { Signal } from '../support/waiting.ts';

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

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
    expect([poolOf(gateway).open, poolOf(gateway).idle]).toEqual([1, 1]);
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
    const server = createServer();
    server.on('checkContinue', (_request, response) => {
      response.writeContinue();
      _request.on('data', () => {});
      _request.on('end', () => response.end('taken'));
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
    expect([poolOf(gateway).open, poolOf(gateway).idle, poolOf(gateway).waiting]).toEqual([1, 1, 0]);
  });

  test.each([
    ['the endpoint allows', { maxConcurrentStreams: 5 }, 100],
    ['the service allows', {}, 5],
  ])('never are more than %s, on no more connections than allowed', async (_, settings, streams) => {
    const bySession = new Map<unknown, number>();
    const origin = await http2Origin((stream) => {
      const count = (bySession.get(stream.session) ?? 0) + 1;
      bySession.set(stream.session, count);
      expect(count).toBeLessThanOrEqual(5);
      setImmediate(() => {
        bySession.set(stream.session, (bySession.get(stream.session) as number) - 1);
        fine(stream, {}, origin);
      });
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
    first.destroy();
    await origin.until(() => origin.streams === 0, 'the stream to be over');
    expect(poolOf(gateway).waiting).toBe(0);
  });
});
