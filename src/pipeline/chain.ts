/** The policies of one route, compiled once per generation into flat lists, and the loops that run them. */
import type { Logger } from '../base/logger.ts';
import { PHASES, type Phase } from './phases.ts';
import type { Policy, PolicyExchange, PolicyHooks, PolicyServices, Reply } from './policy.ts';

/** One use of a policy in the config. */
export interface PolicyUse {
  readonly name: string;
  readonly options: unknown;
}

export interface ChainLink {
  readonly name: string;
  readonly phase: Phase;
  readonly hooks: PolicyHooks;
}

export interface Chain {
  /** All links in the order of phases. */
  readonly links: readonly ChainLink[];
  /** What answers preflights; null where they are requests like others. */
  readonly preflight: PolicyHooks | null;
  readonly onRequest: readonly PolicyHooks[];
  readonly onResponse: readonly PolicyHooks[];
  readonly onEnd: readonly PolicyHooks[];
}

/** A policy could not be made of its options. */
export class PolicyBuildError extends Error {
  override readonly name = 'PolicyBuildError';
  readonly policy: string;

  constructor(policy: string, cause: unknown) {
    super(`policy ${policy}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.policy = policy;
  }
}

/**
 * Compiles the chain of a route from the uses that apply to it, widest first (global, service, route). A policy named
 * in several places applies once, with the options of the narrowest. Throws PolicyBuildError where one cannot be made, or is
 * none of `policies`, and has then closed those that were made.
 */
export function compileChain(
  scopes: readonly (readonly PolicyUse[])[],
  policies: ReadonlyMap<string, Policy>,
  services: PolicyServices,
): Chain {
  const uses = new Map<string, unknown>();
  for (const scope of scopes) for (const { name, options } of scope) uses.set(name, options);
  const links: ChainLink[] = [];
  for (const [name, options] of uses) {
    const policy = policies.get(name);
    try {
      if (policy === undefined) throw new Error('there is no such policy');
      links.push({ name, phase: policy.phase, hooks: policy.create(options, services) });
    } catch (error) {
      for (const link of links) link.hooks.close?.();
      throw new PolicyBuildError(name, error);
    }
  }
  links.sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase));
  const hooks = links.map((link) => link.hooks);
  return {
    links,
    preflight: hooks.find((hook) => hook.onPreflight !== undefined) ?? null,
    onRequest: hooks.filter((hook) => hook.onRequest !== undefined),
    onResponse: hooks.filter((hook) => hook.onResponse !== undefined),
    onEnd: hooks.filter((hook) => hook.onEnd !== undefined),
  };
}

/** Runs the request's side from link `from` on; synchronous until a policy answers with a promise. */
export function runRequest(
  hooks: readonly PolicyHooks[],
  exchange: PolicyExchange,
  from = 0,
): Reply | undefined | Promise<Reply | undefined> {
  for (let i = from; i < hooks.length; i++) {
    const result = hooks[i].onRequest?.(exchange);
    if (result === undefined) continue;
    if (result instanceof Promise) return result.then((reply) => reply ?? runRequest(hooks, exchange, i + 1));
    return result;
  }
  return undefined;
}

/** Runs the answer's side. What a policy throws comes through, and those after it do not run. */
export function runResponse(hooks: readonly PolicyHooks[], exchange: PolicyExchange): void {
  for (let i = 0; i < hooks.length; i++) hooks[i].onResponse?.(exchange);
}

/** Tells the policies that the request is over; what one throws is logged and keeps nobody from hearing it. */
export function runEnd(hooks: readonly PolicyHooks[], exchange: PolicyExchange, logger: Logger): void {
  for (let i = 0; i < hooks.length; i++) {
    try {
      hooks[i].onEnd?.(exchange);
    } catch (error) {
      logger.error('a policy failed', { route: exchange.routeName, request_id: exchange.requestId, error });
    }
  }
}

/** Tells every link of a chain that its generation is over. */
export function closeChain(chain: Chain): void {
  for (const link of chain.links) link.hooks.close?.();
}
