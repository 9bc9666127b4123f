/** The question whether a request may pass, and what its answer means. */
import type { HttpAnswer, HttpCall } from '../../net/http-client.ts';
import type { PolicyExchange, Reply } from '../../pipeline/policy.ts';
import type { ExternalAuthOptions } from './schema.ts';

/** Bytes of an answer; beyond it the service fails. */
const MAX_ANSWER = 64 * 1024;

/** Headers of a refusal that the client gets, beside cookies. */
const HANDED_ON = [
  ['www-authenticate', 'WWW-Authenticate'],
  ['location', 'Location'],
  ['content-type', 'Content-Type'],
  ['content-language', 'Content-Language'],
  ['retry-after', 'Retry-After'],
  ['cache-control', 'Cache-Control'],
] as const;

/** The call about a request; `names` of its headers are copied, in lower case. */
export function createQuestion(
  { url, timeout }: ExternalAuthOptions,
  names: readonly string[],
  exchange: PolicyExchange,
): HttpCall {
  const headers: Record<string, string> = {
    'accept-encoding': 'identity',
    'x-forwarded-method': exchange.method,
    'x-forwarded-proto': exchange.scheme,
    'x-forwarded-host': exchange.header('host') ?? exchange.host,
    // As it is routed and sent on, so that both decide about the same.
    'x-forwarded-uri': exchange.query === '' ? exchange.path : `${exchange.path}?${exchange.query}`,
    'x-forwarded-for': exchange.clientAddress,
    'x-request-id': exchange.requestId,
  };
  for (const name of names) {
    const value = exchange.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return { method: 'GET', url, headers, timeout, maxBody: MAX_ANSWER };
}

/** `pass`, `refuse`, or why the answer is none: 5xx, and what nobody asked for (1xx, 304). */
export function verdictOf({ status }: HttpAnswer): 'pass' | 'refuse' | { failure: string } {
  if (status >= 200 && status < 300) return 'pass';
  if (status >= 300 && status < 500 && status !== 304) return 'refuse';
  return { failure: `the answer has the status ${status}` };
}

/** The refusal as the client gets it. */
export function handedOn({ status, headers, cookies, body }: HttpAnswer): Reply {
  const handed: Record<string, string | readonly string[]> = {};
  for (const [lowerName, name] of HANDED_ON) if (Object.hasOwn(headers, lowerName)) handed[name] = headers[lowerName];
  // A verdict on one request: others could be given it where a status may be kept by default (RFC 9111 section 3).
  handed['Cache-Control'] ??= 'no-store';
  if (cookies !== undefined) handed['Set-Cookie'] = cookies;
  return { status, headers: handed, body };
}
