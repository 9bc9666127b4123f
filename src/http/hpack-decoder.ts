/** Header blocks of HTTP/2 read field by field (RFC 7541), without an object or a string for any of them. */
import { decodeHuffman, mostDecoded } from './hpack-huffman.ts';
import { DEFAULT_TABLE_SIZE, HpackTable, STATIC_ENTRIES, STATIC_TABLE } from './hpack-table.ts';

/** Takes the fields of a block, in order. */
export interface HpackSink {
  /** Octets as they were sent, not judged yet: views, valid during the call only. */
  onField(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void;
}

interface StaticEntry {
  readonly bytes: Uint8Array;
  readonly nameEnd: number;
}

const statics: readonly StaticEntry[] = STATIC_TABLE.map(([name, value]) => ({
  bytes: Buffer.from(name + value, 'latin1'),
  nameEnd: name.length,
}));

/** Larger numbers than any that can be meant; so none overflows (RFC 7541 section 5.1). */
const LARGEST = 2 ** 24;

/** Names and values that were coded are decoded into these, whosever they are. */
let nameScratch = new Uint8Array(1024);
let valueScratch = new Uint8Array(8192);

export class HpackDecoder {
  readonly table: HpackTable = new HpackTable();
  /** After a fault, what an operator may read about it. */
  detail = '';
  private block: Uint8Array = nameScratch;
  private at = 0;
  private end = 0;
  // The string last read: `text[from, to)`.
  private text: Uint8Array = nameScratch;
  private from = 0;
  private to = 0;

  /**
   * Gives the fields of `block[start, end)` to `sink`. False when it is malformed: fields before the fault were given, and
   * the decoder cannot be used again (RFC 9113 section 4.3).
   */
  decode(block: Uint8Array, start: number, end: number, sink: HpackSink): boolean {
    this.block = block;
    this.at = start;
    this.end = end;
    let begun = false;
    while (this.at < end) {
      const octet = block[this.at];
      if ((octet & 0xe0) === 0x20) {
        // Only before the first field (RFC 7541 section 4.2).
        if (begun) return this.fail('a table size update after a field');
        if (!this.readSizeUpdate()) return false;
        continue;
      }
      begun = true;
      if (octet >= 0x80 ? !this.readIndexed(sink) : !this.readLiteral(octet, sink)) return false;
    }
    return true;
  }

  private fail(detail: string): false {
    this.detail = detail;
    return false;
  }

  private readSizeUpdate(): boolean {
    const size = this.readInteger(0x1f);
    if (size < 0) return false;
    if (size > DEFAULT_TABLE_SIZE) return this.fail('a table size above the limit');
    this.table.resize(size);
    return true;
  }

  private readIndexed(sink: HpackSink): boolean {
    const index = this.readInteger(0x7f);
    if (index < 0) return false;
    if (index === 0) return this.fail('the index 0');
    if (index <= STATIC_ENTRIES) {
      const { bytes, nameEnd } = statics[index - 1];
      sink.onField(bytes, 0, nameEnd, bytes, nameEnd, bytes.length);
      return true;
    }
    const { table } = this;
    const entry = index - STATIC_ENTRIES - 1;
    if (entry >= table.count) return this.fail('an index beyond the table');
    const middle = table.valueStart(entry);
    sink.onField(table.bytes, table.nameStart(entry), middle, table.bytes, middle, table.valueEnd(entry));
    return true;
  }

  private readLiteral(octet: number, sink: HpackSink): boolean {
    const isKept = octet >= 0x40;
    const index = this.readInteger(isKept ? 0x3f : 0x0f);
    if (index < 0 || !this.readName(index)) return false;
    const { text: name, from: nameStart, to: nameEnd } = this;
    if (!this.readString(false)) return false;
    const { text, from, to, table } = this;
    sink.onField(name, nameStart, nameEnd, text, from, to);
    if (isKept) table.add(name, nameStart, nameEnd, text, from, to);
    return true;
  }

  /** The name with this index, or the one that stands here when it is 0. */
  private readName(index: number): boolean {
    if (index === 0) return this.readString(true);
    if (index <= STATIC_ENTRIES) {
      const { bytes, nameEnd } = statics[index - 1];
      this.text = bytes;
      this.from = 0;
      this.to = nameEnd;
      return true;
    }
    const { table } = this;
    const entry = index - STATIC_ENTRIES - 1;
    if (entry >= table.count) return this.fail('an index beyond the table');
    this.text = table.bytes;
    this.from = table.nameStart(entry);
    this.to = table.valueStart(entry);
    return true;
  }

  /** A number whose first octet stands at `at`, with a prefix of these bits; -1 when there is none (RFC 7541 section 5.1). */
  private readInteger(prefix: number): number {
    const { block, end } = this;
    let value = block[this.at++] & prefix;
    if (value < prefix) return value;
    for (let shift = 0; this.at < end; shift += 7) {
      const octet = block[this.at++];
      // Octets of no value may lengthen a number, but not for ever.
      if (shift > 28) break;
      value += (octet & 0x7f) * 2 ** shift;
      if (value > LARGEST) break;
      if (octet < 0x80) return value;
    }
    this.detail = this.at >= end ? 'the block ends within a number' : 'a number that is too large';
    return -1;
  }

  private readString(isName: boolean): boolean {
    if (this.at >= this.end) return this.fail('the block ends before a string');
    const isCoded = this.block[this.at] >= 0x80;
    const length = this.readInteger(0x7f);
    if (length < 0) return false;
    const start = this.at;
    const end = start + length;
    if (end > this.end) return this.fail('the block ends within a string');
    this.at = end;
    if (isCoded) return this.decodeString(start, end, isName);
    this.text = this.block;
    this.from = start;
    this.to = end;
    return true;
  }

  private decodeString(start: number, end: number, isName: boolean): boolean {
    const most = mostDecoded(end - start);
    let scratch = isName ? nameScratch : valueScratch;
    if (most > scratch.length) {
      scratch = new Uint8Array(most);
      if (isName) nameScratch = scratch;
      else valueScratch = scratch;
    }
    this.text = scratch;
    this.from = 0;
    this.to = decodeHuffman(this.block, start, end, scratch, 0);
    return this.to >= 0 || this.fail('a string that is not of the Huffman code');
  }
}
