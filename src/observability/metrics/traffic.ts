/** Requests of many series added up: how many, how many failed, and how long they took, estimated from histograms. */
import type { HistogramCell } from './histogram.ts';

export interface TrafficStats {
  readonly requests: number;
  /** Those answered with 5xx. */
  readonly failed: number;
  /** Percent that did not fail, 0 to 100; 100 without traffic. */
  readonly successRate: number;
  /** In milliseconds; null without traffic. */
  readonly durations: Durations | null;
}

export interface Durations {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export class Traffic {
  private readonly bounds: Float64Array;
  private readonly buckets: Float64Array;
  private requests = 0;
  private failed = 0;
  private sum = 0;

  /** `bounds` are those of the cells that will be added, in milliseconds. */
  constructor(bounds: Float64Array) {
    this.bounds = bounds;
    this.buckets = new Float64Array(bounds.length + 1);
  }

  add(cell: HistogramCell, failed: boolean): void {
    let count = 0;
    for (let i = 0; i < this.buckets.length; i++) {
      const here = cell.bucket(i);
      this.buckets[i] += here;
      count += here;
    }
    this.requests += count;
    this.sum += cell.sum;
    if (failed) this.failed += count;
  }

  read(): TrafficStats {
    const { requests, failed, sum } = this;
    const quantile = (q: number): number => quantileOf(this.bounds, this.buckets, q);
    return {
      requests,
      failed,
      successRate: requests === 0 ? 100 : (100 * (requests - failed)) / requests,
      durations:
        requests === 0 ? null : { mean: sum / requests, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) },
    };
  }
}

/**
 * The value below which the part `q` of all lies, taken to be spread evenly within its bucket, as Prometheus takes it.
 * What lies above the last bound counts as that bound. NaN when nothing was counted.
 */
export function quantileOf(bounds: Float64Array, buckets: Float64Array, q: number): number {
  let total = 0;
  for (const count of buckets) total += count;
  if (total === 0) return Number.NaN;
  const rank = q * total;
  let before = 0;
  for (let i = 0; i < bounds.length; i++) {
    const count = buckets[i];
    if (count > 0 && before + count >= rank) {
      const lower = i === 0 ? 0 : bounds[i - 1];
      return lower + ((bounds[i] - lower) * (rank - before)) / count;
    }
    before += count;
  }
  return bounds[bounds.length - 1];
}
