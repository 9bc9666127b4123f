/**
 * Field lines written as a header block (RFC 7541). Lines that come again are kept in the dynamic table and take an octet or
 * two from then on; nothing is Huffman coded: what that saves on the wire costs more than it to make.
 */
import { CONNECTION_SPECIFIC } from './connection-fields.ts';
import { DEFAULT_TABLE_SIZE, ENTRY_OVERHEAD, STATIC_ENTRIES, STATIC_TABLE } from './hpack-table.ts';
import { SEPARATE_FIELDS } from './separate-fields.ts';

const COLON = 58;
const SP = 32;
const CR = 13;

/** Values that whoever sees only the lengths must not be able to guess at (RFC 7541 section 7.1). */
const SECRET: ReadonlySet<string> = new Set(['set-cookie', 'authorization', 'proxy-authorization']);

// How a literal begins (RFC 7541 section 6.2), and the bits that are left to the index of its name.
const KEPT = 0x40;
const KEPT_BITS = 6;
const PLAIN = 0;
const NEVER_KEPT = 0x10;
const PLAIN_BITS = 4;

/** Each octet, letters in lower case. */
const LOWER: Uint8Array = new Uint8Array(256).map((_, code) => (code >= 65 && code <= 90 ? code + 32 : code));

/** What is known of a field name, in lower case. */
interface Name {
  readonly hash: number;
  readonly bytes: Uint8Array;
  /** In the static table; 0 when it is not there. */
  readonly index: number;
  readonly isLeftOut: boolean;
  readonly isSeparate: boolean;
  readonly isSecret: boolean;
  /** The block in which it came last. */
  block: number;
}

/** Numbers kept of a line: where it begins, its colon, where its value begins and ends, and its hash. */
const STRIDE = 5;
/** Names that are remembered, and lines of a connection; powers of two. */
const NAMES = 256;
const LINES = 64;
const MOST_ENTRIES = DEFAULT_TABLE_SIZE / ENTRY_OVERHEAD;

const staticNames = new Map<string, number>();
for (let i = STATIC_ENTRIES; i > 0; i--) staticNames.set(STATIC_TABLE[i - 1][0], i);
const staticStatus: number[] = [];
for (let i = STATIC_ENTRIES; i > 0; i--) {
  if (STATIC_TABLE[i - 1][0] === ':status') staticStatus[Number(STATIC_TABLE[i - 1][1])] = i;
}
const STATUS_INDEX = staticNames.get(':status') as number;

// Used during one call, by all encoders.
let text = Buffer.allocUnsafeSlow(16 * 1024);
let offsets = new Int32Array(32 * STRIDE);
const lineNames: Name[] = [];
const names: (Name | undefined)[] = new Array(NAMES).fill(undefined);
let blocks = 0;

/** Octets that a block takes at most, of field lines of this length. */
export function mostEncoded(length: number): number {
  return 2 * length + 32;
}

interface Entry {
  readonly hash: number;
  readonly line: Uint8Array;
  /** Its place among all entries that there ever were, from 1 on. */
  readonly number: number;
}

export class HpackEncoder {
  private limit = DEFAULT_TABLE_SIZE;
  /** The smallest limit since the last block; that and the one that holds are to be told (RFC 7541 section 4.2). */
  private lowest = -1;
  private size = 0;
  private added = 0;
  private count = 0;
  /** By their place, in a ring. */
  private readonly sizes: Uint16Array = new Uint16Array(MOST_ENTRIES);
  /** By hash. One that another took the place of is not found again, and leaves the table in its time. */
  private readonly entries: (Entry | undefined)[] = new Array(LINES).fill(undefined);
  /** Hashes of lines that came once. */
  private readonly seen: Int32Array = new Int32Array(LINES);

  /** Takes what the peer lets the table have, in octets. */
  resize(size: number): void {
    const limit = Math.min(size, DEFAULT_TABLE_SIZE);
    if (limit === this.limit && this.lowest < 0) return;
    this.lowest = this.lowest < 0 ? limit : Math.min(this.lowest, limit);
    this.limit = limit;
    this.evict(limit);
  }

  /**
   * Writes the block of an answer, or of trailers when `status` is 0, to `into` from `at` on, where there must be room for
   * `mostEncoded`; answers where it ends. `fields` are whole lines that were checked when they were made. Names become lower
   * case, what is of one connection is left out, and lines of one name become one.
   */
  encode(status: number, fields: string, into: Uint8Array, at: number): number {
    let count = scan(fields);
    if (count < 0) count = scan(joined(fields));
    if (this.lowest >= 0) at = this.tellSize(into, at);
    if (status !== 0) at = writeStatus(status, into, at);
    for (let i = 0; i < count; i++) at = this.encodeLine(lineNames[i], i * STRIDE, into, at);
    return at;
  }

  private tellSize(into: Uint8Array, at: number): number {
    if (this.lowest < this.limit) at = writeInteger(into, at, 0x20, 5, this.lowest);
    this.lowest = -1;
    return writeInteger(into, at, 0x20, 5, this.limit);
  }

  private encodeLine(name: Name, line: number, into: Uint8Array, at: number): number {
    const hash = offsets[line + 4];
    const slot = hash & (LINES - 1);
    const entry = this.entries[slot];
    if (entry !== undefined && entry.hash === hash && this.added - entry.number < this.count) {
      if (isSame(entry.line, offsets[line], offsets[line + 3])) {
        return writeInteger(into, at, 0x80, 7, STATIC_ENTRIES + 1 + this.added - entry.number);
      }
    }
    const isKept = !name.isSecret && this.seen[slot] === hash && this.add(name, line, hash, slot);
    this.seen[slot] = hash;
    if (isKept) at = writeInteger(into, at, KEPT, KEPT_BITS, name.index);
    else at = writeInteger(into, at, name.isSecret ? NEVER_KEPT : PLAIN, PLAIN_BITS, name.index);
    if (name.index === 0) at = writeString(into, at, name.bytes, 0, name.bytes.length);
    return writeString(into, at, text, offsets[line + 2], offsets[line + 3]);
  }

  /** Puts a line into the table; false when it has no room there. */
  private add(name: Name, line: number, hash: number, slot: number): boolean {
    const size = name.bytes.length + offsets[line + 3] - offsets[line + 2] + ENTRY_OVERHEAD;
    // One that takes most of the table would drive all others out.
    if (2 * size > this.limit) return false;
    this.evict(this.limit - size);
    this.added++;
    this.count++;
    this.size += size;
    this.sizes[this.added % MOST_ENTRIES] = size;
    // In memory of its own: a slice of the runtime's pool would hold all of that.
    const bytes = new Uint8Array(text.subarray(offsets[line], offsets[line + 3]));
    this.entries[slot] = { hash, line: bytes, number: this.added };
    return true;
  }

  private evict(room: number): void {
    while (this.size > room) this.size -= this.sizes[(this.added - --this.count) % MOST_ENTRIES];
  }
}

/** Finds the lines of `fields`; answers how many are to be sent, or -1 when some are to be joined first. */
function scan(fields: string): number {
  const { length } = fields;
  if (length > text.length) text = Buffer.allocUnsafeSlow(2 * length);
  text.write(fields, 0, 'latin1');
  const block = ++blocks;
  let count = 0;
  for (let at = 0; at < length; at += 2) {
    const start = at;
    let hash = 0;
    for (; at < length && text[at] !== COLON; at++) {
      text[at] = LOWER[text[at]];
      hash = (Math.imul(hash, 31) + text[at]) | 0;
    }
    const colon = at;
    const name = nameOf(hash, start, colon);
    at += text[at + 1] === SP ? 2 : 1;
    const value = at;
    while (at < length && text[at] !== CR) hash = (Math.imul(hash, 31) + text[at++]) | 0;
    if (name.isLeftOut) continue;
    if (name.block === block && !name.isSeparate) return -1;
    name.block = block;
    if ((count + 1) * STRIDE > offsets.length) {
      const before = offsets;
      offsets = new Int32Array(2 * before.length);
      offsets.set(before);
    }
    const line = count * STRIDE;
    offsets[line] = start;
    offsets[line + 1] = colon;
    offsets[line + 2] = value;
    offsets[line + 3] = at;
    offsets[line + 4] = hash;
    lineNames[count++] = name;
  }
  return count;
}

/** Lines of one name as one, where the first of them stood. */
function joined(fields: string): string {
  const lines = new Map<string, string>();
  let separate = '';
  for (let start = 0; start < fields.length; ) {
    const end = fields.indexOf('\r\n', start);
    const colon = fields.indexOf(':', start);
    const name = fields.slice(start, colon).toLowerCase();
    const value = fields.slice(fields.charCodeAt(colon + 1) === SP ? colon + 2 : colon + 1, end);
    const before = lines.get(name);
    if (SEPARATE_FIELDS.has(name)) separate += `${name}: ${value}\r\n`;
    else lines.set(name, before === undefined ? value : `${before}, ${value}`);
    start = end + 2;
  }
  let text = '';
  for (const [name, value] of lines) text += `${name}: ${value}\r\n`;
  return text + separate;
}

/** The name `text[start, end)`, remembered or found now. */
function nameOf(hash: number, start: number, end: number): Name {
  const slot = (hash ^ (hash >>> 8)) & (NAMES - 1);
  const known = names[slot];
  if (known !== undefined && known.hash === hash && isSame(known.bytes, start, end)) return known;
  const lower = text.toString('latin1', start, end);
  const name: Name = {
    hash,
    bytes: new Uint8Array(text.subarray(start, end)),
    index: staticNames.get(lower) ?? 0,
    // `te` is of requests.
    isLeftOut: lower === 'te' || CONNECTION_SPECIFIC.has(lower),
    isSeparate: SEPARATE_FIELDS.has(lower),
    isSecret: SECRET.has(lower),
    block: 0,
  };
  names[slot] = name;
  return name;
}

function isSame(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== text[start + i]) return false;
  return true;
}

function writeStatus(status: number, into: Uint8Array, at: number): number {
  const index = staticStatus[status];
  if (index !== undefined) {
    into[at] = 0x80 | index;
    return at + 1;
  }
  into[at] = STATUS_INDEX;
  into[at + 1] = 3;
  into[at + 2] = 48 + Math.floor(status / 100);
  into[at + 3] = 48 + (Math.floor(status / 10) % 10);
  into[at + 4] = 48 + (status % 10);
  return at + 5;
}

/** RFC 7541 section 5.1; `pattern` stands in the bits above the number. */
function writeInteger(into: Uint8Array, at: number, pattern: number, bits: number, value: number): number {
  const most = (1 << bits) - 1;
  if (value < most) {
    into[at] = pattern | value;
    return at + 1;
  }
  into[at++] = pattern | most;
  let rest = value - most;
  for (; rest > 0x7f; rest >>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at] = rest;
  return at + 1;
}

function writeString(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  at = writeInteger(into, at, 0, 7, end - start);
  for (let i = start; i < end; i++) into[at++] = bytes[i];
  return at;
}
