/** Mutual TLS: whose certificates are believed, what policies and upstreams learn of them, and what nobody can pretend. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ClientCertificate } from '../../src/net/client-certificate.ts';
import { definePolicy } from '../../src/pipeline/policy.ts';
import { createAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';

const servers = createAuthority('Servers');
const clients = createAuthority('Clients');
const strangers = createAuthority('Strangers');
const server = servers.issue({ names: ['127.0.0.1'] });
const anna = clients.issue({ names: ['anna.example', 'spiffe://example/anna'], client: true });
const expired = clients.issue({ names: ['old.example'], client: true, days: -1 });
const stranger = strangers.issue({ names: ['anna.example'], client: true });

const files = { 's.crt': server.cert, 's.key': server.key, 'clients.crt': clients.ca, 'strangers.crt': strangers.ca };

const opened = closedAfterEach();
type ClientCertificates = { caFile?: string; verify?: 'required' | 'optional'; forward?: boolean };

function listenerOf(name: string, clientCertificates: ClientCertificates | null, port = 0): object {
  const asked =
    clientCertificates === null ? {} : { clientCertificates: { caFile: 'clients.crt', ...clientCertificates } };
  return {
    name,
    address: `127.0.0.1:${port}`,
    tls: { certificates: [{ certFile: 's.crt', keyFile: 's.key' }], ...asked },
  };
}

function configFor(url: string, listeners: object[], policies: object[] = []): object {
  return configWith({
    listeners,
    services: [{ name: 'origin', endpoints: [url] }],
    routes: [{ name: 'all', match: {}, service: 'origin', policies }],
    logging: { level: 'warn', access: false },
  });
}

interface Setting extends TestGateway {
  readonly origin: Origin;
  readonly lines: unknown[][];
  /** What a policy was told of each request's client. */
  readonly seen: (ClientCertificate | null)[];
  apply(listeners: object[]): Promise<unknown>;
}

async function setUp(...listeners: object[]): Promise<Setting> {
  const origin = await startOrigin();
  const lines: unknown[][] = [];
  const seen: (ClientCertificate | null)[] = [];
  const note = (...line: unknown[]): void => void lines.push(line);
  const logger = { level: 'warn' as const, debug: () => {}, info: () => {}, warn: note, error: note };
  const witness = definePolicy({
    name: 'witness',
    phase: 'guard',
    schema: z.strictObject({}),
    create: () => ({
      effect: 'sees',
      onRequest: (exchange) => {
        seen.push(exchange.clientCertificate);
        expect(exchange.header('x-client-cert-subject')).toBe(undefined);
        return undefined;
      },
    }),
  });
  const started = await startTestGateway(configFor(origin.url, listeners, [{ witness: {} }]), [witness], logger, files);
  opened.push(origin, started);
  const apply = async (changed: object[]): Promise<unknown> =>
    started.gateway.apply(await configOf(configFor(origin.url, changed, [{ witness: {} }]), [witness], files));
  return { ...started, origin, lines, seen, apply };
}

function optionsOf(port: number, own: Partial<IssuedCertificate>, more: ConnectionOptions = {}): ConnectionOptions {
  return { port, host: '127.0.0.1', ca: servers.ca, ...own, ...more };
}

async function secure(port: number, own: Partial<IssuedCertificate>, more: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect(optionsOf(port, own, more));
  opened.push({ close: () => socket.destroy() });
  await once(socket, 'secureConnect');
  return socket;
}

/** The first line of the answer; `''` when the connection ends without one. */
function ask(socket: TLSSocket, fields = ''): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1').split('\r\n')[0]));
    socket.once('close', () => resolve(''));
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  });
}

/** One request over either protocol, with these fields; answers its status. */
const PROTOCOLS: Record<
  string,
  (port: number, own: Partial<IssuedCertificate>, fields: [string, string][]) => Promise<number>
> = {
  async 'HTTP/1.1'(port, own, fields) {
    const socket = await secure(port, own);
    return Number((await ask(socket, fields.map(([name, value]) => `${name}: ${value}\r\n`).join(''))).split(' ')[1]);
  },
  async 'HTTP/2'(port, own, fields) {
    const client = await http2Client(`https://127.0.0.1:${port}`, { ca: servers.ca, ...own });
    opened.push(client);
    const lower = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
    return (await client.request({ ':path': '/', ':authority': 'a', ...lower })).status;
  },
};

async function received(origin: Origin, index = 0): Promise<string[]> {
  const { fields } = await origin.request(index);
  return fields
    .filter(({ name }) => /^x.client.cert/i.test(name))
    .map(({ name, value }) => `${name}: ${value}`)
    .sort();
}

const TOLD = [
  `X-Client-Cert-Fingerprint: ${new X509Certificate(anna.cert).fingerprint256.replaceAll(':', '').toLowerCase()}`,
  'X-Client-Cert-SAN: DNS:anna.example, URI:spiffe://example/anna',
  'X-Client-Cert-Subject: CN=anna.example',
];

describe.each(Object.entries(PROTOCOLS))('over %s', (protocol, request) => {
  test('a believed certificate is told to policies and, if asked, to the upstream', async () => {
    const { port, origin, seen } = await setUp(listenerOf('secure', { forward: true }));
    expect(await request(port, anna, [])).toBe(200);
    expect(await received(origin)).toEqual(TOLD);
    expect(seen).toMatchObject([
      {
        subject: 'CN=anna.example',
        issuer: 'CN=Clients',
        names: ['DNS:anna.example', 'URI:spiffe://example/anna'],
        fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
  });

  test('it is not told upstream unless asked, and policies know it all the same', async () => {
    const { port, origin, seen } = await setUp(listenerOf('secure', {}));
    expect(await request(port, anna, [])).toBe(200);
    expect(await received(origin)).toEqual([]);
    expect(seen[0]?.subject).toBe('CN=anna.example');
  });

  const spoofed: [string, string][] = [
    ['X-Client-Cert-Subject', 'CN=root'],
    ['x-client-cert-san', 'DNS:root'],
    ['X_Client_Cert_Fingerprint', 'ff'],
    ['X-Client-Cert-Anything', '1'],
  ];

  test.each<[string, ClientCertificates | null, Partial<IssuedCertificate>, string[]]>([
    ['without client certificates', null, {}, []],
    ['that tells nothing', { verify: 'optional' }, anna, []],
    ['that would tell, of a client without one', { verify: 'optional', forward: true }, {}, []],
    ['that tells', { forward: true }, anna, TOLD],
  ])('copies that a client sends are removed on a listener %s', async (_, asked, own, expected) => {
    const { port, origin } = await setUp(listenerOf('secure', asked));
    expect(await request(port, own, spoofed)).toBe(200);
    expect(await received(origin)).toEqual(expected);
  });

  test.each<[string, ClientCertificates, Partial<IssuedCertificate>, RegExp]>([
    ['no certificate where one is required', {}, {}, /peer did not return a certificate/],
    ['one of another authority', {}, stranger, /certificate/],
    ['one of another authority, where none is required', { verify: 'optional' }, stranger, /certificate/],
    ['one that has expired', {}, expired, /CERT_HAS_EXPIRED/],
    ['one that has expired, where none is required', { verify: 'optional' }, expired, /CERT_HAS_EXPIRED/],
    ['one for servers', {}, server, /certificate/],
  ])('is refused: %s', async (_, asked, own, reason) => {
    const { port, origin, lines, gateway, seen } = await setUp(listenerOf('secure', { forward: true, ...asked }));
    const status = await request(port, own, []).catch(() => 0);
    expect(status).not.toBe(200);
    await expect.poll(() => lines.length).toBe(1);
    expect(lines).toMatchObject([
      [
        'connection refused',
        { listener: 'secure', client: '127.0.0.1', fault: 'tls_handshake', reason: expect.stringMatching(reason) },
      ],
    ]);
    expect(gateway.metrics.render()).toContain(
      'portico_connection_faults_total{listener="secure",fault="tls_handshake"} 1\n',
    );
    expect([origin.connections.length, seen.length]).toEqual([0, 0]);
    await expect.poll(() => gateway.connections).toBe(0);
    expect(protocol).toMatch(/^HTTP/);
  });

  test('no certificate is fine where none is required', async () => {
    const { port, seen } = await setUp(listenerOf('secure', { verify: 'optional', forward: true }));
    expect(await request(port, {}, [])).toBe(200);
    expect(seen).toEqual([null]);
  });
});

test('copies that a client sends are removed without TLS, in trailers too', async () => {
  const { port, origin } = await setUp({ name: 'plain', address: '127.0.0.1:0', trustedProxies: ['127.0.0.0/8'] });
  const answer = await exchange(port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Client-Cert-Subject: CN=root\r\n\r\n');
  expect(answer.status).toBe(200);
  expect(await received(origin)).toEqual([]);
  const trailers = '0\r\nX-Client-Cert-Subject: CN=root\r\n\r\n';
  const refused = await exchange(port, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${trailers}`);
  expect(refused.status).toBe(400);
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s', (maxVersion) => {
  async function sessionOf(port: number, own: Partial<IssuedCertificate>): Promise<Buffer> {
    const socket = await secure(port, own, { maxVersion });
    const session = new Promise<Buffer>((resolve) => socket.once('session', resolve));
    expect(await ask(socket)).toBe('HTTP/1.1 200 OK');
    return maxVersion === 'TLSv1.3' ? session : (socket.getSession() as Buffer);
  }

  test('that is gone on with keeps the identity', async () => {
    const { port, seen, origin } = await setUp(listenerOf('secure', { forward: true }));
    const session = await sessionOf(port, anna);
    const again = await secure(port, anna, { maxVersion, session });
    expect(again.isSessionReused()).toBe(true);
    expect(await ask(again)).toBe('HTTP/1.1 200 OK');
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]?.subject).toBe('CN=anna.example');
    expect(await received(origin, 1)).toEqual(TOLD);
  });

  test('from a listener that asks for nothing opens none that asks', async () => {
    const { gateway, seen, origin } = await setUp(listenerOf('open', null), listenerOf('closed', {}));
    const [open, closed] = gateway.addresses.map(({ port }) => port);
    const session = await sessionOf(open, {});
    const status = await secure(closed, {}, { maxVersion, session })
      .then(ask)
      .catch(() => '');
    expect(status).toBe('');
    expect([seen.length, origin.connections.length]).toEqual([1, 1]);
  });

  test.each<[string, ClientCertificates, Partial<IssuedCertificate>, ClientCertificates]>([
    ['without a certificate, when one comes to be required', { verify: 'optional' }, {}, {}],
    ['with a certificate whose authority is no longer believed', {}, anna, { caFile: 'strangers.crt' }],
  ])('is not gone on with: %s', async (_, before, own, after) => {
    const { gateway, port, seen, apply } = await setUp(listenerOf('secure', before));
    const session = await sessionOf(port, own);
    await apply([listenerOf('secure', after, port)]);
    expect(gateway.addresses[0].port).toBe(port);
    const status = await secure(port, own, { maxVersion, session })
      .then(ask)
      .catch(() => '');
    expect(status).toBe('');
    expect(seen).toHaveLength(1);
  });
});
