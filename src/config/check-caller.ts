/** Looks for routes that ask who calls where nothing finds out: they refuse everybody. */
import type { z } from 'zod';
import { type CheckContext, routeAt } from './check-context.ts';
import type { PolicySchemas, PolicyUse } from './policy-schemas.ts';
import { isRawRoute } from './raw-route.ts';
import type { GatewaySchema } from './schema.ts';
import type { ValuePath } from './source-tree.ts';

type Parsed = z.output<GatewaySchema>;

/** The policies of one place, and what they have to do with who calls. */
interface Scope {
  readonly path: ValuePath;
  readonly uses: readonly PolicyUse[];
  readonly finds: boolean;
  /** Indexes of uses that ask. */
  readonly asking: readonly number[];
}

/** Says nothing of routes that were checked before: what it says of one rests on the route, its service and the policies of all routes. */
export function checkCallers(config: Parsed, policies: PolicySchemas, context: CheckContext): void {
  const gateway = scopeOf(['policies'], config.policies, policies);
  if (gateway.finds) return;
  const services = new Map(
    config.services.map(({ name, policies: uses }, index) => {
      return [name, scopeOf(['services', index, 'policies'], uses, policies)];
    }),
  );
  for (const [index, route] of config.routes.entries()) {
    if (context.isKnown(index) || isRawRoute(route)) continue;
    const scopes = [scopeOf(['routes', index, 'policies'], route.policies, policies), gateway];
    if (route.service !== undefined) {
      const service = services.get(route.service);
      // One that is not there, or is wrong in other ways, has findings of its own.
      if (service === undefined) continue;
      scopes.splice(1, 0, service);
    }
    checkRoute(index, scopes, context);
  }
}

function scopeOf(path: ValuePath, uses: readonly PolicyUse[], policies: PolicySchemas): Scope {
  const asking: number[] = [];
  let finds = false;
  for (const [index, { name, options }] of uses.entries()) {
    const part = policies.callerIn?.(name, options);
    if (part === 'finds') finds = true;
    if (part === 'asks') asking.push(index);
  }
  return { path, uses, finds, asking };
}

/** `scopes` begin with the route's own, the narrowest: a policy named in several applies as the narrowest has it. */
function checkRoute(index: number, scopes: readonly Scope[], context: CheckContext): void {
  if (scopes.some(({ finds }) => finds)) return;
  const overridden = new Set<string>();
  for (const scope of scopes) {
    const { path, uses, asking } = scope;
    const at = asking.find((use) => !overridden.has(uses[use].name));
    if (at !== undefined) {
      // What is wrong in the file is not among the uses, and may be what would have found out.
      if (scopes.every((one) => isWhole(one, context))) report(index, [...path, at, uses[at].name], context);
      return;
    }
    for (const { name } of uses) overridden.add(name);
  }
}

function isWhole({ path, uses }: Scope, context: CheckContext): boolean {
  const written = context.written(path);
  return written === undefined ? uses.length === 0 : Array.isArray(written) && written.length === uses.length;
}

/** At the route, also where the use stands elsewhere: there it may be right for others. */
function report(index: number, use: ValuePath, context: CheckContext): void {
  const route: ValuePath = ['routes', index];
  const isOwn = use[0] === 'routes';
  const asking = isOwn ? use.at(-1) : context.nameOf(use);
  context.report({
    severity: 'warning',
    code: 'unknown_caller',
    path: isOwn ? use : route,
    part: 'key',
    message: `\`${asking}\` asks who calls, and no policy of ${routeAt(route, context)} finds out: it answers 401 to everybody`,
  });
}
