/** A named group of endpoints behind one balancer, within one generation: who is available, and what failures mean. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, TimerHandle, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ServiceConfig } from '../config/model.ts';
import type { Balancer, PickContext } from './balancer/balancer.ts';
import type { Endpoint, EndpointOwner, EndpointPool, FailureKind, PoolOptions } from './endpoint.ts';
import { ActiveCheck, type HealthProbe } from './health/active-check.ts';
import { Sticky, type StickyClaim } from './sticky.ts';

export interface ServiceDeps<Pool extends EndpointPool = EndpointPool> {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Numbers from 0 (included) to 1 (not included). */
  readonly random: () => number;
  /** Must open nothing before the first request: a build that never goes live is dropped. */
  readonly createPool: (endpoint: Endpoint<Pool>, config: ServiceConfig) => Pool;
  /** That of the gateway's start, for signatures; without it each service makes one of its own. */
  readonly secret?: Uint8Array;
  /** Null where another process makes the checks, and tells the verdicts by `applyVerdict`. */
  readonly check: HealthProbe | null;
  /** Told once per change of an endpoint, with the service of the newest generation. */
  readonly onHealthChange: (service: Service<Pool>, endpoint: Endpoint<Pool>, reason: string) => void;
}

/** What counts towards marking an endpoint down: not an invalid answer, which shows the endpoint to be there. */
const MARKS_DOWN: Readonly<Record<FailureKind, { passive: boolean; checked: boolean }>> = {
  'connect-failure': { passive: true, checked: true },
  reset: { passive: true, checked: true },
  // With checks, slowness is theirs to judge: a slow route must not take away an endpoint that passes them.
  timeout: { passive: true, checked: false },
  'invalid-response': { passive: false, checked: false },
};

const NEVER = Number.POSITIVE_INFINITY;

/** The longest delay a timer takes; a longer rest is waited for in turns. Milliseconds. */
const LONGEST_DELAY = 2 ** 31 - 1;

export class Service<Pool extends EndpointPool = EndpointPool> implements EndpointOwner {
  readonly name: string;
  readonly config: ServiceConfig;
  readonly endpoints: readonly Endpoint<Pool>[];
  readonly balancer: Balancer;
  /** Null where clients are not kept at an endpoint. */
  readonly sticky: Sticky<Pool> | null;
  /** The healthy endpoints with weight, in the file's order; a new array whenever that changes. */
  available: readonly Endpoint<Pool>[];
  readonly #deps: ServiceDeps<Pool>;
  readonly #weights: readonly number[];
  /** What `pick` chooses from: the available ones, or all of them in panic. */
  #candidates: readonly Endpoint<Pool>[];
  /** On the clock: the earliest end of a rest, or never. */
  #nextReturn: number;
  #timer: TimerHandle | null;
  #predecessor: Service<Pool> | null;
  #state: 'built' | 'live' | 'closed';
  readonly #checks: Map<Endpoint<Pool>, ActiveCheck>;

  /** `weights` belong to `endpoints` by index and are applied by `commit`. Called by `createServices`. */
  constructor(
    config: ServiceConfig,
    endpoints: readonly Endpoint<Pool>[],
    weights: readonly number[],
    balancer: Balancer,
    predecessor: Service<Pool> | null,
    deps: ServiceDeps<Pool>,
  ) {
    this.name = config.name;
    this.config = config;
    this.endpoints = endpoints;
    this.balancer = balancer;
    this.sticky =
      config.loadBalancing.sticky === undefined
        ? null
        : new Sticky(config, endpoints, deps.secret, predecessor?.sticky ?? null, deps.clock);
    this.available = [];
    this.#deps = deps;
    this.#weights = weights;
    this.#candidates = [];
    this.#nextReturn = NEVER;
    this.#timer = null;
    this.#predecessor = predecessor;
    this.#state = 'built';
    this.#checks = new Map();
  }

  /**
   * The endpoint for the next try, or null when there is none: 503 at once. Those in `tried` are avoided while another
   * one is left. The caller then says `onSend`, and `onEnd` when the request is over, whichever way.
   */
  pick(context: PickContext, tried: readonly Endpoint[] | null): Endpoint<Pool> | null {
    if (this.#nextReturn !== NEVER && this.#deps.clock.now() >= this.#nextReturn) this.#endRests();
    const candidates = this.#candidates;
    if (candidates.length === 1) return candidates[0];
    return this.balancer.pick(candidates, context, tried);
  }

  /** As `pick`, but the endpoint that the client's cookie names goes first, as long as it takes requests. */
  pickClaimed(
    { endpoint }: StickyClaim<Pool>,
    context: PickContext,
    tried: readonly Endpoint[] | null,
  ): Endpoint<Pool> | null {
    if (endpoint !== null && !tried?.includes(endpoint)) {
      if (this.#nextReturn !== NEVER && this.#deps.clock.now() >= this.#nextReturn) this.#endRests();
      if (this.#candidates.includes(endpoint)) return endpoint;
    }
    return this.pick(context, tried);
  }

  onSend(endpoint: Endpoint<Pool>): void {
    endpoint.active++;
    endpoint.requests++;
  }

  onEnd(endpoint: Endpoint<Pool>): void {
    endpoint.active--;
  }

  /** A valid head of an answer came, whatever its status. */
  onSuccess(endpoint: Endpoint<Pool>): void {
    if (endpoint.consecutiveFailures !== 0) endpoint.consecutiveFailures = 0;
  }

  /** The try failed. Not for what the client or the route's own timeout cut short: that is no fault of the endpoint. */
  onFailure(endpoint: Endpoint<Pool>, kind: FailureKind): void {
    endpoint.failures++;
    // The newest generation that has the endpoint decides what failures mean, for it decides what brings it back.
    endpoint.owners.at(-1)?.onEndpointFailure(endpoint, kind);
  }

  /** Whole seconds, at least 1, after which asking again may help when `pick` gave null. */
  retryAfter(): number {
    const interval = this.config.healthCheck?.interval ?? 0;
    const wait = this.#nextReturn === NEVER ? interval : this.#nextReturn - this.#deps.clock.now();
    return Math.max(1, Math.ceil(wait / 1000));
  }

  /** With `passive.failures: 0` traffic never marks an endpoint down. */
  onEndpointFailure(endpoint: Endpoint, kind: FailureKind): void {
    const { healthCheck, passive } = this.config;
    if (!(healthCheck === undefined ? MARKS_DOWN[kind].passive : MARKS_DOWN[kind].checked)) return;
    endpoint.consecutiveFailures++;
    if (passive.failures === 0 || endpoint.consecutiveFailures < passive.failures || !endpoint.healthy) return;
    let reason = `${endpoint.consecutiveFailures} failures in a row, the last by ${kind}`;
    if (healthCheck === undefined) reason += `; it rests for ${passive.coolDown} ms`;
    this.applyVerdict(endpoint, false, reason);
  }

  /** Marks an endpoint up or down, as traffic or another process found it. Down, without checks, is a rest. */
  applyVerdict(endpoint: Endpoint, healthy: boolean, reason: string): void {
    if (healthy) endpoint.consecutiveFailures = 0;
    const rests = !healthy && this.config.healthCheck === undefined;
    endpoint.restUntil = rests ? this.#deps.clock.now() + this.config.passive.coolDown : 0;
    endpoint.setHealthy(healthy, reason);
  }

  onEndpointHealth(endpoint: Endpoint, reason: string, newest: boolean): void {
    this.#rebuild();
    if (!newest) return;
    const fields = { service: this.name, endpoint: endpoint.id, reason, available: this.available.length };
    if (endpoint.healthy) this.#deps.logger.info('endpoint is up', fields);
    else this.#deps.logger.warn('endpoint is down', fields);
    this.#deps.onHealthChange(this, endpoint as Endpoint<Pool>, reason);
  }

  /** Goes live: definitions are applied to the endpoints, checks begin or go on. Once, and only then is anything changed. */
  commit(): void {
    const predecessor = this.#predecessor;
    if (this.#state !== 'built') throw new Error(`service ${this.name} is ${this.#state} and cannot go live`);
    if (predecessor?.isClosed) throw new Error(`service ${this.name} was built upon a generation that is closed`);
    this.#state = 'live';
    this.#predecessor = null;
    const options = createPoolOptions(this.config);
    const same = predecessor?.config === this.config;
    const sameOptions =
      same || (predecessor !== null && isDeepStrictEqual(options, createPoolOptions(predecessor.config)));
    const sameTls = same || isDeepStrictEqual(predecessor?.config.tls, this.config.tls);
    for (let i = 0; i < this.endpoints.length; i++) {
      const endpoint = this.endpoints[i];
      endpoint.weight = this.#weights[i];
      if (endpoint.owners.length > 0 && !sameOptions) endpoint.pool.configure(options);
      endpoint.owners.push(this);
      this.#takeCheck(endpoint, predecessor?.handOverCheck(endpoint) ?? null, sameTls);
    }
    this.#rebuild();
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Gives an endpoint's running check away. For the next generation's commit. */
  handOverCheck(endpoint: Endpoint<Pool>): ActiveCheck | null {
    const check = this.#checks.get(endpoint) ?? null;
    this.#checks.delete(endpoint);
    return check;
  }

  /**
   * Ends this generation's part, live or only built: endpoints that no live generation has are closed, which lets their
   * active requests end. Safe to call again.
   */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#predecessor = null;
    if (this.#timer !== null) this.#deps.timers.clearTimeout(this.#timer);
    this.#timer = null;
    for (const check of this.#checks.values()) check.stop();
    this.#checks.clear();
    for (const endpoint of this.endpoints) {
      const index = endpoint.owners.indexOf(this);
      if (index !== -1) endpoint.owners.splice(index, 1);
      if (endpoint.owners.length === 0) endpoint.pool.close();
    }
  }

  #takeCheck(endpoint: Endpoint<Pool>, inherited: ActiveCheck | null, sameTls: boolean): void {
    const config = this.config.healthCheck;
    if (config === undefined) {
      inherited?.stop();
      // Nothing would ever bring it back.
      if (!endpoint.healthy && endpoint.restUntil === 0) {
        endpoint.consecutiveFailures = 0;
        endpoint.setHealthy(true, 'it is no longer checked');
      }
      return;
    }
    // A rest goes over into the checks' hands.
    endpoint.restUntil = 0;
    if (inherited !== null && sameTls && isDeepStrictEqual(inherited.config, config)) {
      this.#checks.set(endpoint, inherited);
      return;
    }
    inherited?.stop();
    const probe = this.#deps.check;
    if (probe === null) return;
    // The check may go over to later generations, which must not keep this one.
    const service = this.config;
    const check = new ActiveCheck(endpoint, config, {
      ...this.#deps,
      check: (checked, how, signal) => probe(checked, how, signal, service),
    });
    this.#checks.set(endpoint, check);
    check.start();
  }

  #rebuild(): void {
    const usable = this.endpoints.filter((endpoint) => endpoint.weight > 0);
    this.available = usable.filter((endpoint) => endpoint.healthy);
    this.#candidates = this.available.length === 0 && this.config.panic ? usable : this.available;
    let next = NEVER;
    for (const endpoint of this.endpoints) if (endpoint.restUntil !== 0) next = Math.min(next, endpoint.restUntil);
    this.#nextReturn = next;
    this.#armTimer();
  }

  /** The timer serves those who look on (status, metrics, the log); requests are served by the clock in `pick`. */
  #armTimer(): void {
    const { timers, clock } = this.#deps;
    if (this.#timer !== null) timers.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#nextReturn === NEVER) return;
    const delay = Math.min(LONGEST_DELAY, Math.max(1, Math.ceil(this.#nextReturn - clock.now())));
    this.#timer = timers.setTimeout(() => {
      this.#timer = null;
      if (clock.now() >= this.#nextReturn) this.#endRests();
      else this.#armTimer();
    }, delay);
  }

  /** `consecutiveFailures` stays: only an answer shows that the row has ended, so one more failure is a rest again. */
  #endRests(): void {
    const now = this.#deps.clock.now();
    for (const endpoint of this.endpoints) {
      if (endpoint.restUntil === 0 || endpoint.restUntil > now) continue;
      endpoint.restUntil = 0;
      endpoint.setHealthy(true, 'its rest is over');
    }
  }
}

/** The pool's part of a service's definition. */
export function createPoolOptions(config: ServiceConfig): PoolOptions {
  return { ...config.connections, connectTimeout: config.timeouts.connect, tls: config.tls };
}
