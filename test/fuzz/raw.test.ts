/** Bursts of clients that misbehave against listeners that relay, or that want PROXY headers: nothing is left of any of them. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeProxyV1, writeProxyV2 } from '../../src/net/proxy-header.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet, untilUpstreamClosed } from '../support/quiet.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';
import type { Random } from '../support/seeded-random.ts';
import { atRandomCuts } from '../support/splits.ts';
import { turn } from '../support/waiting.ts';
import { FUZZ_TIMEOUT, fuzz } from './time-box.ts';

const BLOCKS = [0, 1, 100, 5000, 70_000, 300_000];
const CLIENT = { address: '203.0.113.7', port: 5000, localAddress: '198.51.100.1', localPort: 443 };

let gateway: TestGateway;
/** Echoes; ends or resets by the letters that it is sent. */
const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    if (bytes.includes('R')) socket.resetAndDestroy();
    else if (bytes.includes('E')) socket.end();
    else if (socket.writable && !socket.write(bytes)) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  });
  socket.on('end', () => socket.end());
});
/** The first bytes of a sound TLS client. */
let hello: Buffer;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const capture = createServer().listen(0, '127.0.0.1');
  await once(capture, 'listening');
  const accepted = once(capture, 'connection');
  const client = connectTls({ port: (capture.address() as AddressInfo).port, host: '127.0.0.1', servername: 'a.test' });
  client.on('error', () => {});
  const [socket] = (await accepted) as [Socket];
  [hello] = await once(socket, 'data');
  client.destroy();
  capture.close();
  const listener = (name: string, mode: string, proxied: boolean) => ({
    name,
    address: '127.0.0.1:0',
    mode,
    timeouts: { requestHead: '100ms', keepAlive: '1s' },
    ...(proxied ? { proxyProtocol: { from: ['127.0.0.1'] } } : {}),
  });
  const raw = ['tcp', 'pass', 'proxied-tcp', 'proxied-pass'];
  gateway = await startTestGateway({
    version: 1,
    listeners: [
      listener('tcp', 'tcp', false),
      listener('pass', 'tls-passthrough', false),
      listener('proxied-tcp', 'tcp', true),
      listener('proxied-pass', 'tls-passthrough', true),
      listener('proxied-http', 'http', true),
    ],
    admin: false,
    logging: { level: 'silent', access: false },
    services: [
      {
        name: 'echo',
        endpoints: [`tcp://127.0.0.1:${port}`, 'tcp://127.0.0.1:1'],
        passive: { failures: 0 },
        connections: { max: 12 },
        timeouts: { streamIdle: '300ms' },
        proxyProtocol: 'v2',
      },
    ],
    routes: [
      { name: 'raw', match: { listeners: raw }, service: 'echo' },
      { name: 'http', match: {}, respond: { body: 'ok' } },
    ],
  });
});

afterAll(async () => {
  await gateway?.close();
  server.close();
});

/** What a client says first; mostly what the listener wants. */
function opening(random: Random, listener: number): Buffer {
  const parts: Buffer[] = [];
  if (listener >= 2 && random.below(5) > 0)
    parts.push(random.below(2) === 0 ? writeProxyV1(CLIENT) : writeProxyV2(CLIENT));
  if (listener === 1 || listener === 3) parts.push(hello);
  if (listener === 4) parts.push(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  const whole = Buffer.concat(parts);
  if (random.below(4) > 0) return whole;
  // Cut, or with a byte changed.
  if (whole.length === 0 || random.below(2) === 0) return whole.subarray(0, random.below(whole.length + 1));
  const changed = Buffer.from(whole);
  changed[random.below(whole.length)] ^= 1 << random.below(8);
  return changed;
}

async function misbehave(random: Random): Promise<void> {
  const listener = random.below(5);
  let client: RawClient;
  try {
    client = await rawClient(gateway.gateway.addresses[listener].port);
  } catch {
    return;
  }
  const first = opening(random, listener);
  await client.send(first.length > 0 && random.below(2) === 0 ? atRandomCuts(first, random) : first);
  for (let left = random.below(4); left > 0 && client.ended === null; left--) {
    const block = Buffer.alloc(BLOCKS[random.below(BLOCKS.length)], 'x');
    if (client.socket.writable) await client.send(block);
    if (random.below(3) === 0) await turn();
  }
  const last = random.below(7);
  if (client.socket.writable) {
    if (last === 0) client.halfClose();
    else if (last === 1) client.reset();
    else if (last === 2) await client.send('E');
    else if (last === 3) await client.send('R');
    else if (last === 4) client.socket.pause();
  }
  // Some stay, until they are silent for too long.
  if (last !== 5) for (let turns = random.below(20); turns > 0; turns--) await turn();
  if (last < 4) await client.untilEnded(2000).catch(() => {});
  client.close();
}

async function burst(random: Random): Promise<string | null> {
  await Promise.all(Array.from({ length: 24 }, () => misbehave(random)));
  try {
    await untilQuiet(gateway);
    await untilUpstreamClosed(gateway);
  } catch (error) {
    return (error as Error).message;
  }
  const { current, relays } = gateway.gateway;
  const active = [...(current?.services.values() ?? [])].flatMap(({ endpoints }) => endpoints.map((one) => one.active));
  const left = JSON.stringify({ relays, snapshot: current?.active, active });
  return left === '{"relays":0,"snapshot":0,"active":[0,0]}' ? null : `left over: ${left}`;
}

test(
  'nothing is left, and what was counted as open is counted as over',
  async () => {
    const { iterations } = await fuzz(burst);
    expect(iterations).toBeGreaterThan(0);
    const page = gateway.gateway.metrics.render();
    expect(page).toContain('portico_tcp_active_connections{route="raw",service="echo"} 0\n');
    for (const result of ['completed', 'client_reset', 'upstream_reset'])
      expect(page).toMatch(
        new RegExp(`portico_tcp_connections_total\\{route="raw",service="echo",result="${result}"\\} [1-9]`),
      );
    expect(page).toMatch(/portico_connection_faults_total\{listener="proxied-http",fault="proxy_header"\} [1-9]/);
  },
  FUZZ_TIMEOUT,
);
