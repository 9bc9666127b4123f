/** `introspection` through a real gateway: tokens are asked about by the letter of RFC 7662, and what goes wrong is no verdict. */
import { describe, expect, test } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import { configOf } from '../support/gateway.ts';
import { type Guarded, jsonAnswer, startAsked, startGuarded } from '../support/guarded.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf } from '../support/raw-client.ts';
import type { Origin } from '../support/raw-origin.ts';
import { joinedValue, valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

const SECRET = 'a secret: of 100%';
const logged: unknown[] = [];
const note = (...words: unknown[]): void => void logged.push(words);
const logger: Logger = { level: 'debug', debug: note, info: note, warn: note, error: note };

/** The server answers with what stands in `say`. */
async function start(
  options: object = {},
): Promise<{ say: string[]; server: Origin; guarded: Guarded; ask: Guarded['ask'] }> {
  const say = [jsonAnswer({ active: true, sub: 'ann', scope: 'a b', roles: ['dev'], tier: 'pro' })];
  const server = await startAsked(() => say[0]);
  opened.push(server);
  const url = `${server.url}/introspect`;
  const policy = { introspection: { url, clientId: 'gateway', clientSecret: SECRET, ...options } };
  logged.length = 0;
  const guarded = await startGuarded({ '/me': [policy], '/open': [] }, { tiers: { pro: { rate: 5 } } }, logger);
  opened.push(guarded);
  return { say, server, guarded, ask: guarded.ask };
}

const bearer = (token: string): string => `Authorization: Bearer ${token}\r\n`;

describe('introspection', () => {
  test('asks once about a token, and tells the upstream who has it', async () => {
    const { server, guarded, ask } = await start();
    for (let i = 0; i < 3; i++) expect((await ask('/me', `${bearer('tok-1')}X-User-ID: root\r\n`)).status).toBe(200);
    expect(server.requests).toHaveLength(1);
    const [{ method, target, fields, body }] = server.requests;
    expect([method, target, body.toString()]).toEqual([
      'POST',
      '/introspect',
      'token=tok-1&token_type_hint=access_token',
    ]);
    expect(joinedValue(fields, 'content-type')).toBe('application/x-www-form-urlencoded');
    const authorization = joinedValue(fields, 'authorization') ?? '';
    expect(Buffer.from(authorization.slice(6), 'base64').toString()).toBe('gateway:a+secret%3A+of+100%25');
    for (const request of guarded.origin.requests) {
      expect(valuesOf(request.fields, 'x-user-id')).toEqual(['ann']);
      expect(valuesOf(request.fields, 'x-user-roles')).toEqual(['dev']);
      expect(valuesOf(request.fields, 'x-consumer-tier')).toEqual(['pro']);
    }
  });

  test.each<[string, string, string]>([
    ['no token', '', 'Bearer realm="portico"'],
    ['a token of another kind', 'Authorization: Basic YTpi\r\n', 'Bearer realm="portico"'],
    ['no word after the scheme', 'Authorization: Bearer\r\n', 'Bearer realm="portico", error="invalid_token"'],
    ['two tokens', bearer('a') + bearer('b'), 'Bearer realm="portico", error="invalid_token"'],
    ['a token with spaces', bearer('a b'), 'Bearer realm="portico", error="invalid_token"'],
    ['a token of other letters', bearer('\xe4'), 'Bearer realm="portico", error="invalid_token"'],
    ['a token of 17 KiB', bearer('a'.repeat(17 * 1024)), 'Bearer realm="portico", error="invalid_token"'],
  ])('refuses %s without asking', async (_, fields, challenge) => {
    const { server, guarded, ask } = await start();
    const answer = await ask('/me', fields);
    expect([answer.status, headerOf(answer, 'www-authenticate')]).toEqual([401, challenge]);
    expect([server.requests.length, guarded.origin.requests.length]).toEqual([0, 0]);
  });

  test('refuses a token that is not active, and says no more than that', async () => {
    const { say, guarded, ask } = await start();
    say[0] = jsonAnswer({ active: false, sub: 'ann' });
    const answer = await ask('/me', bearer('tok-1'));
    expect([answer.status, headerOf(answer, 'www-authenticate')]).toEqual([
      401,
      'Bearer realm="portico", error="invalid_token"',
    ]);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      code: 'unauthenticated',
      detail: 'a valid credential is required',
    });
    expect(guarded.origin.requests).toHaveLength(0);
  });

  test.each<[string, string]>([
    ['is not JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue'],
    ['says "true"', jsonAnswer({ active: 'true', sub: 'ann' })],
    ['says nothing of it', jsonAnswer({ sub: 'ann' })],
    ['is far too large', jsonAnswer({ active: true, sub: 'x'.repeat(70_000) })],
    ['comes with 401', jsonAnswer({ active: true }, '401 Unauthorized')],
    ['comes with 302', 'HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n'],
    ['comes with 500', jsonAnswer({ active: true }, '500 Oops')],
    ['is not HTTP', 'hello\r\n\r\n'],
    ['never comes', ''],
    ['stalls', 'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"active":true'],
  ])('answers 503, not 401, where the answer %s, and asks again', async (_, bytes) => {
    const { say, guarded, ask } = await start({ timeout: '300ms' });
    const good = say[0];
    say[0] = bytes;
    const answer = await ask('/me', bearer('tok-1'));
    expect([answer.status, headerOf(answer, 'retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'authentication_unavailable' });
    expect(headerOf(answer, 'www-authenticate')).toBeUndefined();
    expect(guarded.origin.requests).toHaveLength(0);
    say[0] = good;
    expect((await ask('/me', bearer('tok-1'))).status).toBe(200);
    expect(JSON.stringify(logged)).not.toMatch(/tok-1|a secret|a\+secret/);
  });

  test('answers 503 where nobody listens', async () => {
    const { server, ask } = await start();
    await server.close();
    expect((await ask('/me', bearer('tok-1'))).status).toBe(503);
    expect((await ask('/open')).status).toBe(200);
  });

  test('remembers over a reload', async () => {
    const { server, guarded, ask } = await start();
    await ask('/me', bearer('tok-1'));
    const policy = { introspection: { url: `${server.url}/introspect`, clientId: 'gateway', clientSecret: SECRET } };
    await guarded.gateway.gateway.apply(await configOf(guarded.config({ '/me': [policy], '/more': [policy] })));
    expect((await ask('/more', bearer('tok-1'))).status).toBe(200);
    expect(server.requests).toHaveLength(1);
  });

  test('answers all of many requests at once with one question', async () => {
    const { server, ask } = await start();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask('/me', bearer('tok-1'))));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(server.requests).toHaveLength(1);
  });
});
