/** What differs between two configurations, in the terms of those who run them: things, what protects them, and what bounds them. */
import { isDeepStrictEqual } from 'node:util';
import { isLoopback } from '../../base/address.ts';
import { ALWAYS_REDACTED } from '../../base/always-redacted.ts';
import type { GatewayConfig, ListenerConfig, RouteConfig, ServiceConfig } from '../model.ts';
import type { ValuePath } from '../source-tree.ts';
import { type Change, type ChangeCode, createChange, inOrder, subjectOf } from './change.ts';
import { type Difference, differencesOf, isPlainMap } from './difference.ts';
import { planExposure } from './exposure.ts';
import { type MatchDifference, matchDifferences, togetherOf } from './match-relation.ts';
import { type Named, type Pairing, pairRoutes, pairUp } from './pairing.ts';
import { planPolicies } from './policy-plan.ts';
import { directionOf, settingAt } from './setting.ts';
import { tlsLoss } from './tls-loss.ts';
import { coversRanges } from './trusted-ranges.ts';
import { writtenAt } from './written-value.ts';

/**
 * The changes from one configuration to another, the gravest first. None when they are equal, and when listeners, services
 * or routes only stand in another order: what that means for routes the router's `planReach` knows.
 */
export function planOf(before: GatewayConfig, after: GatewayConfig): Change[] {
  const routes = pairRoutes(before, after);
  return inOrder([
    ...planListeners(pairUp(before.listeners, after.listeners)),
    ...planAdmin(before.admin, after.admin),
    ...differencesOf([], before, after, ownPlans).flatMap((difference) => planSetting(difference)),
    ...planPolicies(['policies'], before.policies, after.policies),
    ...planServices(pairUp(before.services, after.services)),
    ...planRoutes(routes),
    ...planExposure(before, after, routes),
  ]);
}

/** Keys of the file that are not compared key by key alone. */
const ownPlans = ['listeners', 'admin', 'services', 'routes', 'policies'];

/** What came, went, or has another name. */
function planThings(kind: 'listener' | 'service' | 'route', pairing: Pairing<Named>): Change[] {
  const section = `${kind}s`;
  const changes: Change[] = [];
  for (const item of pairing.removed) {
    const path = [section, item.name];
    const message = `${subjectOf(path)} is gone`;
    changes.push(createChange(`${kind}_removed`, path, { message, before: writtenAt(path, item) }));
  }
  for (const item of pairing.added) {
    const path = [section, item.name];
    const message = `${subjectOf(path)} is new`;
    changes.push(createChange(`${kind}_added`, path, { message, after: writtenAt(path, item) }));
  }
  for (const [one, other] of pairing.pairs) {
    if (one.name === other.name) continue;
    const message = `${subjectOf([section, one.name])} has another name and is the same otherwise`;
    const values = { before: one.name, after: other.name };
    changes.push(createChange(`${kind}_renamed`, [section, other.name, 'name'], { message, ...values }));
  }
  return changes;
}

/** The same of listeners. */
const ownListenerPlans = ['name', 'address', 'trustedProxies', 'clientAddressFrom', 'proxyProtocol'];

function planListeners(pairing: Pairing<ListenerConfig>): Change[] {
  const changes = planThings('listener', pairing);
  for (const [one, other] of pairing.pairs) {
    const path = ['listeners', other.name];
    for (const difference of differencesOf(path, one, other, ownListenerPlans)) {
      changes.push(...planSetting(difference));
    }
    changes.push(...planAddress(path, one.address, other.address, 'listener_address_changed', 'listener_exposed'));
    changes.push(...planTrusted([...path, 'trustedProxies'], one.trustedProxies, other.trustedProxies));
    changes.push(...planClientField([...path, 'clientAddressFrom'], one, other));
    const [from, to] = [one.proxyProtocol?.from ?? [], other.proxyProtocol?.from ?? []];
    changes.push(...planTrusted([...path, 'proxyProtocol', 'from'], from, to));
  }
  return changes;
}

function planAddress(
  path: ValuePath,
  before: ListenerConfig['address'],
  after: ListenerConfig['address'],
  changed: ChangeCode,
  exposed: ChangeCode,
): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  const place = [...path, 'address'];
  const leaves = isLoopback(before.host) && !isLoopback(after.host);
  const message = leaves
    ? `${subjectOf(path)} was bound to loopback and no longer is`
    : `${subjectOf(path)} has another address`;
  const values = { before: writtenAt(place, before), after: writtenAt(place, after) };
  return [createChange(leaves ? exposed : changed, place, { message, ...values })];
}

function planTrusted(path: ValuePath, before: readonly string[], after: readonly string[]): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  const subject = subjectOf(path);
  const values = { before, after };
  if (!coversRanges(before, after)) {
    const message = `${subject} believes addresses about the client that it did not believe before`;
    return [createChange('trusted_proxies_widened', path, { message, ...values })];
  }
  if (!coversRanges(after, before)) {
    const message = `${subject} believes fewer addresses about the client`;
    return [createChange('trusted_proxies_narrowed', path, { message, ...values })];
  }
  const message = `\`${path.at(-1)}\` of ${subject} is written in another way and believes the same addresses`;
  return [createChange('trusted_proxies_rewritten', path, { message, ...values })];
}

/** Which field is believed says as much as who is: proxies pass on what clients write into the other one. */
function planClientField(path: ValuePath, one: ListenerConfig, other: ListenerConfig): Change[] {
  const [before, after] = [one.clientAddressFrom, other.clientAddressFrom];
  if (before === after) return [];
  const subject = subjectOf(path);
  const values = { before, after };
  if (one.trustedProxies.length === 0 || other.trustedProxies.length === 0) {
    const message = `\`clientAddressFrom\` of ${subject} changes nothing by itself: without trusted proxies no field is believed`;
    return [createChange('trusted_proxies_rewritten', path, { message, ...values })];
  }
  // Where none is named both are believed, and this one goes first: to name it takes from the other alone.
  if (before === undefined && after === 'x-forwarded-for') {
    const message = `${subject} no longer believes \`Forwarded\` about the client`;
    return [createChange('trusted_proxies_narrowed', path, { message, ...values })];
  }
  const message = `${subject} believes a field about the client where it did not before`;
  return [createChange('trusted_proxies_widened', path, { message, ...values })];
}

function planAdmin(before: GatewayConfig['admin'], after: GatewayConfig['admin']): Change[] {
  const path = ['admin'];
  if (before === undefined && after === undefined) return [];
  if (after === undefined) {
    const message = 'there is no admin listener any more: no metrics, health or status';
    return [createChange('admin_removed', path, { message, before: writtenAt(path, before) })];
  }
  if (before === undefined) {
    const added = createChange('admin_added', path, {
      message: 'there is an admin listener now',
      after: writtenAt(path, after),
    });
    if (isLoopback(after.address.host)) return [added];
    const place = [...path, 'address'];
    const message = 'the new admin listener is bound to more than loopback';
    return [added, createChange('admin_exposed', place, { message, after: writtenAt(place, after.address) })];
  }
  const changes = differencesOf(path, before, after, ['address', 'token']).flatMap((difference) =>
    planSetting(difference),
  );
  changes.push(...planAddress(path, before.address, after.address, 'admin_address_changed', 'admin_exposed'));
  if (before.token === after.token) return changes;
  const [code, message] = tokenChange(before.token, after.token);
  const place = [...path, 'token'];
  const values = { before: writtenAt(place, before.token), after: writtenAt(place, after.token) };
  return [...changes, createChange(code, place, { message, ...values })];
}

function tokenChange(before: string | undefined, after: string | undefined): [ChangeCode, string] {
  if (after === undefined) return ['admin_token_removed', 'the admin listener asks for no token any more'];
  if (before === undefined) return ['admin_token_added', 'the admin listener asks for a token now'];
  return ['admin_token_changed', 'the admin listener asks for another token'];
}

function planServices(pairing: Pairing<ServiceConfig>): Change[] {
  const changes = planThings('service', pairing);
  for (const [one, other] of pairing.pairs) {
    const path = ['services', other.name];
    for (const difference of differencesOf(path, one, other, ['name', 'endpoints', 'policies'])) {
      changes.push(...planSetting(difference));
    }
    changes.push(...planEndpoints([...path, 'endpoints'], one.endpoints, other.endpoints));
    changes.push(...planPolicies([...path, 'policies'], one.policies, other.policies));
  }
  return changes;
}

type Endpoint = ServiceConfig['endpoints'][number];

function planEndpoints(path: ValuePath, before: readonly Endpoint[], after: readonly Endpoint[]): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  const from = byTurn(before);
  const to = byTurn(after);
  const subject = subjectOf(path);
  const changes: Change[] = [];
  for (const [turn, endpoint] of from) {
    const place = [...path, endpoint.url];
    const other = to.get(turn);
    if (other === undefined) {
      const message = `${subject} has no endpoint ${endpoint.url} any more`;
      changes.push(createChange('endpoint_removed', place, { message, before: endpoint }));
      continue;
    }
    for (const difference of differencesOf(place, endpoint, other)) {
      const key = difference.path.slice(place.length).join('.');
      const message = `\`${key}\` of endpoint ${endpoint.url} of ${subject} differs`;
      changes.push(createChange('endpoint_changed', difference.path, { message, ...writtenSides(difference) }));
    }
  }
  for (const [turn, endpoint] of to) {
    if (from.has(turn)) continue;
    const message = `${subject} has the new endpoint ${endpoint.url}`;
    changes.push(createChange('endpoint_added', [...path, endpoint.url], { message, after: endpoint }));
  }
  const kept = [...from.keys()].filter((turn) => to.has(turn));
  if ([...to.keys()].filter((turn) => from.has(turn)).some((turn, index) => turn !== kept[index])) {
    const values = { before: before.map(({ url }) => url), after: after.map(({ url }) => url) };
    const message = `the endpoints of ${subject} take turns in another order`;
    changes.push(createChange('endpoints_reordered', path, { message, ...values }));
  }
  return changes;
}

/** One URL may stand in a service twice; then each has its turn. */
function byTurn(endpoints: readonly Endpoint[]): Map<string, Endpoint> {
  const turns = new Map<string, number>();
  return new Map(
    endpoints.map((endpoint) => {
      const turn = turns.get(endpoint.url) ?? 0;
      turns.set(endpoint.url, turn + 1);
      return [`${endpoint.url} ${turn}`, endpoint];
    }),
  );
}

function planRoutes(pairing: Pairing<RouteConfig>): Change[] {
  const changes = planThings('route', pairing);
  changes.push(...pairing.added.flatMap((route) => planQuarantine(undefined, route)));
  for (const [one, other] of pairing.pairs) {
    const path = ['routes', other.name];
    changes.push(...planQuarantine(one.quarantined, other));
    // Of one that cannot be built nothing else is known.
    if (one.quarantined !== undefined || other.quarantined !== undefined) continue;
    changes.push(...planMatch([...path, 'match'], matchDifferences(one.match, other.match)));
    for (const difference of differencesOf(path, one, other, ['name', 'match', 'policies'])) {
      changes.push(...planSetting(difference));
    }
    changes.push(...planPolicies([...path, 'policies'], one.policies, other.policies));
  }
  return changes;
}

function planQuarantine(before: RouteConfig['quarantined'], { name, quarantined }: RouteConfig): Change[] {
  const path = ['routes', name];
  const subject = subjectOf(path);
  if (quarantined === undefined) {
    if (before === undefined) return [];
    const message = `${subject} could not be built and can be now`;
    return [createChange('route_restored', path, { message, before: before.reason })];
  }
  if (before !== undefined && before.matched === quarantined.matched) return [];
  const fate = quarantined.matched
    ? 'its requests are answered 503 route_quarantined'
    : 'its match is broken, and other routes take its requests';
  const message = `${subject} cannot be built: ${fate}`;
  return [createChange('route_quarantined', path, { message, after: quarantined.reason })];
}

const matchWords = {
  wider: ['match_widened', 'asks less of a request'],
  narrower: ['match_narrowed', 'asks more of a request'],
  other: ['match_changed', 'asks something else of a request'],
  same: ['match_rewritten', 'is written in another way and asks the same'],
} as const;

/** One key that asks less and another that asks more are together neither. */
function planMatch(path: ValuePath, differences: readonly MatchDifference[]): Change[] {
  const together = togetherOf(differences);
  return differences.map(({ key, relation, before, after }) => {
    const place = key === null ? path : [...path, key];
    const [code, words] = matchWords[relation === 'same' ? relation : together];
    const message = `${key === null ? 'the path' : `\`${key}\``} of ${subjectOf(path)} ${words}`;
    return createChange(code, place, { message, before: writtenAt(place, before), after: writtenAt(place, after) });
  });
}

/** One key that differs, by what is known of it. */
function planSetting(difference: Difference): Change[] {
  const { path, before, after } = difference;
  const values = writtenSides(difference);
  const key = keyOf(path);
  const subject = subjectOf(path);
  const setting = settingAt(path);
  const direction = setting === undefined ? null : directionOf(setting, before, after);
  if (setting?.bounds !== undefined && direction !== null) {
    const code: ChangeCode =
      setting.bounds === 'retries' ? `retries_${direction}` : boundCode(setting.bounds, direction);
    return [createChange(code, path, { message: boundMessage(key, subject, setting.bounds, difference), ...values })];
  }
  const retries = retryDirection(difference);
  if (retries !== null) {
    const message = `\`${key}\` of ${subject}: ${retries === 'loosened' ? 'more' : 'fewer'} failures are tried again`;
    return [createChange(`retries_${retries}`, path, { message, ...values })];
  }
  if (narrowsRedaction(difference)) {
    const message = 'the access log writes values that it hid: names are gone from `logging.access.redact`';
    return [createChange('redaction_narrowed', path, { message, ...values })];
  }
  const exposed = tlsLoss(difference);
  if (exposed !== null) return [createChange(exposed[0], path, { message: `${subject} ${exposed[1]}`, ...values })];
  return [createChange(fallbackCode(path), path, { message: `\`${key}\` of ${subject} differs`, ...values })];
}

function boundCode(bounds: 'timeout' | 'limit', direction: 'loosened' | 'tightened'): ChangeCode {
  return `${bounds}_${direction}`;
}

function boundMessage(key: string, subject: string, bounds: string, { before, after }: Difference): string {
  if (after === undefined) return `\`${key}\` of ${subject} is gone: nothing takes its place`;
  if (before === undefined) return `\`${key}\` of ${subject} is new: there was no such bound`;
  const grows = (after as number) > (before as number);
  const words = bounds === 'timeout' ? ['longer', 'shorter'] : ['higher', 'lower'];
  return `\`${key}\` of ${subject} is ${grows ? words[0] : words[1]}`;
}

function writtenSides({ path, before, after }: Difference): { before?: unknown; after?: unknown } {
  return { before: writtenAt(path, before), after: writtenAt(path, after) };
}

/** The key below a thing, or from the top of the file. */
function keyOf(path: ValuePath): string {
  const start = path[0] === 'admin' ? 1 : ownPlans.includes(String(path[0])) ? 2 : 0;
  return path.slice(start).join('.');
}

/** Whether more or fewer failures lead to another try, for a whole `retry` that came or went and for its reasons. */
function retryDirection({ path, before, after }: Difference): 'loosened' | 'tightened' | null {
  if (path[0] !== 'routes' || path[2] !== 'retry') return null;
  if (path.length === 3) {
    const sends = [before, after].map((retry) => (isPlainMap(retry) ? Number(retry.attempts) : 1));
    return sends[0] === sends[1] ? null : sends[1] > sends[0] ? 'loosened' : 'tightened';
  }
  if (path[3] !== 'on' || !Array.isArray(before) || !Array.isArray(after)) return null;
  const gained = after.some((reason) => !before.includes(reason));
  const lost = before.some((reason) => !after.includes(reason));
  if (gained === lost) return null;
  return gained ? 'loosened' : 'tightened';
}

function narrowsRedaction({ path, before, after }: Difference): boolean {
  if (path.join('.') !== 'logging.access.redact' || !Array.isArray(before) || !Array.isArray(after)) return false;
  const hidden = new Set([...ALWAYS_REDACTED, ...after.map((name) => String(name).toLowerCase())]);
  return before.some((name) => !hidden.has(String(name).toLowerCase()));
}

function fallbackCode(path: ValuePath): ChangeCode {
  if (path[0] === 'listeners') return 'listener_changed';
  if (path[0] === 'services') return 'service_changed';
  if (path[0] !== 'routes') return 'setting_changed';
  if (path[2] === 'priority') return 'route_priority_changed';
  return path[2] === 'service' ? 'route_service_changed' : 'route_changed';
}
