/** Scripts count as the meters in memory do. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../../test/support/redis.ts';
import { describeWith } from '../../../../test/support/services.ts';
import { systemTimers } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/logger.ts';
import { parseRedisAddress } from '../../../base/redis-address.ts';
import { ALGORITHMS, type Decision, type LimitRule } from '../limits.ts';
import { MemoryLimits } from '../memory-limits.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';
import { RedisLimits } from './redis-limits.ts';

describeWith('redis-server')('scripts of limits', () => {
  let server: RedisServer;
  let connection: RedisConnection;

  beforeAll(async () => {
    server = await startRedis();
    const addresses = [parseRedisAddress(server.url)];
    connection = await openRedis({ addresses, cluster: false, timers: systemTimers });
    await connection.attempted;
  });

  afterAll(async () => {
    await connection?.close();
    await server?.close();
  });

  const start = Date.UTC(2028, 1, 27, 23, 59, 59);
  const rules = fc.oneof(
    fc.record({
      algorithm: fc.constantFrom(...ALGORITHMS),
      limit: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000_000 })),
      period: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 31 * 86_400_000 })),
      burst: fc.integer({ min: 1, max: 30 }),
    }),
    fc.record({
      algorithm: fc.constant('fixed-window' as const),
      limit: fc.integer({ min: 1, max: 20 }),
      period: fc.constant(86_400_000),
      burst: fc.constant(1),
      calendar: fc.constantFrom('day' as const, 'month' as const),
    }),
  );
  const forward = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 700 }) },
    fc.integer({ min: 0, max: 40 * 86_400_000 }),
  );
  const anyway = fc.oneof(forward, fc.integer({ min: -3_000, max: 3 }));
  const steps = (after: fc.Arbitrary<number>, limits: number) =>
    fc.array(
      fc.record({
        after,
        costs: fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: limits }),
        shadow: fc.boolean(),
      }),
      { maxLength: 25 },
    );
  let run = 0;

  it.each([
    ['of one limit, also where time goes back', steps(anyway, 1)],
    // What is charged and given back is not the same for a time that was before.
    ['of several limits together', steps(forward, 3)],
  ])('say %s what the memory says', async (_, paths) => {
    await fc.assert(
      fc.asyncProperty(fc.array(rules, { minLength: 3, maxLength: 3 }), paths, async (numbers, path) => {
        let now = start;
        const clock = { now: () => now, wall: () => now };
        const timers = { setTimeout: () => null, clearTimeout: () => {} };
        const memory = new MemoryLimits({ clock, timers, logger: silentLogger, maxKeys: 1000 });
        const redis = new RedisLimits(connection, () => String(now));
        run++;
        const ruleSet = numbers.map((rule, index): LimitRule => ({ ...rule, id: `${run}/${index}` }));
        for (const { after, costs, shadow } of path) {
          now += after;
          const takes = costs.map((cost, index) => ({
            rule: ruleSet[index],
            key: 'k',
            cost,
            shadow: shadow && index === 0,
          }));
          const expected = (await memory.take(takes)) as Decision;
          expect(await redis.take(takes)).toMatchObject(expected);
        }
      }),
      { numRuns: 150 },
    );
  });
});
