/** What the gateway reads and writes of gRPC, held to the protocol's own words. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import {
  encodeGrpcMessage,
  formatGrpcTimeout,
  GRPC,
  GRPC_WEB,
  GRPC_WEB_TEXT,
  grpcKind,
  grpcStatusIn,
  grpcStatusLines,
  grpcStatusOfError,
  grpcStatusOfHttp,
  NOT_GRPC,
  parseGrpcStatus,
  parseGrpcTimeout,
  trailersOnlyLines,
} from './grpc.ts';

describe('the kind of a content type', () => {
  it.each<[string, number]>([
    ['application/grpc', GRPC],
    ['application/grpc+proto', GRPC],
    ['application/grpc+json', GRPC],
    ['APPLICATION/gRPC;charset=utf-8', GRPC],
    ['application/grpc ; a=b', GRPC],
    ['application/grpc-web', GRPC_WEB],
    ['application/grpc-web+proto', GRPC_WEB],
    ['Application/Grpc-Web;x', GRPC_WEB],
    ['application/grpc-web-text', GRPC_WEB_TEXT],
    ['application/grpc-web-text+proto; q=1', GRPC_WEB_TEXT],
    ['application/grpc-web-texts', NOT_GRPC],
    ['application/grpc-webtext', NOT_GRPC],
    ['application/grpc-webs', NOT_GRPC],
    ['application/grpc-foo', NOT_GRPC],
    ['application/grpcs', NOT_GRPC],
    ['application/grp', NOT_GRPC],
    // Of two lines nobody can tell which one counts.
    ['application/grpc, application/grpc', NOT_GRPC],
    [' application/grpc', NOT_GRPC],
    ['text/plain', NOT_GRPC],
    ['', NOT_GRPC],
  ])('%s', (value, kind) => {
    expect(grpcKind(value)).toBe(kind);
  });
});

describe('grpc-timeout', () => {
  it.each<[string, number]>([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['250m', 250],
    ['500u', 0.5],
    ['1000000n', 1],
    ['0m', 0],
    ['00000007S', 7000],
    ['99999999S', 99_999_999_000],
    ['100000000m', -1],
    ['', -1],
    ['m', -1],
    ['5', -1],
    ['5s', -1],
    ['5h', -1],
    ['-5S', -1],
    ['+5S', -1],
    ['1.5S', -1],
    [' 5S', -1],
    ['5S ', -1],
    ['5S, 6S', -1],
    ['5__proto__', -1],
    ['٥S', -1],
  ])('%s', (value, milliseconds) => {
    expect(parseGrpcTimeout(value)).toBe(milliseconds);
  });

  it('is written so that it reads as the time it was, or as the next longer one', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e14, noNaN: true }), (milliseconds) => {
        const text = formatGrpcTimeout(milliseconds);
        expect(text).toMatch(/^[0-9]{1,8}[mSMH]$/);
        const read = parseGrpcTimeout(text);
        expect(read).toBeGreaterThanOrEqual(milliseconds);
        expect(read - milliseconds).toBeLessThanOrEqual(parseGrpcTimeout(`1${text.at(-1)}`));
      }),
    );
  });

  it.each<[number, string]>([
    [0, '1m'],
    [0.2, '1m'],
    [1500, '1500m'],
    [99_999_999, '99999999m'],
    [100_000_000, '100000S'],
    [1e18, '99999999H'],
  ])('%d ms are %s', (milliseconds, text) => {
    expect(formatGrpcTimeout(milliseconds)).toBe(text);
  });
});

describe('statuses', () => {
  it.each<[string, number]>([
    ['0', 0],
    ['9', 9],
    ['10', 10],
    ['16', 16],
    ['17', 2],
    ['99', 2],
    ['00', 2],
    ['014', 2],
    ['-1', 2],
    ['', 2],
    ['OK', 2],
    ['1a', 2],
  ])('"%s" is %d', (text, status) => {
    expect(parseGrpcStatus(text)).toBe(status);
  });

  it.each<[string, number]>([
    ['', -1],
    ['x-grpc-status: 5\r\n', -1],
    ['grpc-statuses: 5\r\n', -1],
    ['grpc-message: grpc-status: 5\r\n', -1],
    ['a: b\r\nGrpc-Status:7\r\nc: d\r\n', 7],
    ['grpc-status:  14  \r\n', 14],
    ['grpc-status: many\r\n', 2],
    ['grpc-status: 5', -1],
    ['no colon\r\ngrpc-status: 5\r\n', 5],
  ])('among the lines %j is %d', (lines, status) => {
    expect(grpcStatusIn(lines)).toBe(status);
  });

  it('are there for every error of the table, and invite another try only where it may help', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const status = grpcStatusOfError(code);
      expect(status, code).toBeGreaterThan(0);
      if (status === 14 && code !== 'misdirected_request' && code !== 'route_quarantined') {
        expect(ERRORS[code].retryable, code).toBe(true);
      }
    }
  });

  it.each<[ErrorCode, number]>([
    ['unauthenticated', 16],
    ['forbidden', 7],
    ['route_not_found', 12],
    ['rate_limited', 8],
    ['payload_too_large', 8],
    ['no_healthy_endpoint', 14],
    ['overloaded', 14],
    ['upstream_connect_failed', 14],
    ['upstream_timeout', 4],
    ['client_closed', 1],
    ['internal_error', 13],
  ])('%s is %d', (code, status) => {
    expect(grpcStatusOfError(code)).toBe(status);
  });

  it.each<[number, number]>([
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [429, 14],
    [502, 14],
    [503, 14],
    [504, 14],
    [418, 2],
    [500, 2],
  ])('HTTP %d is %d', (http, status) => {
    expect(grpcStatusOfHttp(http)).toBe(status);
  });
});

describe('grpc-message', () => {
  it.each<[string, string]>([
    ['', ''],
    ['plain text!', 'plain text!'],
    ['100%', '100%25'],
    ['a\r\nb', 'a%0D%0Ab'],
    [' ends ', '%20ends%20'],
    [' ', '%20'],
    ['\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n', ''],
  ])('%j', (message, text) => {
    const encoded = encodeGrpcMessage(message);
    if (text !== '') expect(encoded).toBe(text);
    expect(decodeURIComponent(encoded)).toBe(message);
  });

  it('is always a field value on one line, and always the message again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        const encoded = encodeGrpcMessage(message);
        expect(encoded).toMatch(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/);
        expect(decodeURIComponent(encoded)).toBe(message);
      }),
    );
  });

  it('stands with the status', () => {
    expect(grpcStatusLines(5, 'not ö')).toBe('grpc-status: 5\r\ngrpc-message: not %C3%B6\r\n');
    expect(trailersOnlyLines(0, '')).toBe('Content-Type: application/grpc\r\ngrpc-status: 0\r\ngrpc-message: \r\n');
  });
});
