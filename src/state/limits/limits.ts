/** How much: the rule of one limit, and what a store answers to whoever wants to take from it. */

export const ALGORITHMS = ['token-bucket', 'gcra', 'sliding-window', 'sliding-log', 'fixed-window'] as const;

export type Algorithm = (typeof ALGORITHMS)[number];

/** One limit, made once per config generation. */
export interface LimitRule {
  /** Unique among the rules of the gateway, and the same in the next generation and on other gateways: it begins every key in a store. */
  readonly id: string;
  readonly algorithm: Algorithm;
  /** Units that are granted in one period; at least 1. */
  readonly limit: number;
  /** Milliseconds; of a calendar's day or month, its usual length. */
  readonly period: number;
  /** Units that may be taken at once, of `token-bucket` and `gcra`; of the others it is `limit`. */
  readonly burst: number;
  /** Of `fixed-window`: the window is a day or a month by UTC, and not counted from the epoch in periods. */
  readonly calendar?: 'day' | 'month';
}

/** What a request wants of one limit. */
export interface Take {
  readonly rule: LimitRule;
  /** Whose share it is: the client's address, a consumer, ... */
  readonly key: string;
  /** Units; 0 asks how things stand. */
  readonly cost: number;
  /** True where it is counted and refuses nobody. */
  readonly shadow: boolean;
}

/** How one limit stands after a decision. */
export interface Standing {
  /** False where there was not enough for the request, whatever the other limits said. */
  readonly allowed: boolean;
  /** Whole units that are left. */
  readonly remaining: number;
  /** Milliseconds until all units are there again, or the window ends. */
  readonly resetAfter: number;
  /** Milliseconds until the request would be granted; 0 where it was, infinite where its cost is beyond the limit. */
  readonly retryAfter: number;
}

export interface Decision {
  /** True when every limit that is not in shadow mode has enough: then all are charged, and else none of these. */
  readonly allowed: boolean;
  /** In the order of the takes. */
  readonly standings: readonly Standing[];
  /** True where the store could not be asked and `onStoreFailure` decided. */
  readonly degraded: boolean;
}

/** What becomes of requests while the shared store cannot be asked. */
export type OnStoreFailure = 'local' | 'open' | 'closed';

/** How a use of limits wants its store. */
export interface LimitsOptions {
  /** `shared`: exact over all gateways that have the store; `local`: over the workers of this one. */
  readonly store: 'shared' | 'local';
  readonly onStoreFailure: OnStoreFailure;
  /** Milliseconds for one decision of the store. */
  readonly storeTimeout: number;
  /** `batched`: counted here, and told to the store ten times a second. */
  readonly sync: 'exact' | 'batched';
}

/** A store of limits. Never rejects: what happens when it cannot be asked is part of its options. */
export interface Limits {
  /** Takes from all or from none, those in shadow mode excepted, which are each for itself. */
  take(takes: readonly Take[]): Decision | Promise<Decision>;
}
