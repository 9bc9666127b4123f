/** `basicAuth` through a real gateway: right passwords pass at once when they come again, and floods of wrong ones are bounded. */
import { scryptSync } from 'node:crypto';
import { hashSync } from 'bcryptjs';
import { describe, expect, test } from 'vitest';
import { configOf } from '../support/gateway.ts';
import { type Guarded, startGuarded } from '../support/guarded.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

const SALT = Buffer.from('salt-salt');
const scrypt = `scrypt$1024$8$1$${SALT.toString('base64')}$${scryptSync('sesame', SALT, 32, { N: 1024, r: 8, p: 1 }).toString('base64')}`;

const users = [
  { name: 'ann', passwordHash: scrypt, roles: ['admin'], tier: 'pro' },
  // Dear enough for a flood to come before it is checked.
  { name: 'bob', passwordHash: hashSync('U*U', 8) },
];
const tiers = { pro: { rate: 5 } };

async function start(): Promise<Guarded> {
  const guarded = await startGuarded({ '/me': [{ basicAuth: { users } }] }, { tiers });
  opened.push(guarded);
  return guarded;
}

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;

const REFUSAL = {
  status: 401,
  challenge: 'Basic realm="portico", charset="UTF-8"',
  type: 'application/problem+json',
  problem: {
    type: 'urn:portico:error:unauthenticated',
    title: 'Authentication required',
    status: 401,
    code: 'unauthenticated',
    detail: 'a valid credential is required',
  },
};

async function refusalOf(ask: Guarded['ask'], fields: string): Promise<object> {
  const answer = await ask('/me', fields);
  const { instance: _instance, ...problem } = JSON.parse(answer.body.toString());
  const [challenge, type] = ['www-authenticate', 'content-type'].map((name) => headerOf(answer, name));
  return { status: answer.status, challenge, type, problem };
}

describe('basicAuth', () => {
  test('lets users in, tells the upstream who they are, and keeps others out', async () => {
    const { ask, origin } = await start();
    const spoofed = 'X-User-ID: root\r\nX-User-Roles: root\r\n';
    const statuses = [];
    for (const text of ['ann:sesame', 'bob:U*U', 'ann:U*U', 'bob:sesame', 'eve:sesame', ':', 'ann:', 'ann:sesame']) {
      statuses.push((await ask('/me', basic(text) + spoofed)).status);
    }
    expect(statuses).toEqual([200, 200, 401, 401, 401, 401, 401, 200]);
    expect(origin.requests.map(({ fields }) => valuesOf(fields, 'x-user-id'))).toEqual([['ann'], ['bob'], ['ann']]);
    expect(origin.requests.map(({ fields }) => valuesOf(fields, 'x-user-roles'))).toEqual([['admin'], [], ['admin']]);
    expect(valuesOf(origin.requests[0].fields, 'x-consumer-tier')).toEqual(['pro']);
  });

  const hostile = [
    ['nothing', ''],
    ['another scheme', 'Authorization: Bearer abc\r\n'],
    ['a scheme alone', 'Authorization: Basic\r\n'],
    ['what is no base64', 'Authorization: Basic ann:sesame\r\n'],
    ['no colon', basic('ann')],
    ['two users', basic('ann:sesame') + basic('bob:U*U')],
    ['a line break', basic('ann:sesame\r\nX-User-ID: root')],
    ['other letters', 'Authorization: Basic \xe4\xf6\xfc\r\n'],
    ['20 KiB', basic(`ann:${'x'.repeat(20_000)}`)],
    ['a wrong password', basic('ann:wrong')],
    ['a user whom nobody knows', basic('nobody:sesame')],
  ] as const;

  test('asks whoever sends what names no user for credentials, in the same words', async () => {
    const { ask, origin } = await start();
    for (const [what, fields] of hostile) expect([what, await refusalOf(ask, fields)]).toEqual([what, REFUSAL]);
    expect(origin.requests).toHaveLength(0);
  });

  test('keeps a user in over a reload, and out when the password is changed', async () => {
    const { ask, gateway, config } = await start();
    expect((await ask('/me', basic('bob:U*U'))).status).toBe(200);
    const apply = async (list: object[]): Promise<boolean> =>
      gateway.gateway.apply(await configOf(config({ '/me': [{ basicAuth: { users: list } }] })));
    await apply([users[1], users[0]]);
    expect((await ask('/me', basic('bob:U*U'))).status).toBe(200);
    await apply([{ ...users[1], passwordHash: scrypt }]);
    expect((await ask('/me', basic('bob:U*U'))).status).toBe(401);
    expect((await ask('/me', basic('bob:sesame'))).status).toBe(200);
  });

  test('answers a flood of passwords with 401 and 503, and a known user meanwhile', async () => {
    const { ask, gateway } = await start();
    await ask('/me', basic('ann:sesame'));
    const client = await rawClient(gateway.port);
    opened.push(client);
    const clients = await Promise.all(Array.from({ length: 40 }, () => rawClient(gateway.port)));
    opened.push(...clients);
    const answers = Promise.all(
      clients.map(async (one, i) => {
        await one.send(`GET /me HTTP/1.1\r\nHost: a\r\n${basic(`bob:guess${i}`)}\r\n`);
        return one.answer();
      }),
    );
    await client.send(`GET /me HTTP/1.1\r\nHost: a\r\n${basic('ann:sesame')}\r\n`);
    expect((await client.answer()).status).toBe(200);
    const statuses = (await answers).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
    const busy = (await answers).find(({ status }) => status === 503);
    expect(JSON.parse(String(busy?.body))).toMatchObject({ code: 'overloaded' });
    // Those who wait for one address are few, so most were not even kept.
    expect(statuses.filter((status) => status === 401).length).toBeLessThan(40);
  });
});
