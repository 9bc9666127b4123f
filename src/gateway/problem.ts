/** The answers that the gateway and its admin listener make themselves, as problem documents (RFC 9457). */
import { ERRORS, type ErrorCode } from '../base/errors.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Seconds that a client is asked to wait after a refusal that another try may outlive. */
const RETRY_AFTER = 1;

/** In place of seconds: whoever refuses has written the field itself. */
export const NO_WAIT_LINE = -1;

/** The JSON body. `instance` is the request id, so that a report leads to the log line; `members` never replace the usual ones. */
export function problemBody(
  code: ErrorCode,
  detail: string,
  requestId: string,
  members?: Readonly<Record<string, unknown>>,
): string {
  const { title, status } = ERRORS[code];
  const usual = { type: `urn:portico:error:${code}`, title, status, code, detail, instance: requestId };
  return JSON.stringify(members === undefined ? usual : { ...usual, ...members, ...usual });
}

/** Header lines that belong to the code. */
export function problemLines(code: ErrorCode, retryAfter = RETRY_AFTER): string {
  return `Content-Type: ${PROBLEM_MEDIA_TYPE}\r\nCache-Control: no-store\r\n${waitLine(code, retryAfter)}`;
}

/** When to come again, where that may help. */
export function waitLine(code: ErrorCode, retryAfter = RETRY_AFTER): string {
  return ERRORS[code].retryAfter && retryAfter !== NO_WAIT_LINE ? `Retry-After: ${retryAfter}\r\n` : '';
}
