/** Times one access-log line, built and batched: node --import jiti/register bench/micro/access-log.ts */
import { createEntry } from '../../src/observability/access-entry.test.support.ts';
import { createAccessLog } from '../../src/observability/access-log.ts';

const logger = { level: 'error', debug() {}, info() {}, warn() {}, error: console.error } as never;
const log = createAccessLog(
  { file: '/dev/null', redact: ['authorization', 'cookie', 'x-api-key'] },
  {
    clock: { now: () => performance.now(), wall: () => Date.now() },
    logger,
  },
);
const entry = {
  ...createEntry(),
  userAgent: () =>
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
};
/** About what one core answers between two turns of the event loop; longer bursts would measure the backlog. */
const LINES = 500;
const samples: number[] = [];
for (let round = 0; round < 1200; round++) {
  const begun = performance.now();
  for (let i = 0; i < LINES; i++) {
    entry.durationMs = (i % 977) / 1000;
    entry.upstreamMs = (i % 971) / 1000;
    log.record(entry);
  }
  const nanoseconds = ((performance.now() - begun) * 1e6) / LINES;
  if (round >= 400) samples.push(nanoseconds);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
samples.sort((a, b) => a - b);
const at = (part: number): string => samples[Math.floor(samples.length * part)].toFixed(0);
console.log(`${at(0.5)} ns a line (median), ${at(0.1)} to ${at(0.9)} (10 % to 90 %)`);
await log.close();
