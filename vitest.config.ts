import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { PATIENCE } from './test/support/waiting.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is awaited comes soon, or on a machine that has other work to do, late.
    expect: { poll: { interval: 20, timeout: PATIENCE } },
    pool: 'forks',
    // A port that was free may be somebody else's a moment later, now that files run beside each other: CI asks twice, and says so.
    retry: process.env.CI === undefined ? 0 : 1,
    // Most tests wait for sockets and processes rather than compute: on two cores, too, two files at once are quicker than one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
