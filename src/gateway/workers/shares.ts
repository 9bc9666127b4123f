/** A worker's side of the limits that all workers share: what it has of each, and what it asks for. */
import type { Allowance } from '../../base/allowance.ts';

/** The way to the supervisor's ledger. */
export interface SharesChannel {
  ask(key: string): void;
  /** Answers that it should give back. */
  give(key: string, count: number): void;
  giveUnasked(key: string, count: number): void;
}

class Share implements Allowance {
  /** The ledger has said once how much it is; from then on it grows and shrinks by what is granted and given. */
  private joined = false;
  /** By the ledger's account. */
  private held = 0;
  /** Of those, in use beyond a limit that has sunk: each is given back when it leaves. */
  private owed = 0;
  private waiting: ((grown: boolean) => void)[] = [];
  /** Has the share by now: one of the same name, of a later generation. */
  private successor: Share | null = null;
  private readonly key: string;
  private readonly channel: SharesChannel;
  private readonly inUse: () => number;
  private readonly yieldIdle: (count: number) => void;

  constructor(key: string, channel: SharesChannel, inUse: () => number, yieldIdle: (count: number) => void) {
    this.key = key;
    this.channel = channel;
    this.inUse = inUse;
    this.yieldIdle = yieldIdle;
  }

  get granted(): number {
    if (this.successor !== null) return this.successor.granted;
    if (this.owed > 0) this.settle();
    return this.held - this.owed;
  }

  ask(then: (grown: boolean) => void): void {
    if (this.successor !== null) return this.successor.ask(then);
    this.waiting.push(then);
    // One question at a time; its answer may do for several.
    if (this.waiting.length === 1) this.askMore();
  }

  private askMore(): void {
    if (this.owed > 0) this.settle();
    this.channel.ask(this.key);
  }

  join(held: number): void {
    if (this.joined) return;
    this.joined = true;
    this.held = held;
  }

  onGrant(count: number, settled: boolean): void {
    this.held += count;
    if (settled) this.owed = 0;
    if (count === 0) {
      for (const then of this.waiting.splice(0)) then(false);
      return;
    }
    for (const then of this.waiting.splice(0, count)) then(true);
    if (this.waiting.length > 0) this.askMore();
  }

  /**
   * Gives back up to `count` that are not in use, beside what is owed from before. What is in use but idle is freed, and can
   * be given when it is asked for again: to promise it now would be too early.
   */
  onRecall(count: number, owed: boolean): void {
    const wanted = count + this.owed;
    const given = this.free(wanted);
    this.owed = Math.min(this.held, owed ? wanted - given : Math.max(0, this.owed - given));
    this.channel.give(this.key, given);
    if (given < wanted) this.yieldIdle(wanted - given);
  }

  private settle(): void {
    const given = this.free(this.owed);
    if (given === 0) return;
    this.owed -= given;
    this.channel.giveUnasked(this.key, given);
  }

  private free(most: number): number {
    const given = Math.max(0, Math.min(most, this.held - this.inUse()));
    this.held -= given;
    return given;
  }

  /** Goes on with what another one had, and with those who wait there. */
  succeed(former: Share): void {
    this.joined = former.joined;
    this.held = former.held;
    this.owed = former.owed;
    this.waiting = [...former.waiting, ...this.waiting];
    former.successor = this;
  }

  /** The limit is no more: nobody is going to answer. */
  end(): void {
    for (const then of this.waiting.splice(0)) then(false);
  }
}

export class Shares {
  private readonly channel: SharesChannel;
  private readonly shares = new Map<string, Share>();
  /** Of the generation that is being prepared, where the running one has a share of the same name until then. */
  private readonly prepared = new Map<string, Share>();

  constructor(channel: SharesChannel) {
    this.channel = channel;
  }

  /**
   * The allowance of a limit; `inUse` says how many are used here, those that wait for an answer included, and
   * `yieldIdle` frees some that are used for nothing. It has nothing before `commit`.
   */
  allowance(key: string, inUse: () => number, yieldIdle: (count: number) => void): Allowance {
    const share = new Share(key, this.channel, inUse, yieldIdle);
    if (this.shares.has(key)) this.prepared.set(key, share);
    else this.shares.set(key, share);
    return share;
  }

  /** The generation of the allowances made since the last one goes live: under the same name they go on with what those had. */
  commit(): void {
    for (const [key, share] of this.prepared) {
      const former = this.shares.get(key);
      if (former !== undefined) share.succeed(former);
      this.shares.set(key, share);
    }
    this.prepared.clear();
  }

  /** It does not. */
  discard(): void {
    this.prepared.clear();
  }

  /**
   * With what the worker begins, by the ledger. Of a limit in which it had a share before, the ledger's number may be older
   * than what it gave back meanwhile: that one is left alone.
   */
  set(shares: Iterable<readonly [key: string, granted: number]>): void {
    for (const [key, granted] of shares) {
      const share = this.shares.get(key);
      if (share === undefined) this.channel.giveUnasked(key, granted);
      else share.join(granted);
    }
  }

  /** `settled`: what this worker owes of it is not wanted any more. */
  onGrant(key: string, count: number, settled: boolean): void {
    const share = this.shares.get(key);
    if (share !== undefined) share.onGrant(count, settled);
    else if (count > 0) this.channel.giveUnasked(key, count);
  }

  /** `owed`: what is in use is to be given back as it leaves. */
  onRecall(key: string, count: number, owed: boolean): void {
    const share = this.shares.get(key);
    if (share === undefined) this.channel.give(key, 0);
    else share.onRecall(count, owed);
  }

  /** Forgets the limits that `keeps` refuses. */
  retain(keeps: (key: string) => boolean): void {
    for (const [key, share] of this.shares) {
      if (keeps(key)) continue;
      this.shares.delete(key);
      share.end();
    }
  }
}
