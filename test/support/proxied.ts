/** The usual set-up: an origin, a gateway before it, and a client of that. */

import { configFor, startTestGateway, type TestGateway } from './gateway.ts';
import type { Closable } from './opened.ts';
import { type RawClient, rawClient } from './raw-client.ts';
import { type Origin, type OriginScript, startOrigin } from './raw-origin.ts';

/** What differs from the usual configuration. */
export type ProxiedParts = Parameters<typeof configFor>[1];

export interface Proxied {
  readonly origin: Origin;
  readonly gateway: TestGateway;
  readonly client: RawClient;
}

/** All three stand in `opened`; what is not given is as usual. */
export async function startProxied(
  opened: Closable[],
  script: OriginScript = {},
  parts: ProxiedParts = {},
  more: Parameters<typeof startTestGateway>[4] = {},
): Promise<Proxied> {
  const origin = await startOrigin(script);
  const gateway = await startTestGateway(configFor([origin.url], parts), [], undefined, {}, more);
  const client = await rawClient(gateway.port);
  opened.push(origin, gateway, client);
  return { origin, gateway, client };
}
