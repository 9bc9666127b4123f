/** When a failed try may be sent again, and after what pause; compiled once per route. */
import type { RetryConfig } from '../config/model.ts';
import { GRPC_STATUS } from '../http/grpc.ts';

/**
 * What went wrong with a try: no connection, a connection lost (or a try's time used up), or an answer's status: one of
 * HTTP, which is above 99, or one of gRPC, which is below.
 */
export type TryFailure = 'connect-failure' | 'reset' | number;

export interface RetryPlan {
  /** Sends in all, the first included. */
  readonly attempts: number;
  /** Milliseconds for one try; null for no bound of its own. */
  readonly perTryTimeout: number | null;
  covers(failure: TryFailure): boolean;
  /**
   * Milliseconds to wait before retry number `attempt` (1 is the first retry): exponential, capped, with full jitter,
   * which spreads the retries of many clients best. `random` gives numbers from 0 to 1.
   */
  backoff(attempt: number, random: () => number): number;
}

const HIGHEST_STATUS = 999;
const LOWEST_HTTP_STATUS = 100;

const GRPC_FAILURES: Readonly<Record<string, number>> = {
  cancelled: GRPC_STATUS.cancelled,
  'deadline-exceeded': GRPC_STATUS.deadlineExceeded,
  internal: GRPC_STATUS.internal,
  'resource-exhausted': GRPC_STATUS.resourceExhausted,
  unavailable: GRPC_STATUS.unavailable,
};
const LARGEST_EXPONENT = 52;

class CompiledRetry implements RetryPlan {
  readonly attempts: number;
  readonly perTryTimeout: number | null;
  readonly #connectFailure: boolean;
  readonly #reset: boolean;
  readonly #statuses: Uint8Array;
  readonly #base: number;
  readonly #max: number;

  constructor(config: RetryConfig) {
    const on: readonly (string | number)[] = config.on;
    this.attempts = config.attempts;
    this.perTryTimeout = config.perTryTimeout ?? null;
    this.#connectFailure = on.includes('connect-failure');
    this.#reset = on.includes('reset');
    this.#statuses = new Uint8Array(HIGHEST_STATUS + 1);
    for (const entry of on) markStatuses(this.#statuses, String(entry));
    this.#base = config.backoff.base;
    this.#max = config.backoff.max;
  }

  covers(failure: TryFailure): boolean {
    if (failure === 'connect-failure') return this.#connectFailure;
    if (failure === 'reset') return this.#reset;
    return this.#statuses[failure] === 1;
  }

  backoff(attempt: number, random: () => number): number {
    const ceiling = Math.min(this.#max, this.#base * 2 ** Math.min(attempt - 1, LARGEST_EXPONENT));
    return random() * ceiling;
  }
}

function markStatuses(statuses: Uint8Array, entry: string): void {
  if (entry === 'connect-failure' || entry === 'reset') return;
  if (/^[1-9][0-9]{2}$/.test(entry)) statuses[Number(entry)] = 1;
  else if (Object.hasOwn(GRPC_FAILURES, entry)) statuses[GRPC_FAILURES[entry]] = 1;
  else throw new TypeError(`a retry cannot be made on "${entry}"`);
}

/** Null when the route has no retries and no bound on a single try. Throws on an entry of `on` that config lets not pass. */
export function compileRetry(config: RetryConfig | undefined): RetryPlan | null {
  if (config === undefined) return null;
  if (config.attempts <= 1 && config.perTryTimeout === undefined) return null;
  return new CompiledRetry(config);
}

/** RFC 9110, section 9.2.2; method names are case-sensitive. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'PUT':
    case 'DELETE':
    case 'OPTIONS':
    case 'TRACE':
      return true;
    default:
      return false;
  }
}

/**
 * Whether one more send is allowed after `sends` of them. A request that is not idempotent is only sent again where
 * nothing of it has been sent (`untouched`), or by a status of gRPC: all its calls are POST, and who names a status says by
 * that that the route's calls may be made twice. Whether the body can be replayed is for the caller to know.
 */
export function mayRetry(
  plan: RetryPlan,
  failure: TryFailure,
  sends: number,
  method: string,
  untouched: boolean,
): boolean {
  if (sends >= plan.attempts || !plan.covers(failure)) return false;
  return untouched || isIdempotent(method) || (typeof failure === 'number' && failure < LOWEST_HTTP_STATUS);
}
