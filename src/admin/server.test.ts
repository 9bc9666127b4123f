/** The routes of the admin listener as a client sees them, and its refusals. */
import { once } from 'node:events';
import { type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import type { HealthPicture } from '../gateway/picture.ts';
import { ask, closeAll, expectProblem, STATUS, sourceWith, start } from './admin.test.support.ts';
import { createAdmin } from './server.ts';

afterEach(closeAll);

describe('the routes of the admin listener', () => {
  it('answers each with its media type, and lets nothing be cached', async () => {
    const port = await start();
    const metrics = await ask(port, '/metrics?x=1');
    expect(metrics).toMatchObject({ status: 200, body: 'up 1\n' });
    expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.headers['cache-control']).toBe('no-store');
    const status = await ask(port, '/status');
    expect(status.headers['content-type']).toBe('application/json');
    expect(JSON.parse(status.body)).toEqual(STATUS);
    expect(await ask(port, '/livez')).toMatchObject({ status: 200, body: '{"status":"alive"}\n' });
  });

  it('says 503 on /readyz while not ready, and still lives', async () => {
    let ready = false;
    const port = await start({ source: sourceWith({ ready: () => ready }) });
    expect(await ask(port, '/readyz')).toMatchObject({ status: 503, body: '{"status":"not_ready"}\n' });
    expect((await ask(port, '/livez')).status).toBe(200);
    ready = true;
    expect((await ask(port, '/readyz')).status).toBe(200);
  });

  it.each([
    ['healthy', 200],
    ['degraded', 200],
    ['unhealthy', 503],
  ] as const)('answers /gateway/health with its totals when %s: %i', async (status, code) => {
    const health: HealthPicture = { status, total: 100, failed: 60, successRate: 40 };
    const answer = await ask(await start({ source: sourceWith({ health: () => health }) }), '/gateway/health');
    expect(answer.status).toBe(code);
    expect(JSON.parse(answer.body)).toEqual(health);
  });

  it('writes a page in pieces only as fast as it is read, and whole', async () => {
    const piece = `${'x'.repeat(64 * 1024 - 1)}\n`;
    let produced = 0;
    const source = sourceWith({
      *metrics() {
        for (; produced < 200; produced++) yield piece;
      },
    });
    const port = await start({ source });
    const sent = request({ host: '127.0.0.1', port, path: '/metrics', agent: false }).end();
    const [response] = await once(sent, 'response');
    // Nothing is read yet: the rest waits for the client.
    for (let before = -1; before !== produced; await new Promise((turn) => setTimeout(turn, 50))) before = produced;
    expect(produced).toBeLessThan(200);
    expect(await text(response)).toBe(piece.repeat(200));
  });

  it('cuts an answer that breaks off, so that it is not taken for whole', async () => {
    const source = sourceWith({
      *metrics() {
        yield 'a 1\n';
        throw new Error('broken');
      },
    });
    await expect(ask(await start({ source }), '/metrics')).rejects.toThrow(/aborted|hang up|reset/);
  });
});

describe('refusals of the admin listener', () => {
  it.each([
    ['/nothing', {}, 404, 'route_not_found'],
    ['/livez/', {}, 404, 'route_not_found'],
    ['//livez', {}, 404, 'route_not_found'],
    ['/__proto__', {}, 404, 'route_not_found'],
    ['/metrics', { method: 'POST' }, 405, 'method_not_allowed'],
    ['/metrics', { method: 'OPTIONS' }, 405, 'method_not_allowed'],
    ['/livez', { headers: { host: 'evil.example' } }, 421, 'misdirected_request'],
    ['http://evil.example/livez', {}, 421, 'misdirected_request'],
    ['/status', { headers: { origin: 'http://evil.example' } }, 403, 'forbidden'],
    ['/status', { headers: { origin: 'null' } }, 403, 'forbidden'],
    ['*', { method: 'OPTIONS' }, 400, 'bad_request'],
  ] as const)('%s with %j is %i %s', async (path, options, status, code) => {
    const answer = await ask(await start(), path, options as RequestOptions);
    expectProblem(answer, status, code);
    if (status === 405) expect(answer.headers.allow).toBe('GET, HEAD');
  });

  it('takes a request in absolute form, and one of a page that it served itself', async () => {
    const port = await start();
    expect((await ask(port, `http://localhost:${port}/livez`)).status).toBe(200);
    const headers = { host: `localhost:${port}`, origin: `http://localhost:${port}` };
    expect((await ask(port, '/livez', { headers })).status).toBe(200);
  });

  it('refuses a request with two hosts', async () => {
    const socket = connect(await start(), '127.0.0.1');
    socket.end('GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('logs neither query nor token of a request that fails', async () => {
    const logged: unknown[] = [];
    const note = (message: string, fields?: object): void => void logged.push(message, fields);
    const port = await start({
      token: 'the-secret-token',
      logger: { ...silentLogger, error: note, warn: note, info: note, debug: note },
      source: sourceWith({
        status: () => {
          throw new Error('broken');
        },
      }),
    });
    const headers = { authorization: 'Bearer the-secret-token' };
    expect((await ask(port, '/status?token=another-secret', { headers })).status).toBe(500);
    await ask(port, '/status', { headers: { authorization: 'Bearer a-guessed-secret' } });
    expect(logged).toContainEqual(expect.objectContaining({ path: '/status' }));
    expect(JSON.stringify(logged)).not.toContain('secret');
  });

  it('answers 500 without the reason, which the log has, when the source fails', async () => {
    const logged: unknown[] = [];
    const port = await start({
      logger: { ...silentLogger, error: (_message, fields) => void logged.push(fields?.error) },
      source: sourceWith({
        status: () => {
          throw new Error('secret reason');
        },
      }),
    });
    const answer = await ask(port, '/status');
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('secret reason');
    expect(logged).toEqual([new Error('secret reason')]);
  });
});

describe('the token of the admin listener', () => {
  it('may be guessed ten times, then 429 with Retry-After', async () => {
    const port = await start({ token: 'the-token' });
    const headers = { authorization: 'Bearer guess' };
    const statuses: number[] = [];
    for (let i = 0; i < 10; i++) statuses.push((await ask(port, '/status', { headers })).status);
    expect(new Set(statuses)).toEqual(new Set([401]));
    const limited = await ask(port, '/status', { headers });
    expect(limited).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect((await ask(port, '/livez')).status).toBe(200);
  });

  it.each(['0.0.0.0', '', '::', '10.0.0.1', 'gateway.internal'])('is required on "%s"', (host) => {
    const options = { address: { host, port: 0 }, source: sourceWith(), logger: silentLogger };
    expect(() => createAdmin(options)).toThrow(/admin\.token is required/);
    expect(() => createAdmin({ ...options, token: 'x' })).not.toThrow();
  });
});

describe('the life of the admin listener', () => {
  it('says which address it cannot have', async () => {
    const port = await start();
    await expect(start({ address: { host: '127.0.0.1', port } })).rejects.toThrow(
      `the admin listener cannot have 127.0.0.1:${port}: EADDRINUSE`,
    );
  });

  it('closes though a client holds its connection open, and refuses later ones', async () => {
    const admin = createAdmin({
      address: { host: '127.0.0.1', port: 0 },
      source: sourceWith(),
      logger: silentLogger,
    });
    const { port } = await admin.listen();
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
    const ended = once(socket, 'close');
    await admin.close();
    await ended;
    await expect(ask(port, '/livez')).rejects.toThrow('ECONNREFUSED');
  });

  it('closes when it never listened', async () => {
    await createAdmin({ address: { host: '::1', port: 0 }, source: sourceWith(), logger: silentLogger }).close();
  });
});
