/** The reference reading of responses: strict, and with nothing forgiven that would hide a fault of the gateway (RFC 9112). */
import { decodableChunks, readChunked, readLength } from './wire-body.ts';
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

export interface WireResponse {
  kind: 'response';
  status: number;
  reason: string;
  minor: number;
  fields: WireField[];
  body: Buffer;
  trailers: WireField[];
  framing: 'none' | 'length' | 'chunked' | 'close';
  /** First byte after the response, in the bytes read. */
  end: number;
}

export interface WireResponseHead {
  status: number;
  reason: string;
  minor: number;
  fields: WireField[];
  headEnd: number;
}

const STATUS_LINE = /^HTTP\/1\.([0-9]) ([1-5][0-9]{2}) ((?:[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)?)$/;

export function readResponseHead(bytes: Buffer, from = 0): WireResponseHead | WireFault | null {
  const read = readLines(bytes, from, 1 << 30);
  if (read === null || isFault(read)) return read;
  const line = STATUS_LINE.exec(read.lines[0] ?? '');
  if (line === null) return malformed(`not a status line: ${JSON.stringify(read.lines[0])}`);
  const fields = readFields(read.lines.slice(1));
  if (isFault(fields)) return fields;
  return { minor: Math.min(1, Number(line[1])), status: Number(line[2]), reason: line[3], fields, headEnd: read.end };
}

/**
 * Reads one response to a request of `method`. `ended` says that the sender closed cleanly, which completes a body
 * delimited by the close, and nothing else.
 */
export function readResponse(
  bytes: Buffer,
  from: number,
  method: string,
  ended: boolean,
): WireResponse | WireFault | WireIncomplete {
  const head = readResponseHead(bytes, from);
  if (head === null) return { kind: 'incomplete', headComplete: false };
  if (isFault(head)) return head;
  const { headEnd, ...rest } = head;
  const shape = { kind: 'response', ...rest, trailers: [] as WireField[] } as const;
  const none = (end: number): WireResponse => ({ ...shape, body: Buffer.alloc(0), framing: 'none', end });
  // Interim answers end with their head, whatever they declare (RFC 9112 section 6.3).
  if (head.status < 200) return none(headEnd);
  const declared = declaredLength(head.fields, head.minor);
  if (isFault(declared)) return declared;
  if (head.status === 204 || head.status === 304 || method === 'HEAD') return none(headEnd);
  if (declared === 'chunked') {
    const read = readChunked(bytes, headEnd, Number.MAX_SAFE_INTEGER);
    return 'kind' in read ? read : { ...shape, ...read, framing: 'chunked' };
  }
  const end = declared === 'close' ? bytes.length : headEnd + declared;
  if (declared === 'close' ? !ended : bytes.length < end) return { kind: 'incomplete', headComplete: true };
  return { ...shape, body: bytes.subarray(headEnd, end), framing: declared === 'close' ? 'close' : 'length', end };
}

function declaredLength(fields: WireField[], minor: number): number | 'chunked' | 'close' | WireFault {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (codings.length > 0) {
    if (lengths.length > 0) return malformed('both Content-Length and Transfer-Encoding');
    if (minor === 0) return malformed('Transfer-Encoding on HTTP/1.0');
    if (codings.length > 1 || codings[0].toLowerCase() !== 'chunked') return malformed('a coding other than chunked');
    return 'chunked';
  }
  if (lengths.length === 0) return 'close';
  return readLength(lengths) ?? malformed('a malformed Content-Length');
}

/** What of a response's body has come, when it broke off. */
export function bodySoFar(bytes: Buffer, head: WireResponseHead): Buffer {
  const chunked = valuesOf(head.fields, 'transfer-encoding').length > 0;
  return chunked ? decodableChunks(bytes, head.headEnd) : bytes.subarray(head.headEnd);
}
