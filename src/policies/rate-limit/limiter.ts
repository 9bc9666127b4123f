/** One use of the policy: which limits a request is held to, by what key, and at what cost. */
import type { Clock } from '../../base/clock.ts';
import { formatDuration } from '../../base/duration.ts';
import { MOST_UNITS, type TierConfig } from '../../config/access-schema.ts';
import type { AccessConfig } from '../../config/policy-schemas.ts';
import type { FixedLine } from '../../http/header-edits.ts';
import type { CellFamily } from '../../observability/metrics/registry.ts';
import { compileExpression } from '../../pipeline/expression.ts';
import type { PolicyExchange, PolicyPlace } from '../../pipeline/policy.ts';
import { createRequestKey, type RequestKey } from '../../pipeline/request-key.ts';
import type { LimitRule, Take } from '../../state/limits/limits.ts';
import { policyLine } from './fields.ts';
import { Measure } from './measure.ts';
import { BUCKETS, type RateLimitOptions } from './schema.ts';

const DAY = 86_400_000;

/** The usual length of a month. */
const MONTH = 30 * DAY;

/** Limits that a request is held to together: that of the options, or those of a tier. */
export interface Plan {
  readonly measures: readonly Measure[];
  /** Their `RateLimit-Policy`. */
  readonly policy: FixedLine;
}

export interface LimiterDeps {
  readonly place: PolicyPlace;
  readonly config: AccessConfig;
  readonly clock: Clock;
  readonly decisions: CellFamily;
  /** Makes a name unique in the list. */
  readonly nameFor: (wanted: string) => string;
}

type Cost = (exchange: PolicyExchange) => number;

export class Limiter {
  readonly options: RateLimitOptions;
  private readonly key: RequestKey;
  private readonly cost: number | Cost;
  private readonly plan: Plan;
  private readonly tiers: ReadonlyMap<string, Plan> | null;

  constructor(options: RateLimitOptions, deps: LimiterDeps) {
    this.options = options;
    this.key = createRequestKey(options.key, deps.clock);
    this.cost = costOf(options.cost, deps.clock);
    const plans = plansOf(options, deps);
    this.tiers = options.tiers === undefined ? null : plans;
    const plan = plans.get(options.tiers?.default ?? '');
    if (plan === undefined) throw new Error(`there is no tier ${options.tiers?.default}`);
    this.plan = plan;
  }

  private planFor({ identity }: PolicyExchange): Plan {
    if (this.tiers === null || identity === null || identity.tier === null) return this.plan;
    // Whoever issues tokens may know more tiers than this gateway.
    return this.tiers.get(identity.tier) ?? this.plan;
  }

  /** Adds what the request is to take; answers of what. */
  addTakes(exchange: PolicyExchange, takes: Take[]): Plan {
    const plan = this.planFor(exchange);
    const key = this.key.of(exchange);
    const cost = typeof this.cost === 'number' ? this.cost : this.cost(exchange);
    const shadow = this.options.mode === 'shadow';
    for (let i = 0; i < plan.measures.length; i++) takes.push({ rule: plan.measures[i].rule, key, cost, shadow });
    return plan;
  }

  /** For people. */
  get words(): string {
    const { options } = this;
    const what =
      options.tiers === undefined
        ? amountOf(this.plan.measures[0].rule)
        : `the tier of who calls, by default ${options.tiers.default}`;
    return `${what}, ${this.key.words}${options.mode === 'shadow' ? ', refuses nobody' : ''}`;
  }
}

function amountOf({ algorithm, limit, period, burst }: LimitRule): string {
  return `${limit} in ${formatDuration(period)}${burst === limit ? '' : `, ${burst} at once`} (${algorithm})`;
}

function plansOf(options: RateLimitOptions, deps: LimiterDeps): Map<string, Plan> {
  const { limit, per: period, algorithm, tiers, name } = options;
  const plans = new Map<string, Plan>();
  if (tiers === undefined) {
    const burst = BUCKETS.includes(algorithm) ? options.burst : undefined;
    const own = deps.nameFor(name ?? 'default');
    const rule = { id: idOf(own, deps), algorithm, limit: limit as number, period, burst: burst ?? (limit as number) };
    plans.set('', planOf([new Measure(rule, own, 'rate', '', options, deps.decisions)]));
    return plans;
  }
  for (const [tier, config] of Object.entries(deps.config.tiers)) {
    const own = deps.nameFor(name === undefined ? tier : `${name}-${tier}`);
    plans.set(tier, planOf(measuresOf(tier, config, own, options, deps)));
  }
  return plans;
}

function measuresOf(
  tier: string,
  { rate: limit, per: period, burst = limit, quotas }: TierConfig,
  name: string,
  options: RateLimitOptions,
  deps: LimiterDeps,
): Measure[] {
  const { decisions } = deps;
  const rate = { id: idOf(name, deps), algorithm: 'token-bucket', limit, period, burst } as const;
  const measures = [new Measure(rate, name, 'rate', tier, options, decisions)];
  for (const kind of ['day', 'month'] as const) {
    const quota = quotas[kind];
    if (quota === undefined) continue;
    const own = `${name}-${kind}`;
    const window = { algorithm: 'fixed-window', calendar: kind, period: kind === 'day' ? DAY : MONTH } as const;
    const rule = { id: idOf(own, deps), ...window, limit: quota, burst: quota };
    measures.push(new Measure(rule, own, kind, tier, options, decisions));
  }
  return measures;
}

function planOf(measures: readonly Measure[]): Plan {
  return { measures, policy: policyLine(measures) };
}

/** The same in the next generation and on other gateways. */
function idOf(name: string, { place }: LimiterDeps): string {
  return `${place.scope}/${place.name}/${name}`;
}

function costOf(cost: RateLimitOptions['cost'], clock: Clock): number | Cost {
  if (typeof cost === 'number') return cost;
  if ('header' in cost) {
    const name = cost.header.toLowerCase();
    return (exchange) => statedCost(exchange.header(name));
  }
  const expression = compileExpression(cost.expression, 'number');
  return (exchange) => {
    const value = expression.number(exchange, clock);
    return value === null ? 1 : Math.min(MOST_UNITS, Math.max(0, Math.ceil(value)));
  };
}

/** A header may be the client's own word: it cannot make a request cost nothing, and what is no number costs as usual. */
function statedCost(text: string | undefined): number {
  if (text === undefined || text.length === 0) return 1;
  let cost = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return 1;
    // No limit has more than that.
    cost = Math.min(MOST_UNITS, cost * 10 + digit);
  }
  return Math.max(1, cost);
}
