/** When checks run and what their outcomes add up to, with time moved by hand. */
import { describe, expect, it } from 'vitest';
import type { HealthCheckConfig } from '../../config/model.ts';
import { Endpoint, type EndpointOwner } from '../endpoint.ts';
import { ManualTime, settled } from '../manual-time.test.support.ts';
import { CHECK, FakePool } from '../service.test.support.ts';
import { ActiveCheck, type CheckOutcome } from './active-check.ts';

const PASSED: CheckOutcome = { passed: true, reason: 'status 200' };
const FAILED: CheckOutcome = { passed: false, reason: 'status 503' };

interface Pending {
  readonly at: number;
  readonly signal: AbortSignal;
  settle(outcome: CheckOutcome): void;
  fail(error: unknown): void;
}

function setUp(changes: Partial<HealthCheckConfig> = {}, random = 0.5) {
  const time = new ManualTime();
  const endpoint = new Endpoint('http://10.0.0.1:80', 1, () => new FakePool());
  const changesSeen: string[] = [];
  const owner: EndpointOwner = {
    onEndpointFailure: () => {},
    onEndpointHealth: (changed, reason) => changesSeen.push(`${changed.healthy ? 'up' : 'down'}: ${reason}`),
  };
  endpoint.owners.push(owner);
  const probes: Pending[] = [];
  const started = time.now();
  const check = new ActiveCheck(
    endpoint,
    { ...CHECK, ...changes },
    {
      clock: time,
      timers: time,
      random: () => random,
      check: (_endpoint, _config, signal) =>
        new Promise((settle, fail) => {
          probes.push({ at: time.now() - started, signal, settle, fail });
        }),
    },
  );
  /** Runs one check to its outcome: waits for its start, then ends it. */
  const outcome = async (result: CheckOutcome): Promise<void> => {
    await time.pass(time.untilNext);
    probes.at(-1)!.settle(result);
    await settled();
  };
  return { time, endpoint, probes, check, changesSeen, outcome };
}

describe('the schedule', () => {
  it.each([
    [10_000, 0, 0],
    [10_000, 0.75, 750],
    [300, 0.5, 150],
  ])('begins, with an interval of %d and %d drawn, after %d ms', async (interval, random, first) => {
    const { time, probes, check } = setUp({ interval }, random);
    check.start();
    expect(probes).toHaveLength(0);
    await time.pass(20_000);
    expect(probes.map((probe) => probe.at)).toEqual([first]);
  });

  it('goes from start to start, however long a check takes', async () => {
    const { time, probes, check } = setUp({ interval: 1000, timeout: 700 }, 0);
    check.start();
    for (const duration of [0, 400, 699]) {
      await time.pass(time.untilNext);
      await time.pass(duration);
      probes.at(-1)!.settle(PASSED);
      await settled();
    }
    await time.pass(time.untilNext);
    expect(probes.map((probe) => probe.at)).toEqual([0, 1000, 2000, 3000]);
  });

  it('never runs two checks of one endpoint at once, even if a probe does not heed its time', async () => {
    const { time, probes, check } = setUp({ interval: 100, timeout: 300 }, 0);
    check.start();
    await time.pass(5000);
    expect(probes).toHaveLength(1);
    expect(probes[0].signal.aborted).toBe(true);
    probes[0].settle(PASSED);
    await time.pass(0);
    expect(probes.map((probe) => probe.at)).toEqual([0, 5000]);
  });

  it('starts once', async () => {
    const { time, probes, check } = setUp({}, 0);
    check.start();
    check.start();
    await time.pass(1000);
    expect(probes).toHaveLength(1);
  });

  it.each(['before its first check', 'during a check', 'between checks'])('stops %s for good', async (moment) => {
    const { time, endpoint, probes, check } = setUp({ unhealthyAfter: 1 });
    check.start();
    if (moment !== 'before its first check') await time.pass(time.untilNext);
    if (moment === 'between checks') probes[0].settle(PASSED);
    await settled();
    const running = probes.at(-1);
    const runs = probes.length;
    check.stop();
    if (moment === 'during a check') expect(running!.signal.aborted).toBe(true);
    if (moment === 'during a check') running!.settle(FAILED);
    await time.pass(100_000);
    expect(probes).toHaveLength(runs);
    expect(endpoint.healthy).toBe(true);
    expect(time.pending).toBe(0);
  });
});

describe('the verdict', () => {
  it.each<[string, Partial<HealthCheckConfig>, string, string]>([
    // Outcomes: + passed, - failed. Health after each: U up, D down.
    ['needs the failures in a row', { unhealthyAfter: 3, healthyAfter: 2 }, '--+---', 'UUUUUD'],
    ['needs the passes in a row', { unhealthyAfter: 1, healthyAfter: 2 }, '-+-++-', 'DDDDUD'],
    ['may turn on one check', { unhealthyAfter: 1, healthyAfter: 1 }, '-+-+', 'DUDU'],
    ['begins the count anew after each turn', { unhealthyAfter: 2, healthyAfter: 3 }, '--+++---', 'UDDDUUDD'],
    ['stays up while checks pass', { unhealthyAfter: 1, healthyAfter: 1 }, '++++', 'UUUU'],
  ])('%s', async (_, config, outcomes, expected) => {
    const { endpoint, check, outcome } = setUp(config);
    check.start();
    let health = '';
    for (const sign of outcomes) {
      await outcome(sign === '+' ? PASSED : FAILED);
      health += endpoint.healthy ? 'U' : 'D';
    }
    expect(health).toBe(expected);
  });

  it('says why, once per change', async () => {
    const { check, outcome, changesSeen } = setUp({ unhealthyAfter: 2, healthyAfter: 1 });
    check.start();
    for (const result of [FAILED, FAILED, FAILED, PASSED, PASSED]) await outcome(result);
    expect(changesSeen).toEqual(['down: check failed: status 503', 'up: check passed: status 200']);
  });

  it('fails a check at its timeout at once, and only once', async () => {
    const { time, probes, check, changesSeen, endpoint } = setUp({ unhealthyAfter: 2, timeout: 2000 }, 0);
    check.start();
    await time.pass(0);
    await time.pass(1999);
    expect(probes[0].signal.aborted).toBe(false);
    await time.pass(1);
    expect(probes[0].signal.aborted).toBe(true);
    probes[0].settle(FAILED);
    await settled();
    expect(endpoint.healthy).toBe(true);
    await time.pass(10_000);
    expect(changesSeen).toEqual(['down: check failed: no answer within 2000 ms']);
  });

  it.each([
    [new Error('connect ECONNREFUSED 10.0.0.1:80'), 'connect ECONNREFUSED 10.0.0.1:80'],
    ['text', 'the check itself failed'],
  ])('counts a rejected probe as failed: %s', async (error, reason) => {
    const { time, probes, check, changesSeen } = setUp({ unhealthyAfter: 1 });
    check.start();
    await time.pass(time.untilNext);
    probes[0].fail(error);
    await settled();
    expect(changesSeen).toEqual([`down: check failed: ${reason}`]);
    expect(time.pending).toBe(1);
  });

  it('brings back what traffic marked down, by whole checks after that only', async () => {
    const { time, endpoint, probes, check, outcome } = setUp({ healthyAfter: 2 });
    check.start();
    for (let i = 0; i < 5; i++) await outcome(PASSED);
    await time.pass(time.untilNext);
    endpoint.consecutiveFailures = 5;
    endpoint.setHealthy(false, 'traffic');
    probes.at(-1)!.settle(PASSED);
    await settled();
    await outcome(PASSED);
    expect(endpoint.healthy).toBe(false);
    await outcome(PASSED);
    expect(endpoint.healthy).toBe(true);
    expect(endpoint.consecutiveFailures).toBe(0);
  });
});
