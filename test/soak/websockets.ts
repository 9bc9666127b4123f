/**
 * Opens ten thousand WebSockets through the built gateway, speaks on each, and has the gateway drain; exits 1 when an idle one
 * costs the gateway 24 KiB or more, when a message is lost, or when one is not closed with 1001:
 * `npm run build && node --import jiti/register test/soak/websockets.ts [COUNT] [WORKERS]`.
 *
 * One process needs two files for each; where it may not have as many, give it more workers or fewer sockets.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { cpuTimeOf, memoryOf } from '../../bench/measure/process-tree.ts';

const PORTICO = fileURLToPath(new URL('../../bin/portico.js', import.meta.url));
/** What an idle WebSocket may cost, in bytes. */
const MOST_EACH = 24 * 1024;
/** Sockets being opened at once. */
const AT_ONCE = 100;
/** Memory is read once allocators and collectors have calmed down, in milliseconds. */
const CALM = 4000;
/** Bound of each step, in milliseconds. */
const PATIENCE = 60_000;
const DRAIN = 5000;

function serve(): void {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 4096, perMessageDeflate: false }, () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
}

async function startServer(): Promise<{ child: ChildProcess; port: number }> {
  const command = [...process.execArgv, fileURLToPath(import.meta.url), 'server'];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, port: Number(line) };
}

async function startGateway(
  directory: string,
  origin: number,
  workers: number,
): Promise<{ child: ChildProcess; port: number }> {
  const file = join(directory, 'portico.yaml');
  const config = {
    version: 1,
    workers,
    listeners: [{ name: 'soak', address: '127.0.0.1:0', limits: { connections: 100_000 } }],
    admin: false,
    logging: { level: 'info', access: false },
    shutdown: { drain: `${DRAIN}ms`, timeout: '30s' },
    services: [{ name: 'echo', endpoints: [`http://127.0.0.1:${origin}`] }],
    routes: [
      {
        name: 'echo',
        match: { pathPrefix: '/' },
        service: 'echo',
        websocket: { maxConnections: 100_000, idleTimeout: '10m' },
      },
    ],
  };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [PORTICO, 'start', '-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { msg: string; address?: string };
    if (said.msg === 'listening') return { child, port: Number(said.address?.split(':').at(-1)) };
  }
  throw new Error('the gateway did not start');
}

async function open(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  await once(socket, 'open');
  return socket;
}

async function openAll(port: number, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const some = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => open(port)))));
  }
  return sockets;
}

/** Every socket says something and hears it again. */
async function speak(sockets: readonly WebSocket[]): Promise<void> {
  for (let from = 0; from < sockets.length; from += AT_ONCE) {
    await Promise.all(
      sockets.slice(from, from + AT_ONCE).map(async (socket, i) => {
        const heard = once(socket, 'message');
        socket.send(`hello ${from + i}`);
        const [data] = (await heard) as [Buffer];
        if (data.toString() !== `hello ${from + i}`) throw new Error(`heard ${data.toString()}`);
      }),
    );
  }
}

/** The codes with which all were closed, and how they were spread over quarters of the drain time. */
async function drain(
  sockets: readonly WebSocket[],
  gateway: ChildProcess,
): Promise<{ codes: Set<number>; quarters: number[] }> {
  const begun = performance.now();
  const codes = new Set<number>();
  const quarters = [0, 0, 0, 0];
  const all = sockets.map(async (socket) => {
    const [code] = (await once(socket, 'close')) as [number];
    codes.add(code);
    quarters[Math.min(3, Math.floor(((performance.now() - begun) / DRAIN) * 4))]++;
  });
  const exit = once(gateway, 'exit');
  const pid = gateway.pid as number;
  const used = (): number => cpuTimeOf(pid).user + cpuTimeOf(pid).system;
  const before = used();
  let after = before;
  const watch = setInterval(() => (after = Math.max(after, used())), 200);
  gateway.kill('SIGTERM');
  await Promise.all(all);
  const [status] = (await exit) as [number];
  clearInterval(watch);
  console.log(`the gateway spent ${(after - before).toFixed(2)} s of processor time on the drain`);
  if (status !== 0) throw new Error(`the gateway ended with ${status}`);
  return { codes, quarters };
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const begun = performance.now();
  const late = sleep(PATIENCE, undefined, { ref: false }).then(() => {
    throw new Error(`${what} took longer than ${PATIENCE} ms`);
  });
  const value = await Promise.race([promise, late]);
  console.log(`${what}: ${Math.round(performance.now() - begun)} ms`);
  return value;
}

async function soak(count: number, workers: number): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'portico-soak-'));
  const server = await startServer();
  const gateway = await startGateway(directory, server.port, workers);
  try {
    const first = await openAll(gateway.port, 300);
    await speak(first);
    for (const socket of first) socket.close();
    await sleep(CALM);
    const before = memoryOf(gateway.child.pid as number);
    const sockets = await within(`${count} sockets opened`, openAll(gateway.port, count));
    await within('a message each way on all', speak(sockets));
    await sleep(CALM);
    const each = (memoryOf(gateway.child.pid as number) - before) / count;
    console.log(`${(each / 1024).toFixed(1)} KiB each, on ${(before / 1024 / 1024).toFixed(0)} MiB before`);
    await within('again', speak(sockets));
    const { codes, quarters } = await within('drain', drain(sockets, gateway.child));
    console.log(`closed with ${[...codes].join(', ')}, by quarters of the drain time: ${quarters.join(', ')}`);
    return each < MOST_EACH && codes.size === 1 && codes.has(1001);
  } finally {
    gateway.child.kill('SIGKILL');
    server.child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
}

if (process.argv[2] === 'server') serve();
else process.exit((await soak(Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 2))) ? 0 : 1);
