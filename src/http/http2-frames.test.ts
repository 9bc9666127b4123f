/** Frames in every cut: the same ones are found, and what is none is refused at the same place. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frame } from '../../test/support/http2-frames.ts';
import { H2_ERROR } from './http2-errors.ts';
import {
  CLIENT_PREFACE,
  FLAG,
  FRAME,
  FrameReader,
  type FrameSink,
  MAX_FRAME,
  readUint31,
  readUint32,
  writeFrameHead,
  writeUint32,
} from './http2-frames.ts';

/** Writes down what it is told, with pieces of DATA put together. */
class Notes implements FrameSink {
  readonly notes: string[] = [];
  private data = '';

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    this.notes.push(`${type} ${flags} ${stream} ${bytes.toString('hex', start, end)}`);
  }

  onDataStart(stream: number, flags: number, length: number): void {
    this.data = `DATA ${flags} ${stream} ${length} `;
  }

  onData(bytes: Buffer, start: number, end: number): void {
    expect(end).toBeGreaterThan(start);
    this.data += bytes.toString('hex', start, end);
  }

  onDataEnd(): void {
    this.notes.push(this.data);
  }

  onFrameFault(code: number): void {
    this.notes.push(`fault ${code}`);
  }
}

function read(pieces: readonly Buffer[]): string[] {
  const reader = new FrameReader();
  const notes = new Notes();
  for (const piece of pieces) {
    // What lies around a chunk is none of the reader's business.
    const around = Buffer.concat([Buffer.from('xx'), piece, Buffer.from('yy')]);
    reader.execute(around, 2, 2 + piece.length, notes);
  }
  return notes.notes;
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

const SETTINGS = frame(FRAME.settings, 0, 0);
const OPENING = Buffer.concat([CLIENT_PREFACE, SETTINGS]);
const padded = (type: number, padding: number, data: string, said = padding): Buffer =>
  frame(type, FLAG.padded, 1, Buffer.concat([Buffer.from([said]), Buffer.from(data), Buffer.alloc(padding)]));

const frames: [string, Buffer, string][] = [
  ['an empty frame', frame(FRAME.settings, FLAG.ack, 0), '4 1 0 '],
  ['a frame with a payload', frame(FRAME.ping, 0, 0, Buffer.from('12345678')), '6 0 0 3132333435363738'],
  ['a stream with the reserved bit', frame(FRAME.rstStream, 0, 2 ** 31 + 3, Buffer.alloc(4)), '3 0 3 00000000'],
  ['the largest frame', frame(FRAME.headers, 4, 1, Buffer.alloc(MAX_FRAME, 1)), `1 4 1 ${'01'.repeat(MAX_FRAME)}`],
  ['DATA', frame(FRAME.data, 1, 5, Buffer.from('abc')), 'DATA 1 5 3 616263'],
  ['DATA with nothing', frame(FRAME.data, 0, 5), 'DATA 0 5 0 '],
  ['DATA with padding', padded(FRAME.data, 3, 'ab'), 'DATA 8 1 6 6162'],
  ['DATA with nothing but padding', padded(FRAME.data, 3, ''), 'DATA 8 1 4 '],
  ['DATA with a padding of nothing', padded(FRAME.data, 0, 'a'), 'DATA 8 1 2 61'],
  ['a frame that nobody knows', frame(0x77, 255, 9, Buffer.from('whatever')), '119 255 9 '],
  ['HEADERS with padding, which is for others to judge', padded(FRAME.headers, 2, 'ab'), '1 8 1 0261620000'],
];

const faults: [string, Buffer, number][] = [
  ['a frame that is too large', frame(FRAME.headers, 0, 1, Buffer.alloc(MAX_FRAME + 1)), H2_ERROR.frameSize],
  ['DATA that is too large', frame(FRAME.data, 0, 1, Buffer.alloc(MAX_FRAME + 1)), H2_ERROR.frameSize],
  ['a frame that nobody knows and is too large', frame(0x77, 0, 1, Buffer.alloc(MAX_FRAME + 1)), H2_ERROR.frameSize],
  ['padding that is longer than the frame', padded(FRAME.data, 1, '', 2), H2_ERROR.protocol],
  ['padding of which there is not even a length', frame(FRAME.data, FLAG.padded, 1), H2_ERROR.frameSize],
];

describe.each([1, 2, 7, 9, 10, 100, 1_000_000])('in pieces of %i', (size) => {
  test.each(frames)('%s', (_, bytes, note) => {
    const all = Buffer.concat([OPENING, bytes, bytes, SETTINGS]);
    expect(read(cut(all, size))).toEqual(['4 0 0 ', note, note, '4 0 0 ']);
  });

  test.each(faults)('%s', (_, bytes, code) => {
    const all = Buffer.concat([OPENING, bytes, SETTINGS]);
    expect(read(cut(all, size)).filter((note) => !note.startsWith('DATA'))).toEqual(['4 0 0 ', `fault ${code}`]);
  });

  test.each([
    ['no preface', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['a preface that goes wrong at its end', Buffer.concat([CLIENT_PREFACE.subarray(0, 23), Buffer.from('x')])],
    ['no settings', Buffer.concat([CLIENT_PREFACE, frame(FRAME.ping, 0, 0, Buffer.alloc(8))])],
    ['DATA before the settings', Buffer.concat([CLIENT_PREFACE, frame(FRAME.data, 0, 1, Buffer.alloc(8))])],
    ['an acknowledgement of settings', Buffer.concat([CLIENT_PREFACE, frame(FRAME.settings, FLAG.ack, 0)])],
  ])('a connection that begins with %s', (_, bytes) => {
    expect(read(cut(Buffer.concat([bytes, SETTINGS]), size))).toEqual([`fault ${H2_ERROR.protocol}`]);
  });
});

test('nothing is read after the sink has had enough, wherever it says so', () => {
  const all = Buffer.concat([OPENING, ...frames.map(([, bytes]) => bytes)]);
  const whole = read([all]);
  for (let enough = 1; enough < whole.length; enough++) {
    const reader = new FrameReader();
    const notes = new Notes();
    const stopping: FrameSink = {
      onFrame: (...args) => stopAfter(() => notes.onFrame(...args)),
      onDataStart: (...args) => notes.onDataStart(...args),
      onData: (...args) => notes.onData(...args),
      onDataEnd: () => stopAfter(() => notes.onDataEnd()),
      onFrameFault: (code) => notes.onFrameFault(code),
    };
    const stopAfter = (note: () => void): void => {
      note();
      if (notes.notes.length === enough) reader.stop();
    };
    reader.execute(all, 0, all.length, stopping);
    reader.execute(SETTINGS, 0, SETTINGS.length, stopping);
    expect(notes.notes).toEqual(whole.slice(0, enough));
  }
});

test('any octets are the same frames in every cut', () => {
  const some = fc.array(
    fc.oneof(
      fc.constantFrom(...frames.map(([, bytes]) => bytes)),
      fc.constantFrom(...faults.map(([, bytes]) => bytes)),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(some, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 }), (parts, sizes) => {
      const all = Buffer.concat([OPENING, ...parts]);
      const pieces: Buffer[] = [];
      for (let at = 0, i = 0; at < all.length; i++) {
        const size = sizes[i % sizes.length];
        pieces.push(all.subarray(at, at + size));
        at += size;
      }
      expect(read(pieces)).toEqual(read([all]));
    }),
    { numRuns: 200 },
  );
});

test.each([0, 1, 127, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])(
  'the number %i is read as it was written',
  (value) => {
    const bytes = Buffer.alloc(6, 0xff);
    writeUint32(bytes, 1, value);
    expect([readUint32(bytes, 1), readUint31(bytes, 1)]).toEqual([value, value % 2 ** 31]);
    expect([bytes[0], bytes[5]]).toEqual([255, 255]);
  },
);

test('the head of a frame is nine octets', () => {
  const bytes = Buffer.alloc(11, 0xee);
  expect(writeFrameHead(bytes, 1, 0x012345, FRAME.ping, 7, 0x7fffffff)).toBe(10);
  expect(bytes.toString('hex')).toBe('ee01234506077fffffffee');
});
