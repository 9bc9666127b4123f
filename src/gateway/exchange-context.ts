/** What an exchange uses of the gateway that serves it. */
import type { Allowance } from '../base/allowance.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import type { ClientStream } from '../net/stream.ts';
import type { AccessEntry } from '../observability/access-log.ts';
import type { RouteMetrics } from '../observability/metrics/route-metrics.ts';
import type { PolicyExchange, Reply } from '../pipeline/policy.ts';
import type { WebSockets } from './web-sockets.ts';

export interface ExchangeContext {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Requests under way. */
  active: number;
  /** How many of them there may be. */
  readonly requests: Allowance;
  /** Metrics of requests that no route took. */
  readonly unrouted: RouteMetrics;
  /** Where WebSockets go when their handshake is over. */
  readonly webSockets: WebSockets;
  newRequestId(): string;
  dateLine(): string;
  /** A trusted proxy's two fields tell of two clients; `other` is null where `Forwarded` is malformed. */
  onDisputedClient(stream: ClientStream, believed: string, other: string | null): void;
  /** A policy refused the request, and said why. */
  onPolicyRefusal(exchange: PolicyExchange, reply: Reply): void;
  /** A request ended in an error of the gateway's table. */
  onError(entry: AccessEntry, code: ErrorCode, detail: string): void;
  /** A request is over, at `now` on the clock. */
  account(entry: AccessEntry, now: number): void;
}
