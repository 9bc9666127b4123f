/** Times one access-log line, built and batched: node --import jiti/register bench/micro/access-log.ts */
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
  requestId: '01a1fd1c-b4d6-7098-b8a4-f501aa81a652',
  method: 'GET',
  target: '/users/1?a=b',
  host: 'api.example.com',
  route: 'user-by-id',
  service: 'users',
  endpoint: '127.0.0.1:9001',
  status: 200,
  upstreamStatus: 200,
  bytesIn: 0,
  bytesOut: 105,
  durationMs: 0.442,
  upstreamMs: 0.436,
  retries: 0,
  errorCode: '',
  clientAddress: '127.0.0.1',
  protocol: 'HTTP/1.1',
  grpcStatus: -1,
  identity: null,
  traceId: '1177d525167d19420b0c90ab67fcab20',
  userAgent: () =>
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
  header: () => undefined,
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
