/** A program that sends requests at a fixed rate, whether or not answers come, and prints the latencies it saw. */
import { percentile } from '../measure/statistics.ts';
import { Connection } from './connection.ts';

const [port, rate, seconds, connections] = process.argv.slice(2).map(Number);
const request = `GET /users/42 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
const interval = 1000 / rate;
/** The first second settles connections and compilers and is not counted. */
const SETTLING = 1000;

const free: Connection[] = [];
const latencies: number[] = [];
let sent = 0;
let failed = 0;
let opened = 0;
let first = 0;

function onAnswered(connection: Connection, ok: boolean): void {
  if (!ok) {
    failed++;
    return;
  }
  // From when the request was due, not from when it was sent: a stalled proxy must not slow down its own examination.
  if (connection.due >= first + SETTLING) latencies.push((performance.now() - connection.due) * 1000);
  free.push(connection);
}

function finish(): void {
  latencies.sort((a, b) => a - b);
  const result = {
    sent,
    failed,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    p999: percentile(latencies, 0.999),
    achieved: latencies.length / (seconds - SETTLING / 1000),
  };
  process.stdout.write(`SUMMARY ${JSON.stringify(result)}\n`, () => process.exit(0));
}

/** Polls instead of sleeping: a timer's millisecond would send requests in bursts. The program runs at low priority. */
function turn(): void {
  const now = performance.now();
  while (free.length > 0 && first + sent * interval <= now) {
    (free.pop() as Connection).send(request, first + sent * interval);
    sent++;
  }
  if (now - first > seconds * 1000) finish();
  else setImmediate(turn);
}

for (let i = 0; i < connections; i++) {
  new Connection(port, onAnswered, (connection) => {
    free.push(connection);
    if (++opened < connections) return;
    first = performance.now();
    turn();
  });
}
