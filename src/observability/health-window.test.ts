/** The last sixty seconds, and nothing before them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HealthWindow } from './health-window.ts';

function create(start = 0): { clock: { time: number }; window: HealthWindow } {
  const clock = { time: start };
  return { clock, window: new HealthWindow({ now: () => clock.time, wall: () => 0 }) };
}

describe('the health window', () => {
  it('is wholly successful without traffic', () => {
    expect(create().window.read()).toEqual({ total: 0, failed: 0, successRate: 100 });
  });

  it('gives totals and the percentage that did not fail', () => {
    const { window } = create();
    for (let i = 0; i < 8; i++) window.record(i === 0);
    expect(window.read()).toEqual({ total: 8, failed: 1, successRate: 87.5 });
  });

  it('forgets a second after sixty', () => {
    const { clock, window } = create(500);
    window.record(true);
    clock.time = 59_999;
    window.record(false);
    expect(window.read()).toMatchObject({ total: 2, failed: 1 });
    clock.time = 60_000;
    expect(window.read()).toEqual({ total: 1, failed: 0, successRate: 100 });
    clock.time = 119_000;
    expect(window.read().total).toBe(0);
  });

  it('forgets everything after a pause longer than itself', () => {
    const { clock, window } = create();
    for (let i = 0; i < 60; i++) {
      clock.time = i * 1000;
      window.record(true);
    }
    clock.time = 10_000_000;
    expect(window.read().total).toBe(0);
  });

  it('agrees with a list of all requests, whatever the pauses', () => {
    const step = fc.record({ pause: fc.constantFrom(0, 1, 400, 1000, 7300, 59_999, 61_000), failed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { clock, window } = create(12_345);
        const all: { second: number; failed: boolean }[] = [];
        for (const { pause, failed } of steps) {
          clock.time += pause;
          window.record(failed);
          all.push({ second: Math.floor(clock.time / 1000), failed });
          const live = all.filter(({ second }) => second > Math.floor(clock.time / 1000) - 60);
          expect(window.read()).toMatchObject({ total: live.length, failed: live.filter((r) => r.failed).length });
        }
      }),
    );
  });
});
