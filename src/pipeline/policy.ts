/** The contract between the gateway and what is done to a request: a policy. */
import type { z } from 'zod';
import type { ErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { HeaderEdits } from '../http/header-edits.ts';
import type { ClientCertificate } from '../net/client-certificate.ts';
import type { Phase } from './phases.ts';

/** What a policy sees of a request, and may change. Header names are lower case in look-ups. */
export interface PolicyExchange {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly clientAddress: string;
  /** Who the client is by mutual TLS; null where it showed no certificate. */
  readonly clientCertificate: ClientCertificate | null;
  readonly requestId: string;
  readonly routeName: string;
  /** A request field; several lines joined with `, `. */
  header(lowerName: string): string | undefined;
  /** Changes to the request's head, applied when it is sent. */
  readonly requestEdits: HeaderEdits;
  /** Changes to the answer's head, whoever made the answer. */
  readonly responseEdits: HeaderEdits;
  /** Status of the answer; 0 before there is one. */
  readonly status: number;
}

/** An answer that a policy gives in the upstream's place. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Set when the reply is one of the gateway's documented refusals: its problem document is made from it. */
  readonly code?: ErrorCode;
  readonly detail?: string;
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

/** What a policy may use of the gateway. */
export interface PolicyServices {
  readonly logger: Logger;
}

export interface Policy<Options = unknown> {
  readonly name: string;
  readonly phase: Phase;
  readonly schema: z.ZodType<Options>;
  /** Runs once per use and config generation: all that can be done early is done here. */
  create(options: Options, services: PolicyServices): PolicyHooks;
}

/** Declares a policy; the identity function, for its types. */
export function definePolicy<Options>(policy: Policy<Options>): Policy<Options> {
  return policy;
}
