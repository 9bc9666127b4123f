/** The options of `jwt`. */
import { z } from 'zod';
import { parsePublicKey } from '../../base/public-key.ts';
import { editableHeaderNameSchema, headerMap, headerNameSchema } from '../../config/header-schema.ts';
import { duration, refuse } from '../../config/scalar-schema.ts';
import { callUrlSchema } from '../../config/url-schema.ts';
import { claimRulesSchema } from '../../pipeline/claim-rule.ts';
import { ALGORITHMS, type Algorithm, isShared, SHORTEST_SECRET } from './algorithms.ts';
import type { TokenPlace } from './token-place.ts';
import { createKey, isUsable, parseJwk } from './verification-key.ts';

/** The keys of the options that say by what tokens are verified: there is exactly one. */
const KEY_OPTIONS = ['secret', 'publicKey', 'publicKeyFile', 'keys', 'jwks', 'discovery'] as const;

const audienceSchema = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)], { error: 'expected a name, or a list of names' })
  .transform((value) => (typeof value === 'string' ? [value] : value));

const secretSchema = z.string().check((context) => {
  const { value } = context;
  const tell = (message: string): void => {
    const params = { finding: 'weak_secret' };
    context.issues.push({ code: 'custom', input: value, message, params });
  };
  const length = Buffer.byteLength(value);
  if (value.includes('-----BEGIN'))
    tell('is a key in PEM and no shared secret: everybody may know a public key; use `publicKey`');
  else if (length < SHORTEST_SECRET) tell(`is too short: it needs at least ${SHORTEST_SECRET} bytes and has ${length}`);
});

const publicKeySchema = z.string().check((context) => {
  try {
    parsePublicKey(context.value);
  } catch (error) {
    context.issues.push({ code: 'custom', input: context.value, message: (error as Error).message });
  }
});

const jwkSchema = z
  .looseObject({ kty: z.string(), kid: z.string().optional(), alg: z.enum(ALGORITHMS).optional() })
  .check((context) => {
    if (context.issues.length > 0) return;
    const key = parseJwk(context.value, true);
    if (!isUsable(key)) context.issues.push({ code: 'custom', input: context.value, message: key.problem });
  });

/** Loopback, where nobody listens in. */
const NEARBY = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

const jwksSchema = z.strictObject({
  url: callUrlSchema.describe('Where the set of keys is (RFC 7517)'),
  cacheFor: duration(1000)
    .prefault('10m')
    .describe('How long keys are taken for fresh: they are fetched anew shortly before'),
  minRefreshInterval: duration()
    .prefault('30s')
    .describe('Least time between two fetches for the sake of tokens whose key is not known'),
  timeout: duration(1, 60_000).prefault('5s').describe('How long a fetch may take'),
});

const placeSchema = z
  .strictObject({
    header: headerNameSchema.optional().describe('A header; `Bearer` may stand before the token'),
    cookie: z.string().min(1).optional().describe('A cookie'),
    query: z.string().min(1).optional().describe('A query parameter'),
  })
  .transform(({ header, cookie, query }, context): TokenPlace => {
    const given = [header, cookie, query].filter((name) => name !== undefined);
    if (given.length !== 1) return refuse(context, 'needs one of `header`, `cookie` and `query`, and only one');
    if (header !== undefined) return { header: header.toLowerCase() };
    return cookie === undefined ? { query: query as string } : { cookie };
  })
  .meta({ minProperties: 1, maxProperties: 1 });

/** Headers that carry other things: what clients send under names of `forward` is removed everywhere. */
const NOT_FORWARDED = new Set(['authorization', 'proxy-authorization', 'cookie']);

const forwardNameSchema = editableHeaderNameSchema.check((context) => {
  if (!NOT_FORWARDED.has(context.value.toLowerCase())) return;
  const message = 'carries credentials: what clients send under the name would be removed on every route';
  context.issues.push({ code: 'custom', input: context.value, message });
});

export const jwtSchema = z
  .strictObject({
    issuer: z.string().min(1).optional().describe('What `iss` must be'),
    audience: audienceSchema
      .optional()
      .describe('What `aud` must be or hold: a name, or a list of which one is enough'),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .optional()
      .describe('Algorithms that tokens may be signed with; by default all that the keys are for'),
    secret: secretSchema
      .optional()
      .describe('The shared secret of HS256, HS384 and HS512: at least 32 bytes, better as many as the hash has'),
    publicKey: publicKeySchema.optional().describe('The public key, or a certificate with it, in PEM'),
    publicKeyFile: z
      .string()
      .min(1)
      .optional()
      .describe('A file with the public key in PEM, relative to the configuration'),
    keys: z.array(jwkSchema).min(1).optional().describe('Keys as JSON Web Keys, each with its `kid`'),
    jwks: jwksSchema.optional().describe('A set of keys that the issuer publishes, fetched and kept fresh'),
    discovery: z
      .boolean()
      .default(false)
      .describe('Whether the place of the keys is asked of the issuer (`/.well-known/openid-configuration`)'),
    clockSkew: duration(0, 3_600_000).prefault('0s').describe('How far the issuer’s clock may be off'),
    claims: claimRulesSchema
      .default({})
      .describe('What other claims must be; a list must hold it. `a.b` leads into maps'),
    from: z
      .array(placeSchema)
      .min(1)
      .prefault([{ header: 'authorization' }])
      .describe('Where tokens stand in requests; those in several places must be the same'),
    forward: headerMap(forwardNameSchema, z.string().min(1))
      .default({})
      .describe('Claims by the header that tells the upstream of them, beside `X-User-ID` and the others'),
  })
  .check((context) => {
    if (context.issues.length > 0) return;
    for (const { path, message, finding } of conflictsOf(context.value)) {
      context.issues.push({ code: 'custom', input: context.value, path, message, params: { finding } });
    }
  })
  .describe('Takes callers by signed tokens (JSON Web Tokens).');

export type JwtOptions = z.output<typeof jwtSchema>;

interface Conflict {
  readonly path: (string | number)[];
  readonly message: string;
  readonly finding: 'conflicting_keys' | 'missing_key' | 'invalid_value';
}

function conflictsOf(options: JwtOptions): Conflict[] {
  const given = KEY_OPTIONS.filter((name) => options[name] !== undefined && options[name] !== false);
  const names = KEY_OPTIONS.map((name) => `\`${name}\``).join(', ');
  if (given.length === 0) return [{ path: [], message: `needs one of ${names}`, finding: 'missing_key' }];
  if (given.length > 1) {
    const message = `stands beside \`${given[0]}\`: only one of ${names} can say by what tokens are verified`;
    return [{ path: [given[1]], message, finding: 'conflicting_keys' }];
  }
  const { algorithms = [] } = options;
  const useless = algorithms.findIndex((algorithm) => !canVerify(options, algorithm));
  const conflicts: Conflict[] = [];
  if (useless >= 0) {
    const message = `cannot be verified by what stands in \`${given[0]}\``;
    conflicts.push({ path: ['algorithms', useless], message, finding: 'conflicting_keys' });
  }
  return [...conflicts, ...issuerConflicts(options)];
}

function issuerConflicts({ discovery, issuer }: JwtOptions): Conflict[] {
  if (!discovery) return [];
  if (issuer === undefined) return [{ path: ['discovery'], message: 'needs `issuer`', finding: 'missing_key' }];
  if (URL.canParse(issuer) && /^https?:\/\/[^?#@]+$/.test(issuer)) return [];
  return [
    { path: ['issuer'], message: 'must be an http or https URL to be asked for its keys', finding: 'invalid_value' },
  ];
}

/** False where no key of the options is for the algorithm. Of keys that are not here yet only shared secrets are ruled out. */
function canVerify(options: JwtOptions, algorithm: Algorithm): boolean {
  const { secret, publicKey, keys } = options;
  if (secret !== undefined) return isShared(algorithm);
  if (keys !== undefined) return keys.some((jwk) => isUsable(parseJwk(jwk, true, [algorithm])));
  if (publicKey !== undefined) return isUsable(createKey(parsePublicKey(publicKey), null, [algorithm]));
  return !isShared(algorithm);
}

/** True for a URL whose answers whoever is in between may change. */
export function isUnprotected(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && !NEARBY.test(hostname);
}
