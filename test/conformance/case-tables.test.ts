/** Holds the case tables to themselves: sizes, names, sections, and agreement with the reference reading. */
import { describe, expect, test } from 'vitest';
import { readRequest } from '../support/wire-request.ts';
import { readResponse } from '../support/wire-response.ts';
import { bytesOf, CASE_LIMITS, type RequestCase, type RequestVerdict, verdictsOf } from './request-case.ts';
import { requestCases } from './request-cases.ts';
import type { ResponseVerdict } from './response-case.ts';
import { responseCases } from './response-cases.ts';

const SECTION = /^(RFC [0-9]{4}( [0-9]+(\.[0-9]+)*)?|contract)$/;

describe.each([
  ['requests', requestCases, 150],
  ['responses', responseCases, 60],
] as const)('the table of %s', (_, cases, least) => {
  test(`has at least ${least} cases`, () => {
    expect(cases.length).toBeGreaterThanOrEqual(least);
  });
  test('has each name once', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });
  test('has different bytes in each case of the same surroundings', () => {
    const keys = cases.map((one) =>
      JSON.stringify({ ...one, name: '', section: '', raw: bytesOf(one.raw).toString('latin1') }),
    );
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  });
  test('names a section for each case', () => {
    expect(cases.filter(({ section }) => !SECTION.test(section))).toEqual([]);
  });
});

/** What the reference makes of all bytes of a case: one word a request, the last one `refused N`, `incomplete` or `end`. */
function referenceOf({ raw }: RequestCase): string[] {
  const bytes = bytesOf(raw);
  const words: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readRequest(bytes, at, CASE_LIMITS);
    if (reading.kind !== 'request') {
      words.push(reading.kind === 'malformed' ? `refused ${reading.status}` : 'incomplete');
      break;
    }
    words.push(`${reading.method} ${reading.body.length}`);
    at = reading.end;
  }
  return words;
}

/** Where policy, not reading, decides: normalisation, expectations, closing. */
const BEYOND_READING = /climb|percent escape|^Expect: an unknown|^connection: a request after close|^pipelining: close/;
/** Where the head never ends, so that a complete reading cannot refuse it yet. */
const NEVER_ENDS = /ten thousand digits|a method beyond|without end|only a method|HTTP\/0\.9/;

function agrees(verdict: RequestVerdict, word: string | undefined): boolean {
  if ('either' in verdict) return verdict.either.some((one) => agrees(one, word));
  if (word === undefined) return false;
  if ('forwarded' in verdict) {
    const { method, body } = verdict.forwarded;
    return word === `${method} ${body?.length ?? 0}`;
  }
  if ('dropped' in verdict) return word === 'incomplete' || word === 'refused 400';
  const statuses = ('refused' in verdict ? [verdict.refused] : [verdict.answered]).flat();
  return statuses.some((status) => word === `refused ${status}`) || ('answered' in verdict && statuses.includes(404));
}

describe('the reference reading agrees with the table of requests', () => {
  test.each(requestCases.filter(({ name }) => !BEYOND_READING.test(name) && !NEVER_ENDS.test(name)))('$name', (one) => {
    const words = referenceOf(one);
    const wrong = verdictsOf(one).filter((verdict, i) => !agrees(verdict, words[i]));
    expect({ wrong, words: wrong.length === 0 ? [] : words }).toEqual({ wrong: [], words: [] });
  });
});

function agreesWithResponse(verdict: ResponseVerdict, kind: string): boolean {
  if ('either' in verdict) return verdict.either.some((one) => agreesWithResponse(one, kind));
  if ('passed' in verdict) return kind === 'response';
  return kind !== 'response';
}

/** Where a bound of the gateway decides, or the end of the connection beyond its bytes. */
const BEYOND_RESPONSE = /beyond any bound|without end|101/;

describe('the reference reading agrees with the table of responses', () => {
  test.each(responseCases.filter(({ name }) => !BEYOND_RESPONSE.test(name)))('$name', (one) => {
    const bytes = bytesOf(one.raw);
    let at = 0;
    let reading = readResponse(bytes, at, one.method ?? 'GET', one.after === 'end');
    while (reading.kind === 'response' && reading.status < 200) {
      at = reading.end;
      reading = readResponse(bytes, at, one.method ?? 'GET', one.after === 'end');
    }
    expect(agreesWithResponse(one.expect, reading.kind), JSON.stringify(reading).slice(0, 300)).toBe(true);
  });
});
