/** The schemas of who may call and how much: consumers and their keys, roles, tiers, and where it is remembered. */
import { z } from 'zod';
import { AddressError } from '../base/address.ts';
import { parseRedisAddress, parseRedisCluster } from '../base/redis-address.ts';
import { duration, nameSchema, refuse, wholeNumber } from './scalar-schema.ts';

/** Most units of a limit: beyond it counters would lose exactness. */
export const MOST_UNITS = 1_000_000_000;

const units = () => wholeNumber(1, MOST_UNITS);

const tierSchema = z.strictObject({
  rate: units().describe('Requests, or units of their cost, in each `per`'),
  per: duration(1, 31 * 86_400_000)
    .prefault('1s')
    .describe('The time in which `rate` is granted'),
  burst: units().optional().describe('How many at once; by default as many as `rate`'),
  quotas: z
    .strictObject({
      day: units().optional().describe('Most units from midnight to midnight, UTC'),
      month: units().optional().describe('Most units in a calendar month, UTC'),
    })
    .prefault({})
    .describe('What is granted over longer times, beside the rate'),
});

export type TierConfig = z.output<typeof tierSchema>;

const permissionSchema = z
  .string()
  .regex(/^(?:\*|[A-Za-z0-9_.-]+|\*:\*)$|^(?:\*|[A-Za-z0-9_.-]+)(?::(?:\*|[A-Za-z0-9_.-]+))+$/, {
    error: 'must be a permission such as orders:read, where * stands for any part',
  });

const keyIdSchema = z.string().regex(/^[A-Za-z0-9]{1,64}$/, {
  error: 'must hold only letters and digits (64 at most): it is the part of the key between pk_ and the next _',
});

const digestSchema = z
  .string()
  .regex(/^[0-9A-Fa-f]{64}$/, { error: 'must be the SHA-256 of the whole key: 64 hexadecimal digits' })
  .transform((text) => text.toLowerCase());

export const scopeSchema = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, {
  error: 'must be printable ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3)',
});

const dateSchema = z.string().transform((text, context): number => {
  const time = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? refuse(context, 'is not a date such as 2027-01-31 or 2027-01-31T12:00:00Z') : time;
});

const declaredKeySchema = z.strictObject({
  id: keyIdSchema.describe('The part of the key between `pk_` and its secret; unique'),
  sha256: digestSchema.describe('SHA-256 of the whole key, in hexadecimal; the key itself stands nowhere'),
  name: z.string().max(256).default('').describe('What people call it'),
  scopes: z.array(scopeSchema).default([]).describe('What it may be used for'),
  tier: nameSchema.optional().describe('Tier of this key; by default its consumer’s'),
  expiresAt: dateSchema.optional().describe('When it ends, as a date or a time; without it never'),
  active: z.boolean().default(true).describe('`false` revokes it'),
});

const consumerSchema = z.strictObject({
  name: nameSchema.describe('Name, unique among consumers; upstreams are told it by `X-Consumer-Name`'),
  tier: nameSchema.optional().describe('One of `tiers`, by which it is limited'),
  apiKeys: z.array(declaredKeySchema).default([]).describe('Its keys, by their digests; more may be in the key store'),
  metadata: z.record(z.string(), z.unknown()).default({}).describe('What CEL conditions may ask of it'),
});

export type ConsumerConfig = z.output<typeof consumerSchema>;

const keyStoreSchema = z.union(
  [
    z.strictObject({ sqlite: z.string().min(1).describe('Path of the file, from the working directory') }),
    z.strictObject({
      postgres: z
        .string()
        .regex(/^postgres(?:ql)?:\/\//, { error: 'must be a URL such as postgres://user:password@host/db' })
        .describe('URL of the database, which many gateways may share'),
    }),
  ],
  { error: 'expected { sqlite: PATH } or { postgres: URL }' },
);

const REDIS_URL = /^rediss?:\/\/[^/\s]+/;

const redisUrlSchema = z
  .string()
  .regex(REDIS_URL, { error: 'must be a URL such as redis://host:6379, or rediss:// for TLS' })
  .superRefine((url, context) => {
    if (REDIS_URL.test(url)) judge(context, () => parseRedisAddress(url));
  });

const clusterSchema = z
  .array(redisUrlSchema)
  .min(1)
  .superRefine((urls, context) => {
    if (urls.every(isRedisUrl)) judge(context, () => parseRedisCluster(urls));
  });

function isRedisUrl(url: string): boolean {
  return redisUrlSchema.safeParse(url).success;
}

/** Its errors never quote a URL, which may hold a password. */
function judge(context: z.core.$RefinementCtx, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    refuse(context, error.message);
  }
}

const sharedSchema = z.union([z.literal('memory'), redisUrlSchema, clusterSchema], {
  error: 'expected memory, a URL such as redis://host:6379, or a list of those of a cluster’s nodes',
});

export const stateSchema = z.strictObject({
  keys: keyStoreSchema
    .optional()
    .describe(
      'Where API keys are kept; by default `keys.db` in `stateDir`, or `portico-keys.db` in the working directory',
    ),
  keyCacheFor: duration(0, 3_600_000)
    .prefault('1s')
    .describe('How long a look-up of a key may be remembered: a revocation is seen everywhere within it'),
  shared: sharedSchema
    .default('memory')
    .describe(
      'Where limits are counted: `memory` is exact over the workers of one gateway, Redis or Valkey over many gateways; a list is of nodes of a cluster',
    ),
  maxKeys: wholeNumber(1000, 100_000_000)
    .default(1_000_000)
    .describe('Most keys of limits held in memory; beyond it those that are least missed go'),
});

export const tiersSchema = z.record(nameSchema, tierSchema);
export const rolesSchema = z.record(nameSchema, z.array(permissionSchema));
export const consumersSchema = z.array(consumerSchema);
export { permissionSchema };

const auditFileSchema = z.strictObject({
  file: z
    .string()
    .min(1)
    .default('stdout')
    .describe('`stdout`, `stderr` or the path of a file that lines are added to'),
});

export const auditSchema = z
  .union([z.literal(false), z.enum(['stdout', 'stderr']), auditFileSchema], {
    error: 'expected { file: ... }, stdout, or false for no audit trail',
  })
  .transform((value) => (typeof value === 'string' ? { file: value } : value));
