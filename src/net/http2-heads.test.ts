/** Heads of requests out of header blocks: as HTTP/1 has them, refused, malformed, and remembered. */
import { describe, expect, test } from 'vitest';
import { type Field, indexed, literal, sizeUpdate } from '../../test/support/hpack.ts';
import type { Http2RequestHead } from '../http/http2-request-head.ts';
import { Http2Heads } from './http2-heads.ts';

const LIMIT = 4096;
const PSEUDO: Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/a?b'],
  [':authority', 'a.test'],
];

const blockOf = (fields: readonly Field[], kept = false): Buffer =>
  Buffer.concat(fields.map((field) => literal(field, kept)));

function read(heads: Http2Heads, block: Buffer, limit = LIMIT): Http2RequestHead | null {
  return heads.read(Buffer.concat([Buffer.from('..'), block, Buffer.from('..')]), 2, 2 + block.length, limit);
}

const without = (name: string): Field[] => PSEUDO.filter(([other]) => other !== name);
const instead = (name: string, value: string): Field[] =>
  PSEUDO.map(([other, before]) => [other, other === name ? value : before]);

describe('a head', () => {
  test.each<[string, Field[], string]>([
    ['without fields', PSEUDO, 'GET /a?b HTTP/1.1\r\nhost: a.test\r\n\r\n'],
    [
      'with fields',
      [...PSEUDO, ['x-a', ''], ['x-b', 'c d']],
      'GET /a?b HTTP/1.1\r\nhost: a.test\r\nx-a: \r\nx-b: c d\r\n\r\n',
    ],
    [
      'with its pseudo-header fields in another order',
      [...PSEUDO].reverse(),
      'GET /a?b HTTP/1.1\r\nhost: a.test\r\n\r\n',
    ],
    [
      'with Host in place of :authority',
      [...without(':authority'), ['x', 'y'], ['host', 'b']],
      'GET /a?b HTTP/1.1\r\nx: y\r\nhost: b\r\n\r\n',
    ],
    ['with the same Host twice', [...PSEUDO, ['host', 'a.test']], 'GET /a?b HTTP/1.1\r\nhost: a.test\r\n\r\n'],
    [
      'with cookies in pieces',
      [...PSEUDO, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2'], ['cookie', 'c']],
      'GET /a?b HTTP/1.1\r\nhost: a.test\r\nx: y\r\ncookie: a=1; b=2; c\r\n\r\n',
    ],
    ['with octets above ASCII', [...PSEUDO, ['x', '\xff']], 'GET /a?b HTTP/1.1\r\nhost: a.test\r\nx: \xff\r\n\r\n'],
    [
      'with TE for trailers',
      [...PSEUDO, ['te', 'trailers']],
      'GET /a?b HTTP/1.1\r\nhost: a.test\r\nte: trailers\r\n\r\n',
    ],
  ])('%s is as HTTP/1 has it', (_, fields, text) => {
    const head = read(new Http2Heads(), blockOf(fields)) as Http2RequestHead;
    expect([head.code, head.parser.head]).toEqual([null, text]);
    expect([head.method, head.target.path, head.target.query]).toEqual(['GET', '/a', 'b']);
  });

  test.each<[string, Field[]]>([
    ['without a method', without(':method')],
    ['without a scheme', without(':scheme')],
    ['without a path', without(':path')],
    ['with an empty path', instead(':path', '')],
    ['with two methods', [...PSEUDO, [':method', 'GET']]],
    ['with a pseudo-header field that is of answers', [...PSEUDO, [':status', '200']]],
    ['with a pseudo-header field that nobody knows', [...PSEUDO, [':a', 'b']]],
    ['with a pseudo-header field after a field', [['a', 'b'], ...PSEUDO]],
    ['with a name in upper case', [...PSEUDO, ['X-A', 'b']]],
    ['with an empty name', [...PSEUDO, ['', 'b']]],
    ['with a name that ends a line', [...PSEUDO, ['a: b\r\nc', 'd']]],
    ['with a name that has a colon', [...PSEUDO, ['a:b', 'c']]],
    ['with a name that has a space', [...PSEUDO, ['a ', 'c']]],
    ['with a name above ASCII', [...PSEUDO, ['\xe9', 'c']]],
    ['with a value that ends a line', [...PSEUDO, ['a', 'b\r\nc: d']]],
    ['with a value that has a NUL', [...PSEUDO, ['a', 'b\0']]],
    ['with a value that has a bare LF', [...PSEUDO, ['a', 'b\nc']]],
    ['with a value that begins with a space', [...PSEUDO, ['a', ' b']]],
    ['with a value that ends with a tab', [...PSEUDO, ['a', 'b\t']]],
    ['with a path that ends the line', instead(':path', '/ HTTP/1.1\r\nx: y')],
    ['with Connection', [...PSEUDO, ['connection', 'close']]],
    ['with Keep-Alive', [...PSEUDO, ['keep-alive', 'x']]],
    ['with Proxy-Connection', [...PSEUDO, ['proxy-connection', 'x']]],
    ['with Transfer-Encoding', [...PSEUDO, ['transfer-encoding', 'chunked']]],
    ['with Upgrade', [...PSEUDO, ['upgrade', 'h2c']]],
    ['with TE for more than trailers', [...PSEUDO, ['te', 'trailers, gzip']]],
    ['of a CONNECT with a path', instead(':method', 'CONNECT')],
    ['of a CONNECT without :authority', [[':method', 'CONNECT']]],
    ['of nothing', []],
  ])('%s is malformed', (_, fields) => {
    const heads = new Http2Heads();
    expect(read(heads, blockOf(fields))).toBeNull();
    expect([heads.broken, heads.detail === '']).toEqual([false, false]);
    // The connection goes on.
    expect(read(heads, blockOf(PSEUDO))).not.toBeNull();
  });

  test.each<[string, Field[], string]>([
    ['with a path that has a space', instead(':path', '/a b'), 'bad_request'],
    ['with a path that has another request line', instead(':path', '/ HTTP/1.1'), 'bad_request'],
    ['with a method that is no token', instead(':method', 'G T'), 'bad_request'],
    ['with a path that is none', instead(':path', 'a'), 'bad_request'],
    ['with a whole URL as its path', instead(':path', 'http://b.test/'), 'bad_request'],
    ['with an authority that is none', instead(':authority', 'a@b'), 'bad_request'],
    ['with an empty authority', instead(':authority', ''), 'bad_request'],
    ['without an authority', without(':authority'), 'bad_request'],
    ['with a Host that differs', [...PSEUDO, ['host', 'b.test']], 'bad_request'],
    ['with two Hosts', [...without(':authority'), ['host', 'a'], ['host', 'a']], 'bad_request'],
    ['with a length that is none', [...PSEUDO, ['content-length', '+1']], 'bad_request'],
    ['with two lengths', [...PSEUDO, ['content-length', '1'], ['content-length', '1']], 'bad_request'],
    ['with an expectation that nobody knows', [...PSEUDO, ['expect', 'tea']], 'expectation_failed'],
    [
      'of a CONNECT',
      [
        [':method', 'CONNECT'],
        [':authority', 'a:1'],
      ],
      'method_not_allowed',
    ],
    ['with a protocol that nobody knows', [...instead(':method', 'CONNECT'), [':protocol', 'x']], 'bad_request'],
    ['with a protocol and another method', [...PSEUDO, [':protocol', 'websocket']], 'bad_request'],
    ['that is too large', [...PSEUDO, ['a', 'b'.repeat(LIMIT)]], 'request_head_too_large'],
    [
      'whose cookies are too large',
      [...PSEUDO, ...Array<Field>(60).fill(['cookie', 'c'.repeat(70)])],
      'request_head_too_large',
    ],
    ['with a path that is too large', instead(':path', `/${'a'.repeat(LIMIT)}`), 'request_head_too_large'],
    ['with too many fields', [...PSEUDO, ...Array<Field>(300).fill(['a', ''])], 'request_head_too_large'],
  ])('%s is refused', (_, fields, code) => {
    const head = read(new Http2Heads(), blockOf(fields)) as Http2RequestHead;
    expect(head.code).toBe(code);
    expect(head.detail).not.toBe('');
  });

  test('of a limit that is larger than anything is read, and as large as that', () => {
    const fields: Field[] = [...PSEUDO, ['a', 'b'.repeat(200_000)]];
    expect(read(new Http2Heads(), blockOf(fields), 1 << 20)?.code).toBeNull();
  });

  test('that is larger than anybody needs is given up', () => {
    const heads = new Http2Heads();
    expect(read(heads, blockOf([...PSEUDO, ...Array<Field>(40).fill(['a', 'b'.repeat(2000)])]))).toBeNull();
    expect(heads.excessive).toBe(true);
  });

  test('of an extended CONNECT is that of an upgrade, with a key of its own', () => {
    const heads = new Http2Heads();
    const block = blockOf([
      ...instead(':method', 'CONNECT'),
      [':protocol', 'WebSocket'],
      ['sec-websocket-version', '13'],
    ]);
    const [one, two] = [0, 1].map(() => {
      const head = read(heads, block) as Http2RequestHead;
      expect([head.code, head.isExtended, head.method]).toEqual([null, true, 'GET']);
      expect(head.parser.head).toMatch(
        /^GET \/a\?b HTTP\/1\.1\r\nhost: a\.test\r\nsec-websocket-version: 13\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: [\w+/]{22}==\r\n\r\n$/,
      );
      return head.parser.head;
    });
    expect(one).not.toBe(two);
  });
});

test('blocks that cannot be read break the connection', () => {
  const heads = new Http2Heads();
  expect(read(heads, Buffer.concat([blockOf(PSEUDO), indexed(70)]))).toBeNull();
  expect(heads.broken).toBe(true);
});

describe('trailers', () => {
  test.each<[string, Field[], string | null, boolean]>([
    [
      'are lines',
      [
        ['x-sum', '1'],
        ['x-b', 'c d'],
      ],
      'x-sum: 1\r\nx-b: c d\r\n',
      false,
    ],
    ['of nothing', [], '', false],
    ['that frame', [['content-length', '1']], null, true],
    ['that authenticate', [['authorization', 'x']], null, true],
    ['that are too large', [['a', 'b'.repeat(9000)]], null, true],
    ['with a pseudo-header field', [[':path', '/']], null, false],
    ['in upper case', [['X-Sum', '1']], null, false],
    ['with a line break', [['x', 'a\r\nb: c']], null, false],
  ])('%s', (_, fields, text, isRefused) => {
    const heads = new Http2Heads();
    const block = blockOf(fields);
    expect(heads.readTrailers(block, 0, block.length)).toBe(text);
    expect(heads.refusal !== '').toBe(isRefused);
  });
});

describe('a block that comes again', () => {
  test('is the same head, as long as the table is', () => {
    const heads = new Http2Heads();
    read(heads, blockOf([['x-first', 'y']], true));
    const block = Buffer.concat([blockOf(PSEUDO), indexed(62)]);
    const one = read(heads, block);
    expect(one?.parser.head).toContain('x-first: y\r\n');
    expect(read(heads, block)).toBe(one);
    // What stood at 62 is now at 63.
    read(heads, Buffer.concat([blockOf(PSEUDO), blockOf([['x-second', 'z']], true)]));
    const other = read(heads, block);
    expect(other).not.toBe(one);
    expect(other?.parser.head).toContain('x-second: z\r\n');
    expect(one?.parser.head).toContain('x-first: y\r\n');
  });

  test('with a table that was emptied and filled with something else is another head', () => {
    const heads = new Http2Heads();
    const fill = (value: string): Buffer =>
      Buffer.concat([sizeUpdate(0), sizeUpdate(4096), blockOf(PSEUDO), blockOf([['x', value]], true)]);
    const block = Buffer.concat([blockOf(PSEUDO), indexed(62)]);
    read(heads, fill('one'));
    expect(read(heads, block)?.parser.head).toContain('x: one');
    read(heads, fill('two'));
    expect(read(heads, block)?.parser.head).toContain('x: two');
  });

  test('under another limit is judged again', () => {
    const heads = new Http2Heads();
    const block = blockOf([...PSEUDO, ['a', 'b'.repeat(100)]]);
    expect(read(heads, block)?.code).toBeNull();
    expect(read(heads, block, 100)?.code).toBe('request_head_too_large');
  });

  test('is not used for another request before it is given back, however many others come', () => {
    const heads = new Http2Heads();
    const pathOf = (i: number): Field[] => instead(':path', `/${i}`);
    const held = Array.from({ length: 100 }, (_, i) => read(heads, blockOf(pathOf(i))) as Http2RequestHead);
    expect(held.map(({ rawTarget }) => rawTarget)).toEqual(held.map((_, i) => `/${i}`));
    for (const head of held.slice(0, 50)) heads.release(head);
    const more = Array.from({ length: 100 }, (_, i) => read(heads, blockOf(pathOf(1000 + i))) as Http2RequestHead);
    expect(held.slice(50).map(({ rawTarget }) => rawTarget)).toEqual(held.slice(50).map((_, i) => `/${50 + i}`));
    expect(more.map(({ rawTarget }) => rawTarget)).toEqual(more.map((_, i) => `/${1000 + i}`));
    heads.forget();
    expect(read(heads, blockOf(pathOf(1)))?.rawTarget).toBe('/1');
  });
});
