/** Counts what may come in a burst, and then at a rate. */
export class LeakyBucket {
  private readonly capacity: number;
  private readonly rate: number;
  private level = 0;
  private last: number;

  /** Holds `capacity`, and empties by `rate` a second; `now` is in milliseconds. */
  constructor(capacity: number, rate: number, now: number) {
    this.capacity = capacity;
    this.rate = rate;
    this.last = now;
  }

  /** Puts one in; answers whether it overflows. */
  pour(now: number): boolean {
    this.level = Math.max(0, this.level - ((now - this.last) / 1000) * this.rate) + 1;
    this.last = now;
    return this.level > this.capacity;
  }
}
