/** Names of keys, whatever clients send. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scriptKey } from './script-key.ts';

const units = fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0, max: 0xffff }));
const texts = fc.array(units, { maxLength: 300 }).map((codes) => String.fromCharCode(...codes));

describe('the key of a limit in Redis', () => {
  it('is readable where it may be', () => {
    expect(scriptKey('route/orders/rate', '192.0.2.7', ':tb')).toBe('portico:{route/orders/rate|192.0.2.7}:tb');
  });

  it('is short and printable whatever clients send, with one hash tag', () => {
    fc.assert(
      fc.property(texts, texts, (key, rule) => {
        expect(scriptKey(rule, key, ':tb')).toMatch(/^portico:\{[!-z~]*\|[!-z~]*\}:tb$/);
        expect(scriptKey(rule, key, ':tb').length).toBeLessThan(280);
      }),
    );
  });

  it.each([
    [
      ['a|b', 'c'],
      ['a', 'b|c'],
    ],
    [
      ['a}', 'c'],
      ['a', '}c'],
    ],
    [
      ['r', '\ud800'],
      ['r', '\ud801'],
    ],
    [
      ['r', 'é'],
      ['r', 'e\u0301'],
    ],
    [
      ['r', ''],
      ['r', ' '],
    ],
    [
      ['r', 'x'.repeat(1000)],
      ['r', 'x'.repeat(1001)],
    ],
  ])('%j and %j have two', (one, other) => {
    expect(scriptKey(one[0], one[1], '')).not.toBe(scriptKey(other[0], other[1], ''));
  });

  it('cannot be chosen so as to be the digest of another', () => {
    const long = scriptKey('r', 'x'.repeat(1000), '');
    const forged = long.slice('portico:{r|'.length, -1);
    expect(scriptKey('r', forged, '')).not.toBe(long);
  });
});
