/** A gateway together with its admin listener: what `start`, `demo` and the integration tests run. */
import { isDeepStrictEqual } from 'node:util';
import { createAdmin } from '../admin/server.ts';
import { systemClock, systemTimers } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import { builtInPolicies } from '../gateway/built-in-policies.ts';
import { Gateway } from '../gateway/gateway.ts';
import { healthPicture, statusPicture } from '../gateway/picture.ts';
import { packageVersion } from './version.ts';

export interface Server {
  readonly gateway: Gateway;
  readonly addresses: { name: string; host: string; port: number }[];
  readonly admin: { host: string; port: number } | null;
  /** Applies a config to the gateway; rejects when it would need another admin listener than the running one. */
  apply(config: GatewayConfig): Promise<boolean>;
  /** Drains and stops; answers how many requests had to be cut. */
  stop(): Promise<number>;
}

/** Starts listening; rejects, with nothing left open, when an address cannot be had. */
export async function serve(config: GatewayConfig, logger: Logger): Promise<Server> {
  const gateway = new Gateway({
    clock: systemClock,
    timers: systemTimers,
    logger,
    policies: builtInPolicies,
    random: Math.random,
    version: packageVersion(),
  });
  await gateway.apply(config);
  const admin =
    config.admin === undefined
      ? null
      : createAdmin({
          address: config.admin.address,
          token: config.admin.token,
          logger,
          source: {
            ready: () => gateway.state === 'running',
            status: () => statusPicture(gateway),
            health: () => healthPicture(gateway),
            metrics: () => gateway.metrics.pieces(),
          },
        });
  let adminAddress: { host: string; port: number } | null = null;
  try {
    if (admin !== null) adminAddress = await admin.listen();
  } catch (error) {
    gateway.abandon();
    throw error;
  }
  return {
    gateway,
    get addresses() {
      return gateway.addresses;
    },
    admin: adminAddress,
    apply(wanted) {
      if (!isDeepStrictEqual(wanted.admin, config.admin)) {
        return Promise.reject(new OperatorError('admin cannot be changed while the gateway runs: restart it'));
      }
      return gateway.apply(wanted);
    },
    async stop() {
      const cut = await gateway.stop();
      await admin?.close();
      return cut;
    },
  };
}
