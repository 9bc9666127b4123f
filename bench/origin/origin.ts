/** What stands behind every proxy: an nginx that answers at once, and small programs that swallow uploads and echo messages. */
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { freePort, waitUntilServing } from '../measure/ports.ts';
import type { Running } from '../measure/processes.ts';
import { nginxFrame } from '../peers/nginx.ts';

/** 105 bytes: what a small API answers. */
export const ANSWER = JSON.stringify({
  id: 7,
  name: 'Lovelace',
  email: 'ada@example.com',
  roles: ['admin', 'author'],
  active: true,
  score: 9.5,
});

/** Bytes of the file at `/large`. */
export const LARGE_BYTES = 64 * 2 ** 20;

export interface Origin {
  readonly port: number;
  readonly running: Running;
}

/** nginx on the client's core, access log off; every path answers `ANSWER`, `/large` a file of `LARGE_BYTES`. */
export async function startOrigin(bench: Bench): Promise<Origin> {
  const directory = join(bench.directory, `origin-${bench.nextId()}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'large'), '');
  truncateSync(join(directory, 'large'), LARGE_BYTES);
  const port = await freePort();
  const http = `  access_log off;
  sendfile on;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type application/json;
    location / { return 200 '${ANSWER}'; }
    location = /large { root ${directory}; }
  }`;
  writeFileSync(join(directory, 'nginx.conf'), nginxFrame(directory, 4096, http));
  const command = ['nginx', '-p', directory, '-c', join(directory, 'nginx.conf')];
  const running = bench.processes.start(command, { core: bench.cores.client });
  await waitUntilServing(running, port, '/', ANSWER);
  return { port, running };
}

/** A program that sends back what WebSockets bring it, and answers requests as the other origins do; on the client's core. */
export function startEcho(bench: Bench): Promise<Origin> {
  return startProgram(bench, 'echo.js');
}

/** A program that reads each request's body to its end and only then answers; on the client's core. */
export function startSink(bench: Bench): Promise<Origin> {
  return startProgram(bench, 'sink.js');
}

async function startProgram(bench: Bench, program: string): Promise<Origin> {
  const port = await freePort();
  const command = [process.execPath, join(import.meta.dirname, program), String(port), ANSWER];
  const running = bench.processes.start(command, { core: bench.cores.client });
  await waitUntilServing(running, port, '/', ANSWER);
  return { port, running };
}
