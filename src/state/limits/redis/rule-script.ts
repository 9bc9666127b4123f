/** Which script counts for a rule, and what it is told of it. */
import type { LimitRule } from '../limits.ts';
import { ticksOf } from '../token-bucket.ts';
import type { Script } from './script-server.ts';
import { FIXED_WINDOW, SLIDING_LOG, SLIDING_WINDOW, TOKEN_BUCKET } from './scripts.ts';

export interface RuleScript {
  readonly script: Script;
  /** Ends the keys of its states: none reads those of another. */
  readonly form: string;
  /** The numbers of the rule. */
  readonly numbers: readonly string[];
}

/** Made once for each rule. */
export function createRuleScript(rule: LimitRule): RuleScript {
  const { limit, period, burst } = rule;
  switch (rule.algorithm) {
    case 'token-bucket':
    case 'gcra': {
      const [perMs, perUnit] = ticksOf(limit, period, burst);
      return { script: TOKEN_BUCKET, form: ':b', numbers: texts(perMs, perUnit, burst) };
    }
    case 'fixed-window':
      return { script: FIXED_WINDOW, form: ':f', numbers: [...texts(limit, period), rule.calendar ?? ''] };
    case 'sliding-window':
      return { script: SLIDING_WINDOW, form: ':w', numbers: texts(limit, period) };
    case 'sliding-log':
      return { script: SLIDING_LOG, form: ':l', numbers: texts(limit, period) };
  }
}

function texts(...numbers: readonly number[]): string[] {
  return numbers.map(String);
}
