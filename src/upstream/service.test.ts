/** One generation of a service: who gets traffic, and what failures and time do to that. */
import { describe, expect, it } from 'vitest';
import type { ServiceConfig } from '../config/model.ts';
import { createServices } from './create-services.ts';
import type { FailureKind } from './endpoint.ts';
import { ManualTime } from './manual-time.test.support.ts';
import { CHECK, FakePool, RecordingLogger, serviceConfig } from './service.test.support.ts';
import type { Service } from './service.ts';

const A = 'http://10.0.0.1:80';
const B = 'http://10.0.0.2:80';
const client = { clientAddress: '192.0.2.1' };

function setUp(changes: Partial<ServiceConfig> = {}, urls: readonly (string | [string, number])[] = [A, B]) {
  const time = new ManualTime();
  const logger = new RecordingLogger();
  const changed: string[] = [];
  const outcome = { passed: false, reason: 'status 503' };
  const services = createServices([serviceConfig('users', urls, changes)], null, {
    clock: time,
    timers: time,
    logger,
    random: () => 0.5,
    createPool: () => new FakePool(),
    check: () => Promise.resolve(outcome),
    onHealthChange: (service, endpoint) => changed.push(`${service.name} ${endpoint.id} ${endpoint.healthy}`),
  });
  const service = services.get('users')!;
  service.commit();
  const fail = (index: number, times: number, kind: FailureKind = 'connect-failure'): void => {
    for (let i = 0; i < times; i++) service.onFailure(service.endpoints[index], kind);
  };
  return { time, logger, changed, service, fail, outcome };
}

function picks(service: Service<FakePool>, count: number): string {
  let letters = '';
  for (let i = 0; i < count; i++) {
    const picked = service.pick(client, null);
    letters += picked === null ? '-' : 'ABC'[service.endpoints.indexOf(picked)];
  }
  return letters;
}

describe('choosing', () => {
  it('takes turns over all endpoints from the start', () => {
    expect(picks(setUp().service, 4)).toBe('ABAB');
  });

  it('avoids what was tried while another is left, and uses it again after that', () => {
    const { service } = setUp();
    const [a, b] = service.endpoints;
    for (let i = 0; i < 3; i++) expect(service.pick(client, [a])).toBe(b);
    expect([a, b]).toContain(service.pick(client, [a, b]));
  });

  it('uses the only endpoint again, tried or not', () => {
    const { service } = setUp({}, [A]);
    expect(service.pick(client, [service.endpoints[0]])).toBe(service.endpoints[0]);
  });

  it('gives nothing to an endpoint of weight 0, not even in panic', () => {
    const { service, fail } = setUp({ panic: true }, [[A, 0], B]);
    expect(picks(service, 3)).toBe('BBB');
    fail(1, 5);
    expect(picks(service, 3)).toBe('BBB');
  });

  it('counts what is sent and what has ended', () => {
    const { service } = setUp();
    const [a] = service.endpoints;
    service.onSend(a);
    service.onSend(a);
    service.onEnd(a);
    expect(a).toMatchObject({ active: 1, requests: 2 });
  });
});

describe('failed traffic, without checks', () => {
  it.each<[FailureKind, string]>([
    ['connect-failure', 'BBBB'],
    ['reset', 'BBBB'],
    ['timeout', 'BBBB'],
    ['invalid-response', 'ABAB'],
  ])('of the kind %s, five times in a row, leaves %s', (kind, expected) => {
    const { service, fail } = setUp();
    fail(0, 4, kind);
    expect(service.available).toHaveLength(2);
    fail(0, 1, kind);
    expect(picks(service, 4)).toBe(expected);
    expect(service.endpoints[0].failures).toBe(5);
  });

  it('starts the count anew after an answer', () => {
    const { service, fail } = setUp();
    fail(0, 4);
    service.onSuccess(service.endpoints[0]);
    fail(0, 4);
    expect(service.endpoints[0]).toMatchObject({ healthy: true, failures: 8 });
    fail(0, 1);
    expect(service.endpoints[0].healthy).toBe(false);
  });

  it('counts each endpoint for itself', () => {
    const { service, fail } = setUp();
    fail(0, 4);
    fail(1, 4);
    expect(service.available).toHaveLength(2);
  });

  it('never marks down when failures is 0', () => {
    const { service, fail } = setUp({ passive: { failures: 0, coolDown: 1000 } });
    fail(0, 50);
    expect(service.available).toHaveLength(2);
  });

  it('leaves the available array alone while nothing changes', () => {
    const { service, fail } = setUp();
    const before = service.available;
    picks(service, 3);
    fail(0, 4);
    expect(service.available).toBe(before);
    fail(0, 1);
    expect(service.available).not.toBe(before);
    expect(before).toHaveLength(2);
  });

  it('says so once, with why, and again when it is back', async () => {
    const { time, service, logger, changed, fail } = setUp();
    fail(0, 7, 'reset');
    await time.pass(10_000);
    expect(changed).toEqual(['users 10.0.0.1:80 false', 'users 10.0.0.1:80 true']);
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        message: 'endpoint is down',
        service: service.name,
        endpoint: '10.0.0.1:80',
        reason: '5 failures in a row, the last by reset; it rests for 10000 ms',
        available: 1,
      },
      {
        level: 'info',
        message: 'endpoint is up',
        service: service.name,
        endpoint: '10.0.0.1:80',
        reason: 'its rest is over',
        available: 2,
      },
    ]);
  });
});

describe('a rest', () => {
  it('ends at its moment for a request, even if timers are late', () => {
    const { time, service, fail } = setUp();
    fail(0, 5);
    time.skip(9999.9);
    expect(picks(service, 2)).toBe('BB');
    time.skip(0.2);
    expect(picks(service, 4)).toMatch(/^(AB|BA){2}$/);
  });

  it('ends by itself where there are no requests', async () => {
    const { time, service, fail } = setUp();
    fail(0, 5);
    await time.pass(9999);
    expect(service.available).toHaveLength(1);
    await time.pass(1);
    expect(service.available).toHaveLength(2);
    expect(time.pending).toBe(0);
  });

  it('waits on when the timer comes before the clock', async () => {
    const { time, service, fail } = setUp({ passive: { failures: 1, coolDown: 40 * 86_400_000 } });
    fail(0, 1);
    expect(time.untilNext).toBeLessThan(2 ** 31);
    await time.pass(39 * 86_400_000);
    expect(service.available).toHaveLength(1);
    await time.pass(86_400_000);
    expect(service.available).toHaveLength(2);
  });

  it('ends for each endpoint in its own time', async () => {
    const { time, service, fail } = setUp({}, [A, B, 'http://10.0.0.3:80']);
    fail(0, 5);
    await time.pass(4000);
    fail(1, 5);
    await time.pass(6000);
    expect(service.available).toEqual([service.endpoints[0], service.endpoints[2]]);
    await time.pass(4000);
    expect(service.available).toHaveLength(3);
  });

  it('is not prolonged by requests that fail late, nor cut short by one that succeeds late', async () => {
    const { time, service, fail } = setUp();
    fail(0, 5);
    await time.pass(5000);
    fail(0, 3);
    service.onSuccess(service.endpoints[0]);
    await time.pass(4999);
    expect(service.available).toHaveLength(1);
    await time.pass(1);
    expect(service.available).toHaveLength(2);
  });

  it('begins again with one more failure, and needs five after an answer', async () => {
    const { time, service, fail } = setUp();
    fail(0, 5);
    await time.pass(10_000);
    fail(0, 1);
    expect(service.available).toHaveLength(1);
    await time.pass(10_000);
    service.onSuccess(service.endpoints[0]);
    fail(0, 4);
    expect(service.available).toHaveLength(2);
  });
});

describe('when all are down', () => {
  it('there is none', () => {
    const { service, fail } = setUp();
    fail(0, 5);
    fail(1, 5);
    expect(picks(service, 2)).toBe('--');
    expect(service.available).toEqual([]);
  });

  it('panic takes all of them, and stops when one is up', async () => {
    const { time, service, fail } = setUp({ panic: true });
    fail(0, 5);
    await time.pass(1000);
    fail(1, 5);
    expect(picks(service, 4)).toBe('ABAB');
    expect(service.available).toEqual([]);
    await time.pass(9000);
    expect(picks(service, 2)).toBe('AA');
  });

  it.each([
    [0, 10],
    [100, 10],
    [9000, 1],
    [9500, 1],
    [7500, 3],
  ])('says after %d ms of a rest of 10 s to ask again in %d s', async (passed, seconds) => {
    const { time, service, fail } = setUp({}, [A]);
    fail(0, 5);
    await time.pass(passed);
    expect(service.retryAfter()).toBe(seconds);
  });

  it.each([
    [undefined, 1],
    [{ ...CHECK, interval: 2500 }, 3],
    [{ ...CHECK, interval: 300 }, 1],
  ])('with checks, says to ask again after the next check', (healthCheck, seconds) => {
    expect(setUp({ healthCheck }).service.retryAfter()).toBe(seconds);
  });
});

describe('with checks', () => {
  const checked = { healthCheck: { ...CHECK, interval: 1000, unhealthyAfter: 2, healthyAfter: 1 } };

  it('failed checks mark down, passed ones bring back', async () => {
    const { time, service, outcome, logger } = setUp(checked);
    await time.pass(500);
    expect(service.available).toHaveLength(2);
    await time.pass(1000);
    expect(service.available).toEqual([]);
    outcome.passed = true;
    outcome.reason = 'status 200';
    await time.pass(1000);
    expect(service.available).toHaveLength(2);
    expect(logger.lines.map(({ level, reason }) => `${level} ${reason}`)).toEqual([
      'warn check failed: status 503',
      'warn check failed: status 503',
      'info check passed: status 200',
      'info check passed: status 200',
    ]);
  });

  it.each<[FailureKind, boolean]>([
    ['connect-failure', false],
    ['reset', false],
    ['timeout', true],
    ['invalid-response', true],
  ])('five failures of the kind %s leave it healthy: %j', (kind, healthy) => {
    const { service, fail } = setUp(checked);
    fail(0, 5, kind);
    expect(service.endpoints[0].healthy).toBe(healthy);
  });

  it('time alone does not bring back what traffic marked down; a check does', async () => {
    const { time, service, outcome, fail } = setUp({ healthCheck: { ...CHECK, interval: 60_000, healthyAfter: 1 } });
    await time.pass(600);
    fail(0, 5);
    await time.pass(50_000);
    expect(service.available).toHaveLength(1);
    outcome.passed = true;
    await time.pass(60_000);
    expect(service.available).toHaveLength(2);
    expect(service.endpoints[0].consecutiveFailures).toBe(0);
  });
});

describe('the end', () => {
  it('closes pools, ends checks and rests, and may be said twice', async () => {
    const { time, service, fail, changed } = setUp();
    fail(0, 5);
    service.close();
    service.close();
    expect(service.endpoints.map((endpoint) => endpoint.pool.closes)).toEqual([1, 1]);
    expect(time.pending).toBe(0);
    fail(1, 9);
    expect(changed).toHaveLength(1);
  });

  it('comes for a service that is checked, during a check too', async () => {
    const { time, service, changed } = setUp({ healthCheck: { ...CHECK, unhealthyAfter: 1 } });
    const passing = time.pass(500);
    service.close();
    await passing;
    expect(time.pending).toBe(0);
    expect(changed).toEqual([]);
  });
});
