/** `cors`: cross-origin requests by the Fetch standard; preflights are answered here, before anybody asks who calls. */
import { formatDuration } from '../../base/duration.ts';
import { isToken } from '../../base/token.ts';
import { HeaderEdits } from '../../http/header-edits.ts';
import { definePolicy, type PolicyExchange, type Reply } from '../../pipeline/policy.ts';
import { preflightMethod } from '../../pipeline/preflight.ts';
import { Origins } from './origin.ts';
import { type CorsOptions, corsSchema } from './schema.ts';

/** The upstream's own, which could allow what is not allowed here. */
const FIELDS = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-allow-private-network',
  'access-control-expose-headers',
  'access-control-max-age',
];

/** What a page that speaks gRPC-Web must see of an answer that has no body. */
const GRPC_WEB = ['grpc-status', 'grpc-message', 'grpc-status-details-bin'];

/** The fields are set where those of every answer are. */
const PREFLIGHT: Reply = { status: 204, headers: {}, body: '' };

export const cors = definePolicy({
  name: 'cors',
  phase: 'guard',
  schema: corsSchema,
  create(options: CorsOptions) {
    const rules = compileCors(options);
    return {
      effect: describeCors(options),
      onPreflight: () => PREFLIGHT,
      onResponse: (exchange) => apply(rules, exchange),
    };
  },
});

interface CorsRules {
  readonly origins: Origins;
  /** For every answer, whoever asked. */
  readonly always: HeaderEdits;
  readonly allowed: HeaderEdits;
  readonly preflight: HeaderEdits;
  readonly exposed: HeaderEdits;
  readonly exposedGrpcWeb: HeaderEdits;
  /** Of answers that are no preflights and not for gRPC-Web, by origin; what is said depends on nothing else. */
  readonly kept: Map<string, HeaderEdits>;
  readonly anyMethod: boolean;
  readonly anyHeader: boolean;
  readonly privateNetwork: boolean;
}

function compileCors(options: CorsOptions): CorsRules {
  const { methods, headers, exposeHeaders, credentials, maxAge, privateNetwork } = options;
  const origins = new Origins(options.origins);
  const always = new HeaderEdits();
  for (const name of FIELDS) always.remove(name);
  // Also where no origin is allowed, or none is named: a cache must not give the answer to another one (Fetch, "CORS protocol and HTTP caches").
  if (!origins.every) always.add('Vary', 'Origin');
  const allowed = new HeaderEdits();
  if (credentials) allowed.add('Access-Control-Allow-Credentials', 'true');
  const anyMethod = methods.includes('*');
  const anyHeader = headers.includes('*');
  const preflight = new HeaderEdits();
  if (!anyMethod) preflight.add('Access-Control-Allow-Methods', methods.join(', '));
  if (!anyHeader && headers.length > 0) preflight.add('Access-Control-Allow-Headers', headers.join(', '));
  preflight.add('Access-Control-Max-Age', String(Math.floor(maxAge / 1000)));
  return {
    origins,
    always,
    allowed,
    preflight,
    exposed: exposing(exposeHeaders),
    exposedGrpcWeb: exposing(exposeHeaders.includes('*') ? exposeHeaders : withoutRepeats(exposeHeaders, GRPC_WEB)),
    kept: new Map(),
    anyMethod,
    anyHeader,
    privateNetwork,
  };
}

function exposing(names: readonly string[]): HeaderEdits {
  const edits = new HeaderEdits();
  if (names.length > 0) edits.add('Access-Control-Expose-Headers', names.join(', '));
  return edits;
}

function withoutRepeats(names: readonly string[], more: readonly string[]): string[] {
  const known = new Set(names.map((name) => name.toLowerCase()));
  return [...names, ...more.filter((name) => !known.has(name))];
}

/** Origins whose edits are kept: an application has a few, and what a pattern allows has no end. */
const MOST_KEPT = 64;

function apply(rules: CorsRules, exchange: PolicyExchange): void {
  const edits = exchange.responseEdits;
  const method = preflightMethod(exchange);
  if (method === null && !isGrpcWeb(exchange)) return tellPage(edits, rules, exchange);
  edits.append(rules.always);
  if (method !== null) edits.add('Vary', 'Access-Control-Request-Method, Access-Control-Request-Headers');
  const allowed = allowedOrigin(rules.origins, exchange);
  if (allowed === null) return;
  edits.add('Access-Control-Allow-Origin', allowed);
  edits.append(rules.allowed);
  if (method !== null) answerPreflight(rules, exchange, method);
  else edits.append(rules.exposedGrpcWeb);
}

/** What nearly every answer says depends on nothing but the origin. */
function tellPage(edits: HeaderEdits, rules: CorsRules, exchange: PolicyExchange): void {
  const origin = exchange.header('origin');
  const kept = origin === undefined ? undefined : rules.kept.get(origin);
  if (kept !== undefined) return edits.append(kept);
  const allowed = allowedOrigin(rules.origins, exchange);
  if (allowed === null) return edits.append(rules.always);
  const told = new HeaderEdits();
  told.append(rules.always);
  told.add('Access-Control-Allow-Origin', allowed);
  told.append(rules.allowed);
  told.append(rules.exposed);
  edits.append(told);
  if (origin === undefined || rules.kept.size >= MOST_KEPT) return;
  // A copy: the text is a slice of the request's head, all of which would stay with it.
  rules.kept.set(Buffer.from(origin, 'latin1').toString('latin1'), told);
}

/** What an answer that is the same for all says does not wait for somebody to ask: a cache may have asked for others. */
function allowedOrigin(origins: Origins, exchange: PolicyExchange): string | null {
  if (origins.every) return '*';
  const origin = exchange.header('origin');
  return origin !== undefined && origins.allows(origin) ? origin : null;
}

function answerPreflight(rules: CorsRules, exchange: PolicyExchange, method: string): void {
  const edits = exchange.responseEdits;
  edits.append(rules.preflight);
  if (rules.anyMethod) edits.add('Access-Control-Allow-Methods', method);
  const asked = exchange.header('access-control-request-headers');
  // Named one by one, since a wildcard covers neither `Authorization` nor anything beside credentials.
  if (rules.anyHeader && asked !== undefined && isList(asked)) edits.add('Access-Control-Allow-Headers', asked);
  if (rules.privateNetwork && exchange.header('access-control-request-private-network') === 'true')
    edits.add('Access-Control-Allow-Private-Network', 'true');
}

function isList(names: string): boolean {
  return names.split(',').every((name) => isToken(name.trim()));
}

function isGrpcWeb(exchange: PolicyExchange): boolean {
  return exchange.header('content-type')?.startsWith('application/grpc-web') === true;
}

function describeCors({ origins, methods, credentials, maxAge, privateNetwork }: CorsOptions): string {
  const who = origins.map((origin) => (typeof origin === 'string' ? origin : `/${origin.regex}/`));
  const parts = [
    `answers preflights (kept for ${formatDuration(maxAge)})`,
    `allows ${who.join(', ')}`,
    methods.join(', '),
  ];
  if (credentials) parts.push('with credentials');
  if (privateNetwork) parts.push('into the private network');
  return parts.join('; ');
}
