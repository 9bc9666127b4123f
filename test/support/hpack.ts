/** Header blocks for tests: read into pairs of strings, and written piece by piece. */
import type { HpackDecoder } from '../../src/http/hpack-decoder.ts';

export type Field = readonly [name: string, value: string];

/** The fields of a block by this decoder; null when it is malformed. */
export function decodeFields(decoder: HpackDecoder, block: Uint8Array): Field[] | null {
  const fields: Field[] = [];
  const text = (bytes: Uint8Array, from: number, to: number): string =>
    Buffer.from(bytes.subarray(from, to)).toString('latin1');
  const sink = {
    onField: (name: Uint8Array, from: number, to: number, value: Uint8Array, start: number, end: number): void => {
      fields.push([text(name, from, to), text(value, start, end)]);
    },
  };
  return decoder.decode(block, 0, block.length, sink) ? fields : null;
}

/** A number in so many bits, under a pattern (RFC 7541 section 5.1). */
export function integer(pattern: number, bits: number, value: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([pattern | value]);
  const octets = [pattern | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 128);
  return Buffer.from([...octets, rest]);
}

export function string(text: string): Buffer {
  return Buffer.concat([integer(0, 7, text.length), Buffer.from(text, 'latin1')]);
}

/** A literal; `kept` in the table or not. */
export function literal([name, value]: Field, kept = false): Buffer {
  return Buffer.concat([Buffer.from([kept ? 0x40 : 0]), string(name), string(value)]);
}

export function indexed(index: number): Buffer {
  return integer(0x80, 7, index);
}

export function sizeUpdate(size: number): Buffer {
  return integer(0x20, 5, size);
}
