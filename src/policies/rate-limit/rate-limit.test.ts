/** The rules of a use of the policy, what a request costs, and which stores are asked. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import type { AccessConfig } from '../../config/policy-schemas.ts';
import { createIdentity } from '../../pipeline/identity.ts';
import { exchangeOf, manualClock, servicesOf, type TestRequest } from '../../pipeline/policy.test.support.ts';
import type { PolicyHooks, PolicyServices, Reply } from '../../pipeline/policy.ts';
import type { Decision, LimitsOptions, Take } from '../../state/limits/limits.ts';
import { MemoryLimits } from '../../state/limits/memory-limits.ts';
import { rateLimit } from './index.ts';
import { rateLimitSchema } from './schema.ts';

const TIERS = rateConfig({
  free: { rate: 2, per: 60_000, burst: 2, quotas: { day: 3 } },
  pro: { rate: 100, per: 1000, quotas: {} },
});

function rateConfig(tiers: AccessConfig['tiers']): AccessConfig {
  return { tiers, roles: {}, consumers: [] };
}

interface SetUp {
  hooks: PolicyHooks;
  clock: ReturnType<typeof manualClock>;
  /** What the store was asked, and by which options. */
  asked: { options: LimitsOptions; takes: readonly Take[] }[];
  ask(request?: TestRequest): Reply | undefined;
  fieldsOf(request?: TestRequest): Record<string, string>;
}

function setUp(uses: object[], given: Partial<PolicyServices> = {}): SetUp {
  const clock = manualClock();
  const memory = new MemoryLimits({
    clock,
    timers: { setTimeout: () => null, clearTimeout: () => {} },
    logger: silentLogger,
    maxKeys: 1000,
  });
  const asked: SetUp['asked'] = [];
  const base = servicesOf({ clock, config: TIERS });
  const services = {
    ...base,
    state: {
      ...base.state,
      limits: (options: LimitsOptions) => ({
        take: (takes: readonly Take[]) => {
          asked.push({ options, takes });
          return memory.take(takes);
        },
      }),
    },
    ...given,
  };
  const options = uses.map((use) => rateLimitSchema.parse(use));
  const hooks = (rateLimit.createAll as NonNullable<typeof rateLimit.createAll>)(options, services);
  const run = (request: TestRequest) => {
    const exchange = exchangeOf(request);
    const reply = hooks.onRequest?.(exchange);
    if (reply instanceof Promise) throw new Error('a promise where there is nothing to wait for');
    return { exchange, reply };
  };
  return {
    hooks,
    clock,
    asked,
    ask: (request = {}) => run(request).reply,
    fieldsOf: (request = {}) => {
      const lines = run(request).exchange.responseEdits.lines().trimEnd().split('\r\n');
      return Object.fromEntries(
        lines.filter((line) => line !== '').map((line) => line.split(': ') as [string, string]),
      );
    },
  };
}

const ann = createIdentity({ kind: 'jwt', subject: 'ann' });
const acme = createIdentity({ kind: 'apiKey', consumer: 'acme', credential: 'k1', tier: 'pro' });
const acmeToo = createIdentity({ kind: 'apiKey', consumer: 'acme', credential: 'k2' });

describe('rateLimit', () => {
  it.each<[string, TestRequest, TestRequest, boolean]>([
    ['one address', {}, {}, true],
    ['two addresses', { clientAddress: '192.0.2.1' }, { clientAddress: '192.0.2.2' }, false],
    ['one caller from two addresses', { identity: ann }, { identity: ann, clientAddress: '192.0.2.9' }, true],
    ['a caller and somebody unknown', { identity: ann }, {}, false],
    ['two keys of one consumer', { identity: acme }, { identity: acmeToo }, true],
  ])('takes %s for one where that is one: %s %s', (_name, one, other, same) => {
    const { ask } = setUp([{ limit: 1, per: '1m' }]);
    expect(ask(one)).toBeUndefined();
    expect(ask(other) === undefined).toBe(!same);
  });

  it.each([
    [undefined, 1],
    ['', 1],
    ['3', 3],
    ['007', 7],
    ['0', 1],
    ['-3', 1],
    ['3.5', 1],
    ['1e3', 1],
    [' 3', 1],
    ['999999999', 999_999_999],
    ['1000000000', 1_000_000_000],
    ['9999999999', 1_000_000_000],
    ['0000000000007', 7],
    [`1${'0'.repeat(400)}`, 1_000_000_000],
    ['10000000000x', 1],
    ['٣', 1],
  ])('takes a cost of %j in a header for %i', (text, cost) => {
    const { ask, asked } = setUp([{ limit: 1_000_000_000, cost: { header: 'X-Cost' } }]);
    ask(text === undefined ? {} : { headers: { 'x-cost': text } });
    expect(asked[0].takes[0].cost).toBe(cost);
  });

  it('takes any header for some whole cost, of 1 at least', () => {
    const { ask, asked } = setUp([{ limit: 1_000_000_000, cost: { header: 'x-cost' } }]);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,12}$/)), (text) => {
        ask({ headers: { 'x-cost': text } });
        const cost = asked[asked.length - 1].takes[0].cost;
        expect(Number.isInteger(cost) && cost >= 1 && cost <= 1e9).toBe(true);
      }),
    );
  });

  it.each([
    ['request.method == "POST" ? 5 : 1', 5],
    ['2.2', 3],
    ['-4', 0],
    ['1e300', 1_000_000_000],
    ['identity.claims.cost', 1],
  ])('takes what %s gives for the cost: %d', (expression, cost) => {
    const { ask, asked } = setUp([{ limit: 1_000_000_000, cost: { expression } }]);
    ask({ method: 'POST' });
    expect(asked[0].takes[0].cost).toBe(cost);
  });

  it('names its rules by their places, the same in the next generation', () => {
    const uses = [{ limit: 1 }, { limit: 2 }, { name: 'mine', limit: 3 }, { tiers: { default: 'free' } }];
    const place = { scope: 'service', name: 'users' } as const;
    const ids = (): string[] => {
      const { ask, asked } = setUp(uses, { place });
      ask();
      return asked[0].takes.map(({ rule }) => rule.id);
    };
    expect(ids()).toEqual(['default', 'default-2', 'mine', 'free', 'free-day'].map((name) => `service/users/${name}`));
    expect(ids()).toEqual(ids());
  });

  it('asks one store once for a whole list, and another store after it', () => {
    const { ask, asked } = setUp([{ limit: 1 }, { limit: 5, store: 'local' }, { limit: 7 }]);
    expect(ask()).toBeUndefined();
    expect(asked.map(({ options, takes }) => [options.store, takes.map(({ rule }) => rule.limit)])).toEqual([
      ['shared', [1, 7]],
      ['local', [5]],
    ]);
    // What the first refuses the second does not hear of.
    expect(ask()?.code).toBe('rate_limited');
    expect(asked.map(({ options }) => options.store)).toEqual(['shared', 'local', 'shared']);
  });

  it('waits for a store that is elsewhere', async () => {
    const standing = { allowed: false, remaining: 0, resetAfter: 5000, retryAfter: 1500 };
    const decision: Decision = { allowed: false, standings: [standing], degraded: false };
    const { state } = servicesOf();
    const limits = () => ({ take: () => Promise.resolve(decision) });
    const { hooks } = setUp([{ limit: 1 }], { state: { ...state, limits } });
    const exchange = exchangeOf();
    expect(await hooks.onRequest?.(exchange)).toMatchObject({ code: 'rate_limited', headers: { 'Retry-After': '2' } });
    expect(exchange.responseEdits.lines()).toContain('RateLimit: "default";r=0;t=2\r\n');
  });

  it('answers 503 where nobody could be asked and the rule is to refuse', () => {
    const standing = { allowed: true, remaining: 1, resetAfter: 0, retryAfter: 0 };
    const decision: Decision = { allowed: false, standings: [standing], degraded: true };
    const { state } = servicesOf();
    const { ask } = setUp([{ limit: 1 }], { state: { ...state, limits: () => ({ take: () => decision }) } });
    expect(ask()).toMatchObject({ code: 'overloaded' });
  });

  it('counts decisions by route, limit and result, and never one that was not charged', () => {
    const { metrics } = servicesOf();
    const { ask } = setUp(
      [
        { name: 'one', limit: 1, per: '1m' },
        { name: 'two', limit: 9, per: '1m' },
        { name: 'three', limit: 1, per: '1m', mode: 'shadow' },
      ],
      { metrics },
    );
    for (const routeName of ['a', 'a', 'b']) ask({ routeName, clientAddress: routeName });
    const counted = [...metrics.limitDecisions.entries()].map(([labels, { value }]) => [labels, value]);
    expect(Object.fromEntries(counted.filter(([, value]) => value !== 0))).toEqual({
      'route="a",limit="one",result="allowed"': 1,
      'route="a",limit="one",result="refused"': 1,
      'route="a",limit="two",result="allowed"': 1,
      'route="a",limit="three",result="allowed"': 1,
      'route="a",limit="three",result="shadow_refused"': 1,
      'route="b",limit="one",result="allowed"': 1,
      'route="b",limit="two",result="allowed"': 1,
      'route="b",limit="three",result="allowed"': 1,
    });
  });

  it('logs what a limit in shadow would refuse without the key, which may be a credential', () => {
    const lines: object[] = [];
    const logger = { ...silentLogger, level: 'info' as const, info: (_: string, fields = {}) => lines.push(fields) };
    const { ask } = setUp([{ limit: 1, mode: 'shadow', key: { header: 'x-api-key' } }], { logger });
    for (let i = 0; i < 2; i++) expect(ask({ headers: { 'x-api-key': 's3cret' } })).toBeUndefined();
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('s3cret');
  });

  it('says what it does', () => {
    const { hooks } = setUp([
      { limit: 10, burst: 20, key: 'ip' },
      { limit: 5, per: '1m', algorithm: 'sliding-log', mode: 'shadow' },
      { tiers: { default: 'free' } },
    ]);
    expect(hooks.effect).toBe(
      'grants 10 in 1s, 20 at once (token-bucket), by address; 5 in 1m (sliding-log), by consumer, refuses nobody; ' +
        'the tier of who calls, by default free, by consumer',
    );
  });
});

describe('what clients are told', () => {
  it.each([
    ['legacy', ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset']],
    ['standard', ['RateLimit-Policy', 'RateLimit']],
    ['both', ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'RateLimit-Policy', 'RateLimit']],
    ['none', []],
  ])('with headers: %s are %s', (headers, names) => {
    const { fieldsOf } = setUp([{ limit: 2, headers }]);
    expect(Object.keys(fieldsOf())).toEqual(names);
  });

  it('is of the tightest limit where there is one field, and of all where there is a list', () => {
    const { fieldsOf, clock } = setUp([
      { name: 'wide', limit: 100, per: '1m' },
      { name: 'tight', limit: 4, per: '1h', algorithm: 'fixed-window' },
      { name: 'ghost', limit: 1, mode: 'shadow' },
      { name: 'fast', limit: 4, per: '300ms' },
    ]);
    fieldsOf();
    clock.tick(600_000);
    const reset = Math.floor(clock.wall() / 3_600_000 + 1) * 3600;
    expect(fieldsOf()).toEqual({
      'X-RateLimit-Limit': '4',
      'X-RateLimit-Remaining': '2',
      'X-RateLimit-Reset': String(reset),
      'RateLimit-Policy': '"wide";q=100;w=60, "tight";q=4;w=3600, "fast";q=4',
      RateLimit: '"wide";r=99;t=1, "tight";r=2;t=3000, "fast";r=3;t=1',
    });
  });

  it.each([
    [{ identity: null }, 'free', '2', '3'],
    [{ identity: ann }, 'free', '2', '3'],
    [{ identity: acme }, 'pro', '100', undefined],
    [{ identity: createIdentity({ kind: 'jwt', subject: 'eve', tier: 'gold' }) }, 'free', '2', '3'],
    [{ identity: createIdentity({ kind: 'jwt', subject: 'eve', tier: '__proto__' }) }, 'free', '2', '3'],
  ])('of %o is tier %s', (request, tier, limit, day) => {
    const fields = setUp([{ tiers: { default: 'free' } }]).fieldsOf(request);
    expect([fields['X-RateLimit-Tier'], fields['X-RateLimit-Limit'], fields['X-RateLimit-Daily-Limit']]).toEqual([
      tier,
      limit,
      day,
    ]);
  });

  it('on a refusal is the limit that opens last, when, and where more can be had', () => {
    const { ask, clock } = setUp([{ tiers: { default: 'free' }, upgradeUrl: '/pricing' }]);
    ask();
    ask();
    expect(ask()).toEqual({
      status: 0,
      headers: { 'Retry-After': '30' },
      body: '',
      code: 'rate_limited',
      detail: 'too many requests for the limit "free"',
      members: {
        tier: 'free',
        reset: '2026-01-15T12:01:00.000Z',
        retryAfter: 30,
        upgradeUrl: '/pricing',
        'violated-policies': ['free'],
      },
      reason: 'over the limit free',
    });
    clock.tick(30_000);
    expect(ask()).toBeUndefined();
    expect(ask()).toMatchObject({
      headers: { 'Retry-After': '43170' },
      detail: 'the quota of the day is used up',
      members: { reset: '2026-01-16T00:00:00.000Z', 'violated-policies': ['free', 'free-day'] },
    });
  });

  it('says of a request that costs more than the limit that it will never be granted', () => {
    const { ask } = setUp([{ limit: 5, per: '10s', cost: 6 }]);
    expect(ask()).toMatchObject({
      headers: { 'Retry-After': '1' },
      detail: 'the request costs more than the limit "default" ever has',
    });
  });
});

describe('the options of rateLimit', () => {
  const findings = (options: unknown): string[] => {
    const { success, error, data } = rateLimitSchema.safeParse(options);
    if (!success) return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return (rateLimit.check?.(data, TIERS) ?? []).map(
      ({ severity, code, path }) => `${severity} ${code} ${path.join('.')}`,
    );
  };

  it.each<[unknown, string[]]>([
    [{ limit: 5 }, []],
    [{ tiers: { default: 'pro' } }, []],
    [{}, [': needs `limit`, or `tiers`']],
    [
      { limit: 5, tiers: { default: 'free' } },
      ['tiers: cannot stand beside `limit`: the tier says how much is granted'],
    ],
    [{ tiers: { default: 'fre' } }, ['error unknown_tier tiers.default']],
    [{ tiers: { default: 'toString' } }, ['error unknown_tier tiers.default']],
    [{ limit: 5, burst: 10, algorithm: 'sliding-log' }, ['warning no_effect burst']],
    [{ limit: 5, cost: 6 }, ['warning no_effect cost']],
    [{ limit: 5, burst: 4, cost: 5 }, ['warning no_effect cost']],
    [{ limit: 5, burst: 6, cost: 6 }, []],
    [{ tiers: { default: 'free' }, burst: 10 }, ['warning no_effect burst']],
    [{ tiers: { default: 'free' }, per: '5m' }, ['warning no_effect per']],
    [{ tiers: { default: 'free' }, algorithm: 'gcra' }, ['warning no_effect algorithm']],
    [{ limit: 5, store: 'local', sync: 'batched' }, ['warning no_effect sync']],
    [{ limit: 5, store: 'local', onStoreFailure: 'closed' }, ['warning no_effect onStoreFailure']],
    [
      { limit: 20_000, algorithm: 'sliding-log' },
      ['limit: `sliding-log` remembers every request: at most 10000; use sliding-window for more'],
    ],
    [{ limit: 1, per: '31d', burst: 13 }, ['burst: takes more than a year to fill: lower it, or raise `limit`']],
    [{ limit: 0 }, ['limit: must be a whole number between 1 and 1000000000']],
    [{ limit: 1.5 }, ['limit: must be a whole number between 1 and 1000000000']],
    [{ limit: 5, cost: -1 }, ['cost: must be a whole number between 0 and 1000000000']],
  ])('%j are found to be %j', (options, expected) => {
    expect(findings(options)).toEqual(expected);
  });
});
