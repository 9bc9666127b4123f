/** Reloads: what the next generation takes over, what it leaves alone until it goes live, and what is closed when. */
import { describe, expect, it } from 'vitest';
import type { ServiceConfig } from '../config/model.ts';
import { createServices } from './create-services.ts';
import { EndpointAddressError } from './endpoint.ts';
import { ManualTime } from './manual-time.test.support.ts';
import { CHECK, FakePool, RecordingLogger, serviceConfig } from './service.test.support.ts';
import type { Service } from './service.ts';

const A = 'http://10.0.0.1:80';
const B = 'http://10.0.0.2:80';
const C = 'http://10.0.0.3:80';
const client = { clientAddress: '192.0.2.1' };
const CHECKED = { healthCheck: { ...CHECK, interval: 1000, unhealthyAfter: 2, healthyAfter: 2 } };

type Generation = Map<string, Service<FakePool>>;

/** A gateway's worth of generations of services, on time moved by hand. */
class Gateway {
  readonly time = new ManualTime();
  readonly logger = new RecordingLogger();
  readonly pools: FakePool[] = [];
  readonly reported: Service<FakePool>[] = [];
  readonly checks: string[] = [];
  passing = true;

  build(configs: readonly ServiceConfig[], previous: Generation | null): Generation {
    return createServices<FakePool>(configs, previous, {
      clock: this.time,
      timers: this.time,
      logger: this.logger,
      random: () => 0,
      createPool: () => {
        const pool = new FakePool();
        this.pools.push(pool);
        return pool;
      },
      check: (endpoint) => {
        this.checks.push(`${endpoint.id.slice(7, 8)}@${this.time.now() - 1000}`);
        return Promise.resolve({ passed: this.passing, reason: this.passing ? 'status 200' : 'status 503' });
      },
      onHealthChange: (service) => this.reported.push(service),
    });
  }

  start(configs: readonly ServiceConfig[], previous: Generation | null = null): Generation {
    const generation = this.build(configs, previous);
    for (const service of generation.values()) service.commit();
    return generation;
  }
}

const users = (generation: Generation): Service<FakePool> => generation.get('users')!;
const close = (generation: Generation): void => {
  for (const service of generation.values()) service.close();
};

function failFive(service: Service<FakePool>, index = 0): void {
  for (let i = 0; i < 5; i++) service.onFailure(service.endpoints[index], 'connect-failure');
}

describe('taking over', () => {
  it('keeps endpoints of the same service name and URL, with all they have, and makes only new ones', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B])]);
    const [a, b] = users(first).endpoints;
    users(first).onSend(a);
    const second = gateway.start([serviceConfig('users', [C, `${A}/`])], first);
    expect(users(second).endpoints[1]).toBe(a);
    expect(a).toMatchObject({ active: 1, requests: 1 });
    expect(users(second).endpoints[0]).not.toBe(b);
    expect(gateway.pools).toHaveLength(3);
  });

  it('shares nothing between services of different names', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A])]);
    const second = gateway.start([serviceConfig('people', [A])], first);
    expect(second.get('people')!.endpoints[0]).not.toBe(users(first).endpoints[0]);
  });

  it('goes on with the turns where they were, and begins anew under another algorithm', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B])]);
    expect(users(first).pick(client, null)!.url).toBe(new URL(A).origin);
    const second = gateway.start([serviceConfig('users', [A, B])], first);
    expect(users(second).pick(client, null)!.url).toBe(new URL(B).origin);
    const loadBalancing = { algorithm: 'least-connections' as const };
    const third = gateway.start([serviceConfig('users', [A, B], { loadBalancing })], second);
    expect(users(third).balancer).not.toBe(users(second).balancer);
  });

  it('keeps a rest, which ends in both generations', async () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B])]);
    failFive(users(first));
    await gateway.time.pass(4000);
    const second = gateway.start([serviceConfig('users', [A, B])], first);
    expect(users(second).available).toHaveLength(1);
    await gateway.time.pass(6000);
    expect(users(first).available).toHaveLength(2);
    expect(users(second).available).toHaveLength(2);
    expect(gateway.time.pending).toBe(0);
  });

  it('treats one URL that is named twice as one endpoint with both weights', () => {
    const service = users(new Gateway().start([serviceConfig('users', [[A, 2], B, [`${A}/`, 3]])]));
    expect(service.endpoints.map(({ id, weight }) => [id, weight])).toEqual([
      ['10.0.0.1:80', 5],
      ['10.0.0.2:80', 1],
    ]);
  });
});

describe('a build that does not go live', () => {
  const change = { connections: { max: 1, idleTimeout: 1, queue: 1, queueTimeout: 1, pipelining: 1, streams: 100 } };

  it('leaves no trace', async () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B], CHECKED)]);
    const before = users(first).endpoints.map(({ pool, owners, ...rest }) => ({ ...rest, owners: [...owners] }));
    const pending = gateway.time.pending;
    const build = gateway.build(
      [serviceConfig('users', [[A, 7], C], change), serviceConfig('new', [A], CHECKED)],
      first,
    );
    expect(gateway.time.pending).toBe(pending);
    close(build);
    expect(gateway.time.pending).toBe(pending);
    const after = users(first).endpoints.map(({ pool, owners, ...rest }) => ({ ...rest, owners: [...owners] }));
    expect(after).toEqual(before);
    expect(gateway.pools.map((pool) => [pool.closes, pool.configured.length])).toEqual([
      [0, 0],
      [0, 0],
      [1, 0],
      [1, 0],
    ]);
    await gateway.time.pass(0);
    expect(gateway.checks).toEqual(['1@0', '2@0']);
  });

  it('is cleared away when it fails half-way', () => {
    const gateway = new Gateway();
    const bad = [serviceConfig('users', [A]), serviceConfig('bad', ['nonsense'])];
    expect(() => gateway.build(bad, null)).toThrow(EndpointAddressError);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([1]);
  });

  it('cannot go live twice, or after its end, or upon a closed generation', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A])]);
    expect(() => users(first).commit()).toThrow(/is live/);
    const late = gateway.build([serviceConfig('users', [A])], first);
    const dropped = gateway.build([serviceConfig('users', [A])], first);
    close(dropped);
    expect(() => users(dropped).commit()).toThrow(/is closed/);
    close(first);
    expect(() => users(late).commit()).toThrow(/generation that is closed/);
  });
});

describe('going live', () => {
  it('applies weights to both generations, and requests of the old one are still chosen right', () => {
    const gateway = new Gateway();
    const loadBalancing = { algorithm: 'weighted-round-robin' as const };
    const first = gateway.start([serviceConfig('users', [[A, 3], B], { loadBalancing })]);
    const build = gateway.build([serviceConfig('users', [A, [B, 3]], { loadBalancing })], first);
    expect(users(first).endpoints.map(({ weight }) => weight)).toEqual([3, 1]);
    users(build).commit();
    for (const service of [users(build), users(first)]) {
      const counts = [0, 0];
      for (let i = 0; i < 8; i++) counts[service.endpoints.indexOf(service.pick(client, null)!)]++;
      expect(counts).toEqual([2, 6]);
    }
  });

  it('configures the pools of endpoints that stay, where the options changed', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A])]);
    const second = gateway.start([serviceConfig('users', [A, B])], first);
    expect(gateway.pools.map((pool) => pool.configured)).toEqual([[], []]);
    gateway.start(
      [serviceConfig('users', [A, B, C], { timeouts: { connect: 77, response: 1, streamIdle: 1 } })],
      second,
    );
    expect(gateway.pools.map((pool) => pool.configured.map((options) => options.connectTimeout))).toEqual([
      [77],
      [77],
      [],
    ]);
  });

  it('lets the newest generation judge failures, of requests of the old one too', async () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B], CHECKED)]);
    const second = gateway.start([serviceConfig('users', [A, B])], first);
    failFive(users(first));
    expect(users(second).available).toHaveLength(1);
    expect(users(first).available).toHaveLength(1);
    expect(gateway.reported).toEqual([users(second)]);
    // By the old definition a check would have to bring it back, and there is none any more.
    await gateway.time.pass(10_000);
    expect(users(second).available).toHaveLength(2);
  });
});

describe('checks across a reload', () => {
  it('go on in step, with their counts, where the definition is the same', async () => {
    const gateway = new Gateway();
    gateway.passing = false;
    const first = gateway.start([serviceConfig('users', [A], CHECKED)]);
    await gateway.time.pass(400);
    const second = gateway.start([serviceConfig('users', [A, B], structuredClone(CHECKED))], first);
    close(first);
    await gateway.time.pass(600);
    expect(gateway.checks).toEqual(['1@0', '2@400', '1@1000']);
    expect(users(second).available.map(({ id }) => id)).toEqual(['10.0.0.2:80']);
  });

  it('begin anew where it changed, one for each endpoint, and health stays', async () => {
    const gateway = new Gateway();
    gateway.passing = false;
    const first = gateway.start([serviceConfig('users', [A], CHECKED)]);
    await gateway.time.pass(1500);
    const healthCheck = { ...CHECKED.healthCheck, interval: 5000, healthyAfter: 1 };
    const second = gateway.start([serviceConfig('users', [A], { healthCheck })], first);
    expect(users(second).available).toEqual([]);
    gateway.passing = true;
    await gateway.time.pass(6000);
    expect(gateway.checks).toEqual(['1@0', '1@1000', '1@1500', '1@6500']);
    expect(users(second).available).toHaveLength(1);
    expect(users(first).available).toHaveLength(1);
  });

  it('free an endpoint that traffic marked down when they are taken away, with a new count', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A], CHECKED)]);
    failFive(users(first));
    const second = gateway.start([serviceConfig('users', [A])], first);
    expect(users(second).endpoints[0]).toMatchObject({ healthy: true, consecutiveFailures: 0 });
  });

  it('free an endpoint that they held down when they are taken away', async () => {
    const gateway = new Gateway();
    gateway.passing = false;
    const first = gateway.start([serviceConfig('users', [A], CHECKED)]);
    await gateway.time.pass(1000);
    const second = gateway.start([serviceConfig('users', [A])], first);
    expect(users(second).available).toHaveLength(1);
    expect(gateway.logger.lines.at(-1)).toMatchObject({ level: 'info', reason: 'it is no longer checked' });
    await gateway.time.pass(9000);
    expect(gateway.checks).toHaveLength(2);
    expect(gateway.time.pending).toBe(0);
  });

  it('take over an endpoint that rests', async () => {
    const gateway = new Gateway();
    gateway.passing = false;
    const first = gateway.start([serviceConfig('users', [A])]);
    failFive(users(first));
    const second = gateway.start([serviceConfig('users', [A], CHECKED)], first);
    await gateway.time.pass(30_000);
    expect(users(second).available).toEqual([]);
    gateway.passing = true;
    await gateway.time.pass(2000);
    expect(users(second).available).toHaveLength(1);
    expect(gateway.logger.lines.map((line) => line.reason)).toEqual([
      expect.stringContaining('5 failures in a row'),
      'check passed: status 200',
    ]);
  });
});

describe('closing the old generation', () => {
  it('closes what no live generation has, and only then', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B]), serviceConfig('orders', [A])]);
    const second = gateway.start([serviceConfig('users', [A, C])], first);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([0, 0, 0, 0]);
    expect(users(first).pick(client, [users(first).endpoints[0]])!.url).toBe(new URL(B).origin);
    close(first);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([0, 1, 1, 0]);
    close(second);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([1, 1, 1, 1]);
  });

  it('in whatever order generations end, each endpoint is closed once', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B])]);
    const second = gateway.start([serviceConfig('users', [A])], first);
    const third = gateway.start([serviceConfig('users', [A])], second);
    close(second);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([0, 0]);
    close(first);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([0, 1]);
    close(third);
    expect(gateway.pools.map((pool) => pool.closes)).toEqual([1, 1]);
  });

  it('goes on checking what only the old generation has until it ends', async () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B], CHECKED)]);
    gateway.start([serviceConfig('users', [A], CHECKED)], first);
    await gateway.time.pass(1000);
    expect(gateway.checks).toEqual(['1@0', '2@0', '1@1000', '2@1000']);
    close(first);
    await gateway.time.pass(1000);
    expect(gateway.checks.slice(4)).toEqual(['1@2000']);
  });

  it('does not tell a closed generation of changes', () => {
    const gateway = new Gateway();
    const first = gateway.start([serviceConfig('users', [A, B])]);
    const second = gateway.start([serviceConfig('users', [A, B])], first);
    close(first);
    failFive(users(second));
    expect(users(first).available).toHaveLength(2);
    expect(users(second).available).toHaveLength(1);
  });
});
