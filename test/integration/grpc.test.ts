/** gRPC through the gateway, with a real client and a real server: the cases of the project's own interop tests, and more. */
import { createServer, type OutgoingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { CallOptions } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePolicy, type Policy, type Reply } from '../../src/pipeline/policy.ts';
import { createAuthority } from '../support/certificates.ts';
import { configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  ECHO_INITIAL,
  ECHO_TRAILING,
  grpcHealth,
  grpcStatus,
  type Message,
  Metadata,
  serialize,
  startGrpcServer,
  TestClient,
  type TestServer,
} from '../support/grpc.ts';
import { http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';

const opened = closedAfterEach();

interface Extra {
  readonly service?: object;
  readonly route?: object;
  readonly others?: object;
}

async function startGateway(urls: readonly string[], { service, route, others }: Extra = {}): Promise<TestGateway> {
  const gateway = await startTestGateway(
    configWith({
      listener: { protocols: ['h2', 'http/1.1'] },
      services: [{ name: 'greeter', protocol: 'grpc', endpoints: urls, ...service }],
      routes: [{ name: 'calls', match: { pathPrefix: '/grpc.testing.TestService' }, service: 'greeter', ...route }],
      ...others,
    }),
  );
  opened.push(gateway);
  return gateway;
}

async function setUp(extra: Extra = {}): Promise<{ server: TestServer; gateway: TestGateway; client: TestClient }> {
  const server = await startGrpcServer();
  opened.push(server);
  const gateway = await startGateway([server.url], extra);
  const client = new TestClient(gateway.port);
  opened.push(client);
  return { server, gateway, client };
}

/** An endpoint that speaks HTTP/2 and does with each request what it is told. */
async function startHttp2(onStream: (stream: ServerHttp2Stream) => void): Promise<string> {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.resume();
    onStream(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function frameOf(message: Message): Buffer {
  const bytes = serialize(message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Nothing is left of a call, neither here nor at the server's side. */
async function atRest({ gateway }: TestGateway): Promise<void> {
  await expect.poll(() => gateway.active).toBe(0);
  for (const service of gateway.current?.services.values() ?? []) {
    for (const endpoint of service.endpoints) await expect.poll(() => endpoint.active).toBe(0);
  }
}

function metrics(gateway: TestGateway): string[] {
  return gateway.gateway.metrics
    .render()
    .split('\n')
    .filter((line) => line.startsWith('portico_grpc_requests_total'));
}

function echo(): Metadata {
  const metadata = new Metadata();
  metadata.set(ECHO_INITIAL, 'test_initial_metadata_value');
  metadata.set(ECHO_TRAILING, Buffer.from([0xab, 0xab, 0xab]));
  return metadata;
}

describe('the interop cases', () => {
  let server: TestServer;
  let gateway: TestGateway;
  let client: TestClient;

  beforeEach(async () => {
    ({ server, gateway, client } = await setUp());
  });

  afterEach(() => atRest(gateway));

  test('empty_unary', async () => {
    expect(await client.unary('EmptyCall', {})).toMatchObject({ code: 0, messages: [{}] });
  });

  test('large_unary', async () => {
    const { code, messages } = await client.unary('UnaryCall', { size: 314_159, payload: 'x'.repeat(271_828) });
    expect([code, messages[0].payload?.length]).toEqual([0, 314_159]);
  });

  test('client_streaming', async () => {
    const { call, outcome } = client.input('StreamingInputCall');
    for (const size of [27_182, 8, 1828, 45_904]) call.write({ payload: 'x'.repeat(size) });
    call.end();
    expect(await outcome).toMatchObject({ code: 0, messages: [{ total: 74_922 }] });
  });

  test('server_streaming', async () => {
    const sizes = [31_415, 9, 2653, 58_979];
    const { code, messages } = await client.output('StreamingOutputCall', { sizes }).outcome;
    expect([code, messages.map(({ payload }) => payload?.length)]).toEqual([0, sizes]);
  });

  test('ping_pong', async () => {
    const { call, outcome } = client.duplex('FullDuplexCall');
    for (const size of [31_415, 9, 2653, 58_979]) {
      const answer = new Promise((resolve) => call.once('data', resolve));
      call.write({ sizes: [size], payload: 'x'.repeat(27_182) });
      expect(await answer).toEqual({ payload: 'x'.repeat(size) });
    }
    call.end();
    expect((await outcome).code).toBe(0);
  });

  test('empty_stream', async () => {
    const { call, outcome } = client.duplex('FullDuplexCall');
    call.end();
    expect(await outcome).toMatchObject({ code: 0, messages: [] });
  });

  test.each(['unary', 'duplex'])('custom_metadata, %s', async (kind) => {
    let outcome: Awaited<ReturnType<TestClient['unary']>>;
    if (kind === 'unary') outcome = await client.unary('UnaryCall', { size: 1 }, echo());
    else {
      const stream = client.duplex('FullDuplexCall', echo());
      stream.call.write({ sizes: [1] });
      stream.call.end();
      outcome = await stream.outcome;
    }
    expect(outcome.code).toBe(0);
    expect(outcome.initial?.get(ECHO_INITIAL)).toEqual(['test_initial_metadata_value']);
    expect(outcome.trailing.get(ECHO_TRAILING)).toEqual([Buffer.from([0xab, 0xab, 0xab])]);
  });

  const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

  test.each([
    ['status_code_and_message', 'test status message'],
    ['special_status_message', special],
  ])('%s', async (_, message) => {
    const status = { code: 2, message };
    expect(await client.unary('UnaryCall', { status })).toMatchObject({ code: 2, details: message });
    const { call, outcome } = client.duplex('FullDuplexCall');
    call.write({ status });
    expect(await outcome).toMatchObject({ code: 2, details: message });
    call.end();
  });

  test('unimplemented_method, unimplemented_service', async () => {
    expect((await client.unary('UnimplementedCall', {})).code).toBe(grpcStatus.UNIMPLEMENTED);
    expect((await client.unary('/grpc.testing.Nothing/Call', {})).code).toBe(grpcStatus.UNIMPLEMENTED);
  });

  test('cancel_after_begin', async () => {
    const { call, outcome } = client.input('StreamingInputCall');
    await expect.poll(() => server.calls.length).toBe(1);
    call.cancel();
    expect((await outcome).code).toBe(grpcStatus.CANCELLED);
    await expect.poll(() => server.calls[0].cancelled).toBe(true);
  });

  test('cancel_after_first_response', async () => {
    const { call, outcome } = client.duplex('FullDuplexCall');
    const first = new Promise((resolve) => call.once('data', resolve));
    call.write({ sizes: [31_415], payload: 'x'.repeat(27_182) });
    await first;
    call.cancel();
    expect((await outcome).code).toBe(grpcStatus.CANCELLED);
    await expect.poll(() => server.calls[0].cancelled).toBe(true);
    await atRest(gateway);
    expect(metrics(gateway)).toEqual([
      'portico_grpc_requests_total{route="calls",service="greeter",grpc_status="1"} 1',
    ]);
  });

  test('timeout_on_sleeping_server', async () => {
    const { call, outcome } = client.duplex('FullDuplexCall', new Metadata(), { deadline: Date.now() + 100 });
    call.write({ payload: 'x'.repeat(27_182) });
    expect((await outcome).code).toBe(grpcStatus.DEADLINE_EXCEEDED);
    await expect.poll(() => server.calls[0].cancelled).toBe(true);
  });
});

/** What is asked over and over, and where it was answered. */
async function servers(client: TestClient, calls: number): Promise<(string | undefined)[]> {
  const seen: (string | undefined)[] = [];
  for (let i = 0; i < calls; i++) seen.push((await client.unary('UnaryCall', {})).messages[0]?.server);
  return seen;
}

describe('several servers', () => {
  test('have calls of one connection by turns', async () => {
    const [a, b] = [await startGrpcServer(), await startGrpcServer()];
    opened.push(a, b);
    const client = new TestClient((await startGateway([a.url, b.url])).port);
    opened.push(client);
    expect(await servers(client, 4)).toEqual([a.url, b.url, a.url, b.url]);
  });

  test('are left alone while their health says so', async () => {
    const [a, b] = [await startGrpcServer(), await startGrpcServer()];
    opened.push(a, b);
    a.health = grpcHealth.NOT_SERVING;
    const healthCheck = { type: 'grpc', interval: '20ms', timeout: '1s', unhealthyAfter: 1, healthyAfter: 1 };
    const gateway = await startGateway([a.url, b.url], { service: { healthCheck } });
    const client = new TestClient(gateway.port);
    opened.push(client);
    const [first] = [...(gateway.gateway.current?.services.values() ?? [])][0].endpoints;
    await expect.poll(() => first.healthy).toBe(false);
    expect(new Set(await servers(client, 3))).toEqual(new Set([b.url]));
    a.health = grpcHealth.SERVING;
    await expect.poll(() => first.healthy).toBe(true);
    expect(new Set(await servers(client, 2))).toEqual(new Set([a.url, b.url]));
  });
});

test('TLS on both sides, with a health check under TLS', async () => {
  const authority = createAuthority();
  const own = authority.issue({ names: ['gateway.example'] });
  const server = await startGrpcServer(authority.issue({ names: ['greeter.internal'] }));
  const healthCheck = { type: 'grpc', interval: '20ms', timeout: '1s', unhealthyAfter: 1, healthyAfter: 1 };
  const tls = { caFile: 'ca.crt', serverName: 'greeter.internal' };
  const gateway = await startTestGateway(
    configWith({
      listener: { protocols: ['h2'], tls: { certificates: [{ certFile: 'own.crt', keyFile: 'own.key' }] } },
      services: [{ name: 's', protocol: 'grpcs', endpoints: [server.url], tls, healthCheck }],
      routes: [{ name: 'r', match: {}, service: 's' }],
    }),
    [],
    undefined,
    { 'ca.crt': authority.ca, 'own.crt': own.cert, 'own.key': own.key },
  );
  const client = new TestClient(gateway.port, authority.ca);
  opened.push(server, gateway, client);
  const [endpoint] = [...(gateway.gateway.current?.services.values() ?? [])][0].endpoints;
  server.health = grpcHealth.NOT_SERVING;
  await expect.poll(() => endpoint.healthy).toBe(false);
  server.health = grpcHealth.SERVING;
  await expect.poll(() => endpoint.healthy).toBe(true);
  expect(await client.unary('UnaryCall', { size: 3 })).toMatchObject({ code: 0, messages: [{ payload: 'xxx' }] });
  await atRest(gateway);
});

describe('a retry', () => {
  const retry = { attempts: 3, on: ['unavailable'], backoff: { base: '0ms', max: '0ms' } };

  /** The server fails calls with this status, `times` of them. */
  function failing(server: TestServer, code: number, times: number): void {
    let left = times;
    server.unary = (_call, answer) => {
      if (left-- > 0) answer({ code, details: 'not now' });
      else answer(null, { payload: 'at last' });
    };
  }

  test('follows a status that the route names, with the body again, and says how often it was tried', async () => {
    const { server, client, gateway } = await setUp({ route: { retry } });
    failing(server, grpcStatus.UNAVAILABLE, 2);
    const { code, messages } = await client.unary('UnaryCall', { payload: 'x'.repeat(1000) });
    expect([code, messages[0]?.payload]).toEqual([0, 'at last']);
    expect(server.calls.map(({ metadata }) => metadata.get('grpc-previous-rpc-attempts'))).toEqual([[], ['1'], ['2']]);
    expect(metrics(gateway)).toEqual([
      'portico_grpc_requests_total{route="calls",service="greeter",grpc_status="0"} 1',
    ]);
  });

  test.each<[string, number, object, number, number]>([
    ['another status', grpcStatus.INTERNAL, retry, 1, grpcStatus.INTERNAL],
    ['the last attempt', grpcStatus.UNAVAILABLE, { ...retry, attempts: 2 }, 2, grpcStatus.UNAVAILABLE],
    ['a route that names a status of HTTP', grpcStatus.UNAVAILABLE, { ...retry, on: ['503', 'reset'] }, 1, 14],
  ])('does not follow %s', async (_, code, plan, calls, given) => {
    const { server, client } = await setUp({ route: { retry: plan } });
    failing(server, code, 9);
    expect(await client.unary('UnaryCall', {})).toMatchObject({ code: given, details: 'not now' });
    expect(server.calls).toHaveLength(calls);
  });

  test.each<[string, string[], (stream: ServerHttp2Stream) => void, number, number]>([
    ['a reset', ['unavailable'], (stream) => stream.close(2), 0, 2],
    ['a try that takes too long', ['deadline-exceeded'], () => {}, 0, 2],
    ['a reset that the route does not name', ['internal', 'reset'], (stream) => stream.close(2), 14, 1],
    ['a try that the route does not name', ['unavailable', 'reset'], () => {}, 4, 1],
  ])('of no answer at all: %s', async (_, on, first, code, tries) => {
    let calls = 0;
    const url = await startHttp2((stream) => {
      if (calls++ === 0) return first(stream);
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.write(frameOf({ payload: 'at last' }));
      end(stream, { 'grpc-status': '0' });
    });
    const gateway = await startGateway([url], { route: { retry: { ...retry, on, perTryTimeout: '300ms' } } });
    const client = new TestClient(gateway.port);
    opened.push(client);
    expect((await client.unary('UnaryCall', {})).code).toBe(code);
    expect(calls).toBe(tries);
    await atRest(gateway);
  });

  test('does not follow a call whose answer has begun', async () => {
    const { server, client } = await setUp({ route: { retry } });
    server.unary = (call, answer) => {
      call.sendMetadata(new Metadata());
      answer({ code: grpcStatus.UNAVAILABLE, details: 'too late' });
    };
    expect(await client.unary('UnaryCall', {})).toMatchObject({ code: grpcStatus.UNAVAILABLE, details: 'too late' });
    expect(server.calls).toHaveLength(1);
  });

  test('does not take a server away for what its calls answer', async () => {
    const { server, client, gateway } = await setUp({ service: { passive: { failures: 1, coolDown: '1m' } } });
    failing(server, grpcStatus.UNAVAILABLE, 3);
    for (let i = 0; i < 3; i++) expect((await client.unary('UnaryCall', {})).code).toBe(grpcStatus.UNAVAILABLE);
    expect((await client.unary('UnaryCall', {})).code).toBe(0);
    await atRest(gateway);
  });
});

describe('a deadline', () => {
  test.each<[string, Extra, CallOptions]>([
    ['of the client', {}, { deadline: 300 }],
    ['of the route', { route: { timeout: '100ms' } }, {}],
    ['of the route before that of the client', { route: { timeout: '100ms' } }, { deadline: 60_000 }],
    ['of the service’s first answer', { service: { timeouts: { response: '100ms' } } }, {}],
  ])('%s ends a call on both sides, and the server knows of it', async (_, extra, { deadline }) => {
    const { server, client, gateway } = await setUp(extra);
    server.unary = () => {};
    const options = deadline === undefined ? {} : { deadline: Date.now() + Number(deadline) };
    expect((await client.unary('UnaryCall', {}, new Metadata(), options)).code).toBe(grpcStatus.DEADLINE_EXCEEDED);
    await expect.poll(() => server.calls[0].cancelled).toBe(true);
    if (extra.service === undefined) expect(server.calls[0].deadline - Date.now()).toBeLessThan(1000);
    await atRest(gateway);
  });

  test('of the route ends a call whose answer is under way by a status of its own', async () => {
    const url = await startHttp2((stream) => {
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.write(frameOf({ payload: 'begun' }));
    });
    const gateway = await startGateway([url], { route: { timeout: '100ms' } });
    const client = new TestClient(gateway.port);
    opened.push(client);
    const { call, outcome } = client.duplex('FullDuplexCall');
    call.write({});
    expect(await outcome).toMatchObject({
      code: grpcStatus.DEADLINE_EXCEEDED,
      details: "upstream_timeout: the route's time is used up",
      messages: [{ payload: 'begun' }],
    });
    await atRest(gateway);
    expect(metrics(gateway)).toEqual([
      'portico_grpc_requests_total{route="calls",service="greeter",grpc_status="4"} 1',
    ]);
  });

  test('of the client is longer than what the service usually has', async () => {
    const { server, client } = await setUp({ service: { timeouts: { response: '50ms' } } });
    server.unary = (_call, answer) => void setTimeout(() => answer(null, { payload: 'slow' }), 150);
    const { code } = await client.unary('UnaryCall', {}, new Metadata(), { deadline: Date.now() + 10_000 });
    expect(code).toBe(0);
  });

  test('that is malformed is the server’s to judge', async () => {
    const { client } = await setUp();
    const h2 = await http2Client(`http://127.0.0.1:${(opened[1] as TestGateway).port}`);
    opened.push(h2);
    const answer = await h2.request(
      { ...callHeaders('EmptyCall'), 'grpc-timeout': '5 seconds' },
      Buffer.from([0, 0, 0, 0, 2, 123, 125]),
    );
    expect(answer.headers['grpc-status'] ?? answer.trailers['grpc-status']).toBe(String(grpcStatus.INTERNAL));
    client.close();
  });
});

const callHeaders = (method: string): Record<string, string> => ({
  ':method': 'POST',
  ':path': `/grpc.testing.TestService/${method}`,
  'content-type': 'application/grpc',
  te: 'trailers',
});

/** Ends an answer with these trailers. */
function end(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end();
}

describe('a conversation', () => {
  test('may be silent for longer than a body may stall', async () => {
    const server = await startGrpcServer();
    const listener = { protocols: ['h2'], timeouts: { bodyIdle: '50ms' } };
    const gateway = await startTestGateway(
      configWith({
        listener,
        services: [{ name: 's', protocol: 'grpc', endpoints: [server.url] }],
        routes: [{ name: 'r', match: {}, service: 's' }],
      }),
    );
    const client = new TestClient(gateway.port);
    opened.push(server, gateway, client);
    const { call, outcome } = client.duplex('FullDuplexCall');
    call.write({ sizes: [1] });
    await new Promise((resolve) => setTimeout(resolve, 300));
    call.write({ sizes: [2] });
    call.end();
    expect(await outcome).toMatchObject({ code: 0, messages: [{ payload: 'x' }, { payload: 'xx' }] });
  });

  test('without a deadline ends when neither side has said anything for too long, and not before', async () => {
    const { client, gateway } = await setUp({ service: { timeouts: { streamIdle: '400ms' } } });
    const { call, outcome } = client.duplex('FullDuplexCall');
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      call.write({});
    }
    call.write({ sizes: [1] });
    expect(await outcome).toMatchObject({
      code: grpcStatus.DEADLINE_EXCEEDED,
      details: 'upstream_timeout: the stream was silent for too long',
      messages: [{ payload: 'x' }],
    });
    await atRest(gateway);
  });

  test.each<[string, (stream: ServerHttp2Stream) => void, number, string]>([
    // Whoever hears nothing says so by itself.
    ['no status', (stream) => end(stream, {}), grpcStatus.INTERNAL, '2'],
    ['a status that is none', (stream) => end(stream, { 'grpc-status': '99' }), 99, '2'],
    ['a status', (stream) => end(stream, { 'grpc-status': '15' }), grpcStatus.DATA_LOSS, '15'],
    ['a reset', (stream) => stream.close(2), grpcStatus.UNAVAILABLE, '14'],
    ['a cancellation', (stream) => stream.close(8), grpcStatus.UNAVAILABLE, '14'],
  ])('that the server ends with %s', async (_, onMessage, code, counted) => {
    const url = await startHttp2((stream) => {
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      onMessage(stream);
    });
    const gateway = await startGateway([url]);
    const client = new TestClient(gateway.port);
    opened.push(client);
    const { outcome } = client.duplex('FullDuplexCall');
    expect((await outcome).code).toBe(code);
    await atRest(gateway);
    expect(metrics(gateway).map((line) => /grpc_status="(.*)"/.exec(line)?.[1])).toEqual([counted]);
  });

  test('that the server breaks off ends with a status', async () => {
    const { server, client, gateway } = await setUp();
    const { call, outcome } = client.duplex('FullDuplexCall');
    const first = new Promise((resolve) => call.once('data', resolve));
    call.write({ sizes: [10] });
    await first;
    server.close();
    expect(await outcome).toMatchObject({
      code: grpcStatus.UNAVAILABLE,
      details: expect.stringMatching(/^upstream_reset: /),
    });
    await atRest(gateway);
  });
});

describe('a refusal of the gateway', () => {
  const refusing = (reply: object): Policy =>
    definePolicy({
      name: 'refuse',
      phase: 'guard',
      schema: z.strictObject({}),
      create: () => ({ effect: '', onRequest: () => reply as Reply }),
    });

  test.each<[string, object, number, RegExp]>([
    ['unauthenticated', { status: 401, headers: {}, body: '', code: 'unauthenticated' }, 16, /^unauthenticated: /],
    [
      'forbidden',
      { status: 403, headers: {}, body: '', code: 'forbidden', detail: 'sorry ö' },
      7,
      /^forbidden: sorry ö$/,
    ],
    ['rate_limited', { status: 429, headers: {}, body: '', code: 'rate_limited' }, 8, /^rate_limited/],
    ['a reply of its own', { status: 403, headers: { 'X-Why': 'so' }, body: 'no' }, 7, /^HTTP status 403$/],
  ])('by a policy: %s', async (_, reply, code, details) => {
    const server = await startGrpcServer();
    const gateway = await startTestGateway(
      configWith({
        listener: { protocols: ['h2', 'http/1.1'] },
        services: [{ name: 's', protocol: 'grpc', endpoints: [server.url] }],
        routes: [{ name: 'r', match: {}, service: 's', policies: [{ refuse: {} }] }],
      }),
      [refusing(reply)],
    );
    const client = new TestClient(gateway.port);
    opened.push(server, gateway, client);
    const outcome = await client.unary('UnaryCall', {});
    expect(outcome).toMatchObject({ code, details: expect.stringMatching(details) });
    expect(server.calls).toHaveLength(0);
  });

  test.each<[string, Extra, string, number, RegExp]>([
    ['no route', {}, '/nowhere.Service/Call', grpcStatus.UNIMPLEMENTED, /^route_not_found: /],
    [
      'another method',
      { route: { match: { methods: ['GET'] } } },
      'UnaryCall',
      grpcStatus.UNIMPLEMENTED,
      /^method_not_allowed/,
    ],
    [
      'nobody there',
      { service: { endpoints: ['http://127.0.0.1:1'] } },
      'UnaryCall',
      grpcStatus.UNAVAILABLE,
      /^upstream_connect_failed: /,
    ],
  ])('for %s', async (_, extra, method, code, details) => {
    const { client, gateway } = await setUp(extra);
    const outcome = await client.unary(method, {});
    expect(outcome).toMatchObject({ code, details: expect.stringMatching(details) });
    await atRest(gateway);
  });

  test('for too many at once', async () => {
    const { client, server, gateway } = await setUp({ others: { limits: { concurrentRequests: 1 } } });
    const { call, outcome } = client.duplex('FullDuplexCall');
    await expect.poll(() => server.calls.length).toBe(1);
    expect(await client.unary('UnaryCall', {})).toMatchObject({
      code: grpcStatus.UNAVAILABLE,
      details: 'overloaded: too many requests at once',
    });
    call.end();
    expect((await outcome).code).toBe(0);
    await atRest(gateway);
  });

  test('is a head and nothing else, with HTTP status 200', async () => {
    const { gateway } = await setUp({ service: { endpoints: ['http://127.0.0.1:1'], panic: true } });
    const client = await http2Client(`http://127.0.0.1:${gateway.port}`);
    opened.push(client);
    const answer = await client.request(callHeaders('EmptyCall'), Buffer.alloc(5));
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/grpc', 'grpc-status': '14' },
      trailers: {},
      body: Buffer.alloc(0),
      reset: 0,
    });
    expect(answer.headers['x-request-id']).toEqual(expect.any(String));
    expect(answer.headers['retry-after']).toBeUndefined();
  });

  test('is a problem document where nobody asked for gRPC, and over HTTP/1.1 even where somebody did', async () => {
    const { gateway } = await setUp();
    const url = `http://127.0.0.1:${gateway.port}/grpc.testing.TestService/EmptyCall`;
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/grpc+proto' },
      body: 'x',
    });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([415, 'unsupported_media_type']);
    const plain = await fetch(`http://127.0.0.1:${gateway.port}/nowhere`, { method: 'POST', body: 'x' });
    expect(plain.status).toBe(404);
  });
});
