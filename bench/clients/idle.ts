/** A program that opens many connections, sends one request on each, and holds them idle until it is told to go. */
import { Connection } from './connection.ts';

const [port, wanted] = process.argv.slice(2).map(Number);
const request = `GET /users/42 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
/** Connections being opened at once: fewer than any listen queue holds. */
const AT_ONCE = 100;

let started = 0;
let done = 0;
let held = 0;

function openNext(): void {
  if (started === wanted) return;
  started++;
  new Connection(port, onAnswered, (connection) => connection.send(request, 0)).socket.on('close', () => {
    held--;
  });
}

function onAnswered(_connection: Connection, ok: boolean): void {
  if (ok) held++;
  if (++done === wanted) process.stdout.write(`HELD ${held}\n`);
  else openNext();
}

for (let i = 0; i < Math.min(AT_ONCE, wanted); i++) openNext();

// A line on standard input asks how many are still held; its end is the end.
process.stdin.on('data', () => process.stdout.write(`HELD ${held}\n`));
process.stdin.on('end', () => process.exit(0));
