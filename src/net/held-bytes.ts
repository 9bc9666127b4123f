/** Bytes that came and are not wanted yet, in few pieces, however small those were in which they came. */

/** Sizes of a piece, in bytes. */
const SMALLEST = 1024;
const LARGEST = 64 * 1024;

export class HeldBytes {
  /** How many there are. */
  size = 0;
  private readonly pieces: Buffer[] = [];
  /** How much of the last piece is used. */
  private used = 0;

  add(bytes: Buffer, start: number, end: number): void {
    this.size += end - start;
    for (let from = start; from < end; ) {
      let last = this.pieces[this.pieces.length - 1];
      if (last === undefined || this.used === last.length) {
        const wanted = Math.max(2 * (last?.length ?? 0), end - from, SMALLEST);
        last = Buffer.allocUnsafeSlow(Math.min(wanted, LARGEST));
        this.pieces.push(last);
        this.used = 0;
      }
      const copied = bytes.copy(last, this.used, from, end);
      this.used += copied;
      from += copied;
    }
  }

  /** Takes the oldest piece; only where `size` is not 0. */
  take(): Buffer {
    const piece = this.pieces.shift() as Buffer;
    const bytes = this.pieces.length === 0 ? piece.subarray(0, this.used) : piece;
    if (this.pieces.length === 0) this.used = 0;
    this.size -= bytes.length;
    return bytes;
  }
}
