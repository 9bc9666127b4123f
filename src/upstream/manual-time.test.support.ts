/** Time that tests move by hand: a clock and timers that agree with each other. */
import type { Clock, Timers } from '../base/clock.ts';

interface ManualTimer {
  readonly due: number;
  readonly callback: () => void;
}

export class ManualTime implements Clock, Timers {
  #now = 1000;
  readonly #timers = new Set<ManualTimer>();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  setTimeout(callback: () => void, milliseconds: number): ManualTimer {
    if (!Number.isFinite(milliseconds) || milliseconds < 0) throw new RangeError(`delay ${milliseconds}`);
    const timer = { due: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as ManualTimer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds from now to the next timer; infinite when there is none. */
  get untilNext(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const timer of this.#timers) next = Math.min(next, timer.due - this.#now);
    return next;
  }

  /** Lets time pass without a timer being served: a busy event loop. */
  skip(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Lets time pass, serving each timer at its moment and what its callback started in promises. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settled();
      let first: ManualTimer | null = null;
      for (const timer of this.#timers)
        if (timer.due <= end && (first === null || timer.due < first.due)) first = timer;
      if (first === null) break;
      this.#timers.delete(first);
      this.#now = Math.max(this.#now, first.due);
      first.callback();
    }
    this.#now = end;
    await settled();
  }
}

/** All promise callbacks that were ready have run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
