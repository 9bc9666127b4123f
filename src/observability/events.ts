/** What happens in a gateway, as it happens: told to those who follow, and the last of it kept for those who come back. */
import type { Clock } from '../base/clock.ts';

/** Kinds of events. Part of the public interface: never renamed, never reused. */
export type GatewayEvent =
  /** A configuration runs now, or could not: `generation` is the one that runs. */
  | {
      readonly type: 'config';
      readonly result: 'applied' | 'failed';
      readonly generation: number;
      /** Why it was tried: `signal`, `file`, `api`, `rollback`. */
      readonly cause?: string;
      readonly error?: string;
    }
  /** An endpoint went down or came up. */
  | {
      readonly type: 'health';
      readonly service: string;
      readonly endpoint: string;
      readonly healthy: boolean;
      readonly reason: string;
    }
  /** A worker process serves, ends what it has, is killed because it does not answer, or is no more. */
  | {
      readonly type: 'worker';
      readonly pid: number;
      readonly state: 'running' | 'draining' | 'killed' | 'ended';
      readonly reason?: string;
    }
  /** A circuit breaker changed its mind. */
  | {
      readonly type: 'breaker';
      readonly service: string;
      readonly endpoint?: string;
      readonly state: 'open' | 'half-open' | 'closed';
      readonly reason?: string;
    };

/** All that who tells of something needs: `emit` of an `EventLog`, or nothing that listens. */
export type Emit = (event: GatewayEvent) => void;

export interface KeptEvent {
  /** Of this process and in its order; another process's are never the same. */
  readonly id: string;
  /** In ISO 8601. */
  readonly at: string;
  readonly event: GatewayEvent;
}

export type EventFollower = (kept: KeptEvent) => void;

/** Events kept, unless the log is told another number. */
const KEPT = 256;

/** Who may follow at a time, unless the log is told another number. */
const FOLLOWERS = 32;

export class EventLog {
  private readonly clock: Clock;
  private readonly limits: { readonly kept: number; readonly followers: number };
  /** What the ids of this process begin with: a client may come back to another one. */
  private readonly epoch: string;
  private count = 0;
  /** The newest last; the first is number `count - kept.length + 1`. */
  private kept: KeptEvent[] = [];
  private readonly followers = new Set<EventFollower>();

  constructor(clock: Clock, limits: { kept: number; followers: number } = { kept: KEPT, followers: FOLLOWERS }) {
    this.clock = clock;
    this.limits = limits;
    this.epoch = Math.floor(clock.wall()).toString(36);
  }

  /** Bound, to be handed around as it is. Never throws. */
  readonly emit: Emit = (event) => {
    this.count++;
    const kept = { id: `${this.epoch}-${this.count}`, at: new Date(this.clock.wall()).toISOString(), event };
    this.kept.push(kept);
    if (this.kept.length > this.limits.kept) this.kept.shift();
    for (const follower of this.followers) follower(kept);
  };

  /** True when nobody more may follow. */
  get full(): boolean {
    return this.followers.size >= this.limits.followers;
  }

  /** Tells `follower` of each event from now on; it must not throw. What is returned ends that. Null when full. */
  follow(follower: EventFollower): (() => void) | null {
    if (this.full) return null;
    this.followers.add(follower);
    return () => void this.followers.delete(follower);
  }

  /** What came after the event of this id, as far as it is kept; `missed` when there may have been more. */
  since(id: string): { events: readonly KeptEvent[]; missed: boolean } {
    const [, epoch, digits] = /^([0-9a-z]+)-([1-9][0-9]{0,14})$/.exec(id) ?? [];
    const seen = Number(digits);
    // An id of another process, or of nobody: all that is kept came after it.
    if (epoch !== this.epoch || seen > this.count) return { events: this.kept, missed: true };
    const unseen = this.count - seen;
    const events = unseen === 0 ? [] : this.kept.slice(-unseen);
    return { events, missed: unseen > events.length };
  }
}
