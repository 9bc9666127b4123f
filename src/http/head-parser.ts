/**
 * The part that request and response heads share: collecting a head that comes in pieces, and its field lines
 * (RFC 9112 section 5), checked byte by byte exactly once however the bytes were cut.
 *
 * It is longer than a room should be because the scan is one resumable loop: cutting it would cost a call per field.
 */
import { FIELD_VALUE, TOKEN } from './byte-class.ts';
import { FIELD, fieldIdOfBytes } from './field-name.ts';

/** What a call of `execute` found. */
export const NEED_MORE = 0;
export const HEAD_COMPLETE = 1;
export const HEAD_INVALID = 2;

/** Numbers kept per field: name start, name end, value start, value end, id. */
export const FIELD_STRIDE = 5;

// States of the field section; the start line has those below 16.
const LINE_START = 16;
const NAME = 17;
const VALUE_START = 18;
const VALUE = 19;
const VALUE_LF = 20;
const END_LF = 21;

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;

export type HeadFault = 'malformed' | 'start_line_too_long' | 'head_too_large';

export abstract class HeadParser {
  /** The head as latin1 text, complete after `HEAD_COMPLETE`; offsets in `offsets` point into it. */
  head = '';
  /** `FIELD_STRIDE` numbers per field line. */
  offsets: Int32Array = new Int32Array(16 * FIELD_STRIDE);
  /** How many field lines there are. */
  count = 0;
  /** Bit `id` is set when a field with that id is there. */
  seen = 0;
  /** Index of the first field line in `head`. */
  fieldsStart = 0;
  /** After `HEAD_COMPLETE`: index in the chunk last given of the first byte after the head. */
  consumed = 0;
  /** After `HEAD_INVALID`: which fault, and what an operator may read about it. */
  fault: HeadFault = 'malformed';
  detail = '';

  /** Largest head in bytes, start line and final empty line included. */
  limit: number;

  protected state = 0;
  /** Position of the scan, from the head's first byte. */
  protected position = 0;
  protected lineStart = 0;
  protected nameEnd = 0;
  protected valueStart = 0;
  private pending: Buffer | null = null;
  private pendingLength = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** True between messages: no byte of a head has been taken yet. */
  get untouched(): boolean {
    return this.pendingLength === 0;
  }

  /** Makes the parser ready for the next head. */
  reset(): void {
    this.state = 0;
    this.position = 0;
    this.count = 0;
    this.seen = 0;
    this.pendingLength = 0;
    this.pending = null;
  }

  /**
   * Takes the bytes `chunk[start, end)`. `NEED_MORE`: all were kept, give the next ones. `HEAD_COMPLETE`: the head is
   * in `head` and `consumed` says where the rest starts. `HEAD_INVALID`: see `fault` and `detail`; the parser is spent.
   */
  execute(chunk: Buffer, start: number, end: number): number {
    if (this.pendingLength === 0) {
      // Nothing beyond the limit is looked at, so that the verdict does not depend on how the bytes were cut.
      const result = this.scan(chunk, start, Math.min(end, start + this.limit));
      if (result === HEAD_COMPLETE) {
        this.head = chunk.toString('latin1', start, start + this.position);
        this.consumed = start + this.position;
        return result;
      }
      if (result === NEED_MORE) this.keep(chunk, start, end);
      return this.bounded(result);
    }
    const before = this.pendingLength;
    this.keep(chunk, start, end);
    const pending = this.pending as Buffer;
    const result = this.scan(pending, 0, this.pendingLength);
    if (result === HEAD_COMPLETE) {
      this.head = pending.toString('latin1', 0, this.position);
      this.consumed = start + this.position - before;
      this.pending = null;
      this.pendingLength = 0;
    }
    return this.bounded(result);
  }

  /** Scans `bytes` from `base + position`; the start line belongs to the sort of head. */
  protected abstract scan(bytes: Buffer, base: number, end: number): number;

  protected refuse(detail: string, fault: HeadFault = 'malformed'): number {
    this.fault = fault;
    this.detail = detail;
    return HEAD_INVALID;
  }

  /** Turns an unfinished head that has no room left into a refusal. */
  private bounded(result: number): number {
    if (result !== NEED_MORE || this.pendingLength < this.limit) return result;
    return this.tooLarge();
  }

  protected tooLarge(): number {
    if (this.state < LINE_START) return this.refuse('the start line is longer than the limit', 'start_line_too_long');
    return this.refuse('the head is larger than the limit', 'head_too_large');
  }

  private keep(chunk: Buffer, start: number, end: number): void {
    const take = Math.min(end - start, this.limit - this.pendingLength);
    const needed = this.pendingLength + take;
    let pending = this.pending;
    if (pending === null || pending.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.limit, Math.max(512, needed * 2)));
      if (pending !== null) pending.copy(grown, 0, 0, this.pendingLength);
      this.pending = pending = grown;
    }
    chunk.copy(pending, this.pendingLength, start, start + take);
    this.pendingLength = needed;
  }

  /** Begins the field section at the scan's position. */
  protected beginFields(): void {
    this.fieldsStart = this.position;
    this.state = LINE_START;
  }

  /** Scans field lines until the empty line (RFC 9112 sections 2.1 and 5). */
  protected scanFields(bytes: Buffer, base: number, end: number): number {
    let i = base + this.position;
    let state = this.state;
    for (;;) {
      if (i >= end) break;
      if (state === LINE_START) {
        if (bytes[i] === CR) {
          state = END_LF;
          i++;
          continue;
        }
        this.lineStart = i - base;
        state = NAME;
      }
      if (state === NAME) {
        while (i < end && TOKEN[bytes[i]] === 1) i++;
        if (i >= end) break;
        if (bytes[i] !== COLON) return this.refuse(nameFault(bytes[i], i - base === this.lineStart));
        this.nameEnd = i - base;
        if (this.nameEnd === this.lineStart) return this.refuse('a field name is empty');
        i++;
        state = VALUE_START;
      }
      if (state === VALUE_START) {
        while (i < end && (bytes[i] === SP || bytes[i] === HTAB)) i++;
        if (i >= end) break;
        this.valueStart = i - base;
        state = VALUE;
      }
      if (state === VALUE) {
        while (i < end && FIELD_VALUE[bytes[i]] === 1) i++;
        if (i >= end) break;
        if (bytes[i] !== CR) return this.refuse(valueFault(bytes[i]));
        let valueEnd = i;
        const valueStart = base + this.valueStart;
        while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
        this.addField(bytes, base, valueEnd - base);
        i++;
        state = VALUE_LF;
        if (i >= end) break;
      }
      if (state === VALUE_LF) {
        if (bytes[i] !== LF) return this.refuse('a CR without LF in the head');
        i++;
        state = LINE_START;
        continue;
      }
      if (bytes[i] !== LF) return this.refuse('a CR without LF in the head');
      this.position = i + 1 - base;
      this.state = state;
      return HEAD_COMPLETE;
    }
    this.position = i - base;
    this.state = state;
    return NEED_MORE;
  }

  private addField(bytes: Buffer, base: number, valueEnd: number): void {
    let offsets = this.offsets;
    const at = this.count * FIELD_STRIDE;
    if (at === offsets.length) {
      this.offsets = new Int32Array(at * 2);
      this.offsets.set(offsets);
      offsets = this.offsets;
    }
    const id = fieldIdOfBytes(bytes, base + this.lineStart, base + this.nameEnd);
    offsets[at] = this.lineStart;
    offsets[at + 1] = this.nameEnd;
    offsets[at + 2] = this.valueStart;
    offsets[at + 3] = valueEnd;
    offsets[at + 4] = id;
    this.count++;
    if (id !== FIELD.other) this.seen |= 1 << id;
  }
}

function nameFault(byte: number, first: boolean): string {
  if (first && (byte === SP || byte === HTAB)) return 'a folded field line (obs-fold)';
  if (byte === SP || byte === HTAB) return 'white space before the colon of a field';
  if (byte === LF) return 'a bare LF in the head';
  if (byte === CR) return 'a field line without a colon';
  return 'a field name has a character that no token has';
}

function valueFault(byte: number): string {
  return byte === LF ? 'a bare LF in the head' : 'a control character in a field value';
}
