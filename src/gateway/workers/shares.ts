/** A worker's side of the limits that all workers share: what it has of each, and what it asks for. */
import type { Allowance } from '../../base/allowance.ts';

/** The way to the supervisor's ledger. */
export interface SharesChannel {
  ask(key: string): void;
  give(key: string, count: number): void;
}

class Share implements Allowance {
  granted = 0;
  /** The ledger has said once how much it is; from then on it grows and shrinks by what is granted and given. */
  joined = false;
  private readonly askMore: () => void;
  private readonly inUse: () => number;
  private readonly yieldIdle: (count: number) => void;
  private readonly waiting: ((grown: boolean) => void)[] = [];

  constructor(askMore: () => void, inUse: () => number, yieldIdle: (count: number) => void) {
    this.askMore = askMore;
    this.inUse = inUse;
    this.yieldIdle = yieldIdle;
  }

  ask(then: (grown: boolean) => void): void {
    this.waiting.push(then);
    // One question at a time; its answer may do for several.
    if (this.waiting.length === 1) this.askMore();
  }

  onGrant(count: number): void {
    this.granted += count;
    if (count === 0) {
      for (const then of this.waiting.splice(0)) then(false);
      return;
    }
    for (const then of this.waiting.splice(0, count)) then(true);
    if (this.waiting.length > 0) this.askMore();
  }

  /**
   * Gives back up to `count` that are not in use. What is in use but idle is freed, and can be given when it is asked
   * for again: to promise it now would be too early.
   */
  onRecall(count: number): number {
    const given = Math.max(0, Math.min(count, this.granted - this.inUse()));
    this.granted -= given;
    if (given < count) this.yieldIdle(count - given);
    return given;
  }
}

export class Shares {
  private readonly channel: SharesChannel;
  private readonly shares = new Map<string, Share>();

  constructor(channel: SharesChannel) {
    this.channel = channel;
  }

  /**
   * The allowance of a limit; `inUse` says how many are used here, those that wait for an answer included, and
   * `yieldIdle` frees some that are used for nothing.
   */
  allowance(key: string, inUse: () => number, yieldIdle: (count: number) => void): Allowance {
    const share = new Share(() => this.channel.ask(key), inUse, yieldIdle);
    const former = this.shares.get(key);
    // An endpoint that comes back under the same name goes on with what the old one had.
    if (former !== undefined) {
      share.granted = former.granted;
      share.joined = former.joined;
    }
    this.shares.set(key, share);
    return share;
  }

  /**
   * With what the worker begins, by the ledger. Of a limit in which it had a share before, the ledger's number may be older
   * than what it gave back meanwhile: that one is left alone.
   */
  set(shares: Iterable<readonly [key: string, granted: number]>): void {
    for (const [key, granted] of shares) {
      const share = this.shares.get(key);
      if (share === undefined) this.channel.give(key, granted);
      else if (!share.joined) {
        share.joined = true;
        share.granted = granted;
      }
    }
  }

  onGrant(key: string, count: number): void {
    const share = this.shares.get(key);
    if (share !== undefined) share.onGrant(count);
    else if (count > 0) this.channel.give(key, count);
  }

  onRecall(key: string, count: number): void {
    this.channel.give(key, this.shares.get(key)?.onRecall(count) ?? 0);
  }

  /** Forgets the limits that `keeps` refuses. */
  retain(keeps: (key: string) => boolean): void {
    for (const key of this.shares.keys()) if (!keeps(key)) this.shares.delete(key);
  }
}
