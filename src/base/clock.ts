/** Time as a value that is handed in, so that tests own it. */

/** A source of time. `now` is monotonic milliseconds with fractions, `wall` is milliseconds since the Unix epoch. */
export interface Clock {
  now(): number;
  wall(): number;
}

/** An opaque timer that `Timers.clearTimeout` takes back. */
export type TimerHandle = unknown;

/** Timers for background work (health checks, reload debounce); request deadlines use the timer wheel instead. */
export interface Timers {
  setTimeout(callback: () => void, milliseconds: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
};

/** Timers of the process that do not keep it alive by themselves. */
export const systemTimers: Timers = {
  setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds).unref(),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};
