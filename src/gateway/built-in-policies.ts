/** The one explicit list of the policies that come with Portico. */
import type { PolicySchemas } from '../config/policy-schemas.ts';
import { type Authentication, policyOf } from '../pipeline/authentication.ts';
import type { Policy } from '../pipeline/policy.ts';
import { anonymous } from '../policies/anonymous/index.ts';
import { createAnyOf } from '../policies/any-of/index.ts';
import { cors } from '../policies/cors/index.ts';
import { rateLimit } from '../policies/rate-limit/index.ts';
import { requestHeaders } from '../policies/request-headers/index.ts';
import { responseHeaders } from '../policies/response-headers/index.ts';

/** What finds out who calls: each a policy by itself, and an item of `anyOf`. */
const authentications = [anonymous] as unknown as readonly Authentication<never>[];

const list = [
  cors,
  ...authentications.map((one) => policyOf(one)),
  createAnyOf(authentications),
  rateLimit,
  requestHeaders,
  responseHeaders,
] as unknown as readonly Policy[];

/** By the name that stands in a config's `policies` lists. */
export const builtInPolicies: ReadonlyMap<string, Policy> = new Map(list.map((policy) => [policy.name, policy]));

/** The built-in policies as config wants to see them. */
export const builtInSchemas: PolicySchemas = {
  names: () => [...builtInPolicies.keys()],
  schemaOf: (name) => builtInPolicies.get(name)?.schema,
  problemsOf: (name, options, config) => builtInPolicies.get(name)?.check?.(options, config) ?? [],
};
