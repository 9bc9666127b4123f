/** Free ports, and waiting until something answers on one. */
import { get } from 'node:http';
import { connect } from 'node:http2';
import { get as getSecurely } from 'node:https';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Protocol } from '../peers/peer.ts';
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

/** How long a GET may take, in milliseconds. */
const ANSWER_MS = 2000;

/** One GET on a connection of its own; rejects when it is not answered within two seconds. */
export function fetchOnce(port: number, path: string, protocol: Protocol = 'http/1.1'): Promise<Answer> {
  if (protocol === 'h2') return fetchByHttp2(port, path);
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, timeout: ANSWER_MS };
    const request =
      protocol === 'tls'
        ? getSecurely({ ...options, agent: false, rejectUnauthorized: false })
        : get({ ...options, agent: false });
    request.on('response', (response) => {
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

function fetchByHttp2(port: number, path: string): Promise<Answer> {
  return new Promise<Answer>((resolve, reject) => {
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    session.setTimeout(ANSWER_MS, () => session.destroy(new Error('timeout')));
    session.on('error', reject);
    const stream = session.request({ ':path': path });
    const parts: Buffer[] = [];
    let status = 0;
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.on('close', () => {
      session.close();
      if (status === 0) reject(new Error('no answer'));
      else resolve({ status, body: Buffer.concat(parts).toString('utf8') });
    });
  });
}

const PATIENCE_MS = 30_000;

/** Returns when a GET is answered with 200 and exactly `body`; throws with the process's output when it never is. */
export async function waitUntilServing(
  running: Running,
  port: number,
  path: string,
  body: string,
  protocol: Protocol = 'http/1.1',
): Promise<void> {
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
      const answer = await fetchOnce(port, path, protocol);
      if (answer.status === 200 && answer.body === body) return;
      last = `${answer.status} ${answer.body.slice(0, 200)}`;
    } catch (error) {
      last = String(error);
    }
    await sleep(100);
  }
  throw new Error(`not serving on port ${port} (${last}):\n${running.output()}`);
}
