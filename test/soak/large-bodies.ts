/**
 * Sends 1 GiB through the built gateway, down and up, past a far side that crawls at first, and exits 1 when the gateway's
 * resident memory grows by 64 MiB or more, or when a byte is lost or changed: `npm run build && npm run soak`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PORTICO = fileURLToPath(new URL('../../bin/portico.js', import.meta.url));
const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
/** Growth from which on the soak fails, in bytes. */
const MOST_GROWTH = 64 * MIB;
/** How long the far side crawls, in milliseconds, and how fast, in bytes a second; the rest is read at full speed. */
const CRAWL = 10_000;
const CRAWL_RATE = 20 * MIB;
/** Between two looks at the gateway's memory, in milliseconds. */
const SAMPLE = 50;
/** Bound of one case, in milliseconds. */
const PATIENCE = 60_000;

type Direction = 'download' | 'upload';
type Framing = 'content-length' | 'chunked';

/** The body is this block over and over: whoever reads it knows what must come. */
const BLOCK = randomBytes(256 * 1024);

function* body(): Generator<Buffer> {
  for (let sent = 0; sent < SIZE; sent += BLOCK.length) yield BLOCK;
}

function bodyHeaders(framing: Framing): Record<string, string | number> {
  return framing === 'chunked' ? { 'transfer-encoding': 'chunked' } : { 'content-length': SIZE };
}

/** Crawls, then reads to the end; throws when the bytes are not those of `body`. */
async function readSlowly(stream: IncomingMessage): Promise<number> {
  const begun = performance.now();
  let received = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      const offset = (received + at) % BLOCK.length;
      const length = Math.min(chunk.length - at, BLOCK.length - offset);
      if (chunk.compare(BLOCK, offset, offset + length, at, at + length) !== 0)
        throw new Error(`the bytes after ${received + at} are not those that were sent`);
      at += length;
    }
    received += chunk.length;
    const ahead = (received / CRAWL_RATE) * 1000 - (performance.now() - begun);
    if (ahead > 0 && performance.now() - begun < CRAWL) await sleep(ahead);
  }
  return received;
}

/** GET is answered with the body, POST with the number of bytes that came. The path names the framing. */
async function startOrigin(): Promise<Server> {
  const origin = createServer(async (incoming, response) => {
    try {
      if (incoming.method === 'GET') {
        response.writeHead(200, bodyHeaders(incoming.url === '/chunked' ? 'chunked' : 'content-length'));
        await pipeline(Readable.from(body(), { objectMode: false }), response);
      } else response.end(String(await readSlowly(incoming)));
    } catch (error) {
      response.destroy(error as Error);
    }
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  return origin;
}

interface Gateway {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startGateway(directory: string, originPort: number): Promise<Gateway> {
  const file = join(directory, 'portico.json');
  const config = {
    version: 1,
    listeners: [{ name: 'soak', address: '127.0.0.1:0', limits: { requestBody: '2GiB' } }],
    admin: false,
    shutdown: { drain: '0ms', timeout: '2s' },
    services: [{ name: 'origin', endpoints: [`http://127.0.0.1:${originPort}`] }],
    routes: [{ name: 'all', match: { pathPrefix: '/' }, service: 'origin' }],
  };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [PORTICO, 'start', '-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const port = await new Promise<number>((resolve, reject) => {
    // The lines after this one are read too, or else the gateway's log would fill the pipe.
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, address } = JSON.parse(line) as { msg: string; address?: string };
      if (msg === 'listening') resolve(Number(address?.split(':').at(-1)));
    });
    child.once('exit', (status) => reject(new Error(`the gateway ended with ${status}: is it built?`)));
  });
  return { child, port };
}

async function stopGateway({ child }: Gateway): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Resident memory in bytes. */
function residentOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line === null) throw new Error(`process ${pid} has no VmRSS`);
  return Number(line[1]) * 1024;
}

/** Sends the body and answers how many bytes came out at the far side. */
async function transfer(direction: Direction, framing: Framing, port: number): Promise<number> {
  const signal = AbortSignal.timeout(PATIENCE);
  const options = { host: '127.0.0.1', port, path: `/${framing}`, agent: false, signal };
  if (direction === 'download') {
    const outgoing = request(options).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return readSlowly(response);
  }
  const outgoing = request({ ...options, method: 'POST', headers: bodyHeaders(framing) });
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  const [[response]] = await Promise.all([
    answered,
    pipeline(Readable.from(body(), { objectMode: false }), outgoing, { signal }),
  ]);
  let count = '';
  for await (const chunk of response) count += chunk;
  return Number(count);
}

/** One case with a gateway of its own; prints its line and answers whether it passed. */
async function run(direction: Direction, framing: Framing, directory: string, originPort: number): Promise<boolean> {
  const gateway = await startGateway(directory, originPort);
  const pid = gateway.child.pid as number;
  const before = residentOf(pid);
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, residentOf(pid));
  }, SAMPLE);
  const begun = performance.now();
  let bytes: number;
  try {
    bytes = await transfer(direction, framing, gateway.port);
  } finally {
    clearInterval(sampler);
    await stopGateway(gateway);
  }
  const growth = peak - before;
  const passed = bytes === SIZE && growth < MOST_GROWTH;
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(
    `${direction.padEnd(8)} ${framing.padEnd(14)} ${bytes} bytes in ${seconds} s, ` +
      `${(before / MIB).toFixed(1)} MiB resident before, grew by ${(growth / MIB).toFixed(1)} MiB: ` +
      `${passed ? 'ok' : 'FAILED'}`,
  );
  return passed;
}

const directory = mkdtempSync(join(tmpdir(), 'portico-soak-'));
const origin = await startOrigin();
const { port } = origin.address() as AddressInfo;
try {
  for (const direction of ['download', 'upload'] as const) {
    for (const framing of ['content-length', 'chunked'] as const) {
      if (!(await run(direction, framing, directory, port))) process.exitCode = 1;
    }
  }
} finally {
  origin.closeAllConnections();
  origin.close();
  rmSync(directory, { recursive: true, force: true });
}
