/** The schema of a service: where requests go, how they are spread, and when an endpoint is left alone. */
import { z } from 'zod';
import { isToken } from '../base/token.ts';
import { endpointUrlSchema } from './endpoint-url.ts';
import { createPolicyListSchema, type PolicySchemas } from './policy-schemas.ts';
import { duration, nameSchema, refuse, wholeNumber } from './scalar-schema.ts';
import { serviceTlsSchema } from './tls-schema.ts';

const balancingAlgorithms = ['round-robin', 'weighted-round-robin', 'least-connections', 'ip-hash', 'random'] as const;

const weightSchema = wholeNumber(1, 10_000)
  .default(1)
  .describe('Share of the traffic under weighted algorithms, relative to the other endpoints');

const endpointSchema = z
  .union(
    [
      z.string(),
      z.strictObject({
        url: z
          .string()
          .describe(
            '`http://host`, `http://host:port` or the same with `https://`, without a path; `tcp://host:port` for what is only relayed',
          ),
        weight: weightSchema,
        drain: z
          .boolean()
          .optional()
          .describe('Takes no new requests; those that it has end, and its connections and health stay'),
      }),
    ],
    { error: 'expected a URL such as http://127.0.0.1:9001, or { url: ..., weight: ... }' },
  )
  .transform((value) => (typeof value === 'string' ? { url: value, weight: 1 } : value))
  .pipe(z.strictObject({ url: endpointUrlSchema, weight: z.number(), drain: z.boolean().optional() }));

/** A status, `200-299`, or `2xx`; the first and last status of the range after parsing. */
const statusRangeSchema = z
  .union([z.string(), z.number()], { error: 'expected a status such as 204, or a range such as 200-299' })
  .transform((value, context): [number, number] => {
    const match = /^([1-5])xx$|^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(String(value));
    if (match === null) return refuse(context, 'is not a status such as 204 or a range such as 200-299');
    if (match[1] !== undefined) return [Number(match[1]) * 100, Number(match[1]) * 100 + 99];
    const low = Number(match[2]);
    const high = Number(match[3] ?? match[2]);
    return low <= high ? [low, high] : refuse(context, 'ends before it begins');
  });

const healthPathSchema = z.string().regex(/^\/[\x21\x22\x24-\x7e]*$/, {
  error: 'must be a path that begins with a slash, without spaces, control characters or a fragment',
});

const healthCheckSchema = z.strictObject({
  type: z
    .enum(['http', 'grpc', 'tcp'])
    .default('http')
    .describe('What is asked: a path by GET, `grpc.health.v1.Health/Check`, or whether a connection opens at all'),
  grpcService: z
    .string()
    .max(256)
    .default('')
    .describe('Service asked for by a `grpc` check; empty for the server as a whole'),
  path: healthPathSchema.default('/health').describe('Path (and query) asked with GET on every endpoint'),
  interval: duration(10).prefault('10s').describe('Time between two checks of an endpoint'),
  timeout: duration(1).prefault('2s').describe('Time for the whole check; should be shorter than `interval`'),
  healthyAfter: wholeNumber(1, 1000).default(2).describe('Good checks in a row after which an endpoint is up again'),
  unhealthyAfter: wholeNumber(1, 1000).default(3).describe('Failed checks in a row after which an endpoint is down'),
  expectStatus: z
    .array(statusRangeSchema)
    .min(1)
    .prefault(['200-299'])
    .describe('Statuses that count as good: single ones, or ranges'),
});

const stickySchema = z.strictObject({
  cookie: z
    .string()
    .refine(isToken, { error: 'is not a cookie name (RFC 6265, 4.1.1)' })
    .describe('Name of the cookie, which the gateway sets and signs'),
  ttl: duration(1000, 30 * 86_400_000)
    .prefault('1h')
    .describe('How long a client keeps it; renewed when half is over'),
  secret: z
    .string()
    .min(16, { error: 'must have at least 16 characters' })
    .optional()
    .describe('Key of the signature, to be one for several gateways; without it the gateway makes one at each start'),
});

export function createServiceSchema(policies: PolicySchemas) {
  return z.strictObject({
    name: nameSchema.describe('Name, unique among services; routes refer to it'),
    endpoints: z.array(endpointSchema).describe('Where the service runs: URLs, or maps of `url`, `weight` and `drain`'),
    protocol: z
      .enum(['http', 'https', 'h2', 'h2c', 'grpc', 'grpcs'])
      .default('http')
      .describe(
        'What the endpoints speak: HTTP/1.1 (`http`, `https`), HTTP/2 (`h2` under TLS, `h2c` without), or gRPC over HTTP/2 (`grpc`, `grpcs` under TLS); an `https://` endpoint is spoken to under TLS whatever stands here',
      ),
    tls: serviceTlsSchema.optional().describe('TLS to the endpoints'),
    proxyProtocol: z
      .enum(['v1', 'v2'])
      .optional()
      .describe(
        'Header by which a relayed connection tells the endpoint who the client is; of `tcp` and `tls-passthrough` only',
      ),
    registration: z
      .boolean()
      .optional()
      .describe(
        'Endpoints may register themselves by the admin API, whatever `admin.writes` says; `endpoints` may then be empty',
      ),
    loadBalancing: z
      .strictObject({
        algorithm: z
          .enum(balancingAlgorithms)
          .default('round-robin')
          .describe('How an endpoint is chosen; `ip-hash` goes by the trusted client address'),
        sticky: stickySchema.optional().describe('Keeps a client at the endpoint that it had before, by a cookie'),
      })
      .prefault({})
      .describe('How requests are spread over the endpoints'),
    healthCheck: healthCheckSchema.optional().describe('Active checks; without this key there are none'),
    passive: z
      .strictObject({
        failures: wholeNumber(0, 100_000)
          .default(5)
          .describe(
            'Failures in a row (connect, reset, and timeouts where there is no `healthCheck`) that mark an endpoint down; with 0 traffic never marks one down',
          ),
        coolDown: duration(1).prefault('10s').describe('How long it then rests when no active check brings it back'),
      })
      .prefault({})
      .describe('Marking down by failed traffic'),
    panic: z
      .boolean()
      .default(false)
      .describe('When every endpoint is down: try one all the same, rather than answer 503'),
    connections: z
      .strictObject({
        max: wholeNumber(1, 65_535).default(256).describe('Most connections to one endpoint'),
        idleTimeout: duration(1).prefault('30s').describe('How long an unused connection is kept'),
        streams: wholeNumber(1, 10_000)
          .default(100)
          .describe('Most requests at once on one HTTP/2 connection, where the endpoint does not say fewer'),
        queue: wholeNumber(0, 1_000_000).default(1024).describe('Most requests that wait for a connection'),
        queueTimeout: duration(1).prefault('1s').describe('Longest such wait; then 503 `overloaded`'),
        pipelining: wholeNumber(1, 1000)
          .default(1)
          .describe(
            'Most requests in flight on one HTTP/1.1 connection. Above 1, requests without a body that may be sent twice stand in line behind each other: cheaper, for endpoints that answer briskly and in order',
          ),
      })
      .prefault({})
      .describe('The pool of connections to each endpoint'),
    timeouts: z
      .strictObject({
        connect: duration(1).prefault('1s').describe('Time to open a connection; then 502 `upstream_connect_failed`'),
        response: duration(1)
          .prefault('30s')
          .describe('Time from the last byte of the request sent to the complete head of the answer; then 504'),
        streamIdle: duration(1)
          .prefault('5m')
          .describe(
            'Longest silence of what has no end of its own: server-sent events, relayed connections, and calls of gRPC without a deadline',
          ),
      })
      .prefault({})
      .describe('How long the service may take'),
    policies: createPolicyListSchema(policies)
      .prefault([])
      .describe('Policies on every route of this service, in the place of top-level ones of the same name'),
  });
}
