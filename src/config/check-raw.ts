/** Checks of what is only relayed: listeners, routes and services that must know nothing of requests, and the reverse. */
import type { z } from 'zod';
import { type CheckContext, routeAt } from './check-context.ts';
import type { MatchConfig, RouteConfig, ServiceConfig } from './model.ts';
import { isRawMatch, isRawRoute } from './raw-route.ts';
import type { GatewaySchema } from './schema.ts';
import { type ValuePath, valueAt } from './source-tree.ts';

type Parsed = z.output<GatewaySchema>;

/** What a route or a service has that speaks of requests. */
const OF_REQUESTS = {
  match: ['hosts', 'path', 'pathPrefix', 'pathRegex', 'methods', 'headers', 'query', 'cookies', 'any', 'all', 'not'],
  route: ['respond', 'rewrite', 'timeout', 'retry', 'websocket', 'policies'],
  service: ['protocol', 'tls', 'policies'],
} as const;

export function checkRaw(config: Parsed, context: CheckContext): void {
  for (const [index, listener] of config.listeners.entries()) checkListener(listener, index, config, context);
  for (const [index, route] of config.routes.entries()) {
    if (!context.isKnown(index) && isRawRoute(route)) checkRoute(route, ['routes', index], config, context);
  }
  checkHttpRoutes(config, context);
  const users = serviceUsers(config);
  for (const [index, service] of config.services.entries())
    checkService(service, ['services', index], users.get(service.name), context);
}

/** Whether anything uses a service, and the place of the first route that sends it requests; -1 for none. */
function serviceUsers({ routes }: Parsed): Map<string, number> {
  const users = new Map<string, number>();
  for (const [index, route] of routes.entries()) {
    if (route.service === undefined) continue;
    const first = users.get(route.service) ?? -1;
    if (first < 0) users.set(route.service, isRawRoute(route) ? -1 : index);
  }
  return users;
}

/** One map of predicates; of the context only `report` is used. */
export function checkRawMatch(
  match: MatchConfig,
  path: ValuePath,
  nested: boolean,
  { report }: Pick<CheckContext, 'report'>,
): void {
  if (!isRawMatch(match)) return;
  const own = match.sni === undefined ? 'listeners' : 'sni';
  if (nested) {
    report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, own],
      part: 'key',
      message: `\`${own}\` stands in a nested map: it chooses connections and not requests, and belongs into \`match\` itself`,
    });
    return;
  }
  for (const key of OF_REQUESTS.match) {
    if (match[key] === undefined) continue;
    report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, key],
      part: 'key',
      message: `\`${key}\` stands beside \`${own}\`: a connection that is relayed has no requests`,
    });
  }
}

function isRelaying({ mode }: Parsed['listeners'][number]): boolean {
  return mode !== 'http';
}

function checkListener(
  listener: Parsed['listeners'][number],
  index: number,
  config: Parsed,
  context: CheckContext,
): void {
  const path: ValuePath = ['listeners', index];
  listener.proxyProtocol?.from.forEach((range, item) => {
    if (!range.endsWith('/0')) return;
    context.report({
      severity: 'warning',
      code: 'trusts_everyone',
      path: [...path, 'proxyProtocol', 'from', item],
      message: 'every client is believed about its address: list the proxies in front of the gateway only',
    });
  });
  if (!isRelaying(listener)) return;
  for (const key of ['tls', 'protocols'] as const) {
    if (listener[key] === undefined) continue;
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, key],
      part: 'key',
      message: `\`${key}\` stands beside ${context.subject([...path, 'mode'])}: its connections are relayed as they are`,
    });
  }
  const reason = 'nothing is read that proxies say but `proxyProtocol`';
  if (listener.trustedProxies.length > 0) warnNoEffect([...path, 'trustedProxies'], reason, context);
  if (listener.clientAddressFrom !== undefined) warnNoEffect([...path, 'clientAddressFrom'], reason, context);
  const { name, mode } = listener;
  const taken = config.routes.some(({ match }) => {
    if (!isRawMatch(match) || (mode === 'tcp' && match.sni !== undefined)) return false;
    return match.listeners === undefined || match.listeners.includes(name);
  });
  if (taken) return;
  context.report({
    severity: 'warning',
    code: 'unserved_listener',
    path: [...path, 'name'],
    message: `no route takes the connections of this listener: name it in \`match.listeners\`${mode === 'tcp' ? '' : ' or match by `sni`'}`,
  });
}

function warnNoEffect(path: ValuePath, reason: string, context: CheckContext): void {
  context.report({
    severity: 'warning',
    code: 'no_effect',
    path,
    part: 'key',
    message: `\`${path.at(-1)}\` has no effect: ${reason}`,
  });
}

function checkRoute(route: RouteConfig, path: ValuePath, config: Parsed, context: CheckContext): void {
  for (const key of OF_REQUESTS.route) {
    if (context.written([...path, key]) === undefined) continue;
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, key],
      part: 'key',
      message: `\`${key}\` is of requests, and ${routeAt(path, context)} takes connections that are only relayed`,
    });
  }
  const { listeners, sni } = route.match;
  for (const [item, name] of (listeners ?? []).entries()) {
    checkListenerName(name, [...path, 'match', 'listeners', item], config, context);
  }
  if (sni === undefined) return;
  const named = config.listeners.filter(({ name }) => listeners === undefined || listeners.includes(name));
  // What is wrong with names was said.
  if (named.length === 0 || named.some(({ mode }) => mode === 'tls-passthrough')) return;
  context.report({
    severity: 'error',
    code: 'conflicting_keys',
    path: [...path, 'match', 'sni'],
    part: 'key',
    message: `\`sni\` is read by listeners of mode \`tls-passthrough\` only, and ${listeners === undefined ? 'there is none' : 'none of these is one'}`,
  });
}

function checkListenerName(name: string, path: ValuePath, config: Parsed, context: CheckContext): void {
  const listener = config.listeners.find((one) => one.name === name);
  if (listener !== undefined) {
    if (isRelaying(listener)) return;
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path,
      message: 'this listener serves requests: only those of mode `tcp` or `tls-passthrough` can be named here',
    });
    return;
  }
  const written = valueAt(context.raw, ['listeners']);
  const known = (Array.isArray(written) ? written : []).map((one) => valueAt(one, ['name']));
  // It may be wrong in other ways.
  if (known.includes(name)) return;
  const names = config.listeners.filter(isRelaying).map((one) => one.name);
  context.report({
    severity: 'error',
    code: 'unknown_listener',
    path,
    message: `no listener has this name${names.length > 0 && names.length <= 16 ? `; those that relay are ${names.join(', ')}` : ''}`,
    known: names,
  });
}

/** Routes of requests where nothing serves requests. */
function checkHttpRoutes({ listeners, routes }: Parsed, context: CheckContext): void {
  if (listeners.length === 0 || !listeners.every(isRelaying)) return;
  routes.forEach((route, index) => {
    if (context.isKnown(index) || isRawRoute(route)) return;
    const message = 'no listener serves requests: name those that relay in `listeners`, or match by `sni`';
    context.report({ severity: 'warning', code: 'no_effect', path: ['routes', index, 'match'], part: 'key', message });
  });
}

/** `user` is what `serviceUsers` knows of it. */
function checkService(service: ServiceConfig, path: ValuePath, user: number | undefined, context: CheckContext): void {
  checkProbe(service, path, context);
  if (user === undefined) return;
  if (user < 0) {
    checkRawService(service, path, context);
    return;
  }
  const who = `${routeAt(['routes', user], context)} sends it requests`;
  if (service.proxyProtocol !== undefined) {
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, 'proxyProtocol'],
      part: 'key',
      message: `\`proxyProtocol\` is of services to which connections are only relayed, and ${who}`,
    });
  }
  service.endpoints.forEach(({ url }, item) => {
    if (!url.startsWith('tcp:')) return;
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: [...path, 'endpoints', item],
      message: `is an endpoint to which connections are only relayed, and ${who}`,
    });
  });
}

/** The scheme says that the endpoint is not known to speak anything. */
function checkProbe({ endpoints, healthCheck }: ServiceConfig, path: ValuePath, context: CheckContext): void {
  if (healthCheck === undefined || healthCheck.type === 'tcp') return;
  if (!endpoints.some(({ url }) => url.startsWith('tcp:'))) return;
  const type = [...path, 'healthCheck', 'type'];
  const isWritten = context.written(type) !== undefined;
  context.report({
    severity: 'error',
    code: 'conflicting_keys',
    path: isWritten ? type : [...path, 'healthCheck'],
    part: 'key',
    message: `\`healthCheck\` asks by ${isWritten ? '' : '`http`, the default of '}\`${isWritten ? healthCheck.type : 'type'}\`, and endpoints of \`tcp://\` are only connected to: use \`type: tcp\``,
  });
}

function checkRawService(service: ServiceConfig, path: ValuePath, context: CheckContext): void {
  const reason = 'connections are relayed to this service as they are';
  for (const key of OF_REQUESTS.service) {
    if (context.written([...path, key]) !== undefined) warnNoEffect([...path, key], reason, context);
  }
  if (service.loadBalancing.sticky !== undefined) warnNoEffect([...path, 'loadBalancing', 'sticky'], reason, context);
}
