/** The classics of request smuggling and splitting, each as published attacks write them (RFC 9112 section 11.2). */
import { forwarded, type RequestCase, refused400, refusedBody } from '../request-case.ts';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n';

export const smugglingCases: readonly RequestCase[] = [
  {
    name: 'smuggling: CL.TE',
    section: 'RFC 9112 11.2',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`,
    expect: refused400,
  },
  {
    name: 'smuggling: TE.CL',
    section: 'RFC 9112 11.2',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    expect: refused400,
  },
  {
    name: 'smuggling: TE.TE with a second coding that is nonsense',
    section: 'RFC 9112 11.2',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    expect: refused400,
  },
  {
    name: 'smuggling: TE.TE with a coding in the value of another field',
    section: 'RFC 9112 11.2',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nX: X\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    expect: refused400,
  },
  {
    name: 'smuggling: CL.0, the second request is a request of its own',
    section: 'RFC 9112 6.3',
    raw: `POST /first HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
    expect: [forwarded('POST', '/first'), forwarded('GET', '/smuggled')],
  },
  {
    name: 'smuggling: a length on GET does not leave its body behind',
    section: 'RFC 9112 6.3',
    raw: `GET /first HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    expect: forwarded('GET', '/first', { body: SMUGGLED }),
  },
  {
    name: 'smuggling: 0.CL, a length of blanks',
    section: 'RFC 9112 6.3',
    raw: `GET /first HTTP/1.1\r\nHost: a.example\r\nContent-Length: \t\r\n\r\n${SMUGGLED}`,
    expect: refused400,
  },
  {
    name: 'smuggling: an underscore instead of the hyphen is another field',
    section: 'RFC 9110 5.1',
    raw: `POST /first HTTP/1.1\r\nHost: a.example\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    expect: forwarded('POST', '/first', {
      headers: { 'content-length': '5' },
      body: '0\r\n\r\n',
      absentHeaders: ['transfer-encoding'],
    }),
  },
  {
    name: 'smuggling: a field whose name only begins like Content-Length',
    section: 'RFC 9110 5.1',
    raw: `POST /first HTTP/1.1\r\nHost: a.example\r\nContent-Length-X: 500\r\nContent-Length: 2\r\n\r\nhi`,
    expect: forwarded('POST', '/first', { body: 'hi' }),
  },
  {
    name: 'smuggling: Connection names Content-Length, the body stays framed',
    section: 'RFC 9110 7.6.1',
    raw: `POST /first HTTP/1.1\r\nHost: a.example\r\nConnection: Content-Length\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    expect: { either: [forwarded('POST', '/first', { body: SMUGGLED }), refused400] },
  },
  {
    name: 'smuggling: Connection names Transfer-Encoding, the body stays framed',
    section: 'RFC 9110 7.6.1',
    raw: `POST /first HTTP/1.1\r\nHost: a.example\r\nConnection: close, transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    expect: { either: [forwarded('POST', '/first', { body: 'hello' }), refused400] },
    closes: true,
  },
  {
    name: 'smuggling: Connection names Host, the host stays',
    section: 'RFC 9110 7.6.1',
    raw: 'GET /first HTTP/1.1\r\nHost: a.example\r\nConnection: Host\r\n\r\n',
    expect: { either: [forwarded('GET', '/first', { headers: { host: 'a.example' } }), refused400] },
  },
  {
    name: 'smuggling: bytes after a GET are the next request line and are refused',
    section: 'RFC 9112 6.3',
    raw: 'GET /first HTTP/1.1\r\nHost: a.example\r\n\r\nx=1&y=2\r\n\r\n',
    expect: [forwarded('GET', '/first'), refused400],
  },
  {
    name: 'smuggling: a body longer than its length',
    section: 'RFC 9112 6.3',
    raw: 'POST /first HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabcdef\r\n\r\n',
    expect: [forwarded('POST', '/first', { body: 'abc' }), refused400],
  },
  {
    name: 'smuggling: a space in the name before the length',
    section: 'RFC 9112 5.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length : ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    expect: refused400,
  },
  {
    name: 'smuggling: Content-Length with NUL in the name',
    section: 'RFC 9110 5.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nContent\x00-Length: 5\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
    expect: refused400,
  },
  {
    name: 'smuggling: a chunk extension with a bare LF (TERM.EXT)',
    section: 'RFC 9112 7.1.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n${SMUGGLED}`,
    expect: refusedBody,
  },
  {
    name: 'smuggling: a chunk line that ends in a bare LF (TERM.EXT)',
    section: 'RFC 9112 7.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\nxx\r\n0\r\n\r\n${SMUGGLED}`,
    expect: refusedBody,
  },
  {
    name: 'smuggling: chunk data longer than its size (EXT.TERM spill)',
    section: 'RFC 9112 7.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nAAAAAXX2d\r\n0\r\n\r\n${SMUGGLED}`,
    expect: refusedBody,
  },
  {
    name: 'smuggling: two arbitrary bytes in place of the CRLF after a chunk',
    section: 'RFC 9112 7.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixx0\r\n\r\n${SMUGGLED}`,
    expect: refusedBody,
  },
  {
    name: 'smuggling: a size that wraps 32 bits',
    section: 'RFC 9112 7.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n100000002\r\nhi\r\n0\r\n\r\n${SMUGGLED}`,
    expect: { refused: [400, 413], midBody: true },
  },
  {
    name: 'smuggling: a size that wraps 64 bits',
    section: 'RFC 9112 7.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n${SMUGGLED}`,
    expect: refusedBody,
  },
  {
    name: 'smuggling: a trailer that looks like a coding',
    section: 'RFC 9112 7.1.2',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    expect: refusedBody,
  },
  {
    name: 'smuggling: chunked without its final empty line, then a request',
    section: 'RFC 9112 7.1',
    raw: `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${SMUGGLED}`,
    expect: refusedBody,
  },
  {
    name: 'splitting: CRLF in a query stays percent-encoded',
    section: 'RFC 9112 11.1',
    raw: 'GET /r?to=%0d%0aSet-Cookie:a=b HTTP/1.1\r\nHost: a.example\r\n\r\n',
    expect: forwarded('GET', '/r?to=%0d%0aSet-Cookie:a=b'),
  },
  {
    name: 'splitting: CR and LF above latin1 by truncation (U+560D U+560A in UTF-8)',
    section: 'RFC 9112 11.1',
    raw: Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\nX-A: a嘍嘊X-Evil: 1\r\n\r\n', 'utf8'),
    expect: forwarded('GET', '/', { absentHeaders: ['x-evil'] }),
  },
  {
    name: 'splitting: U+010D in the target in UTF-8',
    section: 'RFC 9112 11.1',
    raw: Buffer.from('GET /aččHTTP/1.1 HTTP/1.1\r\nHost: a.example\r\n\r\n', 'utf8'),
    expect: refused400,
  },
];
