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
  readonly deadline: number;
  next: Entry | null;
}

export class TakeDeadlines {
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly patience: number;
  private first: Entry | null = null;
  private last: Entry | null = null;
  private timer: TimerHandle = null;
  /** Whatever was due by then is late if it is still so at the next look; negative before a first look. */
  private horizon = -1;

  /** `patience`: milliseconds that each has. */
  constructor(clock: Clock, timers: Timers, patience: number) {
    this.clock = clock;
    this.timers = timers;
    this.patience = patience;
  }

  add(due: Due): void {
    const entry: Entry = { due, deadline: this.clock.now() + this.patience, next: null };
    if (this.last === null) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
    this.timer ??= this.timers.setTimeout(() => this.look(), this.patience);
  }

  private look(): void {
    this.timer = null;
    const now = this.clock.now();
    if (this.horizon >= 0) this.expire(this.horizon);
    this.horizon = -1;
    this.dropSettled();
    const { first } = this;
    if (first === null) return;
    let pause = Math.ceil(first.deadline - now);
    if (pause <= 0) {
      // A process that was busy for long finds its timers before the answers that have come meanwhile: those are read first.
      this.horizon = now;
      pause = 0;
    }
    this.timer = this.timers.setTimeout(() => this.look(), pause);
  }

  private expire(horizon: number): void {
    while (this.first !== null && this.first.deadline <= horizon) {
      const { due } = this.first;
      this.shift();
      if (!due.settled) due.onLate();
    }
  }

  private dropSettled(): void {
    while (this.first?.due.settled === true) this.shift();
  }

  private shift(): void {
    this.first = this.first?.next ?? null;
    if (this.first === null) this.last = null;
  }
}
