/** TLS to services over HTTP/1.1: who is believed, what is shown, what is said when it fails, and what a reload changes. */
import type { RequestListener } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createPlainServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { configFor, configOf, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import { Signal } from '../support/waiting.ts';

const authority = createAuthority();
const sound = authority.issue({ names: ['origin.test', '127.0.0.1', 'localhost'] });
const client = authority.issue({ names: ['gateway'], client: true });
const stranger = createAuthority('Stranger');

const opened = closedAfterEach();

class SecureOrigin {
  readonly server: Server;
  readonly signal = new Signal();
  readonly sockets = new Set<TLSSocket>();
  /** Handshakes that came to an end. */
  handshakes = 0;
  resumed = 0;
  serverNames: (string | false)[] = [];

  constructor(options: ServerOptions, listener: RequestListener) {
    this.server = createServer(options, listener);
    this.server.keepAliveTimeout = 0;
    this.server.on('secureConnection', (socket) => {
      this.handshakes++;
      if (socket.isSessionReused()) this.resumed++;
      this.serverNames.push((socket as TLSSocket & { servername: string | false }).servername);
      this.sockets.add(socket);
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.signal.notify();
      });
      this.signal.notify();
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const fine: RequestListener = (_request, response) => response.end('fine');

async function secureOrigin(options: ServerOptions & IssuedCertificate, listener = fine): Promise<SecureOrigin> {
  const origin = new SecureOrigin(options, listener);
  await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve));
  opened.push(origin);
  return origin;
}

/** What stands in the files that a service names. */
interface Files {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

function tlsOf(files: Files, more: object = {}): object {
  const named: Record<string, string> = {};
  for (const name of Object.keys(files)) named[`${name}File`] = `/${name}.pem`;
  return { ...named, ...more };
}

function contentsOf(files: Files): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`/${name}.pem`, text]));
}

type Extra = NonNullable<Parameters<typeof configFor>[1]>;

async function gatewayTo(urls: string[], files: Files, tls: object = {}, extra: Extra = {}): Promise<TestGateway> {
  const service = { tls: tlsOf(files, tls), ...extra.service };
  const gateway = await startTestGateway(configFor(urls, { ...extra, service }), [], undefined, contentsOf(files));
  opened.push(gateway);
  return gateway;
}

function applyTls(gateway: TestGateway, urls: string[], files: Files, tls: object = {}): Promise<boolean> {
  return configOf(configFor(urls, { service: { tls: tlsOf(files, tls) } }), [], contentsOf(files)).then((config) =>
    gateway.gateway.apply(config),
  );
}

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

interface Problem {
  code: string;
  detail: string;
}

const problemIn = (body: Buffer): Problem => JSON.parse(body.toString()) as Problem;

describe('the endpoint’s certificate', () => {
  const ca = authority.ca;
  const expired = authority.issue({ names: ['127.0.0.1'], days: -1 });
  const early = authority.issue({ names: ['127.0.0.1'], notBefore: new Date(Date.now() + 10 * 86_400_000) });
  const other = authority.issue({ names: ['other.test'] });
  const forged = stranger.issue({ names: ['127.0.0.1'] });
  const wrongUse = authority.issue({ names: ['127.0.0.1'], client: true });
  const chained = authority.intermediate('Between').issue({ names: ['127.0.0.1'] });
  test.each<[string, IssuedCertificate, Files, object, string]>([
    ['is believed when the authority is', sound, { ca }, {}, ''],
    ['is held to the name that is asked for', sound, { ca }, { serverName: 'origin.test' }, ''],
    ['may be whatever it is with verify: false', expired, {}, { verify: false }, ''],
    ['that has expired', expired, { ca }, {}, 'CERT_HAS_EXPIRED'],
    ['that is not valid yet', early, { ca }, {}, 'CERT_NOT_YET_VALID'],
    ['for another name', other, { ca }, {}, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'for another name than the one asked for',
      sound,
      { ca },
      { serverName: 'a.test' },
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ['of an unknown authority', forged, { ca }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['of an authority that Node does not know', sound, {}, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['without the one between', chained, { ca }, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['of a client', wrongUse, { ca }, {}, 'INVALID_PURPOSE'],
  ])('%s', async (_, certificate, files, tls, reason) => {
    const origin = await secureOrigin(certificate);
    const { port } = await gatewayTo([origin.url], files, tls);
    const answer = await exchange(port, GET);
    if (reason === '') expect([answer.status, answer.body.toString()]).toEqual([200, 'fine']);
    else {
      expect(answer.status).toBe(502);
      expect(problemIn(answer.body)).toMatchObject({
        code: 'upstream_connect_failed',
        detail: `TLS handshake: ${reason}`,
      });
    }
  });
});

describe('what the endpoint is asked for', () => {
  test.each<[string, (origin: SecureOrigin) => string, object, string | false]>([
    ['nothing by SNI, for an address', ({ url }) => url, {}, false],
    ['its host by SNI', ({ port }) => `https://localhost:${port}`, {}, 'localhost'],
    ['the name that the service says', ({ url }) => url, { serverName: 'origin.test' }, 'origin.test'],
  ])('%s', async (_, urlOf, tls, expected) => {
    const origin = await secureOrigin(sound);
    const { port } = await gatewayTo([urlOf(origin)], { ca: authority.ca }, tls);
    expect((await exchange(port, GET)).status).toBe(200);
    expect(origin.serverNames).toEqual([expected]);
  });

  test('HTTP/1.1 by ALPN, and no less than the oldest version allowed', async () => {
    let protocol: string | false | null = null;
    const origin = await secureOrigin({ ...sound, ALPNProtocols: ['h2', 'http/1.1'] }, (request, response) => {
      protocol = (request.socket as TLSSocket).alpnProtocol;
      response.end();
    });
    const old = await secureOrigin({ ...sound, maxVersion: 'TLSv1.2' });
    const gateway = await gatewayTo([origin.url], { ca: authority.ca }, { minVersion: 'TLSv1.3' });
    expect((await exchange(gateway.port, GET)).status).toBe(200);
    expect(protocol).toBe('http/1.1');
    const refusing = await gatewayTo([old.url], { ca: authority.ca }, { minVersion: 'TLSv1.3' });
    const answer = await exchange(refusing.port, GET);
    expect(problemIn(answer.body).detail).toMatch(/^TLS handshake: ERR_SSL_\w*PROTOCOL_VERSION$/);
  });

  test('TLS by the protocol https, whatever the scheme of the URL', async () => {
    const origin = await secureOrigin(sound);
    const plain = origin.url.replace('https:', 'http:');
    const { port } = await gatewayTo([plain], { ca: authority.ca }, {}, { service: { protocol: 'https' } });
    expect((await exchange(port, GET)).status).toBe(200);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a certificate of the gateway, by %s', async (version) => {
    const asking = { requestCert: true, ca: authority.ca, maxVersion: version, minVersion: version };
    let seen = '';
    const origin = await secureOrigin({ ...sound, ...asking }, (request, response) => {
      seen = (request.socket as TLSSocket).getPeerCertificate().subject.CN as string;
      response.end();
    });
    const known = await gatewayTo([origin.url], { ca: authority.ca, cert: client.cert, key: client.key });
    expect((await exchange(known.port, GET)).status).toBe(200);
    expect(seen).toBe('gateway');
    // Also of a request that must not be sent twice it is known that nobody read it.
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
    const none = await gatewayTo([origin.url], { ca: authority.ca });
    expect(problemIn((await exchange(none.port, post)).body)).toMatchObject({
      code: 'upstream_connect_failed',
      detail: expect.stringMatching(/^TLS handshake: ERR_SSL_\S*ALERT\w*$/),
    });
    expect(none.gateway.current!.services.get('origin')!.endpoints[0].pool.open).toBe(0);
    // Node.js as a server closes a connection whose certificate it does not believe without a word.
    const { cert, key } = stranger.issue({ names: ['gateway'], client: true });
    const wrong = await gatewayTo([origin.url], { ca: authority.ca, cert, key });
    expect((await exchange(wrong.port, post)).status).toBe(502);
  });
});

describe('a handshake that fails', () => {
  test('counts against the endpoint, and the request goes to another one', async () => {
    const bad = await secureOrigin(stranger.issue({ names: ['127.0.0.1'] }));
    const good = await secureOrigin(sound);
    const { port, gateway } = await gatewayTo(
      [bad.url, good.url],
      { ca: authority.ca },
      {},
      {
        service: { passive: { failures: 2, coolDown: '1h' } },
        route: { retry: { attempts: 2, on: ['connect-failure'], backoff: { base: '1ms', max: '1ms' } } },
      },
    );
    for (let i = 0; i < 6; i++) expect((await exchange(port, GET)).status).toBe(200);
    const [down, up] = gateway.current!.services.get('origin')!.endpoints;
    expect([down.healthy, down.failures, up.healthy, up.failures]).toEqual([false, 2, true, 0]);
    expect(down.pool.open).toBe(0);
  });

  test.each([
    ['that never comes', () => {}, 'timeout'],
    [
      'with a server that does not speak TLS',
      (socket: { end(text: string): void }) => socket.end('220 smtp\r\n'),
      'ERR_SSL_',
    ],
    ['that is cut', (socket: { destroy(): void }) => socket.destroy(), 'ECONNRESET'],
  ])('%s is over within the time to connect', async (_, onConnection, reason) => {
    const server = createPlainServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => onConnection(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(server);
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { port, gateway } = await gatewayTo(
      [url],
      { ca: authority.ca },
      {},
      { service: { timeouts: { connect: '60ms' } } },
    );
    const answer = await exchange(port, GET);
    expect(answer.status).toBe(502);
    expect(problemIn(answer.body).detail).toContain(`TLS handshake: ${reason}`);
    expect(gateway.current!.services.get('origin')!.endpoints[0].pool.open).toBe(0);
  });
});

describe('connections under TLS', () => {
  test('are kept, and their sessions are gone on with by new ones', async () => {
    const origin = await secureOrigin(sound, (request, response) => {
      if (request.url === '/close') response.setHeader('connection', 'close');
      response.end('fine');
    });
    const { port, gateway } = await gatewayTo([origin.url], { ca: authority.ca });
    for (let i = 0; i < 3; i++) await exchange(port, GET);
    expect(origin.handshakes).toBe(1);
    await exchange(port, GET.replace('/', '/close'));
    await origin.signal.until(() => origin.sockets.size === 0, 'the connection to be closed');
    expect((await exchange(port, GET)).status).toBe(200);
    expect([origin.handshakes, origin.resumed]).toEqual([2, 1]);
    const { pool } = gateway.current!.services.get('origin')!.endpoints[0];
    expect([pool.open, pool.idle]).toEqual([1, 1]);
  });

  test('carry large bodies both ways, byte for byte', async () => {
    const body = Buffer.alloc(1024 * 1024, 'abcdefghijklmnopqrstuvwxyz0123456789');
    const origin = await secureOrigin(sound, (request, response) => {
      response.writeHead(200, { 'content-length': request.headers['content-length'] });
      request.pipe(response);
    });
    const { port } = await gatewayTo([origin.url], { ca: authority.ca });
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = await exchange(port, Buffer.concat([Buffer.from(head), body]));
    expect(answer.body.equals(body)).toBe(true);
  });

  test('of an endpoint that closes them while they rest are replaced without the client’s knowing', async () => {
    const origin = await secureOrigin(sound);
    const { port } = await gatewayTo([origin.url], { ca: authority.ca });
    for (let i = 0; i < 3; i++) {
      expect((await exchange(port, GET)).status).toBe(200);
      for (const socket of origin.sockets) socket.destroy();
      await origin.signal.until(() => origin.sockets.size === 0, 'the connection to be closed');
    }
    expect(origin.handshakes).toBe(3);
  });
});

describe('a reload that changes TLS', () => {
  const renewed = authority.issue({ names: ['renewed'], client: true });

  /** An origin that answers with the name in the gateway’s certificate, `/slow` ones when they are released. */
  async function namingOrigin(): Promise<{ origin: SecureOrigin; release: () => void }> {
    const slow: (() => void)[] = [];
    const asking = { requestCert: true, ca: authority.ca };
    const origin = await secureOrigin({ ...sound, ...asking }, (request, response) => {
      const name = (request.socket as TLSSocket).getPeerCertificate().subject.CN;
      if (request.url === '/slow') slow.push(() => response.end(name));
      else response.end(name);
      origin.signal.notify();
    });
    return {
      origin,
      release: () => {
        for (const answer of slow.splice(0)) answer();
      },
    };
  }

  test('shows the new certificate at once, and lets busy connections end', async () => {
    const { origin, release } = await namingOrigin();
    const old = { ca: authority.ca, cert: client.cert, key: client.key };
    const gateway = await gatewayTo([origin.url], old);
    const slow = await rawClient(gateway.port);
    opened.push(slow);
    const seen = origin.signal.until(() => origin.handshakes === 1, 'the first connection');
    await slow.send(GET.replace('/', '/slow'));
    await seen;
    expect((await exchange(gateway.port, GET)).body.toString()).toBe('gateway');
    const { pool } = gateway.gateway.current!.services.get('origin')!.endpoints[0];
    expect([pool.open, pool.idle]).toEqual([2, 1]);
    await applyTls(gateway, [origin.url], { ...old, cert: renewed.cert, key: renewed.key });
    await origin.signal.until(() => origin.sockets.size === 1, 'the idle connection to be closed');
    expect((await exchange(gateway.port, GET)).body.toString()).toBe('renewed');
    release();
    expect((await slow.answer()).body.toString()).toBe('gateway');
    await origin.signal.until(() => origin.sockets.size === 1, 'the busy connection to be closed');
    expect((await exchange(gateway.port, GET)).body.toString()).toBe('renewed');
    expect([pool.open, pool.idle]).toEqual([1, 1]);
  });

  test('no longer believes an authority by an old session', async () => {
    const origin = await secureOrigin(sound);
    const gateway = await gatewayTo([origin.url], { ca: authority.ca });
    expect((await exchange(gateway.port, GET)).status).toBe(200);
    await applyTls(gateway, [origin.url], { ca: stranger.ca });
    const answer = await exchange(gateway.port, GET);
    expect(problemIn(answer.body).code).toBe('upstream_connect_failed');
  });

  test('keeps the connections when the same certificates are loaded again', async () => {
    const { origin } = await namingOrigin();
    const files = { ca: authority.ca, cert: client.cert, key: client.key };
    const gateway = await gatewayTo([origin.url], files);
    await exchange(gateway.port, GET);
    await applyTls(gateway, [origin.url], files, { minVersion: 'TLSv1.2' });
    await gateway.gateway.apply(gateway.gateway.current!.config, { force: true });
    await exchange(gateway.port, GET);
    expect(origin.handshakes).toBe(1);
  });

  test.each<[string, Files]>([
    ['a key of another certificate', { cert: client.cert, key: renewed.key }],
    ['no certificate at all', { cert: 'none', key: client.key }],
    ['no authority', { ca: '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n' }],
  ])('changes nothing when it brings %s', async (_, files) => {
    const origin = await secureOrigin(sound);
    const gateway = await gatewayTo([origin.url], { ca: authority.ca });
    // Loading refuses such files: here they have changed since.
    const { config } = gateway.gateway.current!;
    const services = config.services.map((service) => ({ ...service, tls: { ...service.tls!, ...files } }));
    await expect(gateway.gateway.apply({ ...config, services })).rejects.toThrow(
      /TLS of service origin cannot be used/,
    );
    expect(gateway.gateway.generation).toBe(1);
    expect((await exchange(gateway.port, GET)).status).toBe(200);
  });
});

describe('health checks', () => {
  test.each([
    ['believe what the service’s requests believe', authority.ca, true],
    ['believe nobody else', stranger.ca, false],
  ])('%s', async (_, ca, healthy) => {
    const origin = await secureOrigin({ ...sound, requestCert: true, ca: authority.ca });
    const { gateway } = await gatewayTo(
      [origin.url],
      { ca, cert: client.cert, key: client.key },
      { serverName: 'origin.test' },
      { service: { healthCheck: { interval: '20ms', timeout: '5s', unhealthyAfter: 1, healthyAfter: 1 } } },
    );
    const [endpoint] = gateway.current!.services.get('origin')!.endpoints;
    endpoint.setHealthy(!healthy, 'for the test');
    await new Promise<void>((resolve) => {
      endpoint.owners.push({ onEndpointHealth: () => resolve(), onEndpointFailure: () => {} });
    });
    expect(endpoint.healthy).toBe(healthy);
  });
});
