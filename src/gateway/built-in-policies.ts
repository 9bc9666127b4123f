/** The one explicit list of the policies that come with Portico. */
import type { PolicySchemas } from '../config/policy-schemas.ts';
import { type Authentication, policyOf } from '../pipeline/authentication.ts';
import type { Policy } from '../pipeline/policy.ts';
import { anonymous } from '../policies/anonymous/index.ts';
import { createAnyOf } from '../policies/any-of/index.ts';
import { apiKey } from '../policies/api-key/index.ts';
import { authorize } from '../policies/authorize/index.ts';
import { basicAuth } from '../policies/basic-auth/index.ts';
import { bodyLimit } from '../policies/body-limit/index.ts';
import { concurrency } from '../policies/concurrency/index.ts';
import { cors } from '../policies/cors/index.ts';
import { externalAuth } from '../policies/external-auth/index.ts';
import { introspection } from '../policies/introspection/index.ts';
import { ipFilter } from '../policies/ip-filter/index.ts';
import { jwt } from '../policies/jwt/index.ts';
import { rateLimit } from '../policies/rate-limit/index.ts';
import { requestHeaders } from '../policies/request-headers/index.ts';
import { responseHeaders } from '../policies/response-headers/index.ts';
import { securityHeaders } from '../policies/security-headers/index.ts';

/** What finds out who calls: each a policy by itself, and an item of `anyOf`. */
const authentications = [
  jwt,
  apiKey,
  introspection,
  basicAuth,
  externalAuth,
  anonymous,
] as unknown as readonly Authentication<never>[];

const list = [
  cors,
  ipFilter,
  ...authentications.map((one) => policyOf(one)),
  createAnyOf(authentications),
  authorize,
  bodyLimit,
  rateLimit,
  concurrency,
  requestHeaders,
  responseHeaders,
  securityHeaders,
] as unknown as readonly Policy[];

/** By the name that stands in a config's `policies` lists. */
export const builtInPolicies: ReadonlyMap<string, Policy> = new Map(list.map((policy) => [policy.name, policy]));

/** The built-in policies as config wants to see them. */
export const builtInSchemas: PolicySchemas = {
  names: () => [...builtInPolicies.keys()],
  schemaOf: (name) => builtInPolicies.get(name)?.schema,
  problemsOf: (name, options, config) => builtInPolicies.get(name)?.check?.(options, config) ?? [],
  callerIn(name, options) {
    const policy = builtInPolicies.get(name);
    if (policy?.phase === 'authenticate') return 'finds';
    return policy?.asksWho?.(options) === true ? 'asks' : null;
  },
};
