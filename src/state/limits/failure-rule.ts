/** What becomes of a request while the shared store cannot be asked: `onStoreFailure`. */
import type { Decision, Limits, OnStoreFailure, Standing, Take } from './limits.ts';

export interface FailureRuleDeps {
  readonly onStoreFailure: OnStoreFailure;
  /** Who decides where the rule is `local`. */
  readonly local: Limits;
  /** Told of each decision. */
  readonly onDegraded: () => void;
}

/** Its decisions are `degraded`. One that refuses although every limit allows is that of a store that fails `closed`. */
export class FailureRule implements Limits {
  private readonly deps: FailureRuleDeps;

  constructor(deps: FailureRuleDeps) {
    this.deps = deps;
  }

  take(takes: readonly Take[]): Decision | Promise<Decision> {
    const { onStoreFailure, local, onDegraded } = this.deps;
    onDegraded();
    if (onStoreFailure !== 'local') return undecided(takes, onStoreFailure === 'open');
    const decision = local.take(takes);
    return decision instanceof Promise ? decision.then(degraded) : degraded(decision);
  }
}

function degraded({ allowed, standings }: Decision): Decision {
  return { allowed, standings, degraded: true };
}

/** Where nobody counted. Only limits that are enforced can refuse. */
function undecided(takes: readonly Take[], open: boolean): Decision {
  const standings: Standing[] = [];
  let allowed = true;
  for (const { rule, shadow } of takes) {
    standings.push({ allowed: true, remaining: rule.limit, resetAfter: 0, retryAfter: 0 });
    if (!open && !shadow) allowed = false;
  }
  return { allowed, standings, degraded: true };
}
