/** The head of a request: method, target, version and fields, strictly as RFC 9112 sections 2 and 3 write them. */
import { TARGET, TOKEN } from './byte-class.ts';
import { HeadParser, NEED_MORE } from './head-parser.ts';

const START = 0;
const METHOD = 1;
const TARGET_START = 2;
const TARGET_REST = 3;
const VERSION = 4;
const LINE_LF = 5;
const EMPTY_LF = 6;
const AFTER_EMPTY = 7;
const IN_FIELDS = 16;

const CR = 13;
const LF = 10;
const SP = 32;
const ZERO = 48;
const NINE = 57;
const VERSION_PREFIX = Buffer.from('HTTP/');
const VERSION_LENGTH = 8;

export class RequestParser extends HeadParser {
  method = '';
  /** The target as received: `methodEnd + 1` up to `targetEnd` of the head. */
  target = '';
  /** Minor version: 0, or 1 for every later 1.x (RFC 9110 section 2.5). -1 when the major version is not 1. */
  minor = 1;
  /** The head's first byte after an ignored empty line. */
  private lineBegin = 0;
  private methodEnd = 0;
  private targetEnd = 0;
  private versionMajor = 1;

  protected scan(bytes: Buffer, base: number, end: number): number {
    const result = this.state < IN_FIELDS ? this.scanLine(bytes, base, end) : NEED_MORE;
    if (this.state < IN_FIELDS) return result;
    return this.scanFields(bytes, base, end);
  }

  private scanLine(bytes: Buffer, base: number, end: number): number {
    let i = base + this.position;
    let state = this.state;
    while (i < end) {
      if (state === START || state === AFTER_EMPTY) {
        // One empty line before the request line is forgiven (RFC 9112 section 2.2).
        if (state === START && bytes[i] === CR) {
          state = EMPTY_LF;
          i++;
          continue;
        }
        this.lineBegin = i - base;
        state = METHOD;
      } else if (state === EMPTY_LF) {
        if (bytes[i] !== LF) return this.refuse('a CR without LF before the request line');
        i++;
        state = AFTER_EMPTY;
        continue;
      }
      if (state === METHOD) {
        while (i < end && TOKEN[bytes[i]] === 1) i++;
        if (i >= end) break;
        if (bytes[i] !== SP || i - base === this.lineBegin) return this.refuse('the method is not a token');
        this.methodEnd = i - base;
        i++;
        state = TARGET_START;
        if (i >= end) break;
      }
      if (state === TARGET_START) {
        if (TARGET[bytes[i]] === 0) return this.refuse('the request target is empty or begins with a wrong character');
        state = TARGET_REST;
      }
      if (state === TARGET_REST) {
        while (i < end && TARGET[bytes[i]] === 1) i++;
        if (i >= end) break;
        if (bytes[i] !== SP) return this.refuse('the request target has a character that it must not have');
        this.targetEnd = i - base;
        i++;
        state = VERSION;
      }
      if (state === VERSION) {
        const start = this.targetEnd + 1;
        while (i < end && i - base < start + VERSION_LENGTH) {
          if (!isVersionByte(bytes[i], i - base - start)) return this.refuse('the HTTP version is malformed');
          i++;
        }
        if (i >= end) break;
        if (bytes[i] !== CR) return this.refuse('the request line does not end after the version');
        this.versionMajor = bytes[i - 3] - ZERO;
        this.minor = this.versionMajor === 1 ? Math.min(1, bytes[i - 1] - ZERO) : -1;
        i++;
        state = LINE_LF;
        if (i >= end) break;
      }
      if (state === LINE_LF) {
        if (bytes[i] !== LF) return this.refuse('a CR without LF in the head');
        this.position = i + 1 - base;
        this.method = bytes.toString('latin1', base + this.lineBegin, base + this.methodEnd);
        this.target = bytes.toString('latin1', base + this.methodEnd + 1, base + this.targetEnd);
        this.beginFields();
        return NEED_MORE;
      }
    }
    this.position = i - base;
    this.state = state;
    return NEED_MORE;
  }
}

function isVersionByte(byte: number, index: number): boolean {
  if (index < 5) return byte === VERSION_PREFIX[index];
  if (index === 6) return byte === 46;
  return byte >= ZERO && byte <= NINE;
}
