/** Checks across values that no schema of one value can make: references between them, contradictions, and lint. */
import type { z } from 'zod';
import { formatAddress, isLoopback } from '../base/address.ts';
import type { Steps } from '../base/slices.ts';
import { checkAccess } from './check-access.ts';
import { type CheckContext, durationAt } from './check-context.ts';
import { checkRaw } from './check-raw.ts';
import { checkRoutes } from './check-routes.ts';
import { checkServices } from './check-services.ts';
import type { ListenerConfig } from './model.ts';
import type { PolicySchemas } from './policy-schemas.ts';
import type { GatewaySchema } from './schema.ts';
import { type ValuePath, valueAt } from './source-tree.ts';

type Parsed = z.output<GatewaySchema>;

/** Items that are looked at in one step. */
const STEP = 256;

/** Runs every check. `config` may lack what the schema refused; nothing is said of what is missing for that reason. */
export function* checkGateway(config: Parsed, policies: PolicySchemas, context: CheckContext): Steps<void> {
  yield* checkNames('listeners', context);
  yield* checkNames('services', context);
  yield* checkNames('routes', context);
  yield;
  checkAddresses(config, context);
  checkAdmin(config, context);
  checkShutdown(config, context);
  checkAccessLog(config.logging.access, context);
  for (const [index, listener] of config.listeners.entries()) checkListener(listener, index, context);
  yield;
  checkServices(config, context);
  yield;
  checkRoutes(config, context);
  yield;
  checkRaw(config, context);
  yield;
  checkAccess(config, policies, context);
}

/** Looks at names as written, so that an item which is wrong in other ways counts too. */
function* checkNames(list: 'listeners' | 'services' | 'routes', context: CheckContext): Steps<void> {
  const items = valueAt(context.raw, [list]);
  if (!Array.isArray(items)) return;
  const first = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    if (index % STEP === 0) yield;
    const name = valueAt(item, ['name']);
    if (typeof name !== 'string') continue;
    const before = first.get(name);
    if (before === undefined) first.set(name, index);
    else {
      const message = `the name is taken: \`${list}[${before}]\` has it already`;
      context.reportWritten({ severity: 'error', code: 'duplicate_name', path: [list, index, 'name'], message });
    }
  }
}

function checkAddresses(config: Parsed, context: CheckContext): void {
  const taken = new Map<string, string>();
  const look = (address: ListenerConfig['address'], path: ValuePath, owner: string): void => {
    if (address.port === 0) return;
    const key = formatAddress(address);
    const before = taken.get(key) ?? taken.get(`:${address.port}`);
    if (before === undefined) taken.set(key, owner);
    else {
      const message = `the address is taken: ${before} listens on it`;
      context.report({ severity: 'error', code: 'duplicate_address', path, message });
    }
  };
  const lookAtAdmin = (): void => {
    if (config.admin !== false) look(config.admin.address, ['admin', 'address'], 'the admin listener');
  };
  // What the file says nothing of cannot be shown in it.
  const isDefault = context.written(['admin', 'address']) === undefined;
  if (isDefault) lookAtAdmin();
  for (const [index, { address }] of config.listeners.entries()) {
    look(address, ['listeners', index, 'address'], `\`${context.nameOf(['listeners', index])}\``);
  }
  if (!isDefault) lookAtAdmin();
}

function checkAdmin({ admin, stateDir }: Parsed, context: CheckContext): void {
  if (admin === false) return;
  if (admin.persist === 'state' && stateDir === undefined && context.written(['stateDir']) === undefined) {
    context.report({
      severity: 'error',
      code: 'conflicting_keys',
      path: ['admin', 'persist'],
      message: 'changes are to be kept in the state directory, and there is no `stateDir`',
    });
  }
  if (admin.token === undefined) {
    if (isLoopback(admin.address.host) || context.written(['admin', 'token']) !== undefined) return;
    context.report({
      severity: 'error',
      code: 'admin_without_token',
      path: ['admin', 'address'],
      message: 'the admin listener is not on loopback and has no `token`: anybody who reaches it could use it',
    });
  } else if (admin.token.length < 16) {
    context.report({
      severity: 'warning',
      code: 'weak_token',
      path: ['admin', 'token'],
      message: 'the token is shorter than 16 characters and can be guessed',
    });
  }
}

function checkShutdown({ shutdown }: Parsed, context: CheckContext): void {
  if (shutdown.drain <= shutdown.timeout) return;
  const drain: ValuePath = ['shutdown', 'drain'];
  const timeout: ValuePath = ['shutdown', 'timeout'];
  context.report({
    severity: 'warning',
    code: 'drain_exceeds_timeout',
    path: context.written(drain) !== undefined ? drain : timeout,
    message: `${durationAt(drain, shutdown.drain, context)} is longer than ${durationAt(timeout, shutdown.timeout, context)}, which includes it: the drain is cut short`,
  });
}

function checkAccessLog(access: Parsed['logging']['access'], context: CheckContext): void {
  if (access === false || access.format !== 'combined' || access.fields === undefined) return;
  context.report({
    severity: 'warning',
    code: 'no_effect',
    path: ['logging', 'access', 'fields'],
    part: 'key',
    message: '`fields` has no effect: the fields of the combined format are fixed',
  });
}

function checkListener(listener: Parsed['listeners'][number], index: number, context: CheckContext): void {
  listener.trustedProxies.forEach((range, item) => {
    if (!range.endsWith('/0')) return;
    context.report({
      severity: 'warning',
      code: 'trusts_everyone',
      path: ['listeners', index, 'trustedProxies', item],
      message: 'every client is believed about its address: list the proxies in front of the gateway only',
    });
  });
  // Of listeners that only relay, `checkRaw` says so.
  if (listener.clientAddressFrom === undefined || listener.trustedProxies.length > 0 || listener.mode !== 'http')
    return;
  context.report({
    severity: 'warning',
    code: 'no_effect',
    path: ['listeners', index, 'clientAddressFrom'],
    part: 'key',
    message: '`clientAddressFrom` has no effect: nobody is believed without `trustedProxies`',
  });
}
