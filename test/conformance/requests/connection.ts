/** Cases of the connection: persistence, pipelining, hop-by-hop fields, Expect and Upgrade (RFC 9112 section 9, RFC 9110 sections 7.6, 7.8, 10.1.1). */
import { CASE_LIMITS, forwarded, type RequestCase, refused400, refusedBody } from '../request-case.ts';

const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`;

/** Fields of a GET: what of them the origin must not see, and what it must. */
const hops: [name: string, fields: string, absent: string[], headers?: Record<string, string | RegExp>][] = [
  ['Keep-Alive', 'Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n', ['keep-alive']],
  ['Proxy-Connection', 'Proxy-Connection: keep-alive\r\n', ['proxy-connection']],
  ['TE other than trailers', 'Connection: TE\r\nTE: gzip\r\n', ['te']],
  ['a field that Connection names', 'Connection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n', ['x-hop'], { 'x-end': '2' }],
  [
    'several fields that Connection names',
    'X-B: 1\r\nConnection: x-a , X-b,,keep-alive\r\nX-A: 1\r\nX-C: 3\r\n',
    ['x-a', 'x-b'],
    { 'x-c': '3' },
  ],
  [
    'fields named by two Connection lines',
    'Connection: X-A\r\nX-A: 1\r\nConnection: X-B\r\nX-B: 2\r\n',
    ['x-a', 'x-b'],
  ],
  ['every line of a named field', 'Connection: X-A\r\nX-A: 1\r\nx-a: 2\r\nX-A: 3\r\n', ['x-a']],
  [
    'Upgrade without a route that allows it',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n',
    ['upgrade'],
  ],
  [
    'Upgrade to HTTP/2',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
    ['upgrade', 'http2-settings'],
  ],
  ['Upgrade that Connection does not name', 'Upgrade: h2c\r\n', ['upgrade']],
  [
    'a forwarding field that Connection names',
    'Connection: X-Forwarded-For\r\n',
    [],
    { 'x-forwarded-for': '127.0.0.1' },
  ],
  ['the request id that Connection names', 'Connection: X-Request-ID\r\n', [], { 'x-request-id': /^[0-9a-f-]{36}$/ }],
  ['nothing that Connection does not name', 'X-Connection: X-A\r\nX-A: 1\r\n', [], { 'x-a': '1' }],
  ['an unknown option', 'Connection: cow\r\n', []],
];

/** What the gateway says of the client, which a client that is not trusted cannot say. */
const forwarding: [name: string, fields: string, headers: Record<string, string | RegExp>][] = [
  [
    'a forged X-Forwarded-For is replaced',
    'X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-For: 10.2.2.2\r\n',
    { 'x-forwarded-for': '127.0.0.1' },
  ],
  ['a forged X-Forwarded-Proto is replaced', 'X-Forwarded-Proto: https\r\n', { 'x-forwarded-proto': 'http' }],
  ['a forged X-Forwarded-Host is replaced', 'X-Forwarded-Host: evil.example\r\n', { 'x-forwarded-host': 'a.example' }],
  ['a forged X-Forwarded-Port is replaced', 'X-Forwarded-Port: 443\r\n', { 'x-forwarded-port': /^[1-9][0-9]{0,4}$/ }],
  [
    'a forged Forwarded is replaced',
    'Forwarded: for=10.1.1.1;proto=https\r\n',
    { forwarded: /^(?!.*10\.1\.1\.1).*for="?127\.0\.0\.1/ },
  ],
  [
    'a forged X-Request-ID is replaced',
    'X-Request-ID: forged\r\n',
    { 'x-request-id': /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/ },
  ],
  ['Via is added', '', { via: '1.1 portico' }],
  ['Via is appended', 'Via: 1.0 fred\r\n', { via: '1.0 fred, 1.1 portico' }],
  [
    'traceparent goes on with its trace',
    'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n',
    { traceparent: /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/ },
  ],
  [
    'a malformed traceparent begins anew',
    'traceparent: 00-xyz\r\n',
    { traceparent: /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/ },
  ],
  [
    'a traceparent of zeros begins anew',
    'traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n',
    { traceparent: /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/ },
  ],
  [
    'two traceparents begin anew',
    'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntraceparent: 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n',
    { traceparent: /^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/ },
  ],
];

export const connectionCases: readonly RequestCase[] = [
  ...hops.map(([name, fields, absentHeaders, headers]) => ({
    name: `hop-by-hop: ${name}`,
    section: 'RFC 9110 7.6.1',
    raw: get('/h', fields),
    expect: forwarded('GET', '/h', { absentHeaders, headers }),
  })),
  ...forwarding.map(([name, fields, headers]) => ({
    name: `forwarding: ${name}`,
    section: 'contract',
    raw: get('/f', fields),
    expect: forwarded('GET', '/f', { headers }),
  })),
  {
    name: 'hop-by-hop: TE: trailers goes no further than its connection option, or is written anew',
    section: 'RFC 9110 10.1.4',
    raw: get('/h', 'Connection: TE\r\nTE: trailers, gzip;q=0.5\r\n'),
    expect: {
      either: [
        forwarded('GET', '/h', { headers: { te: 'trailers' } }),
        forwarded('GET', '/h', { absentHeaders: ['te'] }),
      ],
    },
  },
  {
    name: 'connection: close is obeyed',
    section: 'RFC 9112 9.6',
    raw: get('/c', 'Connection: close\r\n'),
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: close in capitals within a list',
    section: 'RFC 9112 9.6',
    raw: get('/c', 'Connection: X-A, CLOSE\r\n'),
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: close in a second line wins over keep-alive',
    section: 'RFC 9112 9.3',
    raw: get('/c', 'Connection: keep-alive\r\nConnection: close\r\n'),
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: a request after close is not served',
    section: 'RFC 9112 9.6',
    raw: get('/c', 'Connection: close\r\n') + get('/after'),
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: HTTP/1.0 closes',
    section: 'RFC 9112 9.3',
    raw: 'GET /c HTTP/1.0\r\nHost: a.example\r\n\r\n',
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: HTTP/1.0 with close closes',
    section: 'RFC 9112 9.3',
    raw: 'GET /c HTTP/1.0\r\nHost: a.example\r\nConnection: close\r\n\r\n',
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: a half-closed client gets its answer',
    section: 'contract',
    raw: get('/c'),
    end: true,
    expect: forwarded('GET', '/c'),
    closes: true,
  },
  {
    name: 'connection: a client that half-closes after a body gets its answer',
    section: 'contract',
    raw: 'POST /c HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello',
    end: true,
    expect: forwarded('POST', '/c', { body: 'hello' }),
    closes: true,
  },
  {
    name: 'connection: a client that half-closes after three requests gets three answers',
    section: 'contract',
    raw: get('/1') + get('/2') + get('/3'),
    end: true,
    expect: [forwarded('GET', '/1'), forwarded('GET', '/2'), forwarded('GET', '/3')],
    closes: true,
  },
  {
    name: 'connection: ends within the request line',
    section: 'RFC 9112 8',
    raw: 'GET /c HT',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'connection: ends within the head',
    section: 'RFC 9112 8',
    raw: 'GET /c HTTP/1.1\r\nHost: a.example\r\n',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'connection: ends within a body of known length',
    section: 'RFC 9112 8',
    raw: 'POST /c HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'connection: ends within a chunk',
    section: 'RFC 9112 8',
    raw: 'POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'connection: ends before the last chunk',
    section: 'RFC 9112 8',
    raw: 'POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'connection: ends within the trailers',
    section: 'RFC 9112 8',
    raw: 'POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: 1\r\n',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'connection: ends after an empty line',
    section: 'RFC 9112 2.2',
    raw: '\r\n',
    end: true,
    expect: { dropped: true },
  },
  {
    name: 'pipelining: five requests are answered in order',
    section: 'RFC 9112 9.3.2',
    raw: ['/1', '/2', '/3', '/4', '/5'].map((target) => get(target)).join(''),
    expect: ['/1', '/2', '/3', '/4', '/5'].map((target) => forwarded('GET', target)),
  },
  {
    name: 'pipelining: HEAD between two GET',
    section: 'RFC 9112 9.3.2',
    raw: `${get('/1')}HEAD /2 HTTP/1.1\r\nHost: a.example\r\n\r\n${get('/3')}`,
    expect: [forwarded('GET', '/1'), forwarded('HEAD', '/2'), forwarded('GET', '/3')],
  },
  {
    name: 'pipelining: after a POST of known length',
    section: 'RFC 9112 9.3.2',
    raw: `POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello${get('/2')}`,
    expect: [forwarded('POST', '/1', { body: 'hello' }), forwarded('GET', '/2')],
  },
  {
    name: 'pipelining: three bodies of different framing',
    section: 'RFC 9112 9.3.2',
    raw:
      'POST /1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n' +
      'PUT /2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\ncde' +
      'POST /3 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nf\r\n0\r\n\r\n',
    expect: [
      forwarded('POST', '/1', { body: 'ab' }),
      forwarded('PUT', '/2', { body: 'cde' }),
      forwarded('POST', '/3', { body: 'f' }),
    ],
  },
  {
    name: 'pipelining: an empty line after a POST, as old clients send',
    section: 'RFC 9112 2.2',
    raw: `POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello\r\n${get('/2')}`,
    expect: [forwarded('POST', '/1', { body: 'hello' }), forwarded('GET', '/2')],
  },
  {
    name: 'pipelining: a malformed second request, the first is still answered',
    section: 'RFC 9112 9.3.2',
    raw: `${get('/1')}GET /2 HTTP/1.1\r\nHost : a.example\r\n\r\n${get('/3')}`,
    expect: [forwarded('GET', '/1'), refused400],
  },
  {
    name: 'pipelining: a fault in the body of the second, nothing after it is served',
    section: 'RFC 9112 9.3.2',
    raw: `${get('/1')}POST /2 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n${get('/3')}`,
    expect: [forwarded('GET', '/1'), refusedBody],
  },
  {
    name: 'pipelining: close in the second ends the row',
    section: 'RFC 9112 9.6',
    raw: get('/1') + get('/2', 'Connection: close\r\n') + get('/3'),
    expect: [forwarded('GET', '/1'), forwarded('GET', '/2')],
    closes: true,
  },
  {
    name: 'pipelining: fifty requests',
    section: 'RFC 9112 9.3.2',
    raw: Array.from({ length: 50 }, (_, i) => get(`/${i}`)).join(''),
    expect: Array.from({ length: 50 }, (_, i) => forwarded('GET', `/${i}`)),
  },
  {
    name: 'Expect: 100-continue with the body at once',
    section: 'RFC 9110 10.1.1',
    raw: 'POST /e HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
    expect: forwarded('POST', '/e', { body: 'hello' }),
  },
  {
    name: 'Expect: 100-CONTINUE in capitals with a chunked body',
    section: 'RFC 9110 10.1.1',
    raw: 'POST /e HTTP/1.1\r\nHost: a.example\r\nExpect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    expect: forwarded('POST', '/e', { body: 'hello' }),
  },
  {
    name: 'Expect: 100-continue without a body',
    section: 'RFC 9110 10.1.1',
    raw: get('/e', 'Expect: 100-continue\r\n'),
    expect: forwarded('GET', '/e'),
  },
  {
    name: 'Expect: an unknown expectation',
    section: 'RFC 9110 10.1.1',
    raw: get('/e', 'Expect: 200-maybe\r\n'),
    expect: { answered: 417 },
  },
  {
    name: 'Expect: an unknown expectation beside the known one',
    section: 'RFC 9110 10.1.1',
    raw: 'POST /e HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue, cow\r\nContent-Length: 0\r\n\r\n',
    expect: { answered: 417 },
  },
  {
    name: 'Expect: a refusal comes before the body, without 100',
    section: 'RFC 9110 10.1.1',
    raw: `POST /e HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: ${CASE_LIMITS.requestBody + 1}\r\n\r\n`,
    expect: { refused: 413, noInterim: true },
  },
  {
    name: 'Expect: ignored on HTTP/1.0',
    section: 'RFC 9110 10.1.1',
    raw: 'POST /e HTTP/1.0\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
    expect: forwarded('POST', '/e', { body: 'hello' }),
    closes: true,
  },
];
