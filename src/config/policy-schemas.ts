/** How config learns of policies, which stand above it: a look-up handed in, and the list made from it. */
import { z } from 'zod';
import type { ConsumerConfig, TierConfig } from './access-schema.ts';
import type { FindingCode, Severity } from './finding.ts';
import type { ValuePath } from './source-tree.ts';

/**
 * The policies known to this process, by name. `gateway` hands in the real list, tests hand in small ones. One object
 * gives the same answers as long as it lives, since schemas made from it are kept: another set is another object.
 */
export interface PolicySchemas {
  /** Every policy name, in the order in which it should be shown to people. */
  names(): string[];
  /** The schema of a policy's options, or undefined for an unknown name. */
  schemaOf(name: string): z.ZodType | undefined;
  /** What a policy finds wrong with sound options in this configuration. */
  problemsOf?(name: string, options: unknown, config: AccessConfig): readonly PolicyProblem[];
  /** What a use has to do with who calls: it finds out, or asks and refuses whoever is not known; null for neither. */
  callerIn?(name: string, options: unknown): 'finds' | 'asks' | null;
}

/** What the configuration says of who may call and how much, beside the policies themselves. */
export interface AccessConfig {
  readonly tiers: Readonly<Record<string, TierConfig>>;
  /** Permissions by role. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
  readonly consumers: readonly ConsumerConfig[];
}

/** Something wrong with the options of a policy; `path` begins at the options, and `message` is as in `Report`. */
export interface PolicyProblem {
  readonly severity: Severity;
  readonly code: FindingCode;
  readonly path: ValuePath;
  readonly message: string;
  /** Names among which the nearest to the value is suggested. */
  readonly known?: readonly string[];
}

/** One use of a policy: its name, and its options after validation and defaults. */
export interface PolicyUse {
  name: string;
  options: unknown;
}

/** What a file says for one policy: a map with one key, the policy's name. */
export type PolicyInput = Record<string, unknown>;

/** A configuration without any policy: for tests of everything else. */
export const noPolicies: PolicySchemas = { names: () => [], schemaOf: () => undefined };

/** The list of policies of a route, a service or the whole gateway. */
export function createPolicyListSchema(policies: PolicySchemas): z.ZodType<PolicyUse[], PolicyInput[]> {
  const shape: Record<string, z.ZodType> = {};
  for (const name of policies.names()) {
    const schema = policies.schemaOf(name);
    if (schema !== undefined) shape[name] = schema.optional();
  }
  const item = z
    .strictObject(shape)
    .check((context) => {
      const names = Object.keys(context.value);
      if (context.issues.length > 0 || names.length === 1) return;
      context.issues.push({
        code: 'custom',
        input: context.value,
        message:
          names.length === 0
            ? 'expected one policy, found none'
            : `holds ${names.length} policies (${names.join(', ')}): begin a new item for each`,
      });
    })
    .transform((value): PolicyUse => {
      const name = Object.keys(value)[0];
      return { name, options: value[name] };
    })
    .meta({ minProperties: 1, maxProperties: 1 });
  return z.array(item) as unknown as z.ZodType<PolicyUse[], PolicyInput[]>;
}
