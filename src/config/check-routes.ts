/** Checks of routes: what answers them, what they may not combine, and what has no effect. */
import type { z } from 'zod';
import { type CheckContext, durationAt, reportRivals, routeAt } from './check-context.ts';
import { checkRawMatch } from './check-raw.ts';
import { checkRewrite } from './check-rewrite.ts';
import type { FindingCode } from './finding.ts';
import type { MatchConfig, RouteConfig, ServiceConfig } from './model.ts';
import { RETRIABLE_GRPC } from './route-schema.ts';
import type { GatewaySchema } from './schema.ts';
import { type ValuePath, valueAt } from './source-tree.ts';

/** What services speak over HTTP/2 alone. */
const HTTP2_ONLY: ReadonlySet<string> = new Set(['h2', 'h2c', 'grpc', 'grpcs']);

type Parsed = z.output<GatewaySchema>;

export function checkRoutes(config: Parsed, context: CheckContext): void {
  const names = serviceNames(context.raw);
  const services = new Map(config.services.map((service) => [service.name, service]));
  config.routes.forEach((route, index) => {
    if (context.isKnown(index)) return;
    const path: ValuePath = ['routes', index];
    checkAnswer(route, path, names, context);
    checkMatch(route.match, [...path, 'match'], context);
    checkRewrite(route, path, context);
    checkRespond(route, path, context);
    checkRetry(route, path, services.get(route.service ?? ''), context);
    checkWebSocket(route, path, services.get(route.service ?? ''), context);
  });
}

/** Names of services in the file, also of those that are wrong in other ways. */
function serviceNames(raw: unknown): Set<string> {
  const services = valueAt(raw, ['services']);
  if (!Array.isArray(services)) return new Set();
  return new Set(services.map((service) => valueAt(service, ['name'])).filter((name) => typeof name === 'string'));
}

function checkAnswer(route: RouteConfig, path: ValuePath, names: ReadonlySet<string>, context: CheckContext): void {
  const hasService = context.written([...path, 'service']) !== undefined;
  const hasRespond = context.written([...path, 'respond']) !== undefined;
  if (hasService === hasRespond) {
    context.report({
      severity: 'error',
      code: hasService ? 'conflicting_keys' : 'missing_key',
      path: hasService ? [...path, 'respond'] : path,
      part: 'key',
      message: hasService
        ? `${routeAt(path, context)} has both \`service\` and \`respond\`: it may have only one`
        : `${routeAt(path, context)} has neither \`service\` nor \`respond\`: nothing would answer`,
    });
  }
  if (route.service === undefined || names.has(route.service)) return;
  const all = [...names];
  const known = all.length > 0 && all.length <= 16 ? `; services are ${all.join(', ')}` : '';
  context.report({
    severity: 'error',
    code: 'unknown_service',
    path: [...path, 'service'],
    message: `no service has this name${known}`,
    known: all,
  });
}

/** Checks one map of predicates and those nested in it; of the context only `report` is used. */
export function checkMatch(
  match: MatchConfig,
  path: ValuePath,
  context: Pick<CheckContext, 'report'>,
  nested = false,
): void {
  checkRawMatch(match, path, nested, context);
  const kinds = (['path', 'pathPrefix', 'pathRegex'] as const).filter((key) => match[key] !== undefined);
  reportRivals(kinds, path, 'a map has one of path, pathPrefix and pathRegex; nest others under `all`', context);
  match.methods?.forEach((method, index) => {
    if (method === method.toUpperCase()) return;
    context.report({
      severity: 'warning',
      code: 'method_case',
      path: [...path, 'methods', index],
      message: 'method names are case-sensitive and clients send them in capitals',
      suggestion: method.toUpperCase(),
    });
  });
  for (const nest of ['any', 'all'] as const) {
    for (const [index, inner] of (match[nest] ?? []).entries())
      checkMatch(inner, [...path, nest, index], context, true);
  }
  if (match.not !== undefined) checkMatch(match.not, [...path, 'not'], context, true);
}

function checkRespond(route: RouteConfig, path: ValuePath, context: CheckContext): void {
  if (route.respond === undefined) return;
  const { status, body } = route.respond;
  if (body !== '' && (status === 204 || status === 304)) {
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, 'respond', 'body'],
      message: `an answer with status ${status} has no body (RFC 9110, 15)`,
    });
  }
  for (const key of ['rewrite', 'retry', 'timeout', 'websocket'] as const) {
    if (route[key] === undefined) continue;
    context.report({
      severity: 'warning',
      code: 'no_effect',
      path: [...path, key],
      part: 'key',
      message: `\`${key}\` has no effect: the gateway answers ${routeAt(path, context)} itself`,
    });
  }
}

/** A handshake is a GET of HTTP/1.1, on both sides of the gateway (RFC 6455 section 4.1). */
function checkWebSocket(
  { websocket, match, respond }: RouteConfig,
  path: ValuePath,
  service: ServiceConfig | undefined,
  context: CheckContext,
): void {
  if (websocket === undefined || respond !== undefined) return;
  const report = (severity: 'error' | 'warning', code: FindingCode, message: string): void =>
    context.report({ severity, code, path: [...path, 'websocket'], part: 'key', message });
  if (service !== undefined && HTTP2_ONLY.has(service.protocol)) {
    const name = context.shown([...path, 'service']);
    report('error', 'conflicting_keys', `the service ${name} speaks \`${service.protocol}\`, which has no WebSockets`);
  }
  const { methods = [] } = match;
  if (methods.length > 0 && !methods.includes('GET')) {
    report('warning', 'no_effect', '`websocket` has no effect: the route takes no GET, by which a WebSocket is opened');
  }
}

function checkRetry(
  { retry, timeout, match }: RouteConfig,
  path: ValuePath,
  service: ServiceConfig | undefined,
  context: CheckContext,
): void {
  if (retry === undefined) return;
  const at = (key: string): ValuePath => [...path, 'retry', key];
  const warn = (code: FindingCode, place: ValuePath, message: string): void =>
    context.report({ severity: 'warning', code, path: place, part: 'key', message });
  if (retry.attempts === 1) {
    warn('no_effect', at('attempts'), '`attempts` counts the first send too: 1 means no retry');
  } else if (service !== undefined && service.endpoints.length === 1) {
    warn(
      'retry_single_endpoint',
      [...path, 'retry'],
      `the service ${context.shown([...path, 'service'])} has one endpoint: every retry asks the same one again`,
    );
  }
  if (retry.perTryTimeout !== undefined && timeout !== undefined && retry.perTryTimeout >= timeout) {
    warn(
      'try_timeout_too_long',
      at('perTryTimeout'),
      `${context.subject(at('perTryTimeout'))} is not shorter than ${context.subject([...path, 'timeout'])} of the whole request: no time for a second try`,
    );
  }
  if (retry.backoff.base > retry.backoff.max) {
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, 'retry', 'backoff'],
      message: `${durationAt([...at('backoff'), 'base'], retry.backoff.base, context)} is longer than ${durationAt([...at('backoff'), 'max'], retry.backoff.max, context)}`,
    });
  }
  const methods = match.methods ?? [];
  if (
    methods.length > 0 &&
    methods.every((method) => method === 'POST' || method === 'PATCH') &&
    !retry.on.some((reason) => reason === 'connect-failure' || RETRIABLE_GRPC.includes(reason))
  ) {
    warn(
      'no_effect',
      at('on'),
      `requests of these methods (${methods.join(', ')}) are retried only where nothing was sent: add connect-failure`,
    );
  }
}
