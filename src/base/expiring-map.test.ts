/** What is remembered, until when, and what makes room. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpiringMap } from './expiring-map.ts';

describe('ExpiringMap', () => {
  test('an entry is there before its end, and not at it', () => {
    const map = new ExpiringMap<string>(2);
    map.set('a', 'x', 10);
    expect([map.get('a', 9), map.get('a', 10), map.get('a', 9)]).toEqual(['x', undefined, undefined]);
    expect(map.size).toBe(0);
  });

  test('the one longest unused makes room', () => {
    const map = new ExpiringMap<number>(2);
    map.set('a', 1, 10);
    map.set('b', 2, 10);
    map.get('a', 0);
    map.set('c', 3, 10);
    expect([map.get('a', 0), map.get('b', 0), map.get('c', 0)]).toEqual([1, undefined, 3]);
  });

  test('an entry set again makes room for itself only', () => {
    const map = new ExpiringMap<number>(2);
    map.set('a', 1, 10);
    map.set('b', 2, 10);
    map.set('a', 3, 20);
    expect([map.get('a', 15), map.get('b', 5)]).toEqual([3, 2]);
  });

  test('answers as a list that is searched would, and never holds more than it may', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', '__proto__'),
      ttl: fc.nat({ max: 5 }),
      isSet: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, max) => {
        const map = new ExpiringMap<number>(max);
        let list: { key: string; value: number; until: number }[] = [];
        steps.forEach(({ key, ttl, isSet }, now) => {
          const found = list.find((entry) => entry.key === key);
          list = list.filter((entry) => entry.key !== key);
          if (isSet) {
            list = [...list.slice(Math.max(0, list.length + 1 - max)), { key, value: now, until: now + ttl }];
            map.set(key, now, now + ttl);
          } else {
            const live = found !== undefined && found.until > now ? found : undefined;
            if (live !== undefined) list.push(live);
            expect(map.get(key, now)).toBe(live?.value);
          }
          expect(map.size).toBeLessThanOrEqual(max);
        });
      }),
    );
  });
});
