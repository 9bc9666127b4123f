/** Keys of a store by the admin API: made, used, changed, revoked and rotated, in one process and in several, on SQLite. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { keyDigest } from '../../src/state/keys/key-text.ts';
import { type KeyAnswer, type KeyGateway, startKeyGateway } from '../support/keys.ts';
import { closeManaged } from '../support/managed.ts';

/** What is known is known for an hour: whatever is seen before was told. */
const LONG = { keyCacheFor: '1h' };

function bodyOf({ body }: KeyAnswer): Record<string, unknown> {
  return JSON.parse(body);
}

async function listed({ ask }: KeyGateway, query = ''): Promise<string[]> {
  const { keys } = bodyOf(await ask('GET', `/keys${query}`)) as { keys: { id: string }[] };
  return keys.map(({ id }) => id);
}

describe('a key of the store', () => {
  let keys: KeyGateway;

  beforeAll(async () => {
    keys = await startKeyGateway(LONG);
  });

  afterAll(closeManaged);

  test('is good from the moment at which it was made, and then stands nowhere', async () => {
    const { gateway, ask, create, use } = keys;
    const wish = {
      name: 'build server',
      scopes: ['orders:read'],
      tier: 'free',
      expiresIn: '30d',
      metadata: { team: 'shop' },
    };
    const { key, ...made } = await create(wish);
    expect(key).toMatch(/^pk_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}$/);
    const { expiresIn: _, ...kept } = wish;
    expect(made).toEqual({
      ...kept,
      id: key.split('_')[1],
      consumer: 'acme',
      state: 'active',
      active: true,
      declared: false,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      expiresAt: new Date(Date.parse(String(made.createdAt)) + 30 * 86_400_000).toISOString(),
      revokedAt: null,
      lastUsedAt: null,
      rotatedFrom: null,
    });
    expect((await use(key)).status).toBe(200);
    expect((await use(`${key.slice(0, -1)}~`)).status).toBe(401);
    const shown = await ask('GET', `/keys/${made.id}`);
    expect(bodyOf(shown)).toEqual({ ...made, lastUsedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) });
    for (const text of [shown.body, (await ask('GET', '/keys')).body]) {
      expect(text).not.toContain(key.split('_')[2]);
      expect(text).not.toContain(keyDigest(key).toString('hex'));
    }
    const files = ['portico-keys.db', 'portico-keys.db-wal'].map((name) => join(gateway.directory, name));
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
    const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
    expect(bytes.includes(keyDigest(key).toString('hex'))).toBe(true);
    expect(bytes.includes(key.split('_')[2])).toBe(false);
  });

  test('is refused at once when it is revoked, for good', async () => {
    const { ask, create, use } = keys;
    const { id, key } = await create();
    expect((await use(key)).status).toBe(200);
    expect(await ask('POST', `/keys/${id}/revoke`)).toMatchObject({ status: 204, body: '' });
    expect((await use(key)).status).toBe(401);
    expect(bodyOf(await ask('GET', `/keys/${id}`))).toMatchObject({ state: 'revoked', active: false });
    expect((await ask('POST', `/keys/${id}/revoke`)).status).toBe(204);
    expect((await ask('PATCH', `/keys/${id}`, { active: true })).status).toBe(409);
    expect((await ask('POST', `/keys/${id}/rotate`, { overlap: '1h' })).status).toBe(409);
    expect((await use(key)).status).toBe(401);
  });

  test('is changed by what is named, and the next request meets it so', async () => {
    const { gateway, ask, create, use } = keys;
    const { id, key } = await create({ scopes: ['orders:read'], tier: 'free', metadata: { a: 1, b: 2 } });
    const writes = async (): Promise<number> => {
      const headers = { 'x-api-key': key };
      return (await fetch(`http://127.0.0.1:${gateway.port}/writes`, { headers })).status;
    };
    expect(await writes()).toBe(403);
    const change = { scopes: ['orders:*'], tier: null, name: null, metadata: { a: null, c: 3 } };
    const { status, body } = await ask('PATCH', `/keys/${id}`, change);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ scopes: ['orders:*'], tier: null, name: '', metadata: { b: 2, c: 3 } });
    expect(await writes()).toBe(200);
    await ask('PATCH', `/keys/${id}`, { active: false });
    expect((await use(key)).status).toBe(401);
    await ask('PATCH', `/keys/${id}`, { active: true, expiresAt: '2001-01-01T00:00:00Z' });
    expect((await use(key)).status).toBe(401);
    const longer = bodyOf(await ask('PATCH', `/keys/${id}`, { expiresIn: '1h' }));
    expect(Date.parse(String(longer.expiresAt))).toBeGreaterThan(Date.now() + 1_800_000);
    expect((await ask('PATCH', `/keys/${id}`, { expiresIn: '1h', expiresAt: null })).status).toBe(400);
    expect(bodyOf(await ask('PATCH', `/keys/${id}`, { expiresIn: null }))).toMatchObject({ expiresAt: null });
    expect(bodyOf(await ask('PATCH', `/keys/${id}`, { expiresAt: null, metadata: null }))).toMatchObject({
      state: 'active',
      expiresAt: null,
      metadata: {},
    });
    expect((await use(key)).status).toBe(200);
  });

  test('has its place taken by another one, and both are good for a while', async () => {
    const { ask, create, use } = keys;
    const { id, key, ...old } = await create({ name: 'n', scopes: ['x'], tier: 'free', metadata: { a: 1 } });
    const { status, headers, body } = await ask('POST', `/keys/${id}/rotate`, { overlap: '1h' });
    const next = JSON.parse(body);
    expect(status).toBe(201);
    expect(headers.location).toBe(`/keys/${next.id}`);
    expect(next).toEqual({ ...old, id: next.id, key: next.key, createdAt: expect.any(String), rotatedFrom: id });
    expect([(await use(key)).status, (await use(next.key)).status]).toEqual([200, 200]);
    const end = Date.parse(String(bodyOf(await ask('GET', `/keys/${id}`)).expiresAt));
    expect(end).toBe(Date.parse(next.createdAt) + 3_600_000);
    expect((await ask('POST', `/keys/${id}/rotate`)).status).toBe(409);
    const last = bodyOf(await ask('POST', `/keys/${next.id}/rotate`, { overlap: '0s' }));
    expect([(await use(next.key)).status, (await use(String(last.key))).status]).toEqual([401, 200]);
  });

  test.each([
    [{ tier: 'gold' }, 422],
    [{ consumer: '' }, 400],
    [{ consumer: 'a b' }, 400],
    [{ consumer: 'a\nb' }, 400],
    [{ scopes: 'orders:read' }, 400],
    [{ scopes: ['two words'] }, 400],
    [{ expiresIn: '30' }, 400],
    [{ expiresIn: -1 }, 400],
    [{ expiresIn: '0s' }, 400],
    [{ expiresIn: '9999d' }, 400],
    [{ metadata: [] }, 400],
    [{ metadata: { long: 'x'.repeat(70_000) } }, 413],
    [{ id: 'mine' }, 400],
    [{ sha256: 'mine' }, 400],
  ])('is not made of %j', async (wish, status) => {
    expect((await keys.ask('POST', '/keys', { consumer: 'acme', ...wish })).status).toBe(status);
  });
});

describe('a key store', () => {
  afterEach(closeManaged);

  test('is looked for in no file where none was ever made', async () => {
    const { gateway, ask, use } = await startKeyGateway(LONG);
    expect((await use('pk_nobody_secret')).status).toBe(401);
    expect((await use('pk_acme01_for-trying-only-0123456789abcdef')).status).toBe(200);
    expect(bodyOf(await ask('GET', '/keys?state=revoked'))).toEqual({ keys: [], next: null });
    expect((await ask('POST', '/keys/nobody/revoke')).status).toBe(404);
    expect((await ask('GET', '/keys/nobody')).status).toBe(404);
    expect(existsSync(join(gateway.directory, 'portico-keys.db'))).toBe(false);
  });

  test('is there after a restart', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portico-keys-'));
    const { key } = await (await startKeyGateway(LONG, 'stateDir: state', directory)).create();
    await closeManaged();
    expect((await (await startKeyGateway(LONG, 'stateDir: state', directory)).use(key)).status).toBe(200);
    await closeManaged();
    expect(existsSync(join(directory, 'state/keys.db'))).toBe(true);
    rmSync(directory, { recursive: true });
  });

  test('is listed with those of the configuration, by consumer and state, page by page', async () => {
    const keys = await startKeyGateway(LONG);
    const { ask, create } = keys;
    const ids = ['acme01'];
    for (const consumer of ['acme', 'bank', 'acme']) ids.push((await create({ consumer })).id);
    await ask('POST', `/keys/${ids[1]}/revoke`);
    expect((await listed(keys)).sort()).toEqual([...ids].sort());
    expect((await listed(keys, '?consumer=acme')).sort()).toEqual([ids[0], ids[1], ids[3]].sort());
    expect(await listed(keys, '?consumer=acme&state=active')).toEqual([ids[0], ids[3]]);
    expect(await listed(keys, '?state=revoked')).toEqual([ids[1]]);
    for (const limit of [1, 2, 3, 4, 5]) {
      const found: string[] = [];
      for (let query: string | null = `?limit=${limit}`; query !== null; ) {
        const page = bodyOf(await ask('GET', `/keys${query}`)) as { keys: { id: string }[]; next: string | null };
        expect(page.keys.length).toBeLessThanOrEqual(limit);
        found.push(...page.keys.map(({ id }) => id));
        query = page.next === null ? null : `?limit=${limit}&after=${page.next}`;
      }
      expect(found[0]).toBe('acme01');
      expect(found.sort()).toEqual([...ids].sort());
    }
  });

  test.each([
    ['PATCH', '', { name: 'x' }],
    ['POST', '/revoke', undefined],
    ['POST', '/rotate', { overlap: '1h' }],
  ])('%s %s of a declared key is a matter of the configuration', async (method, path, body) => {
    const { ask, use } = await startKeyGateway(LONG);
    expect(bodyOf(await ask('GET', '/keys/acme01'))).toMatchObject({ declared: true, tier: 'pro', createdAt: null });
    expect(bodyOf(await ask(method, `/keys/acme01${path}`, body))).toMatchObject({ status: 409, code: 'conflict' });
    expect((await use('pk_acme01_for-trying-only-0123456789abcdef')).status).toBe(200);
  });

  test('a file that is none of SQLite is no reason to call a key bad, and is told to operators', async () => {
    const { ask, use, logged } = await startKeyGateway({ keys: { sqlite: './portico.yaml' } });
    const { status, headers, body } = await use('pk_nobody_secret');
    expect([status, JSON.parse(body).code]).toEqual([503, 'authentication_unavailable']);
    expect(headers['retry-after']).toBeDefined();
    await use('pk_nobody_secret');
    expect(body).not.toContain('portico.yaml');
    expect(logged.filter(({ message }) => message.startsWith('the key store'))).toHaveLength(1);
    expect(bodyOf(await ask('POST', '/keys', { consumer: 'acme' }))).toMatchObject({
      status: 503,
      code: 'store_unavailable',
    });
    // What stands in the configuration needs no store.
    expect((await use('pk_acme01_for-trying-only-0123456789abcdef')).status).toBe(200);
  });

  test('another place of the store is another store, as soon as it is configured', async () => {
    const { gateway, create, use } = await startKeyGateway({ ...LONG, keys: { sqlite: 'one.db' } });
    const { key } = await create();
    expect((await use(key)).status).toBe(200);
    gateway.write(gateway.read().replace('one.db', 'two.db'));
    await gateway.control.reload('signal');
    expect((await use(key)).status).toBe(401);
    gateway.write(gateway.read().replace('two.db', 'one.db'));
    await gateway.control.reload('signal');
    expect((await use(key)).status).toBe(200);
  });

  describe('several workers', () => {
    test('know of a key, and of its end, as soon as the one that leads', async () => {
      const keys = await startKeyGateway(LONG, 'workers: 2\n');
      const { ask, create, use } = keys;
      const { id, key } = await create();
      // By as many connections as it takes to reach both.
      const statuses = async (): Promise<Set<number>> => {
        const answers = await Promise.all(Array.from({ length: 24 }, () => use(key)));
        return new Set(answers.map(({ status }) => status));
      };
      expect(await statuses()).toEqual(new Set([200]));
      await expect.poll(async () => bodyOf(await ask('GET', `/keys/${id}`)).lastUsedAt).not.toBeNull();
      await ask('POST', `/keys/${id}/revoke`);
      // Told on another way than the answer: a moment later.
      await expect.poll(statuses).toEqual(new Set([401]));
      expect((await use('pk_acme01_for-trying-only-0123456789abcdef')).status).toBe(200);
    });
  });
});
