/** Exchanges and services for tests of policies, without a gateway. */
import { silentLogger } from '../base/logger.ts';
import { HeaderEdits } from '../http/header-edits.ts';
import { cookieValues, queryValues } from '../http/request-values.ts';
import { LIMIT_DECISIONS } from '../observability/metrics/limit-metrics.ts';
import { CellFamily } from '../observability/metrics/registry.ts';
import type { Identity } from './identity.ts';
import type { PolicyExchange, PolicyMetrics, PolicyServices } from './policy.ts';
import { SharedObjects } from './shared-objects.ts';

export interface TestExchange extends PolicyExchange {
  identity: Identity | null;
  /** What `limitBody` was told. */
  bodyMax: number;
}

/** What a test says of a request; header names in lower case. */
export interface TestRequest extends Partial<Omit<PolicyExchange, 'header' | 'cookie' | 'queryParameter'>> {
  readonly headers?: Readonly<Record<string, string>>;
}

export function exchangeOf({ headers = {}, ...given }: TestRequest = {}): TestExchange {
  const header = (lowerName: string): string | undefined =>
    Object.hasOwn(headers, lowerName) ? headers[lowerName] : undefined;
  const exchange: TestExchange = {
    method: 'GET',
    host: 'a.example',
    path: '/',
    query: '',
    scheme: 'http',
    clientAddress: '192.0.2.7',
    clientCertificate: null,
    identity: null,
    identify: (identity) => {
      exchange.identity = identity;
    },
    requestId: 'id',
    routeName: 'route',
    header,
    headerNames: () => Object.keys(headers),
    cookie: (name) => cookieValues(header('cookie') ?? '', name)[0],
    queryParameter: (name) => queryValues(exchange.query, name)[0],
    requestEdits: new HeaderEdits(),
    responseEdits: new HeaderEdits(),
    bodyLength: 0,
    bodyMax: Number.POSITIVE_INFINITY,
    limitBody: (max) => {
      exchange.bodyMax = Math.min(exchange.bodyMax, max);
    },
    status: 200,
    over: false,
    ...given,
  };
  return exchange;
}

/** A clock that stands until it is moved, by `tick`, in milliseconds. */
export function manualClock(start = Date.UTC(2026, 0, 15, 12)): {
  now(): number;
  wall(): number;
  tick(ms: number): void;
} {
  let passed = 0;
  return { now: () => passed, wall: () => start + passed, tick: (ms) => (passed += ms) };
}

/** Families that no page shows. */
function testMetrics(): PolicyMetrics {
  return { limitDecisions: new CellFamily(LIMIT_DECISIONS) };
}

export function servicesOf(given: Partial<PolicyServices> = {}): PolicyServices {
  const shared = new SharedObjects();
  return {
    logger: silentLogger,
    clock: manualClock(),
    timers: { setTimeout: () => null, clearTimeout: () => {} },
    place: { scope: 'route', name: 'route' },
    config: { tiers: {}, roles: {}, consumers: [] },
    http: { call: () => Promise.reject(new Error('nobody answers')) },
    metrics: testMetrics(),
    state: {
      limits: () => {
        throw new Error('this test has no limits');
      },
      slots: { wish: () => ({ outcome: 'granted', release: () => {} }) },
      keys: { find: () => null, used: () => {} },
    },
    share: (key, create) => shared.take(key, create),
    ...given,
  };
}
