/** Keys of tokens that are not in the configuration: published by an issuer that changes them and fails, or in a file that is replaced. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemTimers } from '../../src/base/clock.ts';
import { FileWatches } from '../../src/cli/file-watches.ts';
import { loadConfig } from '../../src/config/load.ts';
import { builtInPolicies, builtInSchemas } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closeManaged, startManagedTest } from '../support/managed.ts';
import { exchange } from '../support/raw-client.ts';
import { hmac, SECRET, signer, soundClaims, tokenOf } from '../support/tokens.ts';
import { Signal } from '../support/waiting.ts';
import { valuesOf } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const one = generateKeyPairSync('rsa', { modulusLength: 2048 });
const two = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });
const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();
const ofOne = (more: Record<string, unknown> = {}): string =>
  tokenOf({ alg: 'RS256', kid: 'one' }, soundClaims(more), signer('RS', one.privateKey));
const ofTwo = (more: Record<string, unknown> = {}): string =>
  tokenOf({ alg: 'ES256', kid: 'two' }, soundClaims(more), signer('ES', two.privateKey));

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await closeManaged();
});

interface Issuer {
  readonly url: string;
  keys: object[];
  status: number;
  fetches: number;
  readonly fetched: Signal;
}

async function startIssuer(): Promise<Issuer> {
  const fetched = new Signal();
  const server = createServer((request, response) => {
    issuer.fetches++;
    const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` };
    const body = request.url?.startsWith('/.well-known/') === true ? metadata : { keys: issuer.keys };
    response.writeHead(issuer.status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    fetched.notify();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Issuer = { url, keys: [jwk(one.publicKey, 'one')], status: 200, fetches: 0, fetched };
  return issuer;
}

const configOfJwt = (...uses: object[]): object =>
  configWith({
    routes: uses.map((options, i) => ({
      name: `r${i}`,
      match: { path: `/${i}` },
      respond: { status: 204 },
      policies: [{ jwt: options }],
    })),
  });

async function start(...uses: object[]): Promise<TestGateway> {
  const gateway = await startTestGateway(configOfJwt(...uses));
  closing.push(() => gateway.close());
  return gateway;
}

function ask(port: number, token: string, path = '/0'): Promise<WireResponse> {
  return exchange(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
}

const statusOf = async (port: number, token: string, path = '/0'): Promise<number> =>
  (await ask(port, token, path)).status;

describe('keys by URL', () => {
  test('are fetched once for all routes and requests, and again for a key that is not known', async () => {
    const issuer = await startIssuer();
    const jwks = { url: `${issuer.url}/keys` };
    const { port } = await start({ jwks }, { jwks, issuer: 'portico-test' });
    const statuses = Array.from({ length: 20 }, (_, i) => statusOf(port, ofOne({ jti: `${i}` }), `/${i % 2}`));
    expect(new Set(await Promise.all(statuses))).toEqual(new Set([204]));
    expect(issuer.fetches).toBe(1);
    issuer.keys = [jwk(one.publicKey, 'one'), jwk(two.publicKey, 'two')];
    expect(await statusOf(port, ofTwo())).toBe(204);
    expect(issuer.fetches).toBe(2);
    const unknown = Array.from({ length: 20 }, (_, i) =>
      statusOf(port, tokenOf({ alg: 'ES256', kid: `k${i}` }, soundClaims(), signer('ES', two.privateKey))),
    );
    expect(new Set(await Promise.all(unknown))).toEqual(new Set([401]));
    expect(issuer.fetches).toBe(2);
  });

  test('of which one goes take along what it verified', async () => {
    const issuer = await startIssuer();
    const jwks = { url: `${issuer.url}/keys`, minRefreshInterval: '0ms' };
    const { port } = await start({ jwks });
    const token = ofOne();
    expect([await statusOf(port, token), await statusOf(port, token)]).toEqual([204, 204]);
    issuer.keys = [jwk(two.publicKey, 'two')];
    expect(await statusOf(port, ofTwo())).toBe(204);
    expect(await statusOf(port, token)).toBe(401);
  });

  test('are kept while the issuer fails', async () => {
    const issuer = await startIssuer();
    const { port } = await start({ jwks: { url: `${issuer.url}/keys`, minRefreshInterval: '0ms' } });
    expect(await statusOf(port, ofOne())).toBe(204);
    issuer.status = 500;
    expect(await statusOf(port, ofTwo())).toBe(401);
    expect(await statusOf(port, ofOne({ jti: 'new' }))).toBe(204);
    expect(issuer.fetches).toBe(2);
  });

  test('that were never had make answers 503 and not 401, but for what no key could verify', async () => {
    const issuer = await startIssuer();
    issuer.status = 500;
    const { port } = await start({ jwks: { url: `${issuer.url}/keys` } });
    const { status, fields, body } = await ask(port, ofOne());
    expect([status, valuesOf(fields, 'retry-after'), valuesOf(fields, 'www-authenticate')]).toEqual([503, ['1'], []]);
    expect(JSON.parse(body.toString())).toMatchObject({ code: 'authentication_unavailable' });
    expect(body.toString()).not.toContain('127.0.0.1');
    expect(await statusOf(port, tokenOf({ alg: 'HS256', kid: 'one' }, soundClaims(), hmac(pem(one.publicKey))))).toBe(
      401,
    );
    expect(await statusOf(port, tokenOf({ alg: 'none' }, soundClaims()))).toBe(401);
    expect(await statusOf(port, 'x.y.z')).toBe(401);
    issuer.status = 200;
    await expect.poll(() => statusOf(port, ofOne())).toBe(204);
  });

  test('outlive a reload, with what they verified', async () => {
    const issuer = await startIssuer();
    const jwks = { url: `${issuer.url}/keys` };
    const { gateway, port } = await start({ jwks });
    expect(await statusOf(port, ofOne())).toBe(204);
    await gateway.apply(await configOf(configOfJwt({ jwks }, { jwks, audience: 'other' })));
    issuer.status = 500;
    expect([await statusOf(port, ofOne()), await statusOf(port, ofOne(), '/1')]).toEqual([204, 401]);
    expect(issuer.fetches).toBe(1);
  });

  test('are found by asking the issuer', async () => {
    const issuer = await startIssuer();
    const { port } = await start({ issuer: issuer.url, discovery: true });
    expect(await statusOf(port, ofOne({ iss: issuer.url }))).toBe(204);
    expect(await statusOf(port, ofOne({ iss: `${issuer.url}/` }))).toBe(401);
    expect(issuer.fetches).toBe(2);
  });
});

describe('a key in a file', () => {
  function configText(directory: string): string {
    const policies = (use: string): string => `respond: { status: 204 }, policies: [${use}]`;
    return `version: 1
workers: 1
shutdown: { drain: 0ms, timeout: 1s }
admin: { address: "127.0.0.1:0" }
logging: { level: silent, access: false }
listeners: [{ name: a, address: "127.0.0.1:0" }]
routes:
  - { name: alone, match: { path: /0 }, ${policies('{ jwt: { publicKeyFile: key.pem } }')} }
  - { name: among, match: { path: /1 }, ${policies(`{ anyOf: [{ jwt: { publicKeyFile: ${join(directory, 'key.pem')} } }] }`)} }
`;
  }

  function directoryWith(text: string): string {
    const directory = mkdtempSync(join(tmpdir(), 'portico-jwt-'));
    closing.push(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'key.pem'), text);
    return directory;
  }

  test('is read beside the configuration, and followed when it changes', async () => {
    const directory = directoryWith(pem(one.publicKey));
    const watches = new FileWatches({ timers: systemTimers, watchConfig: false });
    const { port, control } = await startManagedTest(configText(directory), {
      directory,
      onTlsFiles: (files) => watches.onTlsFiles(files),
    });
    watches.begin(control);
    closing.push(() => watches.close());
    const token = ofOne();
    expect([await statusOf(port, token), await statusOf(port, token, '/1')]).toEqual([204, 204]);
    expect(await statusOf(port, ofTwo())).toBe(401);
    writeFileSync(join(directory, 'key.pem'), pem(two.publicKey));
    await expect.poll(() => statusOf(port, ofTwo())).toBe(204);
    expect([await statusOf(port, token), await statusOf(port, token, '/1')]).toEqual([401, 401]);
  });

  test.each<[string, string | null, string]>([
    ['is not there', null, 'unreadable_file'],
    ['holds nothing', '', 'invalid_public_key'],
    [
      'holds a certificate that is none',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      'invalid_public_key',
    ],
    ['holds a private key', one.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 'invalid_public_key'],
    ['holds a secret', SECRET, 'invalid_public_key'],
  ])('that %s is an error in its place', async (_, text, code) => {
    const directory = directoryWith(text ?? '');
    if (text === null) rmSync(join(directory, 'key.pem'));
    writeFileSync(join(directory, 'portico.yaml'), configText(directory));
    const { config, findings } = await loadConfig(join(directory, 'portico.yaml'), { policies: builtInSchemas });
    expect(config).toBeNull();
    expect(findings.map((finding) => [finding.code, finding.path])).toEqual([
      [code, 'routes[0].policies[0].jwt.publicKeyFile'],
      [code, 'routes[1].policies[0].anyOf[0].jwt.publicKeyFile'],
    ]);
    for (const { message } of findings)
      if (text !== null && text !== '') expect(message).not.toContain(text.slice(0, 60));
  });
});

test('an explanation asks no issuer, and shows neither secret nor token', async () => {
  const issuer = await startIssuer();
  const config = await configOf(configOfJwt({ jwks: { url: `${issuer.url}/keys` } }, { secret: SECRET }));
  const token = ofOne();
  const explanation = await explainRequest(
    config,
    { method: 'GET', url: 'http://a/0', headers: [`Authorization: Bearer ${token}`] },
    builtInPolicies,
  );
  expect(issuer.fetches).toBe(0);
  expect(explanation.policies).toMatchObject([{ name: 'jwt', phase: 'authenticate' }]);
  expect(explanation.answer).toMatchObject({ code: 'authentication_unavailable' });
  expect(JSON.stringify(explanation)).not.toContain(SECRET);
});
