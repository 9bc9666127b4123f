/** Every raw response case from a real origin through a real gateway: whole, byte by byte, and at random cuts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configFor, NEVER_DOWN, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamClosed } from '../support/quiet.ts';
import { headerOf, type Outcome, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, type OriginConnection, okAnswer, startOrigin } from '../support/raw-origin.ts';
import { type Split, splitsOf } from '../support/splits.ts';
import { turn } from '../support/waiting.ts';
import { listOf } from '../support/wire-fields.ts';
import { judgeResponse } from './judge-response.ts';
import { bytesOf } from './request-case.ts';
import type { ResponseCase } from './response-case.ts';
import { responseCases } from './response-cases.ts';

const REQUEST = 'GET /r HTTP/1.1\r\nHost: a.example\r\n\r\n';
const PROBE = 'GET /probe HTTP/1.1\r\nHost: probe.example\r\n\r\n';

let origin: Origin;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin();
  gateway = await startTestGateway(configFor([origin.url], { service: NEVER_DOWN }));
});

afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

async function play(one: ResponseCase, split: Split, connection: OriginConnection): Promise<void> {
  await connection.writePieces(split.pieces);
  if (one.after === 'end') connection.end();
  if (one.after === 'reset at once') connection.reset();
  if (one.after === 'reset') {
    // The bytes before the reset are read on their own.
    for (let i = 0; i < 5; i++) await turn();
    connection.reset();
  }
}

/** Runs one case in one split and answers what was wrong. */
async function run(one: ResponseCase, split: Split): Promise<string[]> {
  await origin.dropConnections();
  await untilUpstreamClosed(gateway);
  origin.forget();
  let served: OriginConnection | undefined;
  origin.script.onRequest = (request, connection) => {
    if (request.target === '/probe') return connection.write(okAnswer(request));
    served = connection;
    void play(one, split, connection);
  };
  const client = await rawClient(gateway.port);
  try {
    await client.send(one.request ?? REQUEST);
    const outcome = await client.read(one.method);
    const problems = judgeResponse(one.expect, outcome);
    if (problems.length > 0) return problems;
    const connection = served as OriginConnection;
    if (one.reuse === false)
      await origin.until(() => connection.ended !== null, 'the poisoned connection to be closed');
    problems.push(...(await judgeEnd(one, client, outcome)));
    const reused = connection.requests.some(({ target }) => target === '/probe');
    if (one.reuse === true && !reused) problems.push('the connection was not used again');
    if (one.reuse === false && reused) problems.push('the connection was used again');
    return [...problems, ...origin.faults];
  } finally {
    client.close();
  }
}

/** The client's own connection afterwards, and a probe: on it where it lives, else on a new one. */
async function judgeEnd(one: ResponseCase, client: RawClient, outcome: Outcome): Promise<string[]> {
  const announced = outcome.kind !== 'answer' || listOf(outcome.answer.fields, 'connection').includes('close');
  if (!announced) return one.closes ? ['the close was not announced'] : probe(client);
  const passed = outcome.kind === 'answer' && outcome.answer.status !== 502;
  if (passed && !one.closes) return ['the client was closed without need'];
  await client.untilClosed();
  const other = await rawClient(gateway.port);
  try {
    return await probe(other);
  } finally {
    other.close();
  }
}

async function probe(client: RawClient): Promise<string[]> {
  await client.send(PROBE);
  const outcome = await client.read();
  const inStep = outcome.kind === 'answer' && headerOf(outcome.answer, 'x-request-line') === 'GET /probe';
  return inStep ? [] : [`the connection is out of step: ${JSON.stringify(outcome).slice(0, 300)}`];
}

for (const one of responseCases) {
  describe(`${one.section}, ${one.name}`, () => {
    for (const split of splitsOf(one.name, bytesOf(one.raw))) {
      test(split.name, async () => expect((await run(one, split)).join('\n')).toBe(''));
    }
  });
}

test('nothing is left of all that', async () => {
  await untilQuiet(gateway);
  await origin.dropConnections();
  await untilUpstreamClosed(gateway);
});
