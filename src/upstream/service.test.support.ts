/** Definitions and stand-ins for tests of services and endpoints. */
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';
import type { ServiceConfig } from '../config/model.ts';
import { Endpoint, type EndpointPool, type PoolOptions } from './endpoint.ts';

export class FakePool implements EndpointPool {
  readonly open = 0;
  readonly idle = 0;
  readonly configured: PoolOptions[] = [];
  closes = 0;

  close(): void {
    this.closes++;
  }

  configure(options: PoolOptions): void {
    this.configured.push(options);
  }
}

export const CHECK = {
  path: '/health',
  interval: 10_000,
  timeout: 2000,
  healthyAfter: 2,
  unhealthyAfter: 3,
  expectStatus: [[200, 299]] as [number, number][],
  type: 'http' as const,
  grpcService: '',
};

/** A service's definition with the contract's defaults; endpoints as `url` or `[url, weight]`. */
export function serviceConfig(
  name: string,
  endpoints: readonly (string | [string, number])[],
  changes: Partial<ServiceConfig> = {},
): ServiceConfig {
  return {
    name,
    endpoints: endpoints.map((entry) =>
      typeof entry === 'string' ? { url: entry, weight: 1 } : { url: entry[0], weight: entry[1] },
    ),
    loadBalancing: { algorithm: 'round-robin' },
    passive: { failures: 5, coolDown: 10_000 },
    panic: false,
    connections: { max: 256, idleTimeout: 30_000, queue: 1024, queueTimeout: 1000, pipelining: 1, streams: 100 },
    timeouts: { connect: 1000, response: 30_000, streamIdle: 300_000 },
    protocol: 'http',
    policies: [],
    ...changes,
  };
}

/** Endpoints `http://10.0.0.1:80` and following, by weight. */
export function endpointsOf(weights: readonly number[]): Endpoint<FakePool>[] {
  return weights.map((weight, index) => new Endpoint(`http://10.0.0.${index + 1}:80`, weight, () => new FakePool()));
}

/** A small generator of numbers from 0 to 1 that always gives the same row (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A logger that keeps its lines. */
export class RecordingLogger implements Logger {
  level: LogLevel = 'debug';
  readonly lines: LogFields[] = [];

  debug(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'debug', message, ...fields });
  }

  info(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'info', message, ...fields });
  }

  warn(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'warn', message, ...fields });
  }

  error(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'error', message, ...fields });
  }
}
