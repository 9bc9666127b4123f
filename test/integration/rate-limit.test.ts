/** Limits in a running gateway: who is refused when, and what answers and metrics say of it. */
import { describe, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { startTestSupervisor } from '../support/supervisor.ts';
import { valuesOf } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const opened = closedAfterEach();

type Ask = (path: string, fields?: string) => Promise<WireResponse>;

interface Started {
  ask: Ask;
  gateway: TestGateway;
  /** The same with other routes. */
  configFor: (routes: object[]) => object;
}

async function start(routes: object[], rest: object = {}, logger: Logger = { ...silentLogger }): Promise<Started> {
  const origin = await startOrigin({
    onRequest: (_request, connection) =>
      connection.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-RateLimit-Limit: 7777\r\nRateLimit: "up";r=1\r\n\r\n',
      ),
  });
  const services = [{ name: 'origin', endpoints: [origin.url] }];
  const configFor = (some: object[]): object => configWith({ services, routes: some, ...rest });
  const gateway = await startTestGateway(configFor(routes), [], logger);
  opened.push(origin, gateway);
  const ask: Ask = (path, fields = '') => exchange(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return { ask, gateway, configFor };
}

function route(name: string, ...policies: object[]): object {
  return { name, match: { path: `/${name}` }, service: 'origin', policies };
}

const hour = { per: '1h' };

async function statuses(ask: Ask, path: string, count: number, fields = ''): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push((await ask(path, fields)).status);
  return all;
}

describe('rateLimit', () => {
  test.each(['token-bucket', 'gcra', 'sliding-window', 'sliding-log', 'fixed-window'])(
    '%s grants so many and no more, by key',
    async (algorithm) => {
      const { ask } = await start([
        route('a', { rateLimit: { algorithm, limit: 2, ...hour, key: { header: 'x-c' } } }),
      ]);
      expect(await statuses(ask, '/a', 3, 'X-C: one\r\n')).toEqual([200, 200, 429]);
      expect(await statuses(ask, '/a', 1, 'X-C: two\r\n')).toEqual([200]);
    },
  );

  test('tells who is granted and who is refused how they stand', async () => {
    const { ask } = await start([
      route('a', { rateLimit: { limit: 2, per: '1h', algorithm: 'fixed-window', upgradeUrl: '/pricing' } }),
    ]);
    const before = Math.floor(Date.now() / 1000);
    const granted = await ask('/a');
    const of = (name: string): string[] => valuesOf(granted.fields, name);
    expect([of('x-ratelimit-limit'), of('x-ratelimit-remaining'), of('ratelimit-policy')]).toEqual([
      ['2'],
      ['1'],
      ['"default";q=2;w=3600'],
    ]);
    const reset = Number(of('x-ratelimit-reset')[0]);
    expect(reset % 3600).toBe(0);
    expect(reset - before).toBeGreaterThanOrEqual(0);
    expect(reset - before).toBeLessThanOrEqual(3601);
    expect(of('ratelimit')[0]).toMatch(/^"default";r=1;t=\d+$/);
    await ask('/a');
    const refused = await ask('/a');
    expect(refused.status).toBe(429);
    const wait = Number(valuesOf(refused.fields, 'retry-after')[0]);
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(valuesOf(refused.fields, 'ratelimit')).toEqual([`"default";r=0;t=${wait}`]);
    expect(valuesOf(refused.fields, 'x-ratelimit-remaining')).toEqual(['0']);
    const body = JSON.parse(refused.body.toString());
    expect(body).toMatchObject({ code: 'rate_limited', status: 429, retryAfter: wait, upgradeUrl: '/pricing' });
    expect(Date.parse(body.reset) / 1000).toBe(reset);
    expect(body).not.toHaveProperty('tier');
  });

  test('of a list charges all or none', async () => {
    const { ask } = await start([
      route(
        'two',
        { rateLimit: { name: 'small', limit: 1, ...hour, key: { header: 'x-c' } } },
        { rateLimit: { name: 'large', limit: 3, ...hour, key: 'route' } },
      ),
    ]);
    expect(await statuses(ask, '/two', 4, 'X-C: one\r\n')).toEqual([200, 429, 429, 429]);
    expect(await statuses(ask, '/two', 2, 'X-C: two\r\n')).toEqual([200, 429]);
    const last = await ask('/two', 'X-C: three\r\n');
    expect([last.status, valuesOf(last.fields, 'ratelimit-policy')]).toEqual([
      200,
      ['"small";q=1;w=3600, "large";q=3;w=3600'],
    ]);
    expect(valuesOf(last.fields, 'ratelimit')[0]).toMatch(/^"small";r=0;t=\d+, "large";r=0;t=\d+$/);
    expect(await statuses(ask, '/two', 1, 'X-C: four\r\n')).toEqual([429]);
  });

  test('in shadow refuses nobody, tells nobody, and logs and counts', async () => {
    const lines: object[] = [];
    const logger: Logger = {
      ...silentLogger,
      level: 'info',
      info: (message, fields) => lines.push({ message, ...fields }),
    };
    const { ask, gateway } = await start(
      [route('a', { rateLimit: { name: 'seen', limit: 1, ...hour, mode: 'shadow' } })],
      { logging: { access: false } },
      logger,
    );
    const answers = [await ask('/a'), await ask('/a')];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    // What the upstream says is its own then.
    expect(valuesOf(answers[1].fields, 'x-ratelimit-limit')).toEqual(['7777']);
    expect(lines).toContainEqual(expect.objectContaining({ message: 'a limit in shadow would refuse', limit: 'seen' }));
    const page = gateway.gateway.metrics.render();
    const labels = 'portico_rate_limit_decisions_total{route="a",limit="seen",result=';
    expect(page).toContain(`${labels}"allowed"} 1\n`);
    expect(page).toContain(`${labels}"shadow_refused"} 1\n`);
    expect(page).toContain(`${labels}"refused"} 0\n`);
  });

  test('of the whole gateway counts over all routes, and of a service over its own', async () => {
    const limited = { rateLimit: { limit: 2, ...hour } };
    const { ask } = await start([route('a'), route('b')], { policies: [limited] });
    expect([...(await statuses(ask, '/a', 2)), ...(await statuses(ask, '/b', 1))]).toEqual([200, 200, 429]);
  });

  test.each([
    // Of a bucket it is the time until it is full that stays, of a window what was taken.
    ['token-bucket', 2, [429, 429]],
    ['token-bucket', 3, [429, 429]],
    ['fixed-window', 3, [200, 429]],
    ['sliding-log', 3, [200, 429]],
  ])('of %s keeps its counts over a reload that makes the limit %s', async (algorithm, limit, expected) => {
    const routes = (some: number, other: object): object[] => [
      route('a', { rateLimit: { algorithm, limit: some, ...hour } }),
      route('b', other),
    ];
    const { ask, gateway, configFor } = await start(routes(2, { cors: {} }));
    expect(await statuses(ask, '/a', 2)).toEqual([200, 200]);
    await gateway.gateway.apply(await configOf(configFor(routes(limit, { cors: { maxAge: '1m' } }))));
    expect(await statuses(ask, '/a', 2)).toEqual(expected);
  });
});

describe('rateLimit by tiers', () => {
  const tiers = {
    free: { rate: 10, per: '1h', burst: 20, quotas: { day: 3, month: 1000 } },
    pro: { rate: 100, per: '1h' },
  };
  const byTier = { rateLimit: { tiers: { default: 'free' }, upgradeUrl: '/pricing' } };

  test('holds anonymous callers to the default, by address', async () => {
    const { ask } = await start([route('a', byTier)], { tiers });
    const { fields, status } = await ask('/a');
    expect(status).toBe(200);
    const of = (name: string): string | undefined => valuesOf(fields, name)[0];
    expect([of('x-ratelimit-tier'), of('x-ratelimit-limit'), of('x-ratelimit-remaining')]).toEqual([
      'free',
      '20',
      '19',
    ]);
    expect([of('x-ratelimit-daily-limit'), of('x-ratelimit-daily-remaining')]).toEqual(['3', '2']);
    expect(Number(of('x-ratelimit-daily-reset')) % 86_400).toBe(0);
    expect([of('x-ratelimit-monthly-limit'), of('x-ratelimit-monthly-remaining')]).toEqual(['1000', '999']);
    expect(of('ratelimit-policy')).toBe(
      '"free";q=10;w=3600;portico-burst=20, "free-day";q=3;w=86400, "free-month";q=1000;w=2592000',
    );
    expect(await statuses(ask, '/a', 2)).toEqual([200, 200]);
    const refused = await ask('/a');
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      tier: 'free',
      detail: 'the quota of the day is used up',
      upgradeUrl: '/pricing',
      'violated-policies': ['free-day'],
    });
    expect(valuesOf(refused.fields, 'x-ratelimit-daily-remaining')).toEqual(['0']);
    // The rate was not charged for what the quota refused.
    expect(valuesOf(refused.fields, 'x-ratelimit-remaining')).toEqual(['17']);
  });

  test('holds a caller to the tier of his credential', async () => {
    const { ask } = await start([route('a', { anonymous: { tier: 'pro' } }, byTier)], { tiers });
    const { fields } = await ask('/a');
    const of = (name: string): string[] => valuesOf(fields, name);
    expect([of('x-ratelimit-tier'), of('x-ratelimit-limit'), of('x-ratelimit-daily-limit')]).toEqual([
      ['pro'],
      ['100'],
      [],
    ]);
  });
});

describe('rateLimit over several workers', () => {
  test('is exact, and told of as one', async () => {
    const routes = ['token-bucket', 'sliding-log'].map((algorithm) => ({
      name: algorithm,
      match: { path: `/${algorithm}` },
      respond: { status: 204 },
      policies: [{ rateLimit: { algorithm, limit: 50, per: '1d', key: 'route' } }],
    }));
    const { supervisor, port } = await startTestSupervisor(opened, await configOf(configWith({ routes })));
    const clients = await Promise.all(Array.from({ length: 12 }, () => rawClient(port)));
    opened.push(...clients);
    const granted = async (client: (typeof clients)[0], path: string): Promise<number> => {
      let count = 0;
      for (let i = 0; i < 10; i++) {
        await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        if ((await client.answer()).status === 204) count++;
      }
      return count;
    };
    for (const { name, match } of routes) {
      const counts = await Promise.all(clients.map((client) => granted(client, match.path)));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(50);
      const page = [...(await supervisor.metrics())].join('');
      const labels = `portico_rate_limit_decisions_total{route="${name}",limit="default",result=`;
      expect(page).toContain(`${labels}"allowed"} 50\n`);
      expect(page).toContain(`${labels}"refused"} 70\n`);
    }
    // Processes that start for the first time after a change compile what they run.
  }, 60_000);
});
