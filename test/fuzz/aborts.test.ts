/**
 * Bursts of clients and an origin that misbehave at the same time: each complete answer belongs to its request, a broken
 * one is seen to be broken, and after each burst nothing is left of it.
 */
import { afterEach, expect, test } from 'vitest';
import { configFor, NEVER_DOWN, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamIdle } from '../support/quiet.ts';
import { type Outcome, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, type OriginConnection, startOrigin } from '../support/raw-origin.ts';
import type { Random } from '../support/seeded-random.ts';
import { atRandomCuts } from '../support/splits.ts';
import { turn } from '../support/waiting.ts';
import { FUZZ_TIMEOUT, fuzz } from './time-box.ts';

/** What the origin does; the target says it: `/ID/BEHAVIOUR/LENGTH`. */
const WHOLE = ['length', 'chunked', 'until-close', 'early', 'slow', 'last', 'hints'] as const;
const BROKEN = ['cut-length', 'cut-chunked', 'reset-first', 'end-first', 'reset-later', 'garbage'] as const;
const LENGTHS = [0, 1, 100, 5000, 16_384, 70_000, 300_000];

let origin: Origin;
let gateway: TestGateway;

/** Answers before a reset of their connection: what of them is still on its way the system throws away. */
const endangered = new Set<string>();
const before = new WeakMap<OriginConnection, string[]>();

/** What a connection is still to answer, where it was asked for several things at once. */
const answered = new WeakMap<OriginConnection, Promise<void>>();

function answerNext(target: string, connection: OriginConnection): void {
  const last = answered.get(connection);
  answered.set(
    connection,
    last === undefined ? answer(target, connection) : last.then(() => answer(target, connection)),
  );
}

async function start(pipelining: number): Promise<void> {
  origin = await startOrigin({
    onHead: ({ target }, connection) => {
      if (target.includes('/early/')) answerNext(target, connection);
    },
    onRequest: ({ target }, connection) => {
      if (!target.includes('/early/')) answerNext(target, connection);
    },
  });
  const service = { ...NEVER_DOWN, connections: { max: 8, pipelining } };
  gateway = await startTestGateway(configFor([origin.url], { service }));
}

afterEach(async () => {
  await gateway?.close();
  await origin?.close();
});

function bodyOf(target: string): string {
  const [, id, , length] = target.split('/');
  return `${id}.`.repeat(Math.ceil(Number(length) / (id.length + 1))).slice(0, Number(length));
}

async function answer(target: string, connection: OriginConnection): Promise<void> {
  // Its end was said: what comes after is read, lest the system resets the connection, and not answered (RFC 9112 section 9.6).
  if (connection.socket.writableEnded) return;
  const behaviour = target.split('/')[2];
  const earlier = before.get(connection) ?? [];
  if (behaviour.startsWith('reset') || behaviour === 'cut-chunked') for (const one of earlier) endangered.add(one);
  before.set(connection, [...earlier, target]);
  const body = bodyOf(target);
  const half = body.slice(0, body.length / 2);
  const head = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n`;
  const chunk = (data: string): string => (data === '' ? '' : `${data.length.toString(16)}\r\n${data}\r\n`);
  const chunked = head('Transfer-Encoding: chunked\r\n');
  const sized = head(`Content-Length: ${body.length}\r\n`);
  switch (behaviour) {
    case 'chunked':
      return connection.write(`${chunked}${chunk(half)}${chunk(body.slice(half.length))}0\r\n\r\n`);
    case 'until-close':
      connection.write(head('') + body);
      return connection.end();
    case 'slow':
      connection.write(sized + half);
      for (let i = 0; i < 10; i++) await turn();
      return connection.write(body.slice(half.length));
    case 'last':
      return connection.write(`${head(`Connection: close\r\nContent-Length: ${body.length}\r\n`)}${body}`);
    case 'hints':
      return connection.write(`HTTP/1.1 103 Early Hints\r\n\r\n${sized}${body}`);
    case 'cut-length':
      connection.write(`${head(`Content-Length: ${body.length + 1}\r\n`)}${half}`);
      return connection.end();
    case 'cut-chunked':
      connection.write(chunked + chunk(half));
      return connection.reset();
    case 'reset-first':
      return connection.reset();
    case 'end-first':
      return connection.end();
    case 'reset-later':
      connection.write(head('') + half);
      for (let i = 0; i < 5; i++) await turn();
      return connection.reset();
    case 'garbage':
      return connection.write(`${body}garbage\r\n\r\n`);
    default:
      return connection.write(sized + body);
  }
}

let lastId = 0;

function targetOf(random: Random): string {
  const behaviour = random.below(3) === 0 ? random.pick(BROKEN) : random.pick(WHOLE);
  return `/r${++lastId}/${behaviour}/${random.pick(LENGTHS)}`;
}

function requestTo(target: string, random: Random): string {
  const head = `${random.pick(['GET', 'PUT', 'POST'])} ${target} HTTP/1.1\r\nHost: a.example\r\n`;
  const body = 'b'.repeat(random.pick([0, 10, 3000, 40_000]));
  if (random.below(2) === 0) return `${head}\r\n`;
  if (random.below(2) === 0) return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  return `${head}Transfer-Encoding: chunked\r\n\r\n${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`;
}

function isBroken(target: string): boolean {
  return (BROKEN as readonly string[]).includes(target.split('/')[2]);
}

function judge(target: string, outcome: Outcome): string | null {
  if (outcome.kind === 'malformed') return `${target}: ${outcome.reason}`;
  const broken = isBroken(target);
  if (outcome.kind === 'answer') {
    const { status, body } = outcome.answer;
    if (broken) return status === 502 ? null : `${target}: status ${status} from an origin that failed`;
    if (status !== 200) return `${target}: status ${status} ${body.toString('latin1', 0, 200)}`;
    return body.toString('latin1') === bodyOf(target)
      ? null
      : `${target}: another body, ${body.toString('latin1', 0, 60)}`;
  }
  if (!broken && !endangered.has(target)) return `${target}: ${outcome.kind}`;
  // The reset that makes a cut visible may overtake what was relayed before it.
  if (outcome.kind === 'closed') return outcome.how === 'reset' ? null : `${target}: closed without an answer`;
  const begun = bodyOf(target).startsWith(outcome.body.toString('latin1'));
  return begun ? null : `${target}: another body before the cut, ${outcome.body.toString('latin1', 0, 60)}`;
}

/** Sends requests one after another, reading each answer, or all at once; stops where the connection ends. */
async function behave(client: RawClient, random: Random): Promise<string | null> {
  const targets = Array.from({ length: 1 + random.below(3) }, () => targetOf(random));
  const requests = targets.map((target) => requestTo(target, random));
  const pipelined = random.below(3) === 0;
  let sending = pipelined ? client.send(atRandomCuts(Buffer.from(requests.join('')), random)) : Promise.resolve();
  for (const [i, target] of targets.entries()) {
    if (!pipelined) {
      // An early answer may have come while the request before was still on its way.
      await sending;
      sending = client.send(atRandomCuts(Buffer.from(requests[i]), random));
    }
    const outcome = await client.read();
    // An answer that came before the whole request may close, and a cut always does: what was behind it is lost.
    if (outcome.kind === 'closed' && i > 0) return null;
    // The reset that makes a later cut visible destroys what the kernel had not sent of the answers before it.
    const later = pipelined && targets.slice(i + 1).some(isBroken);
    if (later && outcome.kind === 'cut' && outcome.how === 'reset') return null;
    const problem = judge(target, outcome);
    if (problem !== null) return problem;
    if (outcome.kind !== 'answer') return null;
  }
  return null;
}

/** Sends a part or all of a request and goes away somewhere between. */
async function vanish(client: RawClient, random: Random): Promise<null> {
  const bytes = Buffer.from(requestTo(targetOf(random), random));
  const part = random.below(2) === 0 ? bytes : bytes.subarray(0, random.below(bytes.length));
  void client.send(atRandomCuts(part, random));
  for (let i = random.below(30); i > 0; i--) await turn();
  if (random.below(2) === 0) client.reset();
  else client.close();
  return null;
}

async function burst(random: Random): Promise<string | null> {
  origin.forget();
  endangered.clear();
  const clients = await Promise.all(Array.from({ length: 12 }, () => rawClient(gateway.port)));
  try {
    const problems = await Promise.all(
      clients.map((client) => (random.below(3) === 0 ? vanish(client, random) : behave(client, random))),
    );
    const problem = problems.find((one) => one !== null) ?? origin.faults[0];
    if (problem !== undefined && problem !== null) return problem;
  } catch (error) {
    return (error as Error).message;
  } finally {
    for (const client of clients) client.close();
  }
  await untilQuiet(gateway);
  await untilUpstreamIdle(gateway);
  return null;
}

test.each([1, 8])(
  'answers stay with their requests, and nothing is left, with up to %i in flight on a connection',
  async (pipelining) => {
    await start(pipelining);
    const { iterations } = await fuzz(burst);
    expect(iterations).toBeGreaterThan(0);
  },
  FUZZ_TIMEOUT,
);
