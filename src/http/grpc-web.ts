/** The codecs of gRPC-Web: base64 that comes and goes in pieces, and the frame that holds the trailers. */

const PAD = 61;
const INVALID = 64;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Six bits by character code, or `INVALID`. */
const SEXTETS: Uint8Array = new Uint8Array(256).fill(INVALID);
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;

const NOTHING = Buffer.alloc(0);

/**
 * Decodes a body of `application/grpc-web-text`: one or more pieces of base64 after another, each padded by itself
 * (RFC 4648 section 4), cut anywhere.
 */
export class Base64Decoder {
  /** Bits of the four characters under way. */
  private bits = 0;
  private count = 0;
  private padding = 0;

  /** True between two groups of four: the text may end here. */
  get complete(): boolean {
    return this.count === 0;
  }

  /** The bytes that are known now, in a buffer of their own; null when the text is no base64: nothing more may be given. */
  decode(bytes: Buffer, start: number, end: number): Buffer | null {
    if (start === end) return NOTHING;
    const out = Buffer.allocUnsafe(Math.ceil((end - start + 3) / 4) * 3);
    let size = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      const sextet = SEXTETS[byte];
      if (byte === PAD) {
        if (this.count < 2) return null;
        this.padding++;
      } else if (sextet === INVALID || this.padding > 0) return null;
      this.bits = (this.bits << 6) | (sextet & 63);
      if (++this.count < 4) continue;
      const { bits, padding } = this;
      // Bits that stand for no byte must be zero (RFC 4648 section 3.5): one text for the same bytes.
      if (padding > 0 && (bits & (padding === 1 ? 0xc0 : 0xf000)) !== 0) return null;
      out[size++] = bits >> 16;
      if (padding < 2) out[size++] = bits >> 8;
      if (padding < 1) out[size++] = bits;
      this.bits = 0;
      this.count = 0;
      this.padding = 0;
    }
    return out.subarray(0, size);
  }
}

/** Encodes a body as base64; up to two bytes wait for the third, until they are asked for. */
export class Base64Encoder {
  private readonly waiting = Buffer.alloc(3);
  private held = 0;

  /** The text of all whole groups of three bytes. */
  encode(bytes: Buffer, start: number, end: number): string {
    const { waiting } = this;
    let text = '';
    if (this.held > 0) {
      while (this.held < 3 && start < end) waiting[this.held++] = bytes[start++];
      if (this.held < 3) return '';
      text = waiting.toString('base64');
      this.held = 0;
    }
    const whole = start + Math.floor((end - start) / 3) * 3;
    text += bytes.toString('base64', start, whole);
    while (whole + this.held < end) {
      waiting[this.held] = bytes[whole + this.held];
      this.held++;
    }
    return text;
  }

  /** The text of what waits, padded: for a message must not wait for the one after it. */
  flush(): string {
    if (this.held === 0) return '';
    const text = this.waiting.toString('base64', 0, this.held);
    this.held = 0;
    return text;
  }
}

/** Marks a frame that holds trailers. */
const TRAILERS = 0x80;
const FRAME_HEAD = 5;

/** The frame that ends an answer: the field lines, their names in lower case, behind a head of five bytes. */
export function trailersFrame(lines: string): Buffer {
  let text = '';
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start);
    const colon = lines.indexOf(':', start);
    text += lines.slice(start, colon).toLowerCase() + lines.slice(colon, end + 2);
    start = end + 2;
  }
  const frame = Buffer.allocUnsafe(FRAME_HEAD + text.length);
  frame[0] = TRAILERS;
  frame.writeUInt32BE(text.length, 1);
  frame.write(text, FRAME_HEAD, 'latin1');
  return frame;
}
