/** Field lines as header blocks, read back by the decoder: what stays, what changes, and what is said in fewer octets. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFields, type Field } from '../../test/support/hpack.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder, mostEncoded } from './hpack-encoder.ts';

/** Both ends of a connection. */
class Pair {
  readonly encoder = new HpackEncoder();
  readonly decoder = new HpackDecoder();

  block(status: number, lines: string): Buffer {
    const into = Buffer.alloc(mostEncoded(lines.length) + 3, 0xee);
    const end = this.encoder.encode(status, lines, into, 2);
    expect(end).toBeLessThan(into.length);
    expect([into[0], into[1], into[end]]).toEqual([0xee, 0xee, 0xee]);
    return into.subarray(2, end);
  }

  pass(status: number, lines: string): Field[] | null {
    return decodeFields(this.decoder, this.block(status, lines));
  }
}

const text = (fields: readonly Field[]): string => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');

describe('lines', () => {
  test.each<[string, number, string, Field[]]>([
    [
      'of an answer',
      200,
      'Content-Type: a/b\r\nX-A: 1\r\n',
      [
        [':status', '200'],
        ['content-type', 'a/b'],
        ['x-a', '1'],
      ],
    ],
    ['of trailers', 0, 'Grpc-Status: 0\r\n', [['grpc-status', '0']]],
    ['of none', 204, '', [[':status', '204']]],
    [
      'without a space, and without a value',
      404,
      'a:b\r\nc:\r\nd: \r\n',
      [
        [':status', '404'],
        ['a', 'b'],
        ['c', ''],
        ['d', ''],
      ],
    ],
    [
      'with values that look like lines',
      500,
      'a: b: c\r\nd: e,f: g\r\n',
      [
        [':status', '500'],
        ['a', 'b: c'],
        ['d', 'e,f: g'],
      ],
    ],
    [
      'with octets above ASCII',
      200,
      'a: \xe9\xff\r\n',
      [
        [':status', '200'],
        ['a', '\xe9\xff'],
      ],
    ],
    [
      'of one connection',
      200,
      'Connection: close\r\nKeep-Alive: x\r\nUpgrade: h2c\r\nTE: a\r\nTransfer-Encoding: chunked\r\nProxy-Connection: a\r\na: b\r\n',
      [
        [':status', '200'],
        ['a', 'b'],
      ],
    ],
    [
      'of one name',
      200,
      'etag: a\r\nx: y\r\nETag: b\r\n',
      [
        [':status', '200'],
        ['etag', 'a, b'],
        ['x', 'y'],
      ],
    ],
    [
      'that must stay apart',
      200,
      'Set-Cookie: a\r\nset-cookie: b\r\nWWW-Authenticate: c\r\nWWW-Authenticate: d\r\n',
      [
        [':status', '200'],
        ['set-cookie', 'a'],
        ['set-cookie', 'b'],
        ['www-authenticate', 'c'],
        ['www-authenticate', 'd'],
      ],
    ],
    [
      'of both sorts',
      200,
      'set-cookie: a\r\nvia: x\r\nvia: y\r\nset-cookie: b\r\n',
      [
        [':status', '200'],
        ['via', 'x, y'],
        ['set-cookie', 'a'],
        ['set-cookie', 'b'],
      ],
    ],
    [
      'of a name that every object has',
      200,
      'constructor: a\r\n__proto__: b\r\n',
      [
        [':status', '200'],
        ['constructor', 'a'],
        ['__proto__', 'b'],
      ],
    ],
  ])('%s', (_, status, lines, fields) => {
    const pair = new Pair();
    // The third time they are in the table.
    for (let i = 0; i < 3; i++) expect(pair.pass(status, lines)).toEqual(fields);
  });

  test.each([100, 103, 200, 206, 304, 400, 418, 499, 503, 599, 999])('status %i', (status) => {
    expect(new Pair().pass(status, '')).toEqual([[':status', String(status)]]);
  });

  test('longer than any buffer', () => {
    const fields: Field[] = Array.from({ length: 300 }, (_, i) => [`name-${i}`, 'v'.repeat(i)]);
    expect(new Pair().pass(200, text(fields))).toEqual([[':status', '200'], ...fields]);
  });
});

test('a line that comes again takes an octet from the third time on', () => {
  const pair = new Pair();
  const lines = 'server: nginx\r\ndate: Mon, 21 Oct 2013 20:13:21 GMT\r\ncontent-type: text/html\r\n';
  const sizes = Array.from({ length: 4 }, () => {
    const block = pair.block(200, lines);
    expect(decodeFields(pair.decoder, block)).toHaveLength(4);
    return block.length;
  });
  expect(sizes[0]).toBeGreaterThan(50);
  expect(sizes[1]).toBeLessThanOrEqual(sizes[0]);
  expect(sizes.slice(2)).toEqual([4, 4]);
});

test('what must not be guessed at by its length is said in full each time, and nobody on the way may change that', () => {
  const pair = new Pair();
  const sizes = Array.from({ length: 4 }, () => {
    const block = pair.block(200, 'set-cookie: secret\r\n');
    expect(block[1] & 0xf0).toBe(0x10);
    expect(decodeFields(pair.decoder, block)).toEqual([
      [':status', '200'],
      ['set-cookie', 'secret'],
    ]);
    return block.length;
  });
  expect(new Set(sizes).size).toBe(1);
});

describe('a table of another size', () => {
  const lines = 'a: b\r\n';

  test('of nothing holds nothing, and one that is larger again does', () => {
    const pair = new Pair();
    for (let i = 0; i < 3; i++) pair.pass(0, lines);
    expect(pair.decoder.table.count).toBe(1);
    pair.encoder.resize(0);
    expect(pair.pass(0, lines)).toEqual([['a', 'b']]);
    for (let i = 0; i < 3; i++) expect(pair.pass(0, lines)).toEqual([['a', 'b']]);
    expect(pair.decoder.table.count).toBe(0);
    pair.encoder.resize(2 ** 32 - 1);
    for (let i = 0; i < 3; i++) expect(pair.pass(0, lines)).toEqual([['a', 'b']]);
    expect(pair.decoder.table.count).toBe(1);
  });

  test('that was smaller in between is told of both (RFC 7541 section 4.2)', () => {
    const pair = new Pair();
    for (let i = 0; i < 3; i++) pair.pass(0, lines);
    pair.encoder.resize(0);
    pair.encoder.resize(4096);
    expect(pair.block(0, '').subarray(0, 1)).toEqual(Buffer.from([0x20]));
    expect(pair.pass(0, lines)).toEqual([['a', 'b']]);
  });

  test('that is larger than before, or the same, is nothing to tell', () => {
    const pair = new Pair();
    pair.encoder.resize(65_536);
    expect(pair.block(200, '')).toHaveLength(1);
  });
});

test('whatever is written, in whatever order, with tables of whatever size, is read as it was', () => {
  const name = fc.constantFrom('server', 'Date', 'x-a', 'X-B', 'content-length', 'etag', 'set-cookie', 'grpc-status');
  const value = fc.oneof(
    fc.constantFrom('1', '2', 'a, b', ''),
    fc.integer({ min: 0, max: 2000 }).map((length) => 'v'.repeat(length)),
  );
  const lines = fc.uniqueArray(fc.tuple(name, value), { selector: ([name]) => name, maxLength: 8 });
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.tuple(fc.constantFrom(0, 200, 404, 418), lines) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 6000 }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const pair = new Pair();
      for (const each of steps) {
        if (typeof each === 'number') {
          pair.encoder.resize(each);
          continue;
        }
        const [status, fields] = each;
        const wanted = fields.map(([name, value]): Field => [name.toLowerCase(), value]);
        if (status !== 0) wanted.unshift([':status', String(status)]);
        expect(pair.pass(status, text(fields))).toEqual(wanted);
      }
    }),
    { numRuns: 60 },
  );
});
