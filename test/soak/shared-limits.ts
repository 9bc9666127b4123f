/**
 * Two gateways on one Redis: `npm run build`, then `node --import jiti/register test/soak/shared-limits.ts` (needs
 * `redis-server`, `redis-cli` and `wrk`).
 *
 * First both are busy at once, and let through exactly the limit between them. Then Redis is shut down under load and comes
 * back: each route goes on by its own rule, and the limit holds again afterwards. Prints the counts, and ends with 1 where
 * they are not as they must be.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/services.ts';

const REQUESTS = 10_000;
const LIMIT = 3000;
/** Requests at once at each gateway. */
const AT_ONCE = 32;

const directory = mkdtempSync(join(tmpdir(), 'portico-shared-'));
const children = new Set<ChildProcess>();
const faults: string[] = [];

function check(holds: boolean, what: string): void {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
  if (!holds) faults.push(what);
}

function start(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.stdout?.resume();
  return child;
}

async function startRedis(port: number): Promise<void> {
  start('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--dir', directory]);
  for (let i = 0; i < 100; i++) {
    try {
      if (
        execFileSync('redis-cli', ['-p', String(port), 'ping'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString() ===
        'PONG\n'
      )
        return;
    } catch {
      // Not yet.
    }
    await sleep(50);
  }
  throw new Error('redis-server did not start');
}

function configOf(port: number, redis: number, origin: number): string {
  const route = (name: string, limit: string): string =>
    `  - { name: ${name}, match: { path: /${name} }, service: origin, policies: [{ rateLimit: { algorithm: fixed-window, per: 1h, key: route, ${limit} } }] }`;
  return `version: 1
workers: 1
listeners: [{ name: public, address: 127.0.0.1:${port} }]
admin: false
logging: { level: warn, access: false }
shutdown: { drain: 0ms, timeout: 2s }
state: { shared: redis://127.0.0.1:${redis} }
services: [{ name: origin, endpoints: [http://127.0.0.1:${origin}] }]
routes:
${route('exact', `limit: ${LIMIT}`)}
${route('local', 'limit: 500, onStoreFailure: local')}
${route('open', 'limit: 500, onStoreFailure: open')}
${route('closed', 'limit: 500, onStoreFailure: closed')}
`;
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 * AT_ONCE });

function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, agent }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.once('error', () => resolve(0));
    sent.end();
  });
}

type Counts = Record<number, number>;

/** `count` requests spread over the ports, some at once at each; answers how often each status came. */
async function load(ports: readonly number[], path: string, count: number): Promise<Counts> {
  const counts: Counts = {};
  let left = count;
  const one = async (port: number): Promise<void> => {
    while (left > 0) {
      left--;
      const status = await ask(port, path);
      counts[status] = (counts[status] ?? 0) + 1;
    }
  };
  await Promise.all(ports.flatMap((port) => Array.from({ length: AT_ONCE }, () => one(port))));
  return counts;
}

async function main(): Promise<void> {
  const origin = createServer((_, answer) => answer.end('ok')).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const redis = await freePort();
  await startRedis(redis);
  const ports = [await freePort(), await freePort()];
  const program = join(import.meta.dirname, '..', '..', 'bin', 'portico.js');
  for (const [i, port] of ports.entries()) {
    writeFileSync(join(directory, `${i}.yaml`), configOf(port, redis, (origin.address() as AddressInfo).port));
    start(process.execPath, [program, 'start', '-c', `${i}.yaml`]);
  }
  for (const port of ports) while ((await ask(port, '/none')) === 0) await sleep(50);

  const exact = await load(ports, '/exact', REQUESTS);
  console.log(`both busy, ${REQUESTS} requests, limit ${LIMIT}:`, exact);
  check(exact[200] === LIMIT && exact[429] === REQUESTS - LIMIT, 'exactly the limit between them');

  execFileSync('redis-cli', ['-p', String(redis), 'shutdown', 'nosave']);
  const down: Record<string, Counts> = {};
  for (const rule of ['local', 'open', 'closed']) {
    const begun = performance.now();
    down[rule] = await load(ports, `/${rule}`, 2000);
    console.log(
      `Redis is down, ${rule}:`,
      down[rule],
      `${Math.round(2000 / ((performance.now() - begun) / 1000))} requests a second`,
    );
  }
  check(down.local[200] === 1000 && down.local[429] === 1000, 'local: each gateway grants the limit by itself');
  check(down.open[200] === 2000, 'open: everybody passes');
  check((down.closed[200] ?? 0) === 0 && down.closed[503] === 2000, 'closed: nobody passes, and is told 503');

  await startRedis(redis);
  // Asked again in the background, once in a while.
  for (let i = 0; i < 100 && (await ask(ports[0], '/closed')) !== 200; i++) await sleep(100);
  for (let i = 0; i < 100 && (await ask(ports[1], '/closed')) !== 200; i++) await sleep(100);
  const back = await load(ports, '/open', 2000);
  console.log('Redis is back, empty:', back);
  check(back[200] === 500 && back[429] === 1500, 'the limit holds between them again');

  const under = load(ports, '/local', 4000);
  await sleep(150);
  execFileSync('redis-cli', ['-p', String(redis), 'shutdown', 'nosave']);
  const cut = await under;
  console.log('shut down under load, local:', cut);
  check((cut[0] ?? 0) === 0 && (cut[500] ?? 0) === 0 && (cut[503] ?? 0) === 0, 'no request failed by it');
  origin.closeAllConnections();
  origin.close();
}

try {
  await main();
} finally {
  for (const child of children) child.kill();
  agent.destroy();
  await Promise.all([...children].map((child) => once(child, 'exit')));
  rmSync(directory, { recursive: true, force: true });
}
process.exit(faults.length === 0 ? 0 : 1);
