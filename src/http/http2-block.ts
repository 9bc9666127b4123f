/** A header block out of HEADERS and the CONTINUATION that follows it (RFC 9113 sections 6.2 and 6.10). */
import { FLAG, readUint31 } from './http2-frames.ts';

/** What a frame is as a part of a block. */
export const BLOCK_PART = 0;
export const BLOCK_COMPLETE = 1;
export const BLOCK_INVALID = 2;

const NOTHING = Buffer.alloc(0);

export class HeaderBlock {
  /** After `BLOCK_COMPLETE`, the block is `bytes[start, end)`: a view, valid as long as the frame is. */
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;
  stream = 0;
  endStream = false;
  /** The stream was said to depend on itself. */
  isSelfDependent = false;
  /** A block has begun, and nothing but CONTINUATION may come. */
  isOpen = false;
  /** How many CONTINUATION frames it has. */
  continuations = 0;

  /** Takes the payload of HEADERS. */
  begin(flags: number, stream: number, bytes: Buffer, start: number, end: number): number {
    let padding = 0;
    if ((flags & FLAG.padded) !== 0) padding = start < end ? bytes[start++] : 1;
    this.isSelfDependent = false;
    if ((flags & FLAG.priority) !== 0) {
      this.isSelfDependent = start + 5 <= end && readUint31(bytes, start) === stream;
      start += 5;
    }
    if (start > end - padding) return BLOCK_INVALID;
    this.stream = stream;
    this.endStream = (flags & FLAG.endStream) !== 0;
    this.continuations = 0;
    this.isOpen = (flags & FLAG.endHeaders) === 0;
    if (this.isOpen) this.keep(Buffer.from(bytes.subarray(start, end - padding)));
    else {
      this.bytes = bytes;
      this.start = start;
      this.end = end - padding;
    }
    return this.isOpen ? BLOCK_PART : BLOCK_COMPLETE;
  }

  /** Takes the payload of CONTINUATION. */
  go(flags: number, bytes: Buffer, start: number, end: number): number {
    this.continuations++;
    this.keep(Buffer.concat([this.bytes, bytes.subarray(start, end)]));
    if ((flags & FLAG.endHeaders) === 0) return BLOCK_PART;
    this.isOpen = false;
    return BLOCK_COMPLETE;
  }

  private keep(bytes: Buffer): void {
    this.bytes = bytes;
    this.start = 0;
    this.end = bytes.length;
  }

  /** Lets go of the memory of the last block. */
  forget(): void {
    this.bytes = NOTHING;
  }
}
