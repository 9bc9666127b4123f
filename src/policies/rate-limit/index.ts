/** `rateLimit`: how much may be asked for in a time. All uses of one list are decided together. */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { AccessConfig, PolicyProblem } from '../../config/policy-schemas.ts';
import {
  definePolicy,
  type PolicyExchange,
  type PolicyHooks,
  type PolicyServices,
  type Reply,
} from '../../pipeline/policy.ts';
import type { Decision, Limits, LimitsOptions, Take } from '../../state/limits/limits.ts';
import { type Tally, tellClient } from './fields.ts';
import { Limiter } from './limiter.ts';
import type { Measure } from './measure.ts';
import { refusalOf } from './refusal.ts';
import { BUCKETS, type RateLimitOptions, rateLimitSchema } from './schema.ts';

export const rateLimit = definePolicy({
  name: 'rateLimit',
  phase: 'meter',
  schema: rateLimitSchema,
  check: problemsOf,
  create: (options: RateLimitOptions, services) => createHooks([options], services),
  createAll: createHooks,
});

function problemsOf(options: RateLimitOptions, { tiers: known }: AccessConfig): PolicyProblem[] {
  const { tiers, algorithm, burst, store, sync, onStoreFailure } = options;
  const problems: PolicyProblem[] = [];
  const idle = (key: string, message: string): void => {
    problems.push({ severity: 'warning', code: 'no_effect', path: [key], message });
  };
  if (tiers !== undefined && !Object.hasOwn(known, tiers.default)) {
    const message = 'no tier has this name';
    problems.push({
      severity: 'error',
      code: 'unknown_tier',
      path: ['tiers', 'default'],
      message,
      known: Object.keys(known),
    });
  }
  if (burst !== undefined && tiers !== undefined) idle('burst', 'the tier says how many at once');
  else if (burst !== undefined && !BUCKETS.includes(algorithm)) idle('burst', `\`${algorithm}\` has none`);
  if (store === 'local' && sync === 'batched') idle('sync', 'a limit of this gateway alone is always exact');
  if (store === 'local' && onStoreFailure !== 'local')
    idle('onStoreFailure', 'this gateway’s own memory does not fail');
  return problems;
}

function createHooks(list: readonly RateLimitOptions[], services: PolicyServices): PolicyHooks {
  const { place, config, clock, logger, state, metrics } = services;
  const taken = new Set<string>();
  const nameFor = (wanted: string): string => {
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}-${n}`;
    taken.add(name);
    return name;
  };
  const deps = { place, config, clock, decisions: metrics.limitDecisions, nameFor };
  const groups = new Map<string, Group>();
  const limiters = list.map((options) => new Limiter(options, deps));
  for (const limiter of limiters) {
    const { store, onStoreFailure, storeTimeout, sync } = limiter.options;
    const wanted: LimitsOptions = { store, onStoreFailure, storeTimeout, sync };
    const key = JSON.stringify(wanted);
    const group = groups.get(key) ?? { limits: state.limits(wanted), limiters: [] };
    group.limiters.push(limiter);
    groups.set(key, group);
  }
  const line = new Line([...groups.values()], clock, logger);
  return {
    effect: `grants ${limiters.map(({ words }) => words).join('; ')}`,
    onRequest: (exchange) => line.decide(exchange, 0, null),
  };
}

/** Limits whose store is one: they are decided as one. */
interface Group {
  readonly limits: Limits;
  readonly limiters: Limiter[];
}

/** Synchronous as long as the stores are: a request without one that must be waited for creates no promise. */
class Line {
  private readonly groups: readonly Group[];
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(groups: readonly Group[], clock: Clock, logger: Logger) {
    this.groups = groups;
    this.clock = clock;
    this.logger = logger;
  }

  decide(exchange: PolicyExchange, from: number, before: Tally | null): Reply | undefined | Promise<Reply | undefined> {
    const { limits, limiters } = this.groups[from];
    const asked = before === null ? this.clock.wall() : before.asked;
    const takes: Take[] = [];
    const measures: Measure[] = [];
    for (let i = 0; i < limiters.length; i++) {
      const plan = limiters[i].planFor(exchange);
      limiters[i].addTakes(plan, exchange, takes);
      for (let m = 0; m < plan.length; m++) measures.push(plan[m]);
    }
    const decision = limits.take(takes);
    if (!(decision instanceof Promise)) return this.settle(exchange, from, before, measures, asked, decision);
    return decision.then((later) => this.settle(exchange, from, before, measures, asked, later));
  }

  private settle(
    exchange: PolicyExchange,
    from: number,
    before: Tally | null,
    measures: readonly Measure[],
    asked: number,
    { allowed, standings }: Decision,
  ): Reply | undefined | Promise<Reply | undefined> {
    const own: Tally = { measures, standings, asked };
    this.count(exchange, own, allowed);
    const tally = before === null ? own : joined(before, own);
    if (allowed && from + 1 < this.groups.length) return this.decide(exchange, from + 1, tally);
    tellClient(exchange.responseEdits, tally);
    return allowed ? undefined : refusalOf(tally);
  }

  private count(exchange: PolicyExchange, { measures, standings }: Tally, granted: boolean): void {
    const route = exchange.routeName;
    for (let i = 0; i < standings.length; i++) {
      const { shadow, name } = measures[i];
      const counters = measures[i].of(route);
      if (standings[i].allowed) {
        // What had enough was charged only where all had.
        if (granted || shadow) counters.allowed.value++;
      } else if (!shadow) counters.refused.value++;
      else {
        counters.shadowRefused.value++;
        if (this.logger.level !== 'debug') continue;
        const { requestId, clientAddress } = exchange;
        this.logger.debug('a limit in shadow would refuse', {
          request_id: requestId,
          route,
          client: clientAddress,
          limit: name,
        });
      }
    }
  }
}

function joined(one: Tally, other: Tally): Tally {
  return {
    measures: [...one.measures, ...other.measures],
    standings: [...one.standings, ...other.standings],
    asked: one.asked,
  };
}
