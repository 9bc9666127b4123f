/** The opening handshake of a WebSocket (RFC 6455 section 4): what a client must ask and a server must answer. */
import { createHash } from 'node:crypto';
import { FIELD } from './field-name.ts';
import { countById, fieldById, fieldByName, hasListMember } from './fields.ts';
import type { HeadParser } from './head-parser.ts';
import type { ResponseParser } from './response-parser.ts';
import { NO_RSV, RSV_ANY, RSV_DEFLATE } from './websocket-frames.ts';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sixteen bytes, in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** The only version that there is (RFC 6455 section 11.6). */
export const VERSION = '13';

/** What of a request the handshake is about. */
export interface HandshakeRequest {
  readonly method: string;
  readonly minor: number;
  readonly bodyLength: number;
  readonly head: HeadParser;
}

/** True when the client wants a WebSocket, well or badly said. HTTP/1.0 has no upgrade (RFC 9110 section 7.8). */
export function asksForWebSocket({ head, minor }: HandshakeRequest): boolean {
  const upgrade = fieldById(head, FIELD.upgrade);
  return upgrade !== undefined && minor === 1 && hasListMember(upgrade, 'websocket');
}

/** Why the request is no handshake (RFC 6455 section 4.2.1), or null. The version is another matter. */
export function requestFault({ method, bodyLength, head }: HandshakeRequest): string | null {
  if (method !== 'GET') return 'a WebSocket is asked for by GET';
  if (bodyLength !== 0) return 'the handshake of a WebSocket has a body';
  const connection = fieldById(head, FIELD.connection);
  if (connection === undefined || !hasListMember(connection, 'upgrade')) return 'Connection does not say upgrade';
  if (!KEY.test(fieldByName(head, 'sec-websocket-key') ?? '')) {
    return 'Sec-WebSocket-Key is not sixteen bytes in base64, once';
  }
  return null;
}

/** True when the client speaks the version that is spoken here. */
export function isVersionKnown(head: HeadParser): boolean {
  return fieldByName(head, 'sec-websocket-version') === VERSION;
}

/** The `Sec-WebSocket-Accept` that belongs to a key. */
export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** Why a 101 is no answer to what the client offered in `request`, with `key` (RFC 6455 section 4.1), or null. */
export function answerFault(answer: ResponseParser, request: HeadParser, key: string): string | null {
  const upgrade = fieldById(answer, FIELD.upgrade);
  const connection = fieldById(answer, FIELD.connection);
  if (answer.minor !== 1) return 'the 101 is not of HTTP/1.1';
  if (countById(answer, FIELD.upgrade) !== 1 || upgrade?.toLowerCase() !== 'websocket') {
    return 'the 101 does not upgrade to websocket';
  }
  if (connection === undefined || !hasListMember(connection, 'upgrade'))
    return 'Connection of the 101 does not say upgrade';
  if (fieldByName(answer, 'sec-websocket-accept') !== acceptOf(key))
    return 'Sec-WebSocket-Accept is not that of the key';
  const protocol = fieldByName(answer, 'sec-websocket-protocol');
  if (protocol !== undefined && !membersOf(fieldByName(request, 'sec-websocket-protocol')).includes(protocol)) {
    return 'the upstream chose a subprotocol that was not offered';
  }
  const offered = extensionsOf(request);
  for (const name of extensionsOf(answer)) {
    if (!offered.includes(name)) return 'the upstream chose an extension that was not offered';
  }
  return null;
}

/** Which reserved bits frames may have after this answer. */
export function agreedRsv(answer: HeadParser): number {
  const names = extensionsOf(answer);
  if (names.length === 0) return NO_RSV;
  return names.every((name) => name === 'permessage-deflate') ? RSV_DEFLATE : RSV_ANY;
}

/** Names of extensions, without parameters: a comma can stand in no valid one (RFC 6455 section 9.1). */
function extensionsOf(head: HeadParser): string[] {
  const names = membersOf(fieldByName(head, 'sec-websocket-extensions'));
  return names.map((member) => (member.split(';', 1)[0] as string).trim().toLowerCase());
}

function membersOf(value: string | undefined): string[] {
  if (value === undefined) return [];
  return value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}
