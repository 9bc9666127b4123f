/** What listeners, routes and services of relayed connections may not have, and the reverse. */
import { describe, expect, test } from 'vitest';
import { findingsOf } from './config.test.support.ts';
import { parseConfigText } from './load.ts';

const listeners = `version: 1
listeners:
  - { name: web, address: ":0" }
  - { name: raw, address: ":0", mode: tcp }
  - { name: pass, address: ":0", mode: tls-passthrough }
`;
const services = `services:
  - { name: db, endpoints: [tcp://127.0.0.1:1, tcp://127.0.0.1:2] }
  - { name: users, endpoints: [http://127.0.0.1:3] }
`;
const routes = `routes:
  - { name: users, match: {}, service: users }
  - { name: rest, match: { listeners: [raw, pass] }, service: db }
`;
const sound = listeners + services + routes;

test('a file of all three modes has nothing wrong', () => {
  const text = `${sound}  - { name: a, match: { sni: [a.example, "*.b.example"] }, service: db, priority: 3 }\n`;
  expect(findingsOf(text)).toEqual([]);
});

/** With one route more. */
const withRoute = (keys: string): string => `${sound}  - { name: r, ${keys} }\n`;

/** With one listener more and a route to it. */
const withListener = (keys: string): string =>
  sound.replace('services:', `  - { name: more, address: ":0", ${keys} }\nservices:`);

/** With other keys of the service that is only relayed to. */
const withService = (keys: string): string => sound.replace('{ name: db,', `{ name: db, ${keys},`);

describe('one fault, one located finding', () => {
  test.each([
    [
      'TLS of a raw listener',
      sound.replace('mode: tcp }', 'mode: tcp, protocols: [h2] }'),
      ['4:44 error conflicting_keys listeners[1].protocols'],
    ],
    [
      'proxies of a raw listener',
      sound.replace('mode: tcp }', 'mode: tcp, trustedProxies: [10.0.0.1] }'),
      ['4:44 warning no_effect listeners[1].trustedProxies'],
    ],
    [
      'the field of proxies of a raw listener',
      sound.replace('mode: tcp }', 'mode: tcp, clientAddressFrom: forwarded }'),
      ['4:44 warning no_effect listeners[1].clientAddressFrom'],
    ],
    ['a raw listener without a route', withListener('mode: tcp'), ['6:13 warning unserved_listener listeners[3].name']],
    [
      'PROXY headers from everybody',
      withListener('proxyProtocol: { from: [0.0.0.0/0] }'),
      ['6:58 warning trusts_everyone listeners[3].proxyProtocol.from[0]'],
    ],
    [
      'an unknown listener',
      withRoute('match: { listeners: [row] }, service: db'),
      ['12:37 error unknown_listener routes[2].match.listeners[0]'],
    ],
    [
      'a listener of requests',
      withRoute('match: { listeners: [web] }, service: db'),
      ['12:37 error conflicting_keys routes[2].match.listeners[0]'],
    ],
    [
      'SNI of a listener that reads none',
      withRoute('match: { sni: [a.b], listeners: [raw] }, service: db'),
      ['12:25 error conflicting_keys routes[2].match.sni'],
    ],
    [
      'a path beside SNI',
      withRoute('match: { sni: [a.b], path: /x }, service: db'),
      ['12:37 error conflicting_keys routes[2].match.path'],
    ],
    [
      'hosts and nests beside a listener',
      withRoute('match: { hosts: [a.b], listeners: [raw], any: [{}] }, service: db'),
      ['12:25 error conflicting_keys routes[2].match.hosts', '12:57 error conflicting_keys routes[2].match.any'],
    ],
    [
      'SNI in a nest',
      withRoute('match: { all: [{ sni: [a.b] }] }, service: users'),
      ['12:33 error conflicting_keys routes[2].match.all[0].sni'],
    ],
    [
      'a listener in a nest',
      withRoute('match: { not: { listeners: [raw] } }, service: users'),
      ['12:32 error conflicting_keys routes[2].match.not.listeners'],
    ],
    [
      'a rewrite',
      withRoute('match: { sni: [a.b] }, service: db, rewrite: { path: /x }'),
      ['12:52 error conflicting_keys routes[2].rewrite'],
    ],
    [
      'an answer of its own',
      withRoute('match: { sni: [a.b] }, respond: {}'),
      ['12:39 error conflicting_keys routes[2].respond'],
    ],
    [
      'retries, timeout, policies and WebSockets',
      withRoute('match: { sni: [a.b] }, service: db, retry: {}, timeout: 1s, policies: [], websocket: {}'),
      [
        '12:52 error conflicting_keys routes[2].retry',
        '12:63 error conflicting_keys routes[2].timeout',
        '12:76 error conflicting_keys routes[2].policies',
        '12:90 error conflicting_keys routes[2].websocket',
      ],
    ],
    [
      'requests to an endpoint of connections',
      withRoute('match: {}, service: db'),
      ['7:29 error conflicting_keys services[0].endpoints[0]', '7:48 error conflicting_keys services[0].endpoints[1]'],
    ],
    [
      'a PROXY header before requests',
      sound.replace('{ name: users,', '{ name: users, proxyProtocol: v1,'),
      ['8:20 error conflicting_keys services[1].proxyProtocol'],
    ],
    [
      'what is of requests, of a service of connections',
      withService('protocol: h2c, policies: [], loadBalancing: { sticky: { cookie: a } }'),
      [
        '7:17 warning no_effect services[0].protocol',
        '7:32 warning no_effect services[0].policies',
        '7:63 warning no_effect services[0].loadBalancing.sticky',
      ],
    ],
    [
      'a health check by HTTP',
      withService('healthCheck: { type: grpc }'),
      ['7:32 error conflicting_keys services[0].healthCheck.type'],
    ],
    [
      'a health check by default',
      withService('healthCheck: {}'),
      ['7:17 error conflicting_keys services[0].healthCheck'],
    ],
    ['a health check of connections', withService('healthCheck: { type: tcp }'), []],
  ])('%s', (_name, text, expected) => {
    expect(findingsOf(text).sort()).toEqual([...expected].sort());
  });

  test('of SNI where nobody reads it, and requests where nobody serves them', () => {
    const text = `version: 1
listeners: [{ name: raw, address: ":0", mode: tcp }]
services: [{ name: db, endpoints: [tcp://a:1] }, { name: web, endpoints: [http://a] }]
routes:
  - { name: db, match: { sni: [a.b] }, service: db }
  - { name: web, match: {}, service: web }
  - { name: raw, match: { listeners: [raw] }, service: db }
`;
    expect(findingsOf(text)).toEqual([
      '5:26 error conflicting_keys routes[0].match.sni',
      '6:18 warning no_effect routes[1].match',
    ]);
  });

  test('is explained', () => {
    const messages = [
      withRoute('match: { listeners: [row] }, service: db'),
      withRoute('match: { sni: [a.b], path: /x }, service: db'),
      withRoute('match: {}, service: db'),
    ].map((text) => parseConfigText(text).findings[0]);
    expect(messages[0]).toMatchObject({
      message: '`listeners[0]` `row`: no listener has this name; those that relay are raw, pass',
      suggestion: 'raw',
    });
    expect(messages[1].message).toBe('`path` stands beside `sni`: a connection that is relayed has no requests');
    expect(messages[2].message).toContain('the route `r` sends it requests');
  });

  test('of a route alone, where routes are quarantined', () => {
    const { config } = parseConfigText(
      `onInvalidRoute: quarantine\n${withRoute('match: { sni: [a.b] }, service: db, timeout: 1s')}`,
    );
    expect(config?.routes.map(({ quarantined }) => quarantined?.matched)).toEqual([undefined, undefined, true]);
  });
});
