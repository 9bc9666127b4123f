/**
 * Requests of HTTP/1.1 and HTTP/2 clients that share lines to an origin, are reset, tried again and moved, while the
 * configuration changes: nobody sees what is another's, nobody waits for ever, and nothing is left.
 */
import { constants } from 'node:http2';
import { expect, test } from 'vitest';
import { configFor, configOf, NEVER_DOWN, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { answerOf, http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { untilQuiet, untilUpstreamIdle } from '../support/quiet.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { type OriginConnection, startOrigin } from '../support/raw-origin.ts';
import type { Random } from '../support/seeded-random.ts';
import { turn } from '../support/waiting.ts';
import { FUZZ_TIMEOUT, fuzz } from './time-box.ts';

/** What the origin does; the target says it: `/ID/BEHAVIOUR/LENGTH`. */
const BEHAVIOURS = ['plain', 'chunked', 'hints', 'slow', 'last', '204', '304', 'busy', 'late', 'reset', 'end', 'cut'];
const METHODS = ['GET', 'GET', 'HEAD', 'DELETE'];

const opened = closedAfterEach();
/** What a connection is still to answer, in order. */
const answered = new WeakMap<OriginConnection, Promise<void>>();

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

function bodyOf(target: string): string {
  const [, id, , length] = target.split('/');
  return `${id}.`.repeat(Number(length)).slice(0, Number(length));
}

async function answer(method: string, target: string, connection: OriginConnection): Promise<void> {
  if (!connection.socket.writable || connection.socket.writableEnded) return;
  const [, id, behaviour] = target.split('/');
  const body = bodyOf(target);
  const head = (status: string, fields = ''): string => `HTTP/1.1 ${status}\r\nX-Id: ${id}\r\n${fields}\r\n`;
  const shown = (text: string): string => (method === 'HEAD' ? '' : text);
  const whole = head('200 OK', `Content-Length: ${body.length}\r\n`) + shown(body);
  const half = Math.floor(whole.length / 2);
  switch (behaviour) {
    case 'chunked':
      connection.write(head('200 OK', 'Transfer-Encoding: chunked\r\n'));
      await turn();
      return connection.write(shown(`${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`));
    case 'hints':
      for (let i = 0; i < 3; i++) connection.write(head('103 Early Hints'));
      await turn();
      return connection.write(whole);
    case 'slow':
      connection.write(whole.slice(0, half));
      await turns(10);
      return connection.write(whole.slice(half));
    case 'last':
      connection.write(head('200 OK', `Connection: close\r\nContent-Length: ${body.length}\r\n`) + shown(body));
      return connection.end();
    case '204':
      return connection.write(head('204 No Content'));
    case '304':
      return connection.write(head('304 Not Modified', `Content-Length: ${body.length}\r\n`));
    case 'busy':
      return connection.write(head('503 Busy', 'Content-Length: 4\r\n') + shown('busy'));
    case 'late':
      await turns(50);
      return connection.write(whole);
    case 'reset':
      return connection.reset();
    case 'end':
      return connection.end();
    case 'cut':
      connection.write(head('200 OK', `Content-Length: ${body.length + 1}\r\n`) + shown(body));
      return connection.end();
    default:
      return connection.write(whole);
  }
}

let lastId = 0;

function targetOf(random: Random): string {
  return `/r${++lastId}/${random.pick(BEHAVIOURS)}/${random.pick([0, 1, 800, 20_000, 200_000])}`;
}

/** What a client got of an answer, `whole` or not. */
interface Seen {
  readonly status: number;
  readonly id: string | undefined;
  readonly body: Buffer;
  readonly whole: boolean;
}

function judge(method: string, target: string, { status, id, body, whole }: Seen): string | null {
  const [, own, behaviour] = target.split('/');
  if (id !== undefined && id !== own) return `${method} ${target}: the answer for ${id}`;
  if (status !== 200) return [0, 204, 304, 502, 503, 504].includes(status) ? null : `${target}: status ${status}`;
  const wanted = method === 'HEAD' ? '' : bodyOf(target);
  const got = body.toString('latin1');
  if (id === own && (whole && behaviour !== 'cut' ? got === wanted : wanted.startsWith(got))) return null;
  return `${method} ${target}: another body, ${got.slice(0, 60)}`;
}

async function byHttp1(gateway: TestGateway, random: Random): Promise<string | null> {
  const client = await rawClient(gateway.port);
  try {
    for (let i = 0; i < 3; i++) {
      const [target, method] = [targetOf(random), random.pick([...METHODS, 'POST'])];
      const body = method === 'POST' ? 'Content-Length: 2\r\n\r\nhi' : '\r\n';
      await client.send(`${method} ${target} HTTP/1.1\r\nHost: a.example\r\n${body}`);
      if (random.below(6) === 0) {
        await turns(random.below(15));
        client.reset();
        return null;
      }
      const outcome = await client.read(method);
      if (outcome.kind === 'malformed') return `${target}: ${outcome.reason}`;
      if (outcome.kind === 'closed') return null;
      const strange = outcome.interim.find((one) => headerOf(one, 'x-id') !== target.split('/')[1]);
      if (strange !== undefined) return `${target}: hints for ${headerOf(strange, 'x-id')}`;
      const whole = outcome.kind === 'answer';
      const { status, fields, body: got } = whole ? outcome.answer : outcome;
      const problem = judge(method, target, { status, id: headerOf({ fields }, 'x-id'), body: got, whole });
      if (problem !== null || !whole) return problem;
    }
    return null;
  } finally {
    client.close();
  }
}

async function byHttp2(gateway: TestGateway, random: Random): Promise<string | null> {
  const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
  const stream = async (): Promise<string | null> => {
    const [target, method] = [targetOf(random), random.pick(METHODS)];
    const asking = client.session.request({ ':path': target, ':method': method, ':authority': 'a.example' });
    const over = answerOf(asking);
    if (random.below(4) === 0) {
      await turns(random.below(15));
      asking.close(constants.NGHTTP2_CANCEL);
    }
    const { status, headers, body, reset } = await over;
    return judge(method, target, { status, id: headers['x-id'] as string | undefined, body, whole: reset === 0 });
  };
  try {
    const problems = await Promise.all(Array.from({ length: 1 + random.below(12) }, stream));
    return problems.find((one) => one !== null) ?? null;
  } finally {
    client.close();
  }
}

test(
  'whoever shares a line gets what is his, and gets it',
  async () => {
    const origin = await startOrigin({
      onRequest: ({ method, target }, connection) => {
        const before = answered.get(connection) ?? Promise.resolve();
        answered.set(
          connection,
          before.then(() => answer(method, target, connection)),
        );
      },
    });
    opened.push(origin);
    const config = (random: Random) => {
      const pipelining = random.pick([1, 2, 4, 16]);
      const max = random.pick([1, 2, 8, 64]);
      const backoff = { base: '1ms', max: '5ms' };
      return configOf(
        configFor([origin.url], {
          listener: { protocols: ['h2', 'http/1.1'] },
          service: { ...NEVER_DOWN, connections: { pipelining, max, queueTimeout: '10m' } },
          route: { retry: { attempts: 2, on: [503], perTryTimeout: '100ms', backoff } },
        }),
      );
    };
    const gateway = await startTestGateway(configFor([origin.url], { listener: { protocols: ['h2', 'http/1.1'] } }));
    opened.push(gateway);
    const { iterations } = await fuzz(async (random) => {
      origin.forget();
      await gateway.gateway.apply(await config(random));
      const clients = Array.from({ length: 12 }, (_, i) => (i % 4 === 0 ? byHttp2 : byHttp1)(gateway, random));
      for (let i = random.below(3); i > 0; i--) {
        await turns(random.below(20));
        await gateway.gateway.apply(await config(random));
      }
      const problems = await Promise.all(clients);
      const problem = problems.find((one) => one !== null) ?? origin.faults[0];
      if (problem !== undefined && problem !== null) return problem;
      await untilQuiet(gateway);
      await untilUpstreamIdle(gateway);
      return null;
    });
    expect(iterations).toBeGreaterThan(0);
  },
  FUZZ_TIMEOUT,
);
