/** Who a verified token says its bearer is. */
import type { Accounts } from '../../pipeline/accounts.ts';
import { claimAt } from '../../pipeline/claim-rule.ts';
import { createIdentity, type Identity } from '../../pipeline/identity.ts';
import type { Claims } from './claims.ts';

/** The first of them that is there says the roles. */
const ROLES = ['roles', 'role', 'realm_access.roles'];

/** The first of them that is there says the scopes; `permissions` come beside them. */
const SCOPES = ['scope', 'scp', 'scopes'];

/** `forward`: claims by the header that tells the upstream of them. */
export function identityOf(claims: Claims, forward: Readonly<Record<string, string>>, accounts: Accounts): Identity {
  const { sub, jti, tier } = claims;
  const consumer = accounts.isDeclared(claims.consumer) ? claims.consumer : null;
  return createIdentity({
    kind: 'jwt',
    subject: typeof sub === 'string' ? sub : '',
    roles: namesIn(firstOf(claims, ROLES), /[\s,]+/).filter((role) => !role.includes(',')),
    scopes: [...new Set([...namesIn(firstOf(claims, SCOPES), /\s+/), ...namesIn(claims.permissions, /\s+/)])],
    claims,
    consumer,
    tier: accounts.tierOf(tier, consumer),
    credential: typeof jti === 'string' ? jti : '',
    forward: Object.fromEntries(
      Object.entries(forward).map(([header, name]) => [header, textOf(claimAt(claims, name))]),
    ),
  });
}

function firstOf(claims: Claims, names: readonly string[]): unknown {
  for (const name of names) {
    const value = claimAt(claims, name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Names in a list, or in one string with separators between them. What is no string names nothing. */
function namesIn(value: unknown, separators: RegExp): string[] {
  const list = typeof value === 'string' ? value.split(separators) : Array.isArray(value) ? value : [];
  return list.filter((name): name is string => typeof name === 'string' && name !== '');
}

/** A claim as the value of a field; undefined where it is not there. Lists are joined, maps are JSON. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.map((item) => textOf(item) ?? '').join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
