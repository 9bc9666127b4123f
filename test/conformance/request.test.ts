/** Every raw request case through a real gateway to a real origin: whole, byte by byte, and at random cuts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simpleConfig, startGateway, type TestGateway, untilQuiet } from '../support/gateway.ts';
import { type Outcome, type RawClient, rawClient } from '../support/raw-client.ts';
import { okAnswer, type Origin, startOrigin } from '../support/raw-origin.ts';
import { type Split, splitsOf } from '../support/splits.ts';
import { listOf } from '../support/wire-fields.ts';
import { judgeRequest } from './judge-request.ts';
import { bytesOf, CASE_LIMITS, type RequestCase, type RequestVerdict, verdictsOf } from './request-case.ts';
import { requestCases } from './request-cases.ts';

let origin: Origin;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin();
  gateway = await startGateway(simpleConfig([origin.url], { listener: { limits: CASE_LIMITS } }));
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
  origin.forget();
  const client = await rawClient(gateway.port);
  try {
    await client.send(split.pieces);
    if (one.end) client.halfClose();
    const problems: string[] = [];
    const verdicts = verdictsOf(one);
    let last: Outcome | undefined;
    for (const [i, verdict] of verdicts.entries()) {
      last = await client.read(methodOf(verdict));
      problems.push(...judgeRequest(verdict, { outcome: last, arrived: origin.requests[i] }).map((text) => `request ${i}: ${text}`));
      if (problems.length > 0) return problems;
    }
    const forwardedCount = verdicts.length - (verdicts.at(-1) !== undefined && 'forwarded' in verdicts.at(-1)! ? 0 : 1);
    problems.push(...(await judgeEnd(one, client, last as Outcome)));
    if (origin.requests.filter(({ target }) => target !== '/probe').length > Math.max(forwardedCount, origin.requests.length && verdicts.length)) {
      problems.push('more requests reached the origin than were answered');
    }
    problems.push(...origin.faults);
    return problems;
  } finally {
    client.close();
  }
}

/** After the last answer: closed where it must be, else alive and in step, which a probe on the same connection shows. */
async function judgeEnd(one: RequestCase, client: RawClient, last: Outcome): Promise<string[]> {
  const verdict = verdictsOf(one).at(-1) as RequestVerdict;
  const announced = last.kind === 'answer' && listOf(last.answer.fields, 'connection').includes('close');
  if ('refused' in verdict || 'dropped' in verdict || one.closes || announced) {
    if (one.closes && !one.end && !announced) return ['the close was not announced'];
    if ('forwarded' in verdict && !one.closes) return ['the close was not called for'];
    await client.untilClosed();
    if (!('refused' in verdict && verdict.midBody) && !('dropped' in verdict)) {
      const begun = origin.connections.filter(({ pending }) => pending.length > 0);
      if (begun.length > 0) return [`a part reached the origin: ${JSON.stringify(begun[0].pending.toString('latin1', 0, 300))}`];
    }
    await origin.until(() => origin.open.every(({ pending }) => pending.length === 0), 'the aborted upstream request to be closed');
    for (const connection of origin.connections) if (connection.ended !== null) origin.connections.splice(origin.connections.indexOf(connection), 1);
    return [];
  }
  await client.send('GET /probe HTTP/1.1\r\nHost: probe.example\r\n\r\n');
  const probe = await client.read();
  const expected = okAnswer({ method: 'GET', target: '/probe' });
  if (probe.kind === 'answer' && probe.answer.status === 200 && expected.endsWith(probe.answer.body.toString())) {
    return client.unread.length === 0 ? [] : ['bytes after the last answer'];
  }
  return [`the connection is out of step: ${JSON.stringify(probe).slice(0, 300)}`];
}

describe.each(requestCases)('$section, $name', (one) => {
  test.each(splitsOf(one.name, bytesOf(one.raw)))('$name', async (split) => {
    expect(await run(one, split)).toEqual([]);
  });
});

test('nothing is left of all that', async () => {
  await untilQuiet(gateway);
  expect(origin.open.filter(({ pending }) => pending.length > 0)).toEqual([]);
});
