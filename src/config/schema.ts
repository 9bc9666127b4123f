/** The schema of the whole file: it validates, gives defaults and types, and is what the reference is made from. */
import { z } from 'zod';
import { ACCESS_FIELD_NAMES, isAccessField } from '../base/access-field-names.ts';
import { ALWAYS_REDACTED } from '../base/always-redacted.ts';
import { auditSchema, consumersSchema, rolesSchema, stateSchema, tiersSchema } from './access-schema.ts';
import { createPolicyListSchema, type PolicySchemas } from './policy-schemas.ts';
import { createRouteSchema } from './route-schema.ts';
import { addressSchema, cidrSchema, duration, nameSchema, size, wholeNumber } from './scalar-schema.ts';
import { createServiceSchema } from './service-schema.ts';
import { listenerTlsSchema } from './tls-schema.ts';

const listenerSchema = z.strictObject({
  name: nameSchema.describe('Name, unique among listeners; the start line and `/status` carry it'),
  address: addressSchema.describe(
    '`host:port`; `:8080` is every interface, IPv6 stands in brackets, port 0 takes a free one',
  ),
  mode: z
    .enum(['http', 'tcp', 'tls-passthrough'])
    .default('http')
    .describe(
      '`tcp` and `tls-passthrough` relay bytes: routes choose the service by listener, and by SNI without ending TLS here',
    ),
  protocols: z
    .array(z.enum(['h2', 'http/1.1']))
    .min(1)
    .optional()
    .describe(
      'What is spoken, the preferred first: by ALPN under TLS, and `h2` by prior knowledge without; by default `[h2, http/1.1]` under TLS and `[http/1.1]` without',
    ),
  tls: listenerTlsSchema.optional().describe('TLS, which ends here'),
  proxyProtocol: z
    .strictObject({
      from: z.array(cidrSchema).min(1).describe('Addresses and ranges of the proxies that send it, and that must'),
    })
    .optional()
    .describe('PROXY protocol, version 1 or 2: who the client is, said by a load balancer before everything else'),
  trustedProxies: z
    .array(cidrSchema)
    .default([])
    .describe('Addresses and ranges whose `Forwarded` and `X-Forwarded-*` are believed'),
  clientAddressFrom: z
    .enum(['x-forwarded-for', 'forwarded'])
    .optional()
    .describe(
      'The field in which `trustedProxies` say who the client is: `X-Forwarded-For`, and with it `-Proto`, `-Host` and `-Port`, or `Forwarded`. The other one is not believed but written anew. Without it both are believed, `X-Forwarded-For` first',
    ),
  limits: z
    .strictObject({
      requestHead: size(256, 1024 ** 2)
        .prefault('32KiB')
        .describe('Largest request line and headers; then 431 or 414'),
      requestBody: size(0, 1024 ** 4)
        .prefault('64MiB')
        .describe('Largest request body; then 413'),
      connections: wholeNumber(1, 1_000_000).default(10_000).describe('Most client connections at once'),
      streams: wholeNumber(1, 10_000).default(128).describe('Most requests at once on one HTTP/2 connection'),
    })
    .prefault({})
    .describe('How much a client may send'),
  timeouts: z
    .strictObject({
      requestHead: duration(1).prefault('10s').describe('Time for a complete request head; then 408'),
      bodyIdle: duration(1).prefault('30s').describe('Longest pause within a request body; then 408'),
      keepAlive: duration(1).prefault('60s').describe('How long a connection may stay idle between requests'),
    })
    .prefault({})
    .describe('How long a client may take'),
});

const adminTokenSchema = z.string().regex(/^[\x21-\x7e]+$/, {
  error: 'must be printable ASCII without spaces, and not empty',
});

const adminSchema = z.union(
  [
    z.literal(false),
    z.strictObject({
      address: addressSchema.prefault('127.0.0.1:9901').describe('`host:port` of metrics, health and status'),
      token: adminTokenSchema
        .optional()
        .describe('Bearer token that requests must carry; required when the address is not on loopback'),
      writes: z
        .boolean()
        .default(false)
        .describe('Whether the configuration may be changed by the admin API; otherwise such requests are 409'),
      persist: z
        .enum(['file', 'state'])
        .default('file')
        .describe(
          'Where such a change is kept: written back to the file, or in `stateDir` until the file itself changes',
        ),
    }),
  ],
  { error: 'expected { address: ... }, or false for no admin listener' },
);

const defaultRedaction = ['authorization', 'cookie', 'x-api-key'];

const accessFieldSchema = z.string().check((context) => {
  if (isAccessField(context.value)) return;
  const params = { finding: 'unknown_name', known: [...ACCESS_FIELD_NAMES] };
  context.issues.push({ code: 'custom', input: context.value, message: 'is no field of the access log', params });
});

const accessLogSchema = z.strictObject({
  file: z
    .string()
    .min(1)
    .default('stdout')
    .describe('`stdout`, `stderr` or the path of a file that lines are added to'),
  format: z.enum(['json', 'combined']).default('json').describe('Form of a line'),
  fields: z
    .array(accessFieldSchema)
    .min(1)
    .optional()
    .describe('Fields of a line, in their order, `header.NAME` for a request header; without it all'),
  redact: z
    .array(z.string().min(1))
    .default(defaultRedaction)
    .describe(
      `Headers, query parameters and cookies whose values are never written, by name and without regard to case; a list here takes the place of the default, and ${ALWAYS_REDACTED.map((name) => `\`${name}\``).join(', ')} and what policies take credentials from are hidden whatever it says`,
    ),
});

type AccessLogConfig = z.output<typeof accessLogSchema>;

const accessSchema = z
  .union([z.boolean(), accessLogSchema], { error: 'expected { file: ... }, or false for no access log' })
  .transform((value): AccessLogConfig | false => (value === true ? accessLogSchema.parse({}) : value));

/** The schema of the file, with the policies that this process knows. */
export function createGatewaySchema(policies: PolicySchemas) {
  return z.strictObject({
    version: z.literal(1, { error: 'expected 1, the only version of this format' }).describe('Version of the format'),
    listeners: z.array(listenerSchema).min(1).describe('Where clients connect'),
    admin: adminSchema.prefault({}).describe('The admin listener; `false` turns it off'),
    limits: z
      .strictObject({
        concurrentRequests: wholeNumber(1, 10_000_000)
          .default(10_000)
          .describe('Most requests in progress at once; beyond it 503 `overloaded`'),
      })
      .prefault({})
      .describe('Limits of the whole gateway'),
    workers: z
      .union([z.literal('auto'), wholeNumber(1, 1024)], { error: 'expected a number of processes, or auto' })
      .default('auto')
      .describe(
        'Processes that carry traffic; `auto` is one per core, 1 runs in the one process. A reload changes it, but from or to 1 only an upgrade does',
      ),
    workerMemory: size(32 * 1024 ** 2, 1024 ** 4)
      .optional()
      .describe('Resident memory beyond which a worker is replaced; without it none is'),
    workerHeartbeat: duration(1000)
      .prefault('10s')
      .describe('A worker that says nothing for so long is killed and replaced'),
    stateDir: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Directory for what outlives the process: the last good configuration, its history, changes by the admin API; without it nothing is kept',
      ),
    shutdown: z
      .strictObject({
        drain: duration().prefault('5s').describe('How long requests are still served while `/readyz` says 503'),
        timeout: duration().prefault('30s').describe('Time from the signal to the end, `drain` included'),
      })
      .prefault({})
      .describe('How the gateway stops'),
    logging: z
      .strictObject({
        level: z
          .enum(['debug', 'info', 'warn', 'error', 'silent'])
          .default('info')
          .describe('Least level that is written'),
        access: accessSchema.prefault({}).describe('One line for each request; `false` turns it off'),
        audit: auditSchema
          .default(false)
          .describe(
            'One line for each refusal and each change by operators: who, what, why, from where; `false` is none',
          ),
      })
      .prefault({})
      .describe('What is written'),
    onInvalidRoute: z
      .enum(['reject', 'quarantine'])
      .default('reject')
      .describe(
        'What becomes of a file with errors in routes and nowhere else: `reject` refuses it, `quarantine` takes those routes out, answers 503 `route_quarantined` in their place, and lets everything else go live; one whose `match` is broken takes no requests and is only shown',
      ),
    state: stateSchema.prefault({}).describe('What is remembered, and where: API keys and the counts of limits'),
    tiers: tiersSchema.default({}).describe('How much whom: rates and quotas by the name of the tier'),
    roles: rolesSchema.default({}).describe('What each role permits: `resource:action`, where `*` stands for any'),
    consumers: consumersSchema
      .prefault([])
      .describe('Who is known by name, with tier and keys; more come from the key store'),
    services: z.array(createServiceSchema(policies)).prefault([]).describe('What stands behind the gateway'),
    routes: z.array(createRouteSchema(policies)).prefault([]).describe('Which request goes where'),
    policies: createPolicyListSchema(policies)
      .prefault([])
      .describe(
        'Policies on every route, before its own of the same phase; of a policy that its service or the route itself names, too, only that use applies',
      ),
  });
}

/** The schema of what is left of a faulty file: without the keys that every file must have. */
export function createPartialSchema(policies: PolicySchemas): z.ZodType<z.output<GatewaySchema>> {
  const partial = createGatewaySchema(policies).extend({
    version: z.literal(1).default(1),
    listeners: z.array(listenerSchema).default([]),
  });
  return partial as unknown as z.ZodType<z.output<GatewaySchema>>;
}

/** The type of the schema, whatever the policies. */
export type GatewaySchema = ReturnType<typeof createGatewaySchema>;
