/** `rateLimit`: how much may be asked for in a time. All uses of one list are decided together. */
import type { AccessConfig, PolicyProblem } from '../../config/policy-schemas.ts';
import { definePolicy, type PolicyHooks, type PolicyServices } from '../../pipeline/policy.ts';
import type { LimitsOptions } from '../../state/limits/limits.ts';
import { DecisionLine, type LimitGroup } from './decision-line.ts';
import { Limiter } from './limiter.ts';
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
  const { tiers, algorithm, limit, burst, cost, per, store, sync, onStoreFailure } = options;
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
  if (tiers !== undefined && per !== 1000) idle('per', 'the tier says in which time');
  if (tiers !== undefined && algorithm !== 'token-bucket') idle('algorithm', 'a tier is a token bucket with quotas');
  if (burst !== undefined && tiers !== undefined) idle('burst', 'the tier says how many at once');
  else if (burst !== undefined && !BUCKETS.includes(algorithm)) idle('burst', `\`${algorithm}\` has none`);
  const most = BUCKETS.includes(algorithm) ? (burst ?? limit) : limit;
  if (tiers === undefined && typeof cost === 'number' && most !== undefined && cost > most)
    idle('cost', `is more than there ever is, ${most}: every request is refused`);
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
  const groups = new Map<string, LimitGroup>();
  const limiters = list.map((options) => new Limiter(options, deps));
  for (const limiter of limiters) {
    const { store, onStoreFailure, storeTimeout, sync } = limiter.options;
    const wanted: LimitsOptions = { store, onStoreFailure, storeTimeout, sync };
    const key = JSON.stringify(wanted);
    const group = groups.get(key) ?? { limits: state.limits(wanted), limiters: [] };
    group.limiters.push(limiter);
    groups.set(key, group);
  }
  const line = new DecisionLine([...groups.values()], clock, logger);
  return {
    effect: `grants ${limiters.map(({ words }) => words).join('; ')}`,
    onRequest: (exchange) => line.decide(exchange),
  };
}
