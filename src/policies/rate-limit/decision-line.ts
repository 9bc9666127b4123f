/** The limits of one list, asked for each request: store by store, and told of as one. */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { FixedLine } from '../../http/header-edits.ts';
import { LineRate } from '../../observability/line-rate.ts';
import type { PolicyExchange, Reply } from '../../pipeline/policy.ts';
import type { Decision, Limits, Take } from '../../state/limits/limits.ts';
import { type Tally, tellClient } from './fields.ts';
import type { Limiter } from './limiter.ts';
import type { Measure } from './measure.ts';
import { refusalOf } from './refusal.ts';

/** Lines a second about requests that a limit in shadow would refuse. */
const SHADOW_LINES = 10;

/** Limits whose store is one: they are decided as one. */
export interface LimitGroup {
  readonly limits: Limits;
  readonly limiters: Limiter[];
}

/** What a group is asked. */
interface Question {
  readonly takes: Take[];
  readonly measures: readonly Measure[];
  readonly policy: FixedLine | null;
}

type Outcome = Reply | undefined | Promise<Reply | undefined>;

/** Synchronous as long as the stores are: a request without one that must be waited for creates no promise. */
export class DecisionLine {
  private readonly groups: readonly LimitGroup[];
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly shadowLines = new LineRate(SHADOW_LINES);

  constructor(groups: readonly LimitGroup[], clock: Clock, logger: Logger) {
    this.groups = groups;
    this.clock = clock;
    this.logger = logger;
  }

  /** Undefined where all groups, from `from` on, have enough. `before` is what those before said. */
  decide(exchange: PolicyExchange, from = 0, before: Tally | null = null): Outcome {
    const { limits, limiters } = this.groups[from];
    const asked = before === null ? this.clock.wall() : before.asked;
    const question = questionOf(limiters, exchange);
    const decision = limits.take(question.takes);
    if (!(decision instanceof Promise)) return this.settle(exchange, from, before, asked, question, decision);
    return decision.then((later) => this.settle(exchange, from, before, asked, question, later));
  }

  private settle(
    exchange: PolicyExchange,
    from: number,
    before: Tally | null,
    asked: number,
    { measures, policy }: Question,
    { allowed, standings }: Decision,
  ): Outcome {
    const own: Tally = { measures, standings, asked, policy };
    this.count(exchange, own, allowed);
    const tally = before === null ? own : joined(before, own);
    if (allowed && from + 1 < this.groups.length) return this.decide(exchange, from + 1, tally);
    tellClient(exchange.responseEdits, tally);
    return allowed ? undefined : refusalOf(tally);
  }

  private count(exchange: PolicyExchange, { measures, standings }: Tally, granted: boolean): void {
    const route = exchange.routeName;
    for (let i = 0; i < standings.length; i++) {
      const measure = measures[i];
      const counters = measure.of(route);
      if (standings[i].allowed) {
        // What had enough was charged only where all had.
        if (granted || measure.shadow) counters.allowed.value++;
      } else if (!measure.shadow) counters.refused.value++;
      else {
        counters.shadowRefused.value++;
        if (this.logger.level === 'info' || this.logger.level === 'debug') this.logShadow(exchange, measure);
      }
    }
  }

  /** Without the key: that may be a credential. The metric counts them all. */
  private logShadow({ requestId, routeName, clientAddress }: PolicyExchange, { name }: Measure): void {
    if (!this.shadowLines.allows(this.clock.now())) return;
    const { suppressed } = this.shadowLines;
    const fields = { request_id: requestId, route: routeName, client: clientAddress, limit: name };
    this.logger.info('a limit in shadow would refuse', suppressed === 0 ? fields : { ...fields, suppressed });
  }
}

function questionOf(limiters: readonly Limiter[], exchange: PolicyExchange): Question {
  const takes: Take[] = [];
  if (limiters.length === 1) {
    const { measures, policy } = limiters[0].addTakes(exchange, takes);
    return { takes, measures, policy };
  }
  const measures: Measure[] = [];
  for (let i = 0; i < limiters.length; i++) {
    const plan = limiters[i].addTakes(exchange, takes);
    for (let m = 0; m < plan.measures.length; m++) measures.push(plan.measures[m]);
  }
  return { takes, measures, policy: null };
}

function joined(one: Tally, other: Tally): Tally {
  return {
    measures: [...one.measures, ...other.measures],
    standings: [...one.standings, ...other.standings],
    asked: one.asked,
    policy: null,
  };
}
