/** The chunked transfer coding (RFC 9112 section 7.1), decoded incrementally and without mercy for what is not exactly it. */
import { FIELD_VALUE, HEX } from './byte-class.ts';
import { HEAD_COMPLETE, HEAD_INVALID } from './head-parser.ts';
import { TrailerParser } from './trailer-parser.ts';

/** Who takes the decoded bytes; a view of the buffer given, valid only during the call. */
export interface BodySink {
  onBodyBytes(bytes: Buffer, start: number, end: number): void;
}

/** Chunk extensions are legal but mean nothing to anybody: this bounds what they may cost, in bytes per chunk. */
const MAX_CHUNK_EXTENSION = 256;
/** Hexadecimal digits of a chunk size; 13 of them stay below 2^53, further ones are refused even when zero. */
const MAX_SIZE_DIGITS = 13;
/** Largest trailer section in bytes. */
const MAX_TRAILERS = 8192;

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const DONE = 7;
const QUOTED = 8;
const QUOTED_PAIR = 9;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const QUOTE = 34;
const BACKSLASH = 92;

export const CHUNKED_MORE = 0;
export const CHUNKED_DONE = 1;
export const CHUNKED_INVALID = 2;
export const CHUNKED_TOO_LARGE = 3;

export class ChunkedDecoder {
  detail = '';
  /** After `CHUNKED_DONE`: the first byte after the body. */
  consumed = 0;
  /** The trailer section as field lines, `''` when there is none. */
  trailers = '';
  private allowance = Number.MAX_SAFE_INTEGER;
  private state = SIZE;
  private size = 0;
  private digits = 0;
  private extension = 0;
  private trailerParser: TrailerParser | null = null;

  /** Makes it ready for the next body, of `limit` bytes at most. */
  reset(limit: number = Number.MAX_SAFE_INTEGER): void {
    this.allowance = limit;
    this.state = SIZE;
    this.size = 0;
    this.digits = 0;
    this.extension = 0;
    this.trailers = '';
    this.trailerParser = null;
  }

  /** Takes `bytes[start, end)`, hands data to `sink`, and answers `CHUNKED_MORE`, `CHUNKED_DONE`, or what is wrong. */
  execute(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    let i = start;
    while (i < end) {
      switch (this.state) {
        case SIZE: {
          const byte = bytes[i];
          const digit = HEX[byte];
          if (digit !== 255) {
            if (++this.digits > MAX_SIZE_DIGITS) return this.refuse('a chunk size is too large');
            this.size = this.size * 16 + digit;
          } else if (this.digits === 0) return this.refuse('a chunk size is not hexadecimal');
          else if (byte === CR) this.state = SIZE_LF;
          else if (byte === SEMICOLON) this.state = EXTENSION;
          else return this.refuse('a chunk size is malformed');
          i++;
          break;
        }
        case EXTENSION:
        case QUOTED:
        case QUOTED_PAIR:
          if (!this.takeExtension(bytes[i])) return CHUNKED_INVALID;
          i++;
          break;
        case SIZE_LF:
          if (bytes[i++] !== LF) return this.refuse('a CR without LF after a chunk size');
          this.digits = 0;
          this.extension = 0;
          // What a size announces is refused before it is waited for.
          this.allowance -= this.size;
          if (this.allowance < 0) {
            this.detail = 'the body is larger than the limit';
            return CHUNKED_TOO_LARGE;
          }
          this.state = this.size === 0 ? TRAILERS : DATA;
          break;
        case DATA: {
          const take = Math.min(this.size, end - i);
          this.size -= take;
          if (this.size === 0) this.state = DATA_CR;
          i += take;
          sink.onBodyBytes(bytes, i - take, i);
          break;
        }
        case DATA_CR:
          if (bytes[i++] !== CR) return this.refuse('chunk data is not followed by CRLF');
          this.state = DATA_LF;
          break;
        case DATA_LF:
          if (bytes[i++] !== LF) return this.refuse('chunk data is not followed by CRLF');
          this.state = SIZE;
          break;
        case TRAILERS:
          return this.takeTrailers(bytes, i, end);
        default:
          return this.refuse('bytes after the last chunk');
      }
    }
    return CHUNKED_MORE;
  }

  /** Quoted extension values are followed (RFC 9112 section 7.1.1), so that a CR within one is seen for what it is. */
  private takeExtension(byte: number): boolean {
    if (++this.extension > MAX_CHUNK_EXTENSION) {
      this.refuse('a chunk extension is too long');
      return false;
    }
    if (byte === CR && this.state === EXTENSION) {
      this.state = SIZE_LF;
      return true;
    }
    if (FIELD_VALUE[byte] === 0) {
      this.refuse('a control character or bare LF in a chunk extension');
      return false;
    }
    if (this.state === QUOTED_PAIR) this.state = QUOTED;
    else if (this.state === QUOTED) {
      if (byte === BACKSLASH) this.state = QUOTED_PAIR;
      else if (byte === QUOTE) this.state = EXTENSION;
    } else if (byte === QUOTE) this.state = QUOTED;
    return true;
  }

  private takeTrailers(bytes: Buffer, start: number, end: number): number {
    const parser = (this.trailerParser ??= new TrailerParser(MAX_TRAILERS));
    const result = parser.execute(bytes, start, end);
    if (result === HEAD_INVALID) return this.refuse(`in the trailers: ${parser.detail}`);
    if (result !== HEAD_COMPLETE) return CHUNKED_MORE;
    this.consumed = parser.consumed;
    this.trailers = parser.count === 0 ? '' : parser.head.slice(0, -2);
    this.state = DONE;
    return CHUNKED_DONE;
  }

  private refuse(detail: string): number {
    this.detail = detail;
    return CHUNKED_INVALID;
  }
}
