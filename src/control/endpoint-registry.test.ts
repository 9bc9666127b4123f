/** Endpoints come, stay by their heartbeats, and lapse. */
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { EndpointRegistry } from './endpoint-registry.ts';

/** A registry whose time passes when the test says so. */
function registry() {
  const due: { work: () => void; at: number }[] = [];
  let now = 0;
  let set = 0;
  let refreshed = 0;
  const made = new EndpointRegistry({
    clock: { now: () => now, wall: () => now },
    timers: {
      setTimeout: (work, delay) => {
        set++;
        const timer = { work, at: now + delay };
        due.push(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        const at = due.indexOf(timer as (typeof due)[number]);
        if (at >= 0) due.splice(at, 1);
      },
    },
    logger: { ...silentLogger },
    refresh: () => {
      refreshed++;
      return Promise.resolve();
    },
  });
  const pass = async (milliseconds: number): Promise<void> => {
    const end = now + milliseconds;
    for (;;) {
      const next = due.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) break;
      due.splice(due.indexOf(next), 1);
      now = Math.max(now, next.at);
      next.work();
      await new Promise((resolve) => setImmediate(resolve));
    }
    now = end;
  };
  return { made, pass, count: () => refreshed, timersSet: () => set };
}

const endpoint = (port: number, ttl: number | null = null) => ({ url: `http://127.0.0.1:${port}`, weight: 1, ttl });

describe('endpoints that register', () => {
  test('one soon after the other make few generations', async () => {
    const { made, pass, count } = registry();
    await made.register('s', endpoint(1));
    const rest = Array.from({ length: 100 }, (_, index) => made.register('s', endpoint(index + 2)));
    await pass(100);
    await Promise.all(rest);
    expect([count(), made.of('s').size]).toEqual([2, 101]);
  });

  test('stay for as long as their heartbeats come, which cost no look at the others', async () => {
    const { made, pass, timersSet } = registry();
    const all = Array.from({ length: 10 }, (_, index) => made.register('s', endpoint(index, 1000)));
    await Promise.all(all);
    await pass(600);
    const before = timersSet();
    for (let index = 0; index < 5; index++) expect(made.heartbeat('s', `127.0.0.1:${index}`)).toBe(true);
    expect(timersSet()).toBe(before);
    await pass(600);
    expect([...made.of('s').keys()]).toEqual([0, 1, 2, 3, 4].map((port) => `127.0.0.1:${port}`));
    expect(made.heartbeat('s', '127.0.0.1:7')).toBe(false);
    await pass(1000);
    expect(made.of('s').size).toBe(0);
  });
});
