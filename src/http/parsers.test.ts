/** The parsers of the codec: however the bytes are cut, the verdict and the result are the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BodySink, CHUNKED_MORE, ChunkedDecoder } from './chunked-decoder.ts';
import { fieldByName } from './fields.ts';
import { requestFraming } from './framing.ts';
import { HEAD_COMPLETE, HEAD_INVALID, NEED_MORE } from './head-parser.ts';
import { RequestParser } from './request-parser.ts';
import { ResponseParser } from './response-parser.ts';

function cutsOf(length: number, cuts: readonly number[]): number[] {
  return [...new Set([0, ...cuts.map((cut) => cut % (length + 1)), length])].sort((a, b) => a - b);
}

function parseRequest(raw: string, cuts: readonly number[], limit = 4096): unknown {
  const parser = new RequestParser(limit);
  const bytes = Buffer.from(raw, 'latin1');
  const edges = cutsOf(bytes.length, cuts);
  for (let i = 1; i < edges.length; i++) {
    const chunk = Buffer.from(bytes.subarray(edges[i - 1], edges[i]));
    const result = parser.execute(chunk, 0, chunk.length);
    if (result === HEAD_INVALID) return { fault: parser.fault, detail: parser.detail };
    if (result === HEAD_COMPLETE) {
      const { method, target, minor, head, count } = parser;
      const rest = bytes.length - (edges[i - 1] + parser.consumed);
      return { method, target, minor, head, fields: [...parser.offsets.subarray(0, count * 5)], rest };
    }
    expect(result).toBe(NEED_MORE);
  }
  return 'more';
}

const heads = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  '\r\nPOST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX:  padded \t\r\n\r\nabc',
  'GET / HTTP/1.1\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\n\r\n',
  'GET / HTTP/1.1\r\nHost : a\r\n\r\n',
  'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
  'GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n',
  'GET / HTTP/1.1\r\nA: b\0c\r\n\r\n',
  'GET / HTTP/1.1\r\nA: b\rc\r\n\r\n',
  'GET / HTTP/1.1\r\n: b\r\n\r\n',
  'GET  / HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.1 \r\n\r\n',
  'GET / HTTP/2.0\r\n\r\n',
  'GET / http/1.1\r\n\r\n',
  'G@T / HTTP/1.1\r\n\r\n',
  'GET /\u00e9 HTTP/1.1\r\n\r\n',
  'GET /#x HTTP/1.1\r\n\r\n',
  `GET /${'a'.repeat(300)} HTTP/1.1\r\n\r\n`,
  `GET / HTTP/1.1\r\nA: ${'a'.repeat(300)}\r\n\r\n`,
];

describe('request heads', () => {
  test.each(heads)('are read alike however cut: %j', (raw) => {
    const whole = parseRequest(raw, [], 200);
    const everyByte = Array.from(raw, (_, index) => index);
    expect(parseRequest(raw, everyByte, 200)).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.nat(raw.length), { maxLength: 6 }), (cuts) => {
        expect(parseRequest(raw, cuts, 200)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  test('of arbitrary bytes never make the parser throw, and never depend on the cuts', () => {
    const byte = fc.oneof(
      fc.constantFrom(...Array.from('GET /: HTTP/1.1\r\n\r\n')),
      fc.nat(255).map((n) => String.fromCharCode(n)),
    );
    const text = fc.array(byte, { maxLength: 80 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(80), { maxLength: 5 }), (raw, cuts) => {
        expect(parseRequest(raw, cuts)).toEqual(parseRequest(raw, []));
      }),
      { numRuns: 2000 },
    );
  });

  test('say which limit was met', () => {
    expect(parseRequest(`GET /${'a'.repeat(300)} HTTP/1.1\r\n\r\n`, [], 200)).toMatchObject({
      fault: 'start_line_too_long',
    });
    expect(parseRequest(`GET / HTTP/1.1\r\nA: ${'a'.repeat(300)}`, [], 200)).toMatchObject({ fault: 'head_too_large' });
    const exact = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    expect(parseRequest(exact, [], exact.length)).toMatchObject({ method: 'GET' });
    expect(parseRequest(exact, [], exact.length - 1)).toMatchObject({ fault: 'head_too_large' });
  });

  test('give fields by name in any case, joined', () => {
    const parser = new RequestParser(4096);
    const raw = Buffer.from('GET / HTTP/1.1\r\nHOST: h\r\nX-Tag: a\r\nx-tag: b\r\nCookie: a=1\r\ncookie: b=2\r\n\r\n');
    expect(parser.execute(raw, 0, raw.length)).toBe(HEAD_COMPLETE);
    expect(fieldByName(parser, 'x-tag')).toBe('a, b');
    expect(fieldByName(parser, 'cookie')).toBe('a=1; b=2');
    expect(fieldByName(parser, 'host')).toBe('h');
    expect(fieldByName(parser, 'x-none')).toBeUndefined();
  });
});

describe('declared lengths', () => {
  const cases: [string, number][] = [
    ['Content-Length: 5', 5],
    ['Content-Length: 0005', 5],
    ['Content-Length: 999999999999999', 999999999999999],
    ['Content-Length: 9999999999999999', -3],
    ['Content-Length: +5', -3],
    ['Content-Length: -5', -3],
    ['Content-Length: 0x5', -3],
    ['Content-Length: 5 5', -3],
    ['Content-Length: 5, 5', -3],
    ['Content-Length:', -3],
    ['Content-Length: 5\r\nContent-Length: 6', -3],
    ['Transfer-Encoding: chunked', -1],
    ['transfer-encoding: CHUNKED', -1],
    ['Transfer-Encoding: chunked, chunked', -3],
    ['Transfer-Encoding: gzip, chunked', -3],
    ['Transfer-Encoding: identity', -3],
    ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', -3],
    ['Transfer-Encoding: chunked\r\nContent-Length: 5', -3],
  ];
  test.each(cases)('%s is %d', (lines, expected) => {
    const parser = new RequestParser(4096);
    const raw = Buffer.from(`POST / HTTP/1.1\r\n${lines}\r\n\r\n`);
    expect(parser.execute(raw, 0, raw.length)).toBe(HEAD_COMPLETE);
    expect(requestFraming(parser, 1)).toBe(expected);
    if (expected === -1) expect(requestFraming(parser, 0)).toBe(-3);
  });
});

class Collector implements BodySink {
  body = '';
  onBodyBytes(bytes: Buffer, start: number, end: number): void {
    this.body += bytes.toString('latin1', start, end);
  }
}

function decode(raw: string, cuts: readonly number[]): unknown {
  const decoder = new ChunkedDecoder();
  const sink = new Collector();
  const bytes = Buffer.from(raw, 'latin1');
  const edges = cutsOf(bytes.length, cuts);
  for (let i = 1; i < edges.length; i++) {
    const chunk = Buffer.from(bytes.subarray(edges[i - 1], edges[i]));
    const result = decoder.execute(chunk, 0, chunk.length, sink);
    if (result === CHUNKED_MORE) continue;
    const rest = bytes.length - (edges[i - 1] + decoder.consumed);
    return result === 2 ? { detail: decoder.detail } : { body: sink.body, trailers: decoder.trailers, rest };
  }
  return 'more';
}

describe('chunked bodies', () => {
  const cases: [string, unknown][] = [
    ['0\r\n\r\n', { body: '', trailers: '', rest: 0 }],
    ['3\r\nabc\r\n0\r\n\r\nGET', { body: 'abc', trailers: '', rest: 3 }],
    [
      'A;a=b;c="d;\\"e"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
      { body: '0123456789', trailers: 'X-Sum: 1\r\n', rest: 0 },
    ],
    ['0000000000003\r\nabc\r\n0\r\n\r\n', { body: 'abc', trailers: '', rest: 0 }],
    ['00000000000003\r\nabc\r\n0\r\n\r\n', { detail: 'a chunk size is too large' }],
    ['+3\r\nabc', { detail: 'a chunk size is not hexadecimal' }],
    ['3 \r\nabc', { detail: 'a chunk size is malformed' }],
    ['0x3\r\nabc', { detail: 'a chunk size is malformed' }],
    ['3\nabc', { detail: 'a chunk size is malformed' }],
    ['3\r\nabcd\r\n', { detail: 'chunk data is not followed by CRLF' }],
    ['3\r\nabc\n0\r\n\r\n', { detail: 'chunk data is not followed by CRLF' }],
    ['3;a\nb\r\nabc', { detail: 'a control character or bare LF in a chunk extension' }],
    [`3;${'a'.repeat(300)}\r\nabc`, { detail: 'a chunk extension is too long' }],
    [
      '0\r\nContent-Length: 3\r\n\r\n',
      { detail: 'in the trailers: the field content-length must not stand in trailers' },
    ],
    ['0\r\nX: a\nb\r\n\r\n', { detail: 'in the trailers: a bare LF in the head' }],
  ];
  test.each(cases)('%j', (raw, expected) => {
    expect(decode(raw, [])).toEqual(expected);
    expect(
      decode(
        raw,
        Array.from(raw, (_, index) => index),
      ),
    ).toEqual(expected);
    fc.assert(
      fc.property(fc.array(fc.nat(raw.length), { maxLength: 6 }), (cuts) => {
        expect(decode(raw, cuts)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});

describe('response heads', () => {
  const cases: [string, number][] = [
    ['HTTP/1.1 200 OK\r\n\r\n', 200],
    ['HTTP/1.1 200 \r\n\r\n', 200],
    ['HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n', 404],
    ['HTTP/1.1 200\r\n\r\n', 0],
    ['HTTP/1.1  200 OK\r\n\r\n', 0],
    ['HTTP/1.1 200  OK\r\n\r\n', 0],
    ['HTTP/1.1\t200 OK\r\n\r\n', 0],
    ['HTTP/2.0 200 OK\r\n\r\n', 0],
    ['HTTP/1.1 99 OK\r\n\r\n', 0],
    ['HTTP/1.1 600 OK\r\n\r\n', 0],
    ['HTTP/1.1 2000 OK\r\n\r\n', 0],
    ['HTTP/1.1 200 OK\nA: b\r\n\r\n', 0],
    ['HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n', 0],
    ['ICY 200 OK\r\n\r\n', 0],
  ];
  test.each(cases)('%j', (raw, status) => {
    for (const cut of [0, ...Array.from(raw, (_, index) => index)]) {
      const parser = new ResponseParser(4096);
      const parts = [Buffer.from(raw.slice(0, cut), 'latin1'), Buffer.from(raw.slice(cut), 'latin1')];
      let result = NEED_MORE;
      for (const part of parts)
        if (result === NEED_MORE && part.length > 0) result = parser.execute(part, 0, part.length);
      expect(result).toBe(status === 0 ? HEAD_INVALID : HEAD_COMPLETE);
      if (status !== 0) expect(parser.status).toBe(status);
    }
  });
});
