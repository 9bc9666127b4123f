/** Keys by URL: when they are fetched, for whom, and what stays while they cannot be. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type LogFields, silentLogger } from '../../base/logger.ts';
import type { HttpAnswer, HttpCall } from '../../net/http-client.ts';
import { ManualTime, settled } from '../../upstream/manual-time.test.support.ts';
import { KeysUnavailableError } from './key-source.ts';
import { RemoteKeys, type RemoteKeysOptions } from './remote-keys.ts';
import type { VerificationKey } from './verification-key.ts';

const first = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
const second = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;

const jwk = (key: KeyObject, kid?: string, more: object = {}): object => ({
  ...key.export({ format: 'jwk' }),
  ...(kid === undefined ? {} : { kid }),
  ...more,
});

const ONE = { keys: [jwk(first, 'one')] };
const BOTH = { keys: [jwk(first, 'one'), jwk(second, 'two')] };

/** An issuer that answers what `body` is at the time, by URL; a number is a status, an Error no answer at all. */
class Issuer {
  readonly time = new ManualTime();
  readonly calls: HttpCall[] = [];
  readonly lines: [level: string, message: string, fields: LogFields][] = [];
  answers: Record<string, unknown> = {};
  /** Answers wait for it. */
  gate: Promise<unknown> = Promise.resolve();
  body: unknown = ONE;

  call = async (call: HttpCall): Promise<HttpAnswer> => {
    this.calls.push(call);
    await this.gate;
    const body = this.answers[call.url] ?? this.body;
    if (body instanceof Error) throw body;
    if (typeof body === 'number') return { status: body, headers: {}, body: '' };
    return { status: 200, headers: {}, body: typeof body === 'string' ? body : JSON.stringify(body) };
  };

  keys(more: Partial<RemoteKeysOptions> = {}): RemoteKeys {
    const log =
      (level: string) =>
      (message: string, fields: LogFields = {}): void => {
        this.lines.push([level, message, fields]);
      };
    const logger = { ...silentLogger, info: log('info'), warn: log('warn') };
    const options = { url: 'https://a.example/keys?secret=1', isIssuer: false, cacheFor: 600_000, ...more };
    return new RemoteKeys(
      { minRefreshInterval: 30_000, timeout: 5_000, ...options },
      { http: { call: this.call }, clock: this.time, timers: this.time, logger },
    );
  }
}

const idsOf = (keys: readonly VerificationKey[]): (string | null)[] => keys.map(({ id }) => id);

async function ask(keys: RemoteKeys, keyId: string | null = 'one', algorithm = 'ES256'): Promise<(string | null)[]> {
  return idsOf(await keys.keysFor(algorithm, keyId));
}

describe('the first keys', () => {
  test('are fetched before anybody asks, but not in the same breath', async () => {
    const issuer = new Issuer();
    const keys = issuer.keys();
    await settled();
    expect(issuer.calls).toHaveLength(0);
    await issuer.time.pass(0);
    expect(issuer.calls).toHaveLength(1);
    expect(issuer.calls[0]).toMatchObject({ method: 'GET', url: 'https://a.example/keys?secret=1', timeout: 5_000 });
    // Nobody waits for what is there.
    expect(keys.keysFor('ES256', 'one')).not.toBeInstanceOf(Promise);
  });

  test('are fetched once for all that wait', async () => {
    const issuer = new Issuer();
    const keys = issuer.keys();
    const asked = Promise.all([ask(keys), ask(keys), ask(keys, null)]);
    await issuer.time.pass(0);
    expect(await asked).toEqual([['one'], ['one'], ['one']]);
    expect(issuer.calls).toHaveLength(1);
  });

  test.each<[string, unknown, string]>([
    ['no answer', new Error('connect ECONNREFUSED'), 'connect ECONNREFUSED'],
    ['an error', 500, 'the status 500'],
    ['a redirection', 302, 'the status 302'],
    ['no JSON', '<html>', 'no map in JSON'],
    ['null', 'null', 'no map in JSON'],
    ['a list', '[]', 'no set of keys'],
    ['no keys', '{}', 'no set of keys'],
    ['keys that are no list', '{"keys":{}}', 'no set of keys'],
    ['an empty list', '{"keys":[]}', 'no key that can be used'],
    ['what is no key', { keys: [null, 1, 'x', [], {}] }, 'no key that can be used'],
    ['too many', { keys: Array(201).fill(ONE.keys[0]) }, 'more than 200'],
    ['a shared secret', { keys: [{ kty: 'oct', k: 'A'.repeat(86), kid: 'one' }] }, 'no key that can be used'],
    ['a private key', { keys: [{ ...ONE.keys[0], d: 'AA' }] }, 'no key that can be used'],
    ['a key for encryption', { keys: [jwk(first, 'one', { use: 'enc' })] }, 'no key that can be used'],
    ['a key for signing only', { keys: [jwk(first, 'one', { key_ops: ['sign'] })] }, 'no key that can be used'],
    ['a key for another algorithm', { keys: [jwk(first, 'one', { alg: 'RS256' })] }, 'no key that can be used'],
    ['a name that is no string', { keys: [jwk(first, undefined, { kid: 1 })] }, 'no key that can be used'],
    ['a point that is on no curve', { keys: [{ ...ONE.keys[0], x: 'AAAA' }] }, 'no key that can be used'],
    ['a curve that nobody knows', { keys: [{ kty: 'EC', crv: 'P-1', x: 'AA', y: 'AA' }] }, 'no key that can be used'],
  ])('cannot be had from an issuer that answers %s', async (_, body, reason) => {
    const issuer = new Issuer();
    issuer.body = body;
    const asked = ask(issuer.keys());
    await expect(asked).rejects.toThrow(KeysUnavailableError);
    await expect(asked).rejects.toThrow(reason);
    expect(issuer.lines).toEqual([
      [
        'warn',
        'keys of tokens cannot be fetched',
        { url: 'https://a.example/keys', reason: expect.stringContaining(reason), effect: 'tokens cannot be verified' },
      ],
    ]);
  });

  test('are asked for by requests again soon, and not by each of them', async () => {
    const issuer = new Issuer();
    issuer.body = 503;
    const keys = issuer.keys();
    await expect(ask(keys)).rejects.toThrow('503');
    await expect(ask(keys)).rejects.toThrow('503');
    expect(issuer.calls).toHaveLength(1);
    issuer.body = ONE;
    await issuer.time.pass(100);
    expect(await ask(keys)).toEqual(['one']);
    expect(issuer.lines.map(([, message]) => message)).toEqual([
      'keys of tokens cannot be fetched',
      'keys of tokens are fetched again',
    ]);
  });

  test('are those of a mixed set that can be used', async () => {
    const issuer = new Issuer();
    issuer.body = {
      keys: [{ kty: 'oct', k: 'A'.repeat(86), kid: 'shared' }, { kty: '?' }, jwk(first, 'one'), jwk(second)],
    };
    const keys = issuer.keys();
    expect(await ask(keys, 'one')).toEqual(['one', null]);
    expect(await ask(keys, null)).toEqual(['one', null]);
    expect(await ask(keys, 'shared', 'HS512')).toEqual([]);
    expect(await ask(keys, 'one', 'RS256')).toEqual([]);
  });
});

describe('keys that are there', () => {
  async function withKeys(more: Partial<RemoteKeysOptions> = {}): Promise<{ issuer: Issuer; keys: RemoteKeys }> {
    const issuer = new Issuer();
    const keys = issuer.keys(more);
    await issuer.time.pass(0);
    return { issuer, keys };
  }

  test('are fetched again in the background before they are old, and nobody waits', async () => {
    const { issuer, keys } = await withKeys();
    await issuer.time.pass(539_999);
    expect(issuer.calls).toHaveLength(1);
    issuer.body = BOTH;
    await issuer.time.pass(1);
    expect(issuer.calls).toHaveLength(2);
    expect(keys.keysFor('ES256', 'two')).not.toBeInstanceOf(Promise);
  });

  test('are kept while the issuer fails, which is said once for each reason', async () => {
    const { issuer, keys } = await withKeys();
    issuer.body = 500;
    await issuer.time.pass(3_600_000);
    expect(issuer.calls.length).toBeGreaterThan(50);
    expect(await ask(keys)).toEqual(['one']);
    issuer.body = '{"keys":[]}';
    await issuer.time.pass(3_600_000);
    expect(await ask(keys)).toEqual(['one']);
    expect(issuer.lines.map(([level, , { reason, effect }]) => [level, reason, effect])).toEqual([
      ['warn', 'the answer has the status 500', 'the last good ones are used'],
      ['warn', 'the set holds no key that can be used', 'the last good ones are used'],
    ]);
  });

  test('are fetched for one that is not known, at most once in the interval', async () => {
    const { issuer, keys } = await withKeys();
    issuer.body = BOTH;
    // The regular fetch of a moment ago is no reason to refuse: the issuer may just have changed its keys.
    expect(await ask(keys, 'two')).toEqual(['two']);
    expect(issuer.calls).toHaveLength(2);
    for (let i = 0; i < 50; i++) expect(await ask(keys, `unknown-${i}`)).toEqual([]);
    await issuer.time.pass(29_999);
    expect(await ask(keys, 'three')).toEqual([]);
    expect(issuer.calls).toHaveLength(2);
    await issuer.time.pass(1);
    expect(await ask(keys, 'three')).toEqual([]);
    expect(issuer.calls).toHaveLength(3);
  });

  test('are not fetched without end from an issuer that fails, whatever the interval', async () => {
    const { issuer } = await withKeys({ minRefreshInterval: 0, cacheFor: 1000 });
    issuer.body = 500;
    await issuer.time.pass(10_000);
    expect(issuer.calls.length).toBeLessThan(13);
  });

  test('are fetched once for many that are not known at a time', async () => {
    const { issuer, keys } = await withKeys();
    issuer.body = BOTH;
    const asked = ['two', 'x', 'y', 'two'].map((id) => ask(keys, id));
    expect(await Promise.all(asked)).toEqual([['two'], [], [], ['two']]);
    expect(issuer.calls).toHaveLength(2);
  });

  test('that are not known are nobody’s when the issuer fails', async () => {
    const { issuer, keys } = await withKeys();
    issuer.body = new Error('gone');
    expect(await ask(keys, 'two')).toEqual([]);
    expect(await ask(keys, 'one')).toEqual(['one']);
  });

  test('are live until the set has them no more, and the same objects until then', async () => {
    const { issuer, keys } = await withKeys();
    const [one] = await keys.keysFor('ES256', 'one');
    issuer.body = BOTH;
    await issuer.time.pass(540_000);
    expect((await keys.keysFor('ES256', 'one'))[0]).toBe(one);
    expect(one.isLive).toBe(true);
    issuer.body = { keys: [BOTH.keys[1]] };
    await issuer.time.pass(540_000);
    expect(one.isLive).toBe(false);
    expect(await ask(keys, null)).toEqual(['two']);
  });

  test('of one name are replaced by another of that name', async () => {
    const { issuer, keys } = await withKeys();
    const [old] = await keys.keysFor('ES256', 'one');
    issuer.body = { keys: [jwk(second, 'one')] };
    await issuer.time.pass(540_000);
    const [young] = await keys.keysFor('ES256', 'one');
    expect([old.isLive, young.isLive, young === old]).toEqual([false, true, false]);
  });

  test('are no more fetched once nobody uses them, and what is under way changes nothing', async () => {
    const { issuer, keys } = await withKeys();
    let open: () => void = () => {};
    issuer.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await issuer.time.pass(540_000);
    keys.close();
    issuer.body = BOTH;
    open();
    await issuer.time.pass(3_600_000);
    expect(issuer.calls).toHaveLength(2);
    expect(issuer.time.pending).toBe(0);
    expect(issuer.lines).toEqual([]);
  });
});

describe('an issuer that says itself where its keys are', () => {
  const place = 'https://b.example/jwks';

  async function discover(issuer: string, metadata: unknown): Promise<[Issuer, Promise<(string | null)[]>]> {
    const server = new Issuer();
    server.answers[`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`] = metadata;
    const asked = ask(server.keys({ url: issuer, isIssuer: true }));
    await asked.catch(() => {});
    return [server, asked];
  }

  test.each([
    ['https://a.example', place],
    ['https://a.example/', place],
    ['https://a.example/tenant', place],
    ['http://127.0.0.1:9', 'http://127.0.0.1:9/jwks'],
  ])('%s is asked for them', async (issuer, uri) => {
    const [server, asked] = await discover(issuer, { issuer, jwks_uri: uri });
    expect(await asked).toEqual(['one']);
    expect(server.calls.map(({ url }) => url)[1]).toBe(uri);
  });

  test.each<[string, unknown, string]>([
    ['of another name', { issuer: 'https://a.example/', jwks_uri: place }, 'of another issuer'],
    ['without a name', { jwks_uri: place }, 'of another issuer'],
    ['without a place', { issuer: 'https://a.example' }, 'no `jwks_uri`'],
    ['with a place that is no URL', { issuer: 'https://a.example', jwks_uri: '/jwks' }, 'no `jwks_uri`'],
    ['with a place in the open', { issuer: 'https://a.example', jwks_uri: 'http://a.example/jwks' }, 'not https'],
    ['with a file', { issuer: 'https://a.example', jwks_uri: 'file:///etc/passwd' }, 'not https'],
    ['that is not there', 404, 'status 404'],
  ])('is not believed %s', async (_, metadata, reason) => {
    const [server, asked] = await discover('https://a.example', metadata);
    await expect(asked).rejects.toThrow(reason);
    expect(server.calls).toHaveLength(1);
  });
});
