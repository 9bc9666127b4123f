/** What becomes of connections that come before a listener is to answer, and while it closes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { Listener, type ListenOptions } from './listener.ts';
import type { ClientStream } from './stream.ts';

const opened: Listener[] = [];
afterEach(() => {
  for (const listener of opened.splice(0)) listener.destroy();
});

async function start(options: ListenOptions, onRequest: (stream: ClientStream) => void) {
  const info = { name: 'test', scheme: 'http' as const, port: 0 };
  const limits = {
    streams: 100,
    requestHead: 8192,
    requestBody: 8192,
    headTimeout: 10_000,
    bodyIdle: 10_000,
    keepAlive: 10_000,
  };
  const handler = { onRequest, onRefused: (stream: ClientStream) => stream.abort(), onConnectionFault: () => {} };
  const settings = {
    mode: 'http' as const,
    proxies: null,
    limits,
    maxConnections: 100,
    tls: null,
    protocols: ['http/1.1' as const],
  };
  const listener = new Listener(info, '127.0.0.1', settings, { handler, wheel: new TimerWheel(systemClock) });
  opened.push(listener);
  await listener.listen(0, options);
  return { listener, port: info.port };
}

function answer(stream: ClientStream): void {
  stream.writeHead(204, '', 0);
  stream.end('');
}

/** Also when it ends in an error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function ask(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (part) => (text += part));
  socket.on('error', (error) => (text += error.message));
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await closed(socket);
  return text;
}

test('held, they wait for the release and are then served', async () => {
  let asked = 0;
  const { listener, port } = await start({ held: true }, (stream) => {
    asked++;
    answer(stream);
  });
  const connection = once(listener.server, 'connection');
  const early = ask(port);
  await connection;
  expect([asked, listener.size]).toEqual([0, 0]);
  listener.release();
  expect(await early).toMatch(/^HTTP\/1\.1 204 /);
  expect(await ask(port)).toMatch(/^HTTP\/1\.1 204 /);
});

test('held, they end with a listener that is never released', async () => {
  const { listener, port } = await start({ held: true }, answer);
  const connection = once(listener.server, 'connection');
  const early = ask(port);
  await connection;
  listener.destroy();
  expect(await early).not.toContain('HTTP');
});

test('those that wait to be accepted when it drains are served, and later ones refused', async () => {
  const { listener, port } = await start({}, answer);
  const sockets = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const drained = listener.drain();
  const answers = sockets.map(async (socket) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (part) => (text += part));
    socket.on('error', (error) => (text += error.message));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await closed(socket);
    return text.slice(0, 12);
  });
  expect([...new Set(await Promise.all(answers))]).toEqual(['HTTP/1.1 204']);
  await drained;
  expect(await ask(port)).toContain('ECONNREFUSED');
});
