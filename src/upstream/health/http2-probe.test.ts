/** The probes over HTTP/2 and TCP against real servers, good and bad. */
import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../test/support/certificates.ts';
import type { HealthCheckConfig } from '../../config/model.ts';
import { Endpoint } from '../endpoint.ts';
import { CHECK, FakePool } from '../service.test.support.ts';
import type { CheckOutcome, ProbedService } from './active-check.ts';
import { probe } from './probe.ts';

type Listener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Buffer) => void;

const servers: (Server | Http2Server)[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(server: Server | Http2Server, scheme = 'http'): Promise<Endpoint> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Endpoint(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, 1, () => new FakePool());
}

function serve(server: Http2Server, listener: Listener): Http2Server {
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    const pieces: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => listener(stream, headers, Buffer.concat(pieces)));
  });
  return server;
}

/** Answers a call with this body and these trailers. */
function answerWith(body: Buffer, trailers: OutgoingHttpHeaders): Listener {
  return (stream) => {
    stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(body);
  };
}

const status = (value: number): Buffer => Buffer.from([0, 0, 0, 0, 2, 8, value]);

function check(
  endpoint: Endpoint,
  changes: Partial<HealthCheckConfig> = { type: 'grpc' },
  service: ProbedService = { protocol: 'grpc' },
  signal = new AbortController().signal,
): Promise<CheckOutcome> {
  return probe(endpoint, { ...CHECK, ...changes }, signal, service);
}

describe('grpc.health.v1', () => {
  it('is asked as a call of its own, with the service in question and a deadline', async () => {
    let seen: unknown;
    const endpoint = await listen(
      serve(createServer(), (stream, headers, body) => {
        seen = { ...headers, body };
        answerWith(status(1), { 'grpc-status': '0' })(stream, headers, body);
      }),
    );
    const outcome = await check(endpoint, { type: 'grpc', grpcService: 'a.B', timeout: 1500 });
    expect(outcome).toEqual({ passed: true, reason: 'SERVING' });
    expect(seen).toMatchObject({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      ':scheme': 'http',
      ':authority': endpoint.id,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '1500m',
      'user-agent': 'portico-health/1',
      body: Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 97, 46, 66]),
    });
  });

  it.each<[string, Listener, string | RegExp]>([
    ['NOT_SERVING', answerWith(status(2), { 'grpc-status': '0' }), 'NOT_SERVING'],
    ['UNKNOWN', answerWith(Buffer.alloc(5), { 'grpc-status': '0' }), 'UNKNOWN'],
    ['SERVICE_UNKNOWN', answerWith(status(3), { 'grpc-status': '0' }), 'SERVICE_UNKNOWN'],
    ['a status of later times', answerWith(status(9), { 'grpc-status': '0' }), 'a health status that is not known'],
    ['NOT_FOUND', answerWith(Buffer.alloc(0), { 'grpc-status': '5' }), 'grpc-status 5'],
    ['SERVING, and then an error', answerWith(status(1), { 'grpc-status': '13' }), 'grpc-status 13'],
    [
      'no trailers',
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.end(status(1));
      },
      'the answer has no grpc-status',
    ],
    [
      'two messages',
      answerWith(Buffer.concat([status(1), status(1)]), { 'grpc-status': '0' }),
      'the answer is no health status',
    ],
    ['HTTP 503', (stream) => stream.respond({ ':status': 503 }, { endStream: true }), 'status 503'],
    [
      'a status in the head alone',
      (stream) => stream.respond({ 'grpc-status': '12' }, { endStream: true }),
      'grpc-status 12',
    ],
    ['a reset', (stream) => stream.close(2), /ERR_HTTP2|code|cut off/],
    ['the end of the session', (stream) => stream.session?.destroy(), /./],
  ])('does not pass with %s', async (_, listener, reason) => {
    const endpoint = await listen(serve(createServer(), listener));
    const outcome = await check(endpoint);
    expect(outcome).toEqual({
      passed: false,
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
    });
  });

  it('is cut when it has no end', async () => {
    const endpoint = await listen(
      serve(createServer(), (stream) => {
        stream.respond({ 'content-type': 'application/grpc' });
        const chunk = Buffer.alloc(16 * 1024);
        const write = (): void => {
          while (!stream.destroyed && stream.write(chunk)) {}
        };
        stream.on('drain', write);
        write();
      }),
    );
    expect((await check(endpoint)).passed).toBe(false);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['closes at once', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['speaks HTTP/1.1', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('does not pass where a server %s', async (_, onData) => {
    const endpoint = await listen(createTcpServer((socket) => socket.once('data', () => onData(socket))));
    expect((await check(endpoint)).passed).toBe(false);
  });

  it('is given up, connection and all, when it is aborted', async () => {
    const abort = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    const endpoint = await listen(
      createTcpServer((socket) => {
        closed = new Promise((resolve) => socket.on('close', resolve));
        socket.once('data', () => abort.abort()).resume();
      }),
    );
    expect(await check(endpoint, { type: 'grpc' }, undefined, abort.signal)).toEqual({
      passed: false,
      reason: 'the check was given up',
    });
    await closed;
    expect((await check(endpoint, { type: 'grpc' }, undefined, AbortSignal.abort())).passed).toBe(false);
  });
});

describe('under TLS', () => {
  const authority = createAuthority();
  const server = authority.issue({ names: ['greeter.internal'] });
  const stranger = createAuthority('Somebody else');
  const tls = { minVersion: 'TLSv1.2' as const, verify: true };

  it.each<[string, ProbedService, boolean]>([
    [
      'the right authority and name',
      { protocol: 'grpcs', tls: { ...tls, ca: authority.ca, serverName: 'greeter.internal' } },
      true,
    ],
    ['no check of the certificate', { protocol: 'grpcs', tls: { ...tls, verify: false } }, true],
    [
      'another authority',
      { protocol: 'grpcs', tls: { ...tls, ca: stranger.ca, serverName: 'greeter.internal' } },
      false,
    ],
    ['another name', { protocol: 'grpcs', tls: { ...tls, ca: authority.ca, serverName: 'other.internal' } }, false],
    ['the address as the name', { protocol: 'grpcs', tls: { ...tls, ca: authority.ca } }, false],
    ['no TLS at all', { protocol: 'grpc' }, false],
  ])('with %s', async (_, service, passed) => {
    const endpoint = await listen(
      serve(createSecureServer({ cert: server.cert, key: server.key }), answerWith(status(1), { 'grpc-status': '0' })),
    );
    expect((await check(endpoint, { type: 'grpc' }, service)).passed).toBe(passed);
  });
});

describe('a GET over HTTP/2', () => {
  it.each<[number, boolean]>([
    [200, true],
    [503, false],
  ])('that is answered %d', async (code, passed) => {
    let path: unknown;
    const endpoint = await listen(
      serve(createServer(), (stream, headers) => {
        path = headers[':path'];
        stream.respond({ ':status': code });
        stream.end('body');
      }),
    );
    const outcome = await check(endpoint, { type: 'http', path: '/ready?x' }, { protocol: 'h2c' });
    expect(outcome).toEqual({ passed, reason: `status ${code}` });
    expect(path).toBe('/ready?x');
  });
});

describe('tcp', () => {
  it('passes where a connection opens, and leaves it', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const endpoint = await listen(
      createTcpServer((socket) => {
        socket.write('220 hello\r\n');
        closed = new Promise((resolve) => socket.on('close', resolve));
      }),
      'tcp',
    );
    expect(await check(endpoint, { type: 'tcp' })).toEqual({ passed: true, reason: 'connected' });
    await closed;
  });

  it('does not pass where none opens, nor after it was given up', async () => {
    const server = createTcpServer();
    const endpoint = await listen(server);
    expect((await check(endpoint, { type: 'tcp' }, undefined, AbortSignal.abort())).passed).toBe(false);
    servers.pop();
    await new Promise((resolve) => server.close(resolve));
    expect(await check(endpoint, { type: 'tcp' })).toEqual({
      passed: false,
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
