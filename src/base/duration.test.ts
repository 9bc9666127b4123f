/** Durations there and back, and what is none. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DurationError, formatDuration, parseDuration } from './duration.ts';

test.each([
  ['0s', 0],
  ['0ms', 0],
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5s', 1500],
  ['0.001s', 1],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
  ['007s', 7000],
])('%s is %d milliseconds', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each([
  ['', 'not a duration'],
  ['10', 'needs a unit'],
  ['10 s', 'not a duration'],
  [' 10s', 'not a duration'],
  ['-1s', 'negative'],
  ['1m30s', 'one unit only'],
  ['1S', 'not a duration'],
  ['1us', 'not a duration'],
  ['.5s', 'not a duration'],
  ['1.s', 'not a duration'],
  ['1e3s', 'not a duration'],
  ['0.5ms', 'whole number of milliseconds'],
  ['999999999999999d', 'too long'],
  ['10s\n', 'not a duration'],
])('%j is refused', (text, reason) => {
  expect(() => parseDuration(text)).toThrow(DurationError);
  expect(() => parseDuration(text)).toThrow(reason);
});

test('what is formatted parses to the same', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000_000_000 }), (milliseconds) => {
      expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
    }),
  );
});

test.each([
  [0, '0s'],
  [1500, '1500ms'],
  [60_000, '1m'],
  [90_000, '90s'],
  [86_400_000, '1d'],
])('%d milliseconds are written %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});
