/** The one explicit list of the policies that come with Portico. */
import type { PolicySchemas } from '../config/policy-schemas.ts';
import type { Policy } from '../pipeline/policy.ts';
import { cors } from '../policies/cors/index.ts';
import { requestHeaders } from '../policies/request-headers/index.ts';
import { responseHeaders } from '../policies/response-headers/index.ts';

const list: readonly Policy<never>[] = [cors, requestHeaders, responseHeaders] as unknown as readonly Policy<never>[];

/** By the name that stands in a config's `policies` lists. */
export const builtInPolicies: ReadonlyMap<string, Policy> = new Map(
  list.map((policy) => [policy.name, policy as unknown as Policy]),
);

/** The built-in policies as config wants to see them. */
export const builtInSchemas: PolicySchemas = {
  names: () => [...builtInPolicies.keys()],
  schemaOf: (name) => builtInPolicies.get(name)?.schema,
};
