/** Keys that are over their limit: until there is something again a shared store need not be asked about them. */
import type { Clock } from '../../base/clock.ts';
import type { Decision, Limits, Standing, Take } from './limits.ts';

/** How many are remembered; beyond them the oldest are forgotten, and asked for again. */
const MOST_DENIALS = 50_000;
/** Milliseconds that a refusal among several limits is remembered: what another of them made the store give back comes sooner. */
const LONGEST_AMONG_SEVERAL = 100;

interface Denial {
  readonly takes: readonly Take[];
  readonly standings: readonly Standing[];
  /** The limit that refused. */
  readonly place: number;
  /** When the store was asked, and when it will have something again; on the clock. */
  readonly at: number;
  readonly until: number;
}

/** Decides by what is remembered, and else by `limits`. */
export class DenialMemory implements Limits {
  private readonly limits: Limits;
  private readonly clock: Clock;
  private readonly denials = new Map<string, Denial>();

  constructor(limits: Limits, clock: Clock) {
    this.limits = limits;
    this.clock = clock;
  }

  get size(): number {
    return this.denials.size;
  }

  take(takes: readonly Take[]): Decision | Promise<Decision> {
    const at = this.clock.now();
    const known = this.denials.size === 0 ? null : this.recall(takes, at);
    if (known !== null) return known;
    const decision = this.limits.take(takes);
    if (!(decision instanceof Promise)) return decision;
    return decision.then((later) => {
      if (!later.allowed && !later.degraded) this.remember(takes, later.standings, at);
      return later;
    });
  }

  private recall(takes: readonly Take[], now: number): Decision | null {
    for (const { rule, key } of takes) {
      const name = nameOf(rule.id, key);
      const denial = this.denials.get(name);
      if (denial === undefined) continue;
      if (now >= denial.until) this.denials.delete(name);
      else if (isCovered(denial, takes)) return decide(denial, now);
    }
    return null;
  }

  private remember(takes: readonly Take[], standings: readonly Standing[], at: number): void {
    let place = -1;
    for (let i = 0; i < takes.length; i++) {
      // Limits in shadow mode count what comes: they have to be asked each time.
      if (takes[i].shadow) return;
      if (standings[i].allowed) continue;
      if (place === -1 || standings[i].retryAfter > standings[place].retryAfter) place = i;
    }
    if (place === -1) return;
    const { retryAfter } = standings[place];
    const isSure = takes.length === 1 || retryAfter === Number.POSITIVE_INFINITY;
    // The store's time is in whole milliseconds, rounded down: it may have been up to one later than it said.
    const until = at + (isSure ? retryAfter : Math.min(retryAfter, LONGEST_AMONG_SEVERAL)) - 1;
    if (until <= this.clock.now()) return;
    const { rule, key } = takes[place];
    const name = nameOf(rule.id, key);
    this.denials.delete(name);
    this.denials.set(name, { takes, standings, place, at, until });
    if (this.denials.size > MOST_DENIALS) this.denials.delete(this.denials.keys().next().value as string);
  }
}

/** True where the store would be asked the same again, or for more. A rule that has changed is another one. */
function isCovered({ takes: before, place }: Denial, takes: readonly Take[]): boolean {
  if (before.length !== takes.length || takes[place].cost < before[place].cost) return false;
  for (let i = 0; i < takes.length; i++) {
    if (takes[i].rule !== before[i].rule || takes[i].key !== before[i].key || takes[i].shadow) return false;
  }
  return true;
}

/** What the store said then, some time later. */
function decide({ standings, at }: Denial, now: number): Decision {
  const passed = Math.floor(now - at);
  const later: Standing[] = [];
  for (const { allowed, remaining, resetAfter, retryAfter } of standings) {
    later.push({
      allowed,
      remaining,
      resetAfter: Math.max(0, resetAfter - passed),
      retryAfter: allowed ? 0 : Math.max(1, retryAfter - passed),
    });
  }
  return { allowed: false, standings: later, degraded: false };
}

function nameOf(ruleId: string, key: string): string {
  return `${ruleId}\n${key}`;
}
