/** How requests and relayed connections fared in the last sixty seconds, in a ring of one-second slots. */
import type { Clock } from '../base/clock.ts';

export interface HealthTotals {
  /** Requests finished within the window, and connections that were relayed or refused. */
  readonly total: number;
  /** Those that failed: status 5xx, or an error of the gateway that is not the client's; connections without an endpoint. */
  readonly failed: number;
  /** Percent that did not fail, 0 to 100; 100 without traffic. */
  readonly successRate: number;
}

/** Width of the window. */
const HEALTH_WINDOW_SECONDS = 60;

export class HealthWindow {
  private readonly clock: Clock;
  private readonly totals = new Float64Array(HEALTH_WINDOW_SECONDS);
  private readonly failures = new Float64Array(HEALTH_WINDOW_SECONDS);
  private second: number;
  private slot: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.second = Math.floor(clock.now() / 1000);
    this.slot = slotOf(this.second);
  }

  /** Counts one outcome. `now` is the time on the window's clock, for callers that have it at hand. */
  record(failed: boolean, now: number = this.clock.now()): void {
    const second = Math.floor(now / 1000);
    if (second > this.second) this.advance(second);
    this.totals[this.slot]++;
    if (failed) this.failures[this.slot]++;
  }

  /** Counts what another process told of about this second. */
  add(total: number, failed: number): void {
    const second = Math.floor(this.clock.now() / 1000);
    if (second > this.second) this.advance(second);
    this.totals[this.slot] += total;
    this.failures[this.slot] += failed;
  }

  /** The totals of the running second and the 59 before it. */
  read(): HealthTotals {
    const second = Math.floor(this.clock.now() / 1000);
    if (second > this.second) this.advance(second);
    let total = 0;
    let failed = 0;
    for (let i = 0; i < HEALTH_WINDOW_SECONDS; i++) {
      total += this.totals[i];
      failed += this.failures[i];
    }
    return { total, failed, successRate: total === 0 ? 100 : (100 * (total - failed)) / total };
  }

  private advance(second: number): void {
    const from = Math.max(this.second + 1, second - HEALTH_WINDOW_SECONDS + 1);
    for (let passed = from; passed <= second; passed++) {
      this.totals[slotOf(passed)] = 0;
      this.failures[slotOf(passed)] = 0;
    }
    this.second = second;
    this.slot = slotOf(second);
  }
}

function slotOf(second: number): number {
  return second % HEALTH_WINDOW_SECONDS;
}
