/** What is remembered of keys, for how long, and who waits for whom. */
import { describe, expect, test } from 'vitest';
import type { ApiKey, FoundKey } from './api-key.ts';
import { KeyCache } from './key-cache.ts';

interface Question {
  readonly id: string;
  answer(found: ApiKey | null, age?: number): Promise<void>;
  fail(reason: string): Promise<void>;
}

/** Lets what waits for a promise go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function keyWith(given: Partial<ApiKey> = {}): ApiKey {
  return { id: 'a', scopes: ['x'], lastUsedAt: null, metadata: {}, active: true, ...given } as ApiKey;
}

function cacheWith(keepFor = 1000) {
  const asked: Question[] = [];
  const uses: [string, number][] = [];
  let now = 0;
  const cache = new KeyCache({
    clock: { now: () => now, wall: () => 1_000_000 + now },
    keepFor,
    source: {
      find: (id) =>
        new Promise<FoundKey>((resolve, reject) => {
          asked.push({
            id,
            answer(key, age = 0) {
              resolve({ key, age });
              return settled();
            },
            fail(reason) {
              reject(new Error(reason));
              return settled();
            },
          });
        }),
      used: (id, at) => void uses.push([id, at]),
    },
  });
  const known = async (id: string, key: ApiKey | null): Promise<void> => {
    const found = cache.find(id);
    await (asked.at(-1) as Question).answer(key);
    await found;
  };
  return { cache, asked, uses, known, pass: (ms: number) => (now += ms) };
}

describe('a key that was looked up', () => {
  test('is known at once for its time, and not a moment longer', async () => {
    const { cache, asked, known, pass } = cacheWith();
    const key = keyWith();
    await known('a', key);
    pass(699);
    expect(cache.find('a')).toBe(key);
    expect(asked).toHaveLength(1);
    pass(301);
    const later = cache.find('a');
    expect(later).toBeInstanceOf(Promise);
    await asked[1].answer(null);
    expect(await later).toBeNull();
  });

  test('is asked for once, however many wait for it', async () => {
    const { cache, asked } = cacheWith();
    const waiting = Array.from({ length: 50 }, () => cache.find('a'));
    expect(asked).toHaveLength(1);
    const key = keyWith();
    await asked[0].answer(key);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => key));
  });

  test('is looked up anew near its end, and nobody waits for that', async () => {
    const { cache, asked, known, pass } = cacheWith();
    await known('a', keyWith());
    for (let second = 0; second < 10; second++) {
      pass(700);
      expect(cache.find('a')).not.toBeInstanceOf(Promise);
      expect(cache.find('a')).not.toBeInstanceOf(Promise);
      expect(asked).toHaveLength(second + 2);
      await asked[second + 1].answer(keyWith());
    }
  });

  test('is the same object as long as nothing of it changed but its last use', async () => {
    const { cache, asked, known, pass } = cacheWith();
    const key = keyWith();
    await known('a', key);
    pass(800);
    cache.find('a');
    await asked[1].answer(keyWith({ lastUsedAt: 5 }));
    expect(cache.find('a')).toBe(key);
    pass(800);
    cache.find('a');
    await asked[2].answer(keyWith({ scopes: [] }));
    expect(cache.find('a')).toMatchObject({ scopes: [] });
  });

  test('is as old as who told of it says', async () => {
    const { cache, asked, pass } = cacheWith();
    const found = cache.find('a');
    await asked[0].answer(keyWith(), 900);
    await found;
    pass(99);
    expect(cache.find('a')).not.toBeInstanceOf(Promise);
    expect(await cache.findAged('a')).toMatchObject({ age: 999 });
    pass(1);
    expect(cache.find('a')).toBeInstanceOf(Promise);
  });

  test('serves out its time while the store cannot be asked, and then the reason is told', async () => {
    const { cache, asked, known, pass } = cacheWith();
    await known('a', keyWith());
    pass(800);
    expect(cache.find('a')).not.toBeInstanceOf(Promise);
    await asked[1].fail('away');
    expect(cache.find('a')).not.toBeInstanceOf(Promise);
    await asked[2].fail('away');
    pass(200);
    const late = Promise.all([expect(cache.find('a')).rejects.toThrow('away')]);
    await asked[3].fail('away');
    await late;
    // A failure is not remembered.
    const again = cache.find('a');
    await asked[4].answer(keyWith());
    expect(await again).not.toBeNull();
  });

  test('is asked for by everybody where nothing is to be remembered', async () => {
    const { asked, known } = cacheWith(0);
    await known('a', keyWith());
    await known('a', keyWith());
    expect(asked).toHaveLength(2);
  });
});

describe('what changed', () => {
  test.each([['a'], [null]])('is forgotten at once (%s)', async (id) => {
    const { cache, asked, known } = cacheWith();
    await known('a', keyWith());
    cache.forget(id);
    const found = cache.find('a');
    await asked[1].answer(keyWith({ active: false }));
    expect(await found).toMatchObject({ active: false });
  });

  test('is not brought back by a look-up that began before', async () => {
    const { cache, asked } = cacheWith();
    const early = cache.find('a');
    cache.forget('a');
    const late = cache.find('a');
    expect(asked).toHaveLength(2);
    await asked[1].answer(keyWith({ active: false }));
    await asked[0].answer(keyWith());
    expect(await early).toMatchObject({ active: true });
    expect(await late).toMatchObject({ active: false });
    expect(cache.find('a')).toMatchObject({ active: false });
  });

  test('may be that there is one now', async () => {
    const { cache, asked, known } = cacheWith();
    await known('a', null);
    expect(cache.find('a')).toBeNull();
    cache.forget('a');
    const found = cache.find('a');
    await asked[1].answer(keyWith());
    expect(await found).not.toBeNull();
  });
});

test('ids of no key do not fill the memory, and do not push out keys', async () => {
  const { cache, asked, known } = cacheWith(1_000_000);
  const key = keyWith();
  await known('a', key);
  for (let i = 0; i < 12_000; i++) {
    const found = cache.find(`made-up-${i}`);
    asked[asked.length - 1].answer(null);
    await found;
  }
  expect(cache.size).toBe(10_001);
  expect(cache.find('a')).toBe(key);
});

test('that there is no key is known for some seconds, however long keys are', async () => {
  const { cache, asked, known, pass } = cacheWith(3_600_000);
  await known('a', null);
  pass(4999);
  expect(cache.find('a')).toBeNull();
  pass(1);
  expect(cache.find('a')).toBeInstanceOf(Promise);
  expect(asked).toHaveLength(2);
});

test('a use is noted at once, and then once a minute', () => {
  const { cache, uses, pass } = cacheWith();
  cache.used('a');
  cache.used('a');
  pass(59_999);
  cache.used('a');
  cache.used('b');
  expect(uses).toEqual([
    ['a', 1_000_000],
    ['b', 1_059_999],
  ]);
  pass(1);
  cache.forget('a');
  cache.used('a');
  cache.used('b');
  expect(uses.slice(2)).toEqual([['a', 1_060_000]]);
});
