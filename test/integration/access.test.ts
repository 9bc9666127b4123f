/** Who may call and how much, by the contract's `access.yaml`: every route behaves as its comment says, with one worker and with two. */
import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeManaged, startManagedTest, type TestManaged } from '../support/managed.ts';

const SECRET = 'a-secret-for-tests-of-32-bytes-or-more';
const KEY = 'pk_acme01_for-trying-only-0123456789abcdef';
const APP = 'https://app.example.com';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token by HS256; `over` changes its claims, where undefined leaves one out. */
function token(over: Record<string, unknown> = {}, secret = SECRET): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'portico-test', aud: 'api', sub: 'ann', exp: now + 600, ...over };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const bearer = (over: Record<string, unknown> = {}): Record<string, string> => ({
  authorization: `Bearer ${token(over)}`,
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What the origin received, or the problem document. */
  readonly body: { method?: string; path?: string; headers?: Record<string, string>; code?: string; detail?: string };
  readonly text: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
}

/** The keys that the issuer publishes. */
class Issuer {
  readonly published: object[] = [];
  fetched = 0;

  /** A key of its own, published under this id; answers a signer. */
  add(kid: string): (claims: object) => string {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.published.push({ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' });
    return (claims) => {
      const signed = `${part({ alg: 'ES256', kid })}.${part(claims)}`;
      const signature = signBytes('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    };
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

describe.each([1, 2])('access.yaml with %i workers', (workers) => {
  const issuer = new Issuer();
  const origin = createServer((incoming, answer) => {
    incoming.resume();
    incoming.on('end', () => {
      const send = (): void => {
        const { method, url, headers } = incoming;
        answer.setHeader('content-type', 'application/json');
        answer.end(JSON.stringify({ method, path: url, headers }));
      };
      if (incoming.headers['x-hold'] === undefined) send();
      else held.push(send);
    });
  });
  const keys = createServer((_, answer) => {
    issuer.fetched++;
    answer.end(JSON.stringify({ keys: issuer.published }));
  });
  /** Answers that wait for a test to let them go. */
  const held: (() => void)[] = [];
  let gateway: TestManaged;
  let directory: string;
  let signPartner: (claims: object) => string;

  beforeAll(async () => {
    signPartner = issuer.add('first');
    directory = mkdtempSync(join(tmpdir(), 'portico-access-'));
    const [originPort, keysPort] = [await listen(origin), await listen(keys)];
    const text = readFileSync(new URL('../fixtures/access.yaml', import.meta.url), 'utf8')
      .replace('version: 1', `version: 1\nworkers: ${workers}\nlogging: { access: false, level: silent }`)
      .replaceAll(':18080', ':0')
      .replaceAll(':19901', ':0')
      .replaceAll(':19001', `:${originPort}`)
      .replaceAll(':19004', `:${keysPort}`)
      .replace('./access-keys.db', join(directory, 'access-keys.db'));
    gateway = await startManagedTest(text, { env: { PORTICO_JWT_SECRET: SECRET }, directory });
  }, 60_000);

  afterAll(async () => {
    await closeManaged();
    origin.closeAllConnections();
    keys.closeAllConnections();
    await Promise.all([origin, keys].map((server) => new Promise((done) => server.close(done))));
    rmSync(directory, { recursive: true });
  });

  function ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({ port: gateway.port, host: '127.0.0.1', path, method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const body = text.startsWith('{') ? JSON.parse(text) : {};
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body, text });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  const statuses = async (count: number, path: string, headers: Record<string, string> = {}): Promise<number[]> => {
    const all: number[] = [];
    for (let i = 0; i < count; i++) all.push((await ask(path, { headers })).status);
    return all;
  };

  test('policies of all routes: headers against misuse of answers, and CORS before anybody asks who calls', async () => {
    const open = await ask('/open', { headers: { origin: APP, 'x-user-id': 'root', 'x-consumer-tier': 'best' } });
    expect(open.status).toBe(200);
    expect(open.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
    });
    expect([open.headers['x-frame-options'], open.headers['referrer-policy']].every(Boolean)).toBe(true);
    expect(open.headers['strict-transport-security']).toBeUndefined();
    expect(Object.keys(open.body.headers ?? {}).filter((name) => /^x-(user|consumer)/.test(name))).toEqual([]);
    const preflight = await ask('/me', {
      method: 'OPTIONS',
      headers: {
        origin: APP,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    });
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, APP]);
    const refused = await ask('/me', { headers: { origin: APP } });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, APP]);
  });

  test('/me: a token by HS256 names the caller to the upstream', async () => {
    const { status, body } = await ask('/me', { headers: bearer({ roles: ['editor', 'viewer'] }) });
    expect(status).toBe(200);
    expect(body.headers).toMatchObject({ 'x-user-id': 'ann', 'x-user-roles': 'editor,viewer' });
    const now = Math.floor(Date.now() / 1000);
    expect((await ask('/me', { headers: bearer({ exp: now - 3 }) })).status).toBe(200);
    const nobody = await ask('/me');
    expect([nobody.status, nobody.body.code]).toEqual([401, 'unauthenticated']);
    expect(nobody.headers['www-authenticate']).toMatch(/^Bearer/);
  });

  test.each<[string, string]>([
    ['expired beyond the skew', token({ exp: 1_600_000_000 })],
    ['not yet valid', token({ nbf: 4_000_000_000 })],
    ['of another issuer', token({ iss: 'other' })],
    ['for another audience', token({ aud: ['web'] })],
    ['signed with another secret', token({}, 'another-secret-of-more-than-32-bytes-x')],
    ['without a signature', `${part({ alg: 'none' })}.${part({ iss: 'portico-test', aud: 'api', sub: 'ann' })}.`],
    ['cut off', token().slice(0, -10)],
    ['no token at all', 'geheim'],
  ])('/me refuses a token that is %s', async (_, bad) => {
    const { status, headers, body, text } = await ask('/me', { headers: { authorization: `Bearer ${bad}` } });
    expect([status, body.code]).toEqual([401, 'unauthenticated']);
    expect(headers['www-authenticate']).toContain('error="invalid_token"');
    expect(text).not.toContain(bad);
  });

  test('/partner: keys come from the issuer, and anew when a token names one that is not known', async () => {
    const claims = { iss: 'https://issuer.example', sub: 'p', exp: Math.floor(Date.now() / 1000) + 60, tenant: 'acme' };
    const by = (text: string) => ask('/partner', { headers: { authorization: `Bearer ${text}` } });
    expect((await by(signPartner(claims))).status).toBe(200);
    expect((await by(signPartner({ ...claims, tenant: 'other' }))).status).toBe(401);
    expect((await by(signPartner({ ...claims, iss: 'portico-test' }))).status).toBe(401);
    expect((await by(token({ iss: claims.iss, tenant: 'acme' }))).status).toBe(401);
    expect(issuer.fetched).toBeLessThanOrEqual(2 * workers);
  });

  test('/orders: a token or a key; roles and scopes permit; tiers limit', async () => {
    expect((await ask('/orders')).status).toBe(401);
    const viewer = await ask('/orders', { headers: bearer({ sub: `v${workers}`, roles: ['viewer'] }) });
    expect(viewer.status).toBe(200);
    expect(viewer.headers).toMatchObject({ 'x-ratelimit-tier': 'free', 'x-ratelimit-daily-limit': '10000' });
    const stranger = await ask('/orders', { headers: bearer({ roles: ['guest'] }) });
    expect([stranger.status, stranger.body.code]).toEqual([403, 'forbidden']);
    expect(stranger.text).not.toContain('orders:read');
    const acme = await ask('/orders', { headers: { 'x-api-key': KEY } });
    expect(acme.status).toBe(200);
    expect(acme.body.headers).toMatchObject({ 'x-consumer-name': 'acme', 'x-consumer-tier': 'pro' });
    expect(acme.headers).toMatchObject({ 'x-ratelimit-tier': 'pro', 'x-ratelimit-daily-limit': '1000000' });
    expect((await ask('/orders', { headers: { 'x-api-key': `${KEY}x` } })).status).toBe(401);
    // The first credential that is present decides, good or bad.
    expect((await ask('/orders', { headers: { 'x-api-key': KEY, authorization: 'Bearer x.y.z' } })).status).toBe(401);
  });

  test('/orders: beyond the burst of the tier a caller is told when to come again and where to get more', async () => {
    const headers = bearer({ sub: `busy${workers}`, roles: ['viewer'] });
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/orders', { headers })));
    const refused = answers.filter(({ status }) => status === 429);
    // 20 at once; while they run, the rate may grant a few more.
    expect(refused.length).toBeGreaterThan(5);
    expect(refused.length).toBeLessThanOrEqual(20);
    const [one] = refused;
    expect(Number(one.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(one.headers['x-ratelimit-remaining']).toBe('0');
    expect(one.body).toMatchObject({ code: 'rate_limited', tier: 'free', upgradeUrl: '/pricing' });
    expect(one.headers['ratelimit-policy']).toBeDefined();
    expect((await ask('/orders', { headers: bearer({ sub: `calm${workers}`, roles: ['viewer'] }) })).status).toBe(200);
  });

  test('/orders by POST: permission, a condition on the claims, and a bound on the body', async () => {
    const post = (over: object, size = 10) =>
      ask('/orders', { method: 'POST', headers: bearer({ roles: ['editor'], ...over }), body: Buffer.alloc(size) });
    expect((await post({ active: true })).status).toBe(200);
    expect((await post({ active: false })).status).toBe(403);
    expect((await post({})).status).toBe(403);
    expect((await post({ active: true, roles: ['viewer'] })).status).toBe(403);
    expect((await post({ active: true }, 64 * 1024)).status).toBe(200);
    expect((await post({ active: true }, 64 * 1024 + 1)).status).toBe(413);
  });

  test('/admin: for one role only', async () => {
    expect((await ask('/admin/x', { headers: bearer({ roles: ['admin'] }) })).status).toBe(200);
    expect((await ask('/admin/x', { headers: bearer({ roles: ['editor'] }) })).status).toBe(403);
    expect((await ask('/admin/x')).status).toBe(401);
  });

  test('limits of each algorithm grant what they say, for each client', async () => {
    const granted = (all: readonly number[]): number => all.filter((status) => status === 200).length;
    // At most one more, where the second of a bucket or a window turns under way.
    expect([5, 6, 7]).toContain(granted(await statuses(9, '/limits/bucket')));
    for (const [path, limit] of [
      ['gcra', 5],
      ['sliding', 10],
      ['log', 10],
      ['fixed', 10],
    ] as const) {
      const all = await statuses(limit + 3, `/limits/${path}`, { 'x-client': `one${workers}` });
      expect([path, all.slice(0, limit)]).toEqual([path, Array(limit).fill(200)]);
      expect([path, all.includes(429)]).toEqual([path, true]);
      const other = await ask(`/limits/${path}`, { headers: { 'x-client': `two${workers}` } });
      expect([path, other.status]).toEqual([path, 200]);
    }
  });

  test('/limits/two: a refusal of one limit charges neither', async () => {
    const headers = { 'x-client': `pair${workers}` };
    const before = await statuses(8, '/limits/two', headers);
    expect(before.slice(0, 2)).toEqual([200, 200]);
    expect(before).toContain(429);
    const used = before.filter((status) => status === 200).length;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const after = await statuses(2, '/limits/two', headers);
    // Five in the minute: what was refused did not count.
    expect(after).toEqual(used <= 3 ? [200, 200] : [200, 429]);
  });

  test('/limits/shadow: counts, and refuses nobody', async () => {
    expect(await statuses(4, '/limits/shadow')).toEqual([200, 200, 200, 200]);
  });

  test('/limits/concurrency: two at a time, ten wait, no more', async () => {
    const all = Array.from({ length: 14 }, () => ask('/limits/concurrency', { headers: { 'x-hold': '1' } }));
    const early = await Promise.race(all);
    expect([early.status, early.body.code]).toEqual([503, 'overloaded']);
    expect(Number(early.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(held.length).toBeLessThanOrEqual(2);
    for (const send of held.splice(0)) send();
    const timer = setInterval(() => {
      for (const send of held.splice(0)) send();
    }, 5);
    const found = (await Promise.all(all)).map(({ status }) => status);
    clearInterval(timer);
    expect(found.filter((status) => status === 200).length).toBeGreaterThanOrEqual(2);
    expect(found.filter((status) => status === 503).length).toBeGreaterThanOrEqual(2);
  });

  test('/office: by the address that the trusted proxy names', async () => {
    const from = async (address: string) => (await ask('/office', { headers: { 'x-forwarded-for': address } })).status;
    expect(await from('10.1.2.3')).toBe(200);
    expect(await from('192.0.2.200')).toBe(200);
    expect(await from('10.1.2.3, 203.0.113.9')).toBe(403);
    expect((await ask('/office')).status).toBe(403);
  });
});
