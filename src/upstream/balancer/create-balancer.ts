/** The one list of load-balancing algorithms. */
import type { BalancingAlgorithm } from '../../config/model.ts';
import type { Balancer } from './balancer.ts';
import { IpHash } from './ip-hash.ts';
import { LeastConnections } from './least-connections.ts';
import { Random } from './random.ts';
import { RoundRobin } from './round-robin.ts';
import { WeightedRoundRobin } from './weighted-round-robin.ts';

const constructors: Record<BalancingAlgorithm, (random: () => number) => Balancer> = {
  'round-robin': () => new RoundRobin(),
  'weighted-round-robin': () => new WeightedRoundRobin(),
  'least-connections': () => new LeastConnections(),
  'ip-hash': () => new IpHash(),
  random: (random) => new Random(random),
};

export const BALANCER_ALGORITHMS = Object.freeze(Object.keys(constructors)) as readonly BalancingAlgorithm[];

/** A fresh balancer. `random` gives numbers from 0 (included) to 1 (not included). */
export function createBalancer(algorithm: BalancingAlgorithm, random: () => number): Balancer {
  return constructors[algorithm](random);
}
