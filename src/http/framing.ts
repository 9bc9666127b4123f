/** How long a message body is (RFC 9112 section 6.3), decided once from the head, with every ambiguity refused. */
import { FIELD, maskOf } from './field-name.ts';
import { FIELD_STRIDE, type HeadParser } from './head-parser.ts';

/** Body lengths below zero are not lengths. */
export const CHUNKED = -1;
export const UNTIL_CLOSE = -2;
export const INVALID_FRAMING = -3;

const LENGTH_OR_CODING = maskOf(FIELD.contentLength, FIELD.transferEncoding);
const CODING = maskOf(FIELD.transferEncoding);

/** Digits that always stay below 2^53. */
const MAX_LENGTH_DIGITS = 15;

/**
 * The length of a request's body in bytes, or `CHUNKED`, or `INVALID_FRAMING`. Both fields, repeated fields, a coding
 * other than `chunked` and a coding on HTTP/1.0 are refused (RFC 9112 sections 6.1 and 6.3).
 */
export function requestFraming(parser: HeadParser, minor: number): number {
  return (parser.seen & LENGTH_OR_CODING) === 0 ? 0 : declaredFraming(parser, minor);
}

/**
 * The length of a response's body: as `requestFraming`, or `UNTIL_CLOSE`. Answers to HEAD, 1xx, 204 and 304 have none,
 * whatever they declare, but what they declare must be well formed all the same.
 */
export function responseFraming(parser: HeadParser, minor: number, status: number, method: string): number {
  const declared = (parser.seen & LENGTH_OR_CODING) === 0 ? UNTIL_CLOSE : declaredFraming(parser, minor);
  if (declared === INVALID_FRAMING) return declared;
  if (method === 'HEAD' || status === 204 || status === 304 || status < 200) return 0;
  return declared;
}

function declaredFraming(parser: HeadParser, minor: number): number {
  if ((parser.seen & LENGTH_OR_CODING) === LENGTH_OR_CODING) return INVALID_FRAMING;
  const coded = (parser.seen & CODING) !== 0;
  if (coded && minor === 0) return INVALID_FRAMING;
  const wanted = coded ? FIELD.transferEncoding : FIELD.contentLength;
  let framing = INVALID_FRAMING;
  const { offsets, head, count } = parser;
  for (let i = 0, at = 0; i < count; i++, at += FIELD_STRIDE) {
    if (offsets[at + 4] !== wanted) continue;
    if (framing !== INVALID_FRAMING) return INVALID_FRAMING;
    const start = offsets[at + 2];
    const end = offsets[at + 3];
    framing = coded ? codingOf(head, start, end) : parseLength(head, start, end);
    if (framing === INVALID_FRAMING) return framing;
  }
  return framing;
}

function codingOf(head: string, start: number, end: number): number {
  return end - start === 7 && head.slice(start, end).toLowerCase() === 'chunked' ? CHUNKED : INVALID_FRAMING;
}

/** Content-Length is digits only (RFC 9110 section 8.6): no sign, no list, no space within. */
function parseLength(head: string, start: number, end: number): number {
  if (start === end) return INVALID_FRAMING;
  let length = 0;
  let significant = 0;
  for (let i = start; i < end; i++) {
    const digit = head.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return INVALID_FRAMING;
    length = length * 10 + digit;
    if (length > 0 && ++significant > MAX_LENGTH_DIGITS) return INVALID_FRAMING;
  }
  return length;
}
