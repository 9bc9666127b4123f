/** How the latest streams of an HTTP/2 connection ended, so that frames which come after the end can be told apart. */

/** Its number was passed over: it never was, and can no longer be (RFC 9113 section 5.1.1). */
export const SKIPPED = 0;
export const OPEN = 1;
/** Both sides said all that they had to say. */
export const ENDED = 2;
export const RESET_BY_CLIENT = 3;
/** The client may not know of it yet. */
export const RESET_HERE = 4;
/** So long ago that it is not remembered. */
export const FORGOTTEN = 5;

/** Streams that are remembered; a power of two. */
const STREAMS = 1024;

export class Http2Ledger {
  /** The latest stream that the client began; 0 before the first. */
  last = 0;
  private readonly ends: Uint8Array = new Uint8Array(STREAMS);

  /** Takes note of a stream with a larger number than all before. */
  open(stream: number): void {
    const skipped = Math.min((stream - this.last - 2) / 2, STREAMS);
    for (let i = 1; i <= skipped; i++) this.ends[placeOf(stream - 2 * i)] = SKIPPED;
    this.last = stream;
    this.ends[placeOf(stream)] = OPEN;
  }

  end(stream: number, how: number): void {
    if (this.last - stream < 2 * STREAMS) this.ends[placeOf(stream)] = how;
  }

  /** What became of a stream of the client, whose number is not above `last`. */
  find(stream: number): number {
    return this.last - stream < 2 * STREAMS ? this.ends[placeOf(stream)] : FORGOTTEN;
  }
}

function placeOf(stream: number): number {
  return (stream >> 1) & (STREAMS - 1);
}
