/** What one process knows of one limit of somebody, between two reports to the store that all share. */
import { Calendar } from './calendar.ts';
import type { LimitRule, Standing } from './limits.ts';

/** All times are milliseconds since the epoch. */
export class BatchedCount {
  readonly rule: LimitRule;
  readonly key: string;
  /** Units granted here that the store was not told of. */
  spent = 0;
  /** Waits for the next report. */
  isListed = false;
  /** Was asked and has not answered. */
  isAsked = false;
  /** The store was asked once. */
  wasAsked = false;
  /** Before then the store would refuse a unit more, as far as it has said. */
  retryAt = 0;
  /** Units that the store was told of, without an answer yet. */
  private told = 0;
  /** Units that were left at the time `at`; of buckets with a fraction. */
  private left: number;
  private at = 0;
  /** When all are left again. */
  private resetAt = 0;
  private readonly most: number;
  /** Milliseconds in which a bucket gets a unit; 0 for windows, of which only the store knows what leaves them when. */
  private readonly fillsIn: number;

  constructor(rule: LimitRule, key: string) {
    const isBucket = rule.algorithm === 'token-bucket' || rule.algorithm === 'gcra';
    this.rule = rule;
    this.key = key;
    this.most = isBucket ? rule.burst : rule.limit;
    this.fillsIn = isBucket ? rule.period / rule.limit : 0;
    this.left = this.most;
  }

  /** True where `cost` units are left, as far as is known here. */
  has(cost: number, now: number): boolean {
    return cost <= this.available(now);
  }

  spend(cost: number, now: number): void {
    const available = this.available(now);
    if (now >= this.resetAt) this.resetAt = this.endOf(now);
    this.left = available - cost;
    this.at = now;
    this.spent += cost;
    if (this.fillsIn > 0) this.resetAt = now + (this.most - this.left) * this.fillsIn;
  }

  /** True where the store knows all of it, and nothing is taken. */
  isFresh(now: number): boolean {
    return !this.isListed && !this.isAsked && this.spent === 0 && now >= this.resetAt;
  }

  /** How it stands when `cost` was granted or not. */
  standing(cost: number, allowed: boolean, now: number): Standing {
    const available = this.available(now);
    return {
      allowed,
      remaining: Math.max(0, Math.floor(available)),
      resetAfter: Math.max(0, Math.ceil(this.resetAt - now)),
      retryAfter: allowed ? 0 : cost > this.most ? Number.POSITIVE_INFINITY : this.wait(cost - available, now),
    };
  }

  /** What the store is told now. */
  ask(): number {
    this.isAsked = true;
    this.wasAsked = true;
    this.told = this.spent;
    this.spent = 0;
    return this.told;
  }

  /** What the store said to what it was asked at `askedAt`. What was granted meanwhile it does not know. */
  onAnswer({ remaining, resetAfter, retryAfter }: Standing, askedAt: number, now: number): void {
    const filled = this.fillsIn > 0 ? Math.max(0, now - askedAt) / this.fillsIn : 0;
    this.isAsked = false;
    this.told = 0;
    this.left = Math.min(this.most, remaining + filled) - this.spent;
    this.at = now;
    this.resetAt = askedAt + resetAfter;
    this.retryAt = askedAt + retryAfter;
  }

  /** What was told may have been charged or not: to say it again may refuse too much, and never grants too much. */
  onFailure(): void {
    this.isAsked = false;
    this.spent += this.told;
    this.told = 0;
  }

  private available(now: number): number {
    if (now >= this.resetAt) return this.most;
    if (this.fillsIn === 0) return this.left;
    return Math.min(this.most, this.left + Math.max(0, now - this.at) / this.fillsIn);
  }

  private wait(missing: number, now: number): number {
    const here =
      this.fillsIn > 0 ? missing * this.fillsIn : this.rule.algorithm === 'fixed-window' ? this.resetAt - now : 0;
    return Math.max(1, Math.ceil(here), Math.ceil(this.retryAt - now));
  }

  /** When a window that begins now is over, as far as can be told here. */
  private endOf(now: number): number {
    const { rule } = this;
    if (rule.algorithm !== 'fixed-window') return now + (rule.algorithm === 'sliding-window' ? 2 : 1) * rule.period;
    const calendar = new Calendar(rule);
    calendar.turnTo(Math.floor(now));
    return calendar.end;
  }
}
