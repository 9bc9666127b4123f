/** gRPC-Web bridged to a real server of gRPC: both formats, both versions of HTTP, and what is refused. */
import { describe, expect, test } from 'vitest';
import { configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { ECHO_INITIAL, ECHO_TRAILING, startGrpcServer, type TestServer } from '../support/grpc.ts';
import { decodePieces, frame, readFrames, webCall } from '../support/grpc-web.ts';
import { http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

async function setUp(route: object = {}): Promise<{ server: TestServer; gateway: TestGateway; url: string }> {
  const server = await startGrpcServer();
  const gateway = await startTestGateway(
    configWith({
      listener: { protocols: ['h2', 'http/1.1'] },
      services: [{ name: 'greeter', protocol: 'grpc', endpoints: [server.url] }],
      routes: [{ name: 'web', match: { pathPrefix: '/grpc.testing.TestService' }, service: 'greeter', ...route }],
    }),
  );
  opened.push(server, gateway);
  return { server, gateway, url: `http://127.0.0.1:${gateway.port}/grpc.testing.TestService/` };
}

const BINARY = { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' };
const TEXT = {
  'content-type': 'application/grpc-web-text+proto',
  accept: 'application/grpc-web-text',
  'x-grpc-web': '1',
};

/** A body in the format of the content type. */
function bodyOf(bytes: Buffer, headers: typeof BINARY): Buffer | string {
  return headers === BINARY ? bytes : bytes.toString('base64');
}

describe.each([
  ['binary', BINARY],
  ['text', TEXT],
])('%s', (name, headers) => {
  const type = name === 'text' ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto';

  test('carries a call, its metadata both ways, and its trailers in the last frame', async () => {
    const { server, gateway, url } = await setUp();
    const answer = await webCall(`${url}UnaryCall`, bodyOf(frame({ size: 40_000 }), headers), {
      ...headers,
      [ECHO_INITIAL]: 'there and back',
      [ECHO_TRAILING]: Buffer.from([0xab]).toString('base64'),
    });
    expect([answer.status, answer.type]).toEqual([200, type]);
    expect(answer.headers.get(ECHO_INITIAL)).toBe('there and back');
    expect(answer.messages).toEqual([{ payload: 'x'.repeat(40_000), server: server.url }]);
    expect(answer.trailers).toMatchObject({ 'grpc-status': '0', [ECHO_TRAILING]: expect.stringMatching(/^qw(==)?$/) });
    const { metadata } = server.calls[0];
    expect(metadata.get('x-grpc-web')).toEqual([]);
    expect(metadata.get('accept')).toEqual(name === 'text' ? [] : ['*/*']);
    expect(metadata.get('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(gateway.gateway.metrics.render()).toContain(
      'grpc_requests_total{route="web",service="greeter",grpc_status="0"} 1',
    );
  });

  test('gives each message of a stream when it comes', async () => {
    const { url } = await setUp();
    const stream = await fetch(`${url}StreamingOutputCall`, {
      method: 'POST',
      headers,
      body: new Uint8Array(Buffer.from(bodyOf(frame({ sizes: [1, 2], hold: true }), headers))),
    });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    let seen = Buffer.alloc(0);
    const decoded = (): Buffer => (name === 'text' ? decodePieces(seen.toString('latin1')) : seen);
    // The call has not ended, yet both messages are here to their last byte.
    while (!decoded().includes('"xx"}')) {
      const { value, done } = await reader.read();
      expect(done).toBe(false);
      seen = Buffer.concat([seen, value as Uint8Array]);
    }
    expect(readFrames(decoded()).messages).toEqual([{ payload: 'x' }, { payload: 'xx' }]);
    await reader.cancel();
  });

  test('tells a status that came with no message', async () => {
    const { url } = await setUp();
    const message = 'no ö';
    const answer = await webCall(`${url}UnaryCall`, bodyOf(frame({ status: { code: 5, message } }), headers), headers);
    expect(answer).toMatchObject({
      status: 200,
      type: expect.stringContaining(name === 'text' ? '-text' : '-web'),
      messages: [],
    });
    expect(answer.headers.get('grpc-status')).toBeNull();
    expect(answer.trailers).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'no%20%C3%B6' });
  });

  test('tells what the gateway refuses in the same way, route or none', async () => {
    const { url } = await setUp({ timeout: '50ms' });
    const nowhere = await webCall(`${new URL(url).origin}/nowhere`, bodyOf(frame({}), headers), headers);
    expect(nowhere).toMatchObject({ status: 200, trailers: { 'grpc-status': '12' }, messages: [] });
    const late = await webCall(`${url}StreamingInputCall`, bodyOf(frame({ hold: true }), headers), headers);
    expect(late).toMatchObject({ status: 200, trailers: { 'grpc-status': '4' } });
  });

  test('comes over HTTP/2 as well', async () => {
    const { url } = await setUp();
    const client = await http2Client(new URL(url).origin);
    opened.push(client);
    const answer = await client.request(
      { ':method': 'POST', ':path': '/grpc.testing.TestService/UnaryCall', ...headers },
      bodyOf(frame({ size: 3 }), headers),
    );
    const body = name === 'text' ? decodePieces(answer.body.toString('latin1')) : answer.body;
    expect([answer.status, answer.headers['content-type'], answer.trailers]).toEqual([200, type, {}]);
    expect(readFrames(body)).toMatchObject({ messages: [{ payload: 'xxx' }], trailers: { 'grpc-status': '0' } });
  });
});

describe('text', () => {
  test.each([1, 2, 3, 5])('may be cut anywhere, every %d bytes, and be padded in its middle', async (size) => {
    const { server, gateway } = await setUp();
    const client = await rawClient(gateway.port);
    opened.push(client);
    const whole = frame({ payload: 'abc' });
    const text = whole.subarray(0, 7).toString('base64') + whole.subarray(7).toString('base64');
    expect(text.indexOf('=')).toBeLessThan(text.length - 4);
    let head = 'POST /grpc.testing.TestService/EmptyCall HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n';
    head += 'Content-Type: application/grpc-web-text\r\n\r\n';
    await client.send(head);
    for (let at = 0; at < text.length; at += size) {
      const piece = text.slice(at, at + size);
      await client.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    }
    await client.send('0\r\n\r\n');
    const answer = await client.answer('POST');
    expect(valuesOf(answer.fields, 'content-type')).toEqual(['application/grpc-web-text+proto']);
    expect(readFrames(decodePieces(answer.body.toString('latin1'))).trailers['grpc-status']).toBe('0');
    expect(server.calls[0].method).toContain('EmptyCall');
  });

  test.each(['AAA', 'AAAA=', '????', 'AA=A', 'AAAA\n'])('that is no base64 is refused: %j', async (body) => {
    const { url } = await setUp();
    const answer = await webCall(`${url}UnaryCall`, body, TEXT);
    expect(answer).toMatchObject({ status: 200, messages: [], trailers: { 'grpc-status': '13' } });
    expect(answer.trailers['grpc-message']).toContain('bad_request');
  });
});

test('a service that speaks no gRPC gets the request as it came', async () => {
  const origin = await startOrigin();
  const gateway = await startTestGateway(
    configWith({
      services: [{ name: 'web', endpoints: [origin.url] }],
      routes: [{ name: 'web', match: {}, service: 'web' }],
    }),
  );
  opened.push(origin, gateway);
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/a`, { method: 'POST', headers: TEXT, body: '????' });
  expect([answer.status, await answer.text()]).toEqual([200, 'ok']);
  const { fields, body } = await origin.request(0);
  expect(valuesOf(fields, 'content-type')).toEqual([TEXT['content-type']]);
  expect(valuesOf(fields, 'x-grpc-web')).toEqual(['1']);
  expect(body.toString()).toBe('????');
});

test('a browser of another origin may read the answer where cors lets it', async () => {
  const origin = 'https://app.example.com';
  const { url } = await setUp({ policies: [{ cors: { origins: [origin], headers: ['content-type', 'x-grpc-web'] } }] });
  const preflight = await fetch(`${url}UnaryCall`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-grpc-web',
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
  const answer = await webCall(`${url}UnaryCall`, frame({ status: { code: 5, message: '' } }), { ...BINARY, origin });
  expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
  expect(answer.trailers['grpc-status']).toBe('5');
});
