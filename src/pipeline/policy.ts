/** The contract between the gateway and what is done to a request: a policy. */
import type { z } from 'zod';
import type { Clock, Timers } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { AccessConfig, PolicyProblem } from '../config/policy-schemas.ts';
import type { HeaderEdits } from '../http/header-edits.ts';
import type { ClientCertificate } from '../net/client-certificate.ts';
import type { HttpClient } from '../net/http-client.ts';
import type { CellFamily } from '../observability/metrics/registry.ts';
import type { SharedState } from '../state/state.ts';
import type { Identity } from './identity.ts';
import type { Phase } from './phases.ts';

/** What a policy sees of a request, and may change. Header names are lower case in look-ups. */
export interface PolicyExchange {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  /** `http` or `https`, by the listener. */
  readonly scheme: string;
  readonly clientAddress: string;
  /** Who the client is by mutual TLS; null where it showed no certificate. */
  readonly clientCertificate: ClientCertificate | null;
  /** Who calls; null until an authentication has found out. */
  readonly identity: Identity | null;
  /** Says who calls. A later one takes the place of an earlier one. */
  identify(identity: Identity): void;
  readonly requestId: string;
  readonly routeName: string;
  /** A request field; several lines joined with `, `. */
  header(lowerName: string): string | undefined;
  /** Names of the request's fields, in lower case, each once. */
  headerNames(): string[];
  /** The value of a cookie as it was sent; the first of several. */
  cookie(name: string): string | undefined;
  /** The first value of a query parameter, decoded; a malformed escape stays as it is. */
  queryParameter(name: string): string | undefined;
  /** Changes to the request's head, applied when it is sent. */
  readonly requestEdits: HeaderEdits;
  /** Changes to the answer's head, whoever made the answer. */
  readonly responseEdits: HeaderEdits;
  /** Bytes of the request's body, 0 for none and -1 where only its end will tell. */
  readonly bodyLength: number;
  /** Refuses the request with 413 when more bytes of its body come than `max`. */
  limitBody(max: number): void;
  /** Status of the answer; 0 before there is one. */
  readonly status: number;
  /** True once `onEnd` has been told: the client may leave while a policy waits. */
  readonly over: boolean;
}

/** An answer that a policy gives in the upstream's place. */
export interface Reply {
  /** That of `code` where there is one. */
  readonly status: number;
  /** A list is several lines of one name, which for `Set-Cookie` cannot be one (RFC 9110 section 5.3). */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
  /** Set when the reply is one of the gateway's documented refusals: its problem document is made from it. */
  readonly code?: ErrorCode;
  readonly detail?: string;
  /** Members of the problem document beside the usual ones. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Why, for the log and the audit trail; clients are not told. */
  readonly reason?: string;
}

/**
 * What `create` returns: what one use of the policy does, each part optional. A hook that throws before the answer is on
 * its way makes it a 500 `internal_error`, of which no `onResponse` hears again.
 */
export interface PolicyHooks {
  /** Runs before the upstream is chosen. A `Reply` ends the request there; nothing lets it go on. */
  onRequest?(exchange: PolicyExchange): Reply | undefined | Promise<Reply | undefined>;
  /**
   * Answers a CORS preflight for the route, before anything else looks at it: neither `onRequest` of this policy nor of any
   * other runs. Preflights come by the method that they ask for, whatever methods the route has.
   */
  onPreflight?(exchange: PolicyExchange): Reply;
  /** Runs when the head of the answer is known. */
  onResponse?(exchange: PolicyExchange): void;
  /** Runs once, when the request is over however it ended. */
  onEnd?(exchange: PolicyExchange): void;
  /** Runs once, when the last request of the generation is over. */
  close?(): void;
  /** One line for `portico explain`: what this use does. */
  readonly effect: string;
}

/** Where a use of a policy stands. */
export interface PolicyPlace {
  readonly scope: 'gateway' | 'service' | 'route';
  /** Of the service or the route; `''` of the gateway. */
  readonly name: string;
}

/** Something that ends when nobody uses it any more. */
export interface Closeable {
  close?(): void;
}

/** Where policies count what operators are shown. */
export interface PolicyMetrics {
  /** Decisions of limits, by route, limit and result. */
  readonly limitDecisions: CellFamily;
}

/** What a policy may use of the gateway. */
export interface PolicyServices {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly place: PolicyPlace;
  readonly config: AccessConfig;
  /** For calls to other services. */
  readonly http: HttpClient;
  readonly state: SharedState;
  readonly metrics: PolicyMetrics;
  /**
   * One object for all uses that name the same key, in this generation and the next: what was learned outlives a reload.
   * It is closed with its last use. The key says everything that `create` depends on, and begins with the policy's name.
   */
  share<T extends Closeable>(key: string, create: () => T): T;
}

export interface Policy<Options = unknown> {
  readonly name: string;
  readonly phase: Phase;
  readonly schema: z.ZodType<Options>;
  /** What is wrong with sound options in this configuration: names that are not there, options without effect. */
  check?(options: Options, config: AccessConfig): readonly PolicyProblem[];
  /** Names of request headers that only the gateway may set, by the options: what clients send under them is removed on every route. */
  ownHeaders?(options: Options): readonly string[];
  /** Names of headers, query parameters and cookies that hold credentials, by the options: the access log never shows their values. */
  secretNames?(options: Options): readonly string[];
  /** True where, by the options, it refuses whoever is not known, whatever else the request is. */
  asksWho?(options: Options): boolean;
  /** Runs once per use and config generation: all that can be done early is done here. Opens no connection. */
  create(options: Options, services: PolicyServices): PolicyHooks;
  /** In place of `create`, for a policy whose uses in one list act as one. */
  createAll?(options: readonly Options[], services: PolicyServices): PolicyHooks;
}

/** Declares a policy; the identity function, for its types. */
export function definePolicy<Options>(policy: Policy<Options>): Policy<Options> {
  return policy;
}
