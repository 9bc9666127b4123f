/** Slots in the memory of one process: exact, first come first served. */
import type { Timers } from '../base/clock.ts';
import type { SlotOutcome, SlotRule, Slots, SlotWish } from './slots.ts';

interface Waiting {
  decide(outcome: SlotOutcome): void;
  timer: unknown;
}

interface Line {
  used: number;
  readonly waiting: Set<Waiting>;
}

export class MemorySlots implements Slots {
  private readonly timers: Timers;
  private readonly lines = new Map<string, Line>();

  constructor(timers: Timers) {
    this.timers = timers;
  }

  /** Keys of which something is in use or waited for. */
  get size(): number {
    return this.lines.size;
  }

  wish(key: string, rule: SlotRule): SlotWish {
    let line = this.lines.get(key);
    if (line === undefined) {
      line = { used: 0, waiting: new Set() };
      this.lines.set(key, line);
    }
    // Whoever waits comes first, also when the rule has just become wider.
    if (line.used < rule.max && line.waiting.size === 0) {
      line.used++;
      return { outcome: 'granted', release: this.releaser(key, line) };
    }
    if (line.waiting.size >= rule.queue) return { outcome: 'full', release: () => {} };
    return this.wait(key, line, rule);
  }

  private wait(key: string, line: Line, { queueTimeout }: SlotRule): SlotWish {
    let release: () => void = () => {};
    const outcome = new Promise<SlotOutcome>((resolve) => {
      const waiting: Waiting = {
        timer: null,
        decide: (decided) => {
          line.waiting.delete(waiting);
          this.timers.clearTimeout(waiting.timer);
          release = decided === 'granted' ? this.releaser(key, line) : () => {};
          this.forget(key, line);
          resolve(decided);
        },
      };
      release = () => waiting.decide('timeout');
      waiting.timer = this.timers.setTimeout(() => waiting.decide('timeout'), queueTimeout);
      line.waiting.add(waiting);
    });
    return { outcome, release: () => release() };
  }

  /** Passes the slot on to who waits longest. */
  private releaser(key: string, line: Line): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = line.waiting.values().next();
      if (next.done !== true) next.value.decide('granted');
      else {
        line.used--;
        this.forget(key, line);
      }
    };
  }

  private forget(key: string, line: Line): void {
    if (line.used === 0 && line.waiting.size === 0 && this.lines.get(key) === line) this.lines.delete(key);
  }
}
