/** Quarantine in running gateways: what a broken route would have won is refused, everything else is served, and it comes back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { policySchemas } from '../../src/cli/config-file.ts';
import { serve } from '../../src/cli/serve.ts';
import { parseConfigText } from '../../src/config/load.ts';
import type { GatewayConfig, MatchConfig, RouteConfig } from '../../src/config/model.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { statusPicture } from '../../src/gateway/picture.ts';
import { createLogger } from '../../src/observability/logger.ts';
import type { Policy } from '../../src/pipeline/policy.ts';
import { configOf, configWith, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange, headerOf } from '../support/raw-client.ts';
import { createRecordedLogger } from '../support/recorded-logger.ts';
import { sharingModes, startTestSupervisor } from '../support/supervisor.ts';

const opened = closedAfterEach();

const recorder = () => createRecordedLogger('warn', 'error');

const WARNING = 'routes cannot be built and are quarantined: requests for them are answered 503 route_quarantined';

const respond = (body: string): object => ({ respond: { body } });

/** `/a` is broken and narrower than `/`. */
const broken = configWith({
  onInvalidRoute: 'quarantine',
  routes: [
    { name: 'all', match: { pathPrefix: '/' }, ...respond('all') },
    { name: 'a', match: { path: '/a' }, service: 'nobody' },
    { name: 'b', match: { path: '/b', pathPrefix: '/b' }, ...respond('b') },
  ],
});
const mended = configWith({
  onInvalidRoute: 'quarantine',
  routes: [
    { name: 'all', match: { pathPrefix: '/' }, ...respond('all') },
    { name: 'a', match: { path: '/a' }, ...respond('a') },
    { name: 'b', match: { path: '/b' }, ...respond('b') },
  ],
});

function answerOf(port: number, path: string, method = 'GET') {
  return exchange(port, `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
}

const bodyOf = async (port: number, path: string): Promise<string> => (await answerOf(port, path)).body.toString();

describe('a gateway with broken routes', () => {
  test('refuses what they would have won, and serves everything else', async () => {
    const { lines, logger } = recorder();
    const { gateway, port, close } = await startTestGateway(broken, [], logger);
    opened.push({ close });
    const refused = await answerOf(port, '/a');
    expect(refused.status).toBe(503);
    expect(headerOf(refused, 'content-type')).toBe('application/problem+json');
    expect(headerOf(refused, 'retry-after')).toBe(undefined);
    const problem = JSON.parse(refused.body.toString()) as Record<string, string>;
    expect(problem).toMatchObject({ status: 503, code: 'route_quarantined' });
    // What is wrong is for operators to read.
    expect(problem.detail).not.toContain('nobody');
    expect(await bodyOf(port, '/x')).toBe('all');
    // Nothing is known of what `b` was to take.
    expect(await bodyOf(port, '/b')).toBe('all');
    expect(statusPicture(gateway).routes).toEqual([
      { name: 'all', state: 'active' },
      { name: 'a', state: 'quarantined', reason: expect.stringMatching(/^test:1:\d+: unknown_service: .*`nobody`/) },
      { name: 'b', state: 'quarantined', reason: expect.stringMatching(/^test:1:\d+: conflicting_keys: /) },
    ]);
    const page = gateway.metrics.render();
    expect(page).toContain('\nportico_routes_quarantined 2\n');
    expect(page).toContain('\nhttp_errors_total{error_type="route_quarantined"} 1\n');
    expect(page).toContain('http_requests_total{route="a",service="",method="GET",status="503"} 1\n');
    expect(lines).toMatchObject([{ message: WARNING, fields: { count: 2, routes: [{ route: 'a' }, { route: 'b' }] } }]);
  });

  test('has them back when they are mended, and loses them again', async () => {
    const { lines, logger } = recorder();
    const { gateway, port, close } = await startTestGateway(broken, [], logger);
    opened.push({ close });
    expect(await gateway.apply(await configOf(broken))).toBe(false);
    expect(await gateway.apply(await configOf(mended))).toBe(true);
    expect([await bodyOf(port, '/a'), await bodyOf(port, '/b')]).toEqual(['a', 'b']);
    expect(gateway.metrics.render()).toContain('\nportico_routes_quarantined 0\n');
    expect(lines).toHaveLength(1);
    await gateway.apply(await configOf(broken));
    expect((await answerOf(port, '/a')).status).toBe(503);
    expect(lines).toHaveLength(2);
  });

  test('lets policies of all routes see the refusal, and asks none of them before', async () => {
    const seen: string[] = [];
    const watch: Policy = {
      name: 'watch',
      phase: 'guard',
      schema: z.unknown(),
      create: () => ({
        effect: 'watches',
        onRequest: () => void seen.push('request'),
        onResponse: ({ status, routeName, responseEdits }) => {
          seen.push(`answer ${status} ${routeName}`);
          responseEdits.set('X-Seen', '1');
        },
        onEnd: () => void seen.push('end'),
        close: () => void seen.push('close'),
      }),
    };
    const config = { ...broken, policies: [{ watch: {} }] };
    const { gateway, port, close } = await startTestGateway(config, [watch]);
    opened.push({ close });
    expect(headerOf(await answerOf(port, '/a'), 'x-seen')).toBe('1');
    expect(seen).toEqual(['answer 503 a', 'end']);
    await gateway.apply(await configOf({ ...mended, policies: [{ watch: {} }] }, [watch]));
    // Of its own generation: made once for all routes.
    expect(seen.slice(2)).toEqual(['close']);
  });

  test('says 405 where they serve other methods, as if they were sound', async () => {
    const routes = [{ name: 'a', match: { path: '/a', methods: ['PUT'] }, service: 'nobody' }];
    const { port, close } = await startTestGateway(configWith({ onInvalidRoute: 'quarantine', routes }));
    opened.push({ close });
    expect((await answerOf(port, '/a')).status).toBe(405);
    expect((await answerOf(port, '/a', 'PUT')).status).toBe(503);
  });
});

/** A policy that can be made only while `works` says so. */
function fragile(works: () => boolean): Policy {
  return {
    name: 'fragile',
    phase: 'guard',
    schema: z.unknown(),
    create: (options) => {
      if (!works()) throw new Error(`no key like ${(options as { secret: string }).secret} in the store`);
      return { effect: 'works' };
    },
  };
}

describe('a route that config finds sound and that cannot be built', () => {
  const use = { policies: [{ fragile: { secret: 'correct-horse' } }] };
  const withUse = (where: object, route: object = {}, service: object = {}): object =>
    configWith({
      onInvalidRoute: 'quarantine',
      services: [{ name: 's', endpoints: ['http://127.0.0.1:9'], ...service }],
      routes: [
        { name: 'all', match: { pathPrefix: '/' }, ...respond('all') },
        { name: 'a', match: { path: '/a' }, service: 's', ...route },
      ],
      ...where,
    });

  test('is quarantined with the reason of its policy, and built anew at the next reload', async () => {
    let works = false;
    const { lines, logger } = recorder();
    const own = [fragile(() => works)];
    const config = await configOf(withUse({}, use), own);
    const { gateway, port, close } = await startTestGateway(withUse({}, use), own, logger);
    opened.push({ close });
    expect((await answerOf(port, '/a')).status).toBe(503);
    expect(await bodyOf(port, '/x')).toBe('all');
    const reason = 'policy fragile: no key like (hidden) in the store';
    expect(statusPicture(gateway).routes[1]).toEqual({ name: 'a', state: 'quarantined', reason });
    expect(lines).toEqual([{ message: WARNING, fields: { count: 1, routes: [{ route: 'a', reason }] } }]);
    expect(gateway.metrics.render()).toContain(
      'http_requests_total{route="a",service="s",method="GET",status="503"} 1\n',
    );
    works = true;
    // The same content, but not the same outcome.
    expect(await gateway.apply(config)).toBe(true);
    expect(await gateway.apply(config)).toBe(false);
    expect((await answerOf(port, '/a')).status).toBe(502);
    expect(statusPicture(gateway).routes[1]).toEqual({ name: 'a', state: 'active' });
  });

  test.each([
    ['of all routes', withUse(use)],
    ['of its service', withUse({}, {}, use)],
    ['of its own, where nothing is to be quarantined', withUse({ onInvalidRoute: 'reject' }, use)],
  ])('refuses the whole when the policy is one %s, and closes what was made', async (_, config) => {
    let open = 0;
    const counted: Policy = {
      name: 'counted',
      phase: 'guard',
      schema: z.unknown(),
      create: () => {
        open++;
        return { effect: 'is counted', close: () => void open-- };
      },
    };
    const own = [counted, fragile(() => false)];
    const { gateway, port, close } = await startTestGateway(broken, own);
    opened.push({ close });
    const wanted = await configOf(config, own);
    for (const { policies } of wanted.routes) policies.unshift({ name: 'counted', options: {} });
    wanted.policies.unshift({ name: 'counted', options: {} });
    await expect(gateway.apply(wanted)).rejects.toThrow('policy fragile: no key like');
    expect([gateway.generation, open]).toEqual([1, 0]);
    expect((await answerOf(port, '/a')).status).toBe(503);
  });
});

describe.each(sharingModes())('two workers with sockets %s', (sharing) => {
  async function start(config: GatewayConfig) {
    const { lines, logger } = recorder();
    const { supervisor, port } = await startTestSupervisor(opened, config, { sharing, logger });
    return { supervisor, lines, port };
  }

  /** What several connections, which both workers have some of, are answered. */
  async function answers(port: number, path: string): Promise<string[]> {
    const all = await Promise.all(Array.from({ length: 16 }, () => answerOf(port, path)));
    return [...new Set(all.map(({ status, body }) => (status === 503 ? '503' : body.toString())))];
  }

  test('quarantine the same routes, and have them back', async () => {
    const { supervisor, lines, port } = await start(await configOf(broken));
    expect([await answers(port, '/a'), await answers(port, '/b')]).toEqual([['503'], ['all']]);
    const { routes } = await supervisor.status();
    expect(routes.map(({ state }) => state)).toEqual(['active', 'quarantined', 'quarantined']);
    expect(routes[1].reason).toContain('`nobody`');
    expect([...(await supervisor.metrics())].join('')).toContain('\nportico_routes_quarantined 2\n');
    expect(lines.filter(({ message }) => message === WARNING)).toHaveLength(1);
    expect(await supervisor.apply(await configOf(broken))).toBe(false);
    expect(await supervisor.apply(await configOf(mended))).toBe(true);
    expect([await answers(port, '/a'), await answers(port, '/b')]).toEqual([['a'], ['b']]);
    expect((await supervisor.status()).routes.map(({ state }) => state)).toEqual(['active', 'active', 'active']);
  });

  test('quarantine what only they find impossible, also in one that is begun later', async () => {
    const config = await configOf(mended);
    // What a policy's schema let pass, and what then cannot be made.
    config.routes[1].policies.push({ name: 'of-nobody', options: {} });
    const { supervisor, port } = await start(config);
    expect(await answers(port, '/a')).toEqual(['503']);
    const reason = 'policy of-nobody: there is no such policy';
    expect((await supervisor.status()).routes[1]).toEqual({ name: 'a', state: 'quarantined', reason });
    const running = async (): Promise<number[]> =>
      (await supervisor.status()).workers.filter(({ state }) => state === 'running').map(({ pid }) => pid);
    const [first] = await running();
    process.kill(first, 'SIGKILL');
    await expect.poll(async () => (await running()).includes(first)).toBe(false);
    await expect.poll(async () => (await running()).length).toBe(2);
    expect([await answers(port, '/a'), await answers(port, '/b')]).toEqual([['503'], ['b']]);
    expect(await supervisor.apply(await configOf(mended))).toBe(true);
    expect(await answers(port, '/a')).toEqual(['a']);
  });
});

test('secrets of a broken route are in no answer of the admin listener and in no line of the log', async () => {
  const secret = 'correct-horse-battery';
  const text = JSON.stringify({
    ...broken,
    workers: 1,
    admin: { address: '127.0.0.1:0' },
    logging: { level: 'debug', access: false },
    routes: [
      { name: 'a', match: { path: '/a', headers: { 'x-key': '${env.KEY}' } }, service: '${env.KEY}' },
      { name: 'b', match: { pathRegex: '(${env.KEY}' }, ...respond('b') },
      { name: '${env.KEY} c', match: { path: '/c' }, ...respond('${env.KEY}') },
    ],
  });
  const { config, quarantined } = parseConfigText(text, { policies: policySchemas, env: { KEY: secret } });
  expect(quarantined).toHaveLength(3);
  let log = '';
  const logger = createLogger({ level: 'debug', write: (line) => void (log += line) });
  const server = await serve(config as GatewayConfig, logger);
  opened.push({ close: () => server.stop() });
  const admin = `http://127.0.0.1:${server.admin?.port}`;
  const pages = await Promise.all(['/status', '/metrics'].map(async (path) => (await fetch(admin + path)).text()));
  expect(pages[0]).toContain('"state":"quarantined"');
  expect(pages.join('')).not.toContain(secret);
  expect(log).toContain('quarantined');
  expect(log).not.toContain(secret);
});

test('10,000 broken routes are refused each by its own path, and the sound one is served', async () => {
  const routes = Array.from({ length: 10_000 }, (_, i) =>
    i % 2 === 0 ? { name: `r${i}`, match: { path: `/p/${i}` }, service: 'nobody' } : [],
  );
  const config = configWith({
    onInvalidRoute: 'quarantine',
    routes: [...routes, { name: 'good', match: { pathPrefix: '/' }, ...respond('good') }],
  });
  const { lines, logger } = recorder();
  const { gateway, port, close } = await startTestGateway(config, [], logger);
  opened.push({ close });
  expect((await answerOf(port, '/p/9998')).status).toBe(503);
  expect(await bodyOf(port, '/p/9999')).toBe('good');
  expect(statusPicture(gateway).routes.filter(({ state }) => state === 'quarantined')).toHaveLength(10_000);
  // One line, and no long one.
  expect(lines).toHaveLength(1);
  expect(lines[0].fields.count).toBe(10_000);
  expect(JSON.stringify(lines[0]).length).toBeLessThan(10_000);
});

describe('for any sound file of which some routes are broken', () => {
  const value = fc.constantFrom('1', '2', { present: true }, { present: false });
  const conditions = fc.record(
    {
      hosts: fc.subarray(['a.b', 'b', '*.b'], { minLength: 1 }),
      methods: fc.subarray(['GET', 'POST'], { minLength: 1 }),
      headers: fc.record({ x: value }),
      query: fc.record({ v: value }),
      not: fc.constantFrom<MatchConfig>({ headers: { x: '1' } }, { path: '/a' }),
    },
    { requiredKeys: [] },
  );
  const where = fc.constantFrom<MatchConfig>(
    {},
    { path: '/a' },
    { path: '/a/{id}' },
    { path: '/a/*' },
    { pathPrefix: '/' },
    { pathPrefix: '/a' },
    { pathRegex: '^/a' },
  );
  const match = fc.tuple(where, conditions).map(([path, rest]): MatchConfig => ({ ...path, ...rest }));
  type Written = Record<string, unknown>;
  /** Each with whether its match stays sound. */
  const faults: [fault: (route: Written) => unknown, matched: boolean][] = [
    [(route) => ({ ...route, bogus: 1 }), true],
    [({ respond: _, ...route }) => ({ ...route, service: 'nobody' }), true],
    [(route) => ({ ...route, name: 'a b' }), true],
    [(route) => ({ ...route, policies: [{ nothing: {} }] }), true],
    [(route) => ({ ...route, timeout: '${env.NONE}' }), true],
    [({ name: _, ...route }) => route, true],
    [(route) => ({ ...route, match: { ...(route.match as Written), paths: 1 } }), false],
    [(route) => ({ ...route, match: { ...(route.match as Written), all: [{ path: '/a', pathPrefix: '/a' }] } }), false],
    [({ match: _, ...route }) => route, false],
    [() => null, false],
    [() => 7, false],
    [() => [], false],
  ];
  const route = fc.record({
    match,
    priority: fc.constantFrom(0, 0, 0, 1),
    fault: fc.option(fc.constantFrom(...faults)),
  });
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'HEAD'),
    path: fc.constantFrom('/', '/a', '/a/1', '/a/1/2', '/b', '/a?v=1', '/a/1?v=2'),
    headers: fc.constantFrom([], ['x: 1'], ['x: 2']),
    host: fc.constantFrom('a.b', 'b', 'c'),
  });

  test('what is not broken answers as without the broken ones, except where those would have won', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(route, { minLength: 1, maxLength: 6 }),
        fc.array(request, { maxLength: 8 }),
        async (list, asked) => {
          const whole = list.map(
            ({ match, priority }, i): Written => ({ name: `r${i}`, match, priority, ...respond(`r${i}`) }),
          );
          const load = (routes: readonly unknown[]): GatewayConfig => {
            const text = JSON.stringify(configWith({ onInvalidRoute: 'quarantine', routes: routes as object[] }));
            const { config, findings } = parseConfigText(text, { policies: policySchemas });
            if (config === null) throw new Error(JSON.stringify(findings));
            return config;
          };
          const live = load(list.map(({ fault }, i) => (fault === null ? whole[i] : fault[0](whole[i]))));
          expect(live.routes.map(({ quarantined }) => quarantined?.matched)).toEqual(
            list.map(({ fault }) => (fault === null ? undefined : fault[1])),
          );
          // As if all whose match is known were sound, and without any of the broken ones.
          const known = load(whole.filter((_, i) => list[i].fault?.[1] !== false));
          const without = load(whole.filter((_, i) => list[i].fault === null));
          for (const { method, path, headers, host } of asked) {
            const ask = (config: GatewayConfig) =>
              explainRequest(config, { method, url: `http://${host}${path}`, headers }, builtInPolicies);
            const { route, answer } = await ask(live);
            const winner = await ask(known);
            const index = winner.route === null ? -1 : Number(winner.route.slice(1));
            if (index >= 0 && list[index].fault !== null) {
              expect(answer).toMatchObject({ status: 503, code: 'route_quarantined' });
              expect(route).toBe((live.routes[index] as RouteConfig).name);
            } else {
              expect(answer).toEqual(winner.answer);
              if (index < 0) continue;
              const alone = await ask(without);
              expect([route, answer]).toEqual([alone.route, alone.answer]);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
