/** Claims of credentials: looked up by name or by a path of names, and held to what a rule asks: a value, or one of several. */
import { z } from 'zod';

const valueSchema = z.union([z.string(), z.number(), z.boolean()], {
  error: 'expected a string, a number, true, false, or { oneOf: [...] }',
});

const ruleSchema = z.union(
  [valueSchema, z.strictObject({ oneOf: z.array(valueSchema).min(1).describe('Values, one of which it must have') })],
  { error: 'expected a string, a number, true, false, or { oneOf: [...] }' },
);

/** Rules by the name of the claim. */
export const claimRulesSchema = z.record(z.string().min(1), ruleSchema);

type Value = z.output<typeof valueSchema>;

export interface ClaimRule {
  readonly name: string;
  readonly oneOf: readonly Value[];
}

export function createClaimRules(rules: z.output<typeof claimRulesSchema>): ClaimRule[] {
  return Object.entries(rules).map(([name, rule]) => ({
    name,
    oneOf: typeof rule === 'object' ? rule.oneOf : [rule],
  }));
}

/** The claim of this name, else what the path of names leads to: `realm_access.roles`. Undefined where there is none. */
export function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  // The whole name first: names such as https://example.com/roles hold dots themselves.
  if (Object.hasOwn(claims, name)) return claims[name];
  if (!name.includes('.')) return undefined;
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** True where the claim has one of the values, or is a list that holds one; types count, so that `"1"` is not `1`. */
export function fulfils(claims: Readonly<Record<string, unknown>>, { name, oneOf }: ClaimRule): boolean {
  const claim = claimAt(claims, name);
  if (!Array.isArray(claim)) return oneOf.includes(claim as Value);
  for (let i = 0; i < claim.length; i++) if (oneOf.includes(claim[i])) return true;
  return false;
}
