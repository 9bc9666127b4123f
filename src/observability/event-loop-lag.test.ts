/** How late the loop ran is shown while it counts, and forgotten afterwards. */
import { describe, expect, it } from 'vitest';
import { createEventLoopLag, type EventLoopLag } from './event-loop-lag.ts';

interface Loop {
  lag: EventLoopLag;
  armed: (() => void) | null;
  /** The timer fires, this many milliseconds late. */
  fire(late: number): void;
  advance(milliseconds: number): void;
}

function createLoop(): Loop {
  let time = 0;
  let delay = 0;
  const timers = {
    setTimeout: (callback: () => void, milliseconds: number) => {
      delay = milliseconds;
      loop.armed = callback;
      return callback;
    },
    clearTimeout: () => {
      loop.armed = null;
    },
  };
  const loop: Loop = {
    armed: null,
    fire(late) {
      time += delay + late;
      (loop.armed as () => void)();
    },
    advance(milliseconds) {
      time += milliseconds;
    },
    lag: null as unknown as EventLoopLag,
  };
  loop.lag = createEventLoopLag({ now: () => time, wall: () => time }, timers);
  return loop;
}

describe('the lag of the event loop', () => {
  it('is the worst of the last twenty looks', () => {
    const loop = createLoop();
    loop.fire(3);
    loop.fire(40);
    loop.fire(1);
    expect(loop.lag.worst()).toBe(40);
    for (let i = 0; i < 18; i++) loop.fire(2);
    expect(loop.lag.worst()).toBe(40);
    loop.fire(0);
    expect(loop.lag.worst()).toBe(2);
  });

  it('shows a look that is overdue now, and is never below zero', () => {
    const loop = createLoop();
    loop.advance(499);
    expect(loop.lag.worst()).toBe(0);
    loop.advance(101);
    expect(loop.lag.worst()).toBe(100);
    loop.fire(-700);
    expect(loop.lag.worst()).toBe(0);
  });

  it('stops its timer', () => {
    const loop = createLoop();
    expect(loop.armed).not.toBeNull();
    loop.lag.close();
    expect(loop.armed).toBeNull();
  });
});
