/** Every digit at every free place, and nothing twice. */
import { expect, test } from 'vitest';
import { createHexSource, HEX3 } from './random-hex.ts';

const COUNT = 20_000;
const HEX = [...'0123456789abcdef'];

/** What may stand at a place, by the pattern's letter; every other letter stays as it is. */
const DIGITS: Record<string, string[]> = { x: HEX, n: HEX.slice(1), v: HEX.slice(8, 12) };

test.each([
  'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'nxxxxxxxxxxxxxxx',
  '-7xxx-vxxx-xxxxxxxxxxxx',
  '00-nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxn-01',
  'vvvvvvvvvvvvvvvvvvvvvvvv',
])('texts like %s have every digit at every free place, and do not repeat', (pattern) => {
  const next = createHexSource(pattern);
  const texts = new Set<string>();
  const seen = Array.from(pattern, () => new Set<string>());
  const odd: string[] = [];
  for (let i = 0; i < COUNT; i++) {
    const text = next();
    texts.add(text);
    if (text.length !== pattern.length) odd.push(text);
    for (let at = 0; at < text.length; at++) seen[at].add(text[at]);
  }
  expect(odd).toEqual([]);
  expect(texts.size).toBe(COUNT);
  expect(seen.map((digits) => [...digits].sort())).toEqual(Array.from(pattern, (letter) => DIGITS[letter] ?? [letter]));
});

test('two sources of one pattern have nothing in common', () => {
  const [one, two] = [createHexSource('xxxxxxxxxxxxxxxx'), createHexSource('xxxxxxxxxxxxxxxx')];
  const texts = new Set(Array.from({ length: 200 }, () => [one(), two()]).flat());
  expect(texts.size).toBe(400);
});

test('a pattern without a free place stays as it is', () => {
  const next = createHexSource('0123-ABC');
  expect(Array.from({ length: 130 }, next)).toEqual(new Array(130).fill('0123-ABC'));
});

test('HEX3 has the three digits of every value below 4096', () => {
  expect(HEX3).toHaveLength(4096);
  expect([HEX3[0], HEX3[0x0a7], HEX3[0xfff]]).toEqual(['000', '0a7', 'fff']);
  expect(HEX3.every((text, value) => text.length === 3 && Number.parseInt(text, 16) === value)).toBe(true);
});
