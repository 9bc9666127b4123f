/** Base64 in pieces gives what it gives in one, whatever the cuts; what is none is refused wherever it is cut. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Base64Decoder, Base64Encoder, trailersFrame } from './grpc-web.ts';

/** Cuts at these places, in any order and perhaps several at one place. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

function decodeAll(pieces: readonly Buffer[]): { bytes: Buffer; complete: boolean } | null {
  const decoder = new Base64Decoder();
  const out: Buffer[] = [];
  for (const piece of pieces) {
    const bytes = decoder.decode(piece, 0, piece.length);
    if (bytes === null) return null;
    out.push(bytes);
  }
  return { bytes: Buffer.concat(out), complete: decoder.complete };
}

const places = fc.array(fc.nat(), { maxLength: 8 });
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));

describe('decoding', () => {
  it('puts together pieces that were padded one by one, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), places, (messages, cuts) => {
        const text = Buffer.from(messages.map((message) => message.toString('base64')).join(''));
        expect(decodeAll(cut(text, cuts))).toEqual({ bytes: Buffer.concat(messages), complete: true });
      }),
    );
  });

  it('finds the same fault or none in any text, however it is cut', () => {
    const text = fc.string({ unit: fc.constantFrom(...'AQgw+/=-_ \n'), maxLength: 20 }).map((t) => Buffer.from(t));
    fc.assert(
      fc.property(text, places, (whole, cuts) => {
        const expected = decodeAll([whole]);
        expect(decodeAll(cut(whole, cuts))).toEqual(expected);
        const groups = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)*$/.test(whole.toString());
        if (expected?.complete === true) expect(groups).toBe(true);
      }),
    );
  });

  it.each(['=', 'A=', 'A===', 'AA=A', 'AAAA=', 'AB==', 'AAB=', 'AA-A', 'AA_A', 'AAA ', 'AA\n', 'AAA\0', 'AAAÿ'])(
    'refuses %j',
    (text) => {
      expect(decodeAll([Buffer.from(text, 'latin1')])).toBeNull();
    },
  );

  it.each(['A', 'AA', 'AAA', 'AA=', 'AAAAQ'])('knows that %j is not at its end', (text) => {
    expect(decodeAll([Buffer.from(text)])?.complete).toBe(false);
  });

  it('reads only between start and end', () => {
    expect(new Base64Decoder().decode(Buffer.from('!!AQID!!'), 2, 6)).toEqual(Buffer.from([1, 2, 3]));
  });
});

describe('encoding', () => {
  it('says the same bytes, flushed where it may be', () => {
    fc.assert(
      fc.property(bytes, places, fc.array(fc.boolean()), (message, cuts, flushes) => {
        const encoder = new Base64Encoder();
        let text = '';
        cut(message, cuts).forEach((piece, index) => {
          const framed = Buffer.concat([Buffer.from('!'), piece, Buffer.from('!')]);
          text += encoder.encode(framed, 1, framed.length - 1);
          if (flushes[index]) text += encoder.flush();
        });
        text += encoder.flush();
        expect(encoder.flush()).toBe('');
        expect(decodeAll([Buffer.from(text)])).toEqual({ bytes: message, complete: true });
      }),
    );
  });

  it('pads nowhere but where it is flushed', () => {
    const encoder = new Base64Encoder();
    const message = Buffer.from('hello');
    let text = '';
    for (let i = 0; i < message.length; i++) text += encoder.encode(message, i, i + 1);
    expect(text + encoder.flush()).toBe(message.toString('base64'));
  });
});

describe('the frame of trailers', () => {
  it.each<[string, string]>([
    ['', ''],
    ['Grpc-Status: 0\r\nX-Trace-BIN: AbC=\r\n', 'grpc-status: 0\r\nx-trace-bin: AbC=\r\n'],
    ['a:b:C\r\n', 'a:b:C\r\n'],
  ])('%j', (lines, text) => {
    const frame = trailersFrame(lines);
    expect(frame[0]).toBe(0x80);
    expect(frame.readUInt32BE(1)).toBe(text.length);
    expect(frame.toString('latin1', 5)).toBe(text);
  });
});
