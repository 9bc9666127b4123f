/** Checks of who may call and how much: names that must be there, and what policies say of their own options. */
import type { z } from 'zod';
import { checkCallers } from './check-caller.ts';
import type { CheckContext } from './check-context.ts';
import type { PolicySchemas, PolicyUse } from './policy-schemas.ts';
import type { GatewaySchema } from './schema.ts';
import type { ValuePath } from './source-tree.ts';

type Parsed = z.output<GatewaySchema>;

export function checkAccess(config: Parsed, policies: PolicySchemas, context: CheckContext): void {
  const tiers = Object.keys(config.tiers);
  const ids = new Map<string, string>();
  const names = new Map<string, number>();
  for (const [index, consumer] of config.consumers.entries()) {
    const path: ValuePath = ['consumers', index];
    const before = names.get(consumer.name);
    if (before === undefined) names.set(consumer.name, index);
    else duplicate([...path, 'name'], `the name is taken: \`consumers[${before}]\` has it already`, context);
    checkTier(consumer.tier, [...path, 'tier'], tiers, context);
    for (const [at, key] of consumer.apiKeys.entries()) {
      const place: ValuePath = [...path, 'apiKeys', at];
      const owner = ids.get(key.id);
      if (owner === undefined) ids.set(key.id, context.nameOf(place));
      else duplicate([...place, 'id'], `the id is taken: \`${owner}\` has it already`, context);
      checkTier(key.tier, [...place, 'tier'], tiers, context);
    }
  }
  checkPolicies(config.policies, ['policies'], config, policies, context);
  for (const [index, { policies: uses }] of config.services.entries())
    checkPolicies(uses, ['services', index, 'policies'], config, policies, context);
  for (const [index, { policies: uses }] of config.routes.entries())
    if (!context.isKnown(index)) checkPolicies(uses, ['routes', index, 'policies'], config, policies, context);
  checkCallers(config, policies, context);
}

function duplicate(path: ValuePath, message: string, context: CheckContext): void {
  context.report({ severity: 'error', code: 'duplicate_name', path, message });
}

function checkTier(tier: string | undefined, path: ValuePath, known: readonly string[], context: CheckContext): void {
  if (tier === undefined || known.includes(tier)) return;
  context.report({ severity: 'error', code: 'unknown_tier', path, message: 'no tier has this name', known });
}

function checkPolicies(
  uses: readonly PolicyUse[],
  path: ValuePath,
  { tiers, roles, consumers }: Parsed,
  policies: PolicySchemas,
  context: CheckContext,
): void {
  for (const [index, { name, options }] of uses.entries()) {
    for (const problem of policies.problemsOf?.(name, options, { tiers, roles, consumers }) ?? []) {
      context.report({ ...problem, path: [...path, index, name, ...problem.path] });
    }
  }
}
