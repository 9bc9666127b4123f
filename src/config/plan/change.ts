/** One difference between two configurations, the codes that name its kind, and the order in which people read them. */
import { formatPath, type ValuePath } from '../source-tree.ts';

/** What a change asks of its reader: nothing, a look, or a good reason. */
export type ChangeSeverity = 'danger' | 'notice' | 'info';

/** The gravest first. */
export const changeSeverities: readonly ChangeSeverity[] = ['danger', 'notice', 'info'];

interface CodeEntry {
  readonly severity: ChangeSeverity;
  /** Which number of the summary it raises. */
  readonly counts: 'added' | 'removed' | 'changed';
  readonly meaning: string;
}

function entry(severity: ChangeSeverity, meaning: string, counts: CodeEntry['counts'] = 'changed'): CodeEntry {
  return { severity, counts, meaning };
}

/** What each code means. Codes are part of the public interface: they are never renamed and never reused. */
export const changeCodes = {
  authentication_removed: entry('danger', 'A route asks for less authentication: it lost such a policy.'),
  authentication_weakened: entry(
    'danger',
    'A policy of authentication lets requests in when it cannot decide, or without any credential.',
  ),
  authorization_removed: entry('danger', 'A route lost `authorize` or `ipFilter`.'),
  limiting_removed: entry('danger', 'A route lost `rateLimit`, `bodyLimit` or `concurrency`.'),
  limiting_weakened: entry('danger', 'A limit only watches, or lets requests through when its store fails.'),
  cors_removed: entry('danger', 'A route lost `cors`.'),
  requests_unprotected: entry('danger', 'Requests go from a route with authentication to one without.'),
  trusted_proxies_widened: entry(
    'danger',
    'More addresses, or another field of theirs, are believed about who the client is.',
  ),
  tls_removed: entry('danger', 'A listener no longer speaks TLS.'),
  client_certificates_loosened: entry('danger', 'A listener no longer refuses clients that show no certificate.'),
  upstream_unverified: entry('danger', 'The certificates of a service are not looked at any more.'),
  admin_exposed: entry('danger', 'The admin listener is bound to more than loopback.'),
  admin_token_removed: entry('danger', 'The admin listener asks for no token any more.'),
  redaction_narrowed: entry('danger', 'The access log writes values that it hid.'),

  authentication_added: entry('notice', 'A route asks for more authentication.'),
  authentication_changed: entry('notice', 'A route asks for another authentication.'),
  authorization_added: entry('notice', 'A route gained `authorize` or `ipFilter`.'),
  limiting_added: entry('notice', 'A route gained `rateLimit`, `bodyLimit` or `concurrency`.'),
  cors_added: entry('notice', 'A route gained `cors`.'),
  protection_changed: entry('notice', 'A protecting policy of a route now takes its options from another scope.'),
  route_without_authentication: entry('notice', 'A new route has no authentication, where others have it.'),

  requests_reachable: entry('notice', 'Requests that no route took are taken by one.'),
  requests_unreachable: entry('notice', 'Requests that a route took are taken by none.'),
  requests_moved: entry('notice', 'Requests go to another route.'),
  route_shadowed: entry('notice', 'A route can never be reached: another goes before it.'),
  route_unshadowed: entry('notice', 'A route that could never be reached can be.'),
  route_quarantined: entry(
    'notice',
    'A route cannot be built: its requests are answered 503, or other routes take them.',
  ),
  route_restored: entry('notice', 'A route that could not be built can be.'),
  route_order_changed: entry('notice', 'Of two routes of equal rank the other one now goes first.'),

  route_added: entry('notice', 'A new route.', 'added'),
  route_removed: entry('notice', 'A route is gone.', 'removed'),
  match_widened: entry('notice', 'A route asks less of a request.'),
  match_narrowed: entry('notice', 'A route asks more of a request.'),
  match_changed: entry('notice', 'A route asks something else of a request.'),
  route_priority_changed: entry('notice', 'A route has another priority.'),
  route_service_changed: entry('notice', 'A route has another service.'),
  route_changed: entry('notice', 'Another key of a route.'),
  policy_added: entry('notice', 'A scope (all routes, a service, a route) has a new policy.', 'added'),
  policy_removed: entry('notice', 'A scope has lost a policy.', 'removed'),
  policy_changed: entry('notice', 'A policy has other options.'),
  policies_reordered: entry('notice', 'A list of policies differs only in its order.'),

  timeout_loosened: entry('notice', 'A timeout is longer or gone.'),
  timeout_tightened: entry('notice', 'A timeout is shorter or new.'),
  limit_loosened: entry('notice', 'A limit lets more through.'),
  limit_tightened: entry('notice', 'A limit lets less through.'),
  retries_loosened: entry('notice', 'A route tries more often, or for more reasons.'),
  retries_tightened: entry('notice', 'A route tries less often, or for fewer reasons.'),

  listener_added: entry('notice', 'A new listener.', 'added'),
  listener_removed: entry('notice', 'A listener is gone.', 'removed'),
  listener_address_changed: entry('notice', 'A listener has another address.'),
  listener_exposed: entry('notice', 'A listener was bound to loopback and no longer is.'),
  listener_changed: entry('notice', 'Another key of a listener.'),
  trusted_proxies_narrowed: entry(
    'notice',
    'Fewer addresses, or fewer fields of theirs, are believed about who the client is.',
  ),
  admin_added: entry('notice', 'There is an admin listener.', 'added'),
  admin_removed: entry('notice', 'There is no admin listener any more.', 'removed'),
  admin_address_changed: entry('notice', 'The admin listener has another address.'),
  admin_token_added: entry('notice', 'The admin listener asks for a token.'),
  admin_token_changed: entry('notice', 'The admin listener asks for another token.'),

  match_rewritten: entry('info', 'A match is written in another way and asks the same.'),
  trusted_proxies_rewritten: entry(
    'info',
    'What is trusted is written in another way, which changes nothing by itself.',
  ),
  route_renamed: entry(
    'info',
    'A route has another name and is the same otherwise; metrics and logs carry the new one.',
  ),
  service_added: entry('info', 'A new service.', 'added'),
  service_removed: entry('info', 'A service is gone.', 'removed'),
  service_renamed: entry('info', 'A service has another name and is the same otherwise; its connections begin anew.'),
  service_changed: entry('info', 'Another key of a service: balancing, health, pools.'),
  endpoint_added: entry('info', 'A service has a new endpoint.', 'added'),
  endpoint_removed: entry('info', 'A service has lost an endpoint.', 'removed'),
  endpoint_changed: entry('info', 'An endpoint has another weight.'),
  endpoints_reordered: entry('info', 'The endpoints of a service stand in another order.'),
  listener_renamed: entry('info', 'A listener has another name and is the same otherwise.'),
  setting_changed: entry('info', 'Another key of the gateway: logging, shutdown.'),
} as const satisfies Record<string, CodeEntry>;

export type ChangeCode = keyof typeof changeCodes;

/** One change. Values are in the form in which a file would have them, and hidden where they may be secrets. */
export interface Change {
  readonly severity: ChangeSeverity;
  readonly code: ChangeCode;
  /** What it concerns, by the name after the change; none of the three for the whole gateway. */
  readonly route?: string;
  readonly service?: string;
  readonly listener?: string;
  /** Like `routes.users.retry.attempts`; names that are not plain words stand in brackets. */
  readonly path: string;
  /** A sentence without the values. */
  readonly message: string;
  /** Absent where there was nothing. */
  readonly before?: unknown;
  /** Absent where there is nothing. */
  readonly after?: unknown;
  /** For changes of what requests reach: some of them. */
  readonly examples?: readonly string[];
}

/** What a change says beside its code and its place. */
export interface ChangeDetails {
  readonly message: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly examples?: readonly string[];
}

/** Makes a change; keys without a value are left out, so that equal changes are equal. */
export function createChange(code: ChangeCode, path: ValuePath, details: ChangeDetails): Change {
  const { message, before, after, examples } = details;
  const concerned = subjectKeys[String(path[0])];
  return {
    severity: changeCodes[code].severity,
    code,
    ...(concerned === undefined || path.length < 2 ? {} : { [concerned]: String(path[1]) }),
    path: formatPath(path),
    message,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    ...(examples === undefined ? {} : { examples }),
  };
}

const subjectKeys: Readonly<Record<string, 'route' | 'service' | 'listener'>> = {
  routes: 'route',
  services: 'service',
  listeners: 'listener',
};

/** What a path of changes is about, for people: `route "users"`. */
export function subjectOf(path: ValuePath): string {
  if (path[0] === 'admin') return 'the admin listener';
  const kind = subjectKeys[String(path[0])];
  return kind === undefined || path.length < 2 ? 'the gateway' : `${kind} "${path[1]}"`;
}

/** The gravest first, otherwise in the order in which they were found. */
export function inOrder(changes: readonly Change[]): Change[] {
  return changeSeverities.flatMap((severity) => changes.filter((change) => change.severity === severity));
}

export interface ChangeSummary {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

/** How many changes of each kind there are; together all of them. */
export function summaryOf(changes: readonly Change[]): ChangeSummary {
  const summary = { added: 0, removed: 0, changed: 0 };
  for (const { code } of changes) summary[changeCodes[code].counts] += 1;
  return summary;
}
