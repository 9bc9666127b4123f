/** All deadlines of connections and requests, on one coarse timer: setting and clearing one costs a few pointer writes. */
import type { Clock } from './clock.ts';

/** Something with one deadline. Its owner is told at most `TICK` milliseconds late, never early. */
export abstract class Timed {
  /** On the wheel's clock, in milliseconds; 0 when none is set. */
  deadline = 0;
  /** The wheel's own links. */
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;
  /** The tick at which the wheel looks at it next, -1 when it is not on the wheel. */
  wheelTick = -1;

  /** The deadline has passed and is no longer set. */
  abstract onDeadline(now: number): void;
}

/** Width of a slot in milliseconds. */
export const TICK = 10;
const SLOTS = 1024;

export class TimerWheel {
  private readonly clock: Clock;
  private readonly slots: (Timed | null)[] = new Array(SLOTS).fill(null);
  private readonly expired: Timed[] = [];
  private lastTick: number;
  /** The clock at the last visit. */
  private visited: number;
  private size = 0;
  private interval: NodeJS.Timeout | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
    this.visited = clock.now();
    this.lastTick = Math.floor(this.visited / TICK);
  }

  /** The wheel's clock, in milliseconds. */
  now(): number {
    return this.clock.now();
  }

  /** How many are on the wheel: those with a deadline, and those whose cleared deadline was not visited yet. */
  get length(): number {
    return this.size;
  }

  /** Sets the deadline of `timed` to `deadline` on the clock, replacing the one it had. */
  schedule(timed: Timed, deadline: number): void {
    timed.deadline = deadline;
    // First, since a wheel that stood still does not know which slots are behind it.
    if (this.size === 0) this.run();
    // A deadline in a slot that was already visited would wait a whole turn.
    const tick = Math.max(Math.ceil(deadline / TICK), this.lastTick + 1);
    if (timed.wheelTick >= 0) {
      // A deadline put off stays where it is: the visit finds it early and moves it on, once, not at every change.
      if (timed.wheelTick <= tick) return;
      this.unlink(timed);
    } else this.size++;
    this.link(timed, tick);
  }

  /**
   * Sets the deadline to `milliseconds` from the wheel's last visit, without asking the clock: early by as long as the
   * process has been at it since, a few milliseconds when all is well. For deadlines of seconds.
   */
  scheduleIn(timed: Timed, milliseconds: number): void {
    if (this.size === 0) this.run();
    this.schedule(timed, this.visited + TICK + milliseconds);
  }

  /**
   * Clears the deadline; harmless when none is set. It stays on the wheel until its slot is visited, within ten seconds:
   * for what sets its deadline again and again, that is cheaper than to leave and come back.
   */
  cancel(timed: Timed): void {
    timed.deadline = 0;
  }

  /** Clears the deadline and forgets `timed` at once; for what ends. */
  remove(timed: Timed): void {
    timed.deadline = 0;
    if (timed.wheelTick < 0) return;
    this.unlink(timed);
    this.size--;
  }

  /** Visits every slot since the last visit; called by the wheel's own timer, and by tests. */
  advance(): void {
    const now = this.clock.now();
    const tick = Math.floor(now / TICK);
    // After a long pause each slot needs one visit only.
    let from = Math.max(this.lastTick + 1, tick - SLOTS + 1);
    for (; from <= tick; from++) this.collect(from & (SLOTS - 1), now);
    this.lastTick = Math.max(tick, this.lastTick);
    this.visited = now;
    const expired = this.expired;
    for (let i = 0; i < expired.length; i++) {
      const timed = expired[i];
      // An earlier one of this batch may have cleared it or set it anew.
      if (timed.deadline === 0 || timed.wheelTick >= 0) continue;
      timed.deadline = 0;
      timed.onDeadline(now);
    }
    expired.length = 0;
    if (this.size === 0) this.stop();
  }

  private collect(slot: number, now: number): void {
    let timed = this.slots[slot];
    const tick = Math.floor(now / TICK);
    while (timed !== null) {
      const next: Timed | null = timed.wheelNext;
      if (timed.deadline <= now) {
        this.unlink(timed);
        this.size--;
        if (timed.deadline !== 0) this.expired.push(timed);
      } else {
        this.unlink(timed);
        this.link(timed, Math.max(Math.ceil(timed.deadline / TICK), tick + 1));
      }
      timed = next;
    }
  }

  private link(timed: Timed, tick: number): void {
    const slot = tick & (SLOTS - 1);
    const first = this.slots[slot];
    timed.wheelTick = tick;
    timed.wheelNext = first;
    if (first !== null) first.wheelPrevious = timed;
    this.slots[slot] = timed;
  }

  private unlink(timed: Timed): void {
    const { wheelNext: next, wheelPrevious: previous } = timed;
    if (previous === null) this.slots[timed.wheelTick & (SLOTS - 1)] = next;
    else previous.wheelNext = next;
    if (next !== null) next.wheelPrevious = previous;
    timed.wheelNext = null;
    timed.wheelPrevious = null;
    timed.wheelTick = -1;
  }

  private run(): void {
    if (this.interval !== null) return;
    this.visited = this.clock.now();
    this.lastTick = Math.floor(this.visited / TICK);
    this.interval = setInterval(() => this.advance(), TICK).unref();
  }

  private stop(): void {
    if (this.interval !== null) clearInterval(this.interval);
    this.interval = null;
  }
}
