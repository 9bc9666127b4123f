/** Clients that keep asking while a gateway changes, and count what they notice. */
import { execFile } from 'node:child_process';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

export interface Outcome {
  /** What was asked, as the lines of a report call it. */
  readonly name: string;
  readonly requests: number;
  readonly failed: number;
  /** Everything that was counted. */
  readonly details: object;
}

/** `wrk` with so many keep-alive connections, for so many seconds. */
export function wrk(name: string, url: string, connections: number, seconds: number): Promise<Outcome> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '5s', url];
  return new Promise((resolve, reject) => {
    execFile('wrk', args, (error, out) => {
      if (error !== null) return reject(error);
      const errors = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(out) ?? [];
      const [connect, read, write, timeout] = [1, 2, 3, 4].map((at) => Number(errors[at] ?? 0));
      const status = Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0);
      const requests = Number(/(\d+) requests in/.exec(out)?.[1] ?? 0);
      const failed = connect + read + write + timeout + status;
      resolve({ name, requests, failed, details: { connect, read, write, timeout, status } });
    });
  });
}

/** A connection that is replaced when the server says that it takes no more, as clients of HTTP/2 do (RFC 9113 section 6.8). */
class Http2Line {
  private readonly url: string;
  private session: ClientHttp2Session | null = null;
  /** Streams above it were not looked at. */
  private last = Number.POSITIVE_INFINITY;

  constructor(url: string) {
    this.url = url;
  }

  private open(): ClientHttp2Session {
    const { session } = this;
    if (session !== null && !session.closed && !session.destroyed) return session;
    const next = connect(this.url, { rejectUnauthorized: false });
    this.session = next;
    const forget = (): void => {
      if (this.session === next) this.session = null;
    };
    next.on('error', forget).on('close', forget);
    next.on('goaway', (_code: number, last: number) => {
      this.last = last;
      forget();
      next.close();
    });
    return next;
  }

  /** `again`: nobody has looked at the request, and it may be sent anew. */
  ask(path: string): Promise<'ok' | 'again' | 'failed'> {
    return new Promise((resolve) => {
      const stream = this.open().request({ ':path': path });
      let status = 0;
      stream.on('response', (headers) => (status = Number(headers[':status'])));
      stream.on('error', () => {});
      stream.resume();
      stream.on('close', () => {
        if (status === 200 && stream.rstCode === constants.NGHTTP2_NO_ERROR) resolve('ok');
        else if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || (stream.id ?? 0) > this.last) resolve('again');
        else resolve(status === 0 && stream.id === undefined ? 'again' : 'failed');
      });
    });
  }
}

/** So many connections with so many requests at once on each. */
export async function http2(name: string, url: URL, lines: number, streams: number, seconds: number): Promise<Outcome> {
  const counts = { ok: 0, again: 0, failed: 0 };
  const end = Date.now() + seconds * 1000;
  const run = async (line: Http2Line): Promise<void> => {
    while (Date.now() < end) {
      const result = await line.ask(url.pathname);
      counts[result]++;
      if (result !== 'ok') await sleep(20);
    }
  };
  const all = Array.from({ length: lines }, () => new Http2Line(url.origin));
  await Promise.all(all.flatMap((line) => Array.from({ length: streams }, () => run(line))));
  return { name, requests: counts.ok + counts.failed, failed: counts.failed, details: counts };
}

/** So many WebSockets that say something twice a second and want it back; who is sent away comes again. */
export async function webSockets(name: string, url: string, count: number, seconds: number): Promise<Outcome> {
  const closes: Record<string, number> = {};
  let echoes = 0;
  let refused = 0;
  const end = Date.now() + seconds * 1000;
  const live = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, { rejectUnauthorized: false });
      let opened = false;
      const timer = setInterval(() => {
        if (Date.now() > end) socket.close(1000);
        else if (opened) socket.send('said');
      }, 500);
      socket.on('open', () => (opened = true));
      socket.on('message', () => echoes++);
      socket.on('error', () => {});
      socket.on('close', (code) => {
        clearInterval(timer);
        if (!opened) refused++;
        else closes[code] = (closes[code] ?? 0) + 1;
        resolve();
      });
    });
  const stay = async (): Promise<void> => {
    while (Date.now() < end) {
      await live();
      await sleep(20);
    }
  };
  await Promise.all(Array.from({ length: count }, stay));
  // 1000 is the client's own end, 1001 a drain.
  const failed = Object.entries(closes).reduce(
    (sum, [code, n]) => sum + (code === '1000' || code === '1001' ? 0 : n),
    0,
  );
  return { name, requests: echoes, failed: failed + refused, details: { closes, refused, echoes } };
}
