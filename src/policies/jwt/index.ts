/** `jwt`: who calls is said by a signed token (RFC 7519), by default a Bearer token (RFC 6750). */
import { createHash, createSecretKey } from 'node:crypto';
import { parsePublicKey } from '../../base/public-key.ts';
import type { AccessConfig, PolicyProblem } from '../../config/policy-schemas.ts';
import { Accounts } from '../../pipeline/accounts.ts';
import { type AuthenticationRefusal, defineAuthentication } from '../../pipeline/authentication.ts';
import { createClaimRules } from '../../pipeline/claim-rule.ts';
import type { PolicyServices } from '../../pipeline/policy.ts';
import { type Algorithm, hashLength, PUBLIC_ALGORITHMS } from './algorithms.ts';
import { FixedKeys, type KeySource } from './key-source.ts';
import { RemoteKeys, type RemoteKeysOptions } from './remote-keys.ts';
import { isUnprotected, type JwtOptions, jwtSchema } from './schema.ts';
import { createTokenReader, type TokenPlace } from './token-place.ts';
import { createKey, isUsable, parseJwk, type UnusableKey, type VerificationKey } from './verification-key.ts';
import { TokenVerifier } from './verifier.ts';

/** Without an error: nobody tried anything (RFC 6750 section 3.1). */
const NO_TOKEN: AuthenticationRefusal = { reason: 'no token' };

const NO_ONE_TOKEN: AuthenticationRefusal = {
  reason: 'the token is empty, or there are several that differ',
  error: 'error="invalid_token"',
};

/** Of keys by discovery, for which nothing else can be said. */
const DISCOVERED = { cacheFor: 600_000, minRefreshInterval: 30_000, timeout: 5_000 };

export const jwt = defineAuthentication({
  name: 'jwt',
  schema: jwtSchema,
  check: problemsOf,
  ownHeaders: ({ forward }: JwtOptions) => Object.keys(forward),
  secretNames: ({ from }: JwtOptions) => from.flatMap((place) => Object.values(place)),
  create(options: JwtOptions, services) {
    const verifier = verifierOf(options, services);
    const read = createTokenReader(options.from);
    return {
      challenge: 'Bearer realm="portico"',
      effect: effectOf(options),
      isPresent: (exchange) => read(exchange) !== null,
      authenticate(exchange) {
        const token = read(exchange);
        if (token === null) return NO_TOKEN;
        if (token === '') return NO_ONE_TOKEN;
        return verifier.find(token) ?? verifier.verify(token);
      },
    };
  },
});

/** What verifying takes of what a policy is given. */
export type VerifierServices = Pick<PolicyServices, 'clock' | 'timers' | 'logger' | 'http' | 'config' | 'share'>;

/**
 * The verifier of these options, one for all uses that have the same, with what it remembers. Throws an `Error` in words for
 * people where the keys are of no use.
 */
export function verifierOf(options: JwtOptions, services: VerifierServices): TokenVerifier {
  // Both are asked for by every use: each lives as long as somebody does.
  const keys = keySourceOf(options, services);
  const { from: _, ...deciding } = options;
  const { accounts, digest } = memoOf(services.config);
  const key = createHash('sha256')
    .update(JSON.stringify([deciding, digest]))
    .digest('hex');
  return services.share(`jwt tokens ${key}`, () => {
    const { issuer, audience = [], clockSkew, forward } = options;
    const algorithms = allowedAlgorithms(options, keys);
    const rules = { issuer, audience, algorithms, clockSkew, claims: createClaimRules(options.claims), forward };
    return new TokenVerifier(rules, keys, accounts, services.clock);
  });
}

function keySourceOf(options: JwtOptions, services: VerifierServices): FixedKeys | RemoteKeys {
  const { jwks, discovery, issuer } = options;
  if (jwks === undefined && !discovery) return new FixedKeys(fixedKeys(options));
  const remote: RemoteKeysOptions =
    jwks === undefined ? { url: issuer as string, isIssuer: true, ...DISCOVERED } : { ...jwks, isIssuer: false };
  return services.share(`jwt keys ${JSON.stringify(remote)}`, () => new RemoteKeys(remote, services));
}

/** Keys that the options hold themselves. */
function fixedKeys({ secret, publicKey, publicKeyFile, keys = [], algorithms }: JwtOptions): VerificationKey[] {
  if (secret !== undefined)
    return [usable(createKey(createSecretKey(Buffer.from(secret)), null, algorithms), '`secret`')];
  if (publicKey !== undefined) {
    const name = publicKeyFile === undefined ? '`publicKey`' : '`publicKeyFile`';
    return [usable(createKey(parsePublicKey(publicKey), null, algorithms), name)];
  }
  if (publicKeyFile !== undefined) throw new Error('the file of `publicKeyFile` was not read');
  // Of several keys each may be for another algorithm; that each algorithm has one was seen to before.
  return keys.map((jwk) => parseJwk(jwk, true, algorithms)).filter(isUsable);
}

function usable(key: VerificationKey | UnusableKey, name: string): VerificationKey {
  if (isUsable(key)) return key;
  throw new Error(`the key of ${name} ${key.problem}`);
}

/** What a token may name: by the options, else by the kinds of the keys, and never by the token. */
function allowedAlgorithms({ algorithms }: JwtOptions, keys: KeySource): ReadonlySet<string> {
  if (algorithms !== undefined) return new Set(algorithms);
  return keys instanceof FixedKeys ? keys.algorithms() : new Set(PUBLIC_ALGORITHMS);
}

interface AccountsMemo {
  readonly accounts: Accounts;
  readonly digest: string;
}

/** Of the configurations that are in use: with many routes and consumers it is dear to make one for each use. */
const memos = new WeakMap<AccessConfig, AccountsMemo>();

function memoOf(config: AccessConfig): AccountsMemo {
  let memo = memos.get(config);
  if (memo === undefined) {
    const accounts = new Accounts(config);
    memo = { accounts, digest: createHash('sha256').update(accounts.fingerprint).digest('hex') };
    memos.set(config, memo);
  }
  return memo;
}

function problemsOf({ secret, algorithms = [], jwks, discovery, issuer }: JwtOptions): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const warn = (code: PolicyProblem['code'], path: (string | number)[], message: string): void => {
    problems.push({ severity: 'warning', code, path, message });
  };
  const length = secret === undefined ? Number.POSITIVE_INFINITY : Buffer.byteLength(secret);
  const wide = algorithms.find((name: Algorithm) => hashLength(name) > length);
  if (wide !== undefined) {
    const message = `the secret is shorter than the ${hashLength(wide)} bytes that ${wide} asks for (RFC 7518 section 3.2)`;
    warn('weak_secret', ['secret'], message);
  }
  const [path, url] = jwks === undefined ? [['issuer'], discovery ? issuer : undefined] : [['jwks', 'url'], jwks.url];
  if (url !== undefined && isUnprotected(url)) {
    warn('insecure_url', path, 'is not https: whoever is in between can say which keys are good');
  }
  return problems;
}

function effectOf({ issuer, audience, algorithms, from, claims, ...keys }: JwtOptions): string {
  const of = issuer === undefined ? '' : ` of ${issuer}`;
  const to = audience === undefined ? '' : ` for ${audience.join(' or ')}`;
  const by = algorithms === undefined ? '' : `, ${algorithms.join(', ')}`;
  const also = Object.keys(claims);
  const asked = also.length === 0 ? '' : `, with ${also.join(', ')} as asked`;
  return `takes tokens${of}${to} from ${from.map(placeText).join(' or ')}${by}, verified by ${keysText(keys)}${asked}`;
}

function placeText(place: TokenPlace): string {
  if ('header' in place) return `the header ${place.header}`;
  return 'cookie' in place ? `the cookie ${place.cookie}` : `the query parameter ${place.query}`;
}

function keysText({ secret, keys, jwks, discovery }: Partial<JwtOptions>): string {
  if (secret !== undefined) return 'a shared secret';
  if (keys !== undefined) return keys.length === 1 ? 'a key' : `${keys.length} keys`;
  if (jwks !== undefined) return `keys from ${new URL(jwks.url).host}`;
  return discovery === true ? 'keys that the issuer publishes' : 'a public key';
}
