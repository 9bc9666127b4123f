/** A real gateway in this process, from config text, on free ports. */
import { resolve } from 'node:path';
import { systemClock, systemTimers } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { policySchemas } from '../../src/cli/config-file.ts';
import { parseConfigText } from '../../src/config/load.ts';
import type { GatewayConfig } from '../../src/config/model.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { Gateway, type GatewayDeps } from '../../src/gateway/gateway.ts';
import type { Policy } from '../../src/pipeline/policy.ts';

export interface TestGateway {
  readonly gateway: Gateway;
  /** Of the first listener. */
  readonly port: number;
  close(): Promise<void>;
}

/** Contents of the files that a configuration names, by their names in it. */
export type TestFiles = Readonly<Record<string, string>>;

/** Parses config text, which may be YAML or JSON or an object; throws with the findings when it is refused. */
export async function configOf(
  text: string | object,
  own: readonly Policy[] = [],
  files: TestFiles = {},
): Promise<GatewayConfig> {
  const source = typeof text === 'string' ? text : JSON.stringify(text);
  const policies = {
    names: () => [...policySchemas.names(), ...own.map(({ name }) => name)],
    schemaOf: (name: string) => own.find((policy) => policy.name === name)?.schema ?? policySchemas.schemaOf(name),
    problemsOf: policySchemas.problemsOf?.bind(policySchemas),
  };
  const { config, findings } = await parseConfigText(source, {
    file: 'test',
    policies,
    env: {},
    files: Object.fromEntries(Object.entries(files).map(([name, content]) => [resolve(name), content])),
  });
  if (config === null) throw new Error(findings.map((f) => `${f.line}:${f.column} ${f.path} ${f.message}`).join('\n'));
  return config;
}

/** Starts a gateway without admin listener and access log unless the config says otherwise; `own` are policies more. */
export async function startTestGateway(
  text: string | object,
  own: readonly Policy[] = [],
  logger: Logger = { ...silentLogger },
  files: TestFiles = {},
  more: Partial<Pick<GatewayDeps, 'clock' | 'secret' | 'tickets' | 'timers'>> = {},
): Promise<TestGateway> {
  const config = await configOf(text, own, files);
  const gateway = new Gateway({
    clock: systemClock,
    timers: systemTimers,
    logger,
    policies: new Map([...builtInPolicies, ...own.map((policy): [string, Policy] => [policy.name, policy])]),
    random: Math.random,
    version: '0.0.0-test',
    ...more,
  });
  await gateway.apply(config);
  return {
    gateway,
    port: gateway.addresses[0].port,
    close: () => {
      gateway.abandon();
      return Promise.resolve();
    },
  };
}

/** A config with one listener on a free port; the rest is given. */
export function configWith(rest: {
  listener?: object;
  services?: object[];
  routes: object[];
  [key: string]: unknown;
}): object {
  const { listener, services, routes, ...others } = rest;
  return {
    version: 1,
    listeners: [{ name: 'test', address: '127.0.0.1:0', ...listener }],
    admin: false,
    logging: { level: 'silent', access: false },
    shutdown: { drain: '0ms', timeout: '1s' },
    services: services ?? [],
    routes,
    ...others,
  };
}

/** Of a service: marking an endpoint down would hide which of many requests failed. */
export const NEVER_DOWN = { passive: { failures: 100_000, coolDown: '1ms' } };

/** One service with these origins, and one route to it for everything. */
export function configFor(
  urls: readonly string[],
  extra: { listener?: object; service?: object; route?: object } = {},
): object {
  return configWith({
    ...(extra.listener === undefined ? {} : { listener: extra.listener }),
    services: [{ name: 'origin', endpoints: urls, ...extra.service }],
    routes: [{ name: 'all', match: { pathPrefix: '/' }, service: 'origin', ...extra.route }],
  });
}
