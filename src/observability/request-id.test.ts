/** Identifiers are unique, sorted by time, and told from what clients make up. */
import { describe, expect, it } from 'vitest';
import { createRequestIdSource, isRequestId } from './request-id.ts';

function sourceAt(times: () => number): () => string {
  return createRequestIdSource({ now: () => 0, wall: times });
}

const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a request id', () => {
  it('is a UUID of version 7 that carries the time (RFC 9562 section 5.7)', () => {
    const id = sourceAt(() => 0x017f22e279b0)();
    expect(id).toMatch(UUID_7);
    expect(id.slice(0, 13)).toBe('017f22e2-79b0');
  });

  it('sorts after the one before, within a millisecond and over a clock that goes back', () => {
    let wall = 1_700_000_000_000;
    const next = sourceAt(() => wall);
    let previous = '';
    const steps = [0, 1, -1000, 0, 500, 1000];
    for (const step of steps) {
      wall += step;
      for (let i = 0; i < 10_000; i++) {
        const id = next();
        expect(id > previous).toBe(true);
        previous = id;
      }
    }
    expect(previous).toMatch(UUID_7);
  });

  it('does not repeat, nor predict itself', () => {
    const next = sourceAt(() => 1_700_000_000_000);
    const tails = new Set<string>();
    const variants = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const id = next();
      tails.add(id.slice(20));
      variants.add(id[19]);
    }
    expect(tails.size).toBe(20_000);
    expect([...variants].sort()).toEqual(['8', '9', 'a', 'b']);
  });

  it('uses every value of every random digit', () => {
    const next = sourceAt(() => 1_700_000_000_000);
    const seen = Array.from({ length: 36 }, () => new Set<string>());
    for (let i = 0; i < 2000; i++) {
      const id = next();
      for (let at = 0; at < id.length; at++) seen[at].add(id[at]);
    }
    const free = [20, 21, 22, ...Array.from({ length: 12 }, (_, i) => 24 + i)];
    expect(free.filter((at) => seen[at].size !== 16)).toEqual([]);
  });
});

describe('an id that somebody else made', () => {
  it.each(['a', '0', '01a1fd1c-b4d6-7098-b8a4-f501aa81a652', 'a'.repeat(128), 'Root=1-67891233:abc/d+e=~@._-'])(
    '%s is kept',
    (id) => expect(isRequestId(id)).toBe(true),
  );

  it.each([
    '',
    'a'.repeat(129),
    'a b',
    'a\n',
    'a\0',
    'a"b',
    'a\\b',
    '<a>',
    "a'b",
    'a;b',
    'a,b',
    '\xe4',
    '\u0161',
    '{a}',
  ])('%j is not', (id) => expect(isRequestId(id)).toBe(false));
});
