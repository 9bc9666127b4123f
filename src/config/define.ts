/** What a TypeScript configuration file imports as `portico/config`. */
import type { GatewayInput } from './model.ts';

export type { GatewayInput } from './model.ts';

/** Gives a configuration its type: `export default defineGateway({ version: 1, ... })`. Returns what it was given. */
export function defineGateway(config: GatewayInput): GatewayInput {
  return config;
}
