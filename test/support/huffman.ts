/** Text in the Huffman code of HPACK, written the slow way: from the lengths of its codes alone. */
import { HUFFMAN_LENGTHS } from '../../src/http/hpack-huffman.ts';

/** The code of each octet, and of the end of string at 256, as binary digits. */
export const HUFFMAN_CODES: readonly string[] = codes();

function codes(): string[] {
  const found: string[] = [];
  let code = 0n;
  for (let length = 1; length <= 30; length++) {
    code <<= 1n;
    for (const [symbol, wanted] of HUFFMAN_LENGTHS.entries()) {
      if (wanted === length) found[symbol] = (code++).toString(2).padStart(length, '0');
    }
  }
  return found;
}

/** Binary digits as octets; what is missing of the last one is filled up with `padding`. */
export function octetsOf(bits: string, padding = '1'): Buffer {
  const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, padding);
  return Buffer.from((whole.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}

export function encodeHuffman(bytes: Uint8Array): Buffer {
  return octetsOf([...bytes].map((byte) => HUFFMAN_CODES[byte]).join(''));
}
