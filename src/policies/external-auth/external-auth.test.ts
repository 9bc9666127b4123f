/** What is asked of the other service, and what its answers mean. */
import { describe, expect, test } from 'vitest';
import type { HttpAnswer, HttpCall } from '../../net/http-client.ts';
import type { AuthenticationOutcome } from '../../pipeline/authentication.ts';
import { exchangeOf, servicesOf, type TestExchange, type TestRequest } from '../../pipeline/policy.test.support.ts';
import { externalAuth } from './index.ts';

const URL = 'https://auth.example.com/check?key=k-secret';

interface Asked {
  readonly outcome: AuthenticationOutcome;
  readonly call: HttpCall;
  readonly exchange: TestExchange;
  readonly logged: readonly string[];
}

const ok: HttpAnswer = { status: 200, headers: {}, body: '' };

async function ask(options: object, request: TestRequest, answer: HttpAnswer | Error = ok): Promise<Asked> {
  const calls: HttpCall[] = [];
  const logged: string[] = [];
  const log = (message: string, fields?: object): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const services = servicesOf({
    logger: { level: 'info', debug: log, info: log, warn: log, error: log },
    http: {
      call: (call) => {
        calls.push(call);
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
  });
  const exchange = exchangeOf(request);
  const authenticator = externalAuth.create(externalAuth.schema.parse({ url: URL, ...options }), services);
  expect(authenticator.isPresent(exchange)).toBe(true);
  return { outcome: await authenticator.authenticate(exchange), call: calls[0], exchange, logged };
}

describe('the question', () => {
  const headers = {
    host: 'a.example:81',
    authorization: 'Bearer tok',
    cookie: 'a=1; b=2',
    'x-forwarded-uri': '/public',
    'x-forwarded-method': 'OPTIONS',
    'x-other': 'o',
  };

  test('says what is asked for, and nothing that the client says of that', async () => {
    const request = { method: 'POST', path: '/a%20b', query: 'x=1&y', scheme: 'https', headers };
    const { call } = await ask({}, request);
    expect(call).toEqual({
      method: 'GET',
      url: URL,
      timeout: 1000,
      maxBody: 65_536,
      headers: {
        'accept-encoding': 'identity',
        'x-forwarded-method': 'POST',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'a.example:81',
        'x-forwarded-uri': '/a%20b?x=1&y',
        'x-forwarded-for': '192.0.2.7',
        'x-request-id': 'id',
        authorization: 'Bearer tok',
        cookie: 'a=1; b=2',
      },
    });
  });

  test('has the headers that are asked for', async () => {
    const { call } = await ask({ requestHeaders: ['X-Other', 'X-Absent'] }, { headers });
    expect(call.headers).toMatchObject({ 'x-other': 'o', 'x-forwarded-uri': '/' });
    expect(call.headers).not.toHaveProperty('authorization');
    expect(call.headers).not.toHaveProperty('x-absent');
  });
});

describe('an answer', () => {
  const forwardHeaders = ['X-User-ID', 'X-User-Roles', 'X-Tenant', 'Authorization', 'X-Absent'];
  const headers = {
    'x-user-id': 'ann',
    'x-user-roles': 'admin, dev,',
    'x-consumer-tier': 'pro',
    'x-tenant': 'blue',
    authorization: 'Bearer inner',
  };

  test.each([200, 201, 204, 299])(
    'of %i lets the request pass, with what it says and was asked for',
    async (status) => {
      const { outcome, exchange } = await ask({ forwardHeaders }, {}, { status, headers, body: '' });
      expect(outcome).toMatchObject({
        kind: 'externalAuth',
        subject: 'ann',
        roles: ['admin', 'dev'],
        consumer: null,
        tier: null,
      });
      expect(exchange.requestEdits.lines()).toBe('x-tenant: blue\r\nauthorization: Bearer inner\r\n');
      expect(exchange.requestEdits.drops('x-absent')).toBe(true);
    },
  );

  test('says on whose account the caller is, by a tier that there is', async () => {
    const names = ['X-Consumer-Name', 'X-Consumer-Tier'];
    const answered = { ...ok, headers: { 'x-consumer-name': 'acme', 'x-consumer-tier': 'best' } };
    const { outcome } = await ask({ forwardHeaders: names }, {}, answered);
    expect(outcome).toMatchObject({ subject: '', consumer: 'acme', tier: null });
  });

  test('says nothing that nobody asked for', async () => {
    const { outcome, exchange } = await ask({}, {}, { status: 200, headers, body: '' });
    expect(outcome).toMatchObject({ subject: '', roles: [], tier: null, lines: '' });
    expect(exchange.requestEdits.lines()).toBe('');
  });

  test.each([301, 302, 303, 307, 308, 400, 401, 403, 404, 418, 429])(
    'of %i is the answer to the client, with its body and few of its headers',
    async (status) => {
      const answer: HttpAnswer = {
        status,
        headers: {
          'www-authenticate': 'Custom x',
          location: '/login',
          'content-type': 'text/html',
          'retry-after': '9',
          'set-cookie': 'a=1, b=2',
          'transfer-encoding': 'chunked',
          'content-length': '5',
          connection: 'close',
          server: 'inner',
          'x-user-id': 'ann',
        },
        cookies: ['a=1', 'b=2'],
        body: 'hello',
      };
      const { outcome } = await ask({ forwardHeaders, failOpen: true }, {}, answer);
      expect(outcome).toEqual({
        reason: `external authorization answered ${status}`,
        reply: {
          status,
          headers: {
            'WWW-Authenticate': 'Custom x',
            Location: '/login',
            'Content-Type': 'text/html',
            'Retry-After': '9',
            'Cache-Control': 'no-store',
            'Set-Cookie': ['a=1', 'b=2'],
          },
          body: 'hello',
        },
      });
    },
  );

  test.each([
    [{ status: 500, headers, body: '' }],
    [{ status: 503, headers, body: '' }],
    [{ status: 304, headers, body: '' }],
    [{ status: 0, headers, body: '' }],
    [new Error('connect ECONNREFUSED')],
  ])('of %j is a failure: it closes, or opens where that is wished', async (answer) => {
    const client = { 'x-tenant': 'red', authorization: 'Bearer tok-secret' };
    const closed = await ask({ forwardHeaders }, { headers: client }, answer);
    expect(closed.outcome).toMatchObject({ code: 'authentication_unavailable' });
    const open = await ask({ forwardHeaders, failOpen: true }, { headers: client }, answer);
    expect(open.outcome).toMatchObject({ kind: 'externalAuth', subject: '', roles: [], lines: '' });
    expect(open.exchange.requestEdits.drops('x-tenant')).toBe(true);
    expect(open.exchange.requestEdits.lines()).toBe('');
    expect(open.logged).toHaveLength(1);
    expect(JSON.stringify([closed.outcome, closed.logged, open.logged])).not.toMatch(/tok-secret|k-secret|inner/);
  });
});

test('what only the gateway may set is what an answer says, but for what clients need elsewhere', () => {
  const options = externalAuth.schema.parse({ url: URL, forwardHeaders: ['X-Tenant', 'Authorization', 'Cookie'] });
  expect(externalAuth.ownHeaders?.(options)).toEqual(['X-Tenant']);
});

test.each<[object, string]>([
  [{ url: '/check' }, 'url'],
  [{ timeout: '2m' }, 'timeout'],
  [{ requestHeaders: ['X-Forwarded-Uri'] }, 'requestHeaders.0'],
  [{ requestHeaders: ['Connection'] }, 'requestHeaders.0'],
  [{ requestHeaders: ['Host'] }, 'requestHeaders.0'],
  [{ requestHeaders: ['a b'] }, 'requestHeaders.0'],
  [{ forwardHeaders: ['Transfer-Encoding'] }, 'forwardHeaders.0'],
  [{ forwardHeaders: ['X-Forwarded-For'] }, 'forwardHeaders.0'],
  [{ forwardHeaders: ['X-Request-ID'] }, 'forwardHeaders.0'],
  [{ failOpen: 'yes' }, 'failOpen'],
  [{ method: 'POST' }, ''],
])('%j is refused', (options, path) => {
  const { error } = externalAuth.schema.safeParse({ url: URL, ...options });
  expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});
