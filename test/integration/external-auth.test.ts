/** `externalAuth` through a real gateway: a service decides, and what it does not say nobody else does. */
import { describe, expect, test } from 'vitest';
import { type Guarded, jsonAnswer, startAsked, startGuarded } from '../support/guarded.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf } from '../support/raw-client.ts';
import type { Origin } from '../support/raw-origin.ts';
import { joinedValue, valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

const PASS =
  'HTTP/1.1 200 OK\r\nX-User-ID: ann\r\nX-User-Roles: a,b\r\nX-Tenant: blue\r\nX-Inner: i\r\nContent-Length: 2\r\n\r\nok';

interface Started extends Guarded {
  readonly say: string[];
  readonly service: Origin;
}

async function start(options: object = {}): Promise<Started> {
  const say = [PASS];
  const service = await startAsked(() => say[0]);
  opened.push(service);
  const forwardHeaders = ['X-User-ID', 'X-User-Roles', 'X-Tenant'];
  const policy = { externalAuth: { url: `${service.url}/check`, forwardHeaders, ...options } };
  const guarded = await startGuarded({ '/me': [policy], '/open': [] });
  opened.push(guarded);
  return { ...guarded, say, service };
}

const CLAIMED = 'X-User-ID: root\r\nX_User_ID: root\r\nx-user-roles: root\r\nX-Tenant: red\r\nx_tenant: red\r\n';

describe('externalAuth', () => {
  test('lets pass what the service lets pass, with what it says of the caller', async () => {
    const { ask, origin, service } = await start();
    const fields = `${CLAIMED}Cookie: s=1\r\nAuthorization: X y\r\nX-Forwarded-Uri: /public\r\nX-Secret: s\r\n`;
    const length = 'Content-Length: 3\r\n';
    expect((await ask('/me?a=b', fields + length, 'PUT', 'abc')).status).toBe(200);
    const question = service.requests.at(-1);
    const asked = (name: string) => joinedValue(question?.fields ?? [], name);
    expect([question?.method, question?.target, question?.body.length]).toEqual(['GET', '/check', 0]);
    expect(['method', 'proto', 'host', 'uri', 'for'].map((name) => asked(`x-forwarded-${name}`))).toEqual([
      'PUT',
      'http',
      'a.example:81',
      '/me?a=b',
      '127.0.0.1',
    ]);
    expect([asked('cookie'), asked('authorization'), asked('x-secret'), asked('x-tenant')]).toEqual([
      's=1',
      'X y',
      undefined,
      undefined,
    ]);
    const { fields: sent, body } = origin.requests[0];
    expect(body.toString()).toBe('abc');
    expect(
      ['x-user-id', 'x_user_id', 'x-user-roles', 'x-tenant', 'x_tenant', 'x-inner'].map((name) => valuesOf(sent, name)),
    ).toEqual([['ann'], [], ['a,b'], ['blue'], [], []]);
  });

  test('removes what clients claim on other routes, too', async () => {
    const { ask, origin } = await start();
    await ask('/open', CLAIMED);
    expect(['x-user-id', 'x-tenant', 'x_tenant'].map((name) => valuesOf(origin.requests[0].fields, name))).toEqual([
      [],
      [],
      [],
    ]);
  });

  test('replaces Authorization only where that is asked for', async () => {
    const { ask, origin, say } = await start({ forwardHeaders: ['Authorization'] });
    say[0] = 'HTTP/1.1 204 No Content\r\nAuthorization: Inner x\r\n\r\n';
    await ask('/me', 'Authorization: Outer y\r\n');
    await ask('/open', 'Authorization: Outer y\r\n');
    say[0] = 'HTTP/1.1 204 No Content\r\n\r\n';
    await ask('/me', 'Authorization: Outer y\r\n');
    expect(origin.requests.map(({ fields }) => valuesOf(fields, 'authorization'))).toEqual([
      ['Inner x'],
      ['Outer y'],
      [],
    ]);
  });

  test('hands a refusal on, every cookie on a line of its own', async () => {
    const { ask, origin, say } = await start();
    say[0] =
      'HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nSet-Cookie: a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT\r\nSet-Cookie: b=2\r\nX-User-ID: ann\r\nServer: inner\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nlogin';
    const answer = await ask('/me');
    expect([answer.status, answer.body.toString()]).toEqual([302, 'login']);
    expect(valuesOf(answer.fields, 'set-cookie')).toEqual(['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2']);
    expect(
      ['location', 'content-type', 'cache-control', 'server', 'x-user-id'].map((name) => headerOf(answer, name)),
    ).toEqual(['https://login.example/', 'text/html', 'no-store', undefined, undefined]);
    say[0] = jsonAnswer({ error: 'go away' }, '403 Forbidden');
    const refused = await ask('/me', '', 'HEAD');
    expect([refused.status, refused.body.length]).toEqual([403, 0]);
    expect(origin.requests).toHaveLength(0);
  });

  const failures: [string, string][] = [
    ['comes with 500', jsonAnswer({}, '500 Oops')],
    ['is not HTTP', 'hello\r\n\r\n'],
    ['never comes', ''],
    ['stalls', 'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nok'],
    ['is far too large', `HTTP/1.1 401 No\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`],
    [
      'has a head that is far too large',
      `HTTP/1.1 200 OK\r\nX-User-ID: ${'x'.repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`,
    ],
  ];

  test.each(failures)('answers 503 where the answer %s', async (_, bytes) => {
    const { ask, say, origin } = await start({ timeout: '300ms' });
    say[0] = bytes;
    const answer = await ask('/me', CLAIMED);
    expect([answer.status, headerOf(answer, 'retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'authentication_unavailable' });
    expect(origin.requests).toHaveLength(0);
  });

  test.each(failures)('passes with failOpen where the answer %s, as nobody', async (_, bytes) => {
    const { ask, say, origin } = await start({ timeout: '300ms', failOpen: true });
    say[0] = bytes;
    expect((await ask('/me', CLAIMED)).status).toBe(200);
    const { fields } = origin.requests[0];
    expect(['x-user-id', 'x-user-roles', 'x-tenant', 'x_tenant'].map((name) => valuesOf(fields, name))).toEqual([
      [],
      [],
      [],
      [],
    ]);
  });

  test.each<[string, string, string]>([
    ['letters beyond ASCII', '/me', 'Cookie: a=\xe4\xff\r\nAuthorization: \x80\r\n'],
    ['several lines of a header', '/me', 'Cookie: a=1\r\nCookie: b=2\r\nAuthorization: a\r\nAuthorization: b\r\n'],
    ['a header without a value', '/me', 'Cookie:\r\nAuthorization:\r\n'],
    ['odd queries', '/me?%0d%0aX-User-ID:root&\'"<>[]{}|^`', ''],
  ])('asks about %s, so that failOpen opens nothing for whoever sends them', async (_, target, fields) => {
    const { ask, say, service } = await start({ failOpen: true });
    say[0] = jsonAnswer({}, '403 Forbidden');
    expect((await ask(target, fields)).status).toBe(403);
    expect([service.requests.length, service.faults]).toEqual([1, []]);
    expect(joinedValue(service.requests[0].fields, 'x-forwarded-uri')).toBe(target);
  });
});
