/** Routes that cannot be built, and what of a file goes live without them. */
import { performance } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
import { head, policies } from './config.test.support.ts';
import { type LoadResult, parseConfigText, parseConfigValue } from './load.ts';

const services = 'services: [{ name: users, endpoints: [http://127.0.0.1:9001] }]\n';
const good = '  - { name: good, match: { path: /good }, service: users }\n';

/** A file that wants quarantine, with a sound route, and one given as a flow value. */
function withBroken(route: string, rest = ''): string {
  return `${head}onInvalidRoute: quarantine\n${rest}${services}routes:\n${good}  - ${route}\n`;
}

const env = { SECRET: 'hunter2-hunter2', SHORT: 'ab1', MODE: 'quarantine' };

function load(text: string, file?: string): LoadResult {
  return parseConfigText(text, { policies, env, ...(file === undefined ? {} : { file }) });
}

/** What became of the broken route, the second of the file. */
function second(text: string): unknown {
  const { config, quarantined } = load(text);
  if (config === null) return null;
  expect(config.routes.map(({ name }) => name)[0]).toBe('good');
  expect(config.routes[0].quarantined).toBe(undefined);
  expect(quarantined).toHaveLength(1);
  expect(quarantined[0]).toMatchObject({ index: 1, name: config.routes[1].name });
  expect(quarantined[0].matched).toBe(config.routes[1].quarantined?.matched);
  const [finding] = quarantined[0].findings;
  return { name: config.routes[1].name, matched: quarantined[0].matched, code: finding.code, path: finding.path };
}

const broken = (name: string, matched: boolean, code: string, path: string): object => ({ name, matched, code, path });

describe('an error within a route takes out the route, and its sound match still has its requests', () => {
  test.each<[what: string, route: string, becomes: object]>([
    [
      'an unknown key',
      '{ name: b, match: { path: /b }, service: users, servce: x }',
      broken('b', true, 'unknown_key', 'routes[1].servce'),
    ],
    [
      'an unknown service',
      '{ name: b, match: { path: /b }, service: nobody }',
      broken('b', true, 'unknown_service', 'routes[1].service'),
    ],
    ['no answer', '{ name: b, match: { path: /b } }', broken('b', true, 'missing_key', 'routes[1]')],
    [
      'two answers',
      '{ name: b, match: {}, service: users, respond: {} }',
      broken('b', true, 'conflicting_keys', 'routes[1].respond'),
    ],
    [
      'an unknown policy',
      '{ name: b, match: {}, service: users, policies: [{ stmp: {} }] }',
      broken('b', true, 'unknown_policy', 'routes[1].policies[0].stmp'),
    ],
    [
      'bad options of a policy',
      '{ name: b, match: {}, service: users, policies: [{ stamp: { count: x } }] }',
      broken('b', true, 'missing_key', 'routes[1].policies[0].stamp.header'),
    ],
    [
      'a rewrite to nowhere',
      '{ name: b, match: { path: "/b/{x}" }, service: users, rewrite: { path: "/{y}" } }',
      broken('b', true, 'unknown_parameter', 'routes[1].rewrite.path'),
    ],
    [
      'a reference without a value',
      '{ name: b, match: {}, service: "${env.NONE}" }',
      broken('b', true, 'unresolved_reference', 'routes[1].service'),
    ],
    [
      'the name of another route',
      '{ name: good, match: { path: /b }, service: users }',
      broken('routes[1]', true, 'duplicate_name', 'routes[1].name'),
    ],
    [
      'a malformed name',
      '{ name: "a b", match: { path: /b }, service: users }',
      broken('routes[1]', true, 'invalid_value', 'routes[1].name'),
    ],
    ['no name', '{ match: { path: /b }, service: users }', broken('routes[1]', true, 'missing_key', 'routes[1].name')],
    [
      'a name without a value',
      '{ name: "${env.NONE}", match: { path: /b }, service: users }',
      broken('routes[1]', true, 'unresolved_reference', 'routes[1].name'),
    ],
    [
      'a malformed priority',
      '{ name: b, match: { path: /b }, service: users, priority: high }',
      broken('b', true, 'invalid_type', 'routes[1].priority'),
    ],
    [
      'a key twice',
      '{ name: b, match: {}, service: users, service: users }',
      broken('b', true, 'duplicate_key', 'routes[1].service'),
    ],
    [
      'a malformed timeout',
      '{ name: b, match: {}, service: users, timeout: 5 }',
      broken('b', true, 'invalid_type', 'routes[1].timeout'),
    ],
  ])('%s', (_, route, becomes) => {
    expect(second(withBroken(route))).toEqual(becomes);
    expect(load(withBroken(route).replace('onInvalidRoute: quarantine\n', '')).config).toBe(null);
  });
});

describe('a route whose match is broken wins nothing', () => {
  const deep = `${'{ all: ['.repeat(20)}{ paht: /x }${'] }'.repeat(20)}`;
  test.each<[what: string, route: string, name: string, code: string]>([
    ['a number', '5', 'routes[1]', 'invalid_type'],
    ['null', 'null', 'routes[1]', 'invalid_type'],
    ['a list', '[]', 'routes[1]', 'invalid_type'],
    ['a text', 'x', 'routes[1]', 'invalid_type'],
    ['an empty map', '{}', 'routes[1]', 'missing_key'],
    ['no match', '{ name: b, service: users }', 'b', 'missing_key'],
    ['a match that is a list', '{ name: b, match: [], service: users }', 'b', 'invalid_type'],
    ['a pattern that is none', '{ name: b, match: { pathRegex: "(" }, service: users }', 'b', 'invalid_pattern'],
    ['a key deep in its nests', `{ name: b, match: ${deep}, service: users }`, 'b', 'unknown_key'],
    [
      'two paths in one map',
      '{ name: b, match: { path: /b, pathPrefix: /b }, service: users }',
      'b',
      'conflicting_keys',
    ],
    ['a path twice', '{ name: b, match: { path: /b, path: /c }, service: users }', 'b', 'duplicate_key'],
    ['a match twice', '{ name: b, match: { path: /b }, match: { path: /c }, service: users }', 'b', 'duplicate_key'],
    [
      'a value of nowhere',
      '{ name: b, match: { headers: { x: "${env.NONE}" } }, service: users }',
      'b',
      'unresolved_reference',
    ],
    ['no name and two paths', '{ match: { path: /b, pathRegex: b }, service: users }', 'routes[1]', 'missing_key'],
    ['nests without end', '{ name: b, match: { not: { any: [] } }, service: users }', 'b', 'invalid_value'],
  ])('%s', (_, route, name, code) => {
    expect(second(withBroken(route))).toMatchObject({ name, matched: false, code });
    const { config } = load(withBroken(route));
    // Whoever reads nothing but the match gives it nothing.
    expect(config?.routes[1].match).toEqual({ not: {} });
  });
});

describe('an error anywhere else refuses the file, whatever becomes of routes', () => {
  test.each([
    ['at the top', withBroken('5', 'servics: []\n')],
    ['in a service', withBroken('5').replace('name: users', 'name: "u s"')],
    ['in a listener', withBroken('5').replace('127.0.0.1:0', '127.0.0.1:x')],
    ['in the policies of all routes', withBroken('5', 'policies: [{ stmp: {} }]\n')],
    ['in the key itself', withBroken('5').replace(': quarantine', ': quarantin')],
    ['in the list of routes', `${head}onInvalidRoute: quarantine\nroutes: { a: 1 }\n`],
    ['a second list of routes', `${withBroken('5')}routes: []\n`],
    ['in the syntax', withBroken('{ name: b')],
    ['a key that is a map', withBroken('{ name: b, ? { a: 1 } : 2 }')],
    ['nothing to be had', withBroken(`${'['.repeat(70)}${']'.repeat(70)}`)],
    ['an empty file', ''],
  ])('%s', (_, text) => {
    const { config, quarantined, findings } = load(text);
    expect(config).toBe(null);
    expect(quarantined).toEqual([]);
    expect(findings.some(({ severity }) => severity === 'error')).toBe(true);
  });

  test('also JSON that is none, in a file that is called so', () => {
    const json = JSON.stringify({
      version: 1,
      listeners: [{ name: 'a', address: ':0' }],
      onInvalidRoute: 'quarantine',
    });
    expect(load(json, 'a.json').config).not.toBe(null);
    expect(load(json.replace('}]', '},]'), 'a.json').config).toBe(null);
  });
});

test('a sound file is the same either way but for the key itself', () => {
  const text = `${head}${services}routes:\n${good}`;
  const { config, quarantined, findings } = load(`${text}onInvalidRoute: quarantine\n`);
  expect([quarantined, findings]).toEqual([[], []]);
  expect(config).toEqual({ ...load(text).config, onInvalidRoute: 'quarantine' });
  expect(load(`${text}onInvalidRoute: "\${env.MODE}"\n`).config).toEqual(config);
});

test('of a broken route only name, match and priority stay; the others are whole, at their places', () => {
  const text = `${head}onInvalidRoute: quarantine\n${services}routes:\n  - { name: b, match: { hosts: [A.Example] }, priority: 7, service: nobody, timeout: 1s }\n${good}`;
  const { config, findings } = load(text);
  expect(config?.routes).toEqual([
    {
      name: 'b',
      match: { hosts: ['a.example'] },
      priority: 7,
      policies: [],
      quarantined: {
        matched: true,
        reason: 'portico.yaml:6:69: unknown_service: `service` `nobody`: no service has this name; services are users',
      },
    },
    { name: 'good', match: { path: '/good' }, priority: 0, service: 'users', policies: [] },
  ]);
  expect(findings).toMatchObject([{ severity: 'error', code: 'unknown_service', line: 6 }]);
});

test('every finding of a route stands with it, the first by place being the reason', () => {
  const { config, quarantined, findings } = load(
    withBroken('{ name: b, match: { path: b }, service: nobody, timeout: x }'),
  );
  expect(quarantined[0].findings.map(({ path }) => path)).toEqual([
    'routes[1].match.path',
    'routes[1].service',
    'routes[1].timeout',
  ]);
  expect(findings).toEqual(quarantined[0].findings);
  expect(config?.routes[1].quarantined?.reason).toContain('`path` `b`');
});

test('a fault behind an anchor takes out every route that it is in', () => {
  const text = `${head}onInvalidRoute: quarantine\n${services}routes:\n  - { name: a, match: {}, service: users, retry: &r { attempts: "\${env.NONE}" } }\n${good}  - { name: c, match: {}, service: users, retry: *r }\n`;
  const { config, quarantined, findings } = load(text);
  expect(quarantined.map(({ name }) => name)).toEqual(['a', 'c']);
  expect(config?.routes.map(({ quarantined }) => quarantined !== undefined)).toEqual([true, false, true]);
  expect(findings.filter(({ severity }) => severity === 'error')).toHaveLength(1);
});

describe('values that came from outside', () => {
  test.each([
    ['a whole one', '{ name: b, match: {}, service: "${env.SECRET}" }'],
    ['a part', '{ name: b, match: {}, service: users, timeout: "${env.SECRET}s" }'],
    ['a pattern', '{ name: b, match: { pathRegex: "(${env.SECRET}" }, service: users }'],
    ['a name', '{ name: "${env.SECRET} x", match: {}, service: users }'],
    ['a method', '{ name: b, match: { methods: ["${env.SECRET} x"] }, service: users }'],
    [
      'an option',
      '{ name: b, match: {}, service: users, policies: [{ stamp: { header: a, mode: "${env.SECRET}" } }] }',
    ],
    ['one beside', '{ name: b, match: {}, service: nobody, policies: [{ stamp: { header: "${env.SECRET}" } }] }'],
    ['a short one', '{ name: b, match: {}, service: "${env.SHORT}" }'],
  ])('%s is in no reason and no finding', (_, route) => {
    const { config, quarantined, findings } = load(withBroken(route));
    expect(config).not.toBe(null);
    const shown = JSON.stringify([quarantined, findings, config?.routes[1]]);
    expect(shown).not.toContain(env.SECRET);
    expect(shown).not.toContain(env.SHORT);
  });

  test('stay where they make a sound match', () => {
    const { config } = load(withBroken('{ name: b, match: { headers: { x: "${env.SECRET}" } }, service: nobody }'));
    expect(config?.routes[1].match).toEqual({ headers: { x: env.SECRET } });
    expect(config?.routes[1].quarantined?.reason).not.toContain(env.SECRET);
  });

  test('may be the numbers of a sound part of a broken route', () => {
    const text = withBroken('{ name: b, match: {}, service: nobody, priority: "${env.N}" }');
    const { config } = parseConfigText(text, { policies, env: { N: '12' } });
    expect(config?.routes[1].priority).toBe(12);
  });
});

test('a program’s values are quarantined as a file’s are', () => {
  const value = {
    version: 1,
    listeners: [{ name: 'a', address: ':0' }],
    onInvalidRoute: 'quarantine',
    routes: [null, 5, [], { name: 'x', match: {}, respond: {} }, { name: 'y', match: { not: () => 1 } }],
  };
  const { config, quarantined } = parseConfigValue(value);
  expect(quarantined.map(({ name }) => name)).toEqual(['routes[0]', 'routes[1]', 'routes[2]', 'y']);
  expect(config?.routes.map(({ quarantined }) => quarantined?.matched)).toEqual([
    false,
    false,
    false,
    undefined,
    false,
  ]);
});

test('10,000 broken routes are taken out in the time of a file', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => ({
    name: `r${i}`,
    match: i % 2 === 0 ? { path: `/p/${i}` } : { path: i },
    service: i % 3 === 0 ? 'nobody' : 'users',
    bogus: i,
  }));
  const file = {
    version: 1,
    onInvalidRoute: 'quarantine',
    listeners: [{ name: 'a', address: ':0' }],
    services: [{ name: 'users', endpoints: ['http://127.0.0.1:9001'] }],
    routes: [...routes, { name: 'good', match: { path: '/good' }, service: 'users' }],
  };
  const begun = performance.now();
  const { config, quarantined } = parseConfigText(JSON.stringify(file), { policies });
  // Not a measure: what grows with the square of the routes takes minutes.
  expect(performance.now() - begun).toBeLessThan(30_000);
  expect(quarantined).toHaveLength(10_000);
  expect(config?.routes).toHaveLength(10_001);
  expect(config?.routes.filter(({ quarantined }) => quarantined?.matched === true)).toHaveLength(5000);
});
