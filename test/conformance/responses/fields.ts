/** Cases of the field lines of answers, of hop-by-hop fields and of persistence upstream (RFC 9110 sections 5 and 7.6, RFC 9112 section 9). */
import { INVALID, passed, type ResponseCase } from '../response-case.ts';

const faults: [name: string, section: string, line: string][] = [
  ['a bare LF as line end', 'contract', 'X-A: 1\nX-B: 2'],
  ['a bare CR in a value', 'contract', 'X-A: a\rb'],
  ['a bare CR that hides a field', 'RFC 9112 2.2', 'X-A: a\rSet-Cookie: evil=1'],
  ['two CR before the LF', 'RFC 9112 2.2', 'X-A: a\r'],
  ['NUL in a value', 'contract', 'X-A: a\x00b'],
  ['a control in a value', 'contract', 'X-A: a\x07b'],
  ['a vertical tab in a value', 'contract', 'X-A: a\x0bb'],
  ['DEL in a value', 'contract', 'X-A: a\x7fb'],
  ['a folded value, space', 'RFC 9112 5.2', 'X-A: a\r\n b'],
  ['a folded value, tab', 'RFC 9112 5.2', 'X-A: a\r\n\tb'],
  ['a space before the colon', 'RFC 9112 5.1', 'X-A : 1'],
  ['a tab before the colon', 'RFC 9112 5.1', 'X-A\t: 1'],
  ['no colon', 'RFC 9112 5', 'X-A'],
  ['an empty name', 'RFC 9110 5.1', ': 1'],
  ['a space in the name', 'RFC 9110 5.1', 'X A: 1'],
  ['parentheses in the name', 'RFC 9110 5.6.2', 'X(A): 1'],
  ['obs-text in the name', 'RFC 9110 5.1', 'X-\xe9: 1'],
  ['NUL in the name', 'RFC 9110 5.1', 'X-\x00: 1'],
  ['a space before the coding', 'RFC 9112 5.1', 'Transfer-Encoding : chunked'],
];

const answer = (fields: string, version = '1.1'): string =>
  `HTTP/${version} 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`;

const hops: [name: string, fields: string, absent: string[], headers?: Record<string, string>][] = [
  ['Keep-Alive', 'Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n', ['keep-alive']],
  ['Proxy-Connection', 'Proxy-Connection: keep-alive\r\n', ['proxy-connection']],
  ['Upgrade that is only offered', 'Connection: upgrade\r\nUpgrade: h2c\r\n', ['upgrade']],
  ['a field that Connection names', 'Connection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n', ['x-hop'], { 'x-end': '2' }],
  [
    'several fields that Connection names',
    'X-A: 1\r\nConnection: x-a, X-B\r\nX-B: 1\r\nX-C: 3\r\n',
    ['x-a', 'x-b'],
    { 'x-c': '3' },
  ],
  ['Content-Length that Connection names stays', 'Connection: Content-Length\r\n', [], { 'content-length': '2' }],
];

export const fieldCases: readonly ResponseCase[] = [
  ...faults.map(([name, section, line]) => ({
    name: `field: ${name}`,
    section,
    raw: `HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: 2\r\n\r\nok`,
    expect: INVALID,
    reuse: false,
  })),
  ...hops.map(([name, fields, absentHeaders, headers]) => ({
    name: `hop-by-hop: ${name}`,
    section: 'RFC 9110 7.6.1',
    raw: answer(fields),
    expect: passed(200, 'ok', { absentHeaders, headers }),
    reuse: true,
  })),
  {
    name: 'field: white space before the first field line',
    section: 'RFC 9112 2.2',
    raw: 'HTTP/1.1 200 OK\r\n X: 1\r\nContent-Length: 2\r\n\r\nok',
    expect: INVALID,
    reuse: false,
  },
  {
    name: 'field: the empty line is a bare LF',
    section: 'RFC 9112 2.2',
    raw: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok',
    expect: INVALID,
    reuse: false,
  },
  {
    name: 'field: a head beyond any bound',
    section: 'RFC 9110 5.4',
    raw: `HTTP/1.1 200 OK\r\n${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(1000)}Content-Length: 2\r\n\r\nok`,
    expect: INVALID,
    reuse: false,
  },
  {
    name: 'field: a value without end',
    section: 'RFC 9110 5.4',
    raw: `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(1_000_000)}`,
    expect: INVALID,
    reuse: false,
  },
  {
    name: 'field: a head of eight kilobytes passes',
    section: 'RFC 9110 5.4',
    raw: answer(`X-A: ${'a'.repeat(8000)}\r\n`),
    expect: passed(200, 'ok', { headers: { 'x-a': 'a'.repeat(8000) } }),
    reuse: true,
  },
  {
    name: 'field: obs-text and tabs in a value pass byte for byte',
    section: 'RFC 9110 5.5',
    raw: answer('X-A: caf\xe9 \xc3\xa9\t\x80\xff\r\nX-Empty:\r\n'),
    expect: passed(200, 'ok', { headers: { 'x-a': 'caf\xe9 \xc3\xa9\t\x80\xff', 'x-empty': '' } }),
    reuse: true,
  },
  {
    name: 'field: lines of Set-Cookie stay lines, in order',
    section: 'RFC 6265 3',
    raw: answer('Set-Cookie: a=1; Path=/\r\nX-A: b\r\nSet-Cookie: b=2\r\nset-cookie: c=3\r\n'),
    expect: passed(200, 'ok', {
      lines: [
        ['set-cookie', 'a=1; Path=/'],
        ['set-cookie', 'b=2'],
        ['set-cookie', 'c=3'],
      ],
    }),
    reuse: true,
  },
  {
    name: 'field: names in any case and without space pass',
    section: 'RFC 9110 5.1',
    raw: 'HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\nx-LoWeR:  v  \r\n\r\nok',
    expect: passed(200, 'ok', { headers: { 'x-lower': 'v' } }),
    reuse: true,
  },
  {
    name: 'field: the request id of the origin does not take the place of the gateway\u2019s',
    section: 'contract',
    raw: answer('X-Request-ID: of-the-origin\r\n'),
    expect: passed(200, 'ok', { headers: { 'x-request-id': /^[0-9a-f-]{36}$/ } }),
    reuse: true,
  },
  {
    name: 'persistence: Connection: close of the origin is not the client\u2019s',
    section: 'RFC 9112 9.6',
    raw: answer('Connection: close\r\n'),
    expect: passed(200, 'ok', { headers: { 'content-length': '2' } }),
    reuse: false,
  },
  {
    name: 'persistence: CLOSE within a list',
    section: 'RFC 9112 9.6',
    raw: answer('Connection: X-A, CLOSE\r\n'),
    expect: passed(200, 'ok'),
    reuse: false,
  },
  {
    name: 'persistence: close in a second line',
    section: 'RFC 9112 9.3',
    raw: answer('Connection: keep-alive\r\nConnection: close\r\n'),
    expect: passed(200, 'ok'),
    reuse: false,
  },
  {
    name: 'persistence: HTTP/1.0 with keep-alive may persist',
    section: 'RFC 9112 9.3',
    raw: answer('Connection: keep-alive\r\n', '1.0'),
    expect: passed(200, 'ok'),
  },
  {
    name: 'persistence: the end right after a complete answer',
    section: 'RFC 9112 9.6',
    raw: answer(''),
    after: 'end',
    expect: passed(200, 'ok'),
    reuse: false,
  },
];
