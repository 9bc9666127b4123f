/** Compares what a client saw of a response case with its verdict, and says in words what differs. */
import { headerOf, type Outcome } from '../support/raw-client.ts';
import { joinedValue, valuesOf } from '../support/wire-fields.ts';
import { judgeProblem } from './judge-request.ts';
import { bytesOf } from './request-case.ts';
import type { PassedAnswer, ResponseVerdict } from './response-case.ts';

/** What is wrong with `outcome`; nothing when the list is empty. */
export function judgeResponse(verdict: ResponseVerdict, outcome: Outcome): string[] {
  if ('either' in verdict) {
    const all = verdict.either.map((one) => judgeResponse(one, outcome));
    return all.find((problems) => problems.length === 0) ?? all.flat();
  }
  if ('cut' in verdict) return judgeCut(verdict.cut, outcome);
  if (outcome.kind !== 'answer') return [`the client saw no answer but ${JSON.stringify(outcome).slice(0, 300)}`];
  const ids = valuesOf(outcome.answer.fields, 'x-request-id');
  const problems = ids.length === 1 ? [] : [`${ids.length} lines of X-Request-ID`];
  if ('failed' in verdict) return [...problems, ...judgeFailed(verdict.failed, outcome)];
  return [...problems, ...judgePassed(verdict.passed, outcome)];
}

function judgeFailed(codes: string[], outcome: Outcome & { kind: 'answer' }): string[] {
  const { status } = outcome.answer;
  return status === 502 ? judgeProblem(outcome, codes) : [`the status is ${status}, not 502`];
}

function judgeCut(expected: { status: number; body: string | Buffer; codes: string[] }, outcome: Outcome): string[] {
  // A fault that was seen before the head was relayed may still become a whole 502.
  if (outcome.kind === 'answer') {
    const { status, framing, body } = outcome.answer;
    if (status === 502) return judgeFailed(expected.codes, outcome);
    return [
      `the client took ${JSON.stringify(body.toString('latin1', 0, 100))} (${framing}) for a complete answer ${status}`,
    ];
  }
  if (outcome.kind !== 'cut') return [`the client saw ${JSON.stringify(outcome).slice(0, 300)}`];
  const problems: string[] = [];
  if (outcome.status !== expected.status) problems.push(`the status is ${outcome.status}, not ${expected.status}`);
  const body = bytesOf(expected.body);
  if (!body.subarray(0, outcome.body.length).equals(outcome.body)) {
    problems.push(`the body began as ${JSON.stringify(outcome.body.toString('latin1', 0, 100))}`);
  }
  return problems;
}

function judgePassed(expected: PassedAnswer, { answer, interim }: Outcome & { kind: 'answer' }): string[] {
  const problems: string[] = [];
  if (answer.status !== expected.status)
    return [`the status is ${answer.status}: ${answer.body.toString('latin1', 0, 300)}`];
  const statuses = interim.map(({ status }) => status).join();
  if (!expected.anyInterim && statuses !== (expected.interim ?? []).join())
    problems.push(`interim answers: ${statuses || 'none'}`);
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const actual = joinedValue(answer.fields, name);
    const same = typeof value === 'string' ? actual === value : actual !== undefined && value.test(actual);
    if (!same) problems.push(`${name} came as ${JSON.stringify(actual)}, not ${value}`);
  }
  for (const name of [...(expected.absentHeaders ?? []), 'keep-alive', 'proxy-connection', 'upgrade']) {
    const actual = headerOf(answer, name);
    if (actual !== undefined) problems.push(`${name} came as ${JSON.stringify(actual)}`);
  }
  if (expected.lines !== undefined) problems.push(...judgeLines(expected.lines, answer.fields));
  const body = bytesOf(expected.body ?? '');
  if (!answer.body.equals(body)) {
    problems.push(
      `the body has ${answer.body.length} bytes, not ${body.length}: ${JSON.stringify(answer.body.toString('latin1', 0, 100))}`,
    );
  }
  if (expected.framing !== undefined && answer.framing !== expected.framing)
    problems.push(`framed by ${answer.framing}`);
  const trailers = JSON.stringify(answer.trailers.map(({ name, value }) => [name, value]));
  if (trailers !== JSON.stringify(expected.trailers ?? [])) problems.push(`trailers ${trailers}`);
  return problems;
}

function judgeLines(expected: [string, string][], fields: readonly { name: string; value: string }[]): string[] {
  const names = new Set(expected.map(([name]) => name));
  const actual = fields
    .filter(({ name }) => names.has(name.toLowerCase()))
    .map(({ name, value }) => [name.toLowerCase(), value]);
  return JSON.stringify(actual) === JSON.stringify(expected) ? [] : [`lines came as ${JSON.stringify(actual)}`];
}
