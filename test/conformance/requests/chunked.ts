/** Cases of chunked request bodies: sizes, extensions, data and trailers (RFC 9112 section 7.1). */
import { forwarded, type RequestCase, type RequestVerdict, refusedBody } from '../request-case.ts';

const HEAD = 'POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n';
const hello = forwarded('POST', '/c', { body: 'hello' });

const bodies: [name: string, section: string, body: string, verdict: RequestVerdict][] = [
  [
    'several chunks',
    'RFC 9112 7.1',
    '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
    forwarded('POST', '/c', { body: 'hello world' }),
  ],
  ['no data', 'RFC 9112 7.1', '0\r\n\r\n', forwarded('POST', '/c')],
  ['several zeros as last chunk', 'RFC 9112 7.1', '5\r\nhello\r\n000\r\n\r\n', hello],
  [
    'hexadecimal in both cases',
    'RFC 9112 7.1',
    'a\r\n0123456789\r\nB\r\nabcdefghijk\r\n0\r\n\r\n',
    forwarded('POST', '/c', { body: '0123456789abcdefghijk' }),
  ],
  ['leading zeros', 'RFC 9112 7.1', '00005\r\nhello\r\n0\r\n\r\n', hello],
  [
    'CRLF within the data',
    'RFC 9112 7.1',
    '9\r\n\r\n0\r\n\r\n12\r\n0\r\n\r\n',
    forwarded('POST', '/c', { body: '\r\n0\r\n\r\n12' }),
  ],
  ['a chunk of one byte', 'RFC 9112 7.1', '1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n', forwarded('POST', '/c', { body: '\r\n' })],
  ['an extension', 'RFC 9112 7.1.1', '5;name=value\r\nhello\r\n0\r\n\r\n', hello],
  ['an extension without value', 'RFC 9112 7.1.1', '5;name\r\nhello\r\n0;last\r\n\r\n', hello],
  [
    'a quoted extension with a semicolon and an escape',
    'RFC 9112 7.1.1',
    '5;a="x;\\"y";b=c\r\nhello\r\n0\r\n\r\n',
    hello,
  ],
  ['a trailer', 'RFC 9112 7.1.2', '5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n', hello],
  ['two trailers with obs-text', 'RFC 9112 7.1.2', '5\r\nhello\r\n0\r\nX-A: caf\xe9\r\nX-B:\r\n\r\n', hello],
  [
    'white space before an extension',
    'RFC 9112 7.1.1',
    '5 ; a=b\r\nhello\r\n0\r\n\r\n',
    { either: [hello, refusedBody] },
  ],
  ['an extension with an empty name', 'RFC 9112 7.1.1', '5;\r\nhello\r\n0\r\n\r\n', { either: [hello, refusedBody] }],
  [
    'an extension with an empty value',
    'RFC 9112 7.1.1',
    '5;a=\r\nhello\r\n0\r\n\r\n',
    { either: [hello, refusedBody] },
  ],
];

/** Bodies that are refused with 400. */
const refused: [name: string, section: string, body: string][] = [
  ['an empty size', 'RFC 9112 7.1', '\r\nhello\r\n0\r\n\r\n'],
  ['an empty size with extension', 'RFC 9112 7.1', ';a=b\r\nhello\r\n0\r\n\r\n'],
  ['a plus sign', 'RFC 9112 7.1', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a minus sign', 'RFC 9112 7.1', '-5\r\nhello\r\n0\r\n\r\n'],
  ['minus zero', 'RFC 9112 7.1', '5\r\nhello\r\n-0\r\n\r\n'],
  ['a prefix 0x', 'RFC 9112 7.1', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a letter beyond f', 'RFC 9112 7.1', 'g\r\nhello\r\n0\r\n\r\n'],
  ['an underscore', 'RFC 9112 7.1', '0_5\r\nhello\r\n0\r\n\r\n'],
  ['a point', 'RFC 9112 7.1', '5.0\r\nhello\r\n0\r\n\r\n'],
  ['a comma', 'RFC 9112 7.1', '5,5\r\nhello\r\n0\r\n\r\n'],
  ['a space before the size', 'RFC 9112 7.1', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a tab before the size', 'RFC 9112 7.1', '\t5\r\nhello\r\n0\r\n\r\n'],
  ['a space after the size', 'RFC 9112 7.1', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a tab after the size', 'RFC 9112 7.1', '5\t\r\nhello\r\n0\r\n\r\n'],
  ['a space within the size', 'RFC 9112 7.1', '1 0\r\nhello\r\n0\r\n\r\n'],
  ['NUL after the size', 'RFC 9112 7.1', '5\x00\r\nhello\r\n0\r\n\r\n'],
  ['a vertical tab after the size', 'RFC 9112 7.1', '5\x0b\r\nhello\r\n0\r\n\r\n'],
  ['a quote in place of the size', 'RFC 9112 7.1', '"5"\r\nhello\r\n0\r\n\r\n'],
  ['obs-text after the size', 'RFC 9112 7.1', '5\xa0\r\nhello\r\n0\r\n\r\n'],
  ['sixteen digits', 'RFC 9112 7.1', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
  ['seventeen digits', 'RFC 9112 7.1', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a hundred leading zeros', 'RFC 9112 7.1', `${'0'.repeat(100)}5\r\nhello\r\n0\r\n\r\n`],
  ['ten thousand digits', 'RFC 9112 7.1', `${'f'.repeat(10_000)}`],
  ['2^53', 'RFC 9112 7.1', '20000000000000\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF after the size', 'RFC 9112 2.2', '5\nhello\r\n0\r\n\r\n'],
  ['a bare CR after the size', 'RFC 9112 2.2', '5\rhello\r\n0\r\n\r\n'],
  ['two CR after the size', 'RFC 9112 2.2', '5\r\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF after the data', 'RFC 9112 2.2', '5\r\nhello\n0\r\n\r\n'],
  ['a bare CR after the data', 'RFC 9112 2.2', '5\r\nhello\r0\r\n\r\n'],
  ['LF CR after the data', 'RFC 9112 2.2', '5\r\nhello\n\r0\r\n\r\n'],
  ['nothing after the data', 'RFC 9112 7.1', '5\r\nhello0\r\n\r\n'],
  ['data longer than the size', 'RFC 9112 7.1', '5\r\nhello!\r\n0\r\n\r\n'],
  ['data shorter than the size', 'RFC 9112 7.1', '6\r\nhello\r\n0\r\n\r\n'],
  ['an empty line between chunks', 'RFC 9112 7.1', '5\r\nhello\r\n\r\n0\r\n\r\n'],
  ['a bare LF in an extension', 'RFC 9112 7.1.1', '5;a=b\nhello\r\n0\r\n\r\n'],
  ['a bare CR in an extension', 'RFC 9112 7.1.1', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['NUL in an extension', 'RFC 9112 7.1.1', '5;a=\x00\r\nhello\r\n0\r\n\r\n'],
  ['CRLF in a quoted extension', 'RFC 9112 7.1.1', '5;a="\r\nhello\r\n0\r\n\r\n'],
  ['an escaped CR in a quoted extension', 'RFC 9112 7.1.1', '5;a="\\\r\n"\r\nhello\r\n0\r\n\r\n'],
  ['an extension beyond any bound', 'RFC 9112 7.1.1', `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
  ['a bare LF after the last chunk', 'RFC 9112 2.2', '5\r\nhello\r\n0\n\r\n'],
  ['a bare LF as last line', 'RFC 9112 2.2', '5\r\nhello\r\n0\r\n\n'],
  ['a bare CR as last line', 'RFC 9112 2.2', '5\r\nhello\r\n0\r\n\rX'],
  ['a space before the last line', 'RFC 9112 7.1', '5\r\nhello\r\n0\r\n \r\n\r\n'],
];

const forbidden = [
  ...[
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Host: b.example',
    'Authorization: Basic eDp5',
    'TE: trailers',
  ],
  ...[
    'Trailer: X',
    'Connection: close',
    'Cache-Control: no-store',
    'content-LENGTH: 0',
    'Upgrade: h2c',
    'Expect: 100-continue',
  ],
  ...[
    'Content-Type: text/html',
    'Content-Encoding: gzip',
    'Content-Range: bytes 0-1/2',
    'Max-Forwards: 1',
    'Cookie: a=b',
  ],
  ...[
    'Proxy-Authorization: Basic eDp5',
    'Keep-Alive: timeout=5',
    'Range: bytes=0-1',
    'If-Match: *',
    'X-Forwarded-For: 10.0.0.1',
  ],
];

const faultyTrailers: [name: string, line: string][] = [
  ['a space before the colon', 'X-A : 1'],
  ['no colon', 'X-A'],
  ['an empty name', ': 1'],
  ['a fold', 'X-A: 1\r\n 2'],
  ['a bare LF', 'X-A: 1\nX-B: 2'],
  ['a bare CR', 'X-A: 1\rX-B: 2'],
  ['NUL', 'X-A: a\x00'],
  ['DEL', 'X-A: a\x7f'],
  ['obs-text in the name', 'X-\xe9: 1'],
  ['a request line', 'GET / HTTP/1.1'],
];

export const chunkedCases: readonly RequestCase[] = [
  ...bodies.map(([name, section, body, expect]) => ({ name: `chunked: ${name}`, section, raw: HEAD + body, expect })),
  ...refused.map(([name, section, body]) => ({
    name: `chunked: ${name}`,
    section,
    raw: HEAD + body,
    expect: refusedBody,
  })),
  ...forbidden.map((line) => ({
    name: `trailer: forbidden, ${line}`,
    section: 'RFC 9110 6.5.1',
    raw: `${HEAD}5\r\nhello\r\n0\r\n${line}\r\n\r\n`,
    expect: refusedBody,
  })),
  ...faultyTrailers.map(([name, line]) => ({
    name: `trailer: ${name}`,
    section: 'RFC 9112 7.1.2',
    raw: `${HEAD}5\r\nhello\r\n0\r\n${line}\r\n\r\n`,
    expect: refusedBody,
  })),
  {
    name: 'trailer: a section beyond any bound',
    section: 'RFC 9112 7.1.2',
    raw: `${HEAD}5\r\nhello\r\n0\r\n${'X-A: 0123456789abcdef0123456789abcdef\r\n'.repeat(2000)}\r\n`,
    expect: { refused: [400, 431], midBody: true },
  },
  {
    name: 'chunked: the greatest size below 2^53 is only too large',
    section: 'RFC 9112 7.1',
    raw: `${HEAD}1fffffffffffff\r\nhello`,
    expect: { refused: [400, 413], midBody: true },
  },
  {
    name: 'chunked: the next request begins right after the last line',
    section: 'RFC 9112 7.1',
    raw: `${HEAD}5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a.example\r\n\r\n`,
    expect: [hello, forwarded('GET', '/next')],
  },
  {
    name: 'chunked: the next request begins right after the trailers',
    section: 'RFC 9112 7.1.2',
    raw: `${HEAD}5\r\nhello\r\n0\r\nX-A: 1\r\n\r\nGET /next HTTP/1.1\r\nHost: a.example\r\n\r\n`,
    expect: [hello, forwarded('GET', '/next')],
  },
  {
    name: 'chunked: many small chunks',
    section: 'RFC 9112 7.1',
    raw: `${HEAD}${'1\r\nx\r\n'.repeat(500)}0\r\n\r\n`,
    expect: forwarded('POST', '/c', { body: 'x'.repeat(500) }),
  },
];
