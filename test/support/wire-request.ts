/** The reference reading of requests: what a strict server must make of a complete run of bytes (RFC 9112). */
import { readChunked, readLength } from './wire-body.ts';
import {
  isFault,
  malformed,
  readFields,
  readLines,
  valuesOf,
  type WireFault,
  type WireField,
  type WireIncomplete,
} from './wire-fields.ts';

export interface WireRequest {
  kind: 'request';
  method: string;
  /** As sent. */
  target: string;
  minor: number;
  fields: WireField[];
  body: Buffer;
  chunked: boolean;
  trailers: WireField[];
  raw: Buffer;
  /** First byte after the request, in the bytes read. */
  end: number;
}

export type WireRequestHead = Pick<WireRequest, 'method' | 'target' | 'minor' | 'fields'> & {
  /** Bytes of body, or -1 for chunked. */
  length: number;
  headEnd: number;
};

export interface ReadLimits {
  requestHead: number;
  requestBody: number;
}

const NO_LIMITS: ReadLimits = { requestHead: 1 << 30, requestBody: Number.MAX_SAFE_INTEGER };

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e]+) HTTP\/([0-9])\.([0-9])$/;
const PERCENT = '%[2-7][0-9A-Fa-f]';
const NAME = `(?:[A-Za-z0-9._~-]|${PERCENT})+`;
const AUTHORITY = new RegExp(`^(?:${NAME}|\\[([0-9A-Fa-f:.]+)\\])(?::([0-9]{0,5}))?$`);

function isHost(text: string): boolean {
  const match = AUTHORITY.exec(text);
  if (match === null || Number(match[2] ?? 0) > 65535) return false;
  return match[1] === undefined || URL.canParse(`http://[${match[1]}]/`);
}

/** Reads one request from `bytes[from...]`. */
export function readRequest(
  bytes: Buffer,
  from = 0,
  limits: ReadLimits = NO_LIMITS,
): WireRequest | WireFault | WireIncomplete {
  const head = readRequestHead(bytes, from, limits);
  if (head === null) return { kind: 'incomplete', headComplete: false };
  if (isFault(head)) return head;
  const { method, target, minor, fields, length, headEnd } = head;
  if (length > limits.requestBody) return malformed('a body beyond the limit', 'head', 413);
  const shape = { kind: 'request', method, target, minor, fields } as const;
  if (length >= 0) {
    const end = headEnd + length;
    if (bytes.length < end) return { kind: 'incomplete', headComplete: true };
    const body = bytes.subarray(headEnd, end);
    return { ...shape, body, chunked: false, trailers: [], raw: bytes.subarray(from, end), end };
  }
  const read = readChunked(bytes, headEnd, limits.requestBody);
  if ('kind' in read) return read;
  return { ...shape, ...read, chunked: true, raw: bytes.subarray(from, read.end) };
}

/** Reads only the head; null while it is not complete. */
export function readRequestHead(
  bytes: Buffer,
  from = 0,
  limits: ReadLimits = NO_LIMITS,
): WireRequestHead | WireFault | null {
  const start = bytes.toString('latin1', from, from + 2) === '\r\n' ? from + 2 : from;
  const room = limits.requestHead - (start - from);
  const read = readLines(bytes, start, room);
  if (isFault(read)) return read;
  if (read === null) {
    if (bytes.length - start < room) return null;
    const lineEnd = bytes.indexOf('\r\n', start, 'latin1');
    return malformed('a head beyond the limit', 'head', lineEnd < 0 || lineEnd + 2 > start + room ? 414 : 431);
  }
  const line = REQUEST_LINE.exec(read.lines[0] ?? '');
  if (line === null) return malformed(`not a request line: ${JSON.stringify(read.lines[0])}`);
  const fields = readFields(read.lines.slice(1));
  if (isFault(fields)) return fields;
  const [, method, target, major, minorDigit] = line;
  if (major !== '1') return malformed('not HTTP/1');
  const minor = Math.min(1, Number(minorDigit));
  const fault = hostFault(fields, minor) ?? targetFault(method, target);
  if (fault !== null) return fault;
  const length = framingOf(fields, minor);
  if (isFault(length)) return length;
  return { method, target, minor, fields, length, headEnd: read.end };
}

function hostFault(fields: WireField[], minor: number): WireFault | null {
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1) return malformed('a repeated Host');
  if (hosts.length === 0) return minor === 0 ? null : malformed('no Host');
  return isHost(hosts[0]) ? null : malformed('an invalid Host');
}

function targetFault(method: string, target: string): WireFault | null {
  if (method === 'CONNECT') return malformed('CONNECT', 'head', 405);
  if (target.startsWith('/')) return null;
  if (target === '*') return method === 'OPTIONS' ? null : malformed('* without OPTIONS');
  const absolute = /^https?:\/\/([^/?]*)/i.exec(target);
  return absolute !== null && isHost(absolute[1]) ? null : malformed('the target has no known form');
}

function framingOf(fields: WireField[], minor: number): number | WireFault {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (codings.length > 0) {
    if (lengths.length > 0) return malformed('both Content-Length and Transfer-Encoding');
    if (minor === 0) return malformed('Transfer-Encoding on HTTP/1.0');
    return codings.length === 1 && codings[0].toLowerCase() === 'chunked'
      ? -1
      : malformed('a coding other than chunked');
  }
  if (lengths.length === 0) return 0;
  return readLength(lengths) ?? malformed('a malformed Content-Length');
}
