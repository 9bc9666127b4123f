/** What a route may refuse beside its own reasons: the checks that every request goes through. */
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import type { AdminRoute } from './route.ts';

/** In the order of their status. */
export function refusalsOf(route: AdminRoute): readonly ErrorCode[] {
  const codes = new Set<ErrorCode>(['bad_request', 'forbidden', 'misdirected_request', 'internal_error']);
  if (route.open !== true) codes.add('unauthenticated').add('rate_limited');
  if (route.body !== undefined) codes.add('payload_too_large');
  if (route.body !== undefined || route.method !== 'GET') codes.add('unsupported_media_type');
  for (const code of route.refusals ?? []) codes.add(code);
  return Object.values(ERRORS)
    .map(({ code }) => code as ErrorCode)
    .filter((code) => codes.has(code));
}
