/** Which failures are tried again, how often, and after what pause. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RetryConfig } from '../config/model.ts';
import { compileRetry, isIdempotent, mayRetry, type TryFailure } from './retry.ts';

function config(on: readonly unknown[], changes: Partial<RetryConfig> = {}): RetryConfig {
  return { attempts: 3, on: on as RetryConfig['on'], backoff: { base: 25, max: 1000 }, ...changes };
}

describe('what a plan covers', () => {
  it.each<[unknown[], TryFailure, boolean]>([
    [['connect-failure'], 'connect-failure', true],
    [['connect-failure'], 'reset', false],
    [['connect-failure'], 502, false],
    [['reset'], 'reset', true],
    [['reset'], 'connect-failure', false],
    [['503'], 503, true],
    [[503], 503, true],
    [['503'], 502, false],
    [['429', '409'], 409, true],
    [['connect-failure', 'reset', '502', '503', '504'], 504, true],
    [['503'], 5030, false],
    [['unavailable'], 14, true],
    [['unavailable'], 503, false],
    [['unavailable'], 13, false],
    [['503'], 14, false],
    [['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted'], 8, true],
    [[], 'connect-failure', false],
    [[], 200, false],
  ])('%j covers %j: %j', (on, failure, expected) => {
    expect(compileRetry(config(on))!.covers(failure)).toBe(expected);
  });

  it.each([
    '4xx',
    '5xx',
    'timeout',
    'UNAVAILABLE',
    'ok',
    '14',
    'constructor',
    '99',
    '1000',
    '5',
    '',
    'Reset',
    '502 ',
    '-503',
  ])('refuses %j', (entry) => {
    expect(() => compileRetry(config([entry]))).toThrow(TypeError);
  });
});

describe('whether there is a plan', () => {
  it.each([
    ['no retry at all', undefined, false],
    ['one attempt', config(['reset'], { attempts: 1 }), false],
    ['one attempt with a bound on it', config(['reset'], { attempts: 1, perTryTimeout: 800 }), true],
    ['two attempts', config(['reset'], { attempts: 2 }), true],
  ])('%s', (_, retry, expected) => {
    expect(compileRetry(retry) !== null).toBe(expected);
  });

  it('keeps its numbers', () => {
    expect(compileRetry(config([], { perTryTimeout: 800 }))).toMatchObject({ attempts: 3, perTryTimeout: 800 });
    expect(compileRetry(config([]))).toMatchObject({ attempts: 3, perTryTimeout: null });
  });
});

describe('the pause', () => {
  it.each([
    [1, 25],
    [2, 50],
    [3, 100],
    [6, 800],
    [7, 1000],
    [5000, 1000],
  ])('before retry %d lies below %d ms', (attempt, ceiling) => {
    const plan = compileRetry(config(['reset']))!;
    expect(plan.backoff(attempt, () => 0)).toBe(0);
    expect(plan.backoff(attempt, () => 0.5)).toBe(ceiling / 2);
    expect(plan.backoff(attempt, () => 1)).toBe(ceiling);
  });

  it('is none with a base of 0, however many retries', () => {
    expect(compileRetry(config(['reset'], { backoff: { base: 0, max: 1000 } }))!.backoff(5000, () => 1)).toBe(0);
  });

  it('is always a delay that a timer takes', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (base, max, n, r) => {
          const pause = compileRetry(config(['reset'], { backoff: { base, max } }))!.backoff(n, () => r);
          expect(pause).toBeGreaterThanOrEqual(0);
          expect(pause).toBeLessThanOrEqual(max);
        },
      ),
    );
  });
});

describe('idempotent methods (RFC 9110, 9.2.2)', () => {
  it.each([
    ['GET', true],
    ['HEAD', true],
    ['OPTIONS', true],
    ['TRACE', true],
    ['PUT', true],
    ['DELETE', true],
    ['POST', false],
    ['PATCH', false],
    ['CONNECT', false],
    ['get', false],
    ['PROPFIND', false],
    ['', false],
    ['constructor', false],
  ])('%s: %j', (method, expected) => {
    expect(isIdempotent(method)).toBe(expected);
  });
});

describe('one more send', () => {
  const plan = compileRetry(config(['connect-failure', 'reset', '503']))!;

  it.each<[string, TryFailure, number, string, boolean, boolean]>([
    ['a covered failure of an idempotent request', 'reset', 1, 'GET', false, true],
    ['the last allowed one', 503, 2, 'PUT', false, true],
    ['not beyond the attempts', 'reset', 3, 'GET', false, false],
    ['not for what is not covered', 500, 1, 'GET', false, false],
    ['not for POST once something was sent', 'reset', 1, 'POST', false, false],
    ['not for POST on a status', 503, 1, 'POST', false, false],
    ['for POST of which nothing was sent', 'connect-failure', 1, 'POST', true, true],
    ['not even then for what is not covered', 502, 1, 'POST', true, false],
  ])('%s', (_, failure, sends, method, untouched, expected) => {
    expect(mayRetry(plan, failure, sends, method, untouched)).toBe(expected);
  });
});
