/** The stream that stands between gRPC-Web and the exchange: what is kept until the route is known, and what it pretends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../base/errors.ts';
import { fieldByName } from '../http/fields.ts';
import { CHUNKED } from '../http/framing.ts';
import { RequestParser } from '../http/request-parser.ts';
import type { ClientStream, RequestSink } from '../net/stream.ts';
import { bridgedStream, type GrpcWebStream } from './grpc-web-stream.ts';

/** What the exchange hears and what the client gets. */
interface Heard {
  body: Buffer;
  ended: string | null;
  fault: ErrorCode | null;
  head: string;
  out: string;
  closing: string | null;
}

function setUp(
  fields: string,
  bodyLength = CHUNKED,
  start = 'POST /a.B/C HTTP/1.1',
): [ClientStream, RequestSink & Heard, ClientStream] {
  const parser = new RequestParser(4096);
  const text = Buffer.from(`${start}\r\nHost: a\r\n${fields}\r\n`, 'latin1');
  parser.execute(text, 0, text.length);
  const heard = {
    body: Buffer.alloc(0),
    ended: null as string | null,
    fault: null as ErrorCode | null,
    head: '',
    out: '',
    closing: null as string | null,
    onRequestBody(bytes: Buffer, from: number, to: number) {
      heard.body = Buffer.concat([heard.body, bytes.subarray(from, to)]);
    },
    onRequestEnd(trailers: string) {
      heard.ended = trailers;
    },
    onRequestFault(code: ErrorCode) {
      heard.fault = code;
    },
    onClientGone() {},
    onClientDrain() {},
  };
  const stream = {
    sink: null,
    method: parser.method,
    rawTarget: parser.target,
    head: parser,
    minor: 1,
    protocol: 'HTTP/1.1',
    bodyLength,
    writeHead: (status: number, lines: string, length: number) => (heard.head = `${status} ${length}\r\n${lines}`),
    writeBody: (bytes: Buffer, from: number, to: number) => {
      heard.out += bytes.toString('latin1', from, to);
      return true;
    },
    flush: () => (heard.out += '|'),
    end: (trailers: string) => (heard.closing = trailers),
  } as unknown as ClientStream;
  const bridge = bridgedStream(stream);
  bridge.sink = heard;
  return [bridge, heard, stream];
}

const TEXT =
  'Content-Type: application/grpc-web-text+proto; charset=x\r\nAccept: application/grpc-web-text\r\nX-Grpc-Web: 1\r\n';
const BINARY = 'Content-Type: application/grpc-web\r\nContent-Length: 5\r\n';

describe('the stream before a stream', () => {
  it.each([
    ['gRPC', 'Content-Type: application/grpc\r\n', 'POST / HTTP/1.1'],
    ['a plain request', '', 'POST / HTTP/1.1'],
    ['what is not posted', 'Content-Type: application/grpc-web\r\n', 'PUT / HTTP/1.1'],
  ])('is none for %s', (_, fields, start) => {
    const [bridge, , stream] = setUp(fields, 0, start);
    expect(bridge).toBe(stream);
  });

  it('keeps what comes till it is decided, and decodes it then, however it is cut', () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(), fc.boolean(), (bytes, cut, decided, wanted) => {
        const [bridge, heard, stream] = setUp(TEXT);
        const text = Buffer.from(bytes.toString('base64'));
        const at = cut % (text.length + 1);
        const pieces = [text.subarray(0, at), text.subarray(at)];
        const turn = decided % 4;
        for (let i = 0; i < 4; i++) {
          if (i === turn) (bridge as GrpcWebStream).decide(wanted);
          if (i < 2) stream.sink?.onRequestBody(pieces[i], 0, pieces[i].length);
          else if (i === 2) stream.sink?.onRequestEnd('');
          if (i < turn) expect([heard.body.length, heard.ended]).toEqual([0, null]);
        }
        expect([heard.body, heard.ended, heard.fault]).toEqual([wanted ? bytes : text, '', null]);
      }),
    );
  });

  it.each<[string, string, number, boolean, number, string]>([
    ['text', TEXT, CHUNKED, true, CHUNKED, 'application/grpc+proto'],
    ['text of known length', `${TEXT}Content-Length: 8\r\n`, 8, true, CHUNKED, 'application/grpc+proto'],
    ['binary', BINARY, 5, true, 5, 'application/grpc'],
    ['what is passed on', BINARY, 5, false, 5, 'application/grpc-web'],
  ])('shows the exchange a head to match: %s', (_, fields, length, wanted, shown, type) => {
    const [bridge] = setUp(fields, length);
    (bridge as GrpcWebStream).decide(wanted);
    expect(bridge.bodyLength).toBe(shown);
    expect(fieldByName(bridge.head, 'content-type')).toBe(type);
    expect(fieldByName(bridge.head, 'te')).toBe(wanted ? 'trailers' : undefined);
    expect(fieldByName(bridge.head, 'x-grpc-web')).toBeUndefined();
    expect(fieldByName(bridge.head, 'content-length')).toBe(shown === CHUNKED ? undefined : String(length));
    expect(fieldByName(bridge.head, 'host')).toBe('a');
  });

  it.each(['A', '====', 'AAAA!'])('tells of a body that is no base64, once: %j', (body) => {
    const [bridge, heard, stream] = setUp(TEXT);
    (bridge as GrpcWebStream).decide(true);
    stream.sink?.onRequestBody(Buffer.from(body), 0, body.length);
    stream.sink?.onRequestEnd('');
    expect([heard.fault, heard.ended]).toEqual(['bad_request', null]);
    heard.fault = null;
    stream.sink?.onRequestBody(Buffer.from(body), 0, body.length);
    stream.sink?.onRequestFault('request_timeout', '');
    expect(heard.fault).toBeNull();
  });

  it('ends an answer that is none of gRPC as it is', () => {
    const [bridge, heard] = setUp(TEXT);
    (bridge as GrpcWebStream).decide(true);
    bridge.writeHead(502, 'Content-Type: text/html\r\nContent-Length: 3\r\n', 3);
    bridge.writeBody(Buffer.from('bad'), 0, 3);
    bridge.flush();
    bridge.end('X-T: 1\r\n');
    expect(heard).toMatchObject({
      head: '502 3\r\nContent-Type: text/html\r\nContent-Length: 3\r\n',
      out: 'bad|',
      closing: 'X-T: 1\r\n',
    });
  });

  it('gives what has come at each flush, to its last byte', () => {
    const [bridge, heard] = setUp(TEXT);
    (bridge as GrpcWebStream).decide(true);
    bridge.writeHead(200, 'content-type: application/grpc\r\nx: y\r\n', -1);
    for (const piece of ['a', 'bc', 'def', 'g']) {
      bridge.writeBody(Buffer.from(piece), 0, piece.length);
      bridge.flush();
    }
    bridge.end('grpc-status: 0\r\n');
    expect(heard.head).toBe('200 -1\r\nx: y\r\nContent-Type: application/grpc-web-text\r\n');
    const last = heard.out.split('|');
    expect(last.slice(0, 4)).toEqual(['YQ==', 'YmM=', 'ZGVm', 'Zw==']);
    expect(Buffer.from(last[4], 'base64').toString('latin1')).toBe('\x80\0\0\0\x10grpc-status: 0\r\n');
    expect(heard.closing).toBe('');
  });
});
