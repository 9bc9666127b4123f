/** Cases of chunked answers and their trailers (RFC 9112 section 7.1). */
import { cut, passed, type ResponseCase, type ResponseVerdict } from '../response-case.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const hello = passed(200, 'hello', { framing: 'chunked' });
const broken = (body: string): ResponseVerdict => cut(200, body, 'upstream_invalid_response');
const ended = (body: string): ResponseVerdict => cut(200, body, 'upstream_reset', 'upstream_invalid_response');

const good: [name: string, section: string, body: string, verdict: ResponseVerdict][] = [
  ['one chunk', 'RFC 9112 7.1', '5\r\nhello\r\n0\r\n\r\n', hello],
  ['several chunks', 'RFC 9112 7.1', '2\r\nhe\r\n3\r\nllo\r\n00\r\n\r\n', hello],
  ['no data', 'RFC 9112 7.1', '0\r\n\r\n', passed(200)],
  ['extensions', 'RFC 9112 7.1.1', '5;a=b;c="d;e"\r\nhello\r\n0;x\r\n\r\n', hello],
  [
    'trailers for a client that did not ask',
    'RFC 9110 6.5.1',
    '5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n',
    passed(200, 'hello'),
  ],
];

/** Faults after the data of the first chunk, with what may have been relayed before. */
const faults: [name: string, section: string, body: string, relayed: string][] = [
  ['a size that is not hexadecimal', 'RFC 9112 7.1', '5\r\nhello\r\nxyz\r\n', 'hello'],
  ['a negative size', 'RFC 9112 7.1', '5\r\nhello\r\n-1\r\n', 'hello'],
  ['a prefix 0x', 'RFC 9112 7.1', '0x5\r\nhello\r\n0\r\n\r\n', ''],
  ['an empty size', 'RFC 9112 7.1', '5\r\nhello\r\n\r\n0\r\n\r\n', 'hello'],
  ['a size of seventeen digits', 'RFC 9112 7.1', '10000000000000005\r\nhello\r\n', ''],
  ['a space after the size', 'RFC 9112 7.1', '5 \r\nhello\r\n0\r\n\r\n', ''],
  ['a bare LF after the size', 'RFC 9112 2.2', '5\nhello\r\n0\r\n\r\n', ''],
  ['a bare CR after the size', 'RFC 9112 2.2', '5\rhello\r\n0\r\n\r\n', ''],
  ['a bare LF after the data', 'RFC 9112 2.2', '5\r\nhello\n0\r\n\r\n', 'hello'],
  ['data longer than the size', 'RFC 9112 7.1', '5\r\nhello!\r\n0\r\n\r\n', 'hello'],
  ['data shorter than the size', 'RFC 9112 7.1', '7\r\nhello\r\n0\r\n\r\n', 'hello\r\n'],
  ['a bare LF in an extension', 'RFC 9112 7.1.1', '5;a\nb\r\nhello\r\n0\r\n\r\n', ''],
  ['an extension beyond any bound', 'RFC 9112 7.1.1', `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`, ''],
  ['a bare LF as last line', 'RFC 9112 2.2', '5\r\nhello\r\n0\r\n\n', 'hello'],
  ['a space before the colon of a trailer', 'RFC 9112 7.1.2', '5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n', 'hello'],
  ['a fold in the trailers', 'RFC 9112 7.1.2', '5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n', 'hello'],
  ['NUL in a trailer', 'RFC 9112 7.1.2', '5\r\nhello\r\n0\r\nX-A: \x00\r\n\r\n', 'hello'],
  ['a trailer Content-Length', 'RFC 9110 6.5.1', '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n', 'hello'],
  [
    'trailers beyond any bound',
    'RFC 9112 7.1.2',
    `5\r\nhello\r\n0\r\n${'X-A: 0123456789abcdef\r\n'.repeat(20_000)}\r\n`,
    'hello',
  ],
];

const ends: [name: string, body: string, relayed: string][] = [
  ['before the first chunk', '', ''],
  ['within a size', '5\r\nhello\r\n1', 'hello'],
  ['after a size', '5\r\n', ''],
  ['within a chunk', '5\r\nhel', 'hel'],
  ['after a chunk', '5\r\nhello\r\n', 'hello'],
  ['after the last size', '5\r\nhello\r\n0\r\n', 'hello'],
  ['within the trailers', '5\r\nhello\r\n0\r\nX-A: 1\r\n', 'hello'],
];

const TRAILERS = '5\r\nhello\r\n0\r\nX-Checksum: abc\r\nX-B: \xe9\r\n\r\n';

export const chunkedCases: readonly ResponseCase[] = [
  ...good.map(([name, section, body, expect]) => ({
    name: `chunked: ${name}`,
    section,
    raw: HEAD + body,
    expect,
    reuse: true,
  })),
  ...faults.map(([name, section, body, relayed]) => ({
    name: `chunked: ${name}`,
    section,
    raw: HEAD + body,
    expect: broken(relayed),
    reuse: false,
  })),
  ...ends.flatMap(([name, body, relayed]) =>
    (['end', 'reset'] as const).map((after) => ({
      name: `chunked: a ${after === 'end' ? 'clean end' : 'reset'} ${name}`,
      section: 'RFC 9112 8',
      raw: HEAD + body,
      after,
      expect: ended(relayed),
      reuse: false,
    })),
  ),
  {
    name: 'chunked: to a client of HTTP/1.0 as a body until the close',
    section: 'RFC 9112 6.1',
    request: 'GET /r HTTP/1.0\r\nHost: a.example\r\n\r\n',
    raw: `${HEAD}5\r\nhello\r\n0\r\n\r\n`,
    expect: passed(200, 'hello', { framing: 'close', absentHeaders: ['transfer-encoding'] }),
    reuse: true,
    closes: true,
  },
  {
    name: 'chunked: a fault is seen by a client of HTTP/1.0',
    section: 'RFC 9112 8',
    request: 'GET /r HTTP/1.0\r\nHost: a.example\r\n\r\n',
    raw: `${HEAD}5\r\nhello\r\nxyz\r\n`,
    expect: broken('hello'),
    reuse: false,
  },
  {
    name: 'trailers: relayed to a client that asked',
    section: 'RFC 9110 6.5.1',
    request: 'GET /r HTTP/1.1\r\nHost: a.example\r\nConnection: TE\r\nTE: trailers\r\n\r\n',
    raw: `HTTP/1.1 200 OK\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n${TRAILERS}`,
    expect: passed(200, 'hello', {
      framing: 'chunked',
      trailers: [
        ['X-Checksum', 'abc'],
        ['X-B', '\xe9'],
      ],
    }),
    reuse: true,
  },
  {
    name: 'trailers: left out for a client that did not ask',
    section: 'RFC 9110 6.5.1',
    raw: HEAD + TRAILERS,
    expect: passed(200, 'hello', { trailers: [] }),
    reuse: true,
  },
  {
    name: 'trailers: left out for a client of HTTP/1.0',
    section: 'RFC 9110 6.5.1',
    request: 'GET /r HTTP/1.0\r\nHost: a.example\r\nTE: trailers\r\n\r\n',
    raw: HEAD + TRAILERS,
    expect: passed(200, 'hello', { framing: 'close' }),
    reuse: true,
    closes: true,
  },
];
