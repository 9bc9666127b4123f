/** Heads of HTTP/1.1 as the fields of an HTTP/2 request, and the fields of its answer as a head that is parsed like any other. */
import type { OutgoingHttpHeaders } from 'node:http2';
import { CONNECTION_SPECIFIC, CONNECTION_SPECIFIC_IDS } from '../http/connection-fields.ts';
import { FIELD_STRIDE, HEAD_COMPLETE } from '../http/head-parser.ts';
import type { ResponseParser } from '../http/response-parser.ts';

/**
 * The fields of the request that `head` writes. The head is one of the gateway's own: its lines are sound. Lines of one
 * name become one value, since the library takes some names once only (RFC 9110 section 5.3).
 */
export function requestFields(head: string, scheme: string): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = Object.create(null);
  const first = head.indexOf(' ');
  const second = head.indexOf(' ', first + 1);
  fields[':method'] = head.slice(0, first);
  fields[':scheme'] = scheme;
  fields[':authority'] = '';
  fields[':path'] = head.slice(first + 1, second);
  const last = head.length - 2;
  for (let start = head.indexOf('\r\n', second) + 2; start < last; ) {
    const end = head.indexOf('\r\n', start);
    const colon = head.indexOf(':', start);
    const name = head.slice(start, colon).toLowerCase();
    add(fields, name, trimmed(head, colon + 1, end));
    start = end + 2;
  }
  return fields;
}

function add(fields: OutgoingHttpHeaders, name: string, value: string): void {
  if (name === 'host') fields[':authority'] = value;
  else if (name === 'te') {
    // Of the codings for one connection only this one has a meaning (RFC 9113 section 8.2.2).
    if (value.toLowerCase() === 'trailers') fields.te = 'trailers';
  } else if (!CONNECTION_SPECIFIC.has(name)) {
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else fields[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
}

/** Without the white space around it, which a value of HTTP/2 must not have (RFC 9113 section 8.2.1). */
function trimmed(head: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(head.charCodeAt(start))) start++;
  while (end > start && isBlank(head.charCodeAt(end - 1))) end--;
  return head.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** A head is only needed while it is read. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Reads the fields of an answer, names and values in turns, into `parser`, which judges them as it would those of
 * HTTP/1.1. `empty` says that no body follows where one could: the head then says so too. Answers what is wrong with them,
 * `''` when nothing is.
 */
export function readResponse(parser: ResponseParser, fields: readonly string[], empty: boolean): string {
  let status = '';
  let lines = '';
  let count = 0;
  let sized = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    if (name.charCodeAt(0) === 58) {
      if (name !== ':status' || status !== '') return 'a pseudo-header field that no answer has';
      status = fields[i + 1];
    } else {
      if (name === 'content-length') sized = true;
      lines += `${name}: ${fields[i + 1]}\r\n`;
      count++;
    }
  }
  if (empty && !sized && status !== '204' && status !== '304') {
    lines += 'content-length: 0\r\n';
    count++;
  }
  return parse(parser, `HTTP/1.1 ${status} \r\n${lines}\r\n`, count, fields);
}

function parse(parser: ResponseParser, text: string, count: number, fields: readonly string[]): string {
  const { length } = text;
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(length);
  scratch.write(text, 0, 'latin1');
  parser.reset();
  if (parser.execute(scratch, 0, length) !== HEAD_COMPLETE) return parser.detail;
  if ((parser.seen & CONNECTION_SPECIFIC_IDS) !== 0) return 'a field of one connection (RFC 9113 section 8.2.2)';
  // Whoever puts a line break or a colon where none can be means to be read as something else (RFC 9113 section 10.3).
  if (parser.consumed !== length || parser.count !== count) return 'a field has a line break in it';
  for (let i = 0, at = 0; i < fields.length; i += 2) {
    const name = fields[i];
    if (name.charCodeAt(0) === 58) continue;
    if (parser.offsets[at + 1] - parser.offsets[at] !== name.length) return 'a field name has a colon in it';
    at += FIELD_STRIDE;
  }
  return '';
}
