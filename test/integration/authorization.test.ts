/** Who may, from where, how large a body, and what browsers are told: whole gateways, over HTTP/1 and HTTP/2. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type AuthenticationOutcome, defineAuthentication, policyOf } from '../../src/pipeline/authentication.ts';
import { createIdentity } from '../../src/pipeline/identity.ts';
import { definePolicy, type Policy } from '../../src/pipeline/policy.ts';
import { configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { untilQuiet } from '../support/quiet.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import { valuesOf } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const opened = closedAfterEach();

/** Believes what `X-Who` says, in JSON, as if it had been signed. */
const trusting = policyOf(
  defineAuthentication({
    name: 'trusting',
    schema: z.unknown(),
    create: () => ({
      challenge: 'Test',
      effect: 'believes',
      isPresent: (exchange) => exchange.header('x-who') !== undefined,
      authenticate(exchange): AuthenticationOutcome {
        const who = exchange.header('x-who');
        return who === undefined ? { reason: 'nobody' } : createIdentity({ kind: 'test', ...JSON.parse(who) });
      },
    }),
  }) as never,
) as Policy;

/** Lets the request wait for a turn of the event loop. */
const slow = definePolicy({
  name: 'slow',
  phase: 'authenticate',
  schema: z.unknown(),
  create: () => ({
    effect: 'waits',
    onRequest: () => new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
  }),
}) as Policy;

interface Served {
  readonly origin: Origin;
  readonly gateway: TestGateway;
  /** Sends bytes on a connection of their own, and reads the answer. */
  ask(bytes: string): Promise<WireResponse>;
}

async function serve(policies: object[], more: object = {}): Promise<Served> {
  const origin = await startOrigin();
  const gateway = await startTestGateway(
    configWith({
      listener: { trustedProxies: ['127.0.0.1'], protocols: ['h2', 'http/1.1'] },
      services: [{ name: 'origin', endpoints: [origin.url] }],
      routes: [{ name: 'all', match: { pathPrefix: '/' }, service: 'origin', policies }],
      ...more,
    }),
    [trusting, slow],
  );
  opened.push(origin, gateway);
  const ask = (bytes: string): Promise<WireResponse> => exchange(gateway.port, bytes);
  return { origin, gateway, ask };
}

const get = (fields = ''): string => `GET /orders/7 HTTP/1.1\r\nHost: api.example\r\n${fields}\r\n`;
const by = (who: object): string => get(`X-Who: ${JSON.stringify(who)}\r\n`);
const problemOf = ({ body }: WireResponse) => JSON.parse(body.toString());

describe('authorize', () => {
  test('asks roles, permissions, claims and a condition, and says nothing of what was missing', async () => {
    const rule = {
      roles: ['editor', 'admin'],
      permissions: ['orders:write'],
      claims: { tenant: { oneOf: ['blue', 'green'] } },
      when: 'identity.claims.active == true && request.path.startsWith("/orders/")',
    };
    const { ask, origin } = await serve([{ trusting: {} }, { authorize: rule }], {
      roles: { admin: ['*:*'], editor: ['orders:*'], viewer: ['orders:read'] },
    });
    const claims = { tenant: 'blue', active: true };
    for (const roles of [['editor'], ['viewer', 'admin']]) expect((await ask(by({ roles, claims }))).status).toBe(200);
    const refused = [
      { roles: ['viewer'], claims },
      { roles: ['editor'] },
      { roles: ['editor'], claims: { ...claims, active: 'true' } },
      { roles: ['editor'], claims: { tenant: 'blue' } },
    ];
    const said = new Set<string>();
    for (const who of refused) {
      const answer = await ask(by(who));
      expect(answer.status).toBe(403);
      said.add(JSON.stringify({ ...problemOf(answer), instance: '' }));
    }
    expect([...said].map((text) => JSON.parse(text))).toMatchObject([
      { code: 'forbidden', detail: 'the caller may not do this' },
    ]);
    expect(origin.requests).toHaveLength(2);
  });

  test('of nobody is 401 with a challenge, and not 403', async () => {
    const { ask, origin } = await serve([{ authorize: { roles: ['admin'] } }]);
    const answer = await ask(get());
    expect([answer.status, valuesOf(answer.fields, 'www-authenticate')]).toEqual([401, ['Bearer']]);
    expect(origin.requests).toHaveLength(0);
  });

  test('several in one list all apply', async () => {
    const { ask } = await serve([
      { trusting: {} },
      { authorize: { scopes: ['a'] } },
      { authorize: { when: 'request.headers["x-team"] == "blue" && request.query.size() == 0' } },
    ]);
    expect((await ask(by({ scopes: ['a'] }))).status).toBe(403);
    expect((await ask(get('X-Team: blue\r\nX-Who: {}\r\n'))).status).toBe(403);
    expect((await ask(get('X-Team: blue\r\nX-Who: {"scopes":["a"]}\r\n'))).status).toBe(200);
  });
});

test('ipFilter judges by the trusted address, and refuses who only claims to come from elsewhere', async () => {
  const { ask } = await serve([{ ipFilter: { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.6.0.0/16'] } }]);
  const from = async (chain: string): Promise<number> => (await ask(get(`X-Forwarded-For: ${chain}\r\n`))).status;
  expect(await from('10.1.2.3')).toBe(200);
  expect(await from('2001:db8::7')).toBe(200);
  expect(await from('::ffff:10.1.2.3')).toBe(200);
  for (const chain of ['10.6.1.1', '192.0.2.1', '10.1.2.3, 192.0.2.1']) expect(await from(chain)).toBe(403);
  const direct = await ask(get());
  expect(problemOf(direct)).toMatchObject({ code: 'forbidden', detail: 'requests from this address are not served' });
});

describe('bodyLimit', () => {
  const post = (framing: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`;
  const chunk = (size: number): string => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;
  const limited = [{ bodyLimit: { max: 1000 } }];

  test('lets pass what fits, whatever says how long it is', async () => {
    const { ask, origin } = await serve(limited);
    expect((await ask(post('Content-Length: 1000', 'x'.repeat(1000)))).status).toBe(200);
    expect((await ask(post('Transfer-Encoding: chunked', `${chunk(600)}${chunk(400)}0\r\n\r\n`))).status).toBe(200);
    expect(origin.requests.map(({ body }) => body.length)).toEqual([1000, 1000]);
  });

  test('refuses a declared length before the body comes, in place of 100 Continue', async () => {
    const { gateway, origin } = await serve(limited);
    for (const expects of ['', 'Expect: 100-continue\r\n']) {
      const client = await rawClient(gateway.port);
      opened.push(client);
      await client.send(post(`${expects}Content-Length: 1001`));
      expect(await client.read()).toMatchObject({ kind: 'answer', interim: [], answer: { status: 413 } });
      await client.untilClosed();
      client.close();
    }
    expect(origin.connections).toHaveLength(0);
    await untilQuiet(gateway);
  });

  test.each([
    ['at once', []],
    ['after a policy that waits', [{ slow: {} }]],
  ])('refuses chunks beyond it, and the upstream never sees the end: %s', async (_, before) => {
    const { gateway, origin } = await serve([...before, ...limited]);
    const whole = post('Transfer-Encoding: chunked', `${chunk(600)}${chunk(401)}0\r\n\r\n`);
    const head = whole.indexOf('\r\n\r\n') + 4;
    const pieces = [
      [whole],
      [whole.slice(0, head), whole.slice(head)],
      [whole.slice(0, head + 620), whole.slice(head + 620)],
    ];
    for (const parts of pieces) {
      const client = await rawClient(gateway.port);
      opened.push(client);
      await client.send(parts.map((part) => Buffer.from(part, 'latin1')));
      const outcome = await client.read();
      expect(outcome).toMatchObject({ kind: 'answer', answer: { status: 413 } });
      client.close();
    }
    expect(origin.requests).toHaveLength(0);
    await untilQuiet(gateway);
  });

  test('is the same over HTTP/2', async () => {
    const { gateway, origin } = await serve(limited);
    const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
    opened.push(client);
    const headers = { ':path': '/', ':method': 'POST' };
    expect((await client.request(headers, 'x'.repeat(1000))).status).toBe(200);
    expect((await client.request(headers, 'x'.repeat(1001))).status).toBe(413);
    expect((await client.request({ ...headers, 'content-length': '1001' }, 'x'.repeat(1001))).status).toBe(413);
    expect(origin.requests).toHaveLength(1);
  });
});

test('securityHeaders stand on every answer, whoever made it, and a later policy has the last word', async () => {
  const { ask } = await serve([{ responseHeaders: { set: { 'Referrer-Policy': 'origin' } } }], {
    policies: [{ securityHeaders: {} }],
  });
  const own = await ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const refused = await ask('POST /%zz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  for (const { fields } of [own, refused]) {
    expect(valuesOf(fields, 'x-content-type-options')).toEqual(['nosniff']);
    expect(valuesOf(fields, 'x-frame-options')).toEqual(['DENY']);
    expect(valuesOf(fields, 'strict-transport-security')).toEqual([]);
  }
  expect(valuesOf(own.fields, 'referrer-policy')).toEqual(['origin']);
});
