/** Deadlines of calls that all have the same time, on one timer: the first asked is the first to be late. */
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';

/** A call under way. */
export interface Due {
  readonly settled: boolean;
  /** Its time is over. */
  onLate(): void;
}

interface Entry {
  readonly due: Due;
  /** In milliseconds of patience, as `spent` counts them. */
  readonly deadline: number;
  next: Entry | null;
}

/** Looks are at most so many milliseconds apart while there is a call under way. */
const STEP = 5;

/**
 * What is measured is the time in which this process could have heard an answer. One that has its hands full, or is kept from
 * running, is late itself: a look that comes later than it was due counts as if it had come in time.
 */
export class TakeDeadlines {
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly patience: number;
  private first: Entry | null = null;
  private last: Entry | null = null;
  private timer: TimerHandle = null;
  /** Milliseconds of patience that have gone by until the last look. */
  private spent = 0;
  private lookedAt = 0;
  private step = STEP;

  /** `patience`: milliseconds that each has. */
  constructor(clock: Clock, timers: Timers, patience: number) {
    this.clock = clock;
    this.timers = timers;
    this.patience = patience;
  }

  add(due: Due): void {
    const now = this.clock.now();
    if (this.timer === null) this.lookedAt = now;
    // Of what has gone by since the last look no more counts than the step that will be counted.
    const since = Math.min(now - this.lookedAt, this.step);
    const entry: Entry = { due, deadline: this.spent + since + this.patience, next: null };
    if (this.last === null) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
    if (this.timer === null) this.lookLater();
  }

  private lookLater(): void {
    this.step = Math.min(STEP, this.patience);
    this.timer = this.timers.setTimeout(() => this.look(), this.step);
  }

  private look(): void {
    this.timer = null;
    const now = this.clock.now();
    this.spent += Math.min(now - this.lookedAt, this.step);
    this.lookedAt = now;
    this.expire();
    if (this.first !== null) this.lookLater();
  }

  private expire(): void {
    while (this.first !== null && (this.first.due.settled || this.first.deadline <= this.spent)) {
      const { due } = this.first;
      this.first = this.first.next;
      if (this.first === null) this.last = null;
      if (!due.settled) due.onLate();
    }
  }
}
