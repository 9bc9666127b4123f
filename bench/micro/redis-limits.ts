/**
 * What a decision of a limit in Redis costs: waiting (one after another, and 64 at once) and processor time of this process,
 * exact, told in batches, refused from memory, and while the server is gone:
 * `node --import jiti/register bench/micro/redis-limits.ts`. Starts `redis-server` on a free port.
 */
import { systemClock, systemTimers } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { LimitRule, Limits, LimitsOptions, Take } from '../../src/state/limits/limits.ts';
import { MemoryLimits } from '../../src/state/limits/memory-limits.ts';
import { openSharedLimits } from '../../src/state/limits/redis/shared-limits.ts';
import { startRedis } from '../../test/support/redis.ts';

const KEYS = 1_000;
const WAITED_FOR = 5_000;
const AT_ONCE = 64;
const DECISIONS = 100_000;

const options: LimitsOptions = { store: 'shared', onStoreFailure: 'local', storeTimeout: 1_000, sync: 'exact' };
const wide: LimitRule = { id: 'bench/wide', algorithm: 'token-bucket', limit: 1e9, period: 1_000, burst: 1e9 };
const spent: LimitRule = { id: 'bench/spent', algorithm: 'fixed-window', limit: 1, period: 86_400_000, burst: 1 };
const three: LimitRule[] = [
  wide,
  { ...wide, id: 'bench/day', algorithm: 'fixed-window' },
  { ...wide, id: 'bench/month', algorithm: 'fixed-window' },
];

function taking(rules: readonly LimitRule[], i: number): Take[] {
  return rules.map((rule) => ({ rule, key: `@10.0.${i % KEYS}`, cost: 1, shadow: false }));
}

async function oneByOne(limits: Limits, rules: readonly LimitRule[]): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < WAITED_FOR; i++) {
    const begun = performance.now();
    await limits.take(taking(rules, i));
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  const at = (part: number): string => `${(times[Math.floor(part * times.length)] * 1000).toFixed(0)} us`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`;
}

/** Processor time of one in microseconds, user and system, with so many under way. */
async function processorTime(limits: Limits, rules: readonly LimitRule[]): Promise<string> {
  const { user, system } = process.cpuUsage();
  let next = 0;
  const one = async (): Promise<void> => {
    // A decision that is there at once lets the others of the event loop have their turns now and then.
    while (next < DECISIONS) {
      const decision = limits.take(taking(rules, next++));
      if (decision instanceof Promise) await decision;
      else if (next % 1_000 === 0) await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  const after = process.cpuUsage();
  return `${((after.user - user + after.system - system) / DECISIONS).toFixed(2)} us of processor`;
}

const server = await startRedis();
const shared = await openSharedLimits(server.url, {
  clock: systemClock,
  timers: systemTimers,
  logger: silentLogger,
  observer: { onReachable: () => {}, onDegraded: () => {} },
  local: new MemoryLimits({ clock: systemClock, timers: systemTimers, logger: silentLogger, maxKeys: 1_000_000 }),
  maxKeys: 1_000_000,
});
const exact = shared.limits(options);
const batched = shared.limits({ ...options, sync: 'batched' });

for (let round = 0; round < 2; round++) await processorTime(exact, [wide]);
console.log(`exact, one limit: ${await oneByOne(exact, [wide])}; ${await processorTime(exact, [wide])}`);
console.log(`exact, three limits: ${await oneByOne(exact, three)}; ${await processorTime(exact, three)}`);
await processorTime(batched, [wide]);
console.log(`batched, one limit: ${await processorTime(batched, [wide])}`);
console.log(`batched, three limits: ${await processorTime(batched, three)}`);
for (let i = 0; i < 2 * KEYS; i++) await exact.take(taking([spent], i));
console.log(`over the limit: ${await processorTime(exact, [spent])}`);
await server.kill();
console.log(`without the server: ${await processorTime(exact, [wide])}`);
await shared.close();
await server.close();
