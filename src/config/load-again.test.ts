/** A text that is loaded by what is known of the one before it: all that is said of it is what a load from the ground up says. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { policies } from './config.test.support.ts';
import { type Former, type Loaded, loadConfigText } from './load.ts';
import { loadAgain } from './load-again.ts';

/** More for a search that takes its time. */
const RUNS = Number(process.env.LOAD_AGAIN_RUNS ?? 400);

const options = {
  policies,
  env: { TIME: '3s', NUMBER: '3', SECRET: 'a-secret-of-many-letters' },
  readFile: (path: string) => Promise.reject(Object.assign(new Error(path), { code: 'ENOENT' })),
  now: () => 0,
};

async function loaded(text: string): Promise<Loaded> {
  const { locate: _, ...rest } = await loadConfigText({ text, format: 'yaml' }, '/etc/portico.yaml', options);
  return rest;
}

function again(text: string, former: Former): Promise<Loaded | null> {
  return loadAgain({ text, format: 'yaml' }, '/etc/portico.yaml', options, former);
}

/** Fails where the two say different things; true where there was something to be compared. */
async function agrees(text: string, former: Former): Promise<Loaded | null> {
  const quick = await again(text, former);
  if (quick === null) return null;
  const { routeLines, ...rest } = quick;
  const { routeLines: lines, ...thorough } = await loaded(text);
  expect(rest).toStrictEqual(thorough);
  expect(routeLines?.starts).toEqual(lines?.starts);
  expect(routeLines?.indent).toBe(lines?.indent);
  expect(routeLines?.events).toBeGreaterThanOrEqual(lines?.events ?? 0);
  return quick;
}

const HEAD = 'version: 1\nlisteners: [{ name: public, address: "127.0.0.1:0" }]\n';

/** Routes, each by lines below its dash; `N` is a number. Some are wrong, some to be warned of, some unusual. */
const ROUTES = [
  ['name: rN', 'match: { path: /rN }', 'service: a'],
  ['match:', '  pathPrefix: /pN', '  methods:', '    - GET', '    - POST', 'name: pN', 'service: b'],
  ['name: qN', 'match:', '  any:', '  - path: /xN', '  - hosts: [a.example.com]', 'respond: { status: 204 }'],
  ['{ name: fN, match: {}, respond: { body: "# no comment" } }'],
  ['{ name: mN, match: { path: /mN },', '  service: a }'],
  ['name: cN # with a comment', '# and another', '', 'match: {}', 'service: a', '  # deeper'],
  ['name: oneN', 'match: { path: /oneN }', 'service: one', 'retry: { attempts: 2, on: [connect-failure] }'],
  ['name: lowN', 'match: { methods: [get] }', 'service: a'],
  ['name: envN', 'match: {}', 'service: a', 'timeout: ${env.TIME}'],
  ['name: numN', 'match: {}', 'service: a', 'priority: "${env.NUMBER}"'],
  ['name: noneN', 'match: {}', 'service: none'],
  ['name: wrongN', 'match: { path: x }', 'service: a'],
  ['name: keyN', 'match: {}', 'servise: a'],
  [
    'name: policyN',
    'match: {}',
    'service: b',
    'policies:',
    '  - requestHeaders:',
    '      set: { x-a: "${env.SECRET}" }',
  ],
  ['name: wsN', 'match: { path: /wsN }', 'service: two', 'websocket: {}'],
  ['name: same', 'match: {}', 'service: a'],
  ['name: "rN"', "match: { path: '/N' }", 'respond:', '  body: |', '    - name: rN', '    text'],
  ['- name: nestedN'],
  ['name: longN', 'match: {}', 'respond: { body: "two', '  lines" }'],
  ['&anchor { name: anchorN, match: {}, service: a }'],
  ['just words'],
];

interface Route {
  readonly kind: number;
  readonly number: number;
  /** What stands above it. */
  readonly above: string;
}

interface Text {
  readonly routes: readonly Route[];
  readonly indent: number;
  readonly services: number;
  readonly servicesLast: boolean;
  readonly top: string;
  readonly tail: string;
}

const SERVICES = [
  '  - { name: a, endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2"] }\n',
  '  - name: b\n    endpoints:\n      - http://127.0.0.1:1\n',
  '  - { name: one, endpoints: ["http://127.0.0.1:1"] }\n',
  '  - { name: one, endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2"] }\n',
  '  - { name: two, endpoints: ["http://127.0.0.1:1"] }\n',
  '  - { name: two, protocol: h2c, endpoints: ["http://127.0.0.1:1"] }\n',
  '  - { name: unused, endpoints: ["http://${env.NUMBER}:1"] }\n',
];

function textOf({ routes, indent, services, servicesLast, top, tail }: Text): string {
  const pad = ' '.repeat(indent);
  const list = routes.map(({ kind, number, above }) => {
    const [first, ...rest] = ROUTES[kind].map((line) => line.replaceAll('N', String(number)));
    return `${above}${pad}- ${first}\n${rest.map((line) => (line === '' ? '\n' : `${pad}  ${line}\n`)).join('')}`;
  });
  const routesText = `routes:\n${list.join('')}`;
  const servicesText = `services:\n${SERVICES.filter((_, index) => (services >> index) % 2 === 1).join('')}`;
  return HEAD + top + (servicesLast ? routesText + servicesText : servicesText + routesText) + tail;
}

const route = fc.record({
  // The first ones are the sound ones.
  kind: fc.oneof({ weight: 12, arbitrary: fc.nat(8) }, fc.nat(ROUTES.length - 1)),
  number: fc.nat(12),
  above: fc.oneof(
    { weight: 6, arbitrary: fc.constant('') },
    fc.constantFrom('\n', '# a comment\n', '  # - name: x\n\n'),
  ),
});
const sound = fc.record({
  kind: fc.nat(8),
  number: fc.nat(400),
  above: fc.constantFrom('', '', '', '\n', '# - name: x\n', '      # deep\n'),
});

const text = fc.record({
  routes: fc.array(sound, { minLength: 1, maxLength: 9 }).map((all) => all.map((each, i) => ({ ...each, number: i }))),
  indent: fc.constantFrom(0, 2, 2, 4),
  services: fc.constantFrom(0b0010111, 0b0010111, 0b0011011),
  servicesLast: fc.boolean(),
  top: fc.constantFrom('', '# routes of all\n', 'limits: { concurrentRequests: 5 }\n'),
  tail: fc.constantFrom('', '', '# the end\n', 'policies: []\n'),
});

/** What becomes of a text. */
const change = fc.oneof(
  fc.record({ insert: route, at: fc.nat(9) }),
  fc.record({ remove: fc.nat(9) }),
  fc.record({ move: fc.nat(9), to: fc.nat(9) }),
  fc.record({ copy: fc.nat(9), to: fc.nat(9) }),
  fc.record({ services: fc.constantFrom(0b0010111, 0b0011011, 0b0100111, 0b0000111, 0b1010111) }),
  fc.record({ top: fc.constantFrom('# one more line\n\n', 'shutdown: { drain: 1s }\n') }),
  fc.record({ tail: fc.constantFrom('# other end', 'policies: [{ trace: {} }]\n') }),
  fc.record({ indent: fc.constantFrom(0, 2) }),
  fc.record({ above: fc.constantFrom('', '# other words\n', '\t\n', '    # deep\n'), at: fc.nat(9) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(before: Text, change: Change): Text {
  const routes = [...before.routes];
  if ('insert' in change) routes.splice(change.at, 0, change.insert);
  else if ('remove' in change) routes.splice(change.remove, 1);
  else if ('move' in change) routes.splice(change.to, 0, ...routes.splice(change.move, 1));
  else if ('copy' in change) routes.splice(change.to, 0, ...routes.slice(change.copy, change.copy + 1));
  else if ('above' in change) {
    const index = change.at % Math.max(1, routes.length);
    if (routes[index] !== undefined) routes[index] = { ...routes[index], above: change.above };
  } else return { ...before, ...change };
  return { ...before, routes };
}

const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(3),
  put: fc.constantFrom(
    ...[
      '',
      ' ',
      '  ',
      '\n',
      '\n  ',
      '- ',
      '\n  - ',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      ',',
      ': ',
      '#',
      ' #',
      '|',
      '>',
      '&a ',
      '*a',
    ],
    ...['\t', '\r', '\u0085', '---\n', '...\n', '${env.TIME}', '${', '?', '!', 'x', '\n#\n', '\n  - name: r1\n'],
  ),
});

function damaged(text: string, { at, cut, put }: { at: number; cut: number; put: string }): string {
  const offset = Math.floor(at * text.length);
  return text.slice(0, offset) + put + text.slice(offset + cut);
}

test('whatever became of a text, it is loaded as from the ground up, or not at all', async () => {
  let compared = 0;
  let withFindings = 0;
  const property = fc.asyncProperty(
    text,
    fc.array(fc.tuple(change, fc.option(damage, { freq: 3 })), { minLength: 1, maxLength: 4 }),
    async (first, changes) => {
      let now: Text = first;
      let former: Former = await loaded(textOf(now));
      for (const [each, broken] of changes) {
        now = changed(now, each);
        const next = broken === null ? textOf(now) : damaged(textOf(now), broken);
        const quick = await agrees(next, former);
        if (quick !== null) {
          compared += 1;
          if (quick.findings.length > 0) withFindings += 1;
        }
        if (quick?.config) former = quick;
      }
    },
  );
  await fc.assert(property, { numRuns: RUNS });
  // Neither may the search be of nothing.
  expect(compared).toBeGreaterThan(RUNS / 3);
  expect(withFindings).toBeGreaterThan(RUNS / 20);
});

const base = `${HEAD}services:
  - { name: a, endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2"] }
  - { name: one, endpoints: ["http://127.0.0.1:1"] }
routes:
  - name: first
    match: { path: /first }
    service: a
  - name: second
    match: { path: /second }
    service: one
    timeout: 5s
  # the last
  - { name: third, match: {}, service: one, timeout: 1s }
`;

describe('what is taken over', () => {
  test('are routes and services as they were: the same objects, in the new order', async () => {
    const former = await loaded(base);
    const quick = await agrees(base.replace('5s', '6s').replace('  # the last\n', '\n\n'), former);
    expect(quick?.config?.routes[0]).toBe(former.config?.routes[0]);
    expect(quick?.config?.routes[1]).not.toBe(former.config?.routes[1]);
    expect(quick?.config?.routes[2]).toBe(former.config?.routes[2]);
    expect(quick?.config?.services[1]).toBe(former.config?.services[1]);
  });

  test('is no route whose service is another one now', async () => {
    const former = await loaded(base.replace('timeout: 5s', 'retry: { on: [connect-failure] }'));
    const next = base
      .replace('timeout: 5s', 'retry: { on: [connect-failure] }')
      .replace('"http://127.0.0.1:1"] }\nroutes', '"http://127.0.0.1:1", "http://127.0.0.1:2"] }\nroutes');
    expect(former.findings.map(({ code }) => code)).toEqual(['retry_single_endpoint']);
    const quick = await agrees(next, former);
    expect(quick?.findings).toEqual([]);
    const back = await agrees(base.replace('timeout: 5s', 'retry: { on: [connect-failure] }'), quick as Loaded);
    expect(back?.findings.map(({ line, code }) => `${line} ${code}`)).toEqual(['13 retry_single_endpoint']);
    expect(back?.config?.routes[0]).toBe(former.config?.routes[0]);
  });
});

test('a key that a route names by file is read again with every load', async () => {
  const signed = z.strictObject({ publicKeyFile: z.string(), publicKey: z.string().optional() });
  const keys = [1, 2].map(() =>
    generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  );
  const policies = { names: () => ['signed'], schemaOf: () => signed };
  let key = keys[0];
  const withKeys = { ...options, policies, readFile: () => Promise.resolve(Buffer.from(key)) };
  const source = (text: string) => ({ text, format: 'yaml' }) as const;
  const text = base.replace('    timeout: 5s\n', '    policies: [{ signed: { publicKeyFile: key.pem } }]\n');
  const former = await loadConfigText(source(text), 'portico.yaml', withKeys);
  expect(former.config?.routes[1].policies[0].options).toMatchObject({ publicKey: keys[0] });
  key = keys[1];
  const quick = await loadAgain(source(text), 'portico.yaml', withKeys, former);
  const { locate: _, ...thorough } = await loadConfigText(source(text), 'portico.yaml', withKeys);
  expect(quick).toStrictEqual({ ...thorough, routeLines: expect.anything() });
  expect(quick?.config?.routes[1].policies[0].options).toMatchObject({ publicKey: keys[1] });
  expect(quick?.config?.routes[0]).toBe(former.config?.routes[0]);
  key = 'no key';
  expect(await loadAgain(source(text), 'portico.yaml', withKeys, former)).toBeNull();
});

// Each is a reason to load from the ground up.
test.each([
  ['a value beside routes and services that is new', base.replace('version: 1\n', 'version: 1\nworkers: 2\n')],
  ['an error in a new route', base.replace('/second', 'second')],
  ['an error that a former route is part of', base.replace('name: second', 'name: first')],
  ['a service that is gone', base.replace(/ {2}- \{ name: one.*\n/, '')],
  ['routes that are indented in another way', base.replace(/^ {2}(?= *(?:-|name|match|service|timeout|#))/gm, '    ')],
  ['a text that is not plain', base.replace('version: 1', 'version: &one 1')],
  ['nothing in common', base.replaceAll('name: ', 'name: x')],
  ['no routes', base.slice(0, base.indexOf('routes:'))],
])('not by what was before: %s', async (_, next) => {
  expect(await again(next, await loaded(base))).toBeNull();
});

test('a text that had an error is nothing to go by', async () => {
  expect(await again(base, await loaded(base.replace('/second', 'second')))).toBeNull();
});

test('more new text than is read in one go is not read so', async () => {
  const many = Array.from(
    { length: 1200 },
    (_, i) => `  - name: r${i}\n    match: { path: /a/path/r${i} }\n    service: a\n`,
  );
  expect(await again(base + many.join(''), await loaded(base))).toBeNull();
  expect(await agrees(base + many.slice(0, 100).join(''), await loaded(base))).not.toBeNull();
});
