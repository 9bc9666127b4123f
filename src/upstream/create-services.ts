/** Builds the services of a generation beside those that run, taking over the endpoints that stay. */
import type { ServiceConfig } from '../config/model.ts';
import { createBalancer } from './balancer/create-balancer.ts';
import { Endpoint, type EndpointPool, parseEndpointUrl } from './endpoint.ts';
import { Service, type ServiceDeps } from './service.ts';

/**
 * The services by name, built and not live: nothing is started, and nothing of `previous` is touched, before each one's
 * `commit()`; a build that is not wanted is ended by `close()`. Endpoints with the same service name, protocol and URL are
 * the very same objects as before. Throws EndpointAddressError on an address that config should have refused.
 */
export function createServices<Pool extends EndpointPool>(
  configs: readonly ServiceConfig[],
  previous: ReadonlyMap<string, Service<Pool>> | null,
  deps: ServiceDeps<Pool>,
): Map<string, Service<Pool>> {
  const services = new Map<string, Service<Pool>>();
  try {
    for (const config of configs) services.set(config.name, createService(config, previous?.get(config.name), deps));
  } catch (error) {
    for (const service of services.values()) service.close();
    throw error;
  }
  return services;
}

function createService<Pool extends EndpointPool>(
  config: ServiceConfig,
  predecessor: Service<Pool> | undefined,
  deps: ServiceDeps<Pool>,
): Service<Pool> {
  const weights = mergeWeights(config);
  const endpoints: Endpoint<Pool>[] = [];
  // Connections that speak another protocol are of no use.
  const kept = predecessor?.config.protocol === config.protocol ? predecessor.endpoints : [];
  // Thousands may register themselves.
  const former = new Map(kept.map((endpoint) => [endpoint.url, endpoint]));
  for (const [url, weight] of weights) {
    const known = former.get(url);
    endpoints.push(known ?? new Endpoint<Pool>(url, weight, (endpoint) => deps.createPool(endpoint, config)));
  }
  const { algorithm } = config.loadBalancing;
  // The same algorithm goes on where it was: a reload must not send everybody to the first endpoint again.
  const goesOn = predecessor !== undefined && predecessor.config.loadBalancing.algorithm === algorithm;
  const balancer = goesOn ? predecessor.balancer : createBalancer(algorithm, deps.random);
  return new Service(config, endpoints, [...weights.values()], balancer, predecessor ?? null, deps);
}

/** By origin, in the file's order; one that is named twice is one endpoint with both weights. */
function mergeWeights(config: ServiceConfig): Map<string, number> {
  const weights = new Map<string, number>();
  for (const { url, weight, drain } of config.endpoints) {
    const { origin } = parseEndpointUrl(url);
    weights.set(origin, (weights.get(origin) ?? 0) + (drain === true ? 0 : weight));
  }
  return weights;
}
