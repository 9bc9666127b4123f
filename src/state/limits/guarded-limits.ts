/** Limits of a shared store, which are decided in time whatever becomes of the store. */
import type { Clock, Timers } from '../../base/clock.ts';
import type { Decision, Limits, Take } from './limits.ts';
import type { StoreWatch } from './store-watch.ts';
import { type Due, TakeDeadlines } from './take-deadlines.ts';

/** A store that others use, too: it may be slow, refuse, or be gone. */
export interface SharedStore {
  /** False where to ask would be in vain. */
  readonly ready: boolean;
  /** Rejects where it cannot say. */
  take(takes: readonly Take[]): Promise<Decision>;
  /** Gives back what was charged by a decision of `take` that came too late. */
  undo(takes: readonly Take[], decision: Decision): void;
}

export interface GuardedLimitsDeps {
  readonly store: SharedStore;
  readonly watch: StoreWatch;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Milliseconds for one decision. */
  readonly storeTimeout: number;
  /** Decides in the store's place. */
  readonly instead: Limits;
}

export class GuardedLimits implements Limits {
  private readonly deps: GuardedLimitsDeps;
  private readonly deadlines: TakeDeadlines;

  constructor(deps: GuardedLimitsDeps) {
    this.deps = deps;
    this.deadlines = new TakeDeadlines(deps.clock, deps.timers, deps.storeTimeout);
  }

  take(takes: readonly Take[]): Decision | Promise<Decision> {
    const { watch, store } = this.deps;
    if (!watch.usable || !store.ready) return this.deps.instead.take(takes);
    return new Promise((resolve) => {
      const asked = new Asked(this, takes, resolve);
      this.deadlines.add(asked);
      store.take(takes).then(
        (decision) => asked.onDecision(decision),
        (error: Error) => asked.onRefusal(error),
      );
    });
  }

  onAnswered(): void {
    this.deps.watch.onSuccess();
  }

  /** What the rule says in place of a store that did not answer. */
  onFailed(takes: readonly Take[], reason: string): Decision | Promise<Decision> {
    this.deps.watch.onFailure(reason);
    return this.deps.instead.take(takes);
  }

  undo(takes: readonly Take[], decision: Decision): void {
    this.deps.store.undo(takes, decision);
  }
}

/** One question to the store. */
class Asked implements Due {
  settled = false;
  private readonly guard: GuardedLimits;
  private readonly takes: readonly Take[];
  private readonly resolve: (decision: Decision | Promise<Decision>) => void;
  /** How it was decided without the store. */
  private alone: Decision | Promise<Decision> | null = null;

  constructor(guard: GuardedLimits, takes: readonly Take[], resolve: (decision: Decision | Promise<Decision>) => void) {
    this.guard = guard;
    this.takes = takes;
    this.resolve = resolve;
  }

  onDecision(decision: Decision): void {
    this.guard.onAnswered();
    if (this.settled) return void this.onLateDecision(decision);
    this.settled = true;
    this.resolve(decision);
  }

  onRefusal(error: Error): void {
    if (!this.settled) this.fail(error.message);
  }

  onLate(): void {
    this.fail('no answer in time');
  }

  private fail(reason: string): void {
    this.settled = true;
    this.alone = this.guard.onFailed(this.takes, reason);
    this.resolve(this.alone);
  }

  /** The store has charged a request that was refused meanwhile: it gets that back. One that was let through is paid for. */
  private async onLateDecision(late: Decision): Promise<void> {
    const alone = await this.alone;
    if (late.allowed && alone?.allowed === false) this.guard.undo(this.takes, late);
  }
}
