/** Checks of services: checks and limits that contradict each other, and services that nothing uses. */
import type { z } from 'zod';
import { type CheckContext, durationAt } from './check-context.ts';
import type { ServiceConfig } from './model.ts';
import type { GatewaySchema } from './schema.ts';
import { type ValuePath, valueAt } from './source-tree.ts';

export function checkServices(config: z.output<GatewaySchema>, context: CheckContext): void {
  const used = writtenServiceNames(context.raw);
  config.services.forEach((service, index) => {
    checkHealth(service, index, context);
    checkEndpoints(service, index, context);
    checkPipelining(service, index, context);
    if (used.has(service.name)) return;
    context.report({
      severity: 'warning',
      code: 'unused_service',
      path: ['services', index, 'name'],
      message: 'no route uses this service',
    });
  });
}

/** Names that routes use, also routes that are wrong in other ways. */
function writtenServiceNames(raw: unknown): Set<unknown> {
  const routes = valueAt(raw, ['routes']);
  return new Set(Array.isArray(routes) ? routes.map((route) => valueAt(route, ['service'])) : []);
}

/** Keys of a health check by the only types that ask for them. */
const HEALTH_KEYS: readonly (readonly [key: string, types: readonly string[]])[] = [
  ['path', ['http']],
  ['expectStatus', ['http']],
  ['grpcService', ['grpc']],
];

function checkHealth({ endpoints, healthCheck, protocol }: ServiceConfig, index: number, context: CheckContext): void {
  if (healthCheck === undefined) return;
  // Of endpoints that are only connected to another check tells.
  const isHttp1 = /^https?$/.test(protocol) && !endpoints.some(({ url }) => url.startsWith('tcp:'));
  if (healthCheck.type === 'grpc' && isHttp1) {
    context.report({
      severity: 'warning',
      code: 'conflicting_keys',
      path: ['services', index, 'healthCheck', 'type'],
      message: `\`type\` \`grpc\` asks by HTTP/2, and the service speaks \`${protocol}\`: an endpoint that speaks HTTP/1.1 only is never up; is \`protocol: grpc\` missing?`,
    });
  }
  for (const [key, types] of HEALTH_KEYS) {
    const path: ValuePath = ['services', index, 'healthCheck', key];
    if (types.includes(healthCheck.type) || context.written(path) === undefined) continue;
    context.report({
      severity: 'warning',
      code: 'no_effect',
      path,
      part: 'key',
      message: `\`${key}\` has no effect on a check of type \`${healthCheck.type}\``,
    });
  }
  if (healthCheck.timeout < healthCheck.interval) return;
  const timeout: ValuePath = ['services', index, 'healthCheck', 'timeout'];
  const interval: ValuePath = ['services', index, 'healthCheck', 'interval'];
  context.report({
    severity: 'warning',
    code: 'health_timeout_too_long',
    path: context.written(timeout) === undefined ? interval : timeout,
    message: `${durationAt(timeout, healthCheck.timeout, context)} is not shorter than ${durationAt(interval, healthCheck.interval, context)}: a slow endpoint is seen late`,
  });
}

/** Other protocols have better ways to carry several requests, or carry none. */
function checkPipelining(
  { connections, endpoints, protocol }: ServiceConfig,
  index: number,
  context: CheckContext,
): void {
  if (connections.pipelining === 1) return;
  const isRelayed = endpoints.some(({ url }) => url.startsWith('tcp:'));
  if (/^https?$/.test(protocol) && !isRelayed) return;
  context.report({
    severity: 'warning',
    code: 'no_effect',
    path: ['services', index, 'connections', 'pipelining'],
    part: 'key',
    message: `\`pipelining\` is of HTTP/1.1, and the service ${isRelayed ? 'is only relayed to' : `speaks \`${protocol}\``}`,
  });
}

function checkEndpoints(service: ServiceConfig, index: number, context: CheckContext): void {
  if (service.endpoints.length === 0 && service.registration !== true) {
    // What is there may only be left out for being wrong.
    const written = context.written(['services', index, 'endpoints']);
    if (Array.isArray(written) && written.length === 0) {
      context.report({
        severity: 'error',
        code: 'invalid_value',
        path: ['services', index, 'endpoints'],
        message: 'needs at least one endpoint, unless they register themselves (`registration: true`)',
      });
    }
  }
  const first = new Map<string, number>();
  service.endpoints.forEach((endpoint, item) => {
    const before = first.get(endpoint.url);
    if (before === undefined) first.set(endpoint.url, item);
    else {
      context.report({
        severity: 'warning',
        code: 'duplicate_endpoint',
        path: ['services', index, 'endpoints', item],
        message: `the endpoint stands here twice: \`${context.nameOf(['services', index, 'endpoints', before])}\` is the same; use \`weight\` for a larger share`,
      });
    }
  });
}
