/** What is a key, and what only looks like one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKey, isKeyId, isKeyOf, keyDigest, LONGEST_KEY, parseKeyId } from './key-text.ts';

const SECRET = 'for-trying-only-0123456789abcdef';

describe('the text of a key', () => {
  test.each([
    [`pk_acme01_${SECRET}`, 'acme01'],
    ['pk_a_b', 'a'],
    ['pk_a__', 'a'],
    ['pk_a_b_c-d.e~f', 'a'],
    [`pk_${'x'.repeat(64)}_y`, 'x'.repeat(64)],
    [`pk_a_${'x'.repeat(LONGEST_KEY - 5)}`, 'a'],
  ])('%s has the id %s', (text, id) => {
    expect(parseKeyId(text)).toBe(id);
  });

  test.each([
    '',
    'pk',
    'pk_',
    'pk__',
    'pk__secret',
    'pk_acme01',
    'pk_acme01_',
    'PK_acme01_secret',
    'sk_acme01_secret',
    ' pk_acme01_secret',
    'pk_acme01_secret ',
    'pk_acme-01_secret',
    'pk_acmé01_secret',
    'pk_acme01_sécret',
    'pk_acme01_secret\n',
    'pk_acme01_sec ret',
    'pk_acme01_secret, pk_acme01_secret',
    'pk_acme01_sec\u0000ret',
    'pk_../x_secret',
    'Bearer pk_acme01_secret',
    `pk_${'x'.repeat(65)}_y`,
    `pk_a_${'x'.repeat(LONGEST_KEY)}`,
    'pk_'.repeat(1000),
  ])('%j is none', (text) => {
    expect(parseKeyId(text)).toBeNull();
  });

  test('never throws, and gives back nothing that is not an id', () => {
    const parts = fc.oneof(fc.constantFrom('pk_', '_', 'acme01', SECRET, '\u0000', 'é', '\ud800'), fc.string());
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 6 }), (pieces) => {
        const id = parseKeyId(pieces.join(''));
        expect(id === null || isKeyId(id)).toBe(true);
      }),
    );
  });
});

describe('a new key', () => {
  test('is one, of which the digest tells no other', () => {
    const made = Array.from({ length: 200 }, createKey);
    expect(new Set(made.map(({ id }) => id)).size).toBe(made.length);
    for (const { id, key, sha256 } of made) {
      expect(key).toMatch(/^pk_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}$/);
      expect(parseKeyId(key)).toBe(id);
      const digest = Buffer.from(sha256, 'hex');
      expect(isKeyOf(digest, key)).toBe(true);
      expect(isKeyOf(digest, `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`)).toBe(false);
    }
  });

  test('is made of all digits alike', () => {
    const counts = new Map<string, number>();
    const digits = Array.from({ length: 1000 }, () => createKey().key.slice(3).replace('_', '')).join('');
    for (const digit of digits) counts.set(digit, (counts.get(digit) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // 59,000 digits: 952 of each, give or take 31; a remainder that is not left out would give some of them 1.25 times as many.
    for (const count of counts.values()) expect(Math.abs(count - digits.length / 62)).toBeLessThan(200);
  });

  test('has the digest of the whole key, as other programs compute it', () => {
    expect(keyDigest(`pk_acme01_${SECRET}`).toString('hex')).toBe(
      '7a2f7564ce78935a49d041e372d84e4ac1eb2430e9160e1683fd7e886dfef347',
    );
  });
});
