/** What a plan tells of two configurations, and what it never shows. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Change, changeCodes, changeSeverities, summaryOf } from './change.ts';
import { configOf, type Written, withRoutes } from './plan.test.support.ts';
import { planOf } from './plan.ts';
import { withoutSecrets } from './written-value.ts';

/** `SEVERITY CODE PATH BEFORE -> AFTER` of every change. */
function planned(before: Written, after: Written): string[] {
  return planOf(configOf(before), configOf(after)).map(lineOf);
}

function lineOf({ severity, code, path, before, after }: Change): string {
  return `${severity} ${code} ${path} ${JSON.stringify(before) ?? '-'} -> ${JSON.stringify(after) ?? '-'}`;
}

function listener(rest: Written): Written {
  return { listeners: [{ name: 'public', address: '127.0.0.1:8080', ...rest }] };
}

function service(rest: Written): Written {
  return { services: [{ name: 's', endpoints: ['http://a:1', 'http://b:2'], ...rest }] };
}

function route(rest: Written): Written {
  return withRoutes({ name: 'r', ...rest });
}

const jwt = { jwt: { issuer: 'https://id.example' } };
const apiKey = { apiKey: { header: 'x-api-key' } };
const limit = (count: number): Written => ({ rateLimit: { limit: count, per: 60_000 } });

type Row = [what: string, before: Written, after: Written, ...lines: string[]];

const settings: Row[] = [
  ['nothing', {}, {}],
  ['a default that is written out', {}, { shutdown: { drain: '5s' } }],
  [
    'a global limit',
    {},
    { limits: { concurrentRequests: 5 } },
    'notice limit_tightened limits.concurrentRequests 10000 -> 5',
  ],
  ['the shutdown', {}, { shutdown: { drain: '6s' } }, 'info setting_changed shutdown.drain "5s" -> "6s"'],
  ['the log', {}, { logging: { level: 'debug' } }, 'info setting_changed logging.level "info" -> "debug"'],
  [
    'what the log hides',
    {},
    { logging: { access: { redact: ['authorization', 'cookie'] } } },
    'danger redaction_narrowed logging.access.redact ["authorization","cookie","x-api-key"] -> ["authorization","cookie"]',
  ],
  [
    'what the log hides whatever the list says',
    {},
    { logging: { access: { redact: ['Cookie', 'x-api-key', 'x-more'] } } },
    'info setting_changed logging.access.redact ["authorization","cookie","x-api-key"] -> ["Cookie","x-api-key","x-more"]',
  ],
];

const listeners: Row[] = [
  [
    'one more and one less',
    { listeners: [{ name: 'a', address: '127.0.0.1:1' }] },
    { listeners: [{ name: 'b', address: '127.0.0.1:2' }] },
    'notice listener_removed listeners.a',
    'notice listener_added listeners.b',
  ],
  [
    'another name',
    { listeners: [{ name: 'a', address: '127.0.0.1:1' }] },
    { listeners: [{ name: 'b', address: '127.0.0.1:1' }] },
    'info listener_renamed listeners.b.name "a" -> "b"',
  ],
  [
    'a port',
    {},
    listener({ address: '127.0.0.1:81' }),
    'notice listener_address_changed listeners.public.address "127.0.0.1:8080" -> "127.0.0.1:81"',
  ],
  [
    'every interface',
    {},
    listener({ address: ':8080' }),
    'notice listener_exposed listeners.public.address "127.0.0.1:8080" -> ":8080"',
  ],
  [
    'a larger body',
    {},
    listener({ limits: { requestBody: '1GiB' } }),
    'notice limit_loosened listeners.public.limits.requestBody "64MiB" -> "1GiB"',
  ],
  [
    'a shorter wait',
    {},
    listener({ timeouts: { bodyIdle: '500ms' } }),
    'notice timeout_tightened listeners.public.timeouts.bodyIdle "30s" -> "500ms"',
  ],
  [
    'wider trust',
    listener({ trustedProxies: ['10.0.0.0/8'] }),
    listener({ trustedProxies: ['10.0.0.0/7'] }),
    'danger trusted_proxies_widened listeners.public.trustedProxies ["10.0.0.0/8"] -> ["10.0.0.0/7"]',
  ],
  [
    'trust in PROXY headers',
    {},
    listener({ proxyProtocol: { from: ['10.0.0.0/8'] } }),
    'danger trusted_proxies_widened listeners.public.proxyProtocol.from [] -> ["10.0.0.0/8"]',
  ],
  [
    'other trust',
    listener({ trustedProxies: ['10.0.0.0/8', '::1'] }),
    listener({ trustedProxies: ['::2'] }),
    'danger trusted_proxies_widened listeners.public.trustedProxies ["10.0.0.0/8","::1"] -> ["::2"]',
  ],
  [
    'less trust',
    listener({ trustedProxies: ['10.0.0.0/8', '::/0'] }),
    listener({ trustedProxies: ['10.1.0.0/16'] }),
    'notice trusted_proxies_narrowed listeners.public.trustedProxies ["10.0.0.0/8","::/0"] -> ["10.1.0.0/16"]',
  ],
  [
    'the same trust in two halves',
    listener({ trustedProxies: ['10.0.0.0/8'] }),
    listener({ trustedProxies: ['10.128.0.0/9', '::ffff:10.0.0.0/105'] }),
    'info trusted_proxies_rewritten listeners.public.trustedProxies ["10.0.0.0/8"] -> ["10.128.0.0/9","::ffff:10.0.0.0/105"]',
  ],
  [
    'the usual field',
    listener({ trustedProxies: ['::1'] }),
    listener({ trustedProxies: ['::1'], clientAddressFrom: 'x-forwarded-for' }),
    'notice trusted_proxies_narrowed listeners.public.clientAddressFrom - -> "x-forwarded-for"',
  ],
  [
    'the standard field',
    listener({ trustedProxies: ['::1'] }),
    listener({ trustedProxies: ['::1'], clientAddressFrom: 'forwarded' }),
    'danger trusted_proxies_widened listeners.public.clientAddressFrom - -> "forwarded"',
  ],
  [
    'the other field',
    listener({ trustedProxies: ['::1'], clientAddressFrom: 'x-forwarded-for' }),
    listener({ trustedProxies: ['::1'], clientAddressFrom: 'forwarded' }),
    'danger trusted_proxies_widened listeners.public.clientAddressFrom "x-forwarded-for" -> "forwarded"',
  ],
  [
    'both fields again',
    listener({ trustedProxies: ['::1'], clientAddressFrom: 'x-forwarded-for' }),
    listener({ trustedProxies: ['::1'] }),
    'danger trusted_proxies_widened listeners.public.clientAddressFrom "x-forwarded-for" -> -',
  ],
  [
    'a field of nobody',
    listener({}),
    listener({ clientAddressFrom: 'forwarded' }),
    'info trusted_proxies_rewritten listeners.public.clientAddressFrom - -> "forwarded"',
  ],
];

const token = 'abcdefghijklmnopqrstuvwx';
const admin: Row[] = [
  [
    'none any more',
    {},
    { admin: false },
    'notice admin_removed admin {"address":"127.0.0.1:9901","writes":false,"persist":"file"} -> -',
  ],
  [
    'one now',
    { admin: false },
    {},
    'notice admin_added admin - -> {"address":"127.0.0.1:9901","writes":false,"persist":"file"}',
  ],
  [
    'one now, for everybody',
    { admin: false },
    { admin: { address: ':9', token } },
    'danger admin_exposed admin.address - -> ":9"',
    'notice admin_added admin - -> {"address":":9","token":"(hidden)","writes":false,"persist":"file"}',
  ],
  [
    'beyond loopback',
    { admin: { token } },
    { admin: { token, address: '0.0.0.0:9901' } },
    'danger admin_exposed admin.address "127.0.0.1:9901" -> "0.0.0.0:9901"',
  ],
  [
    'another port',
    {},
    { admin: { address: '[::1]:9' } },
    'notice admin_address_changed admin.address "127.0.0.1:9901" -> "[::1]:9"',
  ],
  ['no token', { admin: { token } }, {}, 'danger admin_token_removed admin.token "(hidden)" -> -'],
  ['a token', {}, { admin: { token } }, 'notice admin_token_added admin.token - -> "(hidden)"'],
  [
    'another token',
    { admin: { token } },
    { admin: { token: `${token}y` } },
    'notice admin_token_changed admin.token "(hidden)" -> "(hidden)"',
  ],
];

const services: Row[] = [
  ['one more', {}, service({}), 'info service_added services.s'],
  ['one less', service({}), {}, 'info service_removed services.s'],
  ['another name', service({}), service({ name: 't' }), 'info service_renamed services.t.name "s" -> "t"'],
  [
    'balancing',
    service({}),
    service({ loadBalancing: { algorithm: 'random' } }),
    'info service_changed services.s.loadBalancing.algorithm "round-robin" -> "random"',
  ],
  [
    'no health checks',
    service({ healthCheck: { expectStatus: [204, '300-399'] } }),
    service({}),
    'info service_changed services.s.healthCheck {"type":"http","grpcService":"","path":"/health","interval":"10s","timeout":"2s","healthyAfter":2,"unhealthyAfter":3,"expectStatus":["204","300-399"]} -> -',
  ],
  [
    'pools',
    service({}),
    service({ connections: { max: 512 } }),
    'notice limit_loosened services.s.connections.max 256 -> 512',
  ],
  [
    'patience',
    service({}),
    service({ timeouts: { response: '1m' } }),
    'notice timeout_loosened services.s.timeouts.response "30s" -> "1m"',
  ],
  [
    'endpoints',
    service({}),
    service({ endpoints: ['http://c:3', { url: 'http://a:1', weight: 2 }] }),
    'info endpoint_changed services.s.endpoints["http://a:1"].weight 1 -> 2',
    'info endpoint_removed services.s.endpoints["http://b:2"] {"url":"http://b:2","weight":1} -> -',
    'info endpoint_added services.s.endpoints["http://c:3"] - -> {"url":"http://c:3","weight":1}',
  ],
  [
    'the turns of endpoints',
    service({}),
    service({ endpoints: ['http://b:2', 'http://a:1'] }),
    'info endpoints_reordered services.s.endpoints ["http://a:1","http://b:2"] -> ["http://b:2","http://a:1"]',
  ],
  [
    'an endpoint that stands there twice',
    service({ endpoints: ['http://a:1', 'http://a:1'] }),
    service({ endpoints: ['http://a:1'] }),
    'info endpoint_removed services.s.endpoints["http://a:1"] {"url":"http://a:1","weight":1} -> -',
  ],
];

const routes: Row[] = [
  ['one more', withRoutes(), withRoutes({ name: 'r' }), 'notice route_added routes.r'],
  ['one less', withRoutes({ name: 'r' }), withRoutes(), 'notice route_removed routes.r'],
  [
    'another name',
    route({ match: {} }),
    withRoutes({ name: 'q', match: {} }),
    'info route_renamed routes.q.name "r" -> "q"',
  ],
  [
    'another name and another timeout',
    route({ match: {} }),
    withRoutes({ name: 'q', match: {}, timeout: '1s' }),
    'notice route_removed routes.r',
    'notice route_added routes.q',
  ],
  ['another order', withRoutes({ name: 'a' }, { name: 'b' }), withRoutes({ name: 'b' }, { name: 'a' })],
  [
    'a renamed service',
    route({}),
    {
      services: [{ name: 't', endpoints: ['http://127.0.0.1:9001'] }],
      routes: [{ name: 'r', match: { path: '/r' }, service: 't' }],
    },
    'info service_renamed services.t.name "s" -> "t"',
  ],
  [
    'a name that is no plain word',
    withRoutes({ name: 'a.b' }),
    withRoutes({ name: 'a.b', priority: 2 }),
    'notice route_priority_changed routes["a.b"].priority 0 -> 2',
  ],
  [
    'an answer of its own',
    route({}),
    { ...route({}), routes: [{ name: 'r', match: { path: '/r' }, respond: {} }] },
    'notice route_service_changed routes.r.service "s" -> -',
    'notice route_changed routes.r.respond - -> {"status":200,"headers":{},"body":""}',
  ],
  [
    'a rewrite',
    route({}),
    route({ rewrite: { path: '/x' } }),
    'notice route_changed routes.r.rewrite - -> {"path":"/x"}',
  ],
  ['a bound', route({}), route({ timeout: '2s' }), 'notice timeout_tightened routes.r.timeout - -> "2s"'],
  ['no bound', route({ timeout: '2s' }), route({}), 'notice timeout_loosened routes.r.timeout "2s" -> -'],
  [
    'retries',
    route({}),
    route({ retry: { attempts: 2 } }),
    'notice retries_loosened routes.r.retry - -> {"attempts":2,"on":["connect-failure","reset"],"backoff":{"base":"25ms","max":"1s"}}',
  ],
  [
    'fewer tries',
    route({ retry: {} }),
    route({ retry: { attempts: 2 } }),
    'notice retries_tightened routes.r.retry.attempts 3 -> 2',
  ],
  [
    'more reasons to try',
    route({ retry: {} }),
    route({ retry: { on: ['reset', 'connect-failure', 503] } }),
    'notice retries_loosened routes.r.retry.on ["connect-failure","reset"] -> ["reset","connect-failure","503"]',
  ],
  [
    'other reasons to try',
    route({ retry: {} }),
    route({ retry: { on: ['reset', 503] } }),
    'notice route_changed routes.r.retry.on ["connect-failure","reset"] -> ["reset","503"]',
  ],
  [
    'the waits between tries',
    route({ retry: {} }),
    route({ retry: { backoff: { base: '50ms' } } }),
    'notice route_changed routes.r.retry.backoff.base "25ms" -> "50ms"',
  ],
];

const auth = (...names: string[]): string => JSON.stringify(names);

const named = (name: string, most: number): Written => ({ rateLimit: { name, limit: most } });

const policies: Row[] = [
  [
    'authentication of a route is lost',
    route({ policies: [jwt] }),
    route({}),
    'danger authentication_removed routes.r.policies ["jwt"] -> -',
    'notice policy_removed routes.r.policies.jwt {"issuer":"https://id.example"} -> -',
  ],
  [
    'one authentication of two is lost',
    route({ policies: [jwt, apiKey] }),
    route({ policies: [apiKey] }),
    `danger authentication_removed routes.r.policies ${auth('jwt', 'apiKey')} -> ${auth('apiKey')}`,
    'notice policy_removed routes.r.policies.jwt {"issuer":"https://id.example"} -> -',
  ],
  [
    'authentication of another kind',
    route({ policies: [jwt] }),
    route({ policies: [apiKey] }),
    'notice policy_removed routes.r.policies.jwt {"issuer":"https://id.example"} -> -',
    'notice policy_added routes.r.policies.apiKey - -> {"header":"x-api-key"}',
    'notice authentication_changed routes.r.policies ["jwt"] -> ["apiKey"]',
  ],
  [
    'authentication of all routes is lost, but one has its own',
    { ...withRoutes({ name: 'a' }, { name: 'b', policies: [jwt] }), policies: [jwt] },
    withRoutes({ name: 'a' }, { name: 'b', policies: [jwt] }),
    'danger authentication_removed routes.a.policies ["jwt"] -> -',
    'notice policy_removed policies.jwt {"issuer":"https://id.example"} -> -',
  ],
  [
    'authentication goes from the route to its service',
    route({ policies: [jwt] }),
    { ...route({}), services: [{ name: 's', endpoints: ['http://127.0.0.1:9001'], policies: [jwt] }] },
    'notice policy_added services.s.policies.jwt - -> {"issuer":"https://id.example"}',
    'notice policy_removed routes.r.policies.jwt {"issuer":"https://id.example"} -> -',
  ],
  [
    'a service without authentication in place of one that has it',
    {
      services: [
        { name: 's', endpoints: ['http://a:1'], policies: [jwt] },
        { name: 't', endpoints: ['http://b:1'] },
      ],
      routes: [{ name: 'r', match: {}, service: 's' }],
    },
    {
      services: [
        { name: 's', endpoints: ['http://a:1'], policies: [jwt] },
        { name: 't', endpoints: ['http://b:1'] },
      ],
      routes: [{ name: 'r', match: {}, service: 't' }],
    },
    'danger authentication_removed routes.r.policies ["jwt"] -> -',
    'notice route_service_changed routes.r.service "s" -> "t"',
  ],
  [
    'a renamed service keeps what it protects',
    {
      services: [{ name: 's', endpoints: ['http://a:1'], policies: [jwt] }],
      routes: [{ name: 'r', match: {}, service: 's' }],
    },
    {
      services: [{ name: 't', endpoints: ['http://a:1'], policies: [jwt] }],
      routes: [{ name: 'r', match: {}, service: 't' }],
    },
    'info service_renamed services.t.name "s" -> "t"',
  ],
  [
    'limits and filters are lost and gained',
    route({ policies: [limit(5), { ipFilter: { allow: ['::1'] } }] }),
    route({ policies: [{ bodyLimit: { max: 5 } }, { cors: {} }] }),
    'danger authorization_removed routes.r.policies ["ipFilter"] -> -',
    'danger limiting_removed routes.r.policies ["rateLimit"] -> ["bodyLimit"]',
    'notice policy_removed routes.r.policies.rateLimit {"limit":5,"per":60000} -> -',
    'notice policy_removed routes.r.policies.ipFilter {"allow":["::1"]} -> -',
    'notice policy_added routes.r.policies.bodyLimit - -> {"max":5}',
    'notice policy_added routes.r.policies.cors - -> {}',
    'notice limiting_added routes.r.policies ["rateLimit"] -> ["bodyLimit"]',
    'notice cors_added routes.r.policies - -> ["cors"]',
  ],
  [
    'options that fall back to those of all routes',
    { ...route({ policies: [limit(5)] }), policies: [limit(9)] },
    { ...route({}), policies: [limit(9)] },
    'notice policy_removed routes.r.policies.rateLimit {"limit":5,"per":60000} -> -',
    'notice protection_changed routes.r.policies.rateLimit {"limit":5,"per":60000} -> {"limit":9,"per":60000}',
  ],
  [
    'a service that has other options',
    {
      services: [
        { name: 's', endpoints: ['http://a:1'], policies: [limit(5)] },
        { name: 't', endpoints: ['http://b:1'], policies: [limit(9)] },
      ],
      routes: [{ name: 'r', match: {}, service: 's' }],
    },
    {
      services: [
        { name: 's', endpoints: ['http://a:1'], policies: [limit(5)] },
        { name: 't', endpoints: ['http://b:1'], policies: [limit(9)] },
      ],
      routes: [{ name: 'r', match: {}, service: 't' }],
    },
    'notice route_service_changed routes.r.service "s" -> "t"',
    'notice protection_changed routes.r.policies.rateLimit {"limit":5,"per":60000} -> {"limit":9,"per":60000}',
  ],
  [
    'a higher limit',
    route({ policies: [limit(5)] }),
    route({ policies: [limit(6)] }),
    'notice limit_loosened routes.r.policies.rateLimit.limit 5 -> 6',
  ],
  [
    'a longer time for as many',
    route({ policies: [limit(5)] }),
    route({ policies: [{ rateLimit: { limit: 5, per: 90_000 } }] }),
    'notice limit_tightened routes.r.policies.rateLimit.per 60000 -> 90000',
  ],
  [
    'a limit that only watches',
    route({ policies: [limit(5)] }),
    route({ policies: [{ rateLimit: { limit: 5, per: 60_000, mode: 'shadow' } }] }),
    'danger limiting_weakened routes.r.policies.rateLimit.mode - -> "shadow"',
  ],
  [
    'authentication that gives way',
    route({ policies: [{ externalAuth: { url: 'http://a', failOpen: false } }] }),
    route({ policies: [{ externalAuth: { url: 'http://a', failOpen: true } }] }),
    'danger authentication_weakened routes.r.policies.externalAuth.failOpen false -> true',
  ],
  [
    'a credential is asked for no more',
    route({ policies: [{ anyOf: [{ jwt: {} }] }] }),
    route({ policies: [{ anyOf: [{ jwt: {} }, { anonymous: {} }] }] }),
    'danger authentication_weakened routes.r.policies ["anyOf"] -> ["anyOf"]',
    'notice policy_changed routes.r.policies.anyOf [{"name":"jwt","options":{}}] -> [{"name":"jwt","options":{}},{"name":"anonymous","options":{}}]',
  ],
  [
    'another credential, or none',
    route({ policies: [jwt] }),
    route({ policies: [{ anyOf: [jwt, { anonymous: {} }] }] }),
    'danger authentication_weakened routes.r.policies ["jwt"] -> ["anyOf"]',
    'notice policy_removed routes.r.policies.jwt {"issuer":"https://id.example"} -> -',
    'notice policy_added routes.r.policies.anyOf - -> [{"name":"jwt","options":{"issuer":"https://id.example"}},{"name":"anonymous","options":{}}]',
    'notice authentication_changed routes.r.policies ["jwt"] -> ["anyOf"]',
  ],
  [
    'a credential may be left out, but another policy asks for one',
    route({ policies: [jwt, { anyOf: [{ apiKey: {} }] }] }),
    route({ policies: [jwt, { anyOf: [{ apiKey: {} }, { anonymous: {} }] }] }),
    'notice policy_changed routes.r.policies.anyOf [{"name":"apiKey","options":{}}] -> [{"name":"apiKey","options":{}},{"name":"anonymous","options":{}}]',
  ],
  [
    'options of which nothing is known',
    route({ policies: [{ requestHeaders: { set: { a: '1', 'X-Auth-Token': 'abc' } } }] }),
    route({ policies: [{ requestHeaders: { set: { a: '2', 'X-Auth-Token': 'abd' } } }] }),
    'notice policy_changed routes.r.policies.requestHeaders.set.a "1" -> "2"',
    'notice policy_changed routes.r.policies.requestHeaders.set.X-Auth-Token "(hidden)" -> "(hidden)"',
  ],
  [
    'the order of policies',
    route({ policies: [jwt, apiKey] }),
    route({ policies: [apiKey, jwt] }),
    'notice policies_reordered routes.r.policies ["jwt","apiKey"] -> ["apiKey","jwt"]',
  ],
  [
    'a policy that stands there twice',
    route({ policies: [jwt, { jwt: {} }] }),
    route({ policies: [{ jwt: {} }] }),
    'danger authentication_removed routes.r.policies ["jwt","jwt"] -> ["jwt"]',
    'notice policy_removed routes.r.policies.jwt[0] {"issuer":"https://id.example"} -> -',
  ],
  [
    'one of two limits, of which the names say which is which',
    route({ policies: [named('small', 2), named('large', 5)] }),
    route({ policies: [named('large', 6)] }),
    'danger limiting_removed routes.r.policies ["rateLimit","rateLimit"] -> ["rateLimit"]',
    'notice policy_removed routes.r.policies.rateLimit[0] {"name":"small","limit":2} -> -',
    'notice limit_loosened routes.r.policies.rateLimit[0].limit 5 -> 6',
  ],
  [
    'one of two limits that changes, and the other that only moves',
    route({ policies: [limit(5), limit(9)] }),
    route({ policies: [limit(9), limit(4)] }),
    'notice limit_tightened routes.r.policies.rateLimit[1].limit 5 -> 4',
    'notice policies_reordered routes.r.policies ["rateLimit","rateLimit"] -> ["rateLimit","rateLimit"]',
  ],
  [
    'a second limit',
    route({ policies: [limit(5)] }),
    route({ policies: [limit(5), { rateLimit: { limit: 7, key: { header: 'x-key' }, mode: 'shadow' } }] }),
    'danger limiting_weakened routes.r.policies.rateLimit[1].mode - -> "shadow"',
    'notice policy_added routes.r.policies.rateLimit[1] - -> {"limit":7,"key":{"header":"x-key"},"mode":"shadow"}',
    'notice limiting_added routes.r.policies ["rateLimit"] -> ["rateLimit","rateLimit"]',
  ],
  [
    'a limit of another name in the place of one of two',
    route({ policies: [named('small', 2), limit(5)] }),
    route({ policies: [named('tiny', 1), limit(5)] }),
    'notice policy_removed routes.r.policies.rateLimit[0] {"name":"small","limit":2} -> -',
    'notice policy_added routes.r.policies.rateLimit[0] - -> {"name":"tiny","limit":1}',
  ],
  [
    'a limit that is given a name, and one of its own that it takes the place of',
    route({ policies: [limit(5), limit(9)] }),
    route({ policies: [{ rateLimit: { limit: 5, per: 60_000, name: 'a' } }, limit(9)] }),
    'notice policy_changed routes.r.policies.rateLimit[0].name - -> "a"',
  ],
  [
    'a new route without authentication among others',
    withRoutes({ name: 'a', policies: [jwt] }),
    withRoutes({ name: 'a', policies: [jwt] }, { name: 'b' }, { name: 'c', policies: [apiKey] }),
    'notice route_added routes.b',
    'notice route_added routes.c',
    'notice route_without_authentication routes.b.policies - -> -',
  ],
];

type MatchRow = [what: string, before: Written, after: Written, ...lines: string[]];

const matches: MatchRow[] = [
  [
    'a method more',
    { methods: ['GET'] },
    { methods: ['GET', 'PUT'] },
    'notice match_widened routes.r.match.methods ["GET"] -> ["GET","PUT"]',
  ],
  ['all methods', { methods: ['GET'] }, {}, 'notice match_widened routes.r.match.methods ["GET"] -> -'],
  [
    'other methods',
    { methods: ['GET'] },
    { methods: ['PUT'] },
    'notice match_changed routes.r.match.methods ["GET"] -> ["PUT"]',
  ],
  [
    'HEAD, which GET serves',
    { methods: ['GET'] },
    { methods: ['HEAD', 'GET'] },
    'info match_rewritten routes.r.match.methods ["GET"] -> ["HEAD","GET"]',
  ],
  [
    'a wildcard',
    { hosts: ['a.b.c'] },
    { hosts: ['*.c'] },
    'notice match_widened routes.r.match.hosts ["a.b.c"] -> ["*.c"]',
  ],
  [
    'a wildcard and what is above it',
    { hosts: ['b.c'] },
    { hosts: ['*.b.c'] },
    'notice match_changed routes.r.match.hosts ["b.c"] -> ["*.b.c"]',
  ],
  [
    'fewer hosts',
    { hosts: ['*.c', 'd'] },
    { hosts: ['*.b.c'] },
    'notice match_narrowed routes.r.match.hosts ["*.c","d"] -> ["*.b.c"]',
  ],
  [
    'a longer prefix',
    { pathPrefix: '/a' },
    { pathPrefix: '/a/b/' },
    'notice match_narrowed routes.r.match.pathPrefix "/a" -> "/a/b/"',
  ],
  [
    'a prefix beside',
    { pathPrefix: '/a' },
    { pathPrefix: '/ab' },
    'notice match_changed routes.r.match.pathPrefix "/a" -> "/ab"',
  ],
  [
    'a prefix for a path',
    { path: '/a/b' },
    { pathPrefix: '/a' },
    'notice match_widened routes.r.match {"path":"/a/b"} -> {"pathPrefix":"/a"}',
  ],
  ['a parameter', { path: '/a/b' }, { path: '/a/{x}' }, 'notice match_widened routes.r.match.path "/a/b" -> "/a/{x}"'],
  [
    'a parameter, which is never empty',
    { path: '/a/' },
    { path: '/a/{x}' },
    'notice match_changed routes.r.match.path "/a/" -> "/a/{x}"',
  ],
  [
    'another name of a parameter',
    { path: '/a/{x}' },
    { path: '/a/{y}' },
    'info match_rewritten routes.r.match.path "/a/{x}" -> "/a/{y}"',
  ],
  ['a rest', { path: '/a/{x}' }, { path: '/a/*' }, 'notice match_widened routes.r.match.path "/a/{x}" -> "/a/*"'],
  [
    'escapes, which may be of anything',
    { path: '/a/%62' },
    { path: '/a/b' },
    'notice match_changed routes.r.match.path "/a/%62" -> "/a/b"',
  ],
  [
    'a pattern',
    { pathRegex: '^/a' },
    { pathRegex: '^/a/' },
    'notice match_changed routes.r.match.pathRegex "^/a" -> "^/a/"',
  ],
  ['no path', { pathRegex: '^/a' }, {}, 'notice match_widened routes.r.match.pathRegex "^/a" -> -'],
  [
    'a header more',
    { headers: { X: '1' } },
    { headers: { x: '1', y: '2' } },
    'notice match_narrowed routes.r.match.headers {"X":"1"} -> {"x":"1","y":"2"}',
  ],
  [
    'any value',
    { query: { a: { regex: 'x' } } },
    { query: { a: { present: true } } },
    'notice match_widened routes.r.match.query {"a":{"regex":"x"}} -> {"a":{"present":true}}',
  ],
  [
    'cookies, which are secrets',
    {},
    { cookies: { session: 'abc' } },
    'notice match_narrowed routes.r.match.cookies - -> "(hidden)"',
  ],
  [
    'one of more',
    { any: [{ path: '/a' }] },
    { any: [{ path: '/b' }, { path: '/a' }] },
    'notice match_widened routes.r.match.any [{"path":"/a"}] -> [{"path":"/b"},{"path":"/a"}]',
  ],
  [
    'all of more',
    { all: [{ path: '/a' }] },
    { all: [{ path: '/a' }, {}] },
    'notice match_narrowed routes.r.match.all [{"path":"/a"}] -> [{"path":"/a"},{}]',
  ],
  [
    'an exclusion',
    { not: { path: '/a' } },
    { not: { path: '/b' } },
    'notice match_changed routes.r.match.not {"path":"/a"} -> {"path":"/b"}',
  ],
  [
    'more here and less there',
    { methods: ['GET'], hosts: ['a'] },
    { methods: ['GET', 'PUT'], hosts: ['a'], query: { v: '1' } },
    'notice match_changed routes.r.match.methods ["GET"] -> ["GET","PUT"]',
    'notice match_changed routes.r.match.query - -> {"v":"1"}',
  ],
];

/** Whole things are compared by what the change is of; their values stand in a test of their own. */
function shortened(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/((?:route|service|listener)_(?:added|removed) \S+) .*/, '$1'));
}

describe.each([
  ['settings', settings],
  ['listeners', listeners],
  ['the admin listener', admin],
  ['services', services],
  ['routes', routes],
  ['policies', policies],
])('plan of %s', (_, rows) => {
  test.each(rows)('%s', (_, before, after, ...lines) => {
    expect(shortened(planned(before, after))).toEqual(lines);
  });
});

describe('plan of what a route asks', () => {
  test.each(matches)('%s', (_, before, after, ...lines) => {
    expect(planned(route({ match: before }), route({ match: after }))).toEqual(lines);
  });
});

test('a change says what it concerns, in words without values', () => {
  const [change] = planOf(configOf(route({ timeout: '2s' })), configOf(route({ timeout: '10s' })));
  expect(change).toEqual({
    severity: 'notice',
    code: 'timeout_loosened',
    route: 'r',
    path: 'routes.r.timeout',
    message: '`timeout` of route "r" is longer',
    before: '2s',
    after: '10s',
  });
});

test('a thing that came or went is shown as a file would have it', () => {
  const [change] = planOf(configOf(withRoutes()), configOf(route({ timeout: '2s', policies: [jwt] })));
  expect(change.after).toEqual({
    name: 'r',
    match: { path: '/r' },
    priority: 0,
    service: 's',
    timeout: '2s',
    policies: [jwt],
  });
});

test('what came from outside the file is shown nowhere', () => {
  const secret = 'correct-horse-battery';
  const changes = planOf(
    configOf(route({ policies: [{ requestHeaders: { set: { a: 'b', c: 'd' } } }] })),
    configOf({
      ...route({ policies: [{ requestHeaders: { set: { a: `x ${secret}`, c: 'pin' } } }] }),
      services: [{ name: 's', endpoints: [`http://${secret}:1`] }],
    }),
  );
  const shown = withoutSecrets(changes, new Set([secret, 'pin']));
  expect(JSON.stringify(shown)).not.toMatch(/correct-horse-battery|"pin"/);
  expect(shown.map(lineOf)).toContain(
    'notice policy_changed routes.r.policies.requestHeaders.set.a "b" -> "x (hidden)"',
  );
  expect(withoutSecrets(changes, new Set())).toEqual(changes);
});

/** Edits of a file, each of which changes what it means in some way. */
const edits: ((file: Written) => Written)[] = [
  (file) => ({ ...file, limits: { concurrentRequests: 7 } }),
  (file) => ({ ...file, listeners: [{ name: 'other', address: '127.0.0.1:1', trustedProxies: ['::1'] }] }),
  (file) => ({
    ...file,
    listeners: [{ name: 'other', address: '127.0.0.1:1', trustedProxies: ['::1'], clientAddressFrom: 'forwarded' }],
  }),
  (file) => ({ ...file, admin: false }),
  (file) => ({ ...file, admin: { token } }),
  (file) => ({ ...file, policies: [jwt, limit(3)] }),
  (file) => ({ ...file, logging: { access: false } }),
  (file) => ({ ...file, services: [...(file.services as Written[]), { name: 'n', endpoints: ['http://n:1'] }] }),
  (file) => ({ ...file, services: (file.services as Written[]).map((one) => ({ ...one, panic: true })) }),
  (file) => ({ ...file, services: (file.services as Written[]).map((one) => ({ ...one, policies: [apiKey] })) }),
  (file) => ({ ...file, routes: (file.routes as Written[]).slice(1) }),
  (file) => ({ ...file, routes: [...(file.routes as Written[]), { name: 'last', match: {}, respond: {} }] }),
  (file) => ({ ...file, routes: (file.routes as Written[]).map((one) => ({ ...one, timeout: '7s' })) }),
  (file) => ({ ...file, routes: (file.routes as Written[]).map((one) => ({ ...one, name: `${one.name}-2` })) }),
  (file) => ({ ...file, routes: (file.routes as Written[]).map((one) => ({ ...one, match: { methods: ['PUT'] } })) }),
  (file) => ({ ...file, routes: (file.routes as Written[]).map((one) => ({ ...one, policies: [jwt] })) }),
  (file) => ({ ...file, routes: (file.routes as Written[]).map((one) => ({ ...one, retry: { attempts: 5 } })) }),
];
const base = withRoutes(
  { name: 'a' },
  { name: 'b', policies: [jwt, limit(5)] },
  { name: 'c', match: { pathPrefix: '/' } },
);
const file = fc
  .subarray([...edits.keys()])
  .map((chosen) => configOf(chosen.reduce((edited, index) => edits[index](edited), base)));

describe('for any two files', () => {
  test('there is nothing to say exactly where they mean the same', () => {
    fc.assert(
      fc.property(file, file, (before, after) => {
        expect(planOf(before, structuredClone(before))).toEqual([]);
        expect(planOf(before, after).length === 0).toBe(isDeepStrictEqual(before, after));
      }),
      { numRuns: 300 },
    );
  });

  test('the gravest goes first, severities are those of the codes, and the summary counts each change once', () => {
    fc.assert(
      fc.property(file, file, (before, after) => {
        const changes = planOf(before, after);
        const order = changes.map(({ severity }) => changeSeverities.indexOf(severity));
        expect(order).toEqual([...order].sort());
        for (const { code, severity } of changes) expect(severity).toBe(changeCodes[code].severity);
        const { added, removed, changed } = summaryOf(changes);
        expect(added + removed + changed).toBe(changes.length);
      }),
    );
  });

  test('the other way round things come and go the other way', () => {
    fc.assert(
      fc.property(file, file, (before, after) => {
        const there = summaryOf(planOf(before, after));
        const back = summaryOf(planOf(after, before));
        expect([back.added, back.removed]).toEqual([there.removed, there.added]);
      }),
    );
  });
});
