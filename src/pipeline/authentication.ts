/** The contract of policies that find out who calls, which stand alone on a route or together in `anyOf`. */
import type { z } from 'zod';
import type { ErrorCode } from '../base/errors.ts';
import type { AccessConfig, PolicyProblem } from '../config/policy-schemas.ts';
import type { Identity } from './identity.ts';
import type { Policy, PolicyExchange, PolicyHooks, PolicyServices, Reply } from './policy.ts';

/** Why nobody was found. */
export interface AuthenticationRefusal {
  /** By default `unauthenticated`. */
  readonly code?: ErrorCode;
  /** For the log and the audit trail: never the credential, and nothing that a client is told. */
  readonly reason: string;
  /** What the client is told in place of the usual words. */
  readonly detail?: string;
  /** The parameters of the challenge that say what is wrong (RFC 6750 section 3), such as `error="invalid_token"`. */
  readonly error?: string;
  /** Fields of the answer beside the challenge. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer in place of the problem document, for what another service decided. */
  readonly reply?: Reply;
}

export type AuthenticationOutcome = Identity | AuthenticationRefusal;

/** One use of an authentication, made once per config generation. */
export interface Authenticator {
  /** For `WWW-Authenticate` (RFC 9110 section 11.6.1): the scheme with its parameters. */
  readonly challenge: string;
  /** One line for `portico explain`. */
  readonly effect: string;
  /** True when the request carries a credential of this kind, good or bad. */
  isPresent(exchange: PolicyExchange): boolean;
  /** Finds out who calls; called where no credential is present, too. Must not throw for anything that a client sends. */
  authenticate(exchange: PolicyExchange): AuthenticationOutcome | Promise<AuthenticationOutcome>;
  onEnd?(exchange: PolicyExchange): void;
  close?(): void;
}

export interface Authentication<Options = unknown> {
  readonly name: string;
  readonly schema: z.ZodType<Options>;
  /** As of `Policy`. */
  check?(options: Options, config: AccessConfig): readonly PolicyProblem[];
  /** Names of request headers that only the gateway may set, by the options. */
  ownHeaders?(options: Options): readonly string[];
  /** As of `Policy`. */
  secretNames?(options: Options): readonly string[];
  create(options: Options, services: PolicyServices): Authenticator;
}

/** Declares an authentication; the identity function, for its types. */
export function defineAuthentication<Options>(authentication: Authentication<Options>): Authentication<Options> {
  return authentication;
}

/** An authentication as the policy that it is on a route. */
export function policyOf<Options>(authentication: Authentication<Options>): Policy<Options> {
  const { name, schema, check, ownHeaders, secretNames, create } = authentication;
  return {
    name,
    phase: 'authenticate',
    schema,
    ...(check === undefined ? {} : { check }),
    ...(ownHeaders === undefined ? {} : { ownHeaders }),
    ...(secretNames === undefined ? {} : { secretNames }),
    create: (options, services) => hooksOf(create(options, services)),
  };
}

/** What an authenticator does in the chain of a route. */
export function hooksOf(authenticator: Authenticator): PolicyHooks {
  return {
    effect: authenticator.effect,
    onRequest(exchange) {
      const outcome = authenticator.authenticate(exchange);
      if (outcome instanceof Promise) return outcome.then((later) => settle(later, exchange, authenticator));
      return settle(outcome, exchange, authenticator);
    },
    ...(authenticator.onEnd === undefined ? {} : { onEnd: (exchange) => authenticator.onEnd?.(exchange) }),
    ...(authenticator.close === undefined ? {} : { close: () => authenticator.close?.() }),
  };
}

function settle(
  outcome: AuthenticationOutcome,
  exchange: PolicyExchange,
  { challenge }: Authenticator,
): Reply | undefined {
  if (!isRefusal(outcome)) {
    exchange.identify(outcome);
    return undefined;
  }
  return refusalReply(outcome, challenge);
}

export function isRefusal(outcome: AuthenticationOutcome): outcome is AuthenticationRefusal {
  return 'reason' in outcome;
}

/** The answer to a request whose caller was not found. */
export function refusalReply(refusal: AuthenticationRefusal, challenge: string): Reply {
  const { code = 'unauthenticated', reason, detail, error, headers, reply } = refusal;
  if (reply !== undefined) return { ...reply, reason };
  const separator = challenge.includes(' ') ? ', ' : ' ';
  const full = error === undefined || challenge === '' ? challenge : `${challenge}${separator}${error}`;
  const asks = code === 'unauthenticated' && full !== '';
  return {
    status: 0,
    headers: asks ? { 'WWW-Authenticate': full, ...headers } : { ...headers },
    body: '',
    code,
    detail: detail ?? 'a valid credential is required',
    reason,
  };
}
