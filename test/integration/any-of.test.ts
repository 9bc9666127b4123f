/** `anyOf`: the first kind of credential that is present decides, whatever the others would have said. */
import { scryptSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { configOf, configWith } from '../support/gateway.ts';
import { type Guarded, jsonAnswer, startAsked, startGuarded } from '../support/guarded.ts';
import { headerOf } from '../support/raw-client.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened: { close(): unknown }[] = [];

let guarded: Guarded;
/** How often the server of tokens and of external authorization was asked. */
let asked = 0;

const SALT = Buffer.from('salt-salt');
const HASH = `scrypt$1024$8$1$${SALT.toString('base64')}$${scryptSync('sesame', SALT, 32, { N: 1024, r: 8, p: 1 }).toString('base64')}`;

const basicAuth = { basicAuth: { users: [{ name: 'ann', passwordHash: HASH }] } };
const anonymous = { anonymous: { tier: 'free', consumer: 'guests' } };

beforeAll(async () => {
  // Of the Bearer tokens it knows one, and lets in whoever comes with a cookie.
  const server = await startAsked(({ target, body, fields }) => {
    asked++;
    if (target === '/token') return jsonAnswer({ active: body.toString().startsWith('token=good&'), sub: 'bob' });
    const isKnown = valuesOf(fields, 'cookie').length > 0;
    return isKnown ? 'HTTP/1.1 200 OK\r\nX-User-ID: eve\r\nContent-Length: 0\r\n\r\n' : jsonAnswer({}, '403 Forbidden');
  });
  opened.push(server);
  const introspection = { introspection: { url: `${server.url}/token` } };
  const externalAuth = { externalAuth: { url: `${server.url}/check`, forwardHeaders: ['X-User-ID'] } };
  guarded = await startGuarded(
    {
      '/two': [{ anyOf: [introspection, basicAuth] }],
      '/guest': [{ anyOf: [basicAuth, introspection, anonymous] }],
      '/asked': [{ anyOf: [basicAuth, externalAuth] }],
      '/first': [{ anyOf: [anonymous, basicAuth] }],
    },
    { tiers: { free: { rate: 5 } } },
  );
  opened.push(guarded);
});

afterAll(async () => {
  for (const one of opened.reverse()) await one.close();
});

beforeEach(() => {
  asked = 0;
  guarded.origin.forget();
});

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;
const ANN = basic('ann:sesame');
const WRONG = basic('ann:wrong');
const BOB = 'Authorization: Bearer good\r\n';
const BAD = 'Authorization: Bearer bad\r\n';
const COOKIE = 'Cookie: s=1\r\n';

describe('anyOf', () => {
  test.each<[string, string, string | number]>([
    ['/two', ANN, 'ann'],
    ['/two', BOB, 'bob'],
    ['/two', WRONG, 401],
    ['/two', BAD, 401],
    ['/two', '', 401],
    ['/two', 'Authorization: Digest x\r\n', 401],
    ['/guest', ANN, 'ann'],
    ['/guest', BOB, 'bob'],
    // A bad credential is no missing one.
    ['/guest', WRONG, 401],
    ['/guest', BAD, 401],
    ['/guest', 'Authorization: Basic\r\n', 401],
    ['/guest', '', 'guests'],
    ['/guest', 'Authorization: Digest x\r\n', 'guests'],
    ['/asked', ANN, 'ann'],
    ['/asked', WRONG + COOKIE, 401],
    ['/asked', COOKIE, 'eve'],
    ['/asked', BOB, 403],
    ['/asked', '', 403],
    ['/first', WRONG, 'guests'],
  ])('%s with %j: %s', async (path, fields, expected) => {
    const { ask, origin } = guarded;
    const answer = await ask(path, `X-User-ID: root\r\nX-Consumer-Name: root\r\n${fields}`);
    expect(answer.status).toBe(typeof expected === 'number' ? expected : 200);
    const sent = origin.requests.flatMap((request) => [
      ...valuesOf(request.fields, 'x-user-id'),
      ...valuesOf(request.fields, 'x-consumer-name'),
    ]);
    expect(sent).toEqual(typeof expected === 'number' ? [] : [expected]);
  });

  test.each<[string, string, string]>([
    ['/two', '', 'Bearer realm="portico", Basic realm="portico", charset="UTF-8"'],
    ['/two', BAD, 'Bearer realm="portico", error="invalid_token"'],
    ['/two', WRONG, 'Basic realm="portico", charset="UTF-8"'],
    ['/guest', WRONG, 'Basic realm="portico", charset="UTF-8"'],
  ])('%s with %j is challenged by %s', async (path, fields, challenge) => {
    expect(headerOf(await guarded.ask(path, fields), 'www-authenticate')).toBe(challenge);
  });

  test('asks nobody but the one who decides', async () => {
    for (const fields of [ANN, WRONG, '']) await guarded.ask('/two', fields);
    expect(asked).toBe(0);
  });
});

test.each<[object[], RegExp]>([
  [[], /anyOf/],
  [[{}], /found none/],
  [[{ basicAuth: basicAuth.basicAuth, anonymous: {} }], /holds several/],
  [[{ cors: {} }], /cors/],
  [[{ anyOf: [anonymous] }], /anyOf/],
  [
    [{ basicAuth: { users: [{ name: 'ann', passwordHash: HASH, tier: 'best' }] } }],
    /anyOf\[0\]\.basicAuth\.users\[0\]\.tier/,
  ],
  [[{ anonymous: { tier: 'best' } }], /no tier has this name/],
])('the list %j is refused', async (anyOf, message) => {
  const respond = { status: 200 };
  const routes = [{ name: 'r', match: { path: '/' }, respond, policies: [{ anyOf }] }];
  await expect(configOf(configWith({ routes, tiers: { free: { rate: 5 } } }))).rejects.toThrow(message);
});
