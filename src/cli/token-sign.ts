/** Makes signed tokens for trying: by a key that is given, or by that of a route. */
import { createPrivateKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SignJWT } from 'jose';
import { DurationError, parseDuration } from '../base/duration.ts';
import { OperatorError } from '../base/errors.ts';
import { type Algorithm, algorithmsOf, possibleAlgorithms, SHORTEST_SECRET } from '../policies/jwt/algorithms.ts';
import type { JwtOptions } from '../policies/jwt/schema.ts';
import type { CommandIo, ParsedArgs } from './command.ts';
import { routeTokens, secretOf } from './token-route.ts';

interface SigningKey {
  readonly key: KeyObject;
  readonly id?: string | undefined;
}

/** Claims that are text whatever they look like (RFC 7519 section 4.1). */
const TEXTS: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'jti']);

/** The token. Throws OperatorError where there is no key that could sign it. */
export async function signToken(parsed: ParsedArgs, io: CommandIo): Promise<string> {
  const uses = (await routeTokens(parsed, io))?.uses ?? [];
  const [use] = uses;
  const { key, id } = givenKey(parsed, io) ?? keyOfRoute(uses);
  const algorithm = algorithmFor(key, parsed.text('alg') ?? use?.algorithms?.[0]);
  const now = Math.floor(Date.now() / 1000);
  const claims = { ...claimsOfRoute(use), iat: now, exp: now + lifetime(parsed), ...givenClaims(parsed) };
  const kid = parsed.text('kid') ?? id;
  const header = { alg: algorithm, typ: 'JWT', ...(kid === undefined ? {} : { kid }) };
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

function givenKey(parsed: ParsedArgs, io: CommandIo): SigningKey | null {
  const file = parsed.text('key');
  const secret = secretOf(parsed, io);
  if (file !== undefined && secret !== undefined) throw new OperatorError('give a key or a secret, not both');
  if (file !== undefined) return privateKeyIn(file, io);
  return secret === undefined ? null : { key: secretKey(Buffer.from(secret)) };
}

function privateKeyIn(file: string, io: CommandIo): SigningKey {
  let text: string;
  try {
    text = readFileSync(resolve(io.cwd, file), 'utf8');
  } catch (error) {
    throw new OperatorError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    if (!text.trimStart().startsWith('{')) return { key: createPrivateKey(text) };
    const jwk = JSON.parse(text) as JsonWebKey & { kid?: string };
    if (jwk.kty === 'oct') return { key: secretKey(Buffer.from(String(jwk.k), 'base64url')), id: jwk.kid };
    return { key: createPrivateKey({ key: jwk, format: 'jwk' }), id: jwk.kid };
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`${file} holds no private key in PEM without a passphrase, and none as a JSON Web Key`);
  }
}

function secretKey(bytes: Buffer): KeyObject {
  if (bytes.length < SHORTEST_SECRET) throw new OperatorError(`a secret needs at least ${SHORTEST_SECRET} bytes`);
  return createSecretKey(bytes);
}

/** Only shared secrets stand in a configuration. */
function keyOfRoute(uses: readonly JwtOptions[]): SigningKey {
  for (const { secret, keys = [] } of uses) {
    if (secret !== undefined) return { key: secretKey(Buffer.from(secret)) };
    const shared = keys.find(({ kty }) => kty === 'oct') as (JsonWebKey & { kid?: string }) | undefined;
    if (shared !== undefined) return { key: secretKey(Buffer.from(String(shared.k), 'base64url')), id: shared.kid };
  }
  const hint = 'give --secret-env NAME or --key FILE';
  throw new OperatorError(
    uses.length === 0 ? `no key to sign with: ${hint}` : `the route knows no private key: ${hint}`,
  );
}

function algorithmFor(key: KeyObject, wanted: string | undefined): string {
  const possible = possibleAlgorithms(key);
  if (possible.length === 0) throw new OperatorError('the key is of no kind, curve or length that can sign tokens');
  if (wanted === undefined) return algorithmsOf(key)[0];
  if (possible.includes(wanted as Algorithm)) return wanted;
  throw new OperatorError(`the key is not for ${wanted}, but for ${possible.join(', ')}`);
}

function lifetime(parsed: ParsedArgs): number {
  try {
    return Math.floor(parseDuration(parsed.text('expires-in') ?? '1h') / 1000);
  } catch (error) {
    if (error instanceof DurationError) throw new OperatorError(`--expires-in ${error.message}`);
    throw error;
  }
}

/** What the route asks for, so that the token is one that it takes. */
function claimsOfRoute(use: JwtOptions | undefined): Record<string, unknown> {
  if (use === undefined) return {};
  const { issuer, audience, claims: rules } = use;
  const claims: Record<string, unknown> = {};
  if (issuer !== undefined) claims.iss = issuer;
  if (audience !== undefined) claims.aud = audience[0];
  for (const [name, rule] of Object.entries(rules)) claims[name] = typeof rule === 'object' ? rule.oneOf[0] : rule;
  return claims;
}

function givenClaims(parsed: ParsedArgs): Record<string, unknown> {
  const claims: [string, unknown][] = [];
  const audience = parsed.list('audience');
  const named = { iss: parsed.text('issuer'), sub: parsed.text('subject') };
  for (const [name, value] of Object.entries(named)) if (value !== undefined) claims.push([name, value]);
  if (audience.length > 0) claims.push(['aud', audience.length === 1 ? audience[0] : audience]);
  for (const text of parsed.list('claim')) {
    const equals = text.indexOf('=');
    if (equals < 1) throw new OperatorError(`--claim ${text}: write NAME=VALUE`);
    const name = text.slice(0, equals);
    claims.push([name, claimValue(name, text.slice(equals + 1))]);
  }
  return Object.fromEntries(claims);
}

function claimValue(name: string, text: string): unknown {
  if (TEXTS.has(name) && !text.startsWith('[')) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? text : value;
  } catch {
    return text;
  }
}
