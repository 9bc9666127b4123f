/** Cases at the limits of the listener: 414, 431 and 413, and what just fits (contract, RFC 9110 section 15.5, RFC 6585 section 5). */
import { CASE_LIMITS, forwarded, type RequestCase } from '../request-case.ts';

const { requestHead, requestBody } = CASE_LIMITS;
const FRAME = 'GET / HTTP/1.1\r\nHost: a.example\r\nX-A: \r\n\r\n';
const fitting = 'v'.repeat(requestHead - FRAME.length);
const oneField = (value: string): string => FRAME.replace('X-A: ', `X-A: ${value}`);
const post = (fields: string, body: string): string => `POST /b HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n${body}`;
const chunk = (size: number): string => `${size.toString(16)}\r\n${'b'.repeat(size)}\r\n`;

export const limitCases: readonly RequestCase[] = [
  {
    name: 'limit: a head of exactly the limit',
    section: 'contract',
    raw: oneField(fitting),
    expect: forwarded('GET', '/', { headers: { 'x-a': fitting } }),
  },
  {
    name: 'limit: a head of one byte more',
    section: 'RFC 6585 5',
    raw: oneField(`${fitting}v`),
    expect: { refused: 431 },
  },
  {
    name: 'limit: one very long field',
    section: 'RFC 6585 5',
    raw: oneField('v'.repeat(100_000)),
    expect: { refused: 431 },
  },
  {
    name: 'limit: very many fields',
    section: 'RFC 6585 5',
    raw: `GET / HTTP/1.1\r\nHost: a.example\r\n${'X-A: b\r\n'.repeat(10_000)}\r\n`,
    expect: { refused: 431 },
  },
  {
    name: 'limit: a field name without end',
    section: 'RFC 6585 5',
    raw: `GET / HTTP/1.1\r\nHost: a.example\r\n${'n'.repeat(20_000)}`,
    expect: { refused: 431 },
  },
  {
    name: 'limit: white space without end',
    section: 'RFC 6585 5',
    raw: `GET / HTTP/1.1\r\nHost: a.example\r\nX:${' '.repeat(20_000)}`,
    expect: { refused: 431 },
  },
  {
    name: 'limit: a target longer than the limit',
    section: 'RFC 9110 15.5.15',
    raw: `GET /${'u'.repeat(requestHead)} HTTP/1.1\r\nHost: a.example\r\n\r\n`,
    expect: { refused: 414 },
  },
  {
    name: 'limit: a query without end',
    section: 'RFC 9110 15.5.15',
    raw: `GET /?${'q=1&'.repeat(20_000)}`,
    expect: { refused: 414 },
  },
  {
    name: 'limit: a long target that fits',
    section: 'RFC 9110 4.1',
    raw: `GET /${'u'.repeat(requestHead - 200)} HTTP/1.1\r\nHost: a.example\r\n\r\n`,
    expect: forwarded('GET', `/${'u'.repeat(requestHead - 200)}`),
  },
  {
    name: 'limit: a body of exactly the limit',
    section: 'contract',
    raw: post(`Content-Length: ${requestBody}\r\n`, 'b'.repeat(requestBody)),
    expect: forwarded('POST', '/b', { body: 'b'.repeat(requestBody) }),
  },
  {
    name: 'limit: a length of one byte more is refused before the body',
    section: 'RFC 9110 15.5.14',
    raw: post(`Content-Length: ${requestBody + 1}\r\n`, ''),
    expect: { refused: 413 },
  },
  {
    name: 'limit: a length of one byte more with the body',
    section: 'RFC 9110 15.5.14',
    raw: post(`Content-Length: ${requestBody + 1}\r\n`, 'b'.repeat(requestBody + 1)),
    expect: { refused: 413 },
  },
  {
    name: 'limit: a length of a terabyte',
    section: 'RFC 9110 15.5.14',
    raw: post('Content-Length: 1099511627776\r\n', 'b'),
    expect: { refused: 413 },
  },
  {
    name: 'limit: a chunked body of exactly the limit',
    section: 'contract',
    raw: post('Transfer-Encoding: chunked\r\n', `${chunk(requestBody / 2)}${chunk(requestBody / 2)}0\r\n\r\n`),
    expect: forwarded('POST', '/b', { body: 'b'.repeat(requestBody) }),
  },
  {
    name: 'limit: a chunked body of one byte more',
    section: 'RFC 9110 15.5.14',
    raw: post('Transfer-Encoding: chunked\r\n', `${chunk(requestBody)}${chunk(1)}0\r\n\r\n`),
    expect: { refused: 413, midBody: true },
  },
  {
    name: 'limit: one chunk of a terabyte',
    section: 'RFC 9110 15.5.14',
    raw: post('Transfer-Encoding: chunked\r\n', `10000000000\r\n${'b'.repeat(requestBody + 10)}`),
    expect: { refused: 413, midBody: true },
  },
];
