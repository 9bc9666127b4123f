/** What is known of single keys: the unit in which a file has them, and in which direction they let more through. */
import type { ValuePath } from '../source-tree.ts';

export interface Setting {
  readonly unit?: 'duration' | 'size' | 'address' | 'statuses';
  readonly bounds?: 'timeout' | 'limit' | 'retries';
  /** What stands for the key where it is absent. */
  readonly absent?: number;
  /** True where a larger number lets less through. */
  readonly inverse?: boolean;
}

const time: Setting = { unit: 'duration' };
const timeout: Setting = { unit: 'duration', bounds: 'timeout', absent: Number.POSITIVE_INFINITY };
const count: Setting = { bounds: 'limit', absent: Number.POSITIVE_INFINITY };
const bytes: Setting = { unit: 'size', bounds: 'limit', absent: Number.POSITIVE_INFINITY };
const address: Setting = { unit: 'address' };

/** By path, with `*` for a name. */
const settings: Readonly<Record<string, Setting>> = {
  'listeners.*.address': address,
  'listeners.*.limits.requestHead': bytes,
  'listeners.*.limits.requestBody': bytes,
  'listeners.*.limits.connections': count,
  'listeners.*.limits.streams': count,
  'listeners.*.timeouts.requestHead': timeout,
  'listeners.*.timeouts.bodyIdle': timeout,
  'listeners.*.timeouts.keepAlive': timeout,
  'listeners.*.tls.handshakeTimeout': timeout,
  'listeners.*.tls.sessionTimeout': time,
  'admin.address': address,
  'limits.concurrentRequests': count,
  workerMemory: { unit: 'size' },
  workerHeartbeat: time,
  'shutdown.drain': time,
  'shutdown.timeout': time,
  'state.keyCacheFor': time,
  'tiers.*.rate': count,
  'tiers.*.per': { unit: 'duration', bounds: 'limit', inverse: true },
  'tiers.*.burst': { bounds: 'limit' },
  'tiers.*.quotas.day': count,
  'tiers.*.quotas.month': count,
  'services.*.healthCheck.interval': time,
  'services.*.healthCheck.timeout': time,
  'services.*.healthCheck.expectStatus': { unit: 'statuses' },
  'services.*.loadBalancing.sticky.ttl': time,
  'services.*.passive.coolDown': time,
  'services.*.connections.max': count,
  'services.*.connections.streams': count,
  'services.*.connections.idleTimeout': time,
  'services.*.connections.queue': count,
  'services.*.connections.queueTimeout': timeout,
  'services.*.timeouts.connect': timeout,
  'services.*.timeouts.response': timeout,
  'services.*.timeouts.streamIdle': timeout,
  'routes.*.timeout': timeout,
  'routes.*.retry.attempts': { bounds: 'retries' },
  'routes.*.retry.perTryTimeout': timeout,
  'routes.*.retry.backoff.base': time,
  'routes.*.retry.backoff.max': time,
  'routes.*.websocket.idleTimeout': timeout,
  'routes.*.websocket.maxConnections': count,
  'routes.*.websocket.maxMessage': bytes,
};

const named: ReadonlySet<unknown> = new Set(['listeners', 'services', 'routes', 'tiers']);

/** What is known of the key at a path, undefined when nothing is. */
export function settingAt(path: ValuePath): Setting | undefined {
  const pattern = named.has(path[0]) ? [path[0], '*', ...path.slice(2)] : path;
  const key = pattern.join('.');
  return Object.hasOwn(settings, key) ? settings[key] : undefined;
}

/** By policy and key of its options: those of the contract whose direction is plain. */
const policySettings: Readonly<Record<string, Setting>> = {
  'rateLimit.limit': count,
  'rateLimit.burst': { bounds: 'limit' },
  'rateLimit.per': { bounds: 'limit', inverse: true },
  'bodyLimit.max': count,
  'concurrency.max': count,
  'concurrency.queue': { bounds: 'limit' },
  'concurrency.queueTimeout': { bounds: 'timeout' },
  'externalAuth.timeout': { bounds: 'timeout' },
  'introspection.timeout': { bounds: 'timeout' },
  'jwt.clockSkew': { bounds: 'limit' },
};

/** What is known of an option of a policy. */
export function policySettingAt(policy: string, option: ValuePath): Setting | undefined {
  const key = [policy, ...option].join('.');
  return Object.hasOwn(policySettings, key) ? policySettings[key] : undefined;
}

/** Whether the value after lets more or less through than the one before; null where that is not plain. */
export function directionOf(setting: Setting, before: unknown, after: unknown): 'loosened' | 'tightened' | null {
  const from = before ?? setting.absent;
  const to = after ?? setting.absent;
  if (setting.bounds === undefined || typeof from !== 'number' || typeof to !== 'number' || from === to) return null;
  return to > from === (setting.inverse !== true) ? 'loosened' : 'tightened';
}
