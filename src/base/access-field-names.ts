/** The names that `logging.access.fields` may hold: config checks them, and the access log knows how to write each. */
import { isToken } from './token.ts';

export const ACCESS_FIELD_NAMES: readonly string[] = [
  'time',
  'level',
  'msg',
  'request_id',
  'client',
  'method',
  'host',
  'path',
  'query',
  'protocol',
  'route',
  'service',
  'endpoint',
  'status',
  'upstream_status',
  'grpc_status',
  'bytes_in',
  'bytes_out',
  'duration_ms',
  'upstream_ms',
  'gateway_ms',
  'retries',
  'error',
  'trace_id',
  'user',
  'consumer',
  'user_agent',
];

/** True for one of these, and for `header.NAME`, which is the request's header of that name. */
export function isAccessField(name: string): boolean {
  return ACCESS_FIELD_NAMES.includes(name) || (name.startsWith('header.') && isToken(name.slice('header.'.length)));
}
