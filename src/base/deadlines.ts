/** Several deadlines of one owner at one place of the timer wheel, for owners that come one after another. */
import { Timed, type TimerWheel } from './timer-wheel.ts';

/** Who is told. */
export interface DeadlineOwner {
  /** The deadline number `slot` has passed and is no longer set. */
  onDeadline(slot: number, now: number): void;
}

export class Deadlines extends Timed {
  /** Null while nobody has deadlines here. */
  owner: DeadlineOwner | null = null;
  private readonly wheel: TimerWheel;
  /** By slot, on the wheel's clock; 0 when not set. */
  private readonly times: Float64Array;

  /** `slots` numbers from 0 may be used. */
  constructor(wheel: TimerWheel, slots: number) {
    super();
    this.wheel = wheel;
    this.times = new Float64Array(slots);
  }

  /** Sets a deadline for the owner, in place of the one of the same number. */
  set(slot: number, deadline: number): void {
    this.times[slot] = deadline;
    // An earlier one that no longer counts may stand on the wheel: its visit finds that and goes on.
    if (this.deadline === 0 || deadline < this.deadline) this.wheel.schedule(this, deadline);
  }

  isSet(slot: number): boolean {
    return this.times[slot] !== 0;
  }

  /** Harmless when it is not set. */
  clear(slot: number): void {
    this.times[slot] = 0;
  }

  /** Clears all and lets the owner go. */
  release(): void {
    this.times.fill(0);
    this.owner = null;
    this.wheel.cancel(this);
  }

  /** Ends: nothing is set here any more. */
  remove(): void {
    this.times.fill(0);
    this.owner = null;
    this.wheel.remove(this);
  }

  onDeadline(now: number): void {
    const { times } = this;
    let passed = -1;
    let next = 0;
    for (let slot = 0; slot < times.length; slot++) {
      const time = times[slot];
      if (time === 0) continue;
      if (time <= now && passed < 0) passed = slot;
      else if (next === 0 || time < next) next = time;
    }
    // Another one that has passed as well is told of at the wheel's next visit, unless this one's owner clears it.
    if (next !== 0) this.wheel.schedule(this, next);
    if (passed < 0) return;
    times[passed] = 0;
    this.owner?.onDeadline(passed, now);
  }
}
