/** What every key store does, on SQLite and on PostgreSQL alike. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock, systemTimers } from '../../src/base/clock.ts';
import type { ApiKey } from '../../src/state/keys/api-key.ts';
import { keyStateOf } from '../../src/state/keys/key-life.ts';
import { KEY_STATES, type KeyQuery, type KeyStore } from '../../src/state/keys/key-store.ts';
import { createKey } from '../../src/state/keys/key-text.ts';
import { PostgresKeyStore } from '../../src/state/keys/postgres-key-store.ts';
import { SqliteKeyStore } from '../../src/state/keys/sqlite-key-store.ts';
import { describeWithPostgres, startPostgres } from '../support/postgres.ts';

const NOW = Date.UTC(2026, 0, 15, 12);

function made(): { id: string; sha256: string } {
  const { id, sha256 } = createKey();
  return { id, sha256 };
}

function keyWith(given: Partial<ApiKey> = {}): ApiKey {
  return {
    ...made(),
    consumer: 'acme',
    name: 'the first',
    scopes: ['orders:read', 'orders:write'],
    tier: 'pro',
    createdAt: NOW,
    expiresAt: null,
    active: true,
    revokedAt: null,
    lastUsedAt: null,
    rotatedFrom: null,
    metadata: { region: 'eu', nested: { a: [1, null, 'ž'] } },
    ...given,
  };
}

const all: KeyQuery = { consumer: null, state: null, limit: 1000, after: null, now: NOW };

interface Opened {
  /** Another way into the same store, as of another process. */
  another(): KeyStore;
  close(): Promise<unknown>;
}

async function openSqlite(): Promise<Opened> {
  const directory = mkdtempSync(join(tmpdir(), 'portico-keys-'));
  return {
    another: () => new SqliteKeyStore(join(directory, 'deep', 'keys.db')),
    close: async () => rmSync(directory, { recursive: true }),
  };
}

async function openPostgres(): Promise<Opened> {
  const postgres = await startPostgres();
  return {
    another: () => new PostgresKeyStore({ url: postgres.url, clock: systemClock, timers: systemTimers }),
    close: () => postgres.close(),
  };
}

const kinds = [
  { name: 'SQLite', suite: describe, open: openSqlite },
  { name: 'PostgreSQL', suite: describeWithPostgres(), open: openPostgres },
];

describe.each(kinds)('a key store on $name', ({ suite, open }) => {
  suite('keeps keys', () => {
    let opened: Opened;
    let store: KeyStore;
    let other: KeyStore;
    const heard: (string | null)[] = [];

    beforeAll(async () => {
      opened = await open();
      store = opened.another();
      other = opened.another();
      store.onChange((id) => heard.push(id));
    });

    afterAll(async () => {
      await store.close();
      await other.close();
      await opened.close();
    });

    test('of which there are none at first', async () => {
      expect(await store.get('nobody')).toBeNull();
      expect(await store.list(all)).toEqual({ keys: [], next: null });
      expect(await store.act('nobody', { type: 'revoke', at: NOW })).toEqual({ outcome: 'unknown' });
      await store.touch(new Map([['nobody', NOW]]));
    });

    test('as they were given, for everybody who asks', async () => {
      const plain = keyWith();
      const full = keyWith({
        name: 'ž "quoted" \'n\' $1 ? \\ 😀',
        scopes: [],
        tier: null,
        expiresAt: NOW + 86_400_000,
        active: false,
        revokedAt: NOW - 1,
        lastUsedAt: NOW - 2,
        rotatedFrom: plain.id,
        metadata: JSON.parse('{"__proto__":{"a":1},"constructor":"x","\\u0000":"\\ud800"}'),
      });
      await store.create(plain);
      await other.create(full);
      expect(await other.get(plain.id)).toEqual(plain);
      expect(await store.get(full.id)).toEqual(full);
    });

    test('once: an id that is taken is refused, and the key that has it stays', async () => {
      const key = keyWith();
      await store.create(key);
      await expect(store.create({ ...key, consumer: 'bank' })).rejects.toThrow();
      await expect(other.create({ ...key, consumer: 'bank' })).rejects.toThrow();
      expect(await store.get(key.id)).toEqual(key);
    });

    test('and tells of each that changed', async () => {
      const key = keyWith();
      const before = heard.length;
      await store.create(key);
      await store.act(key.id, { type: 'revoke', at: NOW });
      expect(heard.slice(before).filter((id) => id === key.id).length).toBeGreaterThanOrEqual(2);
    });

    test('with changes of what is named, and of nothing else', async () => {
      const key = keyWith({ lastUsedAt: NOW - 5 });
      await store.create(key);
      const update = async (change: object) => {
        const outcome = await store.act(key.id, { type: 'update', change });
        expect(outcome).toEqual({ outcome: 'done', key: await other.get(key.id) });
        return (outcome as { key: ApiKey }).key;
      };
      expect(await update({})).toEqual(key);
      expect(await update({ name: 'other' })).toEqual({ ...key, name: 'other' });
      const change = { scopes: ['x'], tier: null, expiresAt: NOW + 5, active: false };
      expect(await update(change)).toEqual({ ...key, ...change, name: 'other' });
      expect(await update({ metadata: { region: null, nested: { b: 2 } } })).toMatchObject({
        metadata: { nested: { a: [1, null, 'ž'], b: 2 } },
      });
      expect(await update({ active: true, expiresAt: null })).toMatchObject({ active: true, expiresAt: null });
    });

    test('that are revoked for good, and since the first time', async () => {
      const key = keyWith();
      await store.create(key);
      const revoked = { ...key, active: false, revokedAt: NOW };
      expect(await store.act(key.id, { type: 'revoke', at: NOW })).toEqual({ outcome: 'done', key: revoked });
      expect(await store.act(key.id, { type: 'revoke', at: NOW + 9 })).toEqual({ outcome: 'done', key: revoked });
      const back = await store.act(key.id, { type: 'update', change: { active: true } });
      expect(back).toMatchObject({ outcome: 'refused' });
      expect(await other.get(key.id)).toEqual(revoked);
    });

    test('of which one takes the place of another, and both are good for a while', async () => {
      const key = keyWith({ createdAt: NOW - 1000, expiresAt: NOW + 9000, lastUsedAt: NOW - 1 });
      await store.create(key);
      const next = made();
      const outcome = await store.act(key.id, { type: 'rotate', at: NOW, overlap: 5000, made: next });
      const added = { ...key, ...next, createdAt: NOW, expiresAt: NOW + 10_000, lastUsedAt: null, rotatedFrom: key.id };
      expect(outcome).toEqual({ outcome: 'done', key: added });
      expect(await other.get(next.id)).toEqual(added);
      expect(await other.get(key.id)).toEqual({ ...key, expiresAt: NOW + 5000 });
    });

    test.each([
      ['revoked', { revokedAt: NOW, active: false }],
      ['inactive', { active: false }],
      ['expired', { expiresAt: NOW }],
    ])('whose place nobody takes when they are %s', async (state, given) => {
      const key = keyWith(given);
      await store.create(key);
      const outcome = await store.act(key.id, { type: 'rotate', at: NOW, overlap: 0, made: made() });
      expect(outcome).toEqual({ outcome: 'refused', reason: `it is ${state}` });
    });

    test('whose place is taken once, however many try, and again when its successor is revoked', async () => {
      const key = keyWith();
      await store.create(key);
      const rotate = (by: KeyStore) => by.act(key.id, { type: 'rotate', at: NOW, overlap: 9000, made: made() });
      const outcomes = await Promise.all([store, other, store, other, store].map(rotate));
      const done = outcomes.filter((one) => one.outcome === 'done');
      expect(done).toHaveLength(1);
      await other.act(done[0].key.id, { type: 'revoke', at: NOW });
      expect(await rotate(store)).toMatchObject({ outcome: 'done' });
    });

    test('that lose no change, however many make one at a time', async () => {
      const key = keyWith({ metadata: {} });
      await store.create(key);
      const changes = Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? store : other).act(key.id, { type: 'update', change: { metadata: { [`k${i}`]: i } } }),
      );
      await Promise.all(changes);
      expect(Object.keys((await store.get(key.id))?.metadata ?? {})).toHaveLength(20);
    });

    test('with the time of the last use, which never goes back, and which no change forgets', async () => {
      const [key, idle] = [keyWith(), keyWith()];
      await store.create(key);
      await store.create(idle);
      await store.touch(new Map([[key.id, NOW + 5]]));
      await store.touch(new Map([[key.id, NOW + 1]]));
      await store.act(key.id, { type: 'update', change: { name: 'later' } });
      expect(await other.get(key.id)).toMatchObject({ lastUsedAt: NOW + 5, name: 'later' });
      expect((await other.get(idle.id))?.lastUsedAt).toBeNull();
    });

    test('which are listed by consumer and state, the oldest first, in pages of any size', async () => {
      const states = [
        {},
        { active: false },
        { expiresAt: NOW },
        { expiresAt: NOW + 1 },
        { active: false, revokedAt: NOW },
        { active: false, expiresAt: NOW },
      ];
      const keys = Array.from({ length: 24 }, (_, i) =>
        keyWith({ consumer: `list${i % 2}`, createdAt: NOW + (i % 5), ...states[i % states.length] }),
      );
      for (const key of keys) await store.create(key);
      const consumers = fc.constantFrom('list0', 'list1');
      const anyState = fc.option(fc.constantFrom(...KEY_STATES));
      await fc.assert(
        fc.asyncProperty(consumers, anyState, fc.integer({ min: 1, max: 14 }), async (consumer, state, limit) => {
          const expected = keys
            .filter((key) => key.consumer === consumer && (state === null || keyStateOf(key, NOW) === state))
            .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
          const listed: ApiKey[] = [];
          for (let after: string | null = null, more = true; more; ) {
            const page = await store.list({ consumer, state, limit, after, now: NOW });
            expect(page.keys.length).toBeLessThanOrEqual(limit);
            listed.push(...page.keys);
            after = page.next;
            more = after !== null;
          }
          expect(listed).toEqual(expected);
        }),
        { numRuns: 40 },
      );
    });

    test('until it is closed, and then says so', async () => {
      const third = opened.another();
      await third.get('nobody');
      await third.close();
      await third.close();
      await expect(third.get('nobody')).rejects.toThrow(/closed/);
    });
  });
});
