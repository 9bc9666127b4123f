/** What becomes of connections that come before a listener is to answer, and while it closes. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import { afterEach, expect, test, vi } from 'vitest';
import { createAuthority } from '../../test/support/certificates.ts';
import { systemClock } from '../base/clock.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { Listener, type ListenerDeps, type ListenerSettings, type ListenOptions } from './listener.ts';
import type { ClientStream } from './stream.ts';
import type { TlsOptions } from './tls-terminator.ts';

const opened: Listener[] = [];
afterEach(() => {
  for (const listener of opened.splice(0)) listener.destroy();
});

async function start(
  options: ListenOptions,
  onRequest: (stream: ClientStream) => void,
  other: Partial<ListenerSettings> = {},
  shareConnections?: ListenerDeps['shareConnections'],
) {
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
    ...other,
  };
  const deps = { handler, wheel: new TimerWheel(systemClock), shareConnections };
  const listener = new Listener(info, '127.0.0.1', settings, deps);
  opened.push(listener);
  await listener.listen(0, options);
  return { listener, port: info.port, settings };
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

/** A part of one of a limit, and those who ask for more. */
function sharedLimit() {
  const limit = { granted: 1, inUse: () => 0, asking: [] as ((grown: boolean) => void)[] };
  const share = (inUse: () => number) => {
    limit.inUse = inUse;
    return { granted: limit.granted, ask: (then: (grown: boolean) => void) => void limit.asking.push(then) };
  };
  return { limit, share };
}

test.each([
  ['served', true, 'HTTP/1.1 204'],
  ['cut', false, ''],
])('one beyond its part of a shared limit waits for an answer, and is %s then', async (_what, grown, expected) => {
  const { limit, share } = sharedLimit();
  const { listener, port } = await start({ held: true }, answer, {}, share);
  listener.release();
  const first = connect(port, '127.0.0.1');
  first.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(first, 'data');
  expect([limit.inUse(), limit.asking.length]).toEqual([1, 0]);
  const connection = once(listener.server, 'connection');
  const second = ask(port);
  await connection;
  expect([limit.inUse(), limit.asking.length, listener.size]).toEqual([2, 1, 1]);
  limit.asking[0](grown);
  expect((await second).slice(0, 12)).toBe(expected);
  first.destroy();
});

test('one that waits for an answer ends with the listener, whatever the answer is then', async () => {
  const { limit, share } = sharedLimit();
  limit.granted = 0;
  const { listener, port } = await start({ held: true }, answer, {}, share);
  listener.release();
  const connection = once(listener.server, 'connection');
  const only = ask(port);
  await connection;
  listener.destroy();
  expect(await only).not.toContain('HTTP');
  limit.asking[0](true);
  expect([limit.inUse(), listener.size]).toEqual([0, 0]);
});

test('those that are sent away and come back at once are served until none does, where others share the address', async () => {
  const { listener, port } = await start({ reusePort: true }, answer);
  const drained = listener.drain(10_000);
  // Nobody may forget it before: those that come are to be counted, and cut in the end.
  expect([listener.size, listener.isOver]).toEqual([0, false]);
  for (let i = 0; i < 5; i++) expect(await ask(port)).toContain('HTTP/1.1 204');
  await drained;
  await vi.waitUntil(() => listener.isOver);
  expect(await ask(port)).toContain('ECONNREFUSED');
});

test.each([
  [0, 0],
  [5, 0],
  [30, 3],
  [10_000, 50],
])('who comes back for ever is waited for no longer than it may take (%i ms)', async (others, looks) => {
  const { listener, port } = await start({ reusePort: true }, answer);
  let goesOn = true;
  const pause = vi.spyOn(globalThis, 'setTimeout');
  const back = (): void => {
    if (goesOn) void ask(port).then(back);
  };
  for (let i = 0; i < 8; i++) back();
  await listener.drain(others);
  goesOn = false;
  const looked = pause.mock.calls.filter(([, delay]) => delay === 10).length;
  pause.mockRestore();
  // Those who come may be late once, on a machine that has much to do.
  expect(looked).toBeLessThanOrEqual(looks);
  expect(looked).toBeGreaterThanOrEqual(Math.min(looks, 3));
  expect(listener.server.listening).toBe(false);
});

const tls = {
  name: 'test',
  certificates: [createAuthority('Root').issue({ names: ['a.example'] })],
  minVersion: 'TLSv1.2' as const,
  clientCertificates: null,
  handshakeTimeout: 10_000,
  sessionTimeout: 10_000,
  protocols: ['http/1.1'],
};

/** Has `listener` take what a socket of another one accepts. */
async function handOverTo(listener: Listener) {
  const acceptor = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  await once(acceptor.listen(0, '127.0.0.1'), 'listening');
  const { port } = acceptor.address() as AddressInfo;
  const handOver = async (): Promise<{ client: Socket; taken: Socket }> => {
    const accepted = once(acceptor, 'connection');
    const client = connect(port, '127.0.0.1').on('error', () => {});
    const [taken] = (await accepted) as [Socket];
    listener.adopt(taken);
    return { client, taken };
  };
  return { acceptor, handOver };
}

test.each<[string, Partial<ListenerSettings>]>([
  ['a request', {}],
  ['a handshake', { tls }],
  ['what the client speaks', { protocols: ['h2', 'http/1.1'] }],
])('those that another process accepted count while %s is waited for', async (_, settings) => {
  const { listener } = await start({}, answer, { ...settings, maxConnections: 2 });
  const { acceptor, handOver } = await handOverTo(listener);
  const first = await handOver();
  await handOver();
  const third = await handOver();
  await closed(third.client);
  expect([first.client.destroyed, third.taken.destroyed]).toEqual([false, true]);
  acceptor.close();
});

test.each<[string, TlsOptions | null]>([
  ['without TLS', null],
  ['under TLS', tls],
])('those that another process accepted count no more when they are over, %s', async (_, options) => {
  const { listener } = await start({}, answer, { tls: options, protocols: ['h2', 'http/1.1'], maxConnections: 1 });
  const { acceptor, handOver } = await handOverTo(listener);
  for (let turn = 0; turn < 3; turn++) {
    const { client, taken } = await handOver();
    const socket = options === null ? client : secure({ socket: client, rejectUnauthorized: false });
    let text = '';
    socket.setEncoding('latin1').on('data', (part) => (text += part));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await closed(socket);
    expect(text).toMatch(/^HTTP\/1\.1 204 /);
    if (options !== null && !taken.destroyed) await closed(taken);
    while (listener.size > 0) await new Promise(setImmediate);
  }
  acceptor.close();
});

test('handshakes that it no longer takes leave no keys of tickets behind', async () => {
  const { listener, port, settings } = await start({}, answer, { tls });
  const keys = (): Buffer => Buffer.alloc(48, 7);
  const visit = async (session?: Buffer): Promise<{ resumed: boolean; session: Buffer }> => {
    const socket = secure({ port, rejectUnauthorized: false, ...(session === undefined ? {} : { session }) });
    // One that is resumed is given no other ticket.
    const first = session === undefined ? once(socket, 'session') : Promise.resolve([session]);
    socket.resume();
    await once(socket, 'secureConnect');
    const visited = { resumed: socket.isSessionReused(), session: (await first)[0] as Buffer };
    socket.destroy();
    return visited;
  };
  const same = listener.prepare(settings);
  listener.sealTickets(keys());
  const { session } = await visit();
  expect((await visit(session)).resumed).toBe(true);
  listener.configure(listener.prepare({ ...settings, tls: { ...tls, handshakeTimeout: 9000 } }));
  listener.configure(same);
  expect((await visit(session)).resumed).toBe(false);
  listener.sealTickets(keys());
  expect((await visit(session)).resumed).toBe(true);
});
