/** Handshakes of either side that open a WebSocket, and those that do not. */
import { describe, expect, test } from 'vitest';
import { HEAD_COMPLETE } from './head-parser.ts';
import { RequestParser } from './request-parser.ts';
import { ResponseParser } from './response-parser.ts';
import { NO_RSV, RSV_ANY, RSV_DEFLATE } from './websocket-frames.ts';
import {
  acceptOf,
  agreedRsv,
  answerFault,
  asksForWebSocket,
  type HandshakeRequest,
  isVersionKnown,
  requestFault,
} from './websocket-handshake.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const GOOD = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Version': '13',
};

function linesOf(fields: Record<string, string | string[] | null>): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => (value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)))
    .join('');
}

function request(fields: Record<string, string | string[] | null> = {}, line = 'GET /chat HTTP/1.1'): HandshakeRequest {
  const head = new RequestParser(8192);
  const bytes = Buffer.from(`${line}\r\n${linesOf({ ...GOOD, ...fields })}\r\n`);
  expect(head.execute(bytes, 0, bytes.length)).toBe(HEAD_COMPLETE);
  return { method: head.method, minor: head.minor, bodyLength: 0, head };
}

function answer(fields: Record<string, string | string[] | null> = {}, version = '1.1'): ResponseParser {
  const parser = new ResponseParser(8192);
  const own = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': ACCEPT, ...fields };
  const bytes = Buffer.from(`HTTP/${version} 101 Switching Protocols\r\n${linesOf(own)}\r\n`);
  expect(parser.execute(bytes, 0, bytes.length)).toBe(HEAD_COMPLETE);
  return parser;
}

test('the accept of the key is that of RFC 6455 section 1.3', () => {
  expect(acceptOf(KEY)).toBe(ACCEPT);
});

describe('a request asks for a WebSocket', () => {
  test.each([
    [{}, 'GET / HTTP/1.1', true],
    [{ Upgrade: 'WebSocket' }, 'GET / HTTP/1.1', true],
    [{ Upgrade: 'h2c, websocket' }, 'GET / HTTP/1.1', true],
    [{}, 'POST / HTTP/1.1', true],
    [{ Upgrade: null }, 'GET / HTTP/1.1', false],
    [{ Upgrade: 'h2c' }, 'GET / HTTP/1.1', false],
    [{ Upgrade: 'websockets' }, 'GET / HTTP/1.1', false],
    [{}, 'GET / HTTP/1.0', false],
  ])('%j on %s: %s', (fields, line, asks) => {
    expect(asksForWebSocket(request(fields, line))).toBe(asks);
  });
});

describe('the handshake of a client', () => {
  test.each([
    [{}],
    [{ Connection: 'keep-alive, Upgrade' }],
    [{ Connection: ['keep-alive', 'upgrade'] }],
    [{ 'Sec-WebSocket-Key': '////////////////////+w==' }],
  ])('is good with %j', (fields) => {
    expect(requestFault(request(fields))).toBeNull();
  });

  test.each([
    [request({}, 'POST /chat HTTP/1.1'), /GET/],
    [{ ...request(), bodyLength: 1 }, /body/],
    [{ ...request(), bodyLength: -1 }, /body/],
    [request({ Connection: null }), /Connection/],
    [request({ Connection: 'keep-alive' }), /Connection/],
    [request({ 'Sec-WebSocket-Key': null }), /sixteen/],
    [request({ 'Sec-WebSocket-Key': '' }), /sixteen/],
    [request({ 'Sec-WebSocket-Key': [KEY, KEY] }), /sixteen/],
    [request({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ' }), /sixteen/],
    [request({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' }), /sixteen/],
    [request({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZSE=' }), /sixteen/],
    [request({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25-ZQ==' }), /sixteen/],
  ])('is refused (%#)', (bad, fault) => {
    expect(requestFault(bad)).toMatch(fault);
  });

  test.each([
    ['13', true],
    ['8', false],
    [null, false],
    [['13', '13'], false],
    ['13, 8', false],
  ])('of version %j: known is %s', (version, known) => {
    expect(isVersionKnown(request({ 'Sec-WebSocket-Version': version }).head)).toBe(known);
  });
});

describe('the answer of a server', () => {
  const offer = {
    'Sec-WebSocket-Protocol': 'chat, superchat',
    'Sec-WebSocket-Extensions': ['permessage-deflate; client_max_window_bits', 'x-other'],
  };

  test.each([
    [{}],
    [{ Upgrade: 'WebSocket', Connection: 'keep-alive, upgrade' }],
    [{ 'Sec-WebSocket-Protocol': 'superchat' }],
    [{ 'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover' }],
    [{ 'Sec-WebSocket-Extensions': 'X-Other, permessage-deflate' }],
  ])('is passed on with %j', (fields) => {
    expect(answerFault(answer(fields), request(offer).head, KEY)).toBeNull();
  });

  test.each([
    [answer({}, '1.0'), /HTTP\/1.1/],
    [answer({ Upgrade: null }), /upgrade to websocket/],
    [answer({ Upgrade: 'h2c' }), /upgrade to websocket/],
    [answer({ Upgrade: ['websocket', 'websocket'] }), /upgrade to websocket/],
    [answer({ Connection: null }), /Connection/],
    [answer({ Connection: 'close' }), /Connection/],
    [answer({ 'Sec-WebSocket-Accept': null }), /Accept/],
    [answer({ 'Sec-WebSocket-Accept': 'x' }), /Accept/],
    [answer({ 'Sec-WebSocket-Accept': ACCEPT.toLowerCase() }), /Accept/],
    [answer({ 'Sec-WebSocket-Accept': [ACCEPT, ACCEPT] }), /Accept/],
    [answer({ 'Sec-WebSocket-Protocol': 'other' }), /subprotocol/],
    [answer({ 'Sec-WebSocket-Protocol': 'Chat' }), /subprotocol/],
    [answer({ 'Sec-WebSocket-Protocol': ['chat', 'superchat'] }), /subprotocol/],
    [answer({ 'Sec-WebSocket-Extensions': 'permessage-deflate, unheard-of' }), /extension/],
  ])('is refused (%#)', (bad, fault) => {
    expect(answerFault(bad, request(offer).head, KEY)).toMatch(fault);
  });

  test('is refused with anything where nothing was offered', () => {
    expect(answerFault(answer({ 'Sec-WebSocket-Protocol': 'chat' }), request().head, KEY)).toMatch(/subprotocol/);
    const extended = answer({ 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    expect(answerFault(extended, request().head, KEY)).toMatch(/extension/);
  });

  test.each([
    [{}, NO_RSV],
    [{ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_no_context_takeover' }, RSV_DEFLATE],
    [{ 'Sec-WebSocket-Extensions': 'permessage-deflate, x-other' }, RSV_ANY],
  ])('with %j lets frames have the bits %i', (fields, rsv) => {
    expect(agreedRsv(answer(fields))).toBe(rsv);
  });
});
