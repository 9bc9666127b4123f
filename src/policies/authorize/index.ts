/** `authorize`: whether whoever calls may do so. What was missing is said in the log alone. */
import type { Clock } from '../../base/clock.ts';
import type { AccessConfig, PolicyProblem } from '../../config/policy-schemas.ts';
import { refusalReply } from '../../pipeline/authentication.ts';
import { createClaimRules, fulfils } from '../../pipeline/claim-rule.ts';
import { compileExpression, ExpressionFailure } from '../../pipeline/expression.ts';
import { grants, type Identity } from '../../pipeline/identity.ts';
import { definePolicy, type PolicyExchange, type Reply } from '../../pipeline/policy.ts';
import { type AuthorizeOptions, authorizeSchema } from './schema.ts';

/** One rule of a use; `missing` is what to log of a caller who does not fulfil it. */
interface IdentityRule {
  isMet(identity: Identity): boolean;
  readonly missing: string;
}

/** Words for the client, the same whatever was missing. */
const DETAIL = 'the caller may not do this';

export const authorize = definePolicy({
  name: 'authorize',
  phase: 'authorize',
  schema: authorizeSchema,
  check: ungranted,
  // A condition may be true of nobody.
  asksWho: ({ roles, scopes, permissions, claims = {} }) =>
    (roles ?? scopes ?? permissions) !== undefined || Object.keys(claims).length > 0,
  create(options, { clock, config }) {
    const rules = rulesOf(options, config);
    const refusals = rules.map(({ missing }) => forbidden(missing));
    const condition = options.when === undefined ? null : createCondition(options.when, clock);
    const asksWho = rules.length > 0 || condition?.readsIdentity === true;
    const nobody = refusalReply({ reason: 'nobody is known to call' }, 'Bearer');
    return {
      effect: effectOf(options),
      onRequest(exchange) {
        const { identity } = exchange;
        const known = identity !== null && identity.kind !== 'anonymous';
        // Whoever has not said who they are may still do so: that is 401, and not 403.
        if (identity === null && rules.length > 0) return nobody;
        for (let i = 0; i < rules.length; i++) {
          if (!rules[i].isMet(identity as Identity)) return known ? refusals[i] : nobody;
        }
        const refusal = condition === null ? undefined : condition.judge(exchange);
        return refusal !== undefined && asksWho && !known ? nobody : refusal;
      },
    };
  },
});

function forbidden(missing: string): Reply {
  return { status: 0, headers: {}, body: '', code: 'forbidden', detail: DETAIL, reason: missing };
}

function rulesOf({ roles, scopes, permissions, claims }: AuthorizeOptions, config: AccessConfig): IdentityRule[] {
  const rules: IdentityRule[] = [];
  if (roles !== undefined) {
    const missing = `none of the roles ${roles.join(', ')}`;
    rules.push({ missing, isMet: (identity) => holdsOne(identity.roles, roles) });
  }
  for (const scope of scopes ?? []) {
    rules.push({ missing: `not the scope ${scope}`, isMet: (identity) => identity.scopes.includes(scope) });
  }
  for (const permission of permissions ?? []) {
    const granting = rolesGranting(permission, config);
    const isMet = (identity: Identity): boolean => holdsPermission(identity, permission, granting);
    rules.push({ missing: `not the permission ${permission}`, isMet });
  }
  for (const rule of createClaimRules(claims ?? {})) {
    rules.push({ missing: `another claim ${rule.name}`, isMet: (identity) => fulfils(identity.claims, rule) });
  }
  return rules;
}

function holdsOne(held: readonly string[], wanted: readonly string[]): boolean {
  for (let i = 0; i < held.length; i++) if (wanted.includes(held[i])) return true;
  return false;
}

function rolesGranting(permission: string, { roles }: AccessConfig): string[] {
  return Object.keys(roles).filter((role) => roles[role].some((granted) => grants(granted, permission)));
}

function holdsPermission(identity: Identity, permission: string, granting: readonly string[]): boolean {
  if (holdsOne(identity.roles, granting)) return true;
  if (grantedBy(identity.scopes, permission)) return true;
  const { claims } = identity;
  return Object.hasOwn(claims, 'permissions') && Array.isArray(claims.permissions)
    ? grantedBy(claims.permissions, permission)
    : false;
}

/** `list` may be a claim: what it holds is not known to be text. */
function grantedBy(list: readonly unknown[], permission: string): boolean {
  for (let i = 0; i < list.length; i++) {
    const granted = list[i];
    if (typeof granted === 'string' && grants(granted, permission)) return true;
  }
  return false;
}

interface Condition {
  readonly readsIdentity: boolean;
  judge(exchange: PolicyExchange): Reply | undefined;
}

function createCondition(source: string, clock: Clock): Condition {
  const expression = compileExpression(source, 'condition');
  const untrue = forbidden('the condition is not true');
  return {
    readsIdentity: expression.readsIdentity,
    judge(exchange) {
      const value = expression.evaluate(exchange, clock);
      if (value === true) return undefined;
      return value instanceof ExpressionFailure ? forbidden(`the condition failed: ${value.reason}`) : untrue;
    },
  };
}

/** Permissions that nobody has by a role or by a key of the configuration. */
function ungranted({ permissions = [] }: AuthorizeOptions, { roles, consumers }: AccessConfig): PolicyProblem[] {
  if (Object.keys(roles).length === 0) return [];
  const keys = consumers.flatMap(({ apiKeys }) => apiKeys.flatMap(({ scopes }) => scopes));
  const granted = [...Object.values(roles).flat(), ...keys];
  return permissions.flatMap((permission, index): PolicyProblem[] => {
    if (granted.some((one) => grants(one, permission))) return [];
    return [
      {
        severity: 'warning',
        code: 'ungranted_permission',
        path: ['permissions', index],
        message: 'no role and no key in this file grants this permission',
        known: [...new Set(granted)].filter((one) => !one.includes('*')),
      },
    ];
  });
}

function effectOf({ roles, scopes, permissions, claims, when }: AuthorizeOptions): string {
  const parts: string[] = [];
  if (roles !== undefined) parts.push(`one of the roles ${roles.join(', ')}`);
  if (scopes !== undefined) parts.push(`the scopes ${scopes.join(', ')}`);
  if (permissions !== undefined) parts.push(`the permissions ${permissions.join(', ')}`);
  if (claims !== undefined) parts.push(`the claims ${Object.keys(claims).join(', ')}`);
  if (when !== undefined) parts.push(`that ${when}`);
  return `asks for ${parts.join('; and ')}`;
}
