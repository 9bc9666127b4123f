/** The same reading as `codec-reading.ts` makes, by the reference readers. */
import type { WireField } from '../support/wire-fields.ts';
import { readRequest, type WireRequest } from '../support/wire-request.ts';
import { readResponse, type WireResponse } from '../support/wire-response.ts';
import type { Reading } from './codec-reading.ts';

function textOf(start: string, message: WireRequest | WireResponse): string {
  const pairs = (fields: WireField[]): string[] => fields.map(({ name, value }) => `${name}=${value}`);
  return [start, ...pairs(message.fields), message.body.toString('latin1'), pairs(message.trailers).join('|')].join(
    '|',
  );
}

export function referenceRequests(bytes: Buffer, requestHead: number): Reading & { requests: WireRequest[] } {
  const messages: string[] = [];
  const requests: WireRequest[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readRequest(bytes, at, { requestHead, requestBody: Number.MAX_SAFE_INTEGER });
    if (reading.kind === 'malformed') return { messages, requests, rest: 'refused' };
    if (reading.kind === 'incomplete') return { messages, requests, rest: 'incomplete' };
    messages.push(textOf(`${reading.method} ${reading.target} ${reading.minor}`, reading));
    requests.push(reading);
    at = reading.end;
  }
  return { messages, requests, rest: 'end' };
}

export function referenceResponses(bytes: Buffer, method: string): Reading & { responses: WireResponse[] } {
  const messages: string[] = [];
  const responses: WireResponse[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readResponse(bytes, at, method, true);
    if (reading.kind === 'malformed') return { messages, responses, rest: 'refused' };
    if (reading.kind === 'incomplete') return { messages, responses, rest: 'incomplete' };
    messages.push(textOf(`${reading.status} ${reading.minor}`, reading));
    responses.push(reading);
    at = reading.end;
  }
  return { messages, responses, rest: 'end' };
}
