/**
 * What a decision of a limit in memory costs, by algorithm on 10,000 keys, and what 1,000,000 distinct keys cost in time and
 * memory, below `maxKeys` and beyond it: `node --expose-gc --import jiti/register bench/micro/limits.ts`.
 */
import { systemClock, systemTimers } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { ALGORITHMS, type Algorithm, type LimitRule } from '../../src/state/limits/limits.ts';
import { MemoryLimits } from '../../src/state/limits/memory-limits.ts';

const KEYS = 10_000;
const DECISIONS = 1_000_000;
const ROUNDS = 5;
const MILLION = 1_000_000;

function ruleOf(algorithm: Algorithm, id = 'route/bench/default'): LimitRule {
  return { id, algorithm, limit: 100, period: 1000, burst: 100 };
}

function addressOf(i: number): string {
  return `@10.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`;
}

function limitsOf(maxKeys: number): MemoryLimits {
  return new MemoryLimits({ clock: systemClock, timers: systemTimers, logger: silentLogger, maxKeys });
}

/** Processor time of one. */
function nanoseconds(count: number, work: (i: number) => void): number {
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < count; i++) work(i);
  const after = process.cpuUsage();
  return ((after.user - user + after.system - system) * 1000) / count;
}

/** Bytes in use after a collection, numbers outside the heap included. */
function used(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1];
const keys = Array.from({ length: KEYS }, (_, i) => addressOf(i));

for (const algorithm of ALGORITHMS) {
  const limits = limitsOf(MILLION);
  const rule = ruleOf(algorithm);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    times.push(
      nanoseconds(DECISIONS, (i) => limits.take([{ rule, key: keys[(i * 7919) % KEYS], cost: 1, shadow: false }])),
    );
  }
  console.log(`${algorithm}: ${median(times).toFixed(0)} ns a decision`);
  limits.close();
}

function distinctKeys(maxKeys: number): void {
  const before = used();
  const limits = limitsOf(maxKeys);
  const rule = { ...ruleOf('token-bucket'), period: 3_600_000 };
  let longest = 0;
  const time = nanoseconds(MILLION, (i) => {
    const begun = performance.now();
    limits.take([{ rule, key: addressOf(i), cost: 1, shadow: false }]);
    longest = Math.max(longest, performance.now() - begun);
  });
  const mebibytes = (used() - before) / 2 ** 20;
  console.log(
    `1,000,000 distinct keys, at most ${maxKeys}: ${time.toFixed(0)} ns a decision, ${longest.toFixed(1)} ms the longest, ` +
      `${limits.size} held in ${mebibytes.toFixed(0)} MiB`,
  );
  limits.close();
}

distinctKeys(2 * MILLION);
distinctKeys(MILLION / 10);
