/** The options of `cors`. */
import { z } from 'zod';
import { isToken } from '../../base/token.ts';
import { headerNameSchema } from '../../config/header-schema.ts';
import { duration, patternSchema } from '../../config/scalar-schema.ts';
import { type OriginRule, parseOrigin } from './origin.ts';

const originSchema = z
  .union([z.string(), z.strictObject({ regex: patternSchema.describe('Pattern (RE2 syntax) of the whole origin') })], {
    error: 'expected an origin such as https://app.example.com, or { regex: ... }',
  })
  .transform((value, context): OriginRule => {
    if (typeof value !== 'string') return value;
    const parsed = parseOrigin(value);
    if ('origin' in parsed) return parsed.origin;
    context.addIssue({ code: 'custom', message: parsed.problem });
    return z.NEVER;
  });

/** Those that browsers put into capitals, whatever a page writes (Fetch, "normalize a method"). */
const CAPITALS: readonly string[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

const methodSchema = z
  .string()
  .refine(isToken, { error: 'is not a method name' })
  .refine((method) => !CAPITALS.includes(method.toUpperCase()) || CAPITALS.includes(method), {
    error: ({ input }) =>
      `is no method that any browser asks for: write it in capital letters: ${String(input).toUpperCase()}`,
  });

export const corsSchema = z
  .strictObject({
    origins: z
      .array(originSchema)
      .min(1)
      .prefault(['*'])
      .describe(
        'Who may read answers: `https://app.example.com`, `https://*.example.com` for every host below a domain, `{ regex: ... }`, `null`, or `*` for everybody',
      ),
    methods: z
      .array(methodSchema)
      .min(1)
      .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .describe('Methods that pages may use; `*` allows the one that is asked for'),
    headers: z
      .array(headerNameSchema)
      .default(['*'])
      .describe('Request headers that pages may set; `*` allows those that are asked for'),
    exposeHeaders: z
      .array(headerNameSchema)
      .default([])
      .describe('Headers of answers that pages may read; `*`, without `credentials`, is all'),
    credentials: z
      .boolean()
      .default(false)
      .describe('Whether pages may send cookies and other credentials; excludes the origin `*`'),
    maxAge: duration().prefault('10m').describe('How long a browser may keep the answer to a preflight'),
    privateNetwork: z
      .boolean()
      .default(false)
      .describe('Whether pages of public addresses may reach this gateway in a private network'),
  })
  .check((context) => {
    const { credentials, origins, exposeHeaders } = context.value;
    if (context.issues.length > 0 || !credentials) return;
    const refuse = (key: 'origins' | 'exposeHeaders', index: number, message: string): void => {
      if (index < 0) return;
      const params = { finding: 'conflicting_keys' };
      context.issues.push({ code: 'custom', input: context.value, path: [key, index], message, params });
    };
    const everybody = 'cannot stand beside `credentials`: every page could act as whoever visits it; list the origins';
    refuse('origins', origins.indexOf('*'), everybody);
    refuse('exposeHeaders', exposeHeaders.indexOf('*'), 'is no wildcard beside `credentials`: list the headers');
  })
  .describe('Lets pages of other origins use the routes: answers preflights, and says which pages may read answers.');

export type CorsOptions = z.output<typeof corsSchema>;
