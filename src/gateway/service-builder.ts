/** Makes the services of each generation: pools to their endpoints, checks of health, and who is told when one goes down. */
import { isDeepStrictEqual } from 'node:util';
import type { Allowance } from '../base/allowance.ts';
import type { Clock, Timers } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { ServiceConfig } from '../config/model.ts';
import { Http2UpstreamPool } from '../net/http2-upstream-pool.ts';
import type { UpstreamPoolLike } from '../net/upstream.ts';
import { UpstreamPool } from '../net/upstream-pool.ts';
import { secureContextOf } from '../net/upstream-tls.ts';
import type { Emit } from '../observability/events.ts';
import { createServices } from '../upstream/create-services.ts';
import { type Endpoint, isSecure, speaksHttp2 } from '../upstream/endpoint.ts';
import { probe } from '../upstream/health/probe.ts';
import { createPoolOptions, type Service } from '../upstream/service.ts';
import { connectionsKey, type Team } from './team.ts';

export interface ServiceBuilderDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly wheel: TimerWheel;
  /** The clock's. */
  readonly now: () => number;
  /** That of the gateway, as it is when services are built. */
  readonly secret: () => Uint8Array;
  /** Absent in a gateway that is alone. */
  readonly team: Team | undefined;
  readonly emit: Emit | undefined;
}

export class ServiceBuilder {
  private readonly deps: ServiceBuilderDeps;

  constructor(deps: ServiceBuilderDeps) {
    this.deps = deps;
  }

  /**
   * Services that are not live before their `commit`; endpoints that `running` has, too, are the very same objects. Throws
   * where a certificate, a key or an authority cannot be used: the commit relies on that.
   *
   * What services keep of this call, as long as they live, must not hold `running`, which holds those before it: no function
   * in here may name it.
   */
  build(
    wanted: readonly ServiceConfig[],
    running: ReadonlyMap<string, Service<UpstreamPoolLike>> | null,
  ): Map<string, Service<UpstreamPoolLike>> {
    prepareTls(wanted, running);
    const { clock, timers, logger, random, secret, team, emit } = this.deps;
    return createServices<UpstreamPoolLike>(wanted, running, {
      clock,
      timers,
      // Of several processes one tells of endpoints that go down and come up.
      logger: team === undefined ? logger : silentLogger,
      random,
      secret: secret(),
      createPool: (endpoint, service) => this.createPool(endpoint, service),
      check: team === undefined ? probe : null,
      onHealthChange: (service, { id, url, healthy }, reason) => {
        team?.onHealthChange(service.name, url, healthy, reason);
        emit?.({ type: 'health', service: service.name, endpoint: id, healthy, reason });
      },
    });
  }

  private createPool(endpoint: Endpoint<UpstreamPoolLike>, service: ServiceConfig): UpstreamPoolLike {
    const { team, wheel, now } = this.deps;
    const shared =
      team === undefined
        ? null
        : (pool: UpstreamPoolLike): Allowance =>
            team.allowance(
              connectionsKey(service.name, endpoint.url),
              () => pool.open,
              (count) => pool.yieldIdle(count),
            );
    const { host, port } = endpoint;
    const secure = isSecure(service, endpoint.url);
    const setting = { host, port, secure, wheel, now, createAllowance: shared };
    const options = createPoolOptions(service);
    return speaksHttp2(service) ? new Http2UpstreamPool(setting, options) : new UpstreamPool(setting, options);
  }
}

function prepareTls(
  wanted: readonly ServiceConfig[],
  running: ReadonlyMap<string, Service<UpstreamPoolLike>> | null,
): void {
  for (const { name, tls } of wanted) {
    if (tls === undefined || isDeepStrictEqual(tls, running?.get(name)?.config.tls)) continue;
    try {
      secureContextOf(tls);
    } catch (error) {
      throw new Error(`the TLS of service ${name} cannot be used: ${(error as Error).message}`, { cause: error });
    }
  }
}
