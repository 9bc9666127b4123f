/** The system's time, and what a test skips of it: what is remembered grows old at once, and what is not skipped stays new. */
import { type Clock, systemClock } from '../../src/base/clock.ts';

export interface SkippingClock extends Clock {
  /** In milliseconds. */
  skip(time: number): void;
}

export function skippingClock(): SkippingClock {
  let skipped = 0;
  return {
    now: () => systemClock.now() + skipped,
    wall: () => systemClock.wall() + skipped,
    skip(time) {
      skipped += time;
    },
  };
}
