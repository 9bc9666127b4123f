/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 section 5.2), and makes the one that ends it. No I/O:
 * payloads are stepped over, never looked at, copied or unmasked.
 */

/** Close codes that the gateway itself sends (RFC 6455 section 7.4.1). */
export const GOING_AWAY = 1001;
export const PROTOCOL_ERROR = 1002;
export const MESSAGE_TOO_BIG = 1009;
export const INTERNAL_ERROR = 1011;
/** Never sent: a Close without a code, and no Close at all. */
export const NO_CODE = 1005;
export const ABNORMAL = 1006;

/** Bits of a frame's first byte that an extension may give a meaning to. */
export const NO_RSV = 0;
/** Of permessage-deflate: on the first frame of a message only (RFC 7692 section 6). */
export const RSV_DEFLATE = 0x40;
/** Of extensions that the gateway does not know. */
export const RSV_ANY = 0x70;

const FIN = 0x80;
const RSV = 0x70;
const MASKED = 0x80;

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PONG = 10;

const LENGTH_16 = 126;
const LENGTH_64 = 127;
/** The longest payload of a control frame (RFC 6455 section 5.5). */
const MAX_CONTROL = 125;
const MAX_HEADER = 14;

const INCOMPLETE = 0;
const REFUSED = -1;

export class FrameScanner {
  /** A close code once a frame was refused, else 0; `detail` says why. The scanner is spent then. */
  fault = 0;
  detail = '';
  /** True after the Close frame, and `closeCode` is its code, or `NO_CODE`. */
  closed = false;
  closeCode = 0;
  /** After `scan`: bytes of a header that earlier reads brought and that go before those of this one. */
  prefix: Buffer | null = null;
  private readonly masked: boolean;
  private readonly maxMessage: number;
  private readonly rsv: number;
  /** Payload bytes of the current frame that have not come. */
  private left = 0;
  private opcode = 0;
  private fragmented = false;
  private messageSize = 0;
  private code = 0;
  private codeBytes = 0;
  /** The first two bytes of the masking key, of a Close. */
  private key = 0;
  private partial: Buffer | null = null;
  private partialLength = 0;

  /** `masked`: the direction is that from the client. `maxMessage` in bytes of payload as they are on the wire. */
  constructor(masked: boolean, maxMessage: number, rsv: number) {
    this.masked = masked;
    this.maxMessage = maxMessage;
    this.rsv = rsv;
  }

  /** True when all that `scan` let pass ends with the end of a frame. */
  get atBoundary(): boolean {
    return this.left === 0;
  }

  /**
   * Follows `bytes[start, end)`; answers up to where they may be passed on. That is `end`, or the begin of a header that is
   * incomplete or of a frame that is refused, neither of which was passed on in part, or the end of the Close frame, after
   * which nothing may come (RFC 6455 section 5.5.1).
   */
  scan(bytes: Buffer, start: number, end: number): number {
    this.prefix = null;
    let at = start;
    if (this.partial !== null) {
      at = this.resume(bytes, start, end);
      if (at < 0) return start;
    }
    while (at < end && !this.closed) {
      if (this.left > 0) at = this.finishFrame(bytes, at, end);
      else {
        const size = this.headerSize(bytes, at, end);
        if (size === INCOMPLETE) this.hold(bytes, at, end);
        if (size <= 0 || !this.begin(bytes, at)) return at;
        at += size;
      }
    }
    return at;
  }

  /** Steps to the end of the current frame's payload and no further. */
  finishFrame(bytes: Buffer, start: number, end: number): number {
    const step = Math.min(this.left, end - start);
    if (step === 0) return start;
    if (this.opcode === CLOSE) this.readCode(bytes, start, start + step);
    this.left -= step;
    if (this.left === 0) this.endFrame();
    return start + step;
  }

  /** The end of the header that earlier reads began, or -1 when it is still incomplete or was refused. */
  private resume(bytes: Buffer, start: number, end: number): number {
    const partial = this.partial as Buffer;
    const before = this.partialLength;
    let at = start;
    let size = this.headerSize(partial, 0, before);
    while (size === INCOMPLETE && at < end) {
      partial[this.partialLength++] = bytes[at++];
      size = this.headerSize(partial, 0, this.partialLength);
    }
    if (size <= 0 || !this.begin(partial, 0)) return -1;
    this.prefix = partial.subarray(0, before);
    this.partial = null;
    return at;
  }

  private hold(bytes: Buffer, start: number, end: number): void {
    this.partial = Buffer.allocUnsafeSlow(MAX_HEADER);
    this.partialLength = bytes.copy(this.partial, 0, start, end);
  }

  /** The size of the header at `at`, which is judged as far as its first two bytes tell. */
  private headerSize(bytes: Buffer, at: number, end: number): number {
    if (end - at < 2) return INCOMPLETE;
    const first = bytes[at];
    const second = bytes[at + 1];
    const fault = this.judge(first & 0x0f, (first & FIN) !== 0, first & RSV, second);
    if (fault !== '') return this.refuse(PROTOCOL_ERROR, fault);
    const length = second & 0x7f;
    const size = 2 + (length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0) + (this.masked ? 4 : 0);
    return end - at < size ? INCOMPLETE : size;
  }

  private judge(opcode: number, fin: boolean, rsv: number, second: number): string {
    if ((rsv & ~this.rsv) !== 0) return 'a reserved bit is set that no extension was agreed on for';
    if (this.rsv === RSV_DEFLATE && rsv !== 0 && opcode !== TEXT && opcode !== BINARY) {
      return 'a frame that does not begin a message is marked as compressed';
    }
    if (((second & MASKED) !== 0) !== this.masked) {
      return this.masked ? 'a frame of the client is not masked' : 'a frame of the server is masked';
    }
    if (opcode >= CLOSE) {
      if (opcode > PONG) return 'the opcode is reserved';
      if (!fin) return 'a control frame is fragmented';
      if ((second & 0x7f) > MAX_CONTROL) return 'a control frame is longer than 125 bytes';
      if (opcode === CLOSE && (second & 0x7f) === 1) return 'a Close has half a code';
      return '';
    }
    if (opcode > BINARY) return 'the opcode is reserved';
    if (opcode === CONTINUATION) return this.fragmented ? '' : 'there is no message to be continued';
    return this.fragmented ? 'a message begins within another one' : '';
  }

  /** Takes a complete header; false when its length is refused. */
  private begin(bytes: Buffer, at: number): boolean {
    const opcode = bytes[at] & 0x0f;
    const short = bytes[at + 1] & 0x7f;
    let length = short;
    let key = at + 2;
    if (short === LENGTH_16) {
      length = bytes.readUInt16BE(key);
      key += 2;
    } else if (short === LENGTH_64) {
      if ((bytes[key] & 0x80) !== 0) {
        this.refuse(PROTOCOL_ERROR, 'the highest bit of a length is set');
        return false;
      }
      length = bytes.readUInt32BE(key) * 2 ** 32 + bytes.readUInt32BE(key + 4);
      key += 8;
    }
    if (opcode < CLOSE) {
      if (opcode !== CONTINUATION) this.messageSize = 0;
      if (this.messageSize + length > this.maxMessage) {
        this.refuse(MESSAGE_TOO_BIG, 'a message is larger than the limit');
        return false;
      }
      this.messageSize += length;
      this.fragmented = (bytes[at] & FIN) === 0;
    } else this.key = this.masked ? bytes.readUInt16BE(key) : 0;
    this.opcode = opcode;
    this.left = length;
    if (length === 0) this.endFrame();
    return true;
  }

  private readCode(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end && this.codeBytes < 2; at++, this.codeBytes++)
      this.code = (this.code << 8) | bytes[at];
  }

  private endFrame(): void {
    if (this.opcode !== CLOSE) return;
    this.closed = true;
    this.closeCode = this.codeBytes === 0 ? NO_CODE : this.code ^ this.key;
  }

  private refuse(code: number, detail: string): typeof REFUSED {
    this.fault = code;
    this.detail = detail;
    this.partial = null;
    return REFUSED;
  }
}

/** A Close frame. `reason` is ASCII of at most 123 characters; `key` is four bytes to mask with, or null towards a client. */
export function closeFrame(code: number, reason: string, key: Buffer | null): Buffer {
  const size = 2 + reason.length;
  const begin = key === null ? 2 : 6;
  const frame = Buffer.alloc(begin + size);
  frame[0] = FIN | CLOSE;
  frame[1] = size | (key === null ? 0 : MASKED);
  frame.writeUInt16BE(code, begin);
  frame.write(reason, begin + 2, 'latin1');
  if (key === null) return frame;
  key.copy(frame, 2, 0, 4);
  for (let i = 0; i < size; i++) frame[begin + i] ^= key[i & 3];
  return frame;
}
