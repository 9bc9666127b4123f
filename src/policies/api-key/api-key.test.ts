/** Which keys let whom through, where they may stand, and what clients and operators are told of the others. */
import { describe, expect, test } from 'vitest';
import type { ConsumerConfig } from '../../config/access-schema.ts';
import type { AuthenticationOutcome } from '../../pipeline/authentication.ts';
import type { Identity } from '../../pipeline/identity.ts';
import { exchangeOf, manualClock, servicesOf, type TestExchange } from '../../pipeline/policy.test.support.ts';
import type { ApiKey } from '../../state/keys/api-key.ts';
import { keyDigest } from '../../state/keys/key-text.ts';
import { apiKey } from './index.ts';

const KEY = 'pk_acme01_for-trying-only-0123456789abcdef';
const NOW = Date.UTC(2026, 0, 15, 12);

function keyOf(given: Partial<ApiKey> = {}): ApiKey {
  return {
    id: 'acme01',
    sha256: keyDigest(KEY).toString('hex'),
    consumer: 'acme',
    name: '',
    scopes: ['orders:read'],
    tier: null,
    createdAt: 0,
    expiresAt: null,
    active: true,
    revokedAt: null,
    lastUsedAt: null,
    rotatedFrom: null,
    metadata: {},
    ...given,
  };
}

const TIER = { rate: 1, per: 1000, quotas: {} };

const acme: ConsumerConfig = { name: 'acme', tier: 'pro', apiKeys: [], metadata: { region: 'eu', plan: 'old' } };

interface Setting {
  readonly options?: object;
  readonly key?: ApiKey | null;
  readonly find?: (id: string) => ApiKey | null | Promise<ApiKey | null>;
}

function authenticatorOf({ options = {}, key = keyOf(), find }: Setting = {}) {
  const used: string[] = [];
  const clock = manualClock(NOW);
  const { state, ...services } = servicesOf({
    clock,
    config: { tiers: { free: TIER, pro: TIER }, roles: {}, consumers: [acme] },
  });
  const keys = {
    find: find ?? ((id: string) => (key?.id === id ? key : null)),
    used: (id: string) => void used.push(id),
  };
  const authenticator = apiKey.create(apiKey.schema.parse(options), { ...services, state: { ...state, keys } });
  return { authenticator, used, clock };
}

function sending(headers: Record<string, string>, query = ''): TestExchange {
  return exchangeOf({ query, headers });
}

async function outcomeOf(setting: Setting, exchange = sending({ 'x-api-key': KEY })): Promise<AuthenticationOutcome> {
  return authenticatorOf(setting).authenticator.authenticate(exchange);
}

describe('a good key', () => {
  test('says who calls, and is neither passed on nor told', async () => {
    const { authenticator, used } = authenticatorOf();
    const exchange = sending({ 'x-api-key': KEY });
    const identity = (await authenticator.authenticate(exchange)) as Identity;
    expect(identity).toMatchObject({
      kind: 'apiKey',
      subject: '',
      consumer: 'acme',
      tier: 'pro',
      scopes: ['orders:read'],
      credential: 'acme01',
      lines: 'X-Consumer-Name: acme\r\nX-Consumer-Tier: pro\r\n',
    });
    expect(exchange.requestEdits.drops('x-api-key')).toBe(true);
    expect(used).toEqual(['acme01']);
    expect(JSON.stringify(identity)).not.toContain('for-trying');
  });

  test('has its own tier before that of its consumer, and its metadata beside the consumer’s', async () => {
    const key = keyOf({ tier: 'free', metadata: { plan: 'new' } });
    expect(await outcomeOf({ key })).toMatchObject({ tier: 'free', claims: { region: 'eu', plan: 'new' } });
    const other = keyOf({ consumer: 'unheard-of' });
    const gone = keyOf({ tier: 'a tier that is no more' });
    expect(await outcomeOf({ key: gone })).toMatchObject({ consumer: 'acme', tier: 'pro' });
    expect(await outcomeOf({ key: other })).toMatchObject({ consumer: 'unheard-of', tier: null, claims: {} });
  });

  test('is the same identity as long as the directory has the same object', async () => {
    const { authenticator } = authenticatorOf();
    const first = await authenticator.authenticate(sending({ 'x-api-key': KEY }));
    expect(await authenticator.authenticate(sending({ 'x-api-key': KEY }))).toBe(first);
  });

  test('may have to be waited for', async () => {
    const find = () => Promise.resolve(keyOf());
    expect(await outcomeOf({ find })).toMatchObject({ consumer: 'acme' });
  });

  test.each([
    [{}, { 'x-api-key': KEY }, '', true],
    [{}, {}, `api_key=${KEY}`, false],
    [{ query: 'api_key' }, {}, `a=b&api_key=${KEY}`, true],
    [{ query: 'api_key' }, {}, 'api_key=', true],
    [{ query: 'api_key' }, {}, 'a=b', false],
    [{ header: 'X-Partner-Key' }, { 'x-partner-key': KEY }, '', true],
    [{ header: 'X-Partner-Key' }, { 'x-api-key': KEY }, '', false],
    [{ header: 'Authorization' }, { authorization: `Bearer ${KEY}` }, '', true],
    [{ header: 'Authorization' }, { authorization: `apikey ${KEY}` }, '', true],
    [{ header: 'Authorization' }, { authorization: `Basic ${KEY}` }, '', false],
    [{ header: 'Authorization' }, { authorization: 'Bearer eyJh.eyJz.c2ln' }, '', false],
    [{ header: 'Authorization' }, { authorization: KEY }, '', false],
  ])('is looked for where %j says: %j ?%s', (options, headers, query, isPresent) => {
    expect(authenticatorOf({ options }).authenticator.isPresent(sending(headers as never, query))).toBe(isPresent);
  });

  test.each([
    [{ query: 'api_key' }, {}, `api_key=${KEY}`],
    [{ header: 'Authorization' }, { authorization: `Bearer  ${KEY}` }, ''],
  ])('counts wherever it may stand', async (options, headers, query) => {
    expect(await outcomeOf({ options }, sending(headers as never, query))).toMatchObject({ consumer: 'acme' });
  });
});

describe('another key', () => {
  const { authenticator } = authenticatorOf();
  const wrong = `${KEY.slice(0, -1)}0`;

  test.each([
    ['absent', {}, sending({}), 'no API key'],
    ['malformed', {}, sending({ 'x-api-key': 'letmein' }), 'the API key is malformed'],
    ['sent twice', {}, sending({ 'x-api-key': `${KEY}, ${KEY}` }), 'the API key is malformed'],
    ['unknown', { key: null }, undefined, 'no API key has this id'],
    ['of a wrong secret', {}, sending({ 'x-api-key': wrong }), 'the secret is not that of the API key acme01'],
    ['revoked', { key: keyOf({ active: false }) }, undefined, 'the API key acme01 is revoked'],
    ['expired', { key: keyOf({ expiresAt: NOW }) }, undefined, 'the API key acme01 has expired'],
  ])(
    'that is %s is refused, and the client is told what it is told of every other',
    async (_name, setting, exchange, reason) => {
      // Nothing but the reason, which is for operators.
      expect(await outcomeOf(setting, exchange)).toEqual({ reason });
    },
  );

  test('is asked for with the header in which it is to stand', () => {
    expect(authenticator.challenge).toBe('ApiKey realm="portico", header="x-api-key"');
  });

  test('is good until the very moment of its end', async () => {
    const key = keyOf({ expiresAt: NOW + 1000 });
    const { authenticator: one, clock } = authenticatorOf({ key });
    clock.tick(999);
    expect(await one.authenticate(sending({ 'x-api-key': KEY }))).toHaveProperty('consumer');
    clock.tick(1);
    expect(await one.authenticate(sending({ 'x-api-key': KEY }))).toHaveProperty('reason');
  });

  test('is never noted as used', async () => {
    const { authenticator: one, used } = authenticatorOf({ key: keyOf({ active: false }) });
    await one.authenticate(sending({ 'x-api-key': KEY }));
    await one.authenticate(sending({ 'x-api-key': wrong }));
    expect(used).toEqual([]);
  });

  test.each([
    [['orders:read'], ['orders:read'], true],
    [['orders:read', 'orders:write'], ['orders:read'], false],
    [['orders:write'], ['orders:*'], true],
    [['orders:write'], ['*'], true],
    [['admin'], [], false],
  ])('has to be good for %j; one for %j is: %s', async (scopes, has, isGood) => {
    const outcome = await outcomeOf({ options: { scopes }, key: keyOf({ scopes: has }) });
    if (isGood) expect(outcome).toHaveProperty('consumer');
    else
      expect(outcome).toMatchObject({
        code: 'forbidden',
        reason: expect.stringMatching(/^the API key acme01 has not/),
      });
  });
});

test('a store that cannot be asked is no reason to call a key bad', async () => {
  const find = () => Promise.reject(new Error('connect ECONNREFUSED'));
  expect(await outcomeOf({ find })).toEqual({
    code: 'authentication_unavailable',
    reason: 'the key store cannot be asked: connect ECONNREFUSED',
    detail: 'API keys cannot be looked up at the moment',
  });
});
