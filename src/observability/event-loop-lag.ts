/** How late the event loop runs, from one timer that fires twice a second. */
import type { Clock, TimerHandle, Timers } from '../base/clock.ts';

export interface EventLoopLag {
  /** The most that the timer came late within the last ten seconds, in milliseconds; at least 0. */
  worst(): number;
  /** Stops the timer. */
  close(): void;
}

/** Milliseconds between two looks. */
const PERIOD = 500;

/** Looks that make up ten seconds. */
const LOOKS = 20;

/** Starts measuring. */
export function createEventLoopLag(clock: Clock, timers: Timers): EventLoopLag {
  const looks = new Float64Array(LOOKS);
  let next = 0;
  let expected = 0;
  let handle: TimerHandle;
  const arm = (): void => {
    expected = clock.now() + PERIOD;
    handle = timers.setTimeout(look, PERIOD);
  };
  const look = (): void => {
    looks[next] = Math.max(0, clock.now() - expected);
    next = (next + 1) % LOOKS;
    arm();
  };
  arm();
  return {
    worst() {
      // A look that is overdue says at least this much, though its timer has not fired yet.
      let worst = Math.max(0, clock.now() - expected);
      for (let i = 0; i < LOOKS; i++) worst = Math.max(worst, looks[i]);
      return worst;
    },
    close: () => timers.clearTimeout(handle),
  };
}
