/** TLS to services over HTTP/1.1: who is believed, what is shown, what is said when it fails, and what a reload changes. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { configFor, configOf, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import { Signal } from '../support/waiting.ts';

const authority = createAuthority();
const sound = authority.issue({ names: ['origin.test', '127.0.0.1', 'localhost'] });
const client = authority.issue({ names: ['gateway'], client: true });
const stranger = createAuthority('Stranger');

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

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
