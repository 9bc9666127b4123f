/** A real supervisor with two workers, which are processes of their own. */
import { systemClock, systemTimers, type Timers } from '../../src/base/clock.ts';
import { Inheritance } from '../../src/base/inherited.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import type { GatewayConfig } from '../../src/config/model.ts';
import { bestSharing, type SocketSharing } from '../../src/gateway/workers/sockets.ts';
import { Supervisor } from '../../src/gateway/workers/supervisor.ts';
import type { Closable } from './opened.ts';

export interface TestSupervisor {
  readonly supervisor: Supervisor;
  /** Of the first listener. */
  readonly port: number;
}

export interface TestSupervisorOptions {
  /** By default the best that there is here. */
  readonly sharing?: SocketSharing;
  readonly logger?: Logger;
  readonly timers?: Timers;
}

/** The ways in which processes can share a socket here. */
export function sharingModes(): SocketSharing[] {
  return bestSharing() === 'reuse-port' ? ['reuse-port', 'handed-over'] : ['handed-over'];
}

/** It stands in `opened` before it is given its configuration: workers of one that fails are ended, too. */
export async function startTestSupervisor(
  opened: Closable[],
  config: GatewayConfig,
  { sharing = bestSharing(), logger = { ...silentLogger }, timers = systemTimers }: TestSupervisorOptions = {},
): Promise<TestSupervisor> {
  const supervisor = new Supervisor(2, {
    clock: systemClock,
    timers,
    logger,
    random: Math.random,
    version: '0.0.0-test',
    sharing,
    inherited: new Inheritance(),
    onLines: () => {},
  });
  opened.push({ close: () => supervisor.abandon() });
  await supervisor.apply(config);
  return { supervisor, port: supervisor.addresses[0].port };
}
