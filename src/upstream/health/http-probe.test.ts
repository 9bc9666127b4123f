/** The HTTP probe against real servers, good and bad. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createRawServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HealthCheckConfig } from '../../config/model.ts';
import { Endpoint } from '../endpoint.ts';
import { CHECK, FakePool } from '../service.test.support.ts';
import { HEALTH_USER_AGENT, probeHttp } from './http-probe.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(server: Server, host = '127.0.0.1'): Promise<Endpoint> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return new Endpoint(`http://${host.includes(':') ? `[${host}]` : host}:${port}`, 1, () => new FakePool());
}

const origin = (listener: RequestListener): Promise<Endpoint> => listen(createServer(listener));

/** A server that answers the first bytes of each connection with these, as they are. */
const raw = (onData: (socket: Socket) => void): Promise<Endpoint> =>
  listen(createRawServer((socket) => socket.once('data', () => onData(socket))));

const probe = (endpoint: Endpoint, changes: Partial<HealthCheckConfig> = {}, signal = new AbortController().signal) =>
  probeHttp(endpoint, { ...CHECK, ...changes }, signal, { protocol: 'http' });

describe('a sound server', () => {
  it.each<[number, [number, number][], boolean]>([
    [200, [[200, 299]], true],
    [299, [[200, 299]], true],
    [300, [[200, 299]], false],
    [302, [[200, 299]], false],
    [204, [[200, 299]], true],
    [404, [[200, 299]], false],
    [
      404,
      [
        [200, 299],
        [404, 404],
      ],
      true,
    ],
    [503, [[200, 299]], false],
    [500, [], false],
  ])('that answers %d, with %j expected: %j', async (status, expectStatus, passed) => {
    const endpoint = await origin((_, response) => response.writeHead(status, { location: '/elsewhere' }).end());
    expect(await probe(endpoint, { expectStatus })).toEqual({ passed, reason: `status ${status}` });
  });

  it('is asked plainly, on a connection for this one check', async () => {
    let seen: unknown;
    const endpoint = await origin((request, response) => {
      const { host, connection, 'user-agent': agent } = request.headers;
      seen = { method: request.method, url: request.url, host, connection, agent };
      response.end('ok');
    });
    expect((await probe(endpoint, { path: '/health?deep=1' })).passed).toBe(true);
    expect(seen).toEqual({
      method: 'GET',
      url: '/health?deep=1',
      host: endpoint.id,
      connection: 'close',
      agent: HEALTH_USER_AGENT,
    });
  });

  it('is reached over IPv6', async () => {
    const endpoint = await listen(
      createServer((request, response) => response.writeHead(request.headers.host === endpoint.id ? 200 : 500).end()),
      '::1',
    );
    expect(await probe(endpoint)).toEqual({ passed: true, reason: 'status 200' });
  });

  it('may send interim answers first', async () => {
    const endpoint = await raw((socket) => {
      socket.end('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    expect(await probe(endpoint)).toEqual({ passed: true, reason: 'status 200' });
  });

  it('may end its answer by closing', async () => {
    const endpoint = await raw((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nfine'));
    expect((await probe(endpoint)).passed).toBe(true);
  });

  it('is not read without end', async () => {
    let written = 0;
    let onEnded = (): void => {};
    const ended = new Promise<void>((resolve) => {
      onEnded = resolve;
    });
    const endpoint = await origin((_, response) => {
      const chunk = Buffer.alloc(16 * 1024);
      const write = (): void => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length;
      };
      response.on('drain', write).on('close', onEnded);
      write();
    });
    expect((await probe(endpoint)).passed).toBe(true);
    await ended;
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('a bad server', () => {
  it.each<[string, (socket: Socket) => void, RegExp]>([
    ['closes at once', (socket) => socket.end(), /socket hang up/],
    ['resets', (socket) => socket.resetAndDestroy(), /ECONNRESET/],
    ['speaks no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), /^not an HTTP answer \(HPE_\w+\)$/],
    ['sends binary noise', (socket) => socket.end(Buffer.from([0, 255, 1, 13, 10])), /^not an HTTP answer/],
    ['cuts its head', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-'), /socket hang up|not an HTTP answer/],
    ['cuts its body', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfi'), /cut off/],
    ['breaks its chunks', (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'), /./],
    [
      'has an endless head',
      (socket) => socket.end(`HTTP/1.1 200 OK\r\na: ${'a'.repeat(20_000)}\r\n\r\n`),
      /HEADER_OVERFLOW/,
    ],
    [
      'switches protocols unasked',
      (socket) => socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhi'),
      /status 101/,
    ],
    [
      'sends both lengths',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
      /^not an HTTP answer/,
    ],
  ])('that %s fails', async (_, onData, reason) => {
    const outcome = await probe(await raw(onData));
    expect(outcome).toEqual({ passed: false, reason: expect.stringMatching(reason) });
  });

  it('that is not there fails', async () => {
    const endpoint = await origin(() => {});
    await new Promise((resolve) => servers.pop()!.close(resolve));
    const outcome = await probe(endpoint);
    expect(outcome).toEqual({
      passed: false,
      reason: expect.stringContaining(`ECONNREFUSED 127.0.0.1:${endpoint.port}`),
    });
  });

  it('never puts its own words into the reason', async () => {
    const endpoint = await raw((socket) => socket.end('HTTP/1.1 200 secret-words\rsecret-words\r\n\r\n'));
    const { passed, reason } = await probe(endpoint);
    expect(passed).toBe(false);
    expect(reason).not.toContain('secret');
  });

  it.each([
    ['does not answer', ''],
    ['hangs in its head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['hangs in its body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfi'],
  ])('that %s is left when the check is aborted', async (_, start) => {
    const abort = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    const endpoint = await raw((socket) => {
      closed = new Promise((resolve) => socket.on('close', resolve));
      // A turn or two of the loop, so that the probe has what was written.
      socket.write(start, () => setImmediate(() => setImmediate(() => abort.abort())));
    });
    expect((await probe(endpoint, {}, abort.signal)).passed).toBe(false);
    await closed;
  });
});

describe('a check that cannot be made', () => {
  it('fails, for a path that cannot be sent', async () => {
    const endpoint = await origin((_, response) => response.end());
    expect((await probe(endpoint, { path: '/a b\r\nx: y' })).passed).toBe(false);
  });

  it('fails at once when it was aborted before', async () => {
    const endpoint = await origin((_, response) => response.end());
    expect((await probe(endpoint, {}, AbortSignal.abort())).passed).toBe(false);
  });

  it('fails for a name that does not resolve', async () => {
    const endpoint = new Endpoint('http://nowhere.invalid:80', 1, () => new FakePool());
    expect((await probe(endpoint)).passed).toBe(false);
  });
});
