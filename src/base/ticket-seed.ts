/** What keys of TLS session tickets are made from: a secret that is replaced again and again, and then is nowhere any more. */
import { randomBytes } from 'node:crypto';
import type { Clock, TimerHandle, Timers } from './clock.ts';
import { deriveKey } from './start-secret.ts';

/** Milliseconds after which the seed is another one. No ticket is good for longer. */
export const TICKET_PERIOD = 12 * 3_600_000;

/** What goes on with a seed in another process needs to know. */
export interface TicketLegacy {
  /** 32 bytes. Who is handed them has to itself: they are wiped when their time is over. */
  readonly seed: Uint8Array;
  /** Milliseconds until they are. */
  readonly left: number;
}

export interface TicketSeedDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly tickets?: TicketLegacy;
}

/**
 * Chance and not a number of the period: what can be derived once more from something that stays in memory is not gone. Its age
 * is told by the monotonic clock, so a jump of the other one neither renews it nor keeps it.
 */
export class TicketSeed {
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly onRenewed: () => void;
  private seed: Uint8Array;
  private due: number;
  private timer: TimerHandle | null = null;

  /** `onRenewed` is called whenever keys that were made before are those of another seed. */
  constructor({ clock, timers, tickets }: TicketSeedDeps, onRenewed: () => void) {
    this.clock = clock;
    this.timers = timers;
    this.onRenewed = onRenewed;
    this.seed = tickets?.seed ?? randomBytes(32);
    this.due = clock.now() + Math.min(tickets?.left ?? TICKET_PERIOD, TICKET_PERIOD);
  }

  /** The seed in use, for those who are to have the same one; `left` is never below 0. */
  get legacy(): TicketLegacy {
    return { seed: this.seed, left: Math.max(0, this.due - this.clock.now()) };
  }

  /** 48 bytes, for one listener. */
  keysOf(listener: string): Buffer {
    return deriveKey(this.seed, `tls session tickets of ${listener}`, 48);
  }

  /** Renews it in time from now on, until `close`. Of processes that share a seed one leads. */
  lead(): void {
    this.close();
    this.timer = this.timers.setTimeout(() => {
      this.due = this.clock.now() + TICKET_PERIOD;
      this.follow(randomBytes(32));
      this.lead();
    }, this.legacy.left);
  }

  /** Takes another seed, and wipes the one before. */
  follow(seed: Uint8Array): void {
    this.seed.fill(0);
    this.seed = seed;
    this.onRenewed();
  }

  close(): void {
    if (this.timer !== null) this.timers.clearTimeout(this.timer);
    this.timer = null;
  }
}
