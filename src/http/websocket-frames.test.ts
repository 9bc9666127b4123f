/** Frames in every cut: sound ones pass whole, and of the first that is not nothing does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { close, type FrameParts, frame, KEY, readFrame } from '../../test/support/websocket-frame.ts';
import {
  closeFrame,
  FrameScanner,
  MESSAGE_TOO_BIG,
  NO_CODE,
  NO_RSV,
  PROTOCOL_ERROR,
  RSV_ANY,
  RSV_DEFLATE,
} from './websocket-frames.ts';

const MAX = 1000;

interface Verdict {
  readonly passed: string;
  readonly fault: number;
  readonly detail: string;
  readonly closed: boolean;
  readonly closeCode: number;
}

/** What a scanner makes of bytes that come in these pieces, as a relay would use it. */
function verdictOf(pieces: readonly Buffer[], masked: boolean, rsv = NO_RSV, max = MAX): Verdict {
  const scanner = new FrameScanner(masked, max, rsv);
  const passed: Buffer[] = [];
  for (const piece of pieces) {
    if (scanner.fault !== 0 || scanner.closed) break;
    const to = scanner.scan(piece, 0, piece.length);
    if (scanner.prefix !== null) passed.push(Buffer.from(scanner.prefix));
    passed.push(piece.subarray(0, to));
  }
  const { fault, detail, closed, closeCode } = scanner;
  return { passed: Buffer.concat(passed).toString('hex'), fault, detail, closed, closeCode };
}

const byteByByte = (bytes: Buffer): Buffer[] => Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
const server = (parts: FrameParts): Buffer => frame(parts);
const client = (parts: FrameParts): Buffer => frame({ mask: KEY, ...parts });

describe('frames that are in order are passed whole', () => {
  test.each<[string, boolean, Buffer[], number?]>([
    ['a text', true, [client({ payload: 'Hello' })]],
    ['an empty text', true, [client({})]],
    ['an empty text of the server', false, [server({})]],
    ['a binary of the server', false, [server({ opcode: 2, payload: Buffer.alloc(300, 7) })]],
    ['as large as may be', false, [server({ opcode: 2, payload: Buffer.alloc(MAX) })]],
    ['a length longer than needed', false, [server({ payload: 'x', lengthBytes: 8 })]],
    ['a length longer than needed, in two bytes', true, [client({ payload: 'x', lengthBytes: 2 })]],
    [
      'fragments with a ping between them',
      true,
      [
        client({ fin: false, payload: 'He' }),
        client({ opcode: 9, payload: 'now' }),
        client({ fin: false, opcode: 0 }),
        client({ opcode: 0, payload: 'llo' }),
        client({ payload: 'next' }),
      ],
    ],
    ['the longest ping', false, [server({ opcode: 9, payload: Buffer.alloc(125) }), server({ opcode: 10 })]],
    [
      'a compressed message in fragments',
      false,
      [server({ fin: false, rsv: 0x40, payload: 'x' }), server({ opcode: 0, payload: 'y' })],
      RSV_DEFLATE,
    ],
    ['bits of an unknown extension', false, [server({ rsv: 0x70, opcode: 9 })], RSV_ANY],
  ])('%s', (_name, masked, frames, rsv = NO_RSV) => {
    const bytes = Buffer.concat(frames);
    const all = { passed: bytes.toString('hex'), fault: 0, detail: '', closed: false, closeCode: 0 };
    expect(verdictOf([bytes], masked, rsv)).toEqual(all);
    expect(verdictOf(byteByByte(bytes), masked, rsv)).toEqual(all);
  });
});

describe('the Close is the last', () => {
  test.each([
    ['with a code', close(4321, KEY), 4321],
    ['with a reason', close(1000, KEY, 'bye'), 1000],
    ['without a code', close(null, KEY), NO_CODE],
    ['with a code that is none', close(0, KEY), 0],
  ])('%s', (_name, bytes, code) => {
    const more = Buffer.concat([bytes, client({ payload: 'late' })]);
    const verdict = { passed: bytes.toString('hex'), fault: 0, detail: '', closed: true, closeCode: code };
    expect(verdictOf([more], true)).toEqual(verdict);
    expect(verdictOf(byteByByte(more), true)).toEqual(verdict);
  });

  test('of the server', () => {
    expect(verdictOf([close(1001)], false)).toMatchObject({ closed: true, closeCode: 1001 });
  });
});

const refused: [string, boolean, Buffer[], number, RegExp, number?][] = [
  ['not masked by the client', true, [server({ payload: 'x' })], PROTOCOL_ERROR, /not masked/],
  ['masked by the server', false, [client({ payload: 'x' })], PROTOCOL_ERROR, /is masked/],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): (typeof refused)[number] => [
    `opcode ${opcode}`,
    true,
    [client({ opcode })],
    PROTOCOL_ERROR,
    /opcode is reserved/,
  ]),
  ...[0x10, 0x20, 0x40].map((rsv): (typeof refused)[number] => [
    `bit ${rsv}`,
    true,
    [client({ rsv })],
    PROTOCOL_ERROR,
    /reserved bit/,
  ]),
  [
    'another bit than that of the extension',
    true,
    [client({ rsv: 0x20 })],
    PROTOCOL_ERROR,
    /reserved bit/,
    RSV_DEFLATE,
  ],
  ['a compressed ping', true, [client({ rsv: 0x40, opcode: 9 })], PROTOCOL_ERROR, /compressed/, RSV_DEFLATE],
  [
    'a compressed continuation',
    true,
    [client({ rsv: 0x40, fin: false }), client({ rsv: 0x40, opcode: 0 })],
    PROTOCOL_ERROR,
    /compressed/,
    RSV_DEFLATE,
  ],
  ['a ping in fragments', true, [client({ opcode: 9, fin: false })], PROTOCOL_ERROR, /control frame is fragmented/],
  ['a ping of 126 bytes', true, [client({ opcode: 9, payload: Buffer.alloc(126) })], PROTOCOL_ERROR, /longer than 125/],
  ['a long ping', true, [client({ opcode: 9, payload: 'x', lengthBytes: 8 })], PROTOCOL_ERROR, /longer than 125/],
  ['a Close of one byte', true, [client({ opcode: 8, payload: 'x' })], PROTOCOL_ERROR, /half a code/],
  ['a continuation of nothing', true, [client({ opcode: 0 })], PROTOCOL_ERROR, /no message/],
  [
    'a continuation after the last fragment',
    true,
    [client({ fin: false }), client({ opcode: 0 }), client({ opcode: 0 })],
    PROTOCOL_ERROR,
    /no message/,
  ],
  ['a text within a text', true, [client({ fin: false }), client({})], PROTOCOL_ERROR, /within another/],
  [
    'a length with the highest bit',
    false,
    [server({ declare: 2n ** 63n, lengthBytes: 8 })],
    PROTOCOL_ERROR,
    /highest bit/,
  ],
  ['one byte too many', false, [server({ payload: Buffer.alloc(MAX + 1) })], MESSAGE_TOO_BIG, /larger/],
  ['a length beyond all', false, [server({ declare: 2n ** 63n - 1n, lengthBytes: 8 })], MESSAGE_TOO_BIG, /larger/],
  [
    'too many in fragments',
    true,
    [client({ fin: false, payload: Buffer.alloc(MAX) }), client({ opcode: 9 }), client({ opcode: 0, payload: 'x' })],
    MESSAGE_TOO_BIG,
    /larger/,
  ],
];

describe('a frame that breaks the rules is refused, and no byte of it is passed', () => {
  test.each(refused)('%s', (_name, masked, frames, fault, detail, rsv = NO_RSV) => {
    const bytes = Buffer.concat(frames);
    const verdict = verdictOf([bytes], masked, rsv);
    expect(verdict).toMatchObject({ fault, detail: expect.stringMatching(detail) });
    expect(verdict.passed).toBe(Buffer.concat(frames.slice(0, -1)).toString('hex'));
    expect(verdictOf(byteByByte(bytes), masked, rsv)).toEqual(verdict);
  });
});

/** Frames of a client as they come to mind, some of them wrong. */
const anyFrame = fc
  .record({
    fin: fc.boolean(),
    rsv: fc.constantFrom(0, 0, 0, 0x40),
    opcode: fc.constantFrom(0, 0, 1, 2, 8, 9, 10, 3),
    payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    mask: fc.constantFrom(KEY, KEY, KEY, null),
    lengthBytes: fc.constantFrom(undefined, 2 as const, 8 as const),
  })
  .map(({ lengthBytes, ...parts }) => frame(lengthBytes === undefined ? parts : { ...parts, lengthBytes }));

describe('however bytes are cut', () => {
  const stream = fc.array(anyFrame, { minLength: 1, maxLength: 8 }).map((frames) => Buffer.concat(frames));

  test('the verdict is the same', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(2000), { maxLength: 12 }),
        fc.constantFrom(NO_RSV, RSV_DEFLATE),
        (bytes, at, rsv) => {
          const cuts = [...new Set([0, ...at.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
          const pieces = cuts.slice(1).map((cut, i) => bytes.subarray(cuts[i], cut));
          const whole = verdictOf([bytes], true, rsv, 300);
          expect(verdictOf(pieces, true, rsv, 300)).toEqual(whole);
          expect(verdictOf(byteByByte(bytes), true, rsv, 300)).toEqual(whole);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('what is passed is a begin of what came, and ends at a boundary unless within a payload', () => {
    fc.assert(
      fc.property(stream, fc.nat(2000), (bytes, cut) => {
        const truncated = bytes.subarray(0, cut % (bytes.length + 1));
        const scanner = new FrameScanner(true, 300, NO_RSV);
        const to = scanner.scan(truncated, 0, truncated.length);
        expect(scanner.prefix).toBeNull();
        let boundary = 0;
        for (let read = readFrame(truncated); read !== null && boundary + read.size <= to; ) {
          boundary += read.size;
          read = readFrame(truncated.subarray(boundary));
        }
        expect(scanner.atBoundary).toBe(boundary === to);
        // What is held back or refused begins at a boundary; only what is in order is passed beyond one.
        if (to < truncated.length) expect(boundary).toBe(to);
      }),
      { numRuns: 300 },
    );
  });
});

test('finishFrame steps to the end of the frame and no further', () => {
  const bytes = Buffer.concat([client({ payload: 'Hello' }), client({ payload: 'World' })]);
  const scanner = new FrameScanner(true, MAX, NO_RSV);
  expect(scanner.finishFrame(bytes, 0, bytes.length)).toBe(0);
  expect(scanner.scan(bytes, 0, 8)).toBe(8);
  expect(scanner.atBoundary).toBe(false);
  expect(scanner.finishFrame(bytes, 8, 9)).toBe(9);
  expect(scanner.finishFrame(bytes, 9, bytes.length)).toBe(11);
  expect(scanner.atBoundary).toBe(true);
});

test.each([null, KEY])('closeFrame makes what a reader reads, with the key %o', (key) => {
  const read = readFrame(closeFrame(1009, 'too big', key));
  expect(read).toMatchObject({ opcode: 8, fin: true, rsv: 0, masked: key !== null, code: 1009 });
  expect(read?.payload.toString('latin1', 2)).toBe('too big');
});
