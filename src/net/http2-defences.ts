/** What a client of HTTP/2 may do that costs it little and the gateway something: so much at once, and then by second. */
import { LeakyBucket } from '../base/leaky-bucket.ts';

/** Streams that a client may give up at once, and after that by second: each is work that nobody wanted (CVE-2023-44487). */
const RESETS = 500;
const RESET_RATE = 30;
/**
 * Pings and settings, which are answered. Clients of gRPC measure by pings, one for each round trip while they receive: that
 * may be thousands a second.
 */
const CONTROL_FRAMES = 10_000;
const CONTROL_RATE = 5000;
/** Streams that must be reset for what the client sends, and DATA with nothing in it. */
const FAULTS = 100;
const FAULT_RATE = 10;
/** Answers to pings and settings that a client leaves unread. */
const MOST_UNREAD = 1000;

export class Http2Defences {
  private readonly resets: LeakyBucket;
  private readonly controlFrames: LeakyBucket;
  private readonly faults: LeakyBucket;
  private readonly empties: LeakyBucket;
  private unread = 0;

  /** `now` is in milliseconds. */
  constructor(now: number) {
    this.resets = new LeakyBucket(RESETS, RESET_RATE, now);
    this.controlFrames = new LeakyBucket(CONTROL_FRAMES, CONTROL_RATE, now);
    this.faults = new LeakyBucket(FAULTS, FAULT_RATE, now);
    this.empties = new LeakyBucket(FAULTS, FAULT_RATE, now);
  }

  // Each takes note of one more, and says what it is too much of; '' when it is not.

  onGivenUp(now: number): string {
    return this.resets.pour(now) ? 'too many streams given up' : '';
  }

  /** Clients that have not heard yet how many streams they may have begin with as many as they like. */
  onTurnedAway(now: number): string {
    return this.resets.pour(now) ? 'too many streams at once' : '';
  }

  onFault(now: number): string {
    return this.faults.pour(now) ? 'too many malformed frames' : '';
  }

  onEmpty(now: number): string {
    return this.empties.pour(now) ? 'too many empty frames' : '';
  }

  /** `congested`: the client does not read what it is answered. */
  onControl(now: number, congested: boolean): string {
    this.unread = congested ? this.unread + 1 : 0;
    if (this.unread > MOST_UNREAD) return 'too many answers that are not read';
    return this.controlFrames.pour(now) ? 'too many pings or settings' : '';
  }
}
