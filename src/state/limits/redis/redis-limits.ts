/** Limits in Redis or Valkey: each key by one atomic script, those of a request in one round trip. */

import type { SharedStore } from '../guarded-limits.ts';
import type { Decision, LimitRule, Standing, Take } from '../limits.ts';
import { createRuleScript, type RuleScript } from './rule-script.ts';
import { scriptKey } from './script-key.ts';
import type { ScriptServer } from './script-server.ts';
import { createScript } from './script-server.ts';

/** What a script said of one take. */
interface Charge {
  readonly standing: Standing;
  /** The mark to undo it by; null where nothing was charged. */
  readonly mark: string | null;
  /** How it stands when it is undone. */
  readonly undone: Standing;
}

/** A decision that can be taken back. */
interface ChargedDecision extends Decision {
  readonly charges: readonly Charge[];
}

/** Writes, since a server that only reads is none for us. The key goes by itself. */
const PROBE = createScript(`return redis.call('SET', KEYS[1], '1', 'PX', '1000')`);
const PROBE_KEY = 'portico:{probe}';

export class RedisLimits implements SharedStore {
  private readonly server: ScriptServer;
  private readonly time: () => string;
  private readonly scripts = new WeakMap<LimitRule, RuleScript>();

  /** `time` is for tests: whole milliseconds since the epoch, or empty for the time of the server. */
  constructor(server: ScriptServer, time: () => string = () => '') {
    this.server = server;
    this.time = time;
  }

  get ready(): boolean {
    return this.server.ready;
  }

  async take(takes: readonly Take[]): Promise<ChargedDecision> {
    if (takes.length === 1) return decide(takes, [await this.run('take', takes[0])]);
    const outcomes = await Promise.allSettled(takes.map((take) => this.run('take', take)));
    const charges: Charge[] = [];
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') charges.push(outcome.value);
    if (charges.length === takes.length) {
      const decision = decide(takes, charges);
      if (!decision.allowed) this.giveBack(takes, charges);
      return decision;
    }
    // One node of a cluster may answer and another not.
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'fulfilled') this.giveBack([takes[index]], [outcome.value]);
    });
    throw outcomes.find((outcome) => outcome.status === 'rejected')?.reason;
  }

  undo(takes: readonly Take[], decision: Decision): void {
    this.giveBack(takes, (decision as ChargedDecision).charges);
  }

  /** Charges what was granted already, and answers how that limit stands. */
  async force(take: Take): Promise<Standing> {
    return (await this.run('force', take)).standing;
  }

  async probe(): Promise<void> {
    await this.server.run(PROBE, PROBE_KEY, []);
  }

  /** Limits in shadow mode keep what they took: each is for itself. */
  private giveBack(takes: readonly Take[], charges: readonly Charge[]): void {
    takes.forEach((take, index) => {
      const { mark } = charges[index];
      // Where it is not given back it comes back with time.
      if (mark !== null && !take.shadow) this.send('undo', take, mark).catch(() => {});
    });
  }

  private async run(wanted: 'take' | 'force', take: Take): Promise<Charge> {
    return parseCharge(await this.send(wanted, take, ''), take, wanted);
  }

  private send(wanted: 'take' | 'force' | 'undo', { rule, key, cost }: Take, mark: string): Promise<unknown> {
    let known = this.scripts.get(rule);
    if (known === undefined) {
      known = createRuleScript(rule);
      this.scripts.set(rule, known);
    }
    const { script, form, numbers } = known;
    return this.server.run(script, scriptKey(rule.id, key, form), [
      wanted,
      String(cost),
      this.time(),
      mark,
      ...numbers,
    ]);
  }
}

function decide(takes: readonly Take[], charges: readonly Charge[]): ChargedDecision {
  const allowed = takes.every(({ shadow }, index) => shadow || charges[index].standing.allowed);
  const standings = charges.map(({ standing, undone }, index) => (allowed || takes[index].shadow ? standing : undone));
  return { allowed, standings, degraded: false, charges };
}

/** Throws for what no script of ours answers. */
function parseCharge(answer: unknown, { cost }: Take, wanted: 'take' | 'force'): Charge {
  if (!Array.isArray(answer) || answer.length !== 7 || !answer.every(Number.isSafeInteger)) {
    throw new Error('the store answered what no limit does');
  }
  const [fits, remaining, resetAfter, retry, mark, remainingBefore, resetBefore] = answer as number[];
  const allowed = fits === 1;
  const retryAfter = retry < 0 ? Number.POSITIVE_INFINITY : retry;
  return {
    standing: { allowed, remaining, resetAfter, retryAfter },
    mark: cost > 0 && (allowed || wanted === 'force') ? String(mark) : null,
    undone: { allowed, remaining: remainingBefore, resetAfter: resetBefore, retryAfter },
  };
}
