/** Frames of HTTP/2 (RFC 9113 sections 4 and 6): read from bytes however they were cut, and written. */
import { H2_ERROR } from './http2-errors.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** Settings (RFC 9113 section 6.5.2, RFC 8441 section 3). */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** What each connection of a client begins with (RFC 9113 section 3.4). */
export const CLIENT_PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Octets of a frame's head, and of its payload unless more was agreed on (which is not done here). */
export const FRAME_HEAD = 9;
export const MAX_FRAME = 16_384;
/** A window, and the number of a stream, have 31 bits. */
export const MAX_WINDOW = 2 ** 31 - 1;
/** Windows before anybody says otherwise (RFC 9113 section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;

/** Takes frames as they come. Bytes are views, valid during the call only. */
export interface FrameSink {
  /** Any frame but DATA, whole; one of a type that is not known without its payload. */
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
  /** DATA begins; `length` is that of its payload with the padding. */
  onDataStart(stream: number, flags: number, length: number): void;
  /** A piece of it, without padding. */
  onData(bytes: Buffer, start: number, end: number): void;
  onDataEnd(): void;
  /** What came is no sequence of frames; nothing more is read. */
  onFrameFault(code: number, detail: string): void;
}

const PREFACE = 0;
const HEAD = 1;
const PAYLOAD = 2;
/** Of DATA: the octet that says how much padding there is, the data, and the padding. */
const PAD_LENGTH = 3;
const DATA = 4;
/** What is thrown away: padding, and frames that nobody knows. */
const SKIPPED = 5;
const STOPPED = 6;

export class FrameReader {
  private state = PREFACE;
  /** Octets of a frame's head, or of a payload that came in pieces. */
  private pending: Buffer | null = null;
  private pendingLength = 0;
  private prefaceLength = 0;
  private type = -1;
  private flags = 0;
  private stream = 0;
  /** What is left of the payload; of DATA, of what `state` is about. */
  private left = 0;
  private padding = 0;
  private first = true;

  /** Reads nothing more. */
  stop(): void {
    this.state = STOPPED;
    this.pending = null;
  }

  /** Takes the bytes `chunk[start, end)`. */
  execute(chunk: Buffer, start: number, end: number, sink: FrameSink): void {
    let at = start;
    while (at < end || (this.left === 0 && this.state >= PAYLOAD && this.state !== STOPPED)) {
      if (this.state === HEAD) at = this.readHead(chunk, at, end, sink);
      else if (this.state === PAYLOAD) at = this.readPayload(chunk, at, end, sink);
      else if (this.state === DATA) at = this.readData(chunk, at, end, sink);
      else if (this.state === SKIPPED) at = this.skip(at, end, sink);
      else if (this.state === PAD_LENGTH) at = this.readPadLength(chunk, at, sink);
      else if (this.state === PREFACE) at = this.readPreface(chunk, at, end, sink);
      else return;
    }
  }

  private fail(sink: FrameSink, code: number, detail: string): number {
    this.stop();
    sink.onFrameFault(code, detail);
    return 0;
  }

  private readPreface(chunk: Buffer, at: number, end: number, sink: FrameSink): number {
    while (at < end && this.prefaceLength < CLIENT_PREFACE.length) {
      if (chunk[at++] !== CLIENT_PREFACE[this.prefaceLength++]) {
        return this.fail(sink, H2_ERROR.protocol, 'the connection does not begin with the preface');
      }
    }
    if (this.prefaceLength === CLIENT_PREFACE.length) this.state = HEAD;
    return at;
  }

  private readHead(chunk: Buffer, at: number, end: number, sink: FrameSink): number {
    let bytes = chunk;
    let head = at;
    if (this.pendingLength > 0 || end - at < FRAME_HEAD) {
      const taken = this.keep(chunk, at, Math.min(end, at + FRAME_HEAD - this.pendingLength), FRAME_HEAD);
      if (this.pendingLength < FRAME_HEAD) return taken;
      bytes = this.pending as Buffer;
      head = 0;
      at = taken - FRAME_HEAD;
      this.pendingLength = 0;
    }
    this.left = (bytes[head] << 16) | (bytes[head + 1] << 8) | bytes[head + 2];
    this.type = bytes[head + 3];
    this.flags = bytes[head + 4];
    this.stream = readUint31(bytes, head + 5);
    this.beginPayload(sink);
    return at + FRAME_HEAD;
  }

  private beginPayload(sink: FrameSink): void {
    const { type, left, flags } = this;
    if (left > MAX_FRAME) {
      this.fail(sink, H2_ERROR.frameSize, 'a frame is larger than the limit');
      return;
    }
    // RFC 9113 section 3.4.
    if (this.first && (type !== FRAME.settings || (flags & FLAG.ack) !== 0)) {
      this.fail(sink, H2_ERROR.protocol, 'the first frame is not SETTINGS');
      return;
    }
    this.first = false;
    if (type === FRAME.data) {
      this.state = (flags & FLAG.padded) === 0 ? DATA : PAD_LENGTH;
      this.padding = 0;
      if (this.state === PAD_LENGTH && left === 0) {
        this.fail(sink, H2_ERROR.frameSize, 'the padding is longer than the frame');
        return;
      }
      sink.onDataStart(this.stream, flags, left);
    } else this.state = PAYLOAD;
  }

  private readPayload(chunk: Buffer, at: number, end: number, sink: FrameSink): number {
    const { type, flags, stream, left } = this;
    if (type > FRAME.continuation) {
      // Even of a frame that is not known it counts where it stands (RFC 9113 section 6.10).
      this.state = SKIPPED;
      sink.onFrame(type, flags, stream, chunk, at, at);
      return at;
    }
    let bytes = chunk;
    let from = at;
    if (this.pendingLength > 0 || end - at < left) {
      const taken = this.keep(chunk, at, Math.min(end, at + left - this.pendingLength), left);
      if (this.pendingLength < left) return taken;
      bytes = this.pending as Buffer;
      from = 0;
      at = taken;
      this.pendingLength = 0;
      if (left > FRAME_HEAD) this.pending = null;
    } else at += left;
    this.state = HEAD;
    sink.onFrame(type, flags, stream, bytes, from, from + left);
    return at;
  }

  private readPadLength(chunk: Buffer, at: number, sink: FrameSink): number {
    this.padding = chunk[at];
    this.left -= 1 + this.padding;
    if (this.left < 0) return this.fail(sink, H2_ERROR.protocol, 'the padding is longer than the frame');
    this.state = DATA;
    return at + 1;
  }

  private readData(chunk: Buffer, at: number, end: number, sink: FrameSink): number {
    const stop = Math.min(end, at + this.left);
    this.left -= stop - at;
    const ended = this.left === 0;
    if (ended) {
      this.left = this.padding;
      this.state = SKIPPED;
    }
    if (stop > at) sink.onData(chunk, at, stop);
    return stop;
  }

  private skip(at: number, end: number, sink: FrameSink): number {
    const stop = Math.min(end, at + this.left);
    this.left -= stop - at;
    if (this.left > 0) return stop;
    this.state = HEAD;
    if (this.type === FRAME.data) sink.onDataEnd();
    return stop;
  }

  /** Keeps what came of something that has `whole` octets; answers where it stopped. */
  private keep(chunk: Buffer, start: number, end: number, whole: number): number {
    let { pending } = this;
    const needed = this.pendingLength + end - start;
    if (pending === null || pending.length < needed) {
      // As much as has come, and some more: whoever only promises a payload is given no memory for it.
      const grown = Buffer.allocUnsafeSlow(Math.min(whole, Math.max(64, 2 * needed)));
      pending?.copy(grown, 0, 0, this.pendingLength);
      this.pending = pending = grown;
    }
    chunk.copy(pending, this.pendingLength, start, end);
    this.pendingLength = needed;
    return end;
  }
}

/** Without the first bit, which is reserved. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at] & 0x7f) << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint31(bytes, at) + (bytes[at] >= 0x80 ? 2 ** 31 : 0);
}

export function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Writes the nine octets of a frame's head; answers where its payload begins. */
export function writeFrameHead(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): number {
  into[at] = length >> 16;
  into[at + 1] = length >> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  writeUint32(into, at + 5, stream);
  return at + FRAME_HEAD;
}
