/** The one list of algorithms. */
import type { HeldEvents } from './event-log.ts';
import { FixedWindowMeter } from './fixed-window.ts';
import type { LimitRule } from './limits.ts';
import type { Meter } from './meter.ts';
import { SlidingLogMeter } from './sliding-log.ts';
import { SlidingWindowMeter } from './sliding-window.ts';
import { TokenBucketMeter } from './token-bucket.ts';

/** The meter of a rule. `former` is that of the rule before it, where it had the same algorithm: keys keep what they took. */
export function createMeter(rule: LimitRule, held: HeldEvents, former?: Meter): Meter {
  switch (rule.algorithm) {
    case 'token-bucket':
    case 'gcra':
      return new TokenBucketMeter(rule);
    case 'fixed-window':
      return new FixedWindowMeter(rule);
    case 'sliding-window':
      return new SlidingWindowMeter(rule);
    case 'sliding-log':
      return new SlidingLogMeter(rule, held, former instanceof SlidingLogMeter ? former : undefined);
  }
}
