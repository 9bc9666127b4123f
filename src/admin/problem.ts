/** Refusals of the admin listener, as problem documents (RFC 9457). */
import { ERRORS } from '../base/errors.ts';
import type { AdminReply } from './contract.ts';

/** RFC 9110 section 15.5.20; only the admin listener answers it, so it is not in the gateway's own table. */
const MISDIRECTED = { status: 421, title: 'Misdirected request' };

const PROBLEMS = {
  bad_request: ERRORS.bad_request,
  unauthenticated: ERRORS.unauthenticated,
  forbidden: ERRORS.forbidden,
  route_not_found: ERRORS.route_not_found,
  method_not_allowed: ERRORS.method_not_allowed,
  misdirected_request: MISDIRECTED,
  rate_limited: ERRORS.rate_limited,
  internal_error: ERRORS.internal_error,
};

export type AdminProblem = keyof typeof PROBLEMS;

/** `instance` is the request id that the answer's `X-Request-ID` carries. */
export function problemReply(code: AdminProblem, detail: string, instance: string): AdminReply {
  const { status, title } = PROBLEMS[code];
  const problem = { type: `urn:portico:error:${code}`, title, status, code, detail, instance };
  return { status, mediaType: 'application/problem+json', body: `${JSON.stringify(problem)}\n` };
}
