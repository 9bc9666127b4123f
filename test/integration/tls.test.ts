/** TLS ends at a listener: certificates by SNI, protocols by ALPN, what is refused, and certificates that change under way. */
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createAuthority, trusting } from '../support/certificates.ts';
import { configOf, configWith, startTestGateway, type TestFiles, type TestGateway } from '../support/gateway.ts';
import { type answerOf, http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type OriginScript, startOrigin } from '../support/raw-origin.ts';

const authority = createAuthority();
const shop = authority.issue({ names: ['shop.test', '*.shop.test'] });
const exact = authority.issue({ names: ['api.shop.test'] });
const other = authority.issue({ names: ['other.test', '127.0.0.1'] });
const files = {
  'shop.crt': shop.cert,
  'shop.key': shop.key,
  'exact.crt': exact.cert,
  'exact.key': exact.key,
  'other.crt': other.cert,
  'other.key': other.key,
};

function pair(name: string): object {
  return { certFile: `${name}.crt`, keyFile: `${name}.key` };
}

const opened = closedAfterEach();

function configFor(url: string, listener: object): object {
  return configWith({
    listener,
    services: [{ name: 'origin', endpoints: [url] }],
    routes: [{ name: 'all', match: {}, service: 'origin' }],
    logging: { level: 'warn', access: false },
  });
}

interface Setting {
  readonly gateway: TestGateway;
  readonly lines: unknown[];
  readonly url: string;
}

async function setUp(tls: object = {}, listener: object = {}, script: OriginScript = {}): Promise<Setting> {
  const origin = await startOrigin(script);
  const lines: unknown[] = [];
  const note = (...line: unknown[]): void => void lines.push(line);
  const logger = { level: 'warn' as const, debug: () => {}, info: () => {}, warn: note, error: note };
  const all = { tls: { certificates: [pair('other'), pair('shop'), pair('exact')], ...tls }, ...listener };
  const gateway = await startTestGateway(configFor(origin.url, all), [], logger, files);
  opened.push(origin, gateway);
  return { gateway, lines, url: origin.url };
}

/** A client that trusts the authority and looks at no name. */
async function client(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ...trusting(authority), ...options });
  opened.push({ close: () => socket.destroy() });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

function names(socket: TLSSocket): string | undefined {
  return socket.getPeerX509Certificate()?.subjectAltName;
}

async function get(socket: TLSSocket, path = '/'): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString('latin1');
}

describe('the certificate', () => {
  test.each([
    ['shop.test', 'DNS:shop.test'],
    ['SHOP.test', 'DNS:shop.test'],
    ['a.shop.test', 'DNS:shop.test'],
    ['api.shop.test', 'DNS:api.shop.test'],
    ['a.b.shop.test', 'DNS:other.test'],
    ['nobody.test', 'DNS:other.test'],
    ['', 'DNS:other.test'],
  ])('for the name "%s" is that of %s', async (servername, first) => {
    const { gateway } = await setUp();
    const socket = await client(gateway.port, { servername });
    expect(names(socket)?.split(', ')[0]).toBe(first);
    expect(await get(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('changes with a reload: for new connections, while old ones live on', async () => {
    const { gateway, url } = await setUp();
    const before = await client(gateway.port);
    const renewed = authority.issue({ names: ['renewed.test'] });
    const changed: TestFiles = { ...files, 'other.crt': renewed.cert, 'other.key': renewed.key };
    const config = configFor(url, { tls: { certificates: [pair('other')] } });
    await gateway.gateway.apply(await configOf({ ...config, listeners: listenersOf(config, gateway) }, [], changed));
    expect(names(await client(gateway.port))).toBe('DNS:renewed.test');
    expect(await get(before)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('that cannot be used changes nothing', async () => {
    const { gateway, url } = await setUp();
    const broken: TestFiles = {
      ...files,
      'other.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    };
    const config = configFor(url, { tls: { certificates: [pair('other')] } });
    const apply = async (): Promise<unknown> =>
      gateway.gateway.apply(await configOf({ ...config, listeners: listenersOf(config, gateway) }, [], broken));
    await expect(apply()).rejects.toThrow();
    expect(names(await client(gateway.port))).toContain('DNS:other.test');
  });
});

/** The same listener on the port that it has. */
function listenersOf(config: object, { port }: TestGateway): object[] {
  const { listeners } = config as { listeners: object[] };
  return listeners.map((listener) => ({ ...listener, address: `127.0.0.1:${port}` }));
}

describe('the protocol', () => {
  test.each([
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [undefined, false],
  ])('for an offer of %j is %s', async (ALPNProtocols, protocol) => {
    const { gateway } = await setUp();
    expect((await client(gateway.port, { ALPNProtocols })).alpnProtocol).toBe(protocol);
  });

  test('is only what the listener speaks', async () => {
    const { gateway } = await setUp({}, { protocols: ['http/1.1'] });
    expect((await client(gateway.port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1');
  });

  test('is HTTP/2 for clients that want it, and the upstream is told of https', async () => {
    let head = '';
    const { gateway } = await setUp(
      {},
      {},
      {
        onRequest: (_, connection) => {
          head = connection.received.toString('latin1');
          connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        },
      },
    );
    const http2 = await http2Client(`https://127.0.0.1:${gateway.port}`, { ca: authority.ca });
    opened.push(http2);
    const answer = await http2.request({ ':path': '/', ':authority': 'shop.test' });
    expect([answer.status, answer.body.toString()]).toEqual([200, 'ok']);
    expect(head).toContain('X-Forwarded-Proto: https\r\n');
    expect(head).toContain('Forwarded: for=127.0.0.1;host="shop.test";proto=https\r\n');
  });
});

describe('sessions', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('are resumed in %s', async (maxVersion) => {
    const { gateway } = await setUp();
    const first = await client(gateway.port, { maxVersion });
    // The newer version hands sessions out after the handshake.
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve));
    await get(first);
    const kept = maxVersion === 'TLSv1.3' ? await session : first.getSession();
    const again = await client(gateway.port, { maxVersion, ...(kept === undefined ? {} : { session: kept }) });
    expect(again.isSessionReused()).toBe(true);
    expect(await get(again)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('what is refused', () => {
  function counted({ gateway }: Setting): string | undefined {
    return /^portico_connection_faults_total\{.*\} .*$/m.exec(gateway.gateway.metrics.render())?.[0];
  }

  test.each([
    ['an old version', { maxVersion: 'TLSv1.2' as const }],
    ['no protocol in common', { ALPNProtocols: ['spdy/3'] }],
  ])('%s', async (_, options) => {
    const setting = await setUp({ minVersion: 'TLSv1.3' });
    await expect(client(setting.gateway.port, options)).rejects.toThrow();
    await expect
      .poll(() => counted(setting))
      .toBe('portico_connection_faults_total{listener="test",fault="tls_handshake"} 1');
    expect(setting.lines).toMatchObject([
      ['connection refused', { listener: 'test', client: '127.0.0.1', fault: 'tls_handshake' }],
    ]);
  });

  test.each([
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a record that is too long', Buffer.from('160301ffff', 'hex')],
    ['a client hello that is cut', Buffer.from('1603010200010001fc0303', 'hex')],
    ['nothing', ''],
  ])('%s', async (_, bytes) => {
    const setting = await setUp({ handshakeTimeout: '200ms' });
    const socket = connectPlain(setting.gateway.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    await once(socket.resume(), 'close');
    await expect.poll(() => setting.lines.length).toBe(1);
    expect(counted(setting)).toContain('fault="tls_handshake"} 1');
    expect(setting.gateway.gateway.connections).toBe(0);
  });

  test('plain HTTP, of which the log tells', async () => {
    const setting = await setUp();
    const socket = connectPlain(setting.gateway.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect
      .poll(() => setting.lines)
      .toMatchObject([['connection refused', { reason: 'plain HTTP, where TLS is spoken' }]]);
  });
});

describe('ends', () => {
  test('an answer that is cut upstream is cut for the client', async () => {
    const { gateway } = await setUp(
      {},
      {},
      {
        onRequest: (_, connection) => {
          connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123');
          connection.end();
        },
      },
    );
    const socket = await client(gateway.port);
    expect(await get(socket)).toContain('Content-Length: 10');
    await once(socket, 'close');
    await expect.poll(() => gateway.gateway.active).toBe(0);
    expect(gateway.gateway.connections).toBe(0);
  });

  test('a large answer to a slow reader is held back, and whole', async () => {
    const size = 8 * 1024 * 1024;
    const { gateway } = await setUp(
      {},
      {},
      {
        onRequest: (_, { socket }) => {
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
          socket.write(Buffer.alloc(size, 97));
        },
      },
    );
    const socket = await client(gateway.port);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      socket.pause();
      setImmediate(() => socket.resume());
    });
    await once(socket, 'close');
    expect(received).toBeGreaterThan(size);
    await expect.poll(() => gateway.gateway.connections).toBe(0);
  });

  test('a drain ends idle connections of both protocols', async () => {
    const { gateway } = await setUp();
    const socket = await client(gateway.port);
    await get(socket);
    const http2 = await http2Client(`https://127.0.0.1:${gateway.port}`, { ca: authority.ca });
    await http2.request({ ':path': '/', ':authority': 'a' });
    const ended = Promise.all([once(socket.resume(), 'close'), once(http2.session, 'close')]);
    expect(await gateway.gateway.stop(0, 5000)).toBe(0);
    await ended;
  });

  test('a client that leaves during the handshake leaves nothing', async () => {
    const { gateway } = await setUp();
    for (let i = 0; i < 20; i++) {
      const socket = connect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.on('error', () => {});
      socket.once('connect', () => setImmediate(() => socket.destroy()));
      await once(socket, 'close');
    }
    await expect.poll(() => gateway.gateway.connections).toBe(0);
    expect((await answerOfOne(gateway.port)).status).toBe(200);
  });
});

async function answerOfOne(port: number): ReturnType<typeof answerOf> {
  const http2 = await http2Client(`https://127.0.0.1:${port}`, { ca: authority.ca });
  opened.push(http2);
  return http2.request({ ':path': '/', ':authority': 'a' });
}
