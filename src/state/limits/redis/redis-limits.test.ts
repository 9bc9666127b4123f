/** Limits in a real server and in a cluster: several gateways grant exactly what one may. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis, startRedisCluster } from '../../../../test/support/redis.ts';
import { describeWith } from '../../../../test/support/services.ts';
import { systemTimers } from '../../../base/clock.ts';
import { parseRedisAddress, parseRedisCluster } from '../../../base/redis-address.ts';
import { limitsContract, NOON, ruleOf } from '../limits.contract.test.support.ts';
import { ALGORITHMS, type Take } from '../limits.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';
import { RedisLimits } from './redis-limits.ts';

interface Store {
  readonly servers: readonly RedisServer[];
  connect(): Promise<RedisConnection>;
}

async function openStore(cluster: boolean): Promise<Store> {
  const servers = cluster ? await startRedisCluster() : [await startRedis()];
  const urls = servers.map(({ url }) => url);
  const addresses = cluster ? parseRedisCluster(urls) : urls.map(parseRedisAddress);
  const connect = async (): Promise<RedisConnection> => {
    const connection = await openRedis({ addresses, cluster, timers: systemTimers });
    await connection.attempted;
    return connection;
  };
  return { servers, connect };
}

const taking = (rule: Take['rule'], key = 'ann', cost = 1): Take[] => [{ rule, key, cost, shadow: false }];

describeWith('redis-server').each([
  ['Redis', false],
  ['a cluster of Redis', true],
])('limits in %s', (_, cluster) => {
  let store: Store;
  let connections: RedisConnection[];

  beforeAll(async () => {
    store = await openStore(cluster);
    connections = [await store.connect(), await store.connect()];
  });

  afterAll(async () => {
    for (const connection of connections ?? []) await connection.close();
    for (const server of store?.servers ?? []) await server.close();
  });

  limitsContract(
    'keep the contract',
    () => {
      let time = NOON;
      const limits = new RedisLimits(connections[0], () => String(time));
      return {
        take: async (takes, now) => {
          time = now;
          const { allowed, standings, degraded } = await limits.take(takes);
          return { allowed, standings, degraded };
        },
        close: () => {},
      };
    },
    { runs: 25 },
  );

  it.each(ALGORITHMS)('%s: two gateways grant exactly the limit between them', async (algorithm) => {
    const rule = ruleOf({ algorithm, limit: 700, period: 3_600_000 });
    const gateways = connections.map((connection) => new RedisLimits(connection));
    const asked: Promise<{ allowed: boolean }>[] = [];
    for (let i = 0; i < 2_000; i++) asked.push(gateways[i % 2].take(taking(rule)));
    const granted = (await Promise.all(asked)).filter(({ allowed }) => allowed);
    // A window may end in between, one of an hour hardly; a bucket gets one more in five seconds.
    expect(granted.length).toBeGreaterThanOrEqual(700);
    expect(granted.length).toBeLessThanOrEqual(algorithm === 'token-bucket' || algorithm === 'gcra' ? 701 : 700);
  });

  it('of several limits those that were charged get it back where one refuses', async () => {
    const large = ruleOf({ algorithm: 'fixed-window', limit: 100, period: 86_400_000, calendar: 'day' });
    const small = ruleOf({ algorithm: 'gcra', limit: 2, period: 3_600_000 });
    const watched = ruleOf({ algorithm: 'sliding-log', limit: 100, period: 3_600_000 });
    const limits = new RedisLimits(connections[0]);
    const takes: Take[] = [
      { rule: large, key: 'ann', cost: 3, shadow: false },
      { rule: small, key: 'ann', cost: 1, shadow: false },
      { rule: watched, key: 'ann', cost: 1, shadow: true },
    ];
    const granted = [];
    for (let i = 0; i < 5; i++) granted.push((await limits.take(takes)).allowed);
    expect(granted).toEqual([true, true, false, false, false]);
    const left = await Promise.all([large, small, watched].map((rule) => limits.take(taking(rule, 'ann', 0))));
    expect(left.map(({ standings }) => standings[0].remaining)).toEqual([94, 0, 95]);
  });

  it('goes on when the server has forgotten the scripts', async () => {
    const rule = ruleOf({ algorithm: 'fixed-window', limit: 10, period: 86_400_000, calendar: 'day' });
    const limits = new RedisLimits(connections[0]);
    await limits.take(taking(rule));
    for (const server of store.servers) server.ask('SCRIPT', 'FLUSH');
    const all = await Promise.all(Array.from({ length: 12 }, () => limits.take(taking(rule))));
    expect(all.filter(({ allowed }) => allowed)).toHaveLength(9);
  });

  it('leaves nothing behind that does not expire', async () => {
    const limits = new RedisLimits(connections[0]);
    await limits.probe();
    for (const algorithm of ALGORITHMS) {
      const rule = ruleOf({ algorithm, limit: 3, period: 400 });
      for (let i = 0; i < 5; i++) await limits.take(taking(rule, `${i % 2}`));
      await limits.force(taking(rule, 'told', 7)[0]);
      limits.undo(taking(rule, 'undone'), await limits.take(taking(rule, 'undone')));
    }
    const endless = `local found = {}
      for _, key in ipairs(redis.call('KEYS', '*')) do if redis.call('PTTL', key) < 0 then table.insert(found, key) end end
      return found`;
    for (const server of store.servers) expect(server.ask('EVAL', endless, '0')).toBe('');
  });
});

describeWith('redis-server')('a key of a limit in Redis', () => {
  let store: Store;
  let connection: RedisConnection;

  beforeAll(async () => {
    store = await openStore(false);
    connection = await store.connect();
  });

  afterAll(async () => {
    await connection?.close();
    await store?.servers[0].close();
  });

  it('goes when it has nothing to say any more', async () => {
    const limits = new RedisLimits(connection);
    const rules = ALGORITHMS.map((algorithm) => ruleOf({ algorithm, limit: 1, period: 20 }));
    await Promise.all(rules.map((rule) => limits.take(taking(rule))));
    // The server's clock, which cannot be moved.
    const deadline = Date.now() + 3_000;
    while (store.servers[0].ask('DBSIZE') !== '0' && Date.now() < deadline) await sleep(10);
    expect(store.servers[0].ask('DBSIZE')).toBe('0');
  });

  it('is refused, and no other, where something else stands under its name', async () => {
    const limits = new RedisLimits(connection);
    const rule = ruleOf({ algorithm: 'token-bucket' });
    store.servers[0].ask('RPUSH', `portico:{${rule.id}|mine}:b`, 'x');
    await expect(limits.take(taking(rule, 'mine'))).rejects.toThrow('WRONGTYPE');
    expect((await limits.take(taking(rule, 'other'))).allowed).toBe(true);
  });

  it.each(ALGORITHMS)('%s: with rubbish in it counts as a fresh one, or is refused', async (algorithm) => {
    const limits = new RedisLimits(connection);
    const rule = ruleOf({ algorithm });
    await limits.take(taking(rule));
    const [key] = store.servers[0].ask('--raw', 'KEYS', `*${rule.id}*`).split('\n');
    if (algorithm === 'sliding-log') store.servers[0].ask('LSET', key, '1', 'rubbish');
    else store.servers[0].ask('SET', key, 'rubbish \n }{');
    const outcome = await limits.take(taking(rule)).then(
      ({ allowed }) => allowed,
      (error: Error) => error,
    );
    expect(outcome === true || outcome instanceof Error).toBe(true);
  });
});

describe('what no script answers', () => {
  it.each([null, 'OK', [1], [1, 2, 3, 4, 5, 6, 7.5], ['1', '2', '3', '4', '5', '6', '7']])(
    '%j is refused',
    async (answer) => {
      const server = {
        ready: true,
        onReadyChange: null,
        run: async () => answer,
        renew: () => {},
        close: async () => {},
      };
      await expect(new RedisLimits(server).take(taking(ruleOf({ algorithm: 'gcra' })))).rejects.toThrow('no limit');
    },
  );
});
