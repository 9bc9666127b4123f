/** Configurations for tests of plans: small ones, with the policies of the contract by name and any options. */
import { z } from 'zod';
import { parseConfigValue } from '../load.ts';
import type { GatewayConfig } from '../model.ts';
import type { PolicySchemas } from '../policy-schemas.ts';

const names = [
  'jwt',
  'apiKey',
  'basicAuth',
  'introspection',
  'externalAuth',
  'anyOf',
  'authorize',
  'ipFilter',
  'rateLimit',
  'bodyLimit',
  'concurrency',
  'cors',
  'requestHeaders',
];
const anyOptions = z.record(z.string(), z.unknown());
const anyUses = z
  .array(anyOptions)
  .transform((uses) => uses.map((use) => Object.entries(use).map(([name, options]) => ({ name, options }))[0]));
const contractPolicies: PolicySchemas = {
  names: () => names,
  schemaOf: (name) => (name === 'anyOf' ? anyUses : names.includes(name) ? anyOptions : undefined),
};

/** What a file says, in plain values. */
export type Written = { [key: string]: unknown };

/** Parses a file of which only what matters is given; throws with the findings of one that is wrong. */
export function configOf(rest: Written): GatewayConfig {
  const file = { version: 1, listeners: [{ name: 'public', address: '127.0.0.1:8080' }], ...rest };
  const { config, findings } = parseConfigValue(file, { policies: contractPolicies });
  if (config === null) throw new Error(findings.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return config;
}

/** A file with the one service `s` and routes to it, each with its name and `path` the same unless it says otherwise. */
export function withRoutes(...routes: Written[]): Written {
  const written = routes.map((route) => ({ match: { path: `/${String(route.name)}` }, service: 's', ...route }));
  return { services: [{ name: 's', endpoints: ['http://127.0.0.1:9001'] }], routes: written };
}
