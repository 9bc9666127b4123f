/**
 * Changes a running gateway in every way it can be changed, under constant load, and counts what clients noticed:
 * `npm run build`, then `node --import jiti/register test/soak/live-changes.ts [SECONDS [PIPELINING]]` (60 and 1 by
 * default; needs `wrk`).
 *
 * First a reload every second, with routes and endpoints that come and go, and an upgrade (SIGUSR2) half-way: no request
 * may fail, over HTTP/1, TLS and HTTP/2, and open WebSockets end by the upgrade's drain only. Then the same reloads while a
 * worker is killed every ten seconds: at most what is within it may.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { createAuthority } from '../support/certificates.ts';
import { http2, type Outcome, webSockets, wrk } from './clients.ts';

const SECONDS = Number(process.argv[2] ?? 60);
/** Requests in flight on one connection to an origin. */
const PIPELINING = Number(process.argv[3] ?? 1);
/** Of each sort of clients; of HTTP/2 requests at once, on a few connections. */
const PLAIN = 64;
const SECURE = 16;
const LINES = 4;
const STREAMS = 8;
const SOCKETS = 50;
const KILL_EVERY = 10;

const directory = mkdtempSync(join(tmpdir(), 'portico-soak-'));
const file = join(directory, 'portico.yaml');
const children = new Set<ChildProcess>();
/** The process that leads the gateway; an upgrade makes it another one. */
let leader = 0;

interface Status {
  pid: number;
  generation: number;
  workers: { pid: number; state: string }[];
}

function startOrigin(): Promise<Server> {
  const server = createServer((_request, response) => response.end('{"ok":true}')).listen(0, '127.0.0.1');
  server.keepAliveTimeout = 120_000;
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  return new Promise((resolve) => server.once('listening', () => resolve(server)));
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** The configuration of a turn: one endpoint always, the other every second turn, and a route that is never the same. */
function writeConfig(turn: number, ports: number[], origins: Server[]): void {
  const endpoints = origins.slice(0, 1 + (turn % 2)).map((origin) => `http://127.0.0.1:${portOf(origin)}`);
  writeFileSync(
    file,
    `version: 1
workers: 2
listeners:
  - { name: public, address: 127.0.0.1:${ports[0]} }
  - name: secure
    address: 127.0.0.1:${ports[2]}
    tls: { certificates: [{ certFile: soak.crt, keyFile: soak.key }] }
admin: { address: 127.0.0.1:${ports[1]} }
shutdown: { drain: 1s, timeout: 10s }
logging: { level: warn, access: { file: ${join(directory, 'access.log')} } }
services: [{ name: origin, connections: { pipelining: ${PIPELINING} }, endpoints: [${endpoints.join(', ')}] }]
routes:
  - { name: turn-${turn}, match: { path: /turn-${turn} }, respond: { status: 204 } }
  - { name: chat, match: { path: /chat }, service: origin, websocket: { idleTimeout: 30s } }
  - { name: all, match: { pathPrefix: / }, service: origin, retry: { attempts: 3, on: [connect-failure, reset] } }
`,
  );
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, startOrigin));
  const ports = servers.map(portOf);
  for (const server of servers) server.close();
  return ports;
}

function startGateway(): ChildProcess {
  const program = join(import.meta.dirname, '..', '..', 'bin', 'portico.js');
  const child = spawn(process.execPath, [program, 'start', '-c', file], { stdio: ['ignore', 'inherit', 'inherit'] });
  children.add(child);
  return child;
}

async function statusOf(port: number): Promise<Status> {
  const answer = await fetch(`http://127.0.0.1:${port}/status`, { headers: { connection: 'close' } });
  return (await answer.json()) as Status;
}

async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(50)) {
    if (await test().catch(() => false)) return;
  }
  throw new Error(`waited 20 s in vain: ${what}`);
}

/** All sorts of clients at once. */
function load([plain, , secure]: number[], seconds: number): Promise<Outcome[]> {
  return Promise.all([
    wrk('HTTP/1.1', `http://127.0.0.1:${plain}/users/42`, PLAIN, seconds),
    wrk('HTTP/1.1 over TLS', `https://127.0.0.1:${secure}/users/42`, SECURE, seconds),
    http2('HTTP/2', new URL(`https://127.0.0.1:${secure}/users/42`), LINES, STREAMS, seconds),
    webSockets('WebSockets', `wss://127.0.0.1:${secure}/chat`, SOCKETS, seconds),
  ]);
}

function tell(outcomes: readonly Outcome[]): void {
  for (const { name, requests, failed, details } of outcomes) {
    console.log(`  ${name}: ${requests} requests, failed: ${failed} ${JSON.stringify(details)}`);
  }
}

async function run(): Promise<boolean> {
  const origins = await Promise.all([startOrigin(), startOrigin()]);
  const ports = await freePorts(3);
  const { cert, key } = createAuthority().issue({ names: ['127.0.0.1'] });
  writeFileSync(join(directory, 'soak.crt'), cert);
  writeFileSync(join(directory, 'soak.key'), key);
  let turn = 0;
  writeConfig(turn, ports, origins);
  startGateway();
  await until('the gateway to serve', async () => (await statusOf(ports[1])).workers.length === 2);
  leader = (await statusOf(ports[1])).pid;
  const reload = async (): Promise<void> => {
    writeConfig(++turn, ports, origins);
    process.kill(leader, 'SIGHUP');
    await until(
      'the reload to go live',
      async () => (await fetch(`http://127.0.0.1:${ports[0]}/turn-${turn}`)).status === 204,
    );
  };
  const changes = async (seconds: number, each: (second: number) => Promise<void>): Promise<number> => {
    let reloads = 0;
    for (let second = 0; second < seconds; second++) {
      const begun = Date.now();
      await each(second);
      await reload();
      reloads++;
      await sleep(Math.max(0, 1000 - (Date.now() - begun)));
    }
    return reloads;
  };

  const calm = load(ports, SECONDS + 2);
  let upgrades = 0;
  const reloads = await changes(SECONDS, async (second) => {
    if (second !== Math.floor(SECONDS / 2)) return;
    const before = leader;
    process.kill(leader, 'SIGUSR2');
    await until('the successor to serve', async () => (leader = (await statusOf(ports[1])).pid) !== before);
    upgrades++;
  });
  const first = await calm;
  console.log(`reloads and upgrade: ${reloads} reloads, ${upgrades} upgrade`);
  tell(first);

  let kills = 0;
  const rough = load(ports, SECONDS + 2);
  const more = await changes(SECONDS, async (second) => {
    if (second % KILL_EVERY !== KILL_EVERY - 1) return;
    const { workers } = await statusOf(ports[1]);
    const running = workers.filter(({ state }) => state === 'running');
    process.kill(running[kills++ % running.length].pid, 'SIGKILL');
  });
  const second = await rough;
  // A connection has one request within a worker that is killed, one of HTTP/2 several.
  const most = [PLAIN, SECURE, LINES * STREAMS, SOCKETS].map((count) => count * kills);
  console.log(`reloads and kills: ${more} reloads, ${kills} workers killed; at most ${most.join(', ')} may fail`);
  tell(second);

  process.kill(leader, 'SIGTERM');
  for (const origin of origins) {
    origin.close();
    origin.closeAllConnections();
  }
  await until(
    'the gateway to end',
    async () =>
      !(await statusOf(ports[1]).then(
        () => true,
        () => false,
      )),
  );
  const calmly = upgrades === 1 && first.every(({ requests, failed }) => requests > 0 && failed === 0);
  return calmly && second.every(({ requests, failed }, index) => requests > 0 && failed <= most[index]);
}

const good = await run().finally(() => {
  for (const child of children) child.kill('SIGKILL');
  if (leader !== 0)
    try {
      process.kill(leader, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  rmSync(directory, { recursive: true, force: true });
});
console.log(good ? 'ok' : 'FAILED');
process.exit(good ? 0 : 1);
