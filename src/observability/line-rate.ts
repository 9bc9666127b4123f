/** Bounds how often one kind of line is written, and counts those that are not. */
export class LineRate {
  /** Lines that were held back before the one that was just allowed. */
  suppressed = 0;
  private readonly perSecond: number;
  private second = -1;
  private written = 0;
  private held = 0;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
  }

  /** Whether a line may be written at `now`, in milliseconds of any clock. */
  allows(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.second) {
      this.second = second;
      this.written = 0;
    }
    if (this.written >= this.perSecond) {
      this.held++;
      return false;
    }
    this.written++;
    this.suppressed = this.held;
    this.held = 0;
    return true;
  }
}
