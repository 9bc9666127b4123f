/**
 * A program that sends requests at a fixed rate, whether or not answers come, and prints the longest waits. What it slept
 * itself, because others had its core, is taken off each wait, and told.
 */
import { percentile } from '../measure/statistics.ts';
import { Connection } from './connection.ts';

const [port, rate, seconds, connections] = process.argv.slice(2, 6).map(Number);
const request = `GET ${process.argv[6]} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
const interval = 1000 / rate;
/** The first second settles connections and compilers and is not counted. */
const SETTLING = 1000;
/** How long answers are waited for after the last request, in milliseconds. */
const PATIENCE = 5000;
/** A turn of this program takes some ten microseconds: longer than this, in milliseconds, it did not run. */
const ASLEEP = 1;

const free: Connection[] = [];
/** Milliseconds, without the time in which this program did not run. */
const waits: number[] = [];
const sleptBefore = new WeakMap<Connection, number>();
let sent = 0;
let failed = 0;
let opened = 0;
let first = 0;
let last = 0;
let slept = 0;
let longestSleep = 0;
let rawWorst = 0;

/** Time in which this program did not run, up to now. */
function sleep(now: number): number {
  return slept + (now - last > ASLEEP ? now - last : 0);
}

function onAnswered(connection: Connection, ok: boolean): void {
  if (!ok) {
    failed++;
    return;
  }
  const now = performance.now();
  if (connection.due >= first + SETTLING) {
    const raw = now - connection.due;
    rawWorst = Math.max(rawWorst, raw);
    waits.push(Math.max(0, raw - (sleep(now) - (sleptBefore.get(connection) ?? 0))));
  }
  free.push(connection);
}

function finish(): void {
  waits.sort((a, b) => a - b);
  const result = {
    sent,
    failed,
    unanswered: connections - free.length - failed,
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
    p999: percentile(waits, 0.999),
    worst: percentile(waits, 1),
    rawWorst,
    slept,
    longestSleep,
  };
  process.stdout.write(`SUMMARY ${JSON.stringify(result)}\n`, () => process.exit(0));
}

function turn(): void {
  const now = performance.now();
  const away = now - last;
  if (away > ASLEEP) {
    if (now > first + SETTLING) longestSleep = Math.max(longestSleep, away);
    slept += away;
  }
  last = now;
  const over = now - first > seconds * 1000;
  while (!over && free.length > 0 && first + sent * interval <= now) {
    const connection = free.pop() as Connection;
    const due = first + sent * interval;
    // Due before this turn: what was slept since then is not the gateway's.
    sleptBefore.set(connection, slept - (away > ASLEEP ? Math.min(away, now - due) : 0));
    connection.send(request, due);
    sent++;
  }
  if (over && (free.length + failed >= connections || now - first > seconds * 1000 + PATIENCE)) finish();
  else setImmediate(turn);
}

for (let i = 0; i < connections; i++) {
  new Connection(port, onAnswered, (connection) => {
    free.push(connection);
    if (++opened < connections) return;
    first = performance.now();
    last = first;
    turn();
  });
}
