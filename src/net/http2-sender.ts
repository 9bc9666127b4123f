/** The frames that an HTTP/2 connection writes, and what its peer lets it write: the window, and the table of HPACK. */
import { HpackEncoder, mostEncoded } from '../http/hpack-encoder.ts';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FRAME_HEAD,
  MAX_FRAME,
  MAX_WINDOW,
  writeFrameHead,
  writeUint32,
} from '../http/http2-frames.ts';
import { Http2Output } from './http2-output.ts';

/** A block for which a frame may be too small. */
let largeBlock = Buffer.allocUnsafeSlow(0);

export class Http2Sender extends Http2Output {
  /** Octets of DATA that may be sent on the connection. */
  window = DEFAULT_WINDOW;
  readonly encoder: HpackEncoder = new HpackEncoder();
  /** The DATA that was written last, if nothing was written after it: its stream, where its frame begins, and `turn`. */
  private lastData = 0;
  private lastDataAt = 0;
  private lastDataTurn = -1;

  /** The head of an answer, or trailers when `status` is 0. `fields` are whole lines. */
  writeHeaders(stream: number, status: number, fields: string, endStream: boolean): void {
    const most = mostEncoded(fields.length);
    const flags = FLAG.endHeaders | (endStream ? FLAG.endStream : 0);
    if (most > MAX_FRAME) return this.writeLarge(stream, status, fields, endStream);
    this.reserve(FRAME_HEAD + most);
    this.lastDataTurn = -1;
    const start = this.length;
    const end = this.encoder.encode(status, fields, this.bytes, start + FRAME_HEAD);
    writeFrameHead(this.bytes, start, end - start - FRAME_HEAD, FRAME.headers, flags, stream);
    this.length = end;
  }

  private writeLarge(stream: number, status: number, fields: string, endStream: boolean): void {
    const most = mostEncoded(fields.length);
    if (largeBlock.length < most) largeBlock = Buffer.allocUnsafeSlow(most);
    const end = this.encoder.encode(status, fields, largeBlock, 0);
    let type: number = FRAME.headers;
    for (let at = 0; at < end; type = FRAME.continuation) {
      const stop = Math.min(end, at + MAX_FRAME);
      const first = type === FRAME.headers && endStream ? FLAG.endStream : 0;
      const payload = this.begin(stop - at, type, first | (stop === end ? FLAG.endHeaders : 0), stream);
      largeBlock.copy(this.bytes, payload, at, stop);
      at = stop;
    }
  }

  /** Writes the head of a frame, and makes room for the rest of it; answers where its payload is to be. */
  private begin(length: number, type: number, flags: number, stream: number): number {
    this.reserve(FRAME_HEAD + length);
    this.lastDataTurn = -1;
    const payload = writeFrameHead(this.bytes, this.length, length, type, flags, stream);
    this.length = payload + length;
    return payload;
  }

  /** Bytes that fit a frame, and for which there is room in the windows. */
  writeData(stream: number, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const size = end - start;
    const flags = endStream ? FLAG.endStream : 0;
    this.window -= size;
    if (this.lastDataTurn === this.turn && this.lastData === stream && this.extendData(bytes, start, end, flags))
      return;
    this.reserve(FRAME_HEAD + size);
    const at = this.length;
    const payload = this.begin(size, FRAME.data, flags, stream);
    copyBytes(bytes, start, end, this.bytes, payload);
    this.lastData = stream;
    this.lastDataAt = at;
    this.lastDataTurn = this.turn;
  }

  /** Adds to the frame that was written last, which nobody has seen yet. */
  private extendData(bytes: Buffer, start: number, end: number, flags: number): boolean {
    const size = this.length - this.lastDataAt - FRAME_HEAD + end - start;
    if (size > MAX_FRAME || this.length + end - start > this.bytes.length) return false;
    copyBytes(bytes, start, end, this.bytes, this.length);
    this.length += end - start;
    writeFrameHead(this.bytes, this.lastDataAt, size, FRAME.data, flags, this.lastData);
    return true;
  }

  /** Ends a stream that has no trailers: by its last DATA where that has not left yet. */
  writeEnd(stream: number): void {
    if (this.lastDataTurn === this.turn && this.lastData === stream) this.bytes[this.lastDataAt + 4] |= FLAG.endStream;
    else this.begin(0, FRAME.data, FLAG.endStream, stream);
  }

  writeReset(stream: number, code: number): void {
    writeUint32(this.bytesFor(4, FRAME.rstStream, 0, stream), this.length - 4, code);
  }

  writeWindow(stream: number, increment: number): void {
    writeUint32(this.bytesFor(4, FRAME.windowUpdate, 0, stream), this.length - 4, increment);
  }

  private bytesFor(length: number, type: number, flags: number, stream: number): Buffer {
    this.begin(length, type, flags, stream);
    return this.bytes;
  }

  /** Identifiers and values in turns. */
  writeSettings(settings: readonly (readonly [id: number, value: number])[]): void {
    let at = this.begin(settings.length * 6, FRAME.settings, 0, 0);
    for (const [id, value] of settings) {
      this.bytes[at] = id >> 8;
      this.bytes[at + 1] = id;
      writeUint32(this.bytes, at + 2, value);
      at += 6;
    }
  }

  writeSettingsAck(): void {
    this.begin(0, FRAME.settings, FLAG.ack, 0);
  }

  /** The answer to a ping of these eight octets, or a ping of our own when there are none. */
  writePing(bytes: Buffer | null, start: number): void {
    const at = this.begin(8, FRAME.ping, bytes === null ? 0 : FLAG.ack, 0);
    if (bytes === null) this.bytes.fill(0, at, at + 8);
    else bytes.copy(this.bytes, at, start, start + 8);
  }

  writeGoaway(lastStream: number, code: number): void {
    const at = this.begin(8, FRAME.goaway, 0, 0);
    writeUint32(this.bytes, at, lastStream);
    writeUint32(this.bytes, at + 4, code);
  }

  /** False when the window would be larger than one can be (RFC 9113 section 6.9.1). */
  widen(increment: number): boolean {
    this.window += increment;
    return this.window <= MAX_WINDOW;
  }
}

/** A call of the runtime costs more than a few octets. */
function copyBytes(from: Buffer, start: number, end: number, into: Buffer, at: number): void {
  if (end - start > 64) from.copy(into, at, start, end);
  else for (let i = start; i < end; i++) into[at++] = from[i];
}
