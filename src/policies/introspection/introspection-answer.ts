/** What an introspection endpoint says of a token (RFC 7662 section 2.2), read without forgiving anything. */
import type { Accounts } from '../../pipeline/accounts.ts';
import { createIdentity, type Identity } from '../../pipeline/identity.ts';

/** The answer is none that RFC 7662 knows; the message never quotes it. */
export class IntrospectionAnswerError extends Error {
  override readonly name = 'IntrospectionAnswerError';
}

export interface ActiveToken {
  readonly identity: Identity;
  /** Milliseconds since the epoch before which it is not valid; null where the answer does not say. */
  readonly notBefore: number | null;
  /** When it ends, likewise. */
  readonly expires: number | null;
}

/** Who has the token; null for one that is not active. Throws IntrospectionAnswerError. */
export function parseIntrospectionAnswer(status: number, body: string, accounts: Accounts): ActiveToken | null {
  // That of a gateway that may not ask (section 2.3) says nothing about the token.
  if (status !== 200) throw new IntrospectionAnswerError(`the answer has the status ${status}`);
  const claims = objectOf(body);
  const active = Object.hasOwn(claims, 'active') ? claims.active : undefined;
  if (active === false) return null;
  if (active !== true) throw new IntrospectionAnswerError('`active` is neither true nor false');
  const consumer = accounts.isDeclared(claims.consumer) ? claims.consumer : null;
  const identity = createIdentity({
    kind: 'introspection',
    subject: text(claims, 'sub') || text(claims, 'username') || text(claims, 'client_id'),
    roles: rolesOf(claims),
    scopes: scopesOf(claims),
    claims,
    consumer,
    tier: accounts.tierOf(claims.tier, consumer),
    credential: text(claims, 'jti'),
  });
  return { identity, notBefore: time(claims, 'nbf'), expires: time(claims, 'exp') };
}

function objectOf(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new IntrospectionAnswerError('the answer is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new IntrospectionAnswerError('the answer is not a JSON object');
}

/** A member that is not there is null to some servers. */
function member(claims: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(claims, name) ? (claims[name] ?? undefined) : undefined;
}

function text(claims: Record<string, unknown>, name: string): string {
  const value = member(claims, name);
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  throw new IntrospectionAnswerError(`\`${name}\` is not a string`);
}

/** Words in one string (RFC 7662 section 2.2), or a list of them, as some servers have it. */
function scopesOf(claims: Record<string, unknown>): readonly string[] {
  const value = member(claims, 'scope') ?? [];
  const words: unknown = typeof value === 'string' ? value.split(' ') : value;
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) {
    return words.filter((word) => word !== '');
  }
  throw new IntrospectionAnswerError('`scope` is not a string');
}

/** No RFC knows them: what is of another form names nobody's roles. */
function rolesOf(claims: Record<string, unknown>): readonly string[] {
  const realm = member(claims, 'realm_access') as { roles?: unknown } | undefined;
  const value = member(claims, 'roles') ?? member(claims, 'role') ?? realm?.roles;
  const names: unknown[] = typeof value === 'string' ? value.split(/[\s,]+/) : Array.isArray(value) ? value : [];
  // Upstreams are told of them in one list.
  return names.filter((name): name is string => typeof name === 'string' && name !== '' && !name.includes(','));
}

function time(claims: Record<string, unknown>, name: string): number | null {
  const value = member(claims, name);
  if (value === undefined) return null;
  if (typeof value === 'number') return value * 1000;
  throw new IntrospectionAnswerError(`\`${name}\` is not a number`);
}
