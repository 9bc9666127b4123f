/** One generation in all workers: prepared by each before it goes live in any, and with the same routes in quarantine. */
import { inSlices } from '../../base/slices.ts';
import type { GatewayConfig } from '../../config/model.ts';
import { type ConfigParcel, packConfig } from '../../config/parcel.ts';
import { type LateQuarantine, type RouteState, routeState, withQuarantined } from '../quarantine.ts';
import type { WorkerProcess } from './worker-process.ts';
import type { WorkerSet } from './worker-set.ts';

/**
 * Has the generation prepared by every worker; answers the configuration that all of them have, in which a route is
 * quarantined that one of them could not build. Rejects when it cannot be had. A worker that ends meanwhile says nothing
 * about it.
 */
export async function prepareInAll(
  workers: WorkerSet,
  generation: number,
  config: GatewayConfig,
): Promise<GatewayConfig> {
  const errors: string[] = [];
  const late: LateQuarantine[] = [];
  let ready = 0;
  const parcels = new Map<GatewayConfig | undefined, Promise<ConfigParcel>>();
  await workers.toAll(async (worker) => {
    const { running } = worker;
    // All run the same one, but for those that have just begun.
    const parcel = parcels.get(running?.config) ?? inSlices(packConfig(config, running?.config));
    parcels.set(running?.config, parcel);
    const { error, quarantined } = await prepareIn(worker, generation, await parcel, running?.generation);
    late.push(...quarantined);
    if (error === null) ready++;
    else errors.push(error);
  });
  if (errors.length === 0 && ready > 0) {
    // A route that is quarantined is not built again, so this ends.
    if (late.length > 0) return prepareInAll(workers, generation, withQuarantined(config, late));
    for (const worker of workers) worker.quarantined = [];
    return config;
  }
  await workers.toAll((worker) => worker.request({ type: 'discard' }));
  throw new Error(errors[0] ?? 'no worker is running');
}

/** Has one worker prepare what the others run; it may be unable to build routes that they serve. Rejects when it cannot be had. */
export async function prepareInOne(worker: WorkerProcess, generation: number, config: GatewayConfig): Promise<void> {
  const { error, quarantined } = await prepareIn(worker, generation, await inSlices(packConfig(config)));
  if (error !== null) throw new Error(error);
  worker.quarantined = quarantined;
}

/** Has a worker build a generation, told by the one `upon`, if any; the channel keeps the order of what is sent. */
function prepareIn(worker: WorkerProcess, generation: number, { rest, services, routes }: ConfigParcel, upon = 0) {
  for (const portion of services) worker.send({ type: 'portion', list: 'services', portion });
  for (const portion of routes) worker.send({ type: 'portion', list: 'routes', portion });
  return worker.request({ type: 'prepare', generation, rest, upon });
}

/** True where a route serves in the configuration and not in the workers, by their states. */
export function hasLate(config: GatewayConfig | null, states: readonly RouteState[]): boolean {
  const serving = config?.routes.filter(({ quarantined }) => quarantined === undefined).length ?? 0;
  return states.filter(({ reason }) => reason === undefined).length < serving;
}

/** By the configuration that the workers have: a route is active where every worker serves it. */
export function routeStates(config: GatewayConfig | null, workers: WorkerSet): RouteState[] {
  const late = [...workers].flatMap(({ quarantined }) => quarantined);
  const { routes } = withQuarantined(config ?? { routes: [] }, late);
  return routes.map(({ name, quarantined }) => routeState(name, quarantined?.reason));
}
