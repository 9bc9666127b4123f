/** How tokens are asked about, and how long an answer is good. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { HttpAnswer, HttpCall } from '../../net/http-client.ts';
import type { AuthenticationOutcome } from '../../pipeline/authentication.ts';
import { exchangeOf, manualClock, servicesOf } from '../../pipeline/policy.test.support.ts';
import { introspection } from './index.ts';

const URL = 'https://auth.example.com/introspect?tenant=t-secret';

let clock = manualClock();
let calls: HttpCall[] = [];
let answer: (call: HttpCall) => Promise<HttpAnswer>;
let logged: string[] = [];

beforeEach(() => {
  clock = manualClock();
  calls = [];
  logged = [];
  answer = () => say({ active: true, sub: 'ann' });
});

const say = (claims: unknown): Promise<HttpAnswer> =>
  Promise.resolve({ status: 200, headers: {}, body: JSON.stringify(claims) });

function services() {
  const log = (message: string, fields?: object): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  return servicesOf({
    clock,
    logger: { level: 'info', debug: log, info: log, warn: log, error: log },
    http: {
      call: (call) => {
        calls.push(call);
        return answer(call);
      },
    },
  });
}

function create(options: object = {}, used = services()) {
  return introspection.create(introspection.schema.parse({ url: URL, ...options }), used);
}

function find(authenticator: ReturnType<typeof create>, token = 'opaque'): Promise<AuthenticationOutcome> {
  return Promise.resolve(authenticator.authenticate(exchangeOf({ headers: { authorization: `Bearer ${token}` } })));
}

describe('the call', () => {
  test('is a form, with the client’s credentials form-encoded (RFC 6749 section 2.3.1)', async () => {
    await find(create({ clientId: 'gate:way', clientSecret: "a b+c%/ä'" }), 'tok+en/==');
    expect(calls).toHaveLength(1);
    const [{ method, url, headers, body, timeout }] = calls;
    expect({ method, url, body, timeout }).toEqual({
      method: 'POST',
      url: URL,
      body: 'token=tok%2Ben%2F%3D%3D&token_type_hint=access_token',
      timeout: 2000,
    });
    const authorization = String(headers?.authorization);
    expect(Buffer.from(authorization.slice(6), 'base64').toString()).toBe('gate%3Away:a+b%2Bc%25%2F%C3%A4%27');
  });

  test('has no credentials where none are configured', async () => {
    await find(create());
    expect(calls[0].headers).not.toHaveProperty('authorization');
  });
});

describe('an answer', () => {
  test('is remembered for cacheFor, and then asked for again', async () => {
    const one = create({ cacheFor: '10s' });
    await find(one);
    clock.tick(9_999);
    // At once: a repeated token costs no promise.
    expect(one.authenticate(exchangeOf({ headers: { authorization: 'bearer opaque' } }))).toMatchObject({
      subject: 'ann',
    });
    expect(calls).toHaveLength(1);
    clock.tick(1);
    await find(one);
    expect(calls).toHaveLength(2);
  });

  test('is not remembered beyond the end of the token', async () => {
    answer = () => say({ active: true, sub: 'ann', exp: Math.floor(clock.wall() / 1000) + 3 });
    const one = create({ cacheFor: '1h' });
    await find(one);
    clock.tick(2_999);
    await find(one);
    expect(calls).toHaveLength(1);
    answer = () => say({ active: true, sub: 'ann', exp: Math.floor(clock.wall() / 1000) });
    clock.tick(1);
    expect(await find(one)).toMatchObject({ reason: 'the token has expired' });
    expect(calls).toHaveLength(2);
  });

  test('about a token that is not active is remembered for less', async () => {
    answer = () => say({ active: false });
    const one = create({ cacheFor: '1m' });
    expect(await find(one)).toEqual({ reason: 'the token is not active', error: 'error="invalid_token"' });
    clock.tick(4_999);
    await find(one);
    expect(calls).toHaveLength(1);
    answer = () => say({ active: true, sub: 'ann' });
    clock.tick(1);
    expect(await find(one)).toMatchObject({ subject: 'ann' });
  });

  test('is not remembered at all with cacheFor 0s', async () => {
    const one = create({ cacheFor: '0s' });
    await find(one);
    answer = () => say({ active: false });
    await find(one);
    await find(one);
    expect(calls).toHaveLength(3);
  });

  test('is nobody else’s', async () => {
    answer = ({ body }) => say({ active: true, sub: body });
    const one = create();
    const both = await Promise.all([find(one, 'one'), find(one, 'two')]);
    expect(both.map((identity) => (identity as { subject: string }).subject.slice(0, 9))).toEqual([
      'token=one',
      'token=two',
    ]);
  });

  test('that a token is not valid yet refuses it', async () => {
    answer = () => say({ active: true, nbf: clock.wall() / 1000 + 1 });
    expect(await find(create())).toMatchObject({ reason: 'the token is not valid yet' });
  });

  test('outlives a reload, and is not that of other options', async () => {
    const used = services();
    await find(create({}, used));
    await find(create({}, used));
    expect(calls).toHaveLength(1);
    await find(create({ timeout: '3s' }, used));
    expect(calls).toHaveLength(2);
  });

  test('of 12,000 tokens that are not valid drives no valid one out', async () => {
    const one = create();
    await find(one, 'good');
    answer = () => say({ active: false });
    for (let i = 0; i < 12_000; i += 1000) {
      await Promise.all(Array.from({ length: 1000 }, (_, j) => find(one, `bad${i + j}`)));
    }
    calls = [];
    await find(one, 'good');
    expect(calls).toHaveLength(0);
  });
});

test('requests with one token at once ask once', async () => {
  const one = create();
  const all = await Promise.all(Array.from({ length: 10 }, () => find(one)));
  expect(calls).toHaveLength(1);
  expect(new Set(all).size).toBe(1);
});

test('more tokens at once than may be asked about are refused without being kept', async () => {
  answer = () => new Promise(() => {});
  const one = create();
  for (let i = 0; i < 1024; i++) void find(one, `t${i}`);
  expect(await find(one, 'more')).toMatchObject({ code: 'overloaded' });
  expect(calls).toHaveLength(1024);
});

describe('an endpoint that fails', () => {
  const failing = [
    () => Promise.reject(new Error('connect ECONNREFUSED')),
    () => Promise.resolve({ status: 500, headers: {}, body: 'opaque' }),
    () => say({ active: 'true' }),
  ];

  test.each(failing.map((fails) => [fails]))('is no verdict on the token, and is asked again', async (fails) => {
    answer = fails;
    const one = create({ clientId: 'c', clientSecret: 'hush-hush' });
    const refusal = await find(one);
    expect(refusal).toMatchObject({
      code: 'authentication_unavailable',
      detail: 'tokens cannot be checked at the moment',
    });
    answer = () => say({ active: true, sub: 'ann' });
    expect(await find(one)).toMatchObject({ subject: 'ann' });
    expect(JSON.stringify([refusal, logged])).not.toMatch(/opaque|hush-hush|t-secret/);
  });

  test('is logged once, and once when it is back', async () => {
    answer = failing[0];
    const one = create();
    for (const token of ['a', 'b', 'c']) await find(one, token);
    answer = () => say({ active: false });
    for (const token of ['d', 'e']) await find(one, token);
    expect(logged.map((line) => line.split(' {')[0])).toEqual([
      'token introspection fails',
      'token introspection answers again',
    ]);
  });

  test('harms no token that it was asked about before', async () => {
    const one = create();
    await find(one);
    answer = failing[0];
    expect(await find(one)).toMatchObject({ subject: 'ann' });
  });
});

describe('Authorization', () => {
  test.each<[string | undefined, boolean, string]>([
    [undefined, false, 'no Bearer token'],
    ['Basic YTpi', false, 'no Bearer token'],
    ['Bearers abc', false, 'no Bearer token'],
    ['Bearer', true, 'the Bearer token is malformed'],
    ['Bearer a b', true, 'the Bearer token is malformed'],
    ['Bearer a, Bearer b', true, 'the Bearer token is malformed'],
    ['Bearer ä', true, 'the Bearer token is malformed'],
    ['Bearer "a"', true, 'the Bearer token is malformed'],
    [`Bearer ${'a'.repeat(16 * 1024 + 1)}`, true, 'the Bearer token is malformed'],
  ])('%.40s: present %s, %s', (authorization, isPresent, reason) => {
    const one = create();
    const exchange = exchangeOf({ headers: authorization === undefined ? {} : { authorization } });
    expect(one.isPresent(exchange)).toBe(isPresent);
    expect(one.authenticate(exchange)).toMatchObject({ reason });
    expect(calls).toHaveLength(0);
  });
});

test.each<[object, string]>([
  [{ url: 'auth.example.com' }, 'url'],
  [{ url: 'http://user:pass@auth.example.com/' }, 'url'],
  [{ clientId: 'a' }, 'clientId'],
  [{ clientSecret: 'hush-hush' }, 'clientSecret'],
  [{ cacheFor: '2h' }, 'cacheFor'],
  [{ timeout: '0s' }, 'timeout'],
  [{ secret: 'x' }, ''],
])('%j is refused', (options, path) => {
  const { error } = introspection.schema.safeParse({ url: URL, ...options });
  expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  expect(error?.message).not.toContain('hush-hush');
});

test('what it does is told without secrets', () => {
  expect(create({ clientId: 'c', clientSecret: 'hush-hush' }).effect).toBe(
    'finds out who calls by asking https://auth.example.com/introspect about the Bearer token; answers are remembered for 30s',
  );
});
