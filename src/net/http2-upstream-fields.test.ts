/** Fields of HTTP/2 and heads of HTTP/1 say the same, and never more. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldByName } from '../http/fields.ts';
import { ResponseParser } from '../http/response-parser.ts';
import { readResponse, requestFields } from './http2-upstream-fields.ts';

describe('the fields of a request', () => {
  const fieldsOf = (lines: string): Record<string, unknown> => ({
    ...requestFields(`GET /a?b HTTP/1.1\r\n${lines}\r\n`, 'https'),
  });
  const pseudo = { ':method': 'GET', ':scheme': 'https', ':path': '/a?b' };

  it.each<[string, string, Record<string, string>]>([
    ['names are written small', 'Host: a\r\nX-Mixed-Case: Value\r\n', { ':authority': 'a', 'x-mixed-case': 'Value' }],
    ['white space around values goes', 'Host: a\r\nx: \t b c\t \r\n', { ':authority': 'a', x: 'b c' }],
    [
      'a value may be empty, or have colons',
      'Host: a:80\r\nx:\r\ny: :b:\r\n',
      { ':authority': 'a:80', x: '', y: ':b:' },
    ],
    ['lines of one name are joined', 'Host: a\r\nX: 1\r\nx: 2\r\n', { ':authority': 'a', x: '1, 2' }],
    [
      'cookies are joined as cookies',
      'Host: a\r\nCookie: b=1\r\nCookie: c=2\r\n',
      { ':authority': 'a', cookie: 'b=1; c=2' },
    ],
    ['of codings only trailers stay', 'Host: a\r\nTE: Trailers\r\n', { ':authority': 'a', te: 'trailers' }],
    ['other codings go', 'Host: a\r\nTE: gzip\r\n', { ':authority': 'a' }],
    [
      'what is of one connection goes',
      'Host: a\r\nConnection: TE\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n',
      { ':authority': 'a' },
    ],
    ['no line but Host is needed', 'Host: a\r\n', { ':authority': 'a' }],
  ])('%s', (_, lines, expected) => {
    expect(fieldsOf(lines)).toEqual({ ...pseudo, ...expected });
  });

  it('are not taken for the object’s own', () => {
    expect(
      requestFields('GET / HTTP/1.1\r\nHost: a\r\n__proto__: x\r\nconstructor: y\r\n\r\n', 'http').constructor,
    ).toBe('y');
  });
});

describe('the fields of an answer', () => {
  const parser = new ResponseParser(64 * 1024);

  it('are a head like any other', () => {
    expect(readResponse(parser, [':status', '404', 'x-a', 'b', 'set-cookie', 'c=1', 'set-cookie', 'd=2'], false)).toBe(
      '',
    );
    expect(parser.status).toBe(404);
    expect(parser.count).toBe(3);
    expect(fieldByName(parser, 'x-a')).toBe('b');
  });

  it.each([
    ['200', [], '0'],
    ['200', ['content-length', '7'], '7'],
    ['204', [], undefined],
    ['304', [], undefined],
  ] as const)('say that there is no body, with %s and %j: %s', (status, fields, length) => {
    expect(readResponse(parser, [':status', status, ...fields], true)).toBe('');
    expect(fieldByName(parser, 'content-length')).toBe(length);
  });

  it.each<[string, string[]]>([
    ['a line break in a value', [':status', '200', 'a', 'b\r\nc: d']],
    ['a head’s end in a value', [':status', '200', 'a', 'b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n']],
    ['a bare LF in a value', [':status', '200', 'a', 'b\nc']],
    ['a NUL in a value', [':status', '200', 'a', 'b\0c']],
    ['a folded value', [':status', '200', 'a', 'b\r\n c']],
    ['a line break in a name', [':status', '200', 'a: b\r\nc', 'd']],
    ['a colon in a name', [':status', '200', 'a:b', 'c']],
    ['a space in a name', [':status', '200', 'a ', 'c']],
    ['an empty name', [':status', '200', '', 'c']],
    ['a line break in the status', [':status', '200 OK\r\na: b', 'c', 'd']],
    ['a status of two digits', [':status', '99']],
    ['no status', ['a', 'b']],
    ['two statuses', [':status', '200', ':status', '201']],
    ['a pseudo-header field of requests', [':status', '200', ':path', '/']],
    ['a field of one connection', [':status', '200', 'connection', 'close']],
    ['a transfer coding', [':status', '200', 'transfer-encoding', 'chunked']],
    ['more than fits', [':status', '200', 'a', 'b'.repeat(64 * 1024)]],
  ])('are refused for %s', (_, fields) => {
    expect(readResponse(parser, fields, false)).not.toBe('');
  });

  it('never become other fields than they are, whatever stands in them', () => {
    const spice = fc.constantFrom('\r\n', '\n', '\r', ':', ' ', 'a', 'content-length', '\r\n\r\n', '\0', '\x7f', 'é');
    const text = fc
      .array(fc.oneof(spice, fc.string({ maxLength: 4 })), { maxLength: 6 })
      .map((parts) => parts.join(''));
    const latin = text.map((value) => Buffer.from(value, 'latin1').toString('latin1'));
    fc.assert(
      fc.property(fc.array(fc.tuple(latin, latin), { maxLength: 5 }), (pairs) => {
        const plain = pairs.filter(([name]) => !name.startsWith(':'));
        if (readResponse(parser, [':status', '200', ...plain.flat()], false) !== '') return;
        expect(parser.count).toBe(plain.length);
        plain.forEach(([name, value], index) => {
          const [start, end, from, to] = parser.offsets.subarray(index * 5, index * 5 + 4);
          expect(parser.head.slice(start, end)).toBe(name);
          expect(parser.head.slice(from, to)).toBe(value.replace(/^[ \t]+|[ \t]+$/g, ''));
        });
      }),
    );
  });
});
