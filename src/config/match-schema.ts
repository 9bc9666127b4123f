/** The schema of what a route asks of a request: `match` and the maps nested in it. */
import { z } from 'zod';
import { hostNameProblem, parseHost } from '../base/address.ts';
import { isToken } from '../base/token.ts';
import { headerMap, headerNameSchema } from './header-schema.ts';
import { checkPathTemplate, pathPrefixProblem } from './path-template.ts';
import { nameSchema, patternSchema } from './scalar-schema.ts';

/** A predicate on one value: the exact value, a regular expression, or whether it is there at all. */
export type ValueMatch = string | { regex: string } | { present: boolean };

const conditionSchema = z
  .strictObject({
    regex: patternSchema
      .optional()
      .describe('Regular expression (RE2 syntax) found anywhere in the value unless anchored'),
    present: z.boolean().optional().describe('Whether the value must be there (`true`) or must not (`false`)'),
  })
  .check((context) => {
    if (context.issues.length > 0 || Object.keys(context.value).length === 1) return;
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: 'needs exactly one of `regex` and `present`',
    });
  })
  .meta({ minProperties: 1, maxProperties: 1 });

const valueMatchSchema = z.union([z.string(), conditionSchema], {
  error: 'expected a string (quote numbers and booleans), { regex: ... } or { present: true }',
}) as unknown as z.ZodType<ValueMatch, ValueMatch>;

const hostSchema = z
  .string()
  .transform((text, context): string => {
    const wildcard = text.startsWith('*.');
    const host = wildcard ? text.slice(2) : text;
    const problem = hostProblem(host, wildcard);
    if (problem !== null) {
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    }
    return wildcard ? `*.${host.toLowerCase()}` : host.startsWith('[') ? `[${parseHost(host)}]` : host.toLowerCase();
  })
  .describe('Exact host, or `*.` and a domain for any host below it; without a port');

function hostProblem(host: string, wildcard: boolean): string | null {
  if (host === '*') return 'is every host: leave `hosts` out';
  if (host.includes('*')) return 'has a `*` that is not its whole first label, as in *.example.com';
  if (host.startsWith('[') && !wildcard) {
    try {
      parseHost(host);
      return null;
    } catch {
      return 'has a malformed IPv6 address in its brackets';
    }
  }
  if (/:[0-9]*$/.test(host)) return 'names a port: hosts are matched without it';
  return hostNameProblem(host);
}

const pathSchema = z.string().check((context) => {
  const { problem } = checkPathTemplate(context.value);
  if (problem !== null) context.issues.push({ code: 'custom', input: context.value, message: problem });
});

export const pathPrefixSchema = z.string().check((context) => {
  const problem = pathPrefixProblem(context.value);
  if (problem !== null) context.issues.push({ code: 'custom', input: context.value, message: problem });
});

const methodSchema = z.string().refine(isToken, { error: 'is not a method name' });
const cookieNameSchema = z.string().refine(isToken, { error: 'is not a cookie name (RFC 6265, 4.1.1)' });

/** Predicates that must all hold. At most one of `path`, `pathPrefix` and `pathRegex` (checked with its place in `checks`). */
export interface MatchConfig {
  listeners?: string[];
  sni?: string[];
  hosts?: string[];
  path?: string;
  pathPrefix?: string;
  pathRegex?: string;
  methods?: string[];
  headers?: Record<string, ValueMatch>;
  query?: Record<string, ValueMatch>;
  cookies?: Record<string, ValueMatch>;
  any?: MatchConfig[];
  all?: MatchConfig[];
  not?: MatchConfig;
}

export const matchSchema: z.ZodType<MatchConfig, MatchConfig> = z
  .strictObject({
    listeners: z
      .array(nameSchema)
      .min(1)
      .optional()
      .describe('Listeners of mode `tcp` or `tls-passthrough` whose connections the route takes'),
    sni: z
      .array(hostSchema)
      .min(1)
      .optional()
      .describe('Names of which the client’s SNI must be one; of `tls-passthrough` listeners only'),
    hosts: z
      .array(hostSchema)
      .min(1)
      .optional()
      .describe('Hosts of which one must be the request’s, without regard to case'),
    path: pathSchema
      .optional()
      .describe(
        'Path template: literal segments, `{name}` for one segment, and `*` or `{name*}` at the end for the rest',
      ),
    pathPrefix: pathPrefixSchema
      .optional()
      .describe('Path prefix of whole segments: `/users` covers `/users` and `/users/...`'),
    pathRegex: patternSchema
      .optional()
      .describe(
        'Regular expression (RE2 syntax) on the normalised path, found anywhere unless anchored with `^` and `$`',
      ),
    methods: z.array(methodSchema).min(1).optional().describe('Methods, case-sensitive; `GET` also serves `HEAD`'),
    headers: headerMap(headerNameSchema, valueMatchSchema)
      .optional()
      .describe('Header predicates by name (without regard to case): a value, `{ regex }` or `{ present }`'),
    query: z
      .record(z.string(), valueMatchSchema)
      .optional()
      .describe('Query parameter predicates by name: a value, `{ regex }` or `{ present }`'),
    cookies: z
      .record(cookieNameSchema, valueMatchSchema)
      .optional()
      .describe('Cookie predicates by name: a value, `{ regex }` or `{ present }`'),
    get any() {
      return z.array(matchSchema).min(1).optional().describe('Maps of predicates of which at least one must hold');
    },
    get all() {
      return z.array(matchSchema).min(1).optional().describe('Maps of predicates that must all hold');
    },
    get not() {
      return matchSchema.optional().describe('A map of predicates that must not hold together');
    },
  })
  .meta({ id: 'Match' });
