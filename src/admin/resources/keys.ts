/** API keys: made, shown, changed, revoked and rotated. */
import { z } from 'zod';
import { DurationError, parseDuration } from '../../base/duration.ts';
import { scopeSchema } from '../../config/access-schema.ts';
import { nameSchema } from '../../config/scalar-schema.ts';
import type { KeyDesk, KeyPicture, KeyRefusal, MadeKey } from '../../gateway/key-desk.ts';
import { KEY_STATES } from '../../state/keys/key-store.ts';
import { isKeyId } from '../../state/keys/key-text.ts';
import { wholeNumber } from '../parameters.ts';
import { type AdminReply, empty, json } from '../reply.ts';
import { jsonBody, optionalJsonBody } from '../request-body.ts';
import { type AdminRequest, type AdminResource, adminRoute } from '../route.ts';
import type { AdminSource, Soon } from '../source.ts';

/** Stands in examples for the id of a key that was made before: ids cannot be chosen. */
export const EXAMPLE_KEY_ID = '4kPqW8zR2mXv7LbT';

const DAY = 86_400_000;
const LONGEST = 3650 * DAY;

/** Milliseconds for which a key and the one that takes its place are both good where nothing is said. */
const USUAL_OVERLAP = 3_600_000;

/** Bytes; far more than a consumer and its metadata are long. */
const LARGEST = 64 * 1024;

function durationSchema(least: number) {
  return z.string().transform((text, context): number => {
    try {
      const milliseconds = parseDuration(text);
      if (milliseconds >= least && milliseconds <= LONGEST) return milliseconds;
      context.addIssue({ code: 'custom', message: `must be from ${least}ms to 3650d` });
    } catch (error) {
      if (!(error instanceof DurationError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
    return z.NEVER;
  });
}

const momentSchema = z.string().transform((text, context): number => {
  const time = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  context.addIssue({ code: 'custom', message: 'must be a time in ISO 8601, such as 2027-01-31T12:00:00Z' });
  return z.NEVER;
});

const labelSchema = z.string().max(256);
const scopesSchema = z.array(scopeSchema).max(256);
const metadataSchema = z.record(z.string(), z.unknown());

const wishSchema = z.strictObject({
  consumer: nameSchema.meta({ description: 'On whose account it is; need not stand in the configuration.' }),
  name: labelSchema.default('').meta({ description: 'What people call it.' }),
  scopes: scopesSchema.default([]).meta({ description: 'What it may be used for.' }),
  tier: nameSchema.nullable().default(null).meta({ description: 'One of `tiers`; by default its consumer’s.' }),
  expiresIn: durationSchema(1)
    .nullable()
    .default(null)
    .meta({ description: 'How long it is good, such as `30d`; by default for ever.' }),
  metadata: metadataSchema.default({}).meta({ description: 'Claims, for conditions.' }),
});

/** Null takes away what may be away. */
const changeSchema = z
  .strictObject({
    name: labelSchema.nullable().optional(),
    scopes: scopesSchema.nullable().optional(),
    tier: nameSchema.nullable().optional(),
    expiresAt: momentSchema.nullable().optional().meta({ description: 'In ISO 8601; null is never.' }),
    expiresIn: durationSchema(1)
      .nullable()
      .optional()
      .meta({ description: 'The same, from now on, such as `30d`; not beside `expiresAt`.' }),
    active: z.boolean().optional().meta({ description: '`false` refuses it until it is `true` again.' }),
    metadata: metadataSchema.nullable().optional().meta({ description: 'Merged into what is there.' }),
  })
  .refine(
    ({ expiresAt, expiresIn }) => expiresAt === undefined || expiresIn === undefined,
    'holds `expiresAt` and `expiresIn`: one of them can say when it ends',
  );

const rotationSchema = z.strictObject({
  overlap: durationSchema(0)
    .default(USUAL_OVERLAP)
    .meta({ description: 'How long the old key is good beside the new one; by default `1h`.' }),
});

const time = z.string().nullable();

const keySchema = z.object({
  id: z.string(),
  consumer: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  tier: z.string().nullable(),
  state: z.enum(KEY_STATES).meta({ description: '`inactive` can be mended by `active: true`; `revoked` is for good.' }),
  active: z.boolean(),
  declared: z.boolean().meta({ description: 'True for one that stands in the configuration and is changed there.' }),
  createdAt: time.meta({ description: 'In ISO 8601, as all times; null of declared ones.' }),
  expiresAt: time,
  revokedAt: time,
  lastUsedAt: time.meta({
    description: 'Written at most once a minute; null of one that was not used, or is declared.',
  }),
  rotatedFrom: time.meta({ description: 'The id of the key whose place it took.' }),
  metadata: z.record(z.string(), z.unknown()),
});

const madeSchema = z.object({
  key: z.string().meta({ description: 'The key: told this once, and kept nowhere.' }),
  ...keySchema.shape,
});

const KEY_PARAMS = { id: z.string().refine(isKeyId, 'is not the id of a key').meta({ description: 'Of the key.' }) };

const LOCATION = { Location: 'Of the key.' };

const AFTER_CREATION = ['createKey'];

type Work = (keys: Pick<KeyDesk, keyof KeyDesk>) => Promise<AdminReply>;

/** A store that cannot be asked is no fault of the request, and none of this program. */
async function withKeys(source: AdminSource, request: AdminRequest, work: Work): Promise<AdminReply> {
  if (source.keys === undefined) return request.refuse('conflict', 'This gateway has no keys that could be managed.');
  try {
    return await work(source.keys);
  } catch (error) {
    return request.refuse('store_unavailable', `The key store cannot be used: ${(error as Error).message}.`);
  }
}

const CODES = {
  unknown: 'resource_not_found',
  conflict: 'conflict',
  'unknown-tier': 'unknown_tier',
  'bad-place': 'bad_request',
} as const;

function refused(request: AdminRequest, { refusal, detail }: KeyRefusal): AdminReply {
  return request.refuse(CODES[refusal], detail);
}

function answerMade(request: AdminRequest, made: MadeKey | KeyRefusal): AdminReply {
  if ('refusal' in made) return refused(request, made);
  const { key, picture } = made;
  const { id, ...rest } = picture;
  return json(201, { id, key, ...rest }, { Location: `/keys/${id}` });
}

function answerKey(request: AdminRequest, key: KeyPicture | KeyRefusal | null): AdminReply {
  if (key === null) return request.refuse('resource_not_found', 'No key has this id.');
  return 'refusal' in key ? refused(request, key) : json(200, key);
}

const create = adminRoute({
  method: 'POST',
  path: '/keys',
  id: 'createKey',
  summary:
    'Makes a key. The answer is the only place where it ever stands; when it has come, the key outlives a crash.',
  body: jsonBody(wishSchema, { limit: LARGEST }),
  answers: { 201: { description: 'It is good from now on.', schema: madeSchema, headers: LOCATION } },
  refusals: ['unknown_tier', 'conflict', 'store_unavailable'],
  example: {
    path: '/keys',
    body: '{ "consumer": "acme", "name": "build server", "scopes": ["orders:read"], "expiresIn": "30d" }',
    status: 201,
  },
  answer: (source, request) =>
    withKeys(source, request, async (keys) => answerMade(request, await keys.create(request.body))),
});

const list = adminRoute({
  method: 'GET',
  path: '/keys',
  id: 'getKeys',
  summary: 'Keys, those of the configuration first, then the oldest first; never the keys themselves.',
  query: {
    consumer: nameSchema.optional().meta({ description: 'Only those of this consumer.' }),
    state: z.enum(KEY_STATES).optional().meta({ description: 'Only those in this state.' }),
    limit: wholeNumber(1, 1000, 'Most keys of one answer; 100 by default.').optional(),
    after: z.string().max(100).optional().meta({ description: '`next` of the answer before.' }),
  },
  answers: {
    200: {
      description: 'The keys, and in `next` where to go on; null at the end.',
      schema: z.object({ keys: z.array(keySchema), next: z.string().nullable() }),
    },
  },
  refusals: ['conflict', 'store_unavailable'],
  example: { path: '/keys?consumer=acme&state=active', status: 200 },
  answer: (source, request) =>
    withKeys(source, request, async (keys) => {
      const { consumer = null, state = null, limit = 100, after = null } = request.query;
      const page = await keys.list({ consumer, state, limit, after });
      return 'refusal' in page ? refused(request, page) : json(200, page);
    }),
});

const get = adminRoute({
  method: 'GET',
  path: '/keys/{id}',
  id: 'getKey',
  summary: 'One key; never the key itself.',
  params: KEY_PARAMS,
  answers: { 200: { description: 'The key.', schema: keySchema } },
  refusals: ['resource_not_found', 'conflict', 'store_unavailable'],
  example: { path: `/keys/${EXAMPLE_KEY_ID}`, status: 200, after: AFTER_CREATION },
  answer: (source, request) =>
    withKeys(source, request, async (keys) => answerKey(request, await keys.get(request.path.id))),
});

const patch = adminRoute({
  method: 'PATCH',
  path: '/keys/{id}',
  id: 'patchKey',
  summary: 'Changes a key: a JSON merge patch (RFC 7396). One that stands in the configuration stays as it is: 409.',
  params: KEY_PARAMS,
  body: jsonBody(changeSchema, {
    limit: LARGEST,
    mediaTypes: ['application/merge-patch+json', 'application/json'],
  }),
  answers: { 200: { description: 'As it is now.', schema: keySchema } },
  refusals: ['resource_not_found', 'unknown_tier', 'conflict', 'store_unavailable'],
  example: {
    path: `/keys/${EXAMPLE_KEY_ID}`,
    body: '{ "scopes": ["orders:read", "orders:write"], "metadata": { "team": "shop" } }',
    status: 200,
    after: AFTER_CREATION,
  },
  answer: (source, request) =>
    withKeys(source, request, async (keys) => {
      const { name, scopes, ...rest } = request.body;
      const change = {
        ...rest,
        ...(name === undefined ? {} : { name: name ?? '' }),
        ...(scopes === undefined ? {} : { scopes: scopes ?? [] }),
      };
      return answerKey(request, await keys.update(request.path.id, change));
    }),
});

const revoke = adminRoute({
  method: 'POST',
  path: '/keys/{id}/revoke',
  id: 'revokeKey',
  summary: 'Revokes a key for good: every gateway refuses it within `state.keyCacheFor`. Once more does nothing.',
  params: KEY_PARAMS,
  answers: { 204: { description: 'It is revoked.' } },
  refusals: ['resource_not_found', 'conflict', 'store_unavailable'],
  example: { path: `/keys/${EXAMPLE_KEY_ID}/revoke`, status: 204, after: AFTER_CREATION },
  answer: (source, request): Soon<AdminReply> =>
    withKeys(source, request, async (keys) => {
      const done = await keys.revoke(request.path.id);
      return 'refusal' in done ? refused(request, done) : empty();
    }),
});

const rotate = adminRoute({
  method: 'POST',
  path: '/keys/{id}/rotate',
  id: 'rotateKey',
  summary: 'Makes a key that takes the place of another, which is good for a while longer.',
  description:
    'The new one has the consumer, name, scopes, tier and metadata of the old one, and is good as long as that one was made for. A key that is not active, or whose place was taken already, is refused with 409.',
  params: KEY_PARAMS,
  body: optionalJsonBody(rotationSchema),
  answers: { 201: { description: 'The new key.', schema: madeSchema, headers: LOCATION } },
  refusals: ['resource_not_found', 'conflict', 'store_unavailable'],
  example: {
    path: `/keys/${EXAMPLE_KEY_ID}/rotate`,
    body: '{ "overlap": "1h" }',
    status: 201,
    after: AFTER_CREATION,
  },
  answer: (source, request) =>
    withKeys(source, request, async (keys) => {
      const { overlap = USUAL_OVERLAP } = request.body ?? {};
      return answerMade(request, await keys.rotate(request.path.id, overlap));
    }),
});

export const keys: AdminResource = {
  name: 'Keys',
  summary:
    'API keys of the key store (`state.keys`), and those that stand in the configuration. Nothing here depends on `admin.writes`.',
  routes: [create, list, get, patch, revoke, rotate],
};
