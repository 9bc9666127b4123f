/** The schema of a route: which requests it takes, and what becomes of them. */
import { z } from 'zod';
import { parseAddress, parseHost } from '../base/address.ts';
import { headerValuesSchema } from './header-schema.ts';
import { matchSchema, pathPrefixSchema } from './match-schema.ts';
import { createPolicyListSchema, type PolicySchemas } from './policy-schemas.ts';
import { duration, nameSchema, patternSchema, refuse, size, wholeNumber } from './scalar-schema.ts';

const respondSchema = z.strictObject({
  status: wholeNumber(200, 599).default(200).describe('Status of the answer'),
  headers: headerValuesSchema.prefault({}).describe('Headers of the answer; `content-length` is added by itself'),
  body: z.string().default('').describe('Body of the answer, as text'),
});

const rewritePathSchema = z
  .string()
  .regex(/^\//, { error: 'must begin with a slash' })
  .regex(/^[\x21\x22\x24-\x7e]*$/, {
    error: 'holds a space, a control character, a fragment or a letter beyond ASCII: percent-encode it',
  });

const replacementSchema = z.string().regex(/^[\x21\x22\x24-\x7e]*$/, {
  error: 'holds a space, a control character, a fragment or a letter beyond ASCII: percent-encode it',
});

const authoritySchema = z.string().transform((text, context): string => {
  try {
    if (/:[0-9]+$/.test(text)) {
      parseAddress(text);
      parseHost(text.slice(0, text.lastIndexOf(':')));
    } else parseHost(text);
    return text.toLowerCase();
  } catch {
    return refuse(context, 'is not a host or host:port');
  }
});

const rewriteSchema = z.strictObject({
  stripPrefix: pathPrefixSchema.optional().describe('Whole leading segments taken off the path'),
  path: rewritePathSchema
    .optional()
    .describe('Template of the new path: `{name}` is a parameter of `match.path`, `$1` a group of `match.pathRegex`'),
  regex: z
    .strictObject({
      pattern: patternSchema.describe('Regular expression (RE2 syntax) looked for in the path; the first match counts'),
      replacement: replacementSchema.describe('What takes the place of the match; `$1` is its first group'),
    })
    .optional()
    .describe('Replacement of one part of the path'),
  host: authoritySchema.optional().describe('`Host` that the upstream receives; without it the client’s'),
});

/** Statuses of gRPC after which another try may help. */
export const RETRIABLE_GRPC = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'];

/** A failure worth another try: `connect-failure`, `reset`, a status from 400 to 599, or one of gRPC. */
const retryConditionSchema = z
  .union([z.string(), z.number()], { error: 'expected connect-failure, reset or a status such as 503' })
  .transform((value, context): string => {
    const text = String(value);
    const known = ['connect-failure', 'reset', ...RETRIABLE_GRPC];
    if (known.includes(text) || /^[45][0-9]{2}$/.test(text)) return text;
    const what = 'connect-failure, reset, a status from 400 to 599, or of gRPC such as unavailable';
    return refuse(context, `is not a reason to retry: ${what}`, known);
  });

const retrySchema = z.strictObject({
  attempts: wholeNumber(1, 20).default(3).describe('Most sends in all, the first included'),
  on: z
    .array(retryConditionSchema)
    .min(1)
    .prefault(['connect-failure', 'reset'])
    .describe(
      'What is tried again: `connect-failure`, `reset` (also a try that timed out), statuses, or of gRPC `cancelled`, `deadline-exceeded`, `internal`, `resource-exhausted` and `unavailable`',
    ),
  perTryTimeout: duration(1).optional().describe('Time for one try; without it only the other timeouts count'),
  backoff: z
    .strictObject({
      base: duration(0)
        .prefault('25ms')
        .describe('Wait before the second try, doubled before each further one, with jitter'),
      max: duration(0).prefault('1s').describe('Longest wait between two tries'),
    })
    .prefault({})
    .describe('Waits between tries'),
});

const webSocketSchema = z.strictObject({
  idleTimeout: duration(1)
    .prefault('60s')
    .describe('Longest silence of both sides, pings and pongs included; then the socket is closed with 1001'),
  maxConnections: wholeNumber(1, 10_000_000)
    .default(10_000)
    .describe('Most open sockets of the route; beyond them a handshake is answered 503 `overloaded`'),
  maxMessage: size(1, 1024 ** 3)
    .prefault('1MiB')
    .describe('Largest message of either side; then closed with 1009'),
});

export function createRouteSchema(policies: PolicySchemas) {
  return z.strictObject({
    name: nameSchema
      .refine((name) => name !== 'none', { error: 'is what metrics call requests that no route took: choose another' })
      .describe('Name, unique among routes; metrics and logs carry it'),
    match: matchSchema.describe('What a request must be like; `{}` takes every request'),
    priority: wholeNumber(-1_000_000, 1_000_000).default(0).describe('Routes of higher priority are asked first'),
    service: nameSchema.optional().describe('Service that answers; exactly one of `service` and `respond`'),
    respond: respondSchema.optional().describe('Answer that the gateway gives itself'),
    rewrite: rewriteSchema
      .optional()
      .describe('Changes to the request line; at most one of `stripPrefix`, `path` and `regex`, and `host`'),
    timeout: duration(1)
      .optional()
      .describe(
        'Time for the whole request, tries and body included; then 504 `upstream_timeout`. Of server-sent events the time to the head of the answer',
      ),
    retry: retrySchema
      .optional()
      .describe('Further tries, on other endpoints where there are; without this key there are none'),
    websocket: webSocketSchema
      .optional()
      .describe('Lets clients open WebSockets; on a route without it the `Upgrade` is not passed on'),
    policies: createPolicyListSchema(policies)
      .prefault([])
      .describe('Policies on this route, in the place of its service’s and of top-level ones of the same name'),
  });
}
