/** A program that opens WebSockets, sends a message on each whenever the one before has come back, and sums up. */
import { percentile } from '../measure/statistics.ts';
import { WebSocketClient } from './web-socket.ts';

const [port, sockets, bytes, seconds] = process.argv.slice(2).map(Number);
/** How long sockets may take to open, in milliseconds. */
const PATIENCE = 10_000;

const latencies: number[] = [];
let waiting: WebSocketClient[] | null = [];
let failed = 0;
let first = 0;

function finish(): void {
  latencies.sort((a, b) => a - b);
  const result = {
    messages: latencies.length,
    seconds: (performance.now() - first) / 1000,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    failed,
  };
  process.stdout.write(`SUMMARY ${JSON.stringify(result)}\n`, () => process.exit(0));
}

/** All begin at once. */
function begin(open: readonly WebSocketClient[]): void {
  waiting = null;
  first = performance.now();
  for (const socket of open) socket.send();
  setTimeout(finish, seconds * 1000);
}

function onReady(socket: WebSocketClient): void {
  if (waiting === null) {
    latencies.push((performance.now() - socket.sent) * 1000);
    socket.send();
  } else if (waiting.push(socket) === sockets) begin(waiting);
}

function giveUp(reason: string): void {
  process.stdout.write(`${reason}\n`, () => process.exit(1));
}

function onClose(): void {
  failed++;
  if (waiting !== null) giveUp('a WebSocket was refused, or ended before all were open');
}

for (let i = 0; i < sockets; i++) new WebSocketClient(port, bytes, onReady).socket.on('close', onClose);
setTimeout(() => {
  if (waiting !== null) giveUp('not all WebSockets opened in time');
}, PATIENCE).unref();
