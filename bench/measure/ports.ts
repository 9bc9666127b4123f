/** Free ports, and waiting until something answers on one. */
import { get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from './processes.ts';

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One plain GET on a connection of its own; rejects when it is not answered within two seconds. */
export function fetchOnce(port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 2000 }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
      );
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
  });
}

const PATIENCE_MS = 30_000;

/** Returns when a GET is answered with 200 and exactly `body`; throws with the process's output when it never is. */
export async function waitUntilServing(running: Running, port: number, path: string, body: string): Promise<void> {
  let over = false;
  running.ended.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  const deadline = Date.now() + PATIENCE_MS;
  let last = 'no answer';
  while (!over && Date.now() < deadline) {
    try {
      const answer = await fetchOnce(port, path);
      if (answer.status === 200 && answer.body === body) return;
      last = `${answer.status} ${answer.body.slice(0, 200)}`;
    } catch (error) {
      last = String(error);
    }
    await sleep(100);
  }
  throw new Error(`not serving on port ${port} (${last}):\n${running.output()}`);
}
