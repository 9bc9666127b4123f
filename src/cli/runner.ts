/** What carries the traffic: a gateway in this process, or the supervisor of several. */
import { type Clock, systemClock, systemTimers } from '../base/clock.ts';
import { Inheritance, type InheritedSocket } from '../base/inherited.ts';
import type { Logger } from '../base/logger.ts';
import type { TicketLegacy, TicketSeed } from '../base/ticket-seed.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { Audit } from '../gateway/audit.ts';
import { builtInPolicies } from '../gateway/built-in-policies.ts';
import { type ApplyOptions, Gateway } from '../gateway/gateway.ts';
import type { KeyDesk } from '../gateway/key-desk.ts';
import type { KeyPlaceOptions } from '../gateway/key-place.ts';
import { OwnState } from '../gateway/own-state.ts';
import {
  type HealthPicture,
  healthPicture,
  type StatsPicture,
  type StatusPicture,
  statusPicture,
} from '../gateway/picture.ts';
import { bestSharing, type SocketSharing } from '../gateway/workers/sockets.ts';
import { Supervisor } from '../gateway/workers/supervisor.ts';
import type { Emit } from '../observability/events.ts';
import { writeStandardLine } from '../observability/line-writer.ts';
import { ADMIN } from './admin-listener.ts';
import { packageVersion } from './version.ts';

/** Who runs it need not know which of the two it is. */
export interface Runner {
  readonly state: 'starting' | 'running' | 'draining' | 'stopped';
  readonly generation: number;
  readonly addresses: { name: string; host: string; port: number }[];
  /** Requests in progress. */
  readonly active: number;
  apply(config: GatewayConfig, options?: ApplyOptions): Promise<boolean>;
  countReload(result: 'success' | 'failure'): void;
  reopenLogs(): void;
  status(): Promise<StatusPicture>;
  stats(): Promise<StatsPicture>;
  health(): Promise<HealthPicture>;
  /** The configuration that runs; null before the first. */
  readonly current: GatewayConfig | null;
  metrics(): Promise<Iterable<string>>;
  readonly inheritance: readonly InheritedSocket[];
  readonly audit: Audit;
  /** What operators do with API keys. */
  readonly keys: KeyDesk;
  /** That of the start, for a successor. */
  readonly secret: Uint8Array;
  /** What TLS session tickets are sealed by, for a successor too. */
  readonly ticketSeed: TicketSeed;
  /** Serves on for `drain` milliseconds; by default as the configuration says. */
  stop(drain?: number): Promise<number>;
  abandon(): void;
}

export interface RunnerOptions {
  /** Addresses from the process whose place this one takes. */
  readonly inherited?: Inheritance;
  /** That of the process whose place this one takes. */
  readonly secret?: Uint8Array;
  readonly tickets?: TicketLegacy;
  /** How workers share an address; by default as this runtime does it best. */
  readonly sharing?: SocketSharing;
  /** What the configuration does not say of the place of API keys. */
  readonly keyPlace?: KeyPlaceOptions;
  /** Of this process; by default the system's, which workers in processes of their own always have. */
  readonly clock?: Clock;
}

/** `count` is of processes that carry traffic: with one it is this one. */
export function createRunner(count: number, logger: Logger, emit: Emit, options: RunnerOptions): Runner {
  return count === 1 ? createSingle(logger, emit, options) : createSupervisor(count, logger, emit, options);
}

function createSingle(logger: Logger, emit: Emit, options: RunnerOptions): Runner {
  const { inherited, secret, tickets, keyPlace, clock = systemClock } = options;
  const state = new OwnState({ clock, timers: systemTimers, logger, ...keyPlace });
  const gateway = new Gateway({
    clock,
    timers: systemTimers,
    logger,
    policies: builtInPolicies,
    state,
    random: Math.random,
    version: packageVersion(),
    emit,
    ...(inherited === undefined ? {} : { inherited }),
    ...(secret === undefined ? {} : { secret }),
    ...(tickets === undefined ? {} : { tickets }),
  });
  return {
    secret: gateway.secret,
    ticketSeed: gateway.ticketSeed,
    keys: state.keys.desk,
    audit: gateway.audit,
    get state() {
      return gateway.state;
    },
    get generation() {
      return gateway.generation;
    },
    get addresses() {
      return gateway.addresses;
    },
    get active() {
      return gateway.active;
    },
    get current() {
      return gateway.current?.config ?? null;
    },
    apply: (config, options) => gateway.apply(config, options),
    countReload: (result) => gateway.metrics.reloads.count(result),
    reopenLogs: () => gateway.reopenLogs(),
    status: () => Promise.resolve(statusPicture(gateway)),
    stats: () => Promise.resolve({ active: gateway.active, ...gateway.metrics.stats() }),
    health: () => Promise.resolve(healthPicture(gateway.health.read())),
    metrics: () => Promise.resolve(gateway.metrics.pieces()),
    get inheritance() {
      return gateway.inheritance;
    },
    stop: (drain) => gateway.stop(drain),
    abandon: () => gateway.abandon(),
  };
}

function createSupervisor(
  count: number,
  logger: Logger,
  emit: Emit,
  { inherited = new Inheritance(), sharing, secret, tickets, keyPlace, clock = systemClock }: RunnerOptions,
): Runner {
  // A socket that was not opened to be shared by port cannot be. The admin listener's never is.
  const own = inherited.hasHandles((name) => name !== ADMIN) ? 'handed-over' : bestSharing();
  return new Supervisor(count, {
    clock,
    timers: systemTimers,
    logger,
    random: Math.random,
    version: packageVersion(),
    sharing: sharing ?? own,
    inherited,
    emit,
    ...(secret === undefined ? {} : { secret }),
    ...(tickets === undefined ? {} : { tickets }),
    ...(keyPlace === undefined ? {} : { keyPlace }),
    onLines: writeStandardLine,
  });
}
