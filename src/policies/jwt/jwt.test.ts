/** Tokens that were verified are known, to those who may, until they end. */
import { describe, expect, test, vi } from 'vitest';
import { SECRET, soundToken as tokenNow } from '../../../test/support/tokens.ts';
import { parseConfigValue } from '../../config/load.ts';
import { builtInSchemas } from '../../gateway/built-in-policies.ts';
import { type Authenticator, isRefusal } from '../../pipeline/authentication.ts';
import type { Identity } from '../../pipeline/identity.ts';
import { exchangeOf, manualClock, servicesOf } from '../../pipeline/policy.test.support.ts';
import type { PolicyServices } from '../../pipeline/policy.ts';
import { jwt } from './index.ts';
import { jwtSchema } from './schema.ts';

const clock = manualClock();
const seconds = (offset = 0): number => clock.wall() / 1000 + offset;
const soundToken = (more: Record<string, unknown> = {}): string =>
  tokenNow({ iat: seconds(), exp: seconds(60), ...more });

function create(options: object, services: Partial<PolicyServices> = {}): Authenticator {
  return jwt.create(jwtSchema.parse(options), servicesOf({ clock, ...services }));
}

const ask = (one: Authenticator, token: string) =>
  one.authenticate(exchangeOf({ headers: { authorization: `Bearer ${token}` } }));

async function identityOf(one: Authenticator, token: string): Promise<Identity> {
  const outcome = await ask(one, token);
  if (isRefusal(outcome)) throw new Error(outcome.reason);
  return outcome;
}

describe('a token that was seen before', () => {
  test('is known at once, as the very same identity', async () => {
    const one = create({ secret: SECRET });
    const token = soundToken();
    const first = ask(one, token);
    expect(first).toBeInstanceOf(Promise);
    const identity = await first;
    expect(ask(one, token)).toBe(identity);
    expect(ask(one, `${token}x`)).not.toBe(identity);
  });

  test('is verified again when it has ended, and not before', async () => {
    const time = manualClock(clock.wall());
    const one = create({ secret: SECRET, clockSkew: '5s' }, { clock: time });
    const token = soundToken({ exp: seconds(60) });
    const identity = await identityOf(one, token);
    time.tick(64_999);
    expect(ask(one, token)).toBe(identity);
    time.tick(1);
    expect(await ask(one, token)).toMatchObject({
      reason: '"exp" claim timestamp check failed',
      error: 'error="invalid_token"',
    });
  });

  test('is known to other uses with the same options, in the next generation too, and to none with others', async () => {
    const services = servicesOf({ clock });
    const share = services.share;
    const one = create({ secret: SECRET, issuer: 'portico-test' }, { share });
    const token = soundToken();
    const identity = await identityOf(one, token);
    expect(ask(create({ secret: SECRET, issuer: 'portico-test' }, { share }), token)).toBe(identity);
    const elsewhere = { secret: SECRET, issuer: 'portico-test', from: [{ cookie: 'a' }, { header: 'authorization' }] };
    expect(ask(create(elsewhere, { share }), token)).toBe(identity);
    for (const other of [
      { secret: `${SECRET}x`, issuer: 'portico-test' },
      { secret: SECRET },
      { secret: SECRET, issuer: 'portico-test', audience: 'web' },
      { secret: SECRET, issuer: 'portico-test', claims: { a: 1 } },
      { secret: SECRET, issuer: 'portico-test', clockSkew: '1s' },
      { secret: SECRET, issuer: 'portico-test', forward: { 'X-A': 'sub' } },
    ]) {
      expect(ask(create(other, { share }), token)).toBeInstanceOf(Promise);
    }
    const config = { tiers: {}, roles: {}, consumers: [{ name: 'ann', apiKeys: [], metadata: {} }] };
    expect(ask(create({ secret: SECRET, issuer: 'portico-test' }, { share, config }), token)).toBeInstanceOf(Promise);
  });
});

test('keys by URL are one for all uses of it', () => {
  const setTimeout = vi.fn(() => null);
  const services = servicesOf({ clock, timers: { setTimeout, clearTimeout: () => {} } });
  const jwks = { url: 'https://a.example/keys' };
  create({ jwks, issuer: 'a' }, services);
  create({ jwks, issuer: 'b' }, services);
  expect(setTimeout).toHaveBeenCalledTimes(1);
  create({ jwks: { ...jwks, cacheFor: '1m' } }, services);
  expect(setTimeout).toHaveBeenCalledTimes(2);
});

test.each([
  [{ scope: 'a b  c' }, ['a', 'b', 'c']],
  [{ scope: ['a', 'b'] }, ['a', 'b']],
  [{ scp: 'a b' }, ['a', 'b']],
  [{ scopes: ['a', 1, ''] }, ['a']],
  [{ scope: 'a', scp: 'b' }, ['a']],
  [{ scope: 'a', permissions: ['orders:read', 'a'] }, ['a', 'orders:read']],
  [{ scope: { a: true } }, []],
  [{}, []],
])('scopes of %j are %j', async (claims, scopes) => {
  expect((await identityOf(create({ secret: SECRET }), soundToken(claims))).scopes).toEqual(scopes);
});

test('an identity has the claims and the number of its token', async () => {
  const identity = await identityOf(create({ secret: SECRET }), soundToken({ jti: '7', active: true }));
  expect(identity).toMatchObject({
    kind: 'jwt',
    subject: 'ann',
    credential: '7',
    claims: { active: true, aud: 'api' },
  });
  expect([identity.consumer, identity.tier]).toEqual([null, null]);
});

test('what a use does is told without what is secret', () => {
  const { effect, challenge } = create({
    secret: SECRET,
    issuer: 'a',
    audience: ['b', 'c'],
    algorithms: ['HS256'],
    claims: { tenant: 'x' },
    from: [{ header: 'X-T' }, { cookie: 't' }],
  });
  expect(effect).toBe(
    'takes tokens of a for b or c from the header x-t or the cookie t, HS256, verified by a shared secret, with tenant as asked',
  );
  expect(challenge).toBe('Bearer realm="portico"');
});

describe('what check says of options', () => {
  const PEM =
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n';
  const ED = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

  function check(options: object): string[] {
    const { findings } = parseConfigValue(
      {
        version: 1,
        listeners: [{ name: 'a', address: '127.0.0.1:0' }],
        routes: [{ name: 'r', match: { path: '/' }, respond: { status: 200 }, policies: [{ jwt: options }] }],
      },
      { policies: builtInSchemas },
    );
    for (const { message } of findings) {
      const { secret = '' } = options as { secret?: string };
      if (secret !== '') expect(message).not.toContain(secret);
    }
    return findings.map(
      ({ severity, code, path }) => `${severity} ${code} ${path.replace('routes[0].policies[0].jwt', '')}`,
    );
  }

  test.each<[string, object, string[]]>([
    ['a secret of 32 bytes', { secret: 'x'.repeat(32) }, []],
    ['a secret of 16 letters of two bytes', { secret: 'ž'.repeat(16) }, []],
    ['a short secret', { secret: 'x'.repeat(31) }, ['error weak_secret .secret']],
    ['an empty secret', { secret: '' }, ['error weak_secret .secret']],
    ['a public key for a secret', { secret: PEM }, ['error weak_secret .secret']],
    [
      'a secret that is short for its hash',
      { secret: SECRET, algorithms: ['HS256', 'HS384'] },
      ['warning weak_secret .secret'],
    ],
    ['none', { secret: SECRET, algorithms: ['none'] }, ['error unknown_name .algorithms[0]']],
    ['no algorithms', { secret: SECRET, algorithms: [] }, ['error invalid_value .algorithms']],
    [
      'an algorithm of other keys',
      { secret: SECRET, algorithms: ['HS256', 'ES256'] },
      ['error conflicting_keys .algorithms[1]'],
    ],
    ['a public key', { publicKey: PEM }, []],
    ['a public key for secrets', { publicKey: PEM, algorithms: ['HS256'] }, ['error conflicting_keys .algorithms[0]']],
    [
      'a public key for another kind',
      { publicKey: PEM, algorithms: ['RS256'] },
      ['error conflicting_keys .algorithms[0]'],
    ],
    ['a private key', { publicKey: PEM.replaceAll('PUBLIC', 'PRIVATE') }, ['error invalid_value .publicKey']],
    ['no key in the PEM', { publicKey: 'x' }, ['error invalid_value .publicKey']],
    ['a key', { keys: [ED] }, []],
    ['a key of another kind than it says', { keys: [{ ...ED, alg: 'ES256' }] }, ['error invalid_value .keys[0]']],
    ['a key of no kind', { keys: [{ kty: 'x' }] }, ['error invalid_value .keys[0]']],
    ['a private key among keys', { keys: [ED, { ...ED, d: 'AA' }] }, ['error invalid_value .keys[1]']],
    ['a short secret among keys', { keys: [{ kty: 'oct', k: 'AAAA' }] }, ['error invalid_value .keys[0]']],
    [
      'a secret among keys that is no base64url',
      { keys: [{ kty: 'oct', k: `${'A'.repeat(50)}+` }] },
      ['error invalid_value .keys[0]'],
    ],
    ['no keys', { keys: [] }, ['error invalid_value .keys']],
    ['keys by URL', { jwks: { url: 'https://a.example/' } }, []],
    ['keys by URL in the open', { jwks: { url: 'http://a.example/' } }, ['warning insecure_url .jwks.url']],
    ['keys by URL from here', { jwks: { url: 'http://127.0.0.1:1/' } }, []],
    [
      'keys by URL for secrets',
      { jwks: { url: 'https://a.example/' }, algorithms: ['HS256'] },
      ['error conflicting_keys .algorithms[0]'],
    ],
    ['no URL', { jwks: { url: '/keys' } }, ['error invalid_value .jwks.url']],
    ['a file', { jwks: { url: 'file:///a' } }, ['error invalid_value .jwks.url']],
    ['a password in the URL', { jwks: { url: 'https://a:b@a.example/' } }, ['error invalid_value .jwks.url']],
    ['discovery', { issuer: 'https://a.example', discovery: true }, []],
    ['discovery in the open', { issuer: 'http://a.example', discovery: true }, ['warning insecure_url .issuer']],
    ['discovery of nobody', { discovery: true }, ['error missing_key .discovery']],
    ['discovery of no URL', { issuer: 'a', discovery: true }, ['error invalid_value .issuer']],
    [
      'discovery of a URL with a query',
      { issuer: 'https://a.example/?a', discovery: true },
      ['error invalid_value .issuer'],
    ],
    ['nothing to verify by', {}, ['error missing_key ']],
    ['nothing but a false', { discovery: false }, ['error missing_key ']],
    ['two things to verify by', { secret: SECRET, keys: [ED] }, ['error conflicting_keys .keys']],
    [
      'a place of two kinds',
      { secret: SECRET, from: [{ header: 'a', cookie: 'b' }] },
      ['error invalid_value .from[0]'],
    ],
    ['a place of no kind', { secret: SECRET, from: [{}] }, ['error invalid_value .from[0]']],
    ['no place', { secret: SECRET, from: [] }, ['error invalid_value .from']],
    ['a claim that is null', { secret: SECRET, claims: { a: null } }, ['error invalid_type .claims.a']],
    ['a claim of nothing', { secret: SECRET, claims: { a: { oneOf: [] } } }, ['error invalid_value .claims.a.oneOf']],
    [
      'a header that frames',
      { secret: SECRET, forward: { 'Content-Length': 'sub' } },
      ['error invalid_key .forward.Content-Length'],
    ],
    ['a header of credentials', { secret: SECRET, forward: { Cookie: 'sub' } }, ['error invalid_key .forward.Cookie']],
    [
      'a header twice',
      { secret: SECRET, forward: { 'X-A': 'sub', 'x-a': 'sub' } },
      ['error duplicate_header .forward.x-a'],
    ],
    ['a key that nobody knows', { secret: SECRET, isuer: 'a' }, ['error unknown_key .isuer']],
  ])('%s', (_, options, expected) => {
    expect(check(options)).toEqual(expected);
  });
});
