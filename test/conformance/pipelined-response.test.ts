/** Every raw response case on a connection where other requests are in line behind it: the verdict stays, and nobody gets what is another's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configFor, NEVER_DOWN, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamClosed } from '../support/quiet.ts';
import { headerOf, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, type OriginConnection, okAnswer, startOrigin } from '../support/raw-origin.ts';
import { stoppedClock } from '../support/skipping-clock.ts';
import { type Split, splitsOf } from '../support/splits.ts';
import { turn } from '../support/waiting.ts';
import { readResponse } from '../support/wire-response.ts';
import { judgeResponse } from './judge-response.ts';
import { bytesOf } from './request-case.ts';
import type { ResponseCase } from './response-case.ts';
import { responseCases } from './response-cases.ts';

const BEHIND = ['/b', '/c'];

let origin: Origin;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin();
  const service = { ...NEVER_DOWN, connections: { pipelining: 4 } };
  // However long a busy machine takes for a case, no connection counts as silent.
  gateway = await startTestGateway(configFor([origin.url], { service }), [], undefined, {}, { clock: stoppedClock() });
});

afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

async function play(one: ResponseCase, split: Split, connection: OriginConnection): Promise<void> {
  await connection.writePieces(split.pieces);
  if (one.after === 'reset at once') connection.reset();
  if (one.after === 'reset') {
    // The bytes before the reset are read on their own.
    for (let i = 0; i < 5; i++) await turn();
    connection.reset();
  }
  if (one.after === 'end') connection.end();
  // As those do who read on: in order, while the connection stands.
  if (one.after === undefined && connection.socket.writable)
    connection.write(BEHIND.map((target) => okAnswer({ method: 'GET', target })).join(''));
}

async function asked(target: string, method = 'GET', request = ''): Promise<RawClient> {
  const client = await rawClient(gateway.port);
  const before = origin.requests.length;
  await client.send(request || `${method} ${target} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  await origin.until(() => origin.requests.length > before, `${target} at the origin`);
  return client;
}

/** Runs one case in one split and answers what was wrong. */
async function run(one: ResponseCase, split: Split): Promise<string[]> {
  await origin.dropConnections();
  await untilUpstreamClosed(gateway);
  origin.forget();
  let first: OriginConnection | null = null;
  const seen: string[] = [];
  origin.script.onRequest = (request, connection) => {
    if (request.target === '/prime') first = connection;
    else if (connection === first) return seen.push(request.target);
    return connection.write(okAnswer(request));
  };
  const clients: RawClient[] = [];
  try {
    const prime = await asked('/prime');
    clients.push(prime);
    await prime.answer();
    const client = await asked('/r', one.method, one.request);
    clients.push(client);
    for (const target of BEHIND) clients.push(await asked(target));
    if (seen.length !== 3) return [`in line were ${seen.join(', ')}`];
    void play(one, split, first as unknown as OriginConnection);
    const problems = judgeResponse(one.expect, await client.read(one.method));
    for (const [at, target] of BEHIND.entries()) {
      const outcome = await clients[at + 2].read();
      const inStep = outcome.kind === 'answer' && headerOf(outcome.answer, 'x-request-line') === `GET ${target}`;
      if (!inStep) problems.push(`${target} is out of step: ${JSON.stringify(outcome).slice(0, 300)}`);
    }
    return [...problems, ...origin.faults];
  } finally {
    for (const client of clients) client.close();
  }
}

/** Whether it can stand in front of others: only what may be sent twice does, and bytes too many are taken for the next answer. */
function stands({ raw, method = 'GET', request }: ResponseCase): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (
    request !== undefined &&
    !/^(?:GET|HEAD) \S+ HTTP\/1\.1\r\n(?!.*(?:Content-Length|Transfer-Encoding|Upgrade|Connection: close))/is.test(
      request,
    )
  )
    return false;
  const bytes = bytesOf(raw);
  // Where nothing came the request is sent again, and answered.
  if (bytes.length === 0) return false;
  let at = 0;
  while (at < bytes.length) {
    const reading = readResponse(bytes, at, method, true);
    if (reading.kind !== 'response') return true;
    at = reading.end;
    if (reading.status >= 200) return at === bytes.length;
  }
  return true;
}

for (const one of responseCases.filter(stands)) {
  describe(`${one.section}, ${one.name}`, () => {
    const splits = splitsOf(one.name, bytesOf(one.raw));
    for (const split of [splits[0], splits.at(-1) as Split].slice(0, splits.length)) {
      test(split.name, async () => expect((await run(one, split)).join('\n')).toBe(''));
    }
  });
}

test('nothing is left of all that', async () => {
  await untilQuiet(gateway);
  await origin.dropConnections();
  await untilUpstreamClosed(gateway);
});
