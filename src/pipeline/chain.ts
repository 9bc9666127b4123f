/** The policies of one route, compiled once per generation into flat lists, and the loops that run them. */
import type { Logger } from '../base/logger.ts';
import { PHASES, type Phase } from './phases.ts';
import type { Closeable, Policy, PolicyExchange, PolicyHooks, PolicyPlace, PolicyServices, Reply } from './policy.ts';
import type { SharedObjects } from './shared-objects.ts';

/** One use of a policy in the config. */
export interface PolicyUse {
  readonly name: string;
  readonly options: unknown;
}

/** The policies of one place. */
export interface PolicyScope {
  readonly place: PolicyPlace;
  readonly uses: readonly PolicyUse[];
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

export interface ChainsDeps {
  readonly policies: ReadonlyMap<string, Policy>;
  readonly services: Omit<PolicyServices, 'place' | 'share'>;
  readonly shared: SharedObjects;
}

/**
 * The chains of one generation. What stands on a service or on all routes is made once, however many routes it applies to:
 * its counters and caches are one.
 */
export class Chains {
  /** Names of request headers that only the gateway may set, in lower case, by all uses that were made. */
  readonly ownHeaders = new Set<string>();
  /** Names of what holds credentials, in lower case, by all uses that were made. */
  readonly secretNames = new Set<string>();
  private readonly deps: ChainsDeps;
  private readonly made: ChainLink[] = [];
  /** Links of gateway and services by place and policy. */
  private readonly common = new Map<string, ChainLink[]>();
  private readonly releases: (() => void)[] = [];

  constructor(deps: ChainsDeps) {
    this.deps = deps;
  }

  /**
   * Compiles the chain of a route from the scopes that apply to it, widest first (gateway, service, route). A policy named
   * in several scopes applies once, as the narrowest has it; several uses in one list all apply. Throws PolicyBuildError
   * where one cannot be made, or is none of the policies; what was made is closed with the rest.
   */
  compile(scopes: readonly PolicyScope[]): Chain {
    const narrowest = new Map<string, PolicyScope>();
    for (const scope of scopes) for (const { name } of scope.uses) narrowest.set(name, scope);
    const links: ChainLink[] = [];
    for (const [name, scope] of narrowest) links.push(...this.linksOf(name, scope));
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

  private linksOf(name: string, { place, uses }: PolicyScope): readonly ChainLink[] {
    const key = `${place.scope} ${place.name} ${name}`;
    const known = this.common.get(key);
    if (known !== undefined) return known;
    const options = uses.filter((use) => use.name === name).map((use) => use.options);
    const links = this.create(name, options, place);
    this.made.push(...links);
    if (place.scope !== 'route') this.common.set(key, links);
    return links;
  }

  private create(name: string, options: readonly unknown[], place: PolicyPlace): ChainLink[] {
    const links: ChainLink[] = [];
    try {
      const policy = this.deps.policies.get(name);
      if (policy === undefined) throw new Error('there is no such policy');
      const { phase } = policy;
      for (const one of options) this.note(policy, one);
      const services = this.servicesFor(place);
      if (policy.createAll !== undefined) links.push({ name, phase, hooks: policy.createAll(options, services) });
      else for (const one of options) links.push({ name, phase, hooks: policy.create(one, services) });
      return links;
    } catch (error) {
      for (const { hooks } of links) hooks.close?.();
      throw new PolicyBuildError(name, error);
    }
  }

  private note({ ownHeaders, secretNames }: Policy, options: unknown): void {
    for (const name of ownHeaders?.(options) ?? []) this.ownHeaders.add(name.toLowerCase());
    for (const name of secretNames?.(options) ?? []) this.secretNames.add(name.toLowerCase());
  }

  private servicesFor(place: PolicyPlace): PolicyServices {
    const { services, shared } = this.deps;
    const { releases } = this;
    return {
      ...services,
      place,
      share<T extends Closeable>(key: string, create: () => T): T {
        const object = shared.take(key, create);
        releases.push(() => shared.release(key));
        return object;
      },
    };
  }

  /** Tells every link that the generation is over. */
  close(): void {
    for (const { hooks } of this.made) hooks.close?.();
    this.made.length = 0;
    for (const release of this.releases) release();
    this.releases.length = 0;
  }
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
    if (result instanceof Promise) {
      // Of a request that is over no policy may begin what only its end gives back.
      return result.then((reply) => reply ?? (exchange.over ? undefined : runRequest(hooks, exchange, i + 1)));
    }
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
