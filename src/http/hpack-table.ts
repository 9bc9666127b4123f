/** The tables of HPACK: the static one (RFC 7541 appendix A), and the dynamic one of a decoder (section 2.3). */

/** Names and values of the static table, in order. */
// biome-ignore format: one entry a line
export const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Entries of the static table; dynamic ones are numbered from the next on. */
export const STATIC_ENTRIES = STATIC_TABLE.length;

/** What an entry counts for beside its octets (RFC 7541 section 4.1). */
export const ENTRY_OVERHEAD = 32;

/** Octets that a table may have when nobody says otherwise (RFC 9113 section 6.5.2). */
export const DEFAULT_TABLE_SIZE = 4096;

/** Numbers kept of an entry: where its name begins, where its value does, and where that ends. */
const STRIDE = 3;
const NOTHING = new Uint8Array(0);

/** The entries that a peer had put aside, the newest first, of `DEFAULT_TABLE_SIZE` at most. */
export class HpackTable {
  /** The octets of all entries; others may stand between them. They move when something is added. */
  bytes: Uint8Array = NOTHING;
  count = 0;
  /** Changes whenever an entry comes or goes: until then, the same octets mean the same fields. */
  version = 0;
  private size = 0;
  private limit = DEFAULT_TABLE_SIZE;
  /** A ring; the newest entry is at `newest`. */
  private readonly offsets: Int32Array = new Int32Array((DEFAULT_TABLE_SIZE / ENTRY_OVERHEAD) * STRIDE);
  private newest = -STRIDE;
  private end = 0;

  /** Where the name of an entry begins; entry 0 is the newest. */
  nameStart(entry: number): number {
    return this.offsets[this.slot(entry)];
  }

  /** Where its value begins and its name ends. */
  valueStart(entry: number): number {
    return this.offsets[this.slot(entry) + 1];
  }

  valueEnd(entry: number): number {
    return this.offsets[this.slot(entry) + 2];
  }

  private slot(entry: number): number {
    const at = this.newest - entry * STRIDE;
    return at >= 0 ? at : at + this.offsets.length;
  }

  /** Sets how large it may be, in octets as `ENTRY_OVERHEAD` counts them; no more than `DEFAULT_TABLE_SIZE`. */
  resize(limit: number): void {
    this.limit = limit;
    this.version++;
    this.evict(limit);
  }

  private evict(room: number): void {
    while (this.size > room) {
      const at = this.slot(this.count - 1);
      this.size -= this.offsets[at + 2] - this.offsets[at] + ENTRY_OVERHEAD;
      this.count--;
    }
  }

  /**
   * Adds an entry, for which older ones may have to go; one that is larger than the table empties it (RFC 7541 section 4.4).
   * The name may be one of the table's own.
   */
  add(name: Uint8Array, nameStart: number, nameEnd: number, value: Uint8Array, from: number, to: number): void {
    const octets = nameEnd - nameStart + to - from;
    this.version++;
    if (octets + ENTRY_OVERHEAD > this.limit) return this.evict(0);
    if (this.bytes.length === 0) this.bytes = new Uint8Array(2 * DEFAULT_TABLE_SIZE);
    const { bytes } = this;
    if (this.end + octets > bytes.length) {
      const shift = this.compact();
      if (name === bytes) {
        nameStart -= shift;
        nameEnd -= shift;
      }
    }
    const start = this.end;
    let at = start;
    for (let i = nameStart; i < nameEnd; i++) bytes[at++] = name[i];
    const middle = at;
    for (let i = from; i < to; i++) bytes[at++] = value[i];
    this.end = at;
    // An entry whose name this one has may be among those that go: the name was copied before.
    this.evict(this.limit - octets - ENTRY_OVERHEAD);
    const slot = (this.newest + STRIDE) % this.offsets.length;
    this.offsets[slot] = start;
    this.offsets[slot + 1] = middle;
    this.offsets[slot + 2] = at;
    this.newest = slot;
    this.count++;
    this.size += octets + ENTRY_OVERHEAD;
  }

  /** Moves all entries to the front; answers by how much. */
  private compact(): number {
    const shift = this.count === 0 ? this.end : this.nameStart(this.count - 1);
    this.bytes.copyWithin(0, shift, this.end);
    this.end -= shift;
    for (let i = 0; i < this.count; i++) {
      const slot = this.slot(i);
      for (let k = 0; k < STRIDE; k++) this.offsets[slot + k] -= shift;
    }
    return shift;
  }
}
