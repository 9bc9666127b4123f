/** The example of tiers on a shared Redis, run as its page says: two gateways, one count. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeManaged, startManagedTest, type TestManaged } from '../support/managed.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { describeWith } from '../support/services.ts';

const KEY = 'pk_acme01_for-trying-only-0123456789abcdef';

describeWith('redis-server')('two gateways on one Redis', () => {
  let redis: RedisServer;
  let gateways: TestManaged[];

  beforeAll(async () => {
    redis = await startRedis();
    const text = readFileSync(new URL('../../examples/tiers-redis/portico.yaml', import.meta.url), 'utf8');
    const env = { PORT: '0', ADMIN_PORT: '0', PORTICO_REDIS: redis.url };
    const quiet = `${text}\nworkers: 1\nlogging: { level: silent, access: false }\n`
      // A test may be slow, and a slow store is none.
      .replace('onStoreFailure: local', 'onStoreFailure: local\n          storeTimeout: 5s');
    gateways = [await startManagedTest(quiet, { env }), await startManagedTest(quiet, { env })];
  }, 60_000);

  afterAll(async () => {
    await closeManaged();
    await redis.close();
  });

  const ask = (gateway: number, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${gateways[gateway].port}/prices`, { headers });

  test('the free tier is one for both, and says when to come again; a key has the tier of its consumer', async () => {
    const statuses: number[] = [];
    for (const gateway of [0, 0, 0, 1, 1]) statuses.push((await ask(gateway)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    // In two seconds one more is granted: a slow test may be given it.
    let refused = await ask(1);
    for (let i = 0; i < 3 && refused.status === 200; i++) refused = await ask(i % 2);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-ratelimit-tier')).toBe('free');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({
      code: 'rate_limited',
      tier: 'free',
      upgradeUrl: 'https://shop.example.com/pricing',
    });
    const acme = await ask(1, { 'x-api-key': KEY });
    expect([acme.status, acme.headers.get('x-ratelimit-tier')]).toEqual([200, 'pro']);
    expect(acme.headers.get('x-ratelimit-daily-limit')).toBe('100000');
  });

  test('without Redis each goes on by itself', async () => {
    await redis.kill();
    const statuses = new Set<number>();
    for (let i = 0; i < 8; i++) statuses.add((await ask(i % 2, { 'x-api-key': KEY })).status);
    expect([...statuses]).toEqual([200]);
    const mine: number[] = [];
    for (let i = 0; i < 7; i++) mine.push((await ask(0)).status);
    expect(mine[0]).toBe(200);
    expect(mine).toContain(429);
  });
});
