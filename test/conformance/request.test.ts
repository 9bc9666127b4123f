/** Every raw request case through a real gateway to a real origin: whole, byte by byte, and at random cuts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configFor, NEVER_DOWN, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamClosed } from '../support/quiet.ts';
import { headerOf, type Outcome, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import { type Split, splitsOf } from '../support/splits.ts';
import { listOf } from '../support/wire-fields.ts';
import { judgeRequest } from './judge-request.ts';
import { bytesOf, CASE_LIMITS, type RequestCase, type RequestVerdict, verdictsOf } from './request-case.ts';
import { requestCases } from './request-cases.ts';

const LIMITS = { requestHead: `${CASE_LIMITS.requestHead}B`, requestBody: `${CASE_LIMITS.requestBody}B` };
let origin: Origin;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin();
  gateway = await startTestGateway(configFor([origin.url], { listener: { limits: LIMITS }, service: NEVER_DOWN }));
});

afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

function methodOf(verdict: RequestVerdict): string {
  if ('forwarded' in verdict) return verdict.forwarded.method;
  return ('answered' in verdict && verdict.method) || 'GET';
}

/** Runs one case in one split and answers what was wrong. */
async function run(one: RequestCase, split: Split): Promise<string[]> {
  // What a case that failed has left behind is not this one's fault.
  for (const connection of origin.open) if (connection.pending.length > 0) connection.reset();
  if (split.name === 'whole') {
    // Once with a connection to be made first, else with one that rests in the pool.
    await origin.dropConnections();
    await untilUpstreamClosed(gateway);
  }
  origin.forget();
  const client = await rawClient(gateway.port);
  try {
    await client.send(split.pieces);
    if (one.end) client.halfClose();
    const verdicts = verdictsOf(one);
    let outcome: Outcome | undefined;
    for (const [i, verdict] of verdicts.entries()) {
      outcome = await client.read(methodOf(verdict));
      const problems = judgeRequest(verdict, { outcome, arrived: origin.requests[i] });
      if (problems.length > 0) return problems.map((text) => `request ${i}: ${text}`);
    }
    const problems = await judgeEnd(one, client, outcome as Outcome);
    const arrived = origin.requests.filter(({ target }) => target !== '/probe').length;
    if (arrived > verdicts.length) problems.push(`${arrived} requests reached the origin`);
    return [...problems, ...origin.faults];
  } finally {
    client.close();
  }
}

/** After the last answer: closed where it must be, else alive and in step, which a probe on the same connection shows. */
async function judgeEnd(one: RequestCase, client: RawClient, last: Outcome): Promise<string[]> {
  const verdict = verdictsOf(one).at(-1) as RequestVerdict;
  const announced = last.kind === 'answer' && listOf(last.answer.fields, 'connection').includes('close');
  const must = 'refused' in verdict || 'dropped' in verdict || one.closes === true;
  if (!must && !announced) return probe(client);
  if ('forwarded' in verdict && !must) return ['closed without need'];
  if (one.closes && !one.end && !announced) return ['the close was not announced'];
  await client.untilClosed();
  const begun = origin.connections.filter(({ pending }) => pending.length > 0);
  if (maySeeBeginning(verdict)) {
    await origin.until(() => begun.every(({ ended }) => ended !== null), 'the aborted upstream request to be closed');
    return [];
  }
  return begun.map(({ pending }) => `a part reached the origin: ${JSON.stringify(pending.toString('latin1', 0, 300))}`);
}

function maySeeBeginning(verdict: RequestVerdict): boolean {
  if ('either' in verdict) return verdict.either.some(maySeeBeginning);
  return 'dropped' in verdict || ('refused' in verdict && verdict.midBody === true);
}

async function probe(client: RawClient): Promise<string[]> {
  await client.send('GET /probe HTTP/1.1\r\nHost: probe.example\r\n\r\n');
  const outcome = await client.read();
  const inStep = outcome.kind === 'answer' && headerOf(outcome.answer, 'x-request-line') === 'GET /probe';
  if (!inStep) return [`the connection is out of step: ${JSON.stringify(outcome).slice(0, 300)}`];
  return client.unread.length === 0 ? [] : ['bytes after the last answer'];
}

for (const one of requestCases) {
  describe(`${one.section}, ${one.name}`, () => {
    for (const split of splitsOf(one.name, bytesOf(one.raw))) {
      test(split.name, async () => expect((await run(one, split)).join('\n')).toBe(''));
    }
  });
}

test('nothing is left of all that', async () => {
  await untilQuiet(gateway);
  expect(origin.open.filter(({ pending }) => pending.length > 0)).toEqual([]);
});
