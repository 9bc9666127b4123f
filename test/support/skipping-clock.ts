/** Time of which a test skips what it would wait for: what is remembered grows old at once, and what is not skipped stays new. */
import { type Clock, systemClock } from '../../src/base/clock.ts';

export interface SkippingClock extends Clock {
  /** In milliseconds. Deadlines that were set since the last tick count what is skipped: it should be less than theirs. */
  skip(time: number): void;
}

/** The system's time, and what is skipped. */
export function skippingClock(): SkippingClock {
  return clockOn(systemClock);
}

/** Stands still but for what is skipped: nothing takes longer than it should on a machine that is busy. */
export function stoppedClock(): SkippingClock {
  const now = systemClock.now();
  const wall = systemClock.wall();
  return clockOn({ now: () => now, wall: () => wall });
}

function clockOn(base: Clock): SkippingClock {
  let skipped = 0;
  return {
    now: () => base.now() + skipped,
    wall: () => base.wall() + skipped,
    skip(time) {
      skipped += time;
    },
  };
}
