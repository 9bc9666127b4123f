/** The options of `securityHeaders`. */
import { z } from 'zod';
import { headerValueProblem } from '../../base/header-rules.ts';
import { duration } from '../../config/scalar-schema.ts';

const YEAR = 365 * 86_400_000;

const textSchema = z
  .string()
  .min(1)
  .check((context) => {
    const message = headerValueProblem(context.value);
    if (message !== null) context.issues.push({ code: 'custom', input: context.value, message });
  });

const transportSchema = z
  .strictObject({
    maxAge: duration(0, 10 * YEAR)
      .prefault('365d')
      .describe('How long browsers remember that the host is reached by TLS only; 0s makes them forget it'),
    includeSubDomains: z.boolean().default(false).describe('The same for all hosts below it'),
    preload: z.boolean().default(false).describe('Asks to be put on the lists that browsers come with'),
  })
  .check((context) => {
    if (context.issues.length > 0) return;
    const { maxAge, includeSubDomains, preload } = context.value;
    if (!preload || (includeSubDomains && maxAge >= YEAR)) return;
    context.issues.push({
      code: 'custom',
      path: ['preload'],
      input: preload,
      message: 'needs `includeSubDomains` and a `maxAge` of 365d at least, or the lists refuse the host',
      params: { finding: 'conflicting_keys' },
    });
  });

const off = z.literal(false);

const REFERRER_POLICIES = [
  'no-referrer',
  'no-referrer-when-downgrade',
  'origin',
  'origin-when-cross-origin',
  'same-origin',
  'strict-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
] as const;

const optional = (schema: z.ZodType<string>) => schema.optional();

export const securityHeadersSchema = z
  .strictObject({
    strictTransportSecurity: z
      .union([off, transportSchema], { error: 'expected false or { maxAge, includeSubDomains, preload }' })
      .prefault({})
      .describe('`Strict-Transport-Security` (RFC 6797), on answers over TLS alone'),
    contentTypeOptions: z.boolean().default(true).describe('`X-Content-Type-Options: nosniff`'),
    frameOptions: z
      .union([off, z.enum(['DENY', 'SAMEORIGIN'])], { error: 'expected DENY, SAMEORIGIN or false' })
      .default('DENY')
      .describe('`X-Frame-Options`: who may show an answer in a frame'),
    referrerPolicy: z
      .union([off, z.enum(REFERRER_POLICIES)], {
        error: `expected ${REFERRER_POLICIES.slice(0, -1).join(', ')}, ${REFERRER_POLICIES.at(-1)} or false`,
      })
      .default('strict-origin-when-cross-origin')
      .describe('`Referrer-Policy`: what other sites are told of where a visitor comes from'),
    contentSecurityPolicy: optional(textSchema).describe('`Content-Security-Policy`, as it stands'),
    contentSecurityPolicyReportOnly: optional(textSchema).describe(
      '`Content-Security-Policy-Report-Only`, as it stands',
    ),
    permissionsPolicy: optional(textSchema).describe('`Permissions-Policy`, as it stands'),
    crossOriginOpenerPolicy: optional(
      z.enum(['unsafe-none', 'same-origin-allow-popups', 'same-origin', 'noopener-allow-popups']),
    ).describe('`Cross-Origin-Opener-Policy`'),
    crossOriginEmbedderPolicy: optional(z.enum(['unsafe-none', 'require-corp', 'credentialless'])).describe(
      '`Cross-Origin-Embedder-Policy`',
    ),
    crossOriginResourcePolicy: optional(z.enum(['same-site', 'same-origin', 'cross-origin'])).describe(
      '`Cross-Origin-Resource-Policy`',
    ),
  })
  .describe('Headers by which browsers are told to be careful with answers, in place of what the upstream says.');

export type SecurityHeadersOptions = z.output<typeof securityHeadersSchema>;
