/** The messages of the health protocol: what is written is protobuf, what is read is exactly one message or nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { healthRequest, parseHealthResponse } from './health-message.ts';

/** A frame of gRPC. */
function frame(message: readonly number[], flag = 0, length = message.length): Buffer {
  return Buffer.from([flag, (length >> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255, ...message]);
}

describe('the request', () => {
  it.each<[string, number[]]>([
    ['', [0, 0, 0, 0, 0]],
    ['a.B', [0, 0, 0, 0, 5, 0x0a, 3, 97, 46, 66]],
    ['ö', [0, 0, 0, 0, 4, 0x0a, 2, 0xc3, 0xb6]],
  ])('for %j', (service, bytes) => {
    expect([...healthRequest(service)]).toEqual(bytes);
  });

  it('tells a long name by a length of two bytes', () => {
    const request = healthRequest('x'.repeat(200));
    expect([...request.subarray(0, 8)]).toEqual([0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]);
    expect(request.length).toBe(208);
  });
});

describe('the answer', () => {
  it.each<[string, Buffer, number]>([
    ['an empty message, UNKNOWN by default', frame([]), 0],
    ['SERVING', frame([8, 1]), 1],
    ['NOT_SERVING', frame([8, 2]), 2],
    ['a number in more bytes than it needs', frame([8, 0x81, 0]), 1],
    ['the field twice: the last one counts', frame([8, 1, 8, 2]), 2],
    [
      'fields that are not known',
      frame([0x10, 7, 0x1a, 2, 1, 1, 0x25, 1, 2, 3, 4, 0x29, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1]),
      1,
    ],
    ['nothing', Buffer.alloc(0), -1],
    ['less than a head', Buffer.alloc(4), -1],
    ['a compressed message', frame([8, 1], 1), -1],
    ['a frame that is cut', frame([8], 0, 2), -1],
    ['two messages', Buffer.concat([frame([8, 1]), frame([8, 1])]), -1],
    ['a number without an end', frame([8, 0x80]), -1],
    ['a number that is too long', frame([8, ...new Array(10).fill(0x80), 1]), -1],
    ['a tag without an end', frame([0x88]), -1],
    ['field 0', frame([0, 1]), -1],
    ['a wire type that is none', frame([0x0b]), -1],
    ['a field that reaches beyond the end', frame([0x12, 5, 1]), -1],
    ['a length beyond all bounds', frame([0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), -1],
    ['a fixed field that is cut', frame([0x25, 1]), -1],
    ['status with a wrong wire type', frame([0x0a, 1, 1]), 0],
  ])('%s', (_, body, status) => {
    expect(parseHealthResponse(body)).toBe(status);
  });

  it('is read in any noise without a fault, and never SERVING but by a field that says so', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (noise) => {
        const status = parseHealthResponse(frame([...noise]));
        expect(status).toBeGreaterThanOrEqual(-1);
        if (status === 1) expect(Buffer.from(noise).includes(8)).toBe(true);
      }),
    );
  });
});
