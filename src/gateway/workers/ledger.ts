/** The supervisor's account of limits that all workers share: how much of each one is granted to whom. */

/** What the ledger says to a worker. */
export interface LedgerWorker {
  /** Its share of `key` has grown by `count`; 0 says that nothing is to be had. `settled`: what it owes is not wanted any more. */
  grant(key: string, count: number, settled: boolean): void;
  /**
   * It should give back up to `count` that it does not use, and say how many by `onGiven`. Where they are `owed`, because the
   * limit has sunk, it gives the others back as they leave, by `onReturned`.
   */
  recall(key: string, count: number, owed: boolean): void;
}

interface Account {
  limit: number;
  readonly granted: Map<LedgerWorker, number>;
  /** Who has asked and was not answered, in order; `recalled` when the others were asked on its behalf. */
  readonly waiting: { readonly worker: LedgerWorker; recalled: boolean }[];
  /** Who was asked to give back and has not answered. */
  readonly recalled: Set<LedgerWorker>;
}

export class Ledger {
  private readonly accounts = new Map<string, Account>();
  /** They are asked for nothing: whoever waits would wait for them. */
  private readonly silent = new Set<LedgerWorker>();
  /** How many workers there are to be: each begins with that part of a limit. */
  private parts: number;

  constructor(parts: number) {
    this.parts = parts;
  }

  /** There are to be more workers, or fewer: asks those that have more than their part of more to give the rest back. */
  setParts(parts: number): void {
    const grows = parts > this.parts;
    this.parts = parts;
    if (!grows) return;
    for (const [key, account] of this.accounts) {
      const part = Math.floor(account.limit / parts);
      for (const [worker, granted] of account.granted) {
        if (granted <= part || account.recalled.has(worker)) continue;
        account.recalled.add(worker);
        worker.recall(key, granted - part, false);
      }
    }
  }

  /** Sets a limit. One that sinks takes effect as workers give back. */
  setLimit(key: string, limit: number): void {
    const account = this.accounts.get(key);
    if (account === undefined) {
      this.accounts.set(key, { limit, granted: new Map(), waiting: [], recalled: new Set() });
      return;
    }
    account.limit = limit;
    if (this.sum(account) > limit) this.sink(key, account);
    else this.serve(key, account);
  }

  /** Of a limit that has sunk nobody keeps any for later: whoever comes is asked for, until it is met again. */
  private sink(key: string, { granted: shares, recalled }: Account): void {
    for (const [worker, granted] of shares) {
      if (granted === 0) continue;
      recalled.add(worker);
      worker.recall(key, granted, true);
    }
  }

  /** Forgets the limits that `keeps` refuses. */
  retain(keeps: (key: string) => boolean): void {
    for (const key of this.accounts.keys()) if (!keeps(key)) this.accounts.delete(key);
  }

  /** The shares of a worker, those with which it begins where it has none yet; it is not told by `grant`. */
  join(worker: LedgerWorker): Map<string, number> {
    const shares = new Map<string, number>();
    for (const [key, account] of this.accounts) {
      shares.set(key, account.granted.get(worker) ?? this.firstShare(account, worker));
    }
    return shares;
  }

  private firstShare(account: Account, worker: LedgerWorker): number {
    const share = Math.max(0, Math.min(Math.floor(account.limit / this.parts), account.limit - this.sum(account)));
    account.granted.set(worker, share);
    return share;
  }

  /** The worker is no more: what it had is free. */
  leave(worker: LedgerWorker): void {
    this.silent.delete(worker);
    for (const [key, account] of this.accounts) {
      account.granted.delete(worker);
      account.recalled.delete(worker);
      account.waiting.splice(0, Infinity, ...account.waiting.filter((asking) => asking.worker !== worker));
      this.serve(key, account);
    }
  }

  /** A worker does not answer, until `onHeard`: others do not wait for what it may have to spare. */
  onSilent(worker: LedgerWorker): void {
    this.silent.add(worker);
    for (const [key, account] of this.accounts) if (account.recalled.delete(worker)) this.serve(key, account);
  }

  onHeard(worker: LedgerWorker): void {
    this.silent.delete(worker);
  }

  /** A worker has used up its share and wants more. It is answered by `grant`. */
  onAsk(worker: LedgerWorker, key: string): void {
    const account = this.accounts.get(key);
    // What a worker said may be read after its end: what it would be given then, nobody would give back.
    if (account === undefined || !account.granted.has(worker)) return worker.grant(key, 0, true);
    account.waiting.push({ worker, recalled: false });
    this.serve(key, account);
  }

  /** A worker answers that it should give back. */
  onGiven(worker: LedgerWorker, key: string, count: number): void {
    this.accounts.get(key)?.recalled.delete(worker);
    this.onReturned(worker, key, count);
  }

  /** A worker has given back by itself. */
  onReturned(worker: LedgerWorker, key: string, count: number): void {
    const account = this.accounts.get(key);
    const granted = account?.granted.get(worker);
    if (account === undefined || granted === undefined) return;
    account.granted.set(worker, Math.max(0, granted - count));
    this.serve(key, account);
  }

  /** Gives out what is free; where nothing is, asks the others, and when they have answered, says no. */
  private serve(key: string, account: Account): void {
    while (account.waiting.length > 0) {
      const free = account.limit - this.sum(account);
      const asking = account.waiting[0];
      const { worker } = asking;
      if (free > 0) {
        account.waiting.shift();
        const count = Math.min(free, this.stepOf(account));
        account.granted.set(worker, (account.granted.get(worker) ?? 0) + count);
        worker.grant(key, count, true);
        continue;
      }
      if (account.recalled.size > 0) return;
      if (!asking.recalled) {
        asking.recalled = true;
        if (this.recall(key, account, worker, this.stepOf(account))) return;
      }
      account.waiting.shift();
      worker.grant(key, 0, free >= 0);
    }
  }

  /** False when nobody else has any. */
  private recall(key: string, account: Account, forWhom: LedgerWorker, count: number): boolean {
    for (const [worker, granted] of account.granted) {
      if (worker === forWhom || granted === 0 || account.recalled.has(worker) || this.silent.has(worker)) continue;
      account.recalled.add(worker);
    }
    const recalled = [...account.recalled];
    for (const worker of recalled) worker.recall(key, count, false);
    return recalled.length > 0;
  }

  /** Shares move in steps, so that a busy worker need not ask for each request. */
  private stepOf(account: Account): number {
    return Math.max(1, Math.floor(account.limit / (this.parts * 8)));
  }

  private sum(account: Account): number {
    let sum = 0;
    for (const granted of account.granted.values()) sum += granted;
    return sum;
  }
}
