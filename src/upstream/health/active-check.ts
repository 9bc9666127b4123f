/** The schedule of one endpoint's health checks, and the counting that turns their outcomes into a verdict. */
import type { Clock, TimerHandle, Timers } from '../../base/clock.ts';
import type { HealthCheckConfig, ServiceConfig } from '../../config/model.ts';
import type { Endpoint } from '../endpoint.ts';

/** The outcome of one check; `reason` is for people and never carries text that the endpoint chose. */
export interface CheckOutcome {
  readonly passed: boolean;
  readonly reason: string;
}

/** What a check needs to know of the endpoint's service. */
export type ProbedService = Pick<ServiceConfig, 'protocol' | 'tls'>;

/**
 * Performs one check of an endpoint, spoken to as `service` says. Must settle soon after `signal` is aborted, which
 * happens when the check's time is up and when the endpoint is no longer checked. A rejection counts as a failed check.
 */
export type HealthProbe = (
  endpoint: Endpoint,
  config: HealthCheckConfig,
  signal: AbortSignal,
  service: ProbedService,
) => Promise<CheckOutcome>;

export interface ActiveCheckDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Numbers from 0 (included) to 1 (not included). */
  readonly random: () => number;
  readonly check: (endpoint: Endpoint, config: HealthCheckConfig, signal: AbortSignal) => Promise<CheckOutcome>;
}

/** First checks are spread over the interval, yet what is down at the start should be known soon. Milliseconds. */
const LONGEST_FIRST_DELAY = 1000;

/** Checks from start to start every `interval`, one at a time: a check that takes longer delays the next one. */
export class ActiveCheck {
  readonly config: HealthCheckConfig;
  readonly #endpoint: Endpoint;
  readonly #deps: ActiveCheckDeps;
  #passes = 0;
  #failures = 0;
  #stopped = true;
  #timer: TimerHandle | null = null;
  #running: AbortController | null = null;

  constructor(endpoint: Endpoint, config: HealthCheckConfig, deps: ActiveCheckDeps) {
    this.config = config;
    this.#endpoint = endpoint;
    this.#deps = deps;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#schedule(this.#deps.random() * Math.min(this.config.interval, LONGEST_FIRST_DELAY));
  }

  /** Nothing is checked, counted or changed afterwards; a check under way is aborted. Final. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) this.#deps.timers.clearTimeout(this.#timer);
    this.#timer = null;
    this.#running?.abort();
  }

  #schedule(delay: number): void {
    this.#timer = this.#deps.timers.setTimeout(() => {
      this.#timer = null;
      void this.#run();
    }, delay);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { clock, timers, check } = this.#deps;
    const started = clock.now();
    const wasHealthy = this.#endpoint.healthy;
    const controller = new AbortController();
    this.#running = controller;
    let timedOut = false;
    this.#timer = timers.setTimeout(() => {
      this.#timer = null;
      timedOut = true;
      this.#onFailed(`no answer within ${this.config.timeout} ms`);
      controller.abort();
    }, this.config.timeout);
    let outcome: CheckOutcome;
    try {
      outcome = await check(this.#endpoint, this.config, controller.signal);
    } catch (error) {
      outcome = { passed: false, reason: error instanceof Error ? error.message : 'the check itself failed' };
    }
    this.#running = null;
    if (this.#stopped) return;
    if (this.#timer !== null) timers.clearTimeout(this.#timer);
    if (!timedOut) {
      if (outcome.passed) this.#onPassed(outcome.reason, wasHealthy);
      else this.#onFailed(outcome.reason);
    }
    this.#schedule(Math.max(0, this.config.interval - (clock.now() - started)));
  }

  #onPassed(reason: string, wasHealthy: boolean): void {
    this.#failures = 0;
    // A check that began before traffic marked the endpoint down says nothing about the time after.
    if (this.#endpoint.healthy || wasHealthy) {
      this.#passes = 0;
      return;
    }
    this.#passes++;
    if (this.#passes < this.config.healthyAfter) return;
    this.#passes = 0;
    this.#endpoint.consecutiveFailures = 0;
    this.#endpoint.setHealthy(true, `check passed: ${reason}`);
  }

  #onFailed(reason: string): void {
    this.#passes = 0;
    this.#failures++;
    if (this.#failures >= this.config.unhealthyAfter) this.#endpoint.setHealthy(false, `check failed: ${reason}`);
  }
}
