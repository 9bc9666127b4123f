/**
 * Mutated requests through a real gateway: what it accepts is what the reference reading accepts, the origin sees those
 * requests and no others, in order and with the same bounds, and nothing hangs, crashes or leaks.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesOf, CASE_LIMITS } from '../conformance/request-case.ts';
import { requestCases } from '../conformance/request-cases.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamIdle } from '../support/quiet.ts';
import { headerOf, type Outcome, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import type { Random } from '../support/seeded-random.ts';
import { atRandomCuts } from '../support/splits.ts';
import { joinedValue, listOf } from '../support/wire-fields.ts';
import type { WireRequest } from '../support/wire-request.ts';
import { mutate } from './mutation.ts';
import { referenceRequests } from './reference-reading.ts';
import { FUZZ_TIMEOUT, fuzz, quote } from './time-box.ts';

const LIMITS = { requestHead: `${CASE_LIMITS.requestHead}B`, requestBody: `${CASE_LIMITS.requestBody}B` };
const corpus = requestCases.filter(({ raw }) => raw.length < 3000).map(({ raw }) => bytesOf(raw));

let origin: Origin;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin();
  gateway = await startTestGateway(configFor([origin.url], { listener: { limits: LIMITS } }));
});

afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

/** Any of them may come before the fault that the reference names is looked at. */
const REFUSALS = [400, 404, 405, 413, 414, 417, 431];

/** Statuses by which the gateway may refuse what the reference accepts, because more than reading decides. */
function ownStatuses(request: WireRequest): number[] {
  const statuses: number[] = [];
  if (/%|\.\./.test(request.target)) statuses.push(400);
  if (joinedValue(request.fields, 'expect') !== undefined) statuses.push(417);
  if (request.method === 'OPTIONS' && !request.target.startsWith('/')) statuses.push(404);
  if (request.body.length > CASE_LIMITS.requestBody) statuses.push(413);
  return statuses;
}

/** Says what is wrong with the answer to a request that the reference accepts; takes its request off `arrived`. */
function judgeAccepted(request: WireRequest, outcome: Outcome, arrived: WireRequest[]): string | null {
  if (outcome.kind !== 'answer') return `no answer but ${JSON.stringify(outcome).slice(0, 300)}`;
  const { status } = outcome.answer;
  if (ownStatuses(request).includes(status)) return null;
  if (status !== 200) return `status ${status} for what the reference accepts`;
  const got = arrived.shift();
  if (got === undefined) return 'an answer without a request at the origin';
  if (headerOf(outcome.answer, 'x-request-line') !== `${got.method} ${got.target}`)
    return 'the answer of another request';
  if (got.method !== request.method) return `arrived as ${got.method}`;
  return got.body.equals(request.body) ? null : `the body arrived as ${quote(got.body)}`;
}

/** After what the reference accepts: a refusal where it refuses, silence where the bytes end, and always the close. */
async function judgeRest(rest: 'refused' | 'incomplete' | 'end', client: RawClient): Promise<string | null> {
  // Whether the refusal has a body depends on a method that may be unreadable: only its head is looked at.
  const outcome = await client.read('HEAD');
  if (outcome.kind === 'answer') {
    const { status } = outcome.answer;
    client.unread = Buffer.alloc(0);
    await client.untilEnded();
    client.unread = Buffer.alloc(0);
    return rest !== 'end' && REFUSALS.includes(status) ? null : `status ${status} where the reference says ${rest}`;
  }
  if (outcome.kind !== 'closed') return JSON.stringify(outcome).slice(0, 300);
  return rest === 'refused' ? 'closed without an answer to what the reference refuses' : null;
}

async function attempt(random: Random): Promise<string | null> {
  const bytes = mutate(corpus, random);
  const pieces = random.below(3) === 0 ? [bytes] : atRandomCuts(bytes, random, 12);
  const { requests, rest } = referenceRequests(bytes, CASE_LIMITS.requestHead);
  origin.forget();
  const client = await rawClient(gateway.port);
  try {
    await client.send(pieces);
    client.halfClose();
    const problem = await judge(requests, rest, client).catch((error: Error) => error.message);
    if (problem === null && origin.faults.length === 0) return null;
    return `${problem ?? origin.faults.join()}; in ${pieces.length} pieces: ${quote(bytes)}`;
  } finally {
    client.close();
  }
}

async function judge(
  requests: WireRequest[],
  rest: 'refused' | 'incomplete' | 'end',
  client: RawClient,
): Promise<string | null> {
  const taken = { count: 0 };
  for (const request of requests) {
    const outcome = await client.read(request.method);
    const arrived = origin.requests.slice(taken.count);
    const before = arrived.length;
    const problem = judgeAccepted(request, outcome, arrived);
    if (problem !== null) return `${request.method} ${request.target}: ${problem}`;
    taken.count += before - arrived.length;
    if (outcome.kind === 'answer' && listOf(outcome.answer.fields, 'connection').includes('close')) {
      await client.untilClosed();
      return origin.requests.length > taken.count ? 'requests after the close reached the origin' : null;
    }
  }
  const problem = await judgeRest(rest, client);
  if (problem !== null) return problem;
  return origin.requests.length > taken.count ? 'more requests reached the origin than were accepted' : null;
}

test(
  'the origin sees what was accepted and nothing else',
  async () => {
    const { iterations } = await fuzz(attempt);
    expect(iterations).toBeGreaterThan(0);
    await untilQuiet(gateway);
    await untilUpstreamIdle(gateway);
    expect(origin.open.filter(({ pending }) => pending.length > 0)).toEqual([]);
  },
  FUZZ_TIMEOUT,
);
