/** The options of `rateLimit`. */
import { z } from 'zod';
import { MOST_UNITS } from '../../config/access-schema.ts';
import { headerNameSchema } from '../../config/header-schema.ts';
import { duration, nameSchema, wholeNumber } from '../../config/scalar-schema.ts';
import { expressionSchema } from '../../pipeline/expression-schema.ts';
import { requestKeySchema } from '../../pipeline/request-key.ts';
import { ALGORITHMS, type Algorithm } from '../../state/limits/limits.ts';

const DAY = 86_400_000;

/** Of a limit over longer, every request of it would have to be remembered. */
const MOST_LOGGED = 10_000;

/** A bucket that takes longer to fill is a mistake, and its numbers could not be exact. */
const LONGEST_FILL = 366 * DAY;

/** Where an algorithm has something like it, and where it has not. */
export const BUCKETS: readonly Algorithm[] = ['token-bucket', 'gcra'];

const units = () => wholeNumber(1, MOST_UNITS);

const costSchema = z.union(
  [
    wholeNumber(0, MOST_UNITS),
    z.strictObject({
      header: headerNameSchema.describe('The whole number in this request header, at least 1; 1 where there is none'),
    }),
    z.strictObject({
      expression: expressionSchema('number').describe('What this CEL expression gives, rounded up; 1 where it fails'),
    }),
  ],
  { error: `expected a whole number from 0 to ${MOST_UNITS}, { header } or { expression }` },
);

export const rateLimitSchema = z
  .strictObject({
    name: nameSchema
      .optional()
      .describe('What answers, logs and metrics call the limit; counts go with it when the list is reordered'),
    algorithm: z.enum(ALGORITHMS).default('token-bucket').describe('How it is counted'),
    limit: units().optional().describe('Requests, or units of their cost, in each `per`'),
    per: duration(1, 31 * DAY)
      .prefault('1s')
      .describe('The time in which `limit` is granted'),
    burst: units().optional().describe('How many at once, of `token-bucket` and `gcra`; by default as many as `limit`'),
    cost: costSchema.default(1).describe('What a request takes of the limit'),
    key: requestKeySchema
      .prefault('consumer')
      .describe(
        'Who or what is limited: `ip`, `identity`, `consumer`, `route`, `{ header }`, `{ cookie }`, `{ query }`, `{ claim }`, `{ expression }`, or a list that counts together; by default the consumer, else who calls, else the address',
      ),
    tiers: z
      .strictObject({ default: nameSchema.describe('The tier of whoever has none, or one that is not there') })
      .optional()
      .describe('In place of `limit`: rate and quotas come from the tier of who calls, as `tiers` has them'),
    headers: z
      .enum(['legacy', 'standard', 'both', 'none'])
      .default('both')
      .describe(
        'Which fields tell clients how they stand: `X-RateLimit-*`, the IETF’s `RateLimit` and `RateLimit-Policy`',
      ),
    mode: z
      .enum(['enforce', 'shadow'])
      .default('enforce')
      .describe('`shadow` counts and logs what it would refuse, and refuses nothing'),
    upgradeUrl: z.string().min(1).max(2048).optional().describe('Told to who is refused: where more can be had'),
    store: z
      .enum(['shared', 'local'])
      .default('shared')
      .describe('`shared` counts where `state.shared` says, `local` in this gateway alone'),
    onStoreFailure: z
      .enum(['local', 'open', 'closed'])
      .default('local')
      .describe('While the shared store cannot be asked: count in this gateway, let all through, or refuse all'),
    storeTimeout: duration(1, 60_000).prefault('20ms').describe('The longest wait for the shared store'),
    sync: z
      .enum(['exact', 'batched'])
      .default('exact')
      .describe(
        '`exact` asks the shared store for each request; `batched` counts here and tells it ten times a second',
      ),
  })
  .check((context) => {
    if (context.issues.length > 0) return;
    const { limit, tiers, algorithm, burst = limit ?? 1, per } = context.value;
    const report = (path: string[], message: string, finding: string): void => {
      context.issues.push({ code: 'custom', input: context.value, path, message, params: { finding } });
    };
    if (limit === undefined && tiers === undefined) report([], 'needs `limit`, or `tiers`', 'missing_key');
    if (limit === undefined) return;
    if (tiers !== undefined) {
      report(['tiers'], 'cannot stand beside `limit`: the tier says how much is granted', 'conflicting_keys');
    }
    if (algorithm === 'sliding-log' && limit > MOST_LOGGED) {
      const message = `\`sliding-log\` remembers every request: at most ${MOST_LOGGED}; use sliding-window for more`;
      report(['limit'], message, 'invalid_value');
    }
    if (BUCKETS.includes(algorithm) && (burst / limit) * per > LONGEST_FILL) {
      report(['burst'], 'takes more than a year to fill: lower it, or raise `limit`', 'invalid_value');
    }
  })
  .describe('Limits how much may be asked for in a time, by who asks; several in one list must all have enough.');

export type RateLimitOptions = z.output<typeof rateLimitSchema>;
