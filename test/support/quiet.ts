/** Waiting until a gateway holds nothing any more: what every test that hunts for leaks ends with. */
import type { TestGateway } from './gateway.ts';
import { PATIENCE, turn } from './waiting.ts';

/** Upstream connections over all services. */
function upstreamConnections({ gateway }: TestGateway): { open: number; idle: number } {
  const count = { open: 0, idle: 0 };
  for (const service of gateway.current?.services.values() ?? []) {
    for (const { pool } of service.endpoints) {
      count.open += pool.open;
      count.idle += pool.idle;
    }
  }
  return count;
}

/** Resolves when the gateway holds no request and no client connection any more; fails when it keeps some. */
export function untilQuiet({ gateway }: TestGateway): Promise<void> {
  const rest = (): string => `${gateway.active} requests and ${gateway.connections} client connections`;
  return untilTrue(() => gateway.active === 0 && gateway.connections === 0, rest);
}

/** Resolves when no upstream connection is busy any more; fails when some stay so. */
export function untilUpstreamIdle(gateway: TestGateway): Promise<void> {
  const busy = (): number => upstreamConnections(gateway).open - upstreamConnections(gateway).idle;
  return untilTrue(
    () => busy() === 0,
    () => `${busy()} busy upstream connections`,
  );
}

/** Resolves when the gateway has no upstream connection any more; fails when it keeps some. */
export function untilUpstreamClosed(gateway: TestGateway): Promise<void> {
  return untilTrue(
    () => upstreamConnections(gateway).open === 0,
    () => `${upstreamConnections(gateway).open} upstream connections`,
  );
}

/** The gateway's counts announce nothing, so they are looked at once a turn of the event loop. */
async function untilTrue(look: () => boolean, rest: () => string, patience = PATIENCE): Promise<void> {
  const end = performance.now() + patience;
  while (!look()) {
    if (performance.now() > end) throw new Error(`${rest()} stay`);
    await turn();
  }
}
