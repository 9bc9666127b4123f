/**
 * Mutated answers of an origin through a real gateway: the client sees the answer as the reference reads it, or a 502,
 * or a visible cut; never something that looks complete and is not, and nothing hangs, crashes or leaks.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesOf } from '../conformance/request-case.ts';
import { responseCases } from '../conformance/response-cases.ts';
import { configFor, NEVER_DOWN, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamClosed } from '../support/quiet.ts';
import { type Outcome, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import type { Random } from '../support/seeded-random.ts';
import { atRandomCuts } from '../support/splits.ts';
import type { WireResponse } from '../support/wire-response.ts';
import { mutate } from './mutation.ts';
import { referenceResponses } from './reference-reading.ts';
import { FUZZ_TIMEOUT, fuzz, quote } from './time-box.ts';

const corpus = responseCases.filter(({ raw }) => raw.length > 0 && raw.length < 3000).map(({ raw }) => bytesOf(raw));
const REQUESTS = [
  ['GET', 'GET /r HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ['GET', 'GET /r HTTP/1.1\r\nHost: a.example\r\nConnection: TE\r\nTE: trailers\r\n\r\n'],
  ['GET', 'GET /r HTTP/1.0\r\nHost: a.example\r\n\r\n'],
  ['HEAD', 'HEAD /r HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ['POST', 'POST /r HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi'],
] as const;

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

/** The first answer that is not interim, as the reference reads it; null where there is none that is right. */
function finalAnswer(bytes: Buffer, method: string): WireResponse | null {
  const { responses } = referenceResponses(bytes, method);
  const first = responses.findIndex(({ status }) => status >= 200 || status === 101);
  return first < 0 || responses[first].status === 101 ? null : responses[first];
}

/** `whole`: the origin ended cleanly, which alone completes a body until the close. */
function judge(expected: WireResponse | null, whole: boolean, outcome: Outcome): string | null {
  if (outcome.kind === 'malformed') return `the client got something malformed: ${outcome.reason}`;
  if (outcome.kind === 'closed') return 'the client was closed without an answer';
  const complete = expected !== null && (whole || expected.framing !== 'close');
  if (outcome.kind === 'cut') return complete ? 'a cut where the answer was right' : null;
  const { status, body } = outcome.answer;
  if (!complete) return status === 502 ? null : `status ${status} where the answer was not right`;
  if (status !== expected.status) return `status ${status}, not ${expected.status}`;
  return body.equals(expected.body) ? null : `the body came as ${quote(body)}, not ${quote(expected.body)}`;
}

async function attempt(random: Random): Promise<string | null> {
  const bytes = mutate(corpus, random);
  const pieces = random.below(3) === 0 ? [bytes] : atRandomCuts(bytes, random, 12);
  const whole = random.below(3) > 0;
  const [method, request] = random.pick(REQUESTS);
  origin.forget();
  origin.script.onRequest = async (_, connection) => {
    await connection.writePieces(pieces);
    if (whole) connection.end();
    else connection.reset();
  };
  const client = await rawClient(gateway.port);
  try {
    await client.send(request);
    const outcome = await client.read(method).catch((error: Error) => error.message);
    const problem = typeof outcome === 'string' ? outcome : judge(finalAnswer(bytes, method), whole, outcome);
    return problem === null
      ? null
      : `${problem}; to ${method} in ${pieces.length} pieces, then ${whole ? 'end' : 'reset'}: ${quote(bytes)}`;
  } finally {
    client.close();
  }
}

test(
  'the client sees the answer, or that there is none',
  async () => {
    const { iterations } = await fuzz(attempt);
    expect(iterations).toBeGreaterThan(0);
    await untilQuiet(gateway);
    await origin.dropConnections();
    await untilUpstreamClosed(gateway);
  },
  FUZZ_TIMEOUT,
);
