/** Several deadlines at one place of the wheel: each is told once, in its time, to whoever owns them then. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadlines } from './deadlines.ts';
import { TICK, TimerWheel } from './timer-wheel.ts';

// The wheel's own timer is not wanted here: time passes by `pass`.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const clock = { time: 1000, now: () => clock.time, wall: () => 0 };
  const wheel = new TimerWheel(clock);
  const told: string[] = [];
  const deadlines = new Deadlines(wheel, 3);
  const own = (name: string) => {
    deadlines.owner = { onDeadline: (slot) => void told.push(`${name} ${slot} at ${clock.time - 1000}`) };
  };
  const pass = (milliseconds: number): void => {
    for (const end = clock.time + milliseconds; clock.time < end; wheel.advance()) clock.time += TICK;
  };
  own('first');
  return { clock, wheel, deadlines, own, pass, told, at: (time: number) => 1000 + time };
}

test('each is told of in its time', () => {
  const { deadlines, pass, told, at } = setUp();
  deadlines.set(2, at(300));
  deadlines.set(0, at(100));
  deadlines.set(1, at(200));
  pass(1000);
  expect(told).toEqual(['first 0 at 100', 'first 1 at 200', 'first 2 at 300']);
});

test('one that is cleared, put off or put forward is told of as it stands then', () => {
  const { deadlines, pass, told, at } = setUp();
  deadlines.set(0, at(100));
  deadlines.set(1, at(150));
  deadlines.set(2, at(5000));
  deadlines.clear(0);
  expect([deadlines.isSet(0), deadlines.isSet(1)]).toEqual([false, true]);
  deadlines.set(1, at(400));
  deadlines.set(2, at(300));
  pass(6000);
  expect(told).toEqual(['first 2 at 300', 'first 1 at 400']);
});

test('those that pass together are both told of, unless the first one clears the second', () => {
  const { deadlines, pass, told, at } = setUp();
  deadlines.set(0, at(100));
  deadlines.set(1, at(100));
  pass(200);
  expect(told).toEqual(['first 0 at 100', 'first 1 at 110']);
  deadlines.owner = {
    onDeadline(slot) {
      told.push(`only ${slot}`);
      deadlines.release();
    },
  };
  deadlines.set(0, at(300));
  deadlines.set(1, at(300));
  pass(500);
  expect(told.slice(2)).toEqual(['only 0']);
});

test('the next owner hears nothing of what the last one set', () => {
  const { deadlines, own, pass, told, at } = setUp();
  deadlines.set(0, at(100));
  deadlines.release();
  own('second');
  deadlines.set(1, at(300));
  pass(500);
  expect(told).toEqual(['second 1 at 300']);
});

test('what is removed leaves the wheel', () => {
  const { deadlines, wheel, pass, told, at } = setUp();
  deadlines.set(0, at(100));
  expect(wheel.length).toBe(1);
  deadlines.remove();
  expect(wheel.length).toBe(0);
  pass(200);
  expect(told).toEqual([]);
});
