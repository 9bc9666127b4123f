/** The heads that the gateway passes on: of the request to the upstream, of the answer to the client. */
import { connectionNamed, copyFields, HOP_BY_HOP, isListed } from '../http/field-copy.ts';
import { FIELD, fieldIdOfName, maskOf } from '../http/field-name.ts';
import { fieldById, fieldByName, hasListMember, sameName } from '../http/fields.ts';
import { CHUNKED } from '../http/framing.ts';
import type { HeadParser } from '../http/head-parser.ts';
import type { HeaderEdits } from '../http/header-edits.ts';
import type { ClientStream } from '../net/stream.ts';
import { traceIdOf } from '../observability/trace-context.ts';
import { FORWARDED_FIELDS } from './proxy-trust.ts';

/** Fields of a request that are written anew or not passed on. */
const REQUEST_DROP =
  HOP_BY_HOP | FORWARDED_FIELDS | maskOf(FIELD.xRequestId, FIELD.traceparent, FIELD.xClientCert, FIELD.identity);
const RESPONSE_DROP = HOP_BY_HOP | maskOf(FIELD.xRequestId);
const HOST = maskOf(FIELD.host);
const CONNECTION = maskOf(FIELD.connection);
const CONTENT_LENGTH = maskOf(FIELD.contentLength);
const TRACESTATE = maskOf(FIELD.tracestate);

/** Of the request for a WebSocket (RFC 6455 section 4.1). */
const UPGRADE_LINES = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';

/** What the upstream is to be told, beside what the client's head says. */
export interface OutgoingRequest {
  readonly stream: ClientStream;
  /** Path and query for the upstream. */
  readonly upstreamTarget: string;
  /** The value for `Host`, or null to hand the client's on. */
  readonly upstreamHost: string | null;
  /** The endpoint's host and port, for a request that names no host at all. */
  readonly endpoint: string;
  /** The lines of `forwardedLines`. */
  readonly forwarded: string;
  /** The lines of `certificateLines`, or none. */
  readonly certificateLines: string;
  /** The lines that tell who calls, or none. */
  readonly identityLines: string;
  /** Lower-case names beside the usual ones that only the gateway may set; null where there are none. */
  readonly stripped: ReadonlySet<string> | null;
  readonly requestId: string;
  readonly traceparent: string;
  /** `traceparent` as it was received. */
  readonly received: string | undefined;
  readonly edits: HeaderEdits | null;
  /** True when the request asks for a WebSocket. */
  readonly upgrades: boolean;
}

/** The whole head of the request to the upstream. */
export function requestHead(request: OutgoingRequest): string {
  const { stream, upstreamTarget, received, edits } = request;
  const { head } = stream;
  let drop = REQUEST_DROP;
  let lines = '';
  if (request.upstreamHost !== null || stream.target.authority !== null || (head.seen & HOST) === 0) {
    lines = `Host: ${request.upstreamHost ?? (stream.authority === '' ? request.endpoint : stream.authority)}\r\n`;
    drop |= HOST;
  }
  // A state without the trace that it belongs to is noise (W3C Trace Context section 3.3).
  if (received === undefined || traceIdOf(request.traceparent) !== received.slice(3, 35)) drop |= TRACESTATE;
  // An untouched start line is taken with the fields, in one piece.
  const untouched = lines === '' && stream.minor === 1 && upstreamTarget === stream.rawTarget;
  lines += copyFields(head, drop, withNames(namedBy(head), request.stripped), edits, untouched ? 0 : head.fieldsStart);
  const own = `${request.forwarded}${request.certificateLines}${request.identityLines}X-Request-ID: ${request.requestId}\r\ntraceparent: ${request.traceparent}\r\n`;
  lines += edits === null ? own : edits.filter(own) + edits.lines();
  if (stream.bodyLength === CHUNKED) lines += 'Transfer-Encoding: chunked\r\n';
  if (request.upgrades) lines += UPGRADE_LINES;
  else if (takesTrailers(stream)) lines += 'TE: trailers\r\nConnection: TE\r\n';
  return untouched ? `${lines}\r\n` : `${stream.method} ${upstreamTarget} HTTP/1.1\r\n${lines}\r\n`;
}

/**
 * The trailers of a request as the upstream gets them: without what only the gateway says, which whoever merges trailers into
 * the head would take for its word (RFC 9110 section 6.5.1).
 */
export function requestTrailers(lines: string, stripped: ReadonlySet<string> | null): string {
  let kept = '';
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start) + 2;
    const name = lines.slice(start, lines.indexOf(':', start)).toLowerCase();
    const isOwn = fieldIdOfName(name) === FIELD.identity || (stripped !== null && isListed(stripped, name));
    if (!isOwn) kept += lines.slice(start, end);
    start = end;
  }
  return kept;
}

/** The field lines of the answer to the client; status line and framing are the stream's. */
export function responseLines(
  parser: HeadParser & { readonly status: number },
  requestId: string,
  edits: HeaderEdits | null,
): string {
  const drop = parser.status === 204 || parser.status === 101 ? RESPONSE_DROP | CONTENT_LENGTH : RESPONSE_DROP;
  return copyFields(parser, drop, namedBy(parser), edits) + ownLines('', requestId, edits);
}

/** The field lines of an interim answer. */
export function informationalLines(parser: HeadParser): string {
  return copyFields(parser, RESPONSE_DROP | CONTENT_LENGTH, namedBy(parser), null);
}

/** Lines that the gateway gives an answer itself, and the request's id, edited as a policy wants. */
export function ownLines(lines: string, requestId: string, edits: HeaderEdits | null): string {
  const own = `${lines}X-Request-ID: ${requestId}\r\n`;
  if (edits === null) return own;
  // Of an upstream's answer only this one line is the gateway's own.
  if (lines === '') return (edits.drops('x-request-id') ? '' : own) + edits.lines();
  return edits.filter(own) + edits.lines();
}

const EVENT_STREAM = 'text/event-stream';

/** True for an answer of server-sent events (HTML standard, section 9.2), which ends when either side has enough of it. */
export function isEventStream(parser: HeadParser): boolean {
  const type = fieldByName(parser, 'content-type');
  if (type === undefined || !sameName(type, 0, EVENT_STREAM)) return false;
  const next = type.charCodeAt(EVENT_STREAM.length);
  return Number.isNaN(next) || next === 59 || next === 32 || next === 9;
}

/** True when the client said that it can be sent trailers (RFC 9110 section 6.5.1), or speaks HTTP/2, where all can. */
export function takesTrailers(stream: ClientStream): boolean {
  if (stream.protocol === 'HTTP/2.0') return true;
  const te = fieldById(stream.head, FIELD.te);
  return te !== undefined && stream.minor === 1 && hasListMember(te, 'trailers');
}

function withNames(one: ReadonlySet<string> | null, other: ReadonlySet<string> | null): ReadonlySet<string> | null {
  if (one === null || other === null) return one ?? other;
  return new Set([...one, ...other]);
}

function namedBy(head: HeadParser): ReadonlySet<string> | null {
  return (head.seen & CONNECTION) === 0 ? null : connectionNamed(head);
}
