/** The answers that the gateway and its admin listener make themselves, as problem documents (RFC 9457). */
import { ERRORS, type ErrorCode } from '../base/errors.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Seconds that a client is asked to wait after a refusal that another try may outlive. */
const RETRY_AFTER = 1;

/** The JSON body. `instance` is the request id, so that a report leads to the log line. */
export function problemBody(code: ErrorCode, detail: string, requestId: string): string {
  const { title, status } = ERRORS[code];
  return JSON.stringify({ type: `urn:portico:error:${code}`, title, status, code, detail, instance: requestId });
}

/** Header lines that belong to the code. */
export function problemLines(code: ErrorCode, retryAfter = RETRY_AFTER): string {
  return `Content-Type: ${PROBLEM_MEDIA_TYPE}\r\nCache-Control: no-store\r\n${waitLine(code, retryAfter)}`;
}

/** When to come again, where that may help. */
export function waitLine(code: ErrorCode, retryAfter = RETRY_AFTER): string {
  return ERRORS[code].retryAfter ? `Retry-After: ${retryAfter}\r\n` : '';
}
