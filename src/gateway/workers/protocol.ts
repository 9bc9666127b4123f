/** What the supervisor and its workers say to each other, over the channel that Node gives a child process. */
import type { ConfigParcel } from '../../config/parcel.ts';
import type { MetricsDelta } from '../../observability/metrics/gateway-metrics.ts';
import type { LateQuarantine } from '../quarantine.ts';
import type { StateAnswer, StateQuestion } from './state-messages.ts';

/** An endpoint that is up or down, by a check or by traffic. */
export interface Verdict {
  readonly service: string;
  readonly url: string;
  readonly healthy: boolean;
  readonly reason: string;
}

/** What a worker is told when it begins; as the one argument of its program, in JSON. */
export interface WorkerStart {
  readonly version: string;
  readonly sockets: 'reuse-port' | 'handed-over';
}

/** Requests have an `id` that their answer repeats. */
export type ToWorker =
  /** That of the gateway's start, before the first generation. Not an argument of the program, which everybody may read. */
  | { readonly type: 'secret'; readonly secret: Uint8Array }
  /** What TLS session tickets are sealed by from now on; before the first generation, and whenever it changes. */
  | { readonly type: 'ticket-seed'; readonly seed: Uint8Array }
  /** Portions of the configuration that `prepare` is about to name: each is read in a turn of its own. */
  | { readonly type: 'portion'; readonly list: 'routes' | 'services'; readonly portion: Uint8Array }
  | {
      readonly type: 'prepare';
      readonly id: number;
      readonly generation: number;
      readonly rest: ConfigParcel['rest'];
      /** The generation by which the portions are told; 0 where they say all. */
      readonly upon: number;
    }
  | { readonly type: 'commit'; readonly id: number; readonly shares: [string, number][]; readonly down: Verdict[] }
  | { readonly type: 'discard'; readonly id: number }
  | { readonly type: 'collect'; readonly id: number }
  | { readonly type: 'stop'; readonly id: number; readonly timeout: number }
  /** Comes with the connection's handle. */
  | { readonly type: 'connection'; readonly id: number; readonly listener: string }
  | { readonly type: 'verdict'; readonly verdict: Verdict }
  | { readonly type: 'grant'; readonly key: string; readonly count: number; readonly settled: boolean }
  | { readonly type: 'recall'; readonly key: string; readonly count: number; readonly owed: boolean }
  | { readonly type: 'state-answer'; readonly answer: StateAnswer }
  /** The gateway will stop: WebSockets are sent away over the drain time. */
  | { readonly type: 'drain' }
  | { readonly type: 'reopen-logs' };

/** How a request fared. */
export interface Outcome {
  readonly error: string | null;
  /** Of `stop`: requests that had to be cut. */
  readonly cut: number;
  /** Of `prepare`: routes that could not be built, beside those that were quarantined in the configuration. */
  readonly quarantined: readonly LateQuarantine[];
}

export type FromWorker =
  | { readonly type: 'started' }
  /** The answer to a request; `error` says why it could not be done. */
  | ({ readonly type: 'done'; readonly id: number } & Outcome)
  | { readonly type: 'report'; readonly id: number; readonly report: WorkerReport }
  /** The connection is here: its other copy may be closed. */
  | { readonly type: 'took'; readonly id: number }
  | { readonly type: 'verdict'; readonly verdict: Verdict }
  | { readonly type: 'state-question'; readonly question: StateQuestion }
  | { readonly type: 'ask'; readonly key: string }
  /** The answer to `recall`. */
  | { readonly type: 'give'; readonly key: string; readonly count: number }
  /** As `give`, unasked. */
  | { readonly type: 'return'; readonly key: string; readonly count: number };

/** How a worker fares: what it counted since the last report, and what is so at this moment. */
export interface WorkerReport {
  readonly metrics: MetricsDelta;
  readonly droppedLines: number;
  readonly active: number;
  readonly endpoints: readonly EndpointReport[];
  /** Open WebSockets by route. */
  readonly webSockets: readonly { readonly route: string; readonly count: number }[];
  /** Milliseconds that the event loop ran late, at worst, in the last ten seconds. */
  readonly lag: number;
  /** Bytes. */
  readonly residentMemory: number;
  /** Since the worker's start. */
  readonly cpuSeconds: number;
}

export interface EndpointReport {
  readonly service: string;
  readonly url: string;
  readonly active: number;
  readonly open: number;
  readonly idle: number;
  /** Since the last report. */
  readonly requests: number;
  readonly failures: number;
}
