/** The heads of the requests of one HTTP/2 connection: read from header blocks, and remembered for blocks that come again. */
import { randomBytes } from 'node:crypto';
import { HEAD_COMPLETE } from '../http/head-parser.ts';
import { HpackDecoder } from '../http/hpack-decoder.ts';
import { Http2HeadWriter } from '../http/http2-head-writer.ts';
import { Http2RequestHead } from '../http/http2-request-head.ts';
import { TrailerParser } from '../http/trailer-parser.ts';

/** Blocks that are remembered, a power of two, and the largest of them in octets. */
const PLACES = 8;
const LARGEST = 256;
/** Heads that wait for requests to come. */
const MOST_FREE = 16;
const TRAILERS = 8192;

/** A head is written and parsed before the next one is. */
const writer = new Http2HeadWriter();

/**
 * A block that changed no table, and its head: while the table stays as it is, the same octets are the same fields. Clients
 * send little else, once their fields are in the table.
 */
interface Place {
  readonly block: Uint8Array;
  readonly version: number;
  readonly limit: number;
  readonly head: Http2RequestHead;
}

export class Http2Heads {
  /** Why the last block is malformed. */
  detail = '';
  /** Why the last trailers may not stand there; `''` when they may. */
  refusal = '';
  /** The block is more than anybody means in earnest. */
  excessive = false;
  private readonly decoder = new HpackDecoder();
  private readonly places: (Place | null)[] = new Array(PLACES).fill(null);
  private readonly free: Http2RequestHead[] = [];
  /** The decoder can read no more (RFC 9113 section 4.3). */
  broken = false;

  /**
   * The head in `bytes[start, end)`, to be given back by `release`. Null when it is malformed: the stream is to be reset, or
   * the connection ended when `broken` says so.
   */
  read(bytes: Buffer, start: number, end: number, limit: number): Http2RequestHead | null {
    const { table } = this.decoder;
    const place = end - start > LARGEST ? -1 : hashOf(bytes, start, end);
    if (place >= 0) {
      const found = this.places[place];
      if (found !== null && found.version === table.version && found.limit === limit) {
        if (isSame(found.block, bytes, start, end)) {
          found.head.users++;
          return found.head;
        }
      }
    }
    const { version } = table;
    if (!this.decode(bytes, start, end, limit, false)) return null;
    const head = this.free.pop() ?? new Http2RequestHead();
    head.judge(writer, limit);
    head.users = 1;
    head.kept = false;
    // The key of an upgrade is not to come twice.
    const isKept = place >= 0 && version === table.version && head.code === null && !head.isExtended;
    // In memory of its own: a slice of the runtime's pool would hold all of that.
    if (isKept) this.keep(place, { block: new Uint8Array(bytes.subarray(start, end)), version, limit, head });
    return head;
  }

  private keep(at: number, place: Place): void {
    this.drop(at);
    place.head.kept = true;
    this.places[at] = place;
  }

  private drop(at: number): void {
    const place = this.places[at];
    if (place === null) return;
    this.places[at] = null;
    place.head.kept = false;
    this.recycle(place.head);
  }

  release(head: Http2RequestHead): void {
    head.users--;
    this.recycle(head);
  }

  private recycle(head: Http2RequestHead): void {
    if (head.users === 0 && !head.kept && this.free.length < MOST_FREE) this.free.push(head);
  }

  /** Forgets what is only there to be quick. */
  forget(): void {
    for (let i = 0; i < PLACES; i++) this.drop(i);
    this.free.length = 0;
  }

  /** The trailers in a block as field lines; null as of `read`, or with `refusal` set when they may not stand there. */
  readTrailers(bytes: Buffer, start: number, end: number): string | null {
    this.refusal = '';
    if (!this.decode(bytes, start, end, TRAILERS, true)) return null;
    if (writer.tooLarge) return this.refuse('the trailers are larger than the limit');
    const parser = new TrailerParser(TRAILERS);
    if (parser.execute(writer.text, 0, writer.length) !== HEAD_COMPLETE) return this.refuse(parser.detail);
    if (parser.consumed !== writer.length || parser.count !== writer.lines) {
      return this.refuse('a trailer has a line break in it');
    }
    return writer.text.toString('latin1', 0, writer.length - 2);
  }

  private refuse(detail: string): null {
    this.refusal = detail;
    return null;
  }

  /** Reads a block for nothing but what it does to the table. */
  skip(bytes: Buffer, start: number, end: number): boolean {
    return this.decode(bytes, start, end, 0, true) || !this.broken;
  }

  private decode(bytes: Buffer, start: number, end: number, limit: number, isTrailers: boolean): boolean {
    const { decoder } = this;
    writer.begin(limit, isTrailers);
    this.broken = !decoder.decode(bytes, start, end, writer);
    if (this.broken) {
      this.detail = decoder.detail;
      return false;
    }
    writer.finish(newKey);
    this.detail = writer.malformed;
    this.excessive = writer.excessive;
    return this.detail === '' && !this.excessive;
  }
}

function newKey(): string {
  return randomBytes(16).toString('base64');
}

function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  return (hash ^ (hash >>> 8)) & (PLACES - 1);
}

function isSame(block: Uint8Array, bytes: Buffer, start: number, end: number): boolean {
  if (block.length !== end - start) return false;
  for (let i = 0; i < block.length; i++) if (block[i] !== bytes[start + i]) return false;
  return true;
}
