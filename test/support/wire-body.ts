/** Reading of bodies for the reference readers (RFC 9112 sections 6 and 7), from complete buffers and without state. */
import {
  isFault,
  malformed,
  readFields,
  readLines,
  type WireFault,
  type WireField,
  type WireIncomplete,
} from './wire-fields.ts';

export interface WireBody {
  body: Buffer;
  trailers: WireField[];
  /** First byte after the body. */
  end: number;
}

const TRAILER_LIMIT = 8192;
const EXTENSION_LIMIT = 256;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})(;(?:[^"]|"(?:[^"\\]|\\.)*")*)?$/;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Names that change framing, routing, authentication or control, which a trailer may not have (RFC 9110 section 6.5.1). */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set(
  `content-length transfer-encoding host connection keep-alive proxy-connection upgrade te trailer expect max-forwards
  authorization proxy-authorization proxy-authenticate www-authenticate cookie set-cookie cache-control pragma range
  if-match if-none-match if-modified-since if-unmodified-since if-range age date expires location retry-after vary warning
  content-encoding content-type content-range content-location forwarded via x-forwarded-for x-forwarded-host
  x-forwarded-proto x-forwarded-port x-request-id traceparent http2-settings`.split(/\s+/),
);

/** Content-Length as digits, at most 15 that count, so that they stay below 2^53; else null (RFC 9110 section 8.6). */
export function readLength(values: readonly string[]): number | null {
  return values.length === 1 && /^0*[0-9]{1,15}$/.test(values[0]) ? Number(values[0]) : null;
}

export function readChunked(bytes: Buffer, from: number, limit: number): WireBody | WireFault | WireIncomplete {
  const parts: Buffer[] = [];
  let at = from;
  let total = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    const line = bytes.toString('latin1', at, lineEnd < 0 ? bytes.length : lineEnd);
    if (/\n|\r(?!$)/.test(line) || (lineEnd >= 0 && line.includes('\r')))
      return malformed('a bare CR or LF in a chunk line', 'body');
    if (lineEnd < 0) {
      if (line.length > EXTENSION_LIMIT + 20) return malformed('a chunk line without end', 'body');
      return { kind: 'incomplete', headComplete: true };
    }
    const match = CHUNK_LINE.exec(line);
    if (match === null || CONTROL.test(line)) return malformed(`not a chunk line: ${JSON.stringify(line)}`, 'body');
    if ((match[2] ?? '').length > EXTENSION_LIMIT) return malformed('a chunk extension beyond the bound', 'body');
    const size = Number.parseInt(match[1], 16);
    at = lineEnd + 2;
    if (size === 0) return withTrailers(bytes, at, parts);
    total += size;
    if (total > limit) return malformed('a body beyond the limit', 'body', 413);
    const follows = bytes.toString('latin1', at + size, at + size + 2);
    if (follows !== '\r\n'.slice(0, follows.length)) return malformed('chunk data not followed by CRLF', 'body');
    if (follows.length < 2) return { kind: 'incomplete', headComplete: true };
    parts.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}

function withTrailers(bytes: Buffer, from: number, parts: Buffer[]): WireBody | WireFault | WireIncomplete {
  const read = readLines(bytes, from, TRAILER_LIMIT);
  if (read === null) {
    if (bytes.length - from >= TRAILER_LIMIT) return malformed('a trailer section beyond the bound', 'body');
    return { kind: 'incomplete', headComplete: true };
  }
  if (isFault(read)) return { ...read, part: 'body' };
  const trailers = readFields(read.lines);
  if (isFault(trailers)) return { ...trailers, part: 'body' };
  for (const { name } of trailers) {
    if (FORBIDDEN_TRAILERS.has(name.toLowerCase())) return malformed(`the trailer ${name}`, 'body');
  }
  return { body: Buffer.concat(parts), trailers, end: read.end };
}

/** What of a chunked body can be decoded, however it ends. */
export function decodableChunks(bytes: Buffer, from: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd < 0) break;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(lineEnd + 2, Math.min(bytes.length, lineEnd + 2 + size)));
    at = lineEnd + 4 + size;
  }
  return Buffer.concat(parts);
}
