/** Deadlines on the wheel, with a clock that tests move, against a plain list as the judge. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Clock } from './clock.ts';
import { TICK, Timed, TimerWheel } from './timer-wheel.ts';

/** Milliseconds in which the wheel comes round. */
const TURN = 1024 * TICK;

class ManualClock implements Clock {
  time: number;

  constructor(time: number) {
    this.time = time;
  }

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.time;
  }
}

class Probe extends Timed {
  readonly fired: number[] = [];
  private readonly act: (now: number) => void;

  constructor(act: (now: number) => void = () => {}) {
    super();
    this.act = act;
  }

  onDeadline(now: number): void {
    this.fired.push(now);
    this.act(now);
  }
}

function setUp(start = 5000): { clock: ManualClock; wheel: TimerWheel; pass(milliseconds: number): void } {
  const clock = new ManualClock(start);
  const wheel = new TimerWheel(clock);
  return {
    clock,
    wheel,
    /** Lets time pass with a visit in every tick, as the wheel's own timer does when nothing holds it up. */
    pass(milliseconds) {
      const end = clock.time + milliseconds;
      while (clock.time < end) {
        clock.time = Math.min(end, clock.time + TICK);
        wheel.advance();
      }
    },
  };
}

beforeEach(() => {
  // The wheel's own timer: tests call `advance` themselves, or let this time pass.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a deadline', () => {
  const offsets = [0.1, 1, TICK - 0.1, TICK, TICK + 0.1, 137.5, TURN - TICK, TURN - 1, TURN, TURN + 1, 3 * TURN + 7];

  test.each(offsets)('of %f ms is told once, never early and at most a tick late', (offset) => {
    for (const start of [0, 5000, 5000.3, 5009.9]) {
      const { clock, wheel, pass } = setUp(start);
      const probe = new Probe();
      wheel.schedule(probe, start + offset);
      pass(offset + 2 * TICK);
      expect(probe.fired).toHaveLength(1);
      expect(probe.fired[0]).toBeGreaterThanOrEqual(start + offset);
      // The visits of this clock are a tick apart, and the slot a tick wide.
      expect(probe.fired[0]).toBeLessThan(start + offset + 2 * TICK);
      expect([probe.deadline, wheel.length]).toEqual([0, 0]);
      clock.time += 3 * TURN;
      wheel.advance();
      expect(probe.fired).toHaveLength(1);
    }
  });

  test.each([-TURN, -1000, -TICK, -1, 0])('that is %f ms old when it is set is told at the next tick', (age) => {
    for (const company of [false, true]) {
      const { clock, wheel, pass } = setUp();
      if (company) wheel.schedule(new Probe(), 1e9);
      // The wheel has not been looked at for a while, since nothing or nothing near was on it.
      clock.time += 2 * TURN;
      const probe = new Probe();
      wheel.schedule(probe, clock.time + age);
      pass(TICK);
      expect([company, probe.fired]).toEqual([company, [clock.time]]);
    }
  });

  // What is done to it at the time after its setting, and when it must be told.
  const changes: [string, number, [number, (wheel: TimerWheel, probe: Probe, start: number) => void][], number[]][] = [
    ['put off', 100, [[50, (wheel, probe, start) => wheel.schedule(probe, start + 300)]], [300]],
    [
      'put off beyond a turn',
      100,
      [[50, (wheel, probe, start) => wheel.schedule(probe, start + 2 * TURN)]],
      [2 * TURN],
    ],
    [
      'put off again and again',
      100,
      [50, 90, 140, 200].map((at) => [at, (wheel, probe, start) => wheel.schedule(probe, start + at + 100)]),
      [300],
    ],
    ['put forward', 300, [[50, (wheel, probe, start) => wheel.schedule(probe, start + 100)]], [100]],
    ['put forward by a turn', 300 + TURN, [[50, (wheel, probe, start) => wheel.schedule(probe, start + 300)]], [300]],
    [
      'put off and then forward',
      100,
      [
        [20, (wheel, probe, start) => wheel.schedule(probe, start + 500)],
        [40, (wheel, probe, start) => wheel.schedule(probe, start + 60)],
      ],
      [60],
    ],
    ['cleared', 100, [[50, (wheel, probe) => wheel.cancel(probe)]], []],
    ['removed', 100, [[50, (wheel, probe) => wheel.remove(probe)]], []],
    [
      'cleared and set later',
      100,
      [
        [50, (wheel, probe) => wheel.cancel(probe)],
        [60, (wheel, probe, start) => wheel.schedule(probe, start + 200)],
      ],
      [200],
    ],
    [
      'cleared and set sooner',
      300,
      [
        [50, (wheel, probe) => wheel.cancel(probe)],
        [60, (wheel, probe, start) => wheel.schedule(probe, start + 100)],
      ],
      [100],
    ],
    [
      'cleared and, after its slot was visited, set',
      100,
      [
        [50, (wheel, probe) => wheel.cancel(probe)],
        [150, (wheel, probe, start) => wheel.schedule(probe, start + 200)],
      ],
      [200],
    ],
    [
      'removed and set',
      100,
      [
        [50, (wheel, probe) => wheel.remove(probe)],
        [60, (wheel, probe, start) => wheel.schedule(probe, start + 100)],
      ],
      [100],
    ],
    [
      'removed twice and cleared',
      100,
      [
        [50, (wheel, probe) => wheel.remove(probe)],
        [
          60,
          (wheel, probe) => {
            wheel.remove(probe);
            wheel.cancel(probe);
          },
        ],
      ],
      [],
    ],
    [
      'set again after it was told',
      100,
      [[150, (wheel, probe, start) => wheel.schedule(probe, start + 200)]],
      [100, 200],
    ],
  ];

  test.each(changes)('%s', (_, first, steps, expected) => {
    // A neighbour in the same slots, before and after: what is taken out must not take others along.
    const { clock, wheel, pass } = setUp();
    const start = clock.time;
    const neighbours = [new Probe(), new Probe()];
    const probe = new Probe();
    wheel.schedule(neighbours[0], start + first);
    wheel.schedule(probe, start + first);
    wheel.schedule(neighbours[1], start + first);
    for (const [at, change] of steps) {
      pass(start + at - clock.time);
      change(wheel, probe, start);
    }
    pass(start + 3 * TURN - clock.time);
    expect(probe.fired).toEqual(expected.map((at) => start + at));
    for (const neighbour of neighbours) expect(neighbour.fired).toEqual([start + first]);
    expect(wheel.length).toBe(0);
  });

  test('is told once, and at the first visit, after a long pause of the process', () => {
    for (const pause of [TURN - TICK, TURN, TURN + TICK, 10 * TURN + 3]) {
      const { clock, wheel } = setUp();
      const early = Array.from({ length: 30 }, () => new Probe());
      for (const [i, probe] of early.entries()) wheel.schedule(probe, clock.time + 1 + i * 7);
      const late = new Probe();
      wheel.schedule(late, clock.time + pause + TICK);
      clock.time += pause;
      wheel.advance();
      for (const probe of early) expect(probe.fired).toEqual([clock.time]);
      expect(late.fired).toEqual([]);
      clock.time += 2 * TICK;
      wheel.advance();
      expect(late.fired).toEqual([clock.time]);
    }
  });
});

describe('what one of a batch does', () => {
  type Act = (wheel: TimerWheel, other: Probe, now: number) => void;
  const acts: [string, Act, (number | null)[]][] = [
    ['clears another', (wheel, other) => wheel.cancel(other), [null]],
    ['removes another', (wheel, other) => wheel.remove(other), [null]],
    ['puts another off', (wheel, other, now) => wheel.schedule(other, now + 100), [100]],
    ['sets another anew for now', (wheel, other, now) => wheel.schedule(other, now), [TICK]],
    [
      'puts another off and clears it',
      (wheel, other, now) => {
        wheel.schedule(other, now + 100);
        wheel.cancel(other);
      },
      [null],
    ],
    [
      'clears another and puts it off',
      (wheel, other, now) => {
        wheel.cancel(other);
        wheel.schedule(other, now + 100);
      },
      [100],
    ],
  ];

  test.each(acts)('%s', (_, act, [expected]) => {
    // Which of two goes first is the wheel's affair: whoever does acts upon the other.
    const { clock, wheel, pass } = setUp();
    const acted: Probe[] = [];
    const actOn = (other: () => Probe) => (now: number) => {
      if (acted.length > 0) return;
      acted.push(other());
      act(wheel, other(), now);
    };
    const one: Probe = new Probe(actOn(() => two));
    const two: Probe = new Probe(actOn(() => one));
    wheel.schedule(one, clock.time + 50);
    wheel.schedule(two, clock.time + 50);
    pass(50);
    const batch = clock.time;
    expect(acted).toHaveLength(1);
    expect(one.fired.length + two.fired.length).toBe(1);
    pass(2 * TURN);
    expect(acted[0].fired).toEqual(expected === null ? [] : [batch + expected]);
    expect(wheel.length).toBe(0);
  });

  test('may be to set its own deadline again', () => {
    const { clock, wheel, pass } = setUp();
    const start = clock.time;
    const probe: Probe = new Probe((now) => {
      if (probe.fired.length < 3) wheel.schedule(probe, now + 30);
    });
    wheel.schedule(probe, start + 30);
    pass(200);
    expect(probe.fired).toEqual([start + 30, start + 60, start + 90]);
  });

  test('may be to fail: the others are told at the next visit', () => {
    const { clock, wheel, pass } = setUp();
    const probes = [0, 1, 2].map(
      () =>
        new Probe(() => {
          throw new Error('no');
        }),
    );
    for (const probe of probes) wheel.schedule(probe, clock.time + 5);
    for (let i = 0; i < 3; i++) expect(() => pass(TICK)).toThrow('no');
    pass(TURN);
    expect(probes.map(({ fired }) => fired.length)).toEqual([1, 1, 1]);
  });
});

describe('scheduleIn', () => {
  test('counts from the last visit, and is not early while visits come', () => {
    for (const since of [0, 3, TICK - 0.5]) {
      const { clock, wheel, pass } = setUp();
      wheel.schedule(new Probe(), 1e9);
      pass(100);
      clock.time += since;
      const set = clock.time;
      const probe = new Probe();
      wheel.scheduleIn(probe, 1000);
      pass(2000);
      expect(probe.fired).toHaveLength(1);
      expect(probe.fired[0]).toBeGreaterThanOrEqual(set + 1000);
      expect(probe.fired[0]).toBeLessThan(set + 1000 + 3 * TICK);
    }
  });

  test('is early by as long as the process was at it since', () => {
    const { clock, wheel, pass } = setUp();
    wheel.schedule(new Probe(), 1e9);
    const visited = clock.time;
    clock.time += 400;
    const probe = new Probe();
    wheel.scheduleIn(probe, 1000);
    pass(2000);
    expect(probe.fired).toEqual([visited + 1000 + TICK]);
  });

  test('asks the clock when the wheel stood still', () => {
    const { clock, wheel, pass } = setUp();
    clock.time += 5 * TURN;
    const set = clock.time;
    const probe = new Probe();
    wheel.scheduleIn(probe, 1000);
    pass(2000);
    expect(probe.fired).toEqual([set + 1000 + TICK]);
  });
});

test('the wheel turns by itself while something is on it', () => {
  const { clock, wheel } = setUp();
  expect(vi.getTimerCount()).toBe(0);
  const probe = new Probe();
  for (const start of [clock.time, clock.time + 7 * TURN]) {
    clock.time = start;
    wheel.schedule(probe, start + 100);
    expect([wheel.length, vi.getTimerCount()]).toEqual([1, 1]);
    for (; clock.time < start + 200; clock.time += TICK) vi.advanceTimersByTime(TICK);
    expect(probe.fired.splice(0)).toEqual([start + 100]);
    expect([wheel.length, vi.getTimerCount()]).toEqual([0, 0]);
  }
  // A cleared deadline is forgotten within a turn, and then there is nothing to turn for.
  wheel.schedule(probe, clock.time + TURN / 2);
  wheel.cancel(probe);
  for (let i = 0; i < 1024; i++, clock.time += TICK) vi.advanceTimersByTime(TICK);
  expect([probe.fired, wheel.length, vi.getTimerCount()]).toEqual([[], 0, 0]);
});

type Operation =
  | { set: number; offset: number }
  | { clear: number }
  | { remove: number }
  | { visit: number }
  | { busy: number };

const COUNT = 6;

/** `unit` is what times are multiples of. */
function operations(unit: number): fc.Arbitrary<Operation[]> {
  const which = fc.nat(COUNT - 1);
  const near = fc.integer({ min: -30, max: 200 });
  const offset = fc.oneof(
    { weight: 5, arbitrary: near },
    { weight: 1, arbitrary: fc.integer({ min: TURN - 20, max: TURN + 20 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 * TURN }) },
  );
  const wait = (min: number): fc.Arbitrary<number> =>
    fc
      .oneof(
        { weight: 6, arbitrary: fc.integer({ min, max: Math.ceil(100 / unit) }) },
        { weight: 1, arbitrary: fc.integer({ min: Math.floor(TURN / unit) - 2, max: Math.ceil(TURN / unit) + 2 }) },
        { weight: 1, arbitrary: fc.integer({ min, max: Math.ceil((3 * TURN) / unit) }) },
      )
      .map((count) => count * unit);
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ set: which, offset }) },
      { weight: 1, arbitrary: fc.record({ clear: which }) },
      { weight: 1, arbitrary: fc.record({ remove: which }) },
      { weight: 5, arbitrary: fc.record({ visit: wait(1) }) },
      { weight: 1, arbitrary: fc.record({ busy: wait(0) }) },
    ),
    { maxLength: 60 },
  );
}

/** Runs the operations on a wheel; `onVisit` gets, for each visit, the deadlines before it and who was told. */
function replay(
  list: readonly Operation[],
  start: number,
  onVisit: (now: number, deadlines: ReadonlyMap<number, number>, told: readonly number[]) => void,
): void {
  vi.clearAllTimers();
  const { clock, wheel } = setUp(start);
  const told: number[] = [];
  const probes = Array.from({ length: COUNT }, (_, i) => new Probe(() => told.push(i)));
  const deadlines = new Map<number, number>();
  const visit = (milliseconds: number): void => {
    clock.time += milliseconds;
    wheel.advance();
    onVisit(clock.time, deadlines, told);
    for (const i of told.splice(0)) deadlines.delete(i);
    expect(probes.map(({ deadline }) => deadline !== 0)).toEqual(probes.map((_, i) => deadlines.has(i)));
  };
  for (const operation of list) {
    if ('set' in operation) {
      wheel.schedule(probes[operation.set], clock.time + operation.offset);
      // What is overdue when it is set is due then.
      deadlines.set(operation.set, clock.time + Math.max(0, operation.offset));
    } else if ('clear' in operation) {
      wheel.cancel(probes[operation.clear]);
      deadlines.delete(operation.clear);
    } else if ('remove' in operation) {
      wheel.remove(probes[operation.remove]);
      deadlines.delete(operation.remove);
    } else if ('busy' in operation) clock.time += operation.busy;
    else visit(operation.visit);
    expect(wheel.length).toBeGreaterThanOrEqual(deadlines.size);
  }
  while (deadlines.size > 0) visit(TURN);
  // Cleared ones are forgotten when their slots come, those that were put off moved on before.
  visit(TURN);
  expect([wheel.length, vi.getTimerCount()]).toEqual([0, 0]);
}

describe('the wheel against a plain list', () => {
  test('tells the same at the same visit, where visits come on the tick', () => {
    fc.assert(
      fc.property(operations(TICK), (list) => {
        replay(list, 100 * TURN, (now, deadlines, told) => {
          const due = [...deadlines].filter(([, deadline]) => deadline <= now).map(([i]) => i);
          expect([...told].sort()).toEqual(due.sort());
        });
      }),
      { numRuns: 500 },
    );
  });

  test('is never early and at most a tick late, whenever visits come', () => {
    fc.assert(
      fc.property(operations(0.7), (list) => {
        replay(list, 100 * TURN + 0.3, (now, deadlines, told) => {
          expect(new Set(told).size).toBe(told.length);
          for (const [i, deadline] of deadlines) {
            if (deadline > now) expect(told).not.toContain(i);
            else if (now >= deadline + TICK) expect(told).toContain(i);
          }
        });
      }),
      { numRuns: 500 },
    );
  });
});
