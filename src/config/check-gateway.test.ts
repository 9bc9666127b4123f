/** Every fault across values has its one finding, in its place, with words that help. */
import { describe, expect, test } from 'vitest';
import { findingsOf, head, policies, withRoute } from './config.test.support.ts';
import { parseConfigText } from './load.ts';

describe('one fault, one located finding', () => {
  test.each([
    ['unknown key at the top', `${head}servics: []\n`, ['3:1 error unknown_key servics']],
    ['missing version', 'listeners: [{ name: a, address: ":0" }]\n', ['1:1 error missing_key version']],
    ['no listener', 'version: 1\nlisteners: []\n', ['2:12 error invalid_value listeners']],
    ['empty list', `${head}routes:\n`, ['3:8 error invalid_type routes']],
    ['a key this version does not build', `${head}mesh: {}\n`, ['3:1 error unknown_key mesh']],
    [
      'unknown key in a nest',
      withRoute('match: { any: [{ paths: /a }] }, service: users'),
      ['5:33 error unknown_key routes[0].match.any[0].paths'],
    ],
    ['wrong kind', withRoute('match: /a, service: users'), ['5:23 error invalid_type routes[0].match']],
    [
      'number for a string',
      withRoute('match: { query: { v: 2 } }, service: users'),
      ['5:37 error invalid_type routes[0].match.query.v'],
    ],
    [
      'unknown service',
      withRoute('match: {}, service: user'),
      ['5:36 error unknown_service routes[0].service', '3:20 warning unused_service services[0].name'],
    ],
    [
      'neither service nor respond',
      withRoute('match: {}'),
      ['5:5 error missing_key routes[0]', '3:20 warning unused_service services[0].name'],
    ],
    ['both', withRoute('match: {}, service: users, respond: {}'), ['5:43 error conflicting_keys routes[0].respond']],
    [
      'two kinds of path',
      withRoute('match: { path: /a, pathRegex: b }, service: users'),
      ['5:35 error conflicting_keys routes[0].match.pathRegex'],
    ],
    [
      'two kinds of path in a nest',
      withRoute('match: { not: { all: [{ path: /a, pathPrefix: /b }] } }, service: users'),
      ['5:50 error conflicting_keys routes[0].match.not.all[0].pathPrefix'],
    ],
    [
      'bad pattern',
      withRoute('match: { pathRegex: "(a" }, service: users'),
      ['5:36 error invalid_pattern routes[0].match.pathRegex'],
    ],
    [
      'look-ahead',
      withRoute('match: { headers: { a: { regex: "(?=a)" } } }, service: users'),
      ['5:48 error invalid_pattern routes[0].match.headers.a.regex'],
    ],
    [
      'bad template',
      withRoute('match: { path: "/a/x{id}" }, service: users'),
      ['5:31 error invalid_value routes[0].match.path'],
    ],
    [
      'template parameter twice',
      withRoute('match: { path: "/{a}/{a}" }, service: users'),
      ['5:31 error invalid_value routes[0].match.path'],
    ],
    [
      'regex and present',
      withRoute('match: { headers: { a: { regex: a, present: true } } }, service: users'),
      ['5:39 error invalid_value routes[0].match.headers.a'],
    ],
    [
      'header name',
      withRoute('match: { headers: { "a b": x } }, service: users'),
      ['5:36 error invalid_key routes[0].match.headers["a b"]'],
    ],
    [
      'one header twice',
      withRoute('match: { headers: { a: x, A: y } }, service: users'),
      ['5:42 error duplicate_header routes[0].match.headers.A'],
    ],
    [
      'host with a port',
      withRoute('match: { hosts: ["a:80"] }, service: users'),
      ['5:33 error invalid_value routes[0].match.hosts[0]'],
    ],
    [
      'method',
      withRoute('match: { methods: ["G ET"] }, service: users'),
      ['5:35 error invalid_value routes[0].match.methods[0]'],
    ],
    [
      'small method',
      withRoute('match: { methods: [get] }, service: users'),
      ['5:35 warning method_case routes[0].match.methods[0]'],
    ],
    [
      'framing header in an answer',
      withRoute('match: {}, respond: { headers: { Content-Length: "1" } }'),
      [
        '5:49 error invalid_key routes[0].respond.headers.Content-Length',
        '3:20 warning unused_service services[0].name',
      ],
    ],
    [
      'line break in a header',
      withRoute('match: {}, respond: { headers: { a: "b\\r\\nc: d" } }'),
      ['5:52 error invalid_value routes[0].respond.headers.a', '3:20 warning unused_service services[0].name'],
    ],
    [
      'body of a 204',
      withRoute('match: {}, respond: { status: 204, body: x }'),
      ['5:57 error conflicting_keys routes[0].respond.body', '3:20 warning unused_service services[0].name'],
    ],
    [
      'unknown rewrite parameter',
      withRoute('match: { path: "/a/{id}" }, service: users, rewrite: { path: "/b/{uid}" }'),
      ['5:77 error unknown_parameter routes[0].rewrite.path'],
    ],
    [
      'group without a regex',
      withRoute('match: { path: /a }, service: users, rewrite: { path: /b/$1 }'),
      ['5:70 error unknown_parameter routes[0].rewrite.path'],
    ],
    [
      'parameter that only one of several maps has',
      withRoute('match: { any: [{ path: "/a/{id}" }] }, service: users, rewrite: { path: "/{id}" }'),
      ['5:88 error unknown_parameter routes[0].rewrite.path'],
    ],
    [
      'parameter of the one path under `all`',
      withRoute(
        'match: { all: [{ path: "/a/{id}" }, { methods: [GET] }] }, service: users, rewrite: { path: "/{id}?x={id}" }',
      ),
      [],
    ],
    [
      'access log field',
      `${head}logging: { access: { fields: [status, header.x-a, durationms] } }`,
      ['3:51 error unknown_name logging.access.fields[2]'],
    ],
    [
      'fields of the combined format',
      `${head}logging: { access: { format: combined, fields: [status] } }`,
      ['3:40 warning no_effect logging.access.fields'],
    ],
    [
      'too high a group',
      withRoute('match: { pathRegex: "^/(a)" }, service: users, rewrite: { path: /b/$2 }'),
      ['5:80 error unknown_parameter routes[0].rewrite.path'],
    ],
    [
      'too high a group in a replacement',
      withRoute('match: {}, service: users, rewrite: { regex: { pattern: "(?:a)(b)", replacement: "$1$2" } }'),
      ['5:97 error unknown_parameter routes[0].rewrite.regex.replacement'],
    ],
    [
      'two rewrites',
      withRoute('match: {}, service: users, rewrite: { stripPrefix: /a, path: /b }'),
      ['5:71 error conflicting_keys routes[0].rewrite.path'],
    ],
    [
      'prefix that is never there',
      withRoute('match: { pathPrefix: /a }, service: users, rewrite: { stripPrefix: /b }'),
      ['5:83 warning no_effect routes[0].rewrite.stripPrefix'],
    ],
    [
      'retry condition',
      withRoute('match: {}, service: users, retry: { on: [conect-failure] }'),
      ['5:57 error unknown_name routes[0].retry.on[0]'],
    ],
    [
      'retry by a class of statuses',
      withRoute('match: {}, service: users, retry: { on: [503, 5xx] }'),
      ['5:62 error unknown_name routes[0].retry.on[1]'],
    ],
    [
      'one attempt',
      withRoute('match: {}, service: users, retry: { attempts: 1 }'),
      ['5:52 warning no_effect routes[0].retry.attempts'],
    ],
    [
      'long try',
      withRoute('match: {}, service: users, timeout: 1s, retry: { perTryTimeout: 1s }'),
      ['5:65 warning try_timeout_too_long routes[0].retry.perTryTimeout'],
    ],
    [
      'backoff',
      withRoute('match: {}, service: users, retry: { backoff: { base: 2s } }'),
      ['5:61 error conflicting_keys routes[0].retry.backoff'],
    ],
    [
      'retry of POST by status',
      withRoute('match: { methods: [POST] }, service: users, retry: { on: [503] }'),
      ['5:69 warning no_effect routes[0].retry.on'],
    ],
    [
      'retry of POST by a status of gRPC',
      withRoute('match: { methods: [POST] }, service: users, retry: { on: [unavailable] }'),
      [],
    ],
    [
      'timeout of an own answer',
      withRoute('match: {}, respond: {}, timeout: 1s'),
      ['5:40 warning no_effect routes[0].timeout', '3:20 warning unused_service services[0].name'],
    ],
    [
      'WebSockets of an own answer',
      withRoute('match: {}, respond: {}, websocket: {}'),
      ['5:40 warning no_effect routes[0].websocket', '3:20 warning unused_service services[0].name'],
    ],
    [
      'WebSockets without GET',
      withRoute('match: { methods: [POST] }, service: users, websocket: {}'),
      ['5:60 warning no_effect routes[0].websocket'],
    ],
    [
      'WebSockets to a service of HTTP/2',
      `${head}services: [{ name: s, protocol: h2c, endpoints: [http://a] }]\nroutes: [{ name: r, match: {}, service: s, websocket: {} }]`,
      ['4:44 error conflicting_keys routes[0].websocket'],
    ],
    [
      'reserved name',
      `${head}routes: [{ name: none, match: {}, respond: {} }]`,
      ['3:18 error invalid_value routes[0].name'],
    ],
    [
      'one endpoint and retries',
      `${head}services: [{ name: s, endpoints: [http://a] }]\nroutes: [{ name: r, match: {}, service: s, retry: {} }]`,
      ['4:44 warning retry_single_endpoint routes[0].retry'],
    ],
    [
      'same endpoint twice',
      `${head}services: [{ name: s, endpoints: [http://a, { url: http://A/ }] }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:45 warning duplicate_endpoint services[0].endpoints[1]'],
    ],
    [
      'a path that no check of gRPC asks for',
      `${head}services: [{ name: s, protocol: grpc, endpoints: [http://a], healthCheck: { type: grpc, path: /x } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:89 warning no_effect services[0].healthCheck.path'],
    ],
    [
      'a check of gRPC for a service of HTTP/1.1',
      `${head}services: [{ name: s, endpoints: [http://a], healthCheck: { type: grpc } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:67 warning conflicting_keys services[0].healthCheck.type'],
    ],
    [
      'a service of gRPC that no check of a path asks for',
      `${head}services: [{ name: s, endpoints: [http://a], healthCheck: { grpcService: a } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:61 warning no_effect services[0].healthCheck.grpcService'],
    ],
    [
      'statuses that a connection does not have',
      `${head}services: [{ name: s, endpoints: [http://a], healthCheck: { type: tcp, expectStatus: [200] } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:72 warning no_effect services[0].healthCheck.expectStatus'],
    ],
    [
      'pipelining by HTTP/2',
      `${head}services: [{ name: s, protocol: grpc, endpoints: [http://a], connections: { pipelining: 2 } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:77 warning no_effect services[0].connections.pipelining'],
    ],
    [
      'health check slower than its interval',
      `${head}services: [{ name: s, endpoints: [http://a], healthCheck: { interval: 1s } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:71 warning health_timeout_too_long services[0].healthCheck.interval'],
    ],
    [
      'duplicate names',
      `${head}routes:\n  - { name: a, match: {}, respond: {} }\n  - { name: a, match: {}, respond: {} }\n`,
      ['5:13 error duplicate_name routes[1].name'],
    ],
    [
      'duplicate addresses',
      'version: 1\nlisteners: [{ name: a, address: "127.0.0.1:9901" }]',
      ['2:33 error duplicate_address listeners[0].address'],
    ],
    [
      'admin open to the world',
      `${head}admin: { address: 0.0.0.0:9901 }`,
      ['3:19 error admin_without_token admin.address'],
    ],
    ['weak token', `${head}admin: { token: abc }`, ['3:17 warning weak_token admin.token']],
    ['drain', `${head}shutdown: { drain: 40s }`, ['3:20 warning drain_exceeds_timeout shutdown.drain']],
    [
      'trusting everybody',
      'version: 1\nlisteners: [{ name: a, address: ":0", trustedProxies: [::/0] }]',
      ['2:56 warning trusts_everyone listeners[0].trustedProxies[0]'],
    ],
    [
      'a field of nobody',
      'version: 1\nlisteners: [{ name: a, address: ":0", clientAddressFrom: forwarded }]',
      ['2:39 warning no_effect listeners[0].clientAddressFrom'],
    ],
    [
      'a field that nobody knows',
      'version: 1\nlisteners: [{ name: a, address: ":0", trustedProxies: ["::1"], clientAddressFrom: x-real-ip }]',
      ['2:83 error unknown_name listeners[0].clientAddressFrom'],
    ],
    [
      'range',
      'version: 1\nlisteners: [{ name: a, address: ":0", trustedProxies: [10.0.0.0/99] }]',
      ['2:56 error invalid_value listeners[0].trustedProxies[0]'],
    ],
    [
      'duration without a unit',
      'version: 1\nlisteners: [{ name: a, address: ":0", timeouts: { keepAlive: 10 } }]',
      ['2:62 error invalid_type listeners[0].timeouts.keepAlive'],
    ],
    [
      'duration out of range',
      `${head}services: [{ name: s, endpoints: [http://a], timeouts: { connect: 0s } }]\nroutes: [{ name: r, match: {}, service: s }]`,
      ['3:67 error invalid_value services[0].timeouts.connect'],
    ],
    ['unknown policy', `${head}policies: [{ stmp: {} }]`, ['3:14 error unknown_policy policies[0].stmp']],
    [
      'two policies in one item',
      `${head}policies: [{ stamp: { header: a }, trace: {} }]`,
      ['3:12 error invalid_value policies[0]'],
    ],
    ['no policy in an item', `${head}policies: [{}]`, ['3:12 error invalid_value policies[0]']],
    [
      'unknown option',
      `${head}policies: [{ stamp: { header: a, mod: shadow } }]`,
      ['3:34 error unknown_key policies[0].stamp.mod'],
    ],
    ['missing option', `${head}policies: [{ stamp: { } }]`, ['3:14 error missing_key policies[0].stamp.header']],
    [
      'bad option',
      `${head}policies: [{ stamp: { header: a, mode: shade } }]`,
      ['3:40 error unknown_name policies[0].stamp.mode'],
    ],
  ])('%s', (_, text, expected) => {
    const found = findingsOf(text);
    expect([...found].sort()).toEqual([...expected].sort());
    const failed = expected.some((line) => line.includes(' error '));
    expect(parseConfigText(text, { policies }).config === null).toBe(failed);
  });
});

test('everything wrong is reported at once, in the order of the file, also what depends on sound parts of broken ones', () => {
  const text = `version: 2
listeners:
  - name: public
    adress: 127.0.0.1:0
services:
  - name: users
    endpoints: [ftp://a]
  - name: users
    endpoints: [http://a]
    loadBalancing: { algorithm: roundrobin }
routes:
  - name: one
    match: { path: no-slash }
    service: usrs
  - name: broken
    match: 5
    service: users
  - name: one
    match: { path: /a, pathPrefix: /b }
    service: users
    rewrite: { path: "/{x}" }
`;
  expect(findingsOf(text)).toEqual([
    '1:10 error invalid_value version',
    '4:5 error unknown_key listeners[0].adress',
    '7:17 error invalid_value services[0].endpoints[0]',
    '8:11 error duplicate_name services[1].name',
    '10:33 error unknown_name services[1].loadBalancing.algorithm',
    '13:20 error invalid_value routes[0].match.path',
    '14:14 error unknown_service routes[0].service',
    '16:12 error invalid_type routes[1].match',
    '18:11 error duplicate_name routes[2].name',
    '19:24 error conflicting_keys routes[2].match.pathPrefix',
    '21:22 error unknown_parameter routes[2].rewrite.path',
  ]);
});

describe('suggestions', () => {
  test.each([
    [`${head}servics: []\n`, 'services'],
    [withRoute('match: { pathprefix: /a }, service: users'), 'pathPrefix'],
    [withRoute('match: { all: [{ header: {} }] }, service: users'), 'headers'],
    [withRoute('match: { headers: { a: { regexp: b } } }, service: users'), 'regex'],
    [withRoute('match: {}, service: user'), 'users'],
    [withRoute('match: { path: "/{user}" }, service: users, rewrite: { path: "/{usr}" }'), '{user}'],
    [withRoute('match: {}, service: users, retry: { on: [conect-failure] }'), 'connect-failure'],
    [withRoute('match: {}, service: users, retry: { attempt: 2 }'), 'attempts'],
    [withRoute('match: { query: { a: 1 } }, service: users'), '"1"'],
    [withRoute('match: { methods: [get] }, service: users'), 'GET'],
    [`${head}logging: { access: { formt: json } }`, 'format'],
    [`${head}logging: { level: warning }`, 'warn'],
    [`${head}logging: { access: { fields: [durationms] } }`, 'duration_ms'],
    [`${head}policies: [{ stmap: {} }]`, 'stamp'],
    [`${head}policies: [{ stamp: { header: a, cuont: 1 } }]`, 'count'],
    [`${head}policies: [{ stamp: { header: a, mode: shadwo } }]`, 'shadow'],
    [`${head}services: [{ name: s, endpoints: [{ ulr: http://a }] }]`, 'url'],
    [`${head}zzzzzzzzzz: 1`, undefined],
  ])('%#', (text, expected) => {
    expect(
      parseConfigText(text, { policies }).findings.find(({ suggestion }) => suggestion !== undefined)?.suggestion,
    ).toBe(expected);
  });
});

describe('messages say what is wrong', () => {
  test.each([
    ['an unknown word', `${head}logging: { level: loud }`, '`level` `loud`: expected one of debug, info'],
    ['a number for a duration', `${head}shutdown: { drain: 5 }`, '`drain` `5`: expected a duration'],
    [
      'a name',
      `${head}routes: [{ name: a, match: {}, respond: {} }, { name: a, match: {}, respond: {} }]`,
      '`name` `a`',
    ],
    ['an address', 'version: 1\nlisteners: [{ name: a, address: "127.0.0.1:9901" }]', '`address` `127.0.0.1:9901`'],
    ['an open admin', `${head}admin: { address: 0.0.0.0:9901 }`, '`address` `0.0.0.0:9901`'],
    ['a trusted range', `version: 1\nlisteners: [{ name: a, address: ":0", trustedProxies: ["::/0"] }]`, '`::/0`'],
    [
      'a service',
      withRoute('match: {}, service: usres'),
      '`service` `usres`: no service has this name; services are users',
    ],
    ['an unused service', withRoute('match: {}, respond: {}'), '`name` `users`: no route uses this service'],
    ['a route without an answer', withRoute('match: {}'), 'the route `r` has neither'],
    ['a route with two', withRoute('match: {}, service: users, respond: {}'), 'the route `r` has both'],
    ['a route that needs no timeout', withRoute('match: {}, respond: {}, timeout: 1s'), 'answers the route `r` itself'],
    ['a method', withRoute('match: { methods: [get] }, service: users'), '`methods[0]` `get`'],
    [
      'a pattern',
      withRoute('match: { pathRegex: "(a" }, service: users'),
      '`(a` cannot be used: not a regular expression',
    ],
    [
      'two durations, one by default',
      withRoute('match: {}, service: users, retry: { backoff: { base: 2s } }'),
      '`base` `2s` is longer than `max` (1s by default)',
    ],
    [
      'two durations',
      withRoute('match: {}, service: users, timeout: 1s, retry: { perTryTimeout: 3s }'),
      '`perTryTimeout` `3s` is not shorter than `timeout` `1s`',
    ],
    ['a drain', `${head}shutdown: { drain: 40s }`, '`drain` `40s` is longer than `timeout` (30s by default)'],
    ['a short timeout', `${head}shutdown: { timeout: 1s }`, '`drain` (5s by default) is longer than `timeout` `1s`'],
    [
      'an only endpoint',
      `${head}services: [{ name: s, endpoints: [http://a] }]\nroutes: [{ name: r, match: {}, service: s, retry: {} }]`,
      'the service `s` has one endpoint',
    ],
    [
      'a health check',
      `${head}services: [{ name: s, endpoints: [http://a], healthCheck: { interval: 1s } }]`,
      '`timeout` (2s by default) is not shorter than `interval` `1s`',
    ],
    ['policies', `${head}policies: [{ stamp: { header: a }, trace: {} }]`, 'holds 2 policies (stamp, trace)'],
    [
      'a prefix',
      withRoute('match: { pathPrefix: /a }, service: users, rewrite: { stripPrefix: /b }'),
      '`stripPrefix` `/b`: no path',
    ],
  ])('%s', (_, text, words) => {
    const messages = parseConfigText(text, { policies }).findings.map(({ message }) => message);
    expect(messages.filter((message) => message.includes(words))).toHaveLength(1);
  });

  test('but show nothing of headers that carry credentials', () => {
    const text = withRoute(
      'match: {}, respond: { headers: { authorization: " abc1", set-cookie: " abc2", a: " abc3" } }',
    );
    const told = parseConfigText(text).findings.map(({ message }) => /abc\d/.exec(message)?.[0]);
    expect(told.filter((word) => word !== undefined)).toEqual(['abc3']);
  });
});
