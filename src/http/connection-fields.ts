/** Fields of one connection, which HTTP/2 has no use for and forbids (RFC 9113 section 8.2.2). */
import { FIELD, maskOf } from './field-name.ts';

/** In lower case. `te` is none of them: with the value `trailers` it may stand in a request. */
export const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Those that the RFC names, as bits of a parsed head. */
export const CONNECTION_SPECIFIC_IDS = maskOf(
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.transferEncoding,
  FIELD.upgrade,
);
