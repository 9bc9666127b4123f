/** A program that opens many WebSockets, has one message echoed on each, and holds them idle until it is told to go. */
import { WebSocketClient } from './web-socket.ts';

const [port, wanted] = process.argv.slice(2).map(Number);
/** Sockets being opened at once: fewer than any listen queue holds. */
const AT_ONCE = 100;
const MESSAGE_BYTES = 100;

let started = 0;
let done = 0;
let held = 0;

function openNext(): void {
  if (started === wanted) return;
  started++;
  let isHeld = false;
  let isOver = false;
  const onOver = (): void => {
    if (isOver) return;
    isOver = true;
    if (++done === wanted) process.stdout.write(`HELD ${held}\n`);
    else openNext();
  };
  let echoes = -1;
  const client = new WebSocketClient(port, MESSAGE_BYTES, () => {
    if (++echoes === 0) return client.send();
    isHeld = true;
    held++;
    onOver();
  });
  client.socket.on('close', () => {
    if (isHeld) held--;
    else onOver();
  });
}

for (let i = 0; i < Math.min(AT_ONCE, wanted); i++) openNext();

// A line on standard input asks how many are still held; its end is the end.
process.stdin.on('data', () => process.stdout.write(`HELD ${held}\n`));
process.stdin.on('end', () => process.exit(0));
