/** The head of a response: status line and fields, strictly as RFC 9112 section 4 writes them. */
import { FIELD_VALUE } from './byte-class.ts';
import { HeadParser, NEED_MORE } from './head-parser.ts';

const PREFIX = 0;
const STATUS = 1;
const REASON_SP = 2;
const REASON = 3;
const LINE_LF = 4;
const IN_FIELDS = 16;

const CR = 13;
const LF = 10;
const SP = 32;
const ZERO = 48;
const NINE = 57;
const VERSION = Buffer.from('HTTP/1.');
/** Where the reason phrase starts in a response head. */
const REASON_START = 13;

export class ResponseParser extends HeadParser {
  /** 100 to 599. */
  status = 0;
  /** Minor version: 0, or 1 for every later 1.x. */
  minor = 1;

  protected scan(bytes: Buffer, base: number, end: number): number {
    const result = this.state < IN_FIELDS ? this.scanLine(bytes, base, end) : NEED_MORE;
    if (this.state < IN_FIELDS) return result;
    return this.scanFields(bytes, base, end);
  }

  private scanLine(bytes: Buffer, base: number, end: number): number {
    let i = base + this.position;
    let state = this.state;
    while (i < end) {
      if (state === PREFIX) {
        // "HTTP/1.x " is nine bytes; only major version 1 can be framed.
        while (i < end && i - base < 9) {
          if (!isPrefixByte(bytes[i], i - base)) return this.refuse('the status line has no HTTP/1 version');
          i++;
        }
        if (i >= end) break;
        this.minor = Math.min(1, bytes[i - 2] - ZERO);
        this.status = 0;
        state = STATUS;
      }
      if (state === STATUS) {
        while (i < end && i - base < 12) {
          const digit = bytes[i] - ZERO;
          if (digit < 0 || digit > 9) return this.refuse('the status code is not three digits');
          this.status = this.status * 10 + digit;
          i++;
        }
        if (i >= end) break;
        if (this.status < 100 || this.status > 599) return this.refuse('the status code is out of range');
        state = REASON_SP;
      }
      if (state === REASON_SP) {
        if (bytes[i] !== SP) return this.refuse('no space after the status code');
        i++;
        state = REASON;
      }
      if (state === REASON) {
        // The space before an empty reason is required (RFC 9112 section 4); a second one is malformed.
        if (i < end && i - base === REASON_START && (bytes[i] === SP || bytes[i] === 9)) {
          return this.refuse('more than one space after the status code');
        }
        while (i < end && FIELD_VALUE[bytes[i]] === 1) i++;
        if (i >= end) break;
        if (bytes[i] !== CR) return this.refuse('a control character or bare LF in the status line');
        i++;
        state = LINE_LF;
        if (i >= end) break;
      }
      if (state === LINE_LF) {
        if (bytes[i] !== LF) return this.refuse('a CR without LF in the head');
        this.position = i + 1 - base;
        this.beginFields();
        return NEED_MORE;
      }
    }
    this.position = i - base;
    this.state = state;
    return NEED_MORE;
  }
}

function isPrefixByte(byte: number, index: number): boolean {
  if (index < 7) return byte === VERSION[index];
  if (index === 7) return byte >= ZERO && byte <= NINE;
  return byte === SP;
}
