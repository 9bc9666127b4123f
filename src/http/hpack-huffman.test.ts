/** The Huffman code of HPACK: the RFC's own examples, every octet, and what is no code. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeHuffman, HUFFMAN_CODES, octetsOf } from '../../test/support/huffman.ts';
import { decodeHuffman, HUFFMAN_LENGTHS, mostDecoded } from './hpack-huffman.ts';

function decode(code: Buffer): string | null {
  const into = Buffer.alloc(mostDecoded(code.length));
  const end = decodeHuffman(code, 0, code.length, into, 0);
  return end < 0 ? null : into.toString('latin1', 0, end);
}

test('the lengths make a whole code', () => {
  expect(HUFFMAN_LENGTHS).toHaveLength(257);
  expect(HUFFMAN_LENGTHS.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
});

test.each([
  // RFC 7541 appendix B.
  [48, '00000'],
  [0x20, '010100'],
  [0x41, '100001'],
  [0x7b, '111111111111110'],
  [0, '1111111111000'],
  [10, '111111111111111111111111111100'],
  [255, '11111111111111111111101110'],
  [256, '111111111111111111111111111111'],
])('the code of symbol %i is the one of the RFC', (symbol, code) => {
  expect(HUFFMAN_CODES[symbol]).toBe(code);
});

test.each([
  // RFC 7541 appendix C.
  ['f1e3c2e5f23a6ba0ab90f4ff', 'www.example.com'],
  ['a8eb10649cbf', 'no-cache'],
  ['25a849e95ba97d7f', 'custom-key'],
  ['25a849e95bb8e8b4bf', 'custom-value'],
  ['6402', '302'],
  ['aec3771a4b', 'private'],
  ['d07abe941054d444a8200595040b8166e082a62d1bff', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ['9d29ad171863c78f0b97c8e9ae82ae43d3', 'https://www.example.com'],
  ['', ''],
])('%s is the code of its text', (code, text) => {
  expect(decode(Buffer.from(code, 'hex'))).toBe(text);
});

test('any octets come back as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(decode(encodeHuffman(bytes))).toBe(Buffer.from(bytes).toString('latin1'));
    }),
  );
});

test('decodes in the middle of other bytes, and writes nothing outside', () => {
  const code = Buffer.concat([Buffer.from([0, 255]), encodeHuffman(Buffer.from('etag')), Buffer.from([7])]);
  const into = Buffer.alloc(12, 0x2e);
  expect(decodeHuffman(code, 2, code.length - 1, into, 3)).toBe(7);
  expect(into.toString()).toBe('...etag.....');
});

describe('is no code:', () => {
  const a = HUFFMAN_CODES[0x61];
  test.each([
    ['the end of string', octetsOf(HUFFMAN_CODES[256])],
    ['the end of string after a symbol', octetsOf(a + HUFFMAN_CODES[256])],
    ['a padding of eight bits', octetsOf(`${HUFFMAN_CODES[0x26]}11111111`)],
    ['a padding of eight bits and nothing else', Buffer.from([255])],
    ['a padding of zeros', octetsOf(a, '0')],
    ['a padding with a zero in it', Buffer.from([0b00011_101])],
    ['the beginning of a long code', octetsOf(HUFFMAN_CODES[10].slice(0, 24))],
  ])('%s', (_, code) => {
    expect(decode(code)).toBeNull();
  });
});

test('whatever comes, there is room for it, and it is the code of what was read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const into = Buffer.alloc(mostDecoded(bytes.length) + 1, 0xee);
      const end = decodeHuffman(bytes, 0, bytes.length, into, 0);
      expect(into[into.length - 1]).toBe(0xee);
      if (end >= 0) expect(encodeHuffman(into.subarray(0, end))).toEqual(Buffer.from(bytes));
    }),
  );
});
