/**
 * Changes a running gateway in every way it can be changed, under constant load, and counts what clients noticed:
 * `npm run build`, then `node --import jiti/register test/soak/live-changes.ts [SECONDS]` (60 by default; needs `wrk`).
 *
 * First a reload every second, with routes and endpoints that come and go, and an upgrade (SIGUSR2) half-way: no request
 * may fail. Then the same reloads while a worker is killed every ten seconds: at most the requests within it may.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SECONDS = Number(process.argv[2] ?? 60);
const CONNECTIONS = 64;
const KILL_EVERY = 10;

const directory = mkdtempSync(join(tmpdir(), 'portico-soak-'));
const file = join(directory, 'portico.yaml');
const children = new Set<ChildProcess>();
/** The process that leads the gateway; an upgrade makes it another one. */
let leader = 0;

interface Outcome {
  requests: number;
  connect: number;
  read: number;
  write: number;
  timeout: number;
  status: number;
}

interface Status {
  pid: number;
  generation: number;
  workers: { pid: number; state: string }[];
}

function startOrigin(): Promise<Server> {
  const server = createServer((_request, response) => response.end('{"ok":true}')).listen(0, '127.0.0.1');
  server.keepAliveTimeout = 120_000;
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
listeners: [{ name: public, address: 127.0.0.1:${ports[0]} }]
admin: { address: 127.0.0.1:${ports[1]} }
shutdown: { drain: 1s, timeout: 10s }
logging: { level: warn, access: { file: ${join(directory, 'access.log')} } }
services: [{ name: origin, endpoints: [${endpoints.join(', ')}] }]
routes:
  - { name: turn-${turn}, match: { path: /turn-${turn} }, respond: { status: 204 } }
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

function load(port: number, seconds: number): Promise<Outcome> {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '5s', `http://127.0.0.1:${port}/users/42`];
  return new Promise((resolve, reject) => {
    execFile('wrk', args, (error, out) => {
      if (error !== null) return reject(error);
      const requests = Number(/(\d+) requests in/.exec(out)?.[1] ?? 0);
      const errors = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(out) ?? [];
      const [connect, read, write, timeout] = [1, 2, 3, 4].map((at) => Number(errors[at] ?? 0));
      resolve({
        requests,
        connect,
        read,
        write,
        timeout,
        status: Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0),
      });
    });
  });
}

const failures = (outcome: Outcome): number =>
  outcome.connect + outcome.read + outcome.write + outcome.timeout + outcome.status;

async function run(): Promise<boolean> {
  const origins = await Promise.all([startOrigin(), startOrigin()]);
  const ports = await freePorts(2);
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

  const calm = load(ports[0], SECONDS + 2);
  let upgrades = 0;
  const reloads = await changes(SECONDS, async (second) => {
    if (second !== Math.floor(SECONDS / 2)) return;
    const before = leader;
    process.kill(leader, 'SIGUSR2');
    await until('the successor to serve', async () => (leader = (await statusOf(ports[1])).pid) !== before);
    upgrades++;
  });
  const first = await calm;
  console.log(`reloads and upgrade: ${reloads} reloads, ${upgrades} upgrade, ${first.requests} requests`);
  console.log(`  failed: ${failures(first)} ${JSON.stringify(first)}`);

  let kills = 0;
  const rough = load(ports[0], SECONDS + 2);
  const more = await changes(SECONDS, async (second) => {
    if (second % KILL_EVERY !== KILL_EVERY - 1) return;
    const { workers } = await statusOf(ports[1]);
    const running = workers.filter(({ state }) => state === 'running');
    process.kill(running[kills++ % running.length].pid, 'SIGKILL');
  });
  const second = await rough;
  console.log(`reloads and kills: ${more} reloads, ${kills} workers killed, ${second.requests} requests`);
  console.log(`  failed: ${failures(second)} of at most ${kills * CONNECTIONS} in flight ${JSON.stringify(second)}`);

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
  const good = first.requests > 0 && failures(first) === 0 && upgrades === 1;
  // A request within a killed worker is one of a connection: there are no more than those.
  return good && second.status + second.timeout + second.connect === 0 && failures(second) <= kills * CONNECTIONS;
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
