/** gRPC through the gateway, with a real client and a real server: the cases of the project's own interop tests, and more. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  ECHO_INITIAL,
  ECHO_TRAILING,
  grpcStatus,
  Metadata,
  startGrpcServer,
  TestClient,
  type TestServer,
} from '../support/grpc.ts';

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

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
