/** Compares what a client and an origin saw of a request case with its verdict, and says in words what differs. */
import { headerOf, type Outcome } from '../support/raw-client.ts';
import { joinedValue, listOf, valuesOf } from '../support/wire-fields.ts';
import type { WireRequest } from '../support/wire-request.ts';
import { bytesOf, type ForwardedRequest, type RequestVerdict } from './request-case.ts';

/** Codes of the contract for the statuses that a refusal may have. */
const CODES: Record<number, string> = {
  400: 'bad_request',
  404: 'route_not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'payload_too_large',
  414: 'uri_too_long',
  431: 'request_head_too_large',
};

interface Seen {
  outcome: Outcome;
  /** The request that reached the origin for it, if one did. */
  arrived: WireRequest | undefined;
}

/** What is wrong with `seen`; nothing when the list is empty. */
export function judgeRequest(verdict: RequestVerdict, seen: Seen): string[] {
  if ('either' in verdict) {
    const all = verdict.either.map((one) => judgeRequest(one, seen));
    return all.find((problems) => problems.length === 0) ?? all.flat();
  }
  const { outcome, arrived } = seen;
  if ('dropped' in verdict) return judgeDropped(outcome, arrived);
  if (outcome.kind !== 'answer') return [`the client saw no answer but ${JSON.stringify(outcome).slice(0, 300)}`];
  const problems = judgeOwnFields(outcome);
  if ('forwarded' in verdict) return [...problems, ...judgeForwarded(verdict.forwarded, outcome, arrived)];
  const statuses = ('refused' in verdict ? [verdict.refused] : [verdict.answered]).flat();
  const { status } = outcome.answer;
  if (!statuses.includes(status)) problems.push(`the status is ${status}, not ${statuses.join(' or ')}`);
  if (status >= 400) problems.push(...judgeProblem(outcome));
  if (arrived !== undefined) problems.push(`the origin got ${arrived.method} ${arrived.target}`);
  if ('refused' in verdict) {
    if (!listOf(outcome.answer.fields, 'connection').includes('close'))
      problems.push('the refusal does not announce the close');
    if (verdict.noInterim && outcome.interim.length > 0) problems.push('a 1xx came before the refusal');
  }
  return problems;
}

function judgeOwnFields({ answer, interim }: Outcome & { kind: 'answer' }): string[] {
  const problems: string[] = [];
  const ids = valuesOf(answer.fields, 'x-request-id');
  if (ids.length !== 1) problems.push(`${ids.length} lines of X-Request-ID`);
  if (interim.some(({ status }) => status !== 100)) problems.push('a 1xx that nobody sent');
  return problems;
}

/** The gateway's own answers are problem documents (contract, "Answers the gateway makes itself"). */
export function judgeProblem({ answer }: Outcome & { kind: 'answer' }, codes?: string[]): string[] {
  const type = headerOf(answer, 'content-type') ?? '';
  if (!type.startsWith('application/problem+json'))
    return [`the answer is ${type || 'of no type'}, not a problem document`];
  // An answer to HEAD has the head of the document only.
  if (answer.framing === 'none') return [];
  const problem = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
  const problems: string[] = [];
  const expected = codes ?? (CODES[answer.status] === undefined ? null : [CODES[answer.status]]);
  if (expected !== null && !expected.includes(String(problem.code)))
    problems.push(`the code is ${problem.code}, not ${expected}`);
  if (problem.status !== answer.status) problems.push(`the document says status ${problem.status}`);
  if (problem.type !== `urn:portico:error:${problem.code}`) problems.push(`the type is ${problem.type}`);
  if (problem.instance !== headerOf(answer, 'x-request-id')) problems.push('instance is not the request id');
  if (typeof problem.title !== 'string' || problem.title === '') problems.push('no title');
  return problems;
}

function judgeDropped(outcome: Outcome, arrived: WireRequest | undefined): string[] {
  const problems = arrived === undefined ? [] : [`the origin got ${arrived.method} ${arrived.target}`];
  if (outcome.kind === 'closed' || (outcome.kind === 'answer' && [400, 413].includes(outcome.answer.status)))
    return problems;
  return [...problems, `the client saw ${JSON.stringify(outcome).slice(0, 300)}`];
}

function judgeForwarded(
  expected: ForwardedRequest,
  { answer }: Outcome & { kind: 'answer' },
  arrived: WireRequest | undefined,
): string[] {
  if (answer.status !== 200) return [`the status is ${answer.status}: ${answer.body.toString('latin1', 0, 300)}`];
  const line = `${expected.method} ${expected.target}`;
  const problems: string[] = [];
  const answered = headerOf(answer, 'x-request-line');
  if (answered !== line) problems.push(`the answer is that of ${answered}, not of ${line}`);
  if (arrived === undefined) return [...problems, 'nothing arrived at the origin'];
  if (`${arrived.method} ${arrived.target}` !== line) problems.push(`arrived as ${arrived.method} ${arrived.target}`);
  if (arrived.minor !== 1) problems.push('forwarded as HTTP/1.0');
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const actual = joinedValue(arrived.fields, name);
    const same = typeof value === 'string' ? actual === value : actual !== undefined && value.test(actual);
    if (!same) problems.push(`${name} arrived as ${JSON.stringify(actual)}, not ${value}`);
  }
  for (const name of [...(expected.absentHeaders ?? []), 'keep-alive', 'proxy-connection', 'upgrade']) {
    const actual = joinedValue(arrived.fields, name);
    if (actual !== undefined) problems.push(`${name} arrived as ${JSON.stringify(actual)}`);
  }
  const body = bytesOf(expected.body ?? '');
  if (!arrived.body.equals(body)) {
    problems.push(
      `a body of ${arrived.body.length} bytes arrived, not ${body.length}: ${JSON.stringify(arrived.body.toString('latin1', 0, 100))}`,
    );
  }
  return problems;
}
