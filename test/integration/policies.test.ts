/** Policies in a running gateway: who is told of which request, and what becomes of it when one of them fails. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Phase } from '../../src/pipeline/phases.ts';
import type { Policy, PolicyHooks, Reply } from '../../src/pipeline/policy.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { untilQuiet, untilUpstreamClosed } from '../support/quiet.ts';
import { headerOf, type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

function policy(name: string, phase: Phase, hooks: Omit<PolicyHooks, 'effect'>): Policy {
  return { name, phase, schema: z.unknown(), create: () => ({ effect: name, ...hooks }) };
}

interface SetUp {
  origin: Origin;
  gateway: TestGateway;
  client: RawClient;
}

async function setUp(policies: readonly Policy[], uses?: object[], answer?: string): Promise<SetUp> {
  const origin = await startOrigin(
    answer === undefined ? {} : { onRequest: (_request, connection) => connection.write(answer) },
  );
  opened.push(origin);
  const route = { policies: uses ?? policies.map(({ name }) => ({ [name]: {} })) };
  const gateway = await startTestGateway(configFor([origin.url], { route }), policies);
  opened.push(gateway);
  const client = await rawClient(gateway.port);
  opened.push(client);
  return { origin, gateway, client };
}

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';

describe('header policies', () => {
  test('change what the gateway itself writes, too', async () => {
    const operations = {
      set: { 'x-forwarded-for': '192.0.2.1', 'User-Agent': 'portico', 'X-New': '1' },
      add: { 'X-TWICE': 'c', vIA: '1.1 other' },
      remove: ['x-request-id', 'X-SECRET', 'Forwarded'],
    };
    const { origin, client } = await setUp(
      [],
      [
        { requestHeaders: operations },
        {
          responseHeaders: {
            set: { Server: 'portico' },
            add: { 'x-twice': 'c' },
            remove: ['X-Request-ID', 'X-secret'],
          },
        },
      ],
      'HTTP/1.1 200 OK\r\nserver: one\r\nX-Twice: a\r\nSERVER: two\r\nX-Twice: b\r\nx-Secret: s\r\nContent-Length: 2\r\n\r\nok',
    );
    await client.send(
      'GET / HTTP/1.1\r\nHost: a\r\nuser-agent: curl\r\nX-Secret: 1\r\nX-Twice: a\r\nx-secret: 2\r\nx-twice: b\r\n\r\n',
    );
    const { fields: answered, body } = await client.answer();
    const { fields } = await origin.request(0);
    const of = (name: string): string[] => valuesOf(fields, name);
    expect([of('x-forwarded-for'), of('user-agent'), of('x-new')]).toEqual([['192.0.2.1'], ['portico'], ['1']]);
    expect([of('x-twice'), of('via')]).toEqual([
      ['a', 'b', 'c'],
      ['1.1 portico', '1.1 other'],
    ]);
    expect([of('x-request-id'), of('x-secret'), of('forwarded'), of('host')]).toEqual([[], [], [], ['a']]);
    expect(body.toString()).toBe('ok');
    expect(valuesOf(answered, 'server')).toEqual(['portico']);
    expect(valuesOf(answered, 'x-twice')).toEqual(['a', 'b', 'c']);
    expect([valuesOf(answered, 'x-request-id'), valuesOf(answered, 'x-secret')]).toEqual([[], []]);
  });
});

describe('a policy that answers', () => {
  const reply: Reply = { status: 418, headers: { 'X-Pot': 'tea' }, body: 'short' };

  test.each([
    ['at once', () => reply],
    ['later', () => Promise.resolve(reply)],
  ])('%s ends the request there; every policy hears of the answer and of the end', async (_, onRequest) => {
    const told: string[] = [];
    const tell = (name: string, phase: Phase, request: PolicyHooks['onRequest'] = () => undefined): Policy =>
      policy(name, phase, {
        onRequest(exchange) {
          told.push(`request ${name} ${exchange.status}`);
          return request(exchange);
        },
        onResponse(exchange) {
          told.push(`response ${name} ${exchange.status}`);
          exchange.responseEdits.add('X-By', name);
        },
        onEnd: (exchange) => void told.push(`end ${name} ${exchange.status}`),
      });
    const { origin, client, gateway } = await setUp([
      tell('third', 'answer'),
      tell('second', 'recall', onRequest),
      tell('first', 'edge'),
    ]);
    // A body that is there before the answer must not be taken for the next request.
    await client.send(POST + GET);
    const answers = [await client.answer(), await client.answer()];
    for (const answer of answers) {
      expect([answer.status, headerOf(answer, 'x-pot'), answer.body.toString()]).toEqual([418, 'tea', 'short']);
      expect(headerOf(answer, 'x-by')).toBe('first, second, third');
    }
    client.close();
    await untilQuiet(gateway);
    const once = [
      'request first 0',
      'request second 0',
      ...['response', 'end'].flatMap((hook) => ['first', 'second', 'third'].map((name) => `${hook} ${name} 418`)),
    ];
    expect(told).toEqual([...once, ...once]);
    expect(origin.requests).toHaveLength(0);
  });
});

describe('a policy that fails', () => {
  const fail = (): never => {
    throw new Error('broken');
  };
  const forged = { status: 200, headers: { 'X-A': 'a\r\nX-B: b' }, body: '' };
  const request: [string, PolicyHooks['onRequest']][] = [
    ['at once', fail],
    ['later', () => Promise.reject(new Error('broken'))],
    ['with a header that would break the head', (exchange) => exchange.requestEdits.set('X-A', 'a\nb') as undefined],
    ['with a reply that would break the head', () => forged],
    ['later with a reply that would break the head', () => Promise.resolve(forged)],
  ];

  test.each(request)('before the upstream is asked, %s, is 500; the gateway goes on', async (_, onRequest) => {
    let fails = true;
    const own = policy('fragile', 'guard', { onRequest: (exchange) => (fails ? onRequest?.(exchange) : undefined) });
    const { origin, client, gateway } = await setUp([own]);
    await client.send(POST + GET);
    for (let i = 0; i < 2; i++) {
      const answer = await client.answer();
      expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([500, { code: 'internal_error' }]);
      expect([headerOf(answer, 'x-a'), headerOf(answer, 'x-b')]).toEqual([undefined, undefined]);
    }
    expect(origin.requests).toHaveLength(0);
    fails = false;
    await client.send(GET);
    expect((await client.answer()).status).toBe(200);
    client.close();
    await untilQuiet(gateway);
  });

  test.each([
    ['an upstream', undefined],
    ['the gateway', { status: 200, headers: { 'X-Secret': 's' }, body: 'own' }],
  ])('at an answer of %s does not let it through; the gateway goes on', async (_, reply) => {
    let fails = true;
    const ended: number[] = [];
    const { client, gateway, origin } = await setUp(
      [
        policy('replies', 'recall', { onRequest: () => reply }),
        policy('encodes', 'answer', { onResponse: (exchange) => exchange.responseEdits.set('Content-Encoding', 'x') }),
        policy('hides', 'answer', {
          onResponse: (exchange) => (fails ? fail() : exchange.responseEdits.remove('X-Secret')),
          onEnd: ({ status }) => void ended.push(status),
        }),
      ],
      undefined,
      // The rest of the body does not come: the connection is of no more use.
      'HTTP/1.1 200 OK\r\nX-Secret: s\r\nContent-Length: 100\r\n\r\na part',
    );
    await client.send(POST + GET);
    for (let i = 0; i < 2; i++) {
      const answer = await client.answer();
      expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([500, { code: 'internal_error' }]);
      expect([headerOf(answer, 'x-secret'), headerOf(answer, 'content-encoding')]).toEqual([undefined, undefined]);
    }
    await untilUpstreamClosed(gateway);
    const endpoints = [...(gateway.gateway.current?.services.values() ?? [])].flatMap((service) => service.endpoints);
    expect(endpoints.map(({ active }) => active)).toEqual([0]);
    fails = false;
    origin.script = {};
    await client.send(GET);
    const answer = await client.answer();
    expect([answer.status, headerOf(answer, 'content-encoding')]).toEqual([200, 'x']);
    client.close();
    await untilQuiet(gateway);
    expect(ended).toEqual([500, 500, 200]);
  });

  test('at the end keeps nobody from hearing of it', async () => {
    const ended: number[] = [];
    const { client, gateway } = await setUp([
      policy('breaks', 'edge', { onEnd: fail }),
      policy('hears', 'answer', { onEnd: ({ status }) => void ended.push(status) }),
    ]);
    await client.send(GET + GET);
    expect([(await client.answer()).status, (await client.answer()).status]).toEqual([200, 200]);
    client.close();
    await untilQuiet(gateway);
    expect(ended).toEqual([200, 200]);
  });
});
