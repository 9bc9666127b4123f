/** What protects each route, from whichever scope it comes: what routes lost and gained, and new ones without any. */
import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig, RouteConfig } from '../model.ts';
import type { ValuePath } from '../source-tree.ts';
import { type Change, type ChangeCode, createChange } from './change.ts';
import type { Pairing } from './pairing.ts';
import { writtenAt } from './written-value.ts';

type Protection = 'authentication' | 'authorization' | 'limiting' | 'cors';

/** By the names of policies in the contract, also of those that are not built yet. */
const protections: Readonly<Record<string, Protection>> = {
  jwt: 'authentication',
  apiKey: 'authentication',
  basicAuth: 'authentication',
  introspection: 'authentication',
  externalAuth: 'authentication',
  anyOf: 'authentication',
  authorize: 'authorization',
  ipFilter: 'authorization',
  rateLimit: 'limiting',
  bodyLimit: 'limiting',
  concurrency: 'limiting',
  cors: 'cors',
};

const words: Readonly<Record<Protection, string>> = {
  authentication: 'authentication',
  authorization: 'authorization',
  limiting: 'limiting',
  cors: 'CORS',
};

function protectionOf(policy: string): Protection | null {
  return Object.hasOwn(protections, policy) ? protections[policy] : null;
}

/** One policy that applies to a route: the uses of the narrowest scope that has it. */
interface EffectivePolicy {
  readonly scope: 'all routes' | 'service' | 'route';
  readonly options: readonly unknown[];
}

/** The policies that apply to a route by name: its own options replace its service's, which replace the global ones. */
function resolved(
  config: GatewayConfig,
  route: RouteConfig,
  ofService: GatewayConfig['policies'],
): Map<string, EffectivePolicy> {
  const found = new Map<string, EffectivePolicy>();
  addScope(found, 'all routes', config.policies);
  addScope(found, 'service', ofService);
  addScope(found, 'route', route.policies);
  return found;
}

function addScope(
  found: Map<string, EffectivePolicy>,
  scope: EffectivePolicy['scope'],
  uses: GatewayConfig['policies'],
): void {
  for (const name of new Set(uses.map((use) => use.name))) {
    found.set(name, { scope, options: uses.filter((use) => use.name === name).map(({ options }) => options) });
  }
}

/** The names of policies, each as often as it applies. */
function namesOf(policies: ReadonlyMap<string, EffectivePolicy>, protection: Protection): string[] {
  return [...policies]
    .filter(([name]) => protectionOf(name) === protection)
    .flatMap(([name, { options }]) => options.map(() => name));
}

/** Whether who shows no credential passes all authentication that there is: `anyOf` ends it with `anonymous`. */
function passesAnybody(policies: ReadonlyMap<string, EffectivePolicy>): boolean {
  const asking = [...policies].filter(([name]) => protectionOf(name) === 'authentication');
  const isOpen = (uses: unknown): boolean =>
    Array.isArray(uses) && uses.some((use: { readonly name?: unknown }) => use.name === 'anonymous');
  return asking.length > 0 && asking.every(([name, { options }]) => name === 'anyOf' && options.every(isOpen));
}

/** What of the one list the other has not, each as often as it is missing. */
function missingIn(other: readonly string[], list: readonly string[]): string[] {
  const left = [...other];
  return list.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** The names of the policies of authentication that apply to each route, by the route's name. */
export function authenticationOf(config: GatewayConfig): Map<string, string[]> {
  const ofServices = new Map(config.services.map(({ name, policies }) => [name, policies]));
  return new Map(
    config.routes.map((route) => {
      const policies = resolved(config, route, ofServices.get(route.service ?? '') ?? []);
      return [route.name, [...policies.keys()].filter((name) => protectionOf(name) === 'authentication')];
    }),
  );
}

/** What the routes of the one configuration have lost and gained in the other. */
export function planExposure(before: GatewayConfig, after: GatewayConfig, routes: Pairing<RouteConfig>): Change[] {
  const servicesBefore = new Map(before.services.map(({ name, policies }) => [name, policies]));
  const servicesAfter = new Map(after.services.map(({ name, policies }) => [name, policies]));
  const written = new Map(before.routes.map((route) => [route.name, route.service ?? '']));
  const changes: Change[] = [];
  const fresh = [...routes.added];
  for (const [one, other] of routes.pairs) {
    // What protected a route that could not be built is not known.
    if (one.quarantined !== undefined) fresh.push(other);
    if (one.quarantined !== undefined || other.quarantined !== undefined) continue;
    // A pair carries the new name of a renamed service; the policies before stand under the old one.
    const from = resolved(before, one, servicesBefore.get(written.get(one.name) ?? '') ?? []);
    const to = resolved(after, other, servicesAfter.get(other.service ?? '') ?? []);
    const path: ValuePath = ['routes', other.name, 'policies'];
    changes.push(...lossesAndGains(other.name, path, from, to));
    changes.push(...openings(other.name, path, from, to));
    changes.push(...movedScopes(other.name, path, from, to, one.service === other.service));
  }
  return [...changes, ...newWithoutAuthentication(after, fresh)];
}

function lossesAndGains(
  route: string,
  path: ValuePath,
  from: ReadonlyMap<string, EffectivePolicy>,
  to: ReadonlyMap<string, EffectivePolicy>,
): Change[] {
  const changes: Change[] = [];
  for (const protection of Object.keys(words) as Protection[]) {
    const had = namesOf(from, protection);
    const has = namesOf(to, protection);
    const lost = missingIn(has, had);
    const gained = missingIn(had, has);
    const values = { ...(had.length === 0 ? {} : { before: had }), ...(has.length === 0 ? {} : { after: has }) };
    // One way to say who calls may take the place of another; limits of different things do not.
    if (protection === 'authentication' && lost.length > 0 && gained.length > 0 && has.length >= had.length) {
      const message = `route "${route}" asks for another authentication`;
      changes.push(createChange('authentication_changed', path, { message, ...values }));
      continue;
    }
    if (lost.length > 0) {
      const code: ChangeCode = `${protection}_removed`;
      const message = `route "${route}" has ${has.length === 0 ? 'no' : 'less'} ${words[protection]} any more: it lost ${lost.join(', ')}`;
      changes.push(createChange(code, path, { message, ...values }));
    }
    if (gained.length > 0) {
      const code: ChangeCode = `${protection}_added`;
      const message = `route "${route}" has ${had.length === 0 ? '' : 'more '}${words[protection]} now: it gained ${gained.join(', ')}`;
      changes.push(createChange(code, path, { message, ...values }));
    }
  }
  return changes;
}

function openings(
  route: string,
  path: ValuePath,
  from: ReadonlyMap<string, EffectivePolicy>,
  to: ReadonlyMap<string, EffectivePolicy>,
): Change[] {
  const before = namesOf(from, 'authentication');
  if (before.length === 0 || passesAnybody(from) || !passesAnybody(to)) return [];
  const message = `route "${route}" lets requests without any credential in: \`anonymous\` stands in its \`anyOf\``;
  return [createChange('authentication_weakened', path, { message, before, after: namesOf(to, 'authentication') })];
}

/** Options that now come from elsewhere; where a scope's own options differ, the scope's change says so. */
function movedScopes(
  route: string,
  path: ValuePath,
  from: ReadonlyMap<string, EffectivePolicy>,
  to: ReadonlyMap<string, EffectivePolicy>,
  sameService: boolean,
): Change[] {
  return [...from].flatMap(([name, one]) => {
    const other = to.get(name);
    if (protectionOf(name) === null || other === undefined) return [];
    const samePlace = one.scope === other.scope && (one.scope !== 'service' || sameService);
    if (samePlace || isDeepStrictEqual(one.options, other.options)) return [];
    const place = [...path, name];
    const source = other.scope === 'route' ? 'its own options' : `the options of ${scopeWords[other.scope]}`;
    return [
      createChange('protection_changed', place, {
        message: `policy \`${name}\` on route "${route}" now has ${source}`,
        before: writtenOptions(place, one.options),
        after: writtenOptions(place, other.options),
      }),
    ];
  });
}

function writtenOptions(place: ValuePath, options: readonly unknown[]): unknown {
  return writtenAt(place, options.length === 1 ? options[0] : options);
}

const scopeWords = { 'all routes': 'all routes', service: 'its service' } as const;

function newWithoutAuthentication(after: GatewayConfig, added: readonly RouteConfig[]): Change[] {
  const authentication = authenticationOf(after);
  const names = new Set(added.filter(({ quarantined }) => quarantined === undefined).map(({ name }) => name));
  if (![...authentication.values()].some((list) => list.length > 0)) return [];
  return [...authentication].flatMap(([route, list]) => {
    if (list.length > 0 || !names.has(route)) return [];
    const message = `the new route "${route}" has no authentication, which other routes have`;
    return [createChange('route_without_authentication', ['routes', route, 'policies'], { message })];
  });
}
