/** Connections whose bytes are only relayed, and PROXY headers on either side: real servers, real sockets. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock, systemTimers } from '../../src/base/clock.ts';
import { Inheritance } from '../../src/base/inherited.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/base/logger.ts';
import { bestSharing, type SocketSharing } from '../../src/gateway/workers/sockets.ts';
import { Supervisor } from '../../src/gateway/workers/supervisor.ts';
import { writeProxyV1, writeProxyV2 } from '../../src/net/proxy-header.ts';
import { createAuthority } from '../support/certificates.ts';
import { configFor, configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { headerOf, type RawClient, rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { Signal, turn } from '../support/waiting.ts';

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

interface Line {
  message: string;
  fields: LogFields;
}

/** A gateway and what it logs. */
async function start(
  config: object,
  files: Readonly<Record<string, string>> = {},
): Promise<TestGateway & { lines: Line[] }> {
  const lines: Line[] = [];
  const record = (message: string, fields: LogFields = {}): void => void lines.push({ message, fields });
  const logger: Logger = { ...silentLogger, warn: record, error: record };
  const started = await startTestGateway(config, [], logger, files);
  opened.push(started);
  return { ...started, lines };
}

/** A server on a raw socket, which keeps what it was sent. */
class Peer {
  readonly server: Server;
  readonly sockets: Socket[] = [];
  readonly signal = new Signal();
  received = '';
  ended = 0;
  accepted = 0;

  constructor(onData: (bytes: Buffer, socket: Socket) => void, onEnd: (socket: Socket) => void) {
    this.server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      this.accepted++;
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        this.received += bytes.toString('latin1');
        onData(bytes, socket);
        this.signal.notify();
      });
      socket.on('end', () => {
        this.ended++;
        onEnd(socket);
        this.signal.notify();
      });
      socket.on('close', () => {
        this.sockets.splice(this.sockets.indexOf(socket), 1);
        this.signal.notify();
      });
      this.signal.notify();
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `tcp://127.0.0.1:${this.port}`;
  }

  until(look: () => boolean, what: string): Promise<boolean> {
    return this.signal.until(look, what);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.server.listening) await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

async function startPeer(
  onData: (bytes: Buffer, socket: Socket) => void = (bytes, socket) => void socket.write(bytes),
  onEnd: (socket: Socket) => void = (socket) => void socket.end(),
): Promise<Peer> {
  const peer = new Peer(onData, onEnd);
  peer.server.listen(0, '127.0.0.1');
  await once(peer.server, 'listening');
  opened.push(peer);
  return peer;
}

function rawConfig(
  urls: readonly string[],
  {
    listener,
    service,
    route,
    ...rest
  }: { listener?: object; service?: object; route?: object; [key: string]: unknown } = {},
): object {
  return configWith({
    listener: { mode: 'tcp', ...listener },
    services: [{ name: 'echo', endpoints: urls, ...service }],
    routes: [{ name: 'raw', match: { listeners: ['test'] }, service: 'echo', ...route }],
    ...rest,
  });
}

async function client(port: number): Promise<RawClient> {
  const one = await rawClient(port);
  opened.push(one);
  return one;
}

/** How a connection ends that is not relayed: the reset may come before the client knows that it is connected. */
async function refusal(port: number): Promise<string> {
  const one = await client(port).catch((error: NodeJS.ErrnoException) => error.code as string);
  return typeof one === 'string' ? one : `ECONN${(await one.untilClosed()).toUpperCase()}`;
}

function endpointsOf({ gateway }: TestGateway) {
  const { services } = gateway.current as NonNullable<typeof gateway.current>;
  return [...services.values()].flatMap((service) => service.endpoints);
}

/** Nothing is left of any connection. */
async function untilIdle(gateway: TestGateway): Promise<void> {
  const { gateway: inner } = gateway;
  for (let turns = 0; turns < 2000 && (inner.relays > 0 || inner.connections > 0); turns++) await turn();
  expect({ relays: inner.relays, connections: inner.connections, active: inner.current?.active }).toEqual({
    relays: 0,
    connections: 0,
    active: 0,
  });
  for (const { active, pool } of endpointsOf(gateway))
    expect({ active, open: pool.open }).toEqual({ active: 0, open: pool.idle });
}

function metric({ gateway }: TestGateway, series: string): number {
  const line = gateway.metrics
    .render()
    .split('\n')
    .find((text) => text.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

const ended = (result: string, route = 'raw', service = 'echo'): string =>
  `portico_tcp_connections_total{route="${route}",service="${service}",result="${result}"}`;

describe('a listener of mode tcp', () => {
  test('relays both ways, ends with both sides, and counts', async () => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url]));
    const one = await client(gateway.port);
    await one.send('hello');
    expect((await one.untilBytes(5)).toString()).toBe('hello');
    expect(metric(gateway, 'portico_tcp_active_connections{route="raw",service="echo"}')).toBe(1);
    expect(endpointsOf(gateway)).toMatchObject([{ active: 1, requests: 1, failures: 0, pool: { open: 1 } }]);
    one.unread = Buffer.alloc(0);
    one.halfClose();
    expect(await one.untilClosed()).toBe('end');
    await untilIdle(gateway);
    expect(metric(gateway, ended('completed'))).toBe(1);
    expect(metric(gateway, 'portico_tcp_active_connections{route="raw",service="echo"}')).toBe(0);
    expect(metric(gateway, 'portico_tcp_bytes_total{route="raw",service="echo",direction="in"}')).toBe(5);
    expect(metric(gateway, 'portico_tcp_bytes_total{route="raw",service="echo",direction="out"}')).toBe(5);
  });

  test('counts for operators as soon as its endpoint is reached, and not again at whatever end', async () => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url]));
    const clients = [await client(gateway.port), await client(gateway.port), await client(gateway.port)];
    for (const one of clients) await one.send('hello');
    for (const one of clients) await one.untilBytes(5);
    const relayed = { connections: 3, failed: 0, successRate: 100, bytesIn: 15, bytesOut: 15 };
    const read = () => [gateway.gateway.health.read(), gateway.gateway.metrics.stats().relays];
    const health = { total: 3, failed: 0, successRate: 100 };
    const open = { ...relayed, active: 3, ended: 0 };
    expect(read()).toEqual([health, { total: open, routes: [{ route: 'raw', service: 'echo', ...open }] }]);
    clients[0].reset();
    peer.sockets[2].resetAndDestroy();
    await clients[2].untilEnded();
    clients[1].halfClose();
    await untilIdle(gateway);
    expect(read()).toMatchObject([health, { total: { ...relayed, active: 0, ended: 3 } }]);
    expect(metric(gateway, 'portico_tcp_relayed_connections_total{route="raw",service="echo"}')).toBe(3);
  });

  test('lets a server speak first, and passes on a half-closed side while the other goes on', async () => {
    const peer = await startPeer(
      () => {},
      (socket) => {
        socket.write('after');
        socket.end('end');
      },
    );
    peer.server.on('connection', (socket: Socket) => socket.write('banner'));
    const gateway = await start(rawConfig([peer.url]));
    const one = await client(gateway.port);
    expect((await one.untilBytes(6)).toString()).toBe('banner');
    await one.send('last words');
    one.halfClose();
    expect(await one.untilEnded()).toBe('end');
    expect(one.unread.toString()).toBe('bannerafterend');
    expect(peer.received).toBe('last words');
    await untilIdle(gateway);
  });

  test('passes on the end of a server whose client goes on', async () => {
    const peer = await startPeer(() => {});
    peer.server.on('connection', (socket: Socket) => socket.end('bye'));
    const gateway = await start(rawConfig([peer.url]));
    const one = await client(gateway.port);
    expect(await one.untilEnded()).toBe('end');
    await one.send('still here');
    await peer.until(() => peer.received === 'still here', 'what came after its own end');
    one.halfClose();
    await untilIdle(gateway);
    expect(metric(gateway, ended('completed'))).toBe(1);
  });

  test('relays megabytes whole to one who reads late, and holds few of them', async () => {
    const block = Buffer.alloc(1024 * 1024, 'x');
    const peer = await startPeer(
      () => {},
      () => {},
    );
    let sent = 0;
    peer.server.on('connection', (socket: Socket) => {
      const more = (): void => {
        while (sent < 64 && socket.write(block)) sent++;
        if (sent >= 64) socket.end();
        else sent++;
      };
      socket.on('drain', more);
      more();
    });
    const gateway = await start(rawConfig([peer.url]));
    const one = await client(gateway.port);
    one.socket.pause();
    for (let turns = 0; turns < 300; turns++) await turn();
    const stalled = sent;
    expect(stalled).toBeLessThan(64);
    let length = 0;
    one.socket.removeAllListeners('data');
    one.socket.on('data', (bytes) => (length += bytes.length));
    one.socket.resume();
    await one.untilEnded();
    expect(length).toBeGreaterThanOrEqual(64 * block.length);
    one.halfClose();
    await untilIdle(gateway);
  });

  test.each([
    ['client', 'client_reset'],
    ['server', 'upstream_reset'],
  ])('passes on the reset of a %s', async (who, result) => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url]));
    const one = await client(gateway.port);
    await one.send('x');
    await one.untilBytes(1);
    if (who === 'client') {
      one.reset();
      await peer.until(() => peer.sockets.length === 0, 'the reset');
    } else {
      peer.sockets[0].resetAndDestroy();
      expect(await one.untilEnded()).toBe('reset');
    }
    await untilIdle(gateway);
    expect(metric(gateway, ended(result))).toBe(1);
  });

  test('balances, and goes to another endpoint when one cannot be reached', async () => {
    const [a, b] = [await startPeer(), await startPeer()];
    const gateway = await start(rawConfig([a.url, b.url]));
    for (let round = 0; round < 4; round++) await (await client(gateway.port)).send('x');
    await a.until(() => a.received === 'xx', 'its half');
    await b.until(() => b.received === 'xx', 'its half');
    expect(endpointsOf(gateway)).toMatchObject([{ active: 2 }, { active: 2 }]);
    await b.close();
    for (let round = 0; round < 4; round++) {
      const one = await client(gateway.port);
      await one.send('y');
      expect((await one.untilBytes(1)).toString()).toBe('y');
    }
    expect(a.received).toBe('xxyyyy');
    expect(endpointsOf(gateway)[1].failures).toBeGreaterThan(0);
    for (const one of opened.splice(0)) await one.close();
    opened.push(gateway);
    await untilIdle(gateway);
  });

  test('resets clients when no endpoint can be reached, and marks those down', async () => {
    const peer = await startPeer();
    const { url } = peer;
    await peer.close();
    const gateway = await start(rawConfig([url], { service: { passive: { failures: 2, coolDown: '60s' } } }));
    for (let round = 0; round < 3; round++) expect(await refusal(gateway.port)).toBe('ECONNRESET');
    await untilIdle(gateway);
    expect(metric(gateway, ended('connect_failed'))).toBe(2);
    expect(metric(gateway, ended('no_endpoint'))).toBe(1);
    expect(gateway.gateway.health.read()).toEqual({ total: 3, failed: 3, successRate: 0 });
    expect(gateway.gateway.metrics.stats().relays.routes).toMatchObject([
      { route: 'raw', service: 'echo', active: 0, connections: 3, failed: 3, successRate: 0, ended: 3 },
    ]);
    expect(endpointsOf(gateway)).toMatchObject([{ healthy: false, requests: 2, failures: 2 }]);
  });

  test('cuts what is silent for too long, not what speaks', async () => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url], { service: { timeouts: { streamIdle: '60ms' } } }));
    const [silent, busy] = [await client(gateway.port), await client(gateway.port)];
    const begun = performance.now();
    let over = false;
    const end = silent.untilClosed().then((how) => {
      over = true;
      return how;
    });
    let last = performance.now();
    let longest = 0;
    while (!over) {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      await busy.send('x');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await end).toBe('reset');
    expect(performance.now() - begun).toBeGreaterThan(50);
    // On a machine that stood still the busy one was silent, too.
    if (longest < 50) expect(busy.ended).toBe(null);
    expect(metric(gateway, ended('idle'))).toBeGreaterThanOrEqual(1);
  });

  test('holds no more connections to an endpoint than it may', async () => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url], { service: { connections: { max: 1 } } }));
    const first = await client(gateway.port);
    await first.send('x');
    await first.untilBytes(1);
    expect(await refusal(gateway.port)).toBe('ECONNRESET');
    expect(metric(gateway, ended('overloaded'))).toBe(1);
    expect(gateway.gateway.health.read()).toMatchObject({ total: 2, failed: 1 });
    first.close();
    await untilIdle(gateway);
    const second = await client(gateway.port);
    await second.send('y');
    expect((await second.untilBytes(1)).toString()).toBe('y');
  });

  test('forgets a client that left before its endpoint was reached', async () => {
    // An address that answers nothing: connects to it stay under way.
    const gateway = await start(rawConfig(['tcp://192.0.2.1:9'], { service: { timeouts: { connect: '30s' } } }));
    const one = await client(gateway.port);
    for (let turns = 0; turns < 2000 && gateway.gateway.relays === 0; turns++) await turn();
    one.reset();
    await untilIdle(gateway);
    expect(metric(gateway, ended('client_reset')) + metric(gateway, ended('connect_failed'))).toBe(1);
  });

  test('goes on through a reload, and is cut when the shutdown takes too long', async () => {
    const peer = await startPeer();
    const config = rawConfig([peer.url]);
    const gateway = await start(config);
    const one = await client(gateway.port);
    await one.send('a');
    await one.untilBytes(1);
    const before = gateway.gateway.current;
    await gateway.gateway.apply(await configOf(rawConfig([peer.url], { route: { name: 'other' } })));
    await one.send('b');
    expect((await one.untilBytes(2)).toString()).toBe('ab');
    expect(before?.active).toBe(1);
    const two = await client(gateway.port);
    await two.send('c');
    await two.untilBytes(1);
    expect(metric(gateway, 'portico_tcp_active_connections{route="other",service="echo"}')).toBe(1);
    expect(await gateway.gateway.stop(0, 50)).toBe(2);
    expect([await one.untilEnded(), await two.untilEnded()]).toEqual(['reset', 'reset']);
    expect([before?.active, gateway.gateway.current?.active]).toEqual([0, 0]);
  });

  test('outlives its listener, and serves by the new mode from the reload on', async () => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url]));
    const one = await client(gateway.port);
    await one.send('a');
    await one.untilBytes(1);
    await gateway.gateway.apply(
      await configOf(configWith({ routes: [{ name: 'all', match: {}, respond: { body: 'http' } }] })),
    );
    const two = await client(gateway.port);
    await two.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await two.answer()).body.toString()).toBe('http');
    await one.send('b');
    expect((await one.untilBytes(2)).toString()).toBe('ab');
  });

  test('takes no more connections than it may', async () => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url], { listener: { mode: 'tcp', limits: { connections: 2 } } }));
    const [one, two] = [await client(gateway.port), await client(gateway.port)];
    for (const each of [one, two]) {
      await each.send('x');
      await each.untilBytes(1);
    }
    const third = await client(gateway.port);
    await third.untilEnded();
    expect(peer.accepted).toBe(2);
    expect(gateway.gateway.relays).toBe(2);
  });

  test('writes a line to the access log for each connection that is over', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portico-raw-'));
    const file = join(directory, 'access.log');
    opened.push({ close: () => rmSync(directory, { recursive: true }) });
    const peer = await startPeer();
    const gateway = await start(
      rawConfig([peer.url], {
        listener: { mode: 'tls-passthrough' },
        route: { match: { sni: ['a.example.com'] } },
        logging: { level: 'silent', access: { file } },
      }),
    );
    const hello = connectTls({ port: gateway.port, host: '127.0.0.1', servername: 'A.example.com' });
    hello.on('error', () => {});
    await peer.until(() => peer.received.length > 0, 'the ClientHello');
    const { length } = peer.received;
    hello.destroy();
    await untilIdle(gateway);
    const other = connectTls({ port: gateway.port, host: '127.0.0.1', servername: 'b.example.com' });
    await new Promise((resolve) => other.on('error', () => {}).on('close', resolve));
    await untilIdle(gateway);
    expect(metric(gateway, ended('no_route', 'none', ''))).toBe(1);
    expect(gateway.gateway.health.read().failed).toBe(0);
    await gateway.gateway.stop(0, 100);
    const lines = readFileSync(file, 'latin1')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const common = { client: '127.0.0.1', method: 'TCP', protocol: 'TLS', path: '', upstream_status: null, retries: 0 };
    expect(lines).toMatchObject([
      { ...common, host: 'a.example.com', route: 'raw', service: 'echo', bytes_in: length },
      {
        ...common,
        host: 'b.example.com',
        route: 'none',
        service: null,
        endpoint: null,
        status: 404,
        error: 'route_not_found',
        bytes_in: 0,
      },
    ]);
    expect(lines[0].endpoint).toBe(`127.0.0.1:${peer.port}`);
    expect(lines[0].duration_ms).toBeGreaterThan(0);
  });

  test('resets what a quarantined route takes, and leaves requests to others', async () => {
    const gateway = await start({
      ...configWith({
        services: [{ name: 'echo', endpoints: ['tcp://127.0.0.1:9'] }],
        routes: [
          { name: 'raw', match: { listeners: ['raw'] }, service: 'echo', timeout: '1s' },
          { name: 'all', match: {}, respond: { body: 'http' } },
        ],
        onInvalidRoute: 'quarantine',
      }),
      listeners: [
        { name: 'test', address: '127.0.0.1:0' },
        { name: 'raw', address: '127.0.0.1:0', mode: 'tcp' },
      ],
    });
    expect(await refusal(gateway.gateway.addresses[1].port)).toBe('ECONNRESET');
    await untilIdle(gateway);
    expect(metric(gateway, ended('quarantined', 'raw', ''))).toBe(1);
    const one = await client(gateway.port);
    await one.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await one.answer()).body.toString()).toBe('http');
  });
});

const authority = createAuthority();

/** A TLS server that says its name to everybody. */
async function startTls(name: string, names = [name]): Promise<{ url: string }> {
  const server = createTlsServer(authority.issue({ names }), (socket) => {
    socket.on('error', () => {});
    socket.end(name);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push({ close: () => new Promise((resolve) => server.close(resolve)) });
  return { url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** What the server says, and whose certificate the client saw. */
async function askTls(port: number, servername: string): Promise<{ said: string; name: string }> {
  const socket = connectTls({ port, host: '127.0.0.1', servername, ca: authority.ca });
  return new Promise((resolve, reject) => {
    let said = '';
    let name = '';
    socket.on('secureConnect', () => {
      name = (socket as TLSSocket).getPeerCertificate().subject.CN as string;
    });
    socket.setEncoding('latin1').on('data', (text) => (said += text));
    socket.on('error', reject);
    socket.on('close', () => resolve({ said, name }));
  });
}

describe('a listener of mode tls-passthrough', () => {
  test('goes by SNI: exact names, wildcards, none; and never ends TLS', async () => {
    const [db, wild, other] = [
      await startTls('db.example.com'),
      await startTls('*.example.com'),
      await startTls('other', ['other', 'elsewhere.test', 'db.example.com']),
    ];
    const gateway = await start(
      configWith({
        listener: { mode: 'tls-passthrough' },
        services: [
          { name: 'db', endpoints: [db.url] },
          { name: 'wild', endpoints: [wild.url] },
          { name: 'other', endpoints: [other.url] },
        ],
        routes: [
          { name: 'rest', match: { listeners: ['test'] }, service: 'other' },
          { name: 'wild', match: { sni: ['*.example.com'] }, service: 'wild' },
          { name: 'db', match: { sni: ['db.example.com'] }, service: 'db' },
        ],
      }),
    );
    expect(await askTls(gateway.port, 'DB.example.com')).toEqual({ said: 'db.example.com', name: 'db.example.com' });
    expect(await askTls(gateway.port, 'a.example.com')).toEqual({ said: '*.example.com', name: '*.example.com' });
    expect(await askTls(gateway.port, 'elsewhere.test')).toEqual({ said: 'other', name: 'other' });
    await untilIdle(gateway);
    for (const [route, service] of [
      ['rest', 'other'],
      ['wild', 'wild'],
      ['db', 'db'],
    ])
      expect(metric(gateway, ended('completed', route, service))).toBe(1);
  });

  test.each([
    ['what is not TLS', 'GET / HTTP/1.1\r\n\r\n', 'the connection does not begin with a TLS handshake'],
    ['half a ClientHello, and the end', '\x16\x03\x01', 'the connection ended within the ClientHello'],
    ['one that never comes', '', 'the ClientHello did not come in time'],
  ])('refuses %s', async (_name, bytes, reason) => {
    const peer = await startPeer();
    const gateway = await start(
      rawConfig([peer.url], { listener: { mode: 'tls-passthrough', timeouts: { requestHead: '40ms' } } }),
    );
    const one = await client(gateway.port);
    await one.send(bytes);
    if (reason.includes('ended')) one.halfClose();
    expect(await one.untilEnded()).toBe('reset');
    await untilIdle(gateway);
    expect(gateway.lines).toEqual([
      {
        message: 'connection refused',
        fields: { listener: 'test', client: '127.0.0.1', fault: 'client_hello', reason },
      },
    ]);
    expect(metric(gateway, 'portico_connection_faults_total{listener="test",fault="client_hello"}')).toBe(1);
    expect(metric(gateway, ended('no_hello', 'none', ''))).toBe(1);
    expect(peer.accepted).toBe(0);
  });

  test('says nothing of who only looks whether somebody listens', async () => {
    const gateway = await start(rawConfig(['tcp://127.0.0.1:9'], { listener: { mode: 'tls-passthrough' } }));
    const one = await client(gateway.port);
    one.halfClose();
    await one.untilEnded();
    await untilIdle(gateway);
    expect(gateway.lines).toEqual([]);
    expect(metric(gateway, ended('no_hello', 'none', ''))).toBe(0);
  });
});

const CLIENT = { address: '203.0.113.7', port: 5000, localAddress: '198.51.100.1', localPort: 443 };
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a PROXY header', () => {
  const from = { proxyProtocol: { from: ['127.0.0.0/8'] } };

  test.each([
    ['1', writeProxyV1],
    ['2', writeProxyV2],
  ])('of version %s says who the client of an HTTP connection is, however it is cut', async (_version, write) => {
    const origin = await startOrigin();
    opened.push(origin);
    const gateway = await start(configFor([origin.url], { listener: from }));
    const whole = Buffer.concat([write(CLIENT), Buffer.from(GET)]);
    for (const pieces of [
      [whole],
      [whole.subarray(0, 9), whole.subarray(9)],
      Array.from(whole, (byte) => Buffer.from([byte])),
    ]) {
      const one = await client(gateway.port);
      await one.send(pieces);
      expect((await one.answer()).status).toBe(200);
      await one.send(GET);
      expect((await one.answer()).status).toBe(200);
    }
    expect(origin.requests.map((request) => headerOf(request, 'x-forwarded-for'))).toEqual(
      Array(6).fill('203.0.113.7'),
    );
  });

  test('counts for trusted proxies, and `UNKNOWN` and `LOCAL` leave the peer as it is', async () => {
    const origin = await startOrigin();
    opened.push(origin);
    const gateway = await start(configFor([origin.url], { listener: { ...from, trustedProxies: ['203.0.113.0/24'] } }));
    const request = 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n';
    const nobody = { ...CLIENT, address: '' };
    for (const header of [writeProxyV1(CLIENT), writeProxyV1(nobody), writeProxyV2(nobody)]) {
      const one = await client(gateway.port);
      await one.send(Buffer.concat([header, Buffer.from(request)]));
      expect((await one.answer()).status).toBe(200);
    }
    expect(origin.requests.map((seen) => headerOf(seen, 'x-forwarded-for'))).toEqual([
      '192.0.2.9, 203.0.113.7',
      '127.0.0.1',
      '127.0.0.1',
    ]);
  });

  test('stands before HTTP/2 by prior knowledge, beside HTTP/1.1 and alone', async () => {
    const origin = await startOrigin();
    opened.push(origin);
    for (const protocols of [['h2', 'http/1.1'], ['h2']]) {
      const gateway = await start(configFor([origin.url], { listener: { ...from, protocols } }));
      const socket = connect({ port: gateway.port, host: '127.0.0.1' });
      socket.write(writeProxyV2(CLIENT));
      const session = connectHttp2('http://a.example', { createConnection: () => socket });
      session.on('error', () => {});
      const stream = session.request({ ':path': '/' });
      const [headers] = await once(stream, 'response');
      expect(headers[':status']).toBe(200);
      session.destroy();
      expect(headerOf(origin.requests.at(-1) as (typeof origin.requests)[number], 'x-forwarded-for')).toBe(
        '203.0.113.7',
      );
    }
  });

  test('stands before TLS', async () => {
    const origin = await startOrigin();
    opened.push(origin);
    const { cert, key } = authority.issue({ names: ['a.example'] });
    const certificates = [{ certFile: '/a.crt', keyFile: '/a.key' }];
    const listener = { ...from, tls: { certificates }, protocols: ['http/1.1'] };
    const gateway = await start(configFor([origin.url], { listener }), { '/a.crt': cert, '/a.key': key });
    const one = await client(gateway.port);
    await one.send(writeProxyV2(CLIENT));
    const secure = connectTls({ socket: one.socket, servername: 'a.example', ca: authority.ca });
    one.socket.removeAllListeners('data');
    secure.write(GET);
    const [answer] = await once(secure, 'data');
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
    expect(headerOf(origin.requests[0], 'x-forwarded-for')).toBe('203.0.113.7');
    secure.destroy();
  });

  test.each([
    ['is missing', GET, 'the connection does not begin with a PROXY header'],
    ['is malformed', 'PROXY TCP4 a b c d\r\n', 'the line of version 1 names no addresses and ports'],
    ['is cut', 'PROXY TCP4 192.0.2.1 ', 'the connection ended within the PROXY header'],
    ['is slow', '', 'the PROXY header did not come in time'],
    ['is slow after its beginning', 'PROXY ', 'the PROXY header did not come in time'],
  ])('that %s ends the connection', async (name, bytes, reason) => {
    const origin = await startOrigin();
    opened.push(origin);
    const gateway = await start(configFor([origin.url], { listener: { ...from, timeouts: { requestHead: '40ms' } } }));
    const one = await client(gateway.port);
    await one.send(bytes);
    if (name === 'is cut') one.halfClose();
    expect(await one.untilClosed()).toBe('reset');
    await untilIdle(gateway);
    expect(gateway.lines).toEqual([
      {
        message: 'connection refused',
        fields: { listener: 'test', client: '127.0.0.1', fault: 'proxy_header', reason },
      },
    ]);
    expect(metric(gateway, 'portico_connection_faults_total{listener="test",fault="proxy_header"}')).toBe(1);
    expect(origin.accepted).toBe(0);
  });

  test('is taken from nobody else', async () => {
    const origin = await startOrigin();
    opened.push(origin);
    const gateway = await start(configFor([origin.url], { listener: { proxyProtocol: { from: ['192.0.2.0/24'] } } }));
    for (const header of [writeProxyV1(CLIENT), writeProxyV2(CLIENT)]) {
      const one = await client(gateway.port);
      await one.send(Buffer.concat([header, Buffer.from(GET)]));
      expect((await one.answer()).status).toBe(400);
    }
    const one = await client(gateway.port);
    await one.send(GET);
    expect((await one.answer()).status).toBe(200);
    expect(headerOf(origin.requests[0], 'x-forwarded-for')).toBe('127.0.0.1');
  });

  test('is not waited for when nobody sends anything, at the end or of who leaves', async () => {
    const gateway = await start(configFor(['http://127.0.0.1:9'], { listener: from }));
    const [gone, silent] = [await client(gateway.port), await client(gateway.port)];
    for (let turns = 0; turns < 2000 && gateway.gateway.connections < 2; turns++) await turn();
    gone.halfClose();
    await gone.untilEnded();
    expect(gateway.lines).toEqual([]);
    await gateway.gateway.stop(0, 5000);
    await silent.untilEnded();
  });

  test.each(['v1', 'v2'] as const)('of version %s tells an endpoint who the client is', async (proxyProtocol) => {
    const peer = await startPeer();
    const gateway = await start(rawConfig([peer.url], { listener: from, service: { proxyProtocol } }));
    const write = proxyProtocol === 'v1' ? writeProxyV1 : writeProxyV2;
    const named = await client(gateway.port);
    await named.send(Buffer.concat([writeProxyV1(CLIENT), Buffer.from('hello')]));
    const expected = Buffer.concat([write(CLIENT), Buffer.from('hello')]).toString('latin1');
    await peer.until(() => peer.received.length >= expected.length, 'the header and what follows');
    expect(peer.received).toBe(expected);
    expect((await named.untilBytes(expected.length)).toString('latin1')).toBe(expected);
    peer.received = '';
    const own = await client(gateway.port);
    await own.send(writeProxyV1({ ...CLIENT, address: '' }));
    const { localPort } = own.socket;
    const header = write({
      address: '127.0.0.1',
      port: localPort as number,
      localAddress: '127.0.0.1',
      localPort: gateway.port,
    });
    await peer.until(() => peer.received.length >= header.length, 'the header');
    expect(peer.received).toBe(header.toString('latin1'));
  });
});

function hasHaproxy(): boolean {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!hasHaproxy())('haproxy in front says who the client is, in both versions', async () => {
  const origin = await startOrigin();
  const sockets = await startPeer(() => {});
  opened.push(origin);
  const gateway = await start(configFor([origin.url], { listener: { proxyProtocol: { from: ['127.0.0.1'] } } }));
  await sockets.close();
  const ports = await Promise.all([freePort(), freePort()]);
  const directory = mkdtempSync(join(tmpdir(), 'portico-haproxy-'));
  const file = join(directory, 'haproxy.cfg');
  const listen = (port: number, word: string): string =>
    `listen p${port}\n  bind 127.0.0.1:${port}\n  server s 127.0.0.1:${gateway.port} ${word}\n`;
  writeFileSync(
    file,
    `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n${listen(ports[0], 'send-proxy')}${listen(ports[1], 'send-proxy-v2')}`,
  );
  const haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  opened.push({
    close: async () => {
      const gone = once(haproxy, 'exit');
      haproxy.kill('SIGKILL');
      await gone;
      rmSync(directory, { recursive: true });
    },
  });
  for (const port of ports) {
    const one = await reach(port);
    await one.send(GET);
    expect((await one.answer()).status).toBe(200);
  }
  expect(origin.requests.map((request) => headerOf(request, 'x-forwarded-for'))).toEqual(['127.0.0.1', '127.0.0.1']);
});

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Tries until somebody listens. */
async function reach(port: number): Promise<RawClient> {
  for (let tries = 0; ; tries++) {
    try {
      return await client(port);
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const modes: SocketSharing[] = bestSharing() === 'reuse-port' ? ['reuse-port', 'handed-over'] : ['handed-over'];

test.each(modes)('several workers with sockets %s relay as one gateway', async (sharing) => {
  const [a, b] = [await startPeer(), await startPeer()];
  const supervisor = new Supervisor(2, {
    clock: systemClock,
    timers: systemTimers,
    logger: { ...silentLogger },
    random: Math.random,
    version: '0.0.0-test',
    sharing,
    inherited: new Inheritance(),
    onLines: () => {},
  });
  opened.push({ close: () => supervisor.abandon() });
  const config = (name: string): object =>
    rawConfig([a.url, b.url], {
      listener: { proxyProtocol: { from: ['127.0.0.1'] } },
      service: { proxyProtocol: 'v1' },
      route: { name },
    });
  await supervisor.apply(await configOf(config('one')));
  const { port } = supervisor.addresses[0];
  const header = writeProxyV1(CLIENT).toString('latin1');
  const clients = await Promise.all(Array.from({ length: 12 }, () => client(port)));
  for (const one of clients) await one.send(`${header}hello`);
  for (const one of clients) expect((await one.untilBytes(header.length + 5)).toString()).toBe(`${header}hello`);
  const count = async (series: string): Promise<number> => {
    const page = [...(await supervisor.metrics())].join('');
    const line = page.split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  };
  expect(await count('portico_tcp_active_connections{route="one",service="echo"}')).toBe(12);
  const ofOne = { route: 'one', service: 'echo', active: 12, connections: 12, failed: 0, ended: 0 };
  const bytes = 12 * (header.length + 5);
  expect((await supervisor.stats()).relays).toMatchObject({
    total: { active: 12, connections: 12, successRate: 100, bytesOut: bytes },
    routes: [{ ...ofOne, bytesIn: 12 * 5, bytesOut: bytes }],
  });
  expect(await supervisor.health()).toEqual({ status: 'healthy', total: 12, failed: 0, successRate: 100 });
  await supervisor.apply(await configOf(config('two')));
  for (const one of clients) await one.send('again');
  for (const one of clients) await one.untilBytes(header.length + 10);
  const late = await client(port);
  await late.send(`${header}x`);
  await late.untilBytes(header.length + 1);
  expect(await count('portico_tcp_active_connections{route="two",service="echo"}')).toBe(1);
  for (const one of [...clients, late]) one.halfClose();
  for (const one of [...clients, late]) expect(await one.untilEnded()).toBe('end');
  for (let tries = 0; (await count(ended('completed', 'two'))) < 1 && tries < 100; tries++) await turn();
  expect(await count('portico_tcp_active_connections{route="two",service="echo"}')).toBe(0);
  const { services } = await supervisor.status();
  expect(services[0].endpoints.map(({ active }) => active)).toEqual([0, 0]);
  expect(services[0].endpoints.map(({ requests }) => requests).reduce((sum, one) => sum + one)).toBe(13);
  expect((await supervisor.stats()).relays.routes).toMatchObject([
    { route: 'two', active: 0, connections: 1, failed: 0, ended: 1 },
  ]);
  await Promise.all([a.close(), b.close()]);
  for (let round = 0; round < 8; round++) {
    const lost = await client(port);
    await lost.send(`${header}x`);
    expect(await lost.untilEnded()).toBe('reset');
  }
  expect(await supervisor.health()).toEqual({
    status: 'degraded',
    total: 21,
    failed: 8,
    successRate: expect.closeTo((100 * 13) / 21),
  });
  expect((await supervisor.stats()).relays.routes).toMatchObject([{ route: 'two', connections: 9, failed: 8 }]);
});
