/** Several gateways on one PostgreSQL: what one changes the others know, and what becomes of requests while the database is away. */
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type KeyGateway, startKeyGateway } from '../support/keys.ts';
import { closeManaged } from '../support/managed.ts';
import { describeWithPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';

describeWithPostgres()('gateways on one database', () => {
  let postgres: TestPostgres;

  beforeAll(async () => {
    postgres = await startPostgres();
  });

  afterAll(() => postgres.close());

  afterEach(closeManaged);

  function start(keyCacheFor: string): Promise<KeyGateway> {
    return startKeyGateway({ keys: { postgres: postgres.url }, keyCacheFor });
  }

  async function query(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    const { rows } = await client.query(sql, values);
    await client.end();
    return rows;
  }

  /** Whoever has looked a key up will listen: then nothing that it is told is lost. */
  async function listening(count: number): Promise<void> {
    const counted = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE query LIKE 'LISTEN %'";
    await expect.poll(async () => (await query(counted))[0].count).toBe(count);
  }

  async function statusesOf(gateways: readonly KeyGateway[], key: string): Promise<number[]> {
    return Promise.all(gateways.map(async ({ use }) => (await use(key)).status));
  }

  test('make the table together, and know the keys that any of them made', async () => {
    await query('DROP TABLE IF EXISTS portico_api_keys');
    const gateways = await Promise.all(Array.from({ length: 4 }, () => start('1h')));
    const keys = await Promise.all(gateways.map(({ create }) => create()));
    for (const { key } of keys) expect(await statusesOf(gateways, key)).toEqual([200, 200, 200, 200]);
  });

  test('hear of a revocation at once, however long they remember', async () => {
    const gateways = [await start('1h'), await start('1h')];
    const [one, other] = gateways;
    const { id, key } = await one.create();
    expect(await statusesOf(gateways, key)).toEqual([200, 200]);
    await listening(2);
    expect(await statusesOf(gateways, key)).toEqual([200, 200]);
    expect((await other.ask('POST', `/keys/${id}/revoke`)).status).toBe(204);
    await expect.poll(() => statusesOf(gateways, key)).toEqual([401, 401]);
  });

  test('hear of a key that they were asked for before it was there', async () => {
    const [one, other] = [await start('1h'), await start('1h')];
    const { id, key } = await one.create();
    await query('DELETE FROM portico_api_keys WHERE id = $1', [id]);
    await other.use(key);
    await listening(2);
    expect((await other.use(key)).status).toBe(401);
    expect((await one.ask('GET', `/keys/${id}`)).status).toBe(404);
    await query(
      `INSERT INTO portico_api_keys (id, sha256, consumer, name, scopes, created_at, active, metadata)
       VALUES ($1, encode(sha256($2), 'hex'), 'acme', '', '[]', 0, 1, '{}')`,
      [id, Buffer.from(key)],
    );
    expect((await other.use(key)).status).toBe(401);
    await query("SELECT pg_notify('portico_api_keys', $1)", [id]);
    await expect.poll(async () => (await other.use(key)).status).toBe(200);
  });

  test('see what nobody told them of within the time for which they remember', async () => {
    const gateways = [await start('5s'), await start('5s')];
    const { id, key } = await gateways[0].create();
    expect(await statusesOf(gateways, key)).toEqual([200, 200]);
    await query('UPDATE portico_api_keys SET active = 0, revoked_at = 1 WHERE id = $1', [id]);
    for (const { clock } of gateways) clock.skip(5_000);
    expect(await statusesOf(gateways, key)).toEqual([401, 401]);
  });

  test('hear of changes again after their connections were cut', async () => {
    const gateways = [await start('1h'), await start('1h')];
    const { id, key } = await gateways[0].create();
    expect(await statusesOf(gateways, key)).toEqual([200, 200]);
    await query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', ['portico']);
    // One that is revoked while nobody listens, and nobody notifies, is seen when they listen again.
    await query('UPDATE portico_api_keys SET active = 0, revoked_at = 1 WHERE id = $1', [id]);
    await expect.poll(() => statusesOf(gateways, key)).toEqual([401, 401]);
    const next = await gateways[1].create();
    expect(await statusesOf(gateways, next.key)).toEqual([200, 200]);
    await gateways[0].ask('POST', `/keys/${next.id}/revoke`);
    await expect.poll(() => statusesOf(gateways, next.key)).toEqual([401, 401]);
  });

  test('need no more rights than to read and write a table that is there', async () => {
    const { create } = await start('1h');
    await create();
    await query(`DROP ROLE IF EXISTS small; CREATE ROLE small LOGIN;
      GRANT SELECT, INSERT, UPDATE ON portico_api_keys TO small`);
    const url = postgres.url.replace('//portico@', '//small@');
    const small = await startKeyGateway({ keys: { postgres: url }, keyCacheFor: '1h' });
    const { id, key } = await small.create();
    expect((await small.use(key)).status).toBe(200);
    expect((await small.ask('PATCH', `/keys/${id}`, { name: 'x' })).status).toBe(200);
    expect((await small.ask('POST', `/keys/${id}/rotate`)).status).toBe(201);
    expect((await small.ask('POST', `/keys/${id}/revoke`)).status).toBe(204);
    await query('DROP OWNED BY small; DROP ROLE small');
  });

  test('write back when keys were used', async () => {
    const [one, other] = [await start('1h'), await start('1h')];
    const { id, key } = await one.create();
    await other.use(key);
    const lastUse = async () => JSON.parse((await one.ask('GET', `/keys/${id}`)).body).lastUsedAt;
    await expect.poll(lastUse).toMatch(/^\d{4}-/);
  });

  test('serve what they know while the database is away, refuse the rest with 503, and go on when it is back', async () => {
    const { use, create, ask, logged, clock } = await start('5s');
    const { key } = await create();
    const other = await create();
    expect((await use(key)).status).toBe(200);
    // What was known before it listens, it asks for once more.
    await listening(1);
    expect((await use(key)).status).toBe(200);
    await postgres.stop();
    try {
      expect((await use(key)).status).toBe(200);
      const { status, body, headers } = await use(other.key);
      expect([status, JSON.parse(body).code]).toEqual([503, 'authentication_unavailable']);
      expect(headers['retry-after']).toBeDefined();
      expect(body).not.toMatch(/127\.0\.0\.1|ECONN/);
      expect(await ask('GET', '/keys')).toMatchObject({ status: 503 });
      // Not a moment longer than its time: it may be revoked by now.
      clock.skip(5_000);
      for (let i = 0; i < 20; i++) expect((await use(key)).status).toBe(503);
      expect((await use('pk_acme01_for-trying-only-0123456789abcdef')).status).toBe(200);
    } finally {
      await postgres.start();
    }
    await expect.poll(async () => (await use(key)).status).toBe(200);
    expect((await use('pk_nobody_secret')).status).toBe(401);
    expect(logged.map(({ message }) => message).filter((message) => message.includes('key store'))).toEqual([
      'the key store cannot be asked: keys that are not known are refused',
      'the key store can be asked again',
    ]);
    expect(JSON.stringify(logged)).not.toContain('pk_');
  });
});
