/** Events reach those who follow and those who come back, in bounded numbers. */
import { describe, expect, it } from 'vitest';
import { EventLog, type GatewayEvent, type KeptEvent } from './events.ts';

const clock = { now: () => 0, wall: () => 1_700_000_000_000 };

function config(generation: number): GatewayEvent {
  return { type: 'config', result: 'applied', generation };
}

function generations(events: readonly KeptEvent[]): unknown[] {
  return events.map(({ event }) => (event as { generation: number }).generation);
}

describe('the log of events', () => {
  it('tells those who follow, until they do not, each event with an id of its own and its time', () => {
    const log = new EventLog(clock);
    const heard: KeptEvent[] = [];
    const { emit } = log;
    emit(config(1));
    const end = log.follow((event) => heard.push(event));
    emit(config(2));
    emit({ type: 'worker', pid: 7, state: 'ended' });
    end?.();
    emit(config(3));
    expect(heard).toEqual([
      { id: 'loyw3v28-2', at: '2023-11-14T22:13:20.000Z', event: config(2) },
      { id: 'loyw3v28-3', at: '2023-11-14T22:13:20.000Z', event: { type: 'worker', pid: 7, state: 'ended' } },
    ]);
  });

  it('gives what came after an event that somebody saw', () => {
    const log = new EventLog(clock);
    for (let i = 1; i <= 4; i++) log.emit(config(i));
    expect(generations(log.since('loyw3v28-2').events)).toEqual([3, 4]);
    expect(log.since('loyw3v28-2').missed).toBe(false);
    expect(log.since('loyw3v28-4')).toEqual({ events: [], missed: false });
  });

  it('keeps a bounded number, and says when there were more', () => {
    const log = new EventLog(clock, { kept: 3, followers: 1 });
    for (let i = 1; i <= 6; i++) log.emit(config(i));
    expect(generations(log.since('loyw3v28-3').events)).toEqual([4, 5, 6]);
    expect(log.since('loyw3v28-3').missed).toBe(false);
    expect(generations(log.since('loyw3v28-2').events)).toEqual([4, 5, 6]);
    expect(log.since('loyw3v28-2').missed).toBe(true);
  });

  it.each(['other-1', 'loyw3v28-9', 'loyw3v28-0', 'loyw3v28-', '', '1', 'x'.repeat(1000)])(
    'gives all it has to who saw %j, which is none of its own',
    (id) => {
      const log = new EventLog(clock);
      log.emit(config(1));
      log.emit(config(2));
      expect(generations(log.since(id).events)).toEqual([1, 2]);
      expect(log.since(id).missed).toBe(true);
    },
  );

  it('lets a bounded number follow', () => {
    const log = new EventLog(clock, { kept: 3, followers: 2 });
    const end = log.follow(() => {});
    expect([log.full, log.follow(() => {}) === null, log.full]).toEqual([false, false, true]);
    expect(log.follow(() => {})).toBeNull();
    end?.();
    expect(log.full).toBe(false);
  });
});
