/** What stands in the place of a route that cannot be built: its refusal, and what is said of it. */
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig, RouteConfig } from '../config/model.ts';
import { type Chain, PolicyBuildError } from '../pipeline/chain.ts';
import type { PolicyHooks, Reply } from '../pipeline/policy.ts';

/** A route that config found sound, and whose parts could not be made. */
export interface LateQuarantine {
  readonly name: string;
  readonly reason: string;
}

/** Clients are not told what is wrong with the configuration. */
const refusal: Reply = {
  status: 503,
  headers: {},
  body: '',
  code: 'route_quarantined',
  detail: 'the configuration of this route has an error: until it is mended nothing serves the request',
};

const refuse: PolicyHooks = { effect: 'answers 503 route_quarantined', onRequest: () => refusal };

/**
 * The chain of a quarantined route. As for requests that no route takes, policies of all routes see the answer and the end,
 * and are not asked before: there is nothing to guard. Preflights they answer: a page is to see the refusal.
 */
export function quarantineChain({ preflight, onResponse, onEnd }: Chain): Chain {
  return { links: [], preflight, onRequest: [refuse], onResponse, onEnd };
}

/**
 * Why a route could not be built, where the fault is its own and the configuration wants such routes left out; null where
 * the whole is to be refused. What a policy of the service or of all routes cannot do is no fault of one route.
 */
export function lateReason(error: unknown, route: RouteConfig, { onInvalidRoute }: GatewayConfig): string | null {
  if (onInvalidRoute !== 'quarantine') return null;
  if (!(error instanceof PolicyBuildError))
    return hideTexts(error instanceof Error ? error.message : String(error), route);
  const own = route.policies.find(({ name }) => name === error.policy);
  return own === undefined ? null : hideTexts(error.message, own.options);
}

/** Which options are secrets is not known here, so none that a message quotes is shown. */
function hideTexts(message: string, options: unknown): string {
  const texts: string[] = [];
  const pending: unknown[] = [options];
  while (pending.length > 0) {
    const value = pending.pop();
    // Shorter ones would tear holes into words.
    if (typeof value === 'string' && value.length >= 4) texts.push(value);
    else if (typeof value === 'object' && value !== null) pending.push(...Object.values(value));
  }
  texts.sort((a, b) => b.length - a.length);
  return texts.reduce((rest, text) => rest.split(text).join('(hidden)'), message);
}

/** The configuration with routes left out that could not be built. */
export function withQuarantined<Config extends Pick<GatewayConfig, 'routes'>>(
  config: Config,
  late: readonly LateQuarantine[],
): Config {
  if (late.length === 0) return config;
  const reasons = new Map(late.map(({ name, reason }) => [name, reason]));
  const routes = config.routes.map((route): RouteConfig => {
    const reason = reasons.get(route.name);
    return reason === undefined ? route : { ...route, quarantined: { reason, matched: true } };
  });
  return { ...config, routes };
}

/** Most routes that one line of the log names. */
const MOST_NAMED = 20;

/** Warns of the routes that do not serve; silent when all do. */
export function logQuarantined(logger: Logger, routes: readonly RouteState[]): void {
  const quarantined = routes.filter(({ reason }) => reason !== undefined);
  if (quarantined.length === 0) return;
  const named = quarantined.slice(0, MOST_NAMED).map(({ name, reason }) => ({ route: name, reason }));
  logger.warn('routes cannot be built and are quarantined: requests for them are answered 503 route_quarantined', {
    count: quarantined.length,
    routes: named,
  });
}

/** A route in `/status`. */
export interface RouteState {
  readonly name: string;
  readonly state: 'active' | 'quarantined';
  /** Why it is quarantined. */
  readonly reason?: string | undefined;
}

export function routeState(name: string, reason: string | null | undefined): RouteState {
  return typeof reason === 'string' ? { name, state: 'quarantined', reason } : { name, state: 'active' };
}
