/** Sizes there and back, and what is none. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatSize, parseSize, SizeError } from './size.ts';

test.each([
  ['0', 0],
  ['512', 512],
  ['512B', 512],
  ['64KiB', 65_536],
  ['1.5MiB', 1_572_864],
  ['1GiB', 1_073_741_824],
  ['1TiB', 1_099_511_627_776],
])('%s is %d bytes', (text, expected) => {
  expect(parseSize(text)).toBe(expected);
});

test.each([
  ['', 'not a size'],
  ['64KB', 'unknown unit'],
  ['64k', 'unknown unit'],
  ['64 KiB', 'unknown unit'],
  ['64kib', 'unknown unit'],
  ['-1', 'negative'],
  ['1.5B', 'whole number of bytes'],
  ['1e9', 'not a size'],
  ['9999999999999999TiB', 'too large'],
  ['ten', 'not a size'],
  ['1KiB\n', 'not a size'],
])('%j is refused', (text, reason) => {
  expect(() => parseSize(text)).toThrow(SizeError);
  expect(() => parseSize(text)).toThrow(reason);
});

test('what is formatted parses to the same', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
    }),
  );
});
