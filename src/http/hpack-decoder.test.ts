/** Header blocks: the RFC's examples, the dynamic table at its bounds, and blocks that are malformed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFields, type Field, indexed, integer, literal, sizeUpdate, string } from '../../test/support/hpack.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { DEFAULT_TABLE_SIZE, ENTRY_OVERHEAD, STATIC_ENTRIES, STATIC_TABLE } from './hpack-table.ts';

const NEWEST = STATIC_ENTRIES + 1;

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

interface Example {
  readonly what: string;
  /** Sent before, for the table's size. */
  readonly size?: number;
  readonly blocks: readonly { readonly block: string; readonly fields: readonly Field[]; readonly entries: number }[];
}

const request = (path: string, scheme: string): Field[] => [
  [':method', 'GET'],
  [':scheme', scheme],
  [':path', path],
  [':authority', 'www.example.com'],
];
const firstRequest = request('/', 'http');
const secondRequest: Field[] = [...firstRequest, ['cache-control', 'no-cache']];
const thirdRequest: Field[] = [...request('/index.html', 'https'), ['custom-key', 'custom-value']];

const answer = (status: string, second: number): Field[] => [
  [':status', status],
  ['cache-control', 'private'],
  ['date', `Mon, 21 Oct 2013 20:13:2${second} GMT`],
  ['location', 'https://www.example.com'],
];
const thirdAnswer: Field[] = [
  ...answer('200', 2),
  ['content-encoding', 'gzip'],
  ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
];

// RFC 7541 appendix C.
const examples: readonly Example[] = [
  {
    what: 'C.2.1 a literal that is kept',
    blocks: [
      {
        block: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
        fields: [['custom-key', 'custom-header']],
        entries: 1,
      },
    ],
  },
  {
    what: 'C.2.2 a literal that is not',
    blocks: [{ block: '040c 2f73 616d 706c 652f 7061 7468', fields: [[':path', '/sample/path']], entries: 0 }],
  },
  {
    what: 'C.2.3 a literal that never is',
    blocks: [{ block: '1008 7061 7373 776f 7264 0673 6563 7265 74', fields: [['password', 'secret']], entries: 0 }],
  },
  { what: 'C.2.4 an index', blocks: [{ block: '82', fields: [[':method', 'GET']], entries: 0 }] },
  {
    what: 'C.3 requests',
    blocks: [
      { block: '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', fields: firstRequest, entries: 1 },
      { block: '8286 84be 5808 6e6f 2d63 6163 6865', fields: secondRequest, entries: 2 },
      {
        block: '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        fields: thirdRequest,
        entries: 3,
      },
    ],
  },
  {
    what: 'C.4 requests with Huffman',
    blocks: [
      { block: '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', fields: firstRequest, entries: 1 },
      { block: '8286 84be 5886 a8eb 1064 9cbf', fields: secondRequest, entries: 2 },
      { block: '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', fields: thirdRequest, entries: 3 },
    ],
  },
  {
    what: 'C.5 answers, with entries that have to go',
    size: 256,
    blocks: [
      {
        block: `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
          474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        fields: answer('302', 1),
        entries: 4,
      },
      { block: '4803 3330 37c1 c0bf', fields: answer('307', 1), entries: 4 },
      {
        block: `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
          666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630
          303b 2076 6572 7369 6f6e 3d31`,
        fields: thirdAnswer,
        entries: 3,
      },
    ],
  },
  {
    what: 'C.6 answers with Huffman, with entries that have to go',
    size: 256,
    blocks: [
      {
        block: `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
          63c7 8f0b 97c8 e9ae 82ae 43d3`,
        fields: answer('302', 1),
        entries: 4,
      },
      { block: '4883 640e ffc1 c0bf', fields: answer('307', 1), entries: 4 },
      {
        block: `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
          b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
        fields: thirdAnswer,
        entries: 3,
      },
    ],
  },
];

test.each(examples)('RFC 7541 $what', ({ size, blocks }) => {
  const decoder = new HpackDecoder();
  if (size !== undefined) decodeFields(decoder, sizeUpdate(size));
  for (const { block, fields, entries } of blocks) {
    expect(decodeFields(decoder, hex(block))).toEqual(fields);
    expect(decoder.table.count).toBe(entries);
  }
});

test('every entry of the static table', () => {
  for (const [i, field] of STATIC_TABLE.entries()) {
    expect(decodeFields(new HpackDecoder(), indexed(i + 1))).toEqual([field]);
  }
});

describe('a block is malformed by', () => {
  const kept = literal(['a', 'b'], true);
  const huge = Buffer.from([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  test.each<[string, Buffer]>([
    ['the index 0', indexed(0)],
    ['an index beyond the static table', indexed(NEWEST)],
    ['an index beyond the dynamic table', Buffer.concat([kept, indexed(NEWEST + 1)])],
    ['an index without bounds', Buffer.concat([Buffer.from([0xff]), huge])],
    ['the index of a name beyond the table', Buffer.concat([integer(0x40, 6, NEWEST), string('x')])],
    ['a number that never ends', Buffer.concat([Buffer.from([0xff]), Buffer.alloc(50, 0x80), Buffer.from([1])])],
    ['a number that is cut', Buffer.from([0xff, 0x80])],
    ['a number that is cut at once', Buffer.from([0x7f])],
    ['a name that is cut', Buffer.from([0x40, 5, 0x61])],
    ['a value that is missing', Buffer.from([0x40, 1, 0x61])],
    ['a value that is cut', Buffer.from([0x40, 1, 0x61, 2, 0x62])],
    ['a length that is larger than anything', Buffer.concat([Buffer.from([0x40]), huge])],
    ['a name that is no Huffman code', Buffer.from([0x40, 0x81, 0xff, 1, 0x61])],
    ['a value that is no Huffman code', Buffer.from([0x40, 1, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff])],
    ['a table size above the limit', sizeUpdate(DEFAULT_TABLE_SIZE + 1)],
    ['a table size after a field', Buffer.concat([kept, sizeUpdate(0)])],
    ['a table size that is cut', Buffer.from([0x3f])],
  ])('%s', (_, block) => {
    const decoder = new HpackDecoder();
    expect(decodeFields(decoder, block)).toBeNull();
    expect(decoder.detail).not.toBe('');
  });
});

test('a block that is cut anywhere is malformed, or ends with a field', () => {
  const fields: Field[] = Array.from({ length: 5 }, (_, i) => [`name-${i}`, 'value'.repeat(40)]);
  const block = Buffer.concat(fields.map((field) => literal(field, true)));
  const ends = fields.map((_, i) => Buffer.concat(fields.slice(0, i).map((field) => literal(field, true))).length);
  for (let length = 0; length < block.length; length++) {
    const found = decodeFields(new HpackDecoder(), block.subarray(0, length));
    expect(found).toEqual(ends.includes(length) ? fields.slice(0, ends.indexOf(length)) : null);
  }
});

describe('the dynamic table', () => {
  test('is emptied by an entry that is larger than it is, which is a field all the same', () => {
    const decoder = new HpackDecoder();
    const large: Field = ['a', 'x'.repeat(DEFAULT_TABLE_SIZE - ENTRY_OVERHEAD)];
    expect(decodeFields(decoder, literal(['a', 'b'], true))).toEqual([['a', 'b']]);
    expect(decodeFields(decoder, literal(large, true))).toEqual([large]);
    expect(decoder.table.count).toBe(0);
  });

  test('holds an entry that fills it', () => {
    const decoder = new HpackDecoder();
    const large: Field = ['a', 'x'.repeat(DEFAULT_TABLE_SIZE - ENTRY_OVERHEAD - 1)];
    decodeFields(decoder, Buffer.concat([literal(['a', 'b'], true), literal(large, true)]));
    expect(decodeFields(decoder, indexed(NEWEST))).toEqual([large]);
    expect(decodeFields(decoder, indexed(NEWEST + 1))).toBeNull();
  });

  test('lends the name of an entry that has to go for the new one (RFC 7541 section 4.4)', () => {
    const decoder = new HpackDecoder();
    const name = 'n'.repeat(2000);
    decodeFields(decoder, literal([name, 'x'], true));
    const value = 'v'.repeat(2000);
    expect(decodeFields(decoder, Buffer.concat([integer(0x40, 6, NEWEST), string(value)]))).toEqual([[name, value]]);
    expect(decodeFields(decoder, indexed(NEWEST))).toEqual([[name, value]]);
    expect(decoder.table.count).toBe(1);
  });

  test('is as small as the other side says, until it says otherwise', () => {
    const decoder = new HpackDecoder();
    decodeFields(decoder, Buffer.concat([literal(['a', 'b'], true), literal(['c', 'd'], true)]));
    decodeFields(decoder, sizeUpdate(ENTRY_OVERHEAD + 2));
    expect(decodeFields(decoder, indexed(NEWEST))).toEqual([['c', 'd']]);
    decodeFields(decoder, Buffer.concat([sizeUpdate(0), sizeUpdate(DEFAULT_TABLE_SIZE)]));
    expect(decoder.table.count).toBe(0);
    expect(decodeFields(decoder, Buffer.concat([literal(['e', 'f'], true), indexed(NEWEST)]))).toEqual([
      ['e', 'f'],
      ['e', 'f'],
    ]);
  });

  test('says when it has changed, and only then', () => {
    const decoder = new HpackDecoder();
    const versions = [
      literal(['a', 'b']),
      indexed(2),
      literal(['a', 'b'], true),
      indexed(NEWEST),
      sizeUpdate(DEFAULT_TABLE_SIZE),
    ].map((block) => {
      decodeFields(decoder, block);
      return decoder.table.version;
    });
    expect(versions).toEqual([0, 0, 1, 1, 2]);
  });

  test('is what a plain list of entries would be, whatever is added and however large', () => {
    const name = fc.stringMatching(/^[a-z]{1,40}$/);
    const value = fc.integer({ min: 0, max: 1500 }).map((length) => 'v'.repeat(length));
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(name, value) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: DEFAULT_TABLE_SIZE }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const decoder = new HpackDecoder();
        let entries: Field[] = [];
        let limit = DEFAULT_TABLE_SIZE;
        for (const each of steps) {
          if (typeof each === 'number') limit = each;
          else entries = [each, ...entries];
          decodeFields(decoder, typeof each === 'number' ? sizeUpdate(each) : literal(each, true));
          entries = fitting(entries, limit);
          expect(decoder.table.count).toBe(entries.length);
        }
        const all = Buffer.concat(entries.map((_, i) => indexed(NEWEST + i)));
        expect(decodeFields(decoder, all)).toEqual(entries);
      }),
      { numRuns: 60 },
    );
  });
});

/** The newest entries that a table of this size has room for. */
function fitting(entries: readonly Field[], limit: number): Field[] {
  let size = 0;
  const first = entries.findIndex(([name, value]) => {
    size += name.length + value.length + ENTRY_OVERHEAD;
    return size > limit;
  });
  return first < 0 ? [...entries] : entries.slice(0, first);
}

test('octets of whatever sort are read to an end or refused, and never beyond their bounds', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (blocks) => {
      const decoder = new HpackDecoder();
      for (const block of blocks) {
        const around = Buffer.concat([Buffer.alloc(3, 0x82), block, Buffer.alloc(3, 0x82)]);
        const inside = decodeFields(new HpackDecoder(), block);
        let count = 0;
        const sink = { onField: () => count++ };
        const isSound = new HpackDecoder().decode(around, 3, 3 + block.length, sink);
        expect(isSound).toBe(inside !== null);
        if (inside !== null) expect(count).toBe(inside.length);
        if (decodeFields(decoder, block) === null) return;
      }
    }),
  );
});
