/** A gateway together with its admin listener: what `start`, `demo` and the integration tests run. */
import type { AdminSource } from '../admin/source.ts';
import { systemClock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Turns } from '../base/turns.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { ConfigControl } from '../control/config-control.ts';
import type { EndpointRegistry } from '../control/endpoint-registry.ts';
import { builtInPolicies } from '../gateway/built-in-policies.ts';
import { explainRequest } from '../gateway/explain.ts';
import { explainConnection } from '../gateway/explain-connection.ts';
import type { ApplyOptions } from '../gateway/gateway.ts';
import type { StatusPicture } from '../gateway/picture.ts';
import { workerCount } from '../gateway/workers/worker-set.ts';
import { type Emit, EventLog } from '../observability/events.ts';
import { AdminListener } from './admin-listener.ts';
import { createRunner, type Runner, type RunnerOptions } from './runner.ts';
import { packageVersion } from './version.ts';

export interface Server
  extends Omit<Runner, 'status' | 'audit' | 'stats' | 'health' | 'current' | 'metrics' | 'abandon' | 'keys'> {
  readonly admin: { host: string; port: number } | null;
  /** Tells those who follow the gateway's events. */
  readonly emit: Emit;
  /** Stops as `stop` does, but takes nothing new from now on: a successor has the addresses. */
  retire(): Promise<number>;
  /** Ends everything at once, whatever is under way. */
  abandon(): void;
}

export interface ServeOptions extends RunnerOptions {
  /** What happens; by default one that nobody else tells of anything. */
  readonly events?: EventLog;
  /** What the admin API shows of the configuration, and changes. */
  readonly control?: ConfigControl;
  readonly registry?: EndpointRegistry;
  /** Begins what a signal to stop begins. */
  readonly drain?: () => void;
  /** Has a successor take over; answers its process id. */
  readonly upgrade?: () => Promise<number>;
}

/**
 * Starts listening; rejects, with nothing left open, when an address cannot be had. `apply` of the server changes the admin
 * listener and the number of workers too, but rejects what would make one process several, or several one.
 */
export async function serve(config: GatewayConfig, logger: Logger, options: ServeOptions = {}): Promise<Server> {
  const count = workerCount(config.workers);
  const { clock = systemClock, events = new EventLog(clock) } = options;
  const runner = createRunner(count, logger, events.emit, options);
  try {
    await runner.apply(config, { after: options.control?.generationFloor ?? 0 });
    const admin = createAdminListener(runner, logger, events, options);
    (await admin.prepare(config.admin)).commit();
    const applyNow = async (next: GatewayConfig, how?: ApplyOptions): Promise<boolean> => {
      const workers = workerCount(next.workers);
      if ((workers === 1) !== (count === 1)) throw refusalOf(count, workers);
      const change = await admin.prepare(next.admin);
      let changed: boolean;
      try {
        changed = await runner.apply(next, { ...how, workers });
      } catch (error) {
        await change.discard();
        throw error;
      }
      change.commit();
      return changed;
    };
    const turns = new Turns();
    return {
      get state() {
        return runner.state;
      },
      get generation() {
        return runner.generation;
      },
      get addresses() {
        return runner.addresses;
      },
      get active() {
        return runner.active;
      },
      get admin() {
        return admin.address;
      },
      apply: (next, how) => turns.take(() => applyNow(next, how)),
      countReload: (result) => runner.countReload(result),
      emit: events.emit,
      reopenLogs: () => runner.reopenLogs(),
      secret: runner.secret,
      ticketSeed: runner.ticketSeed,
      get inheritance() {
        return [...runner.inheritance, ...admin.inheritance];
      },
      async stop() {
        admin.endLasting();
        const cut = await runner.stop();
        await admin.close();
        return cut;
      },
      abandon: () => runner.abandon(),
      async retire() {
        // Questions of operators, too, are the successor's to answer.
        const closed = admin.close();
        const cut = await runner.stop(0);
        await closed;
        return cut;
      },
    };
  } catch (error) {
    runner.abandon();
    throw error;
  }
}

/** The status of the gateway, and of its configuration where that is known. */
function withConfig(status: StatusPicture, control: ConfigControl | undefined): StatusPicture {
  return control === undefined ? status : { ...status, config: control.picture() };
}

function createAdminListener(
  runner: Runner,
  logger: Logger,
  events: EventLog,
  { control, registry, drain, upgrade, inherited }: ServeOptions,
): AdminListener {
  // Several at once would each take a slice of the same turn.
  const explanations = new Turns();
  const source: AdminSource = {
    version: packageVersion(),
    ready: () => runner.state === 'running',
    status: async () => withConfig(await runner.status(), control),
    stats: () => runner.stats(),
    explain: (request) =>
      explanations.take(async () => {
        const { current } = runner;
        return current === null ? null : explainRequest(current, request, builtInPolicies);
      }),
    explainConnection: (connection) =>
      explanations.take(async () => {
        const { current } = runner;
        return current === null ? null : explainConnection(current, connection, builtInPolicies);
      }),
    events,
    health: () => runner.health(),
    metrics: () => runner.metrics(),
    keys: runner.keys,
    control,
    registry,
    drain,
    upgrade,
  };
  return new AdminListener({ source, logger, inherited, audit: (event) => runner.audit.record(event) });
}

/** One process carries traffic itself, and several have one that leads them: only a new start makes the one of the other. */
function refusalOf(from: number, to: number): OperatorError {
  return new OperatorError(
    `workers cannot go from ${from} to ${to} while the gateway runs: upgrade it (portico upgrade, or SIGUSR2)`,
  );
}
