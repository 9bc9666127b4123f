/** What a peer may send, and how much of it was taken since it was last told so (RFC 9113 section 6.9). */

export class ReceiveWindow {
  private readonly size: number;
  private left: number;
  private taken = 0;

  /** `size` octets may be under way. */
  constructor(size: number) {
    this.size = size;
    this.left = size;
  }

  /** Counts octets that have come; false when they are more than there was room for. */
  receive(octets: number): boolean {
    this.left -= octets;
    return this.left >= 0;
  }

  /** Counts octets that leave room for others; answers how many the peer is to be told of, 0 when it may wait. */
  credit(octets: number): number {
    this.taken += octets;
    const { taken } = this;
    // Half a window at a time: a frame for each would be as much work as what it is about.
    if (taken < this.size / 2) return 0;
    this.taken = 0;
    this.left += taken;
    return taken;
  }
}
