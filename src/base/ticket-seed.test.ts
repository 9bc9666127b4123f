/** Seeds of tickets: the same for all who share one, another one in time, and the former one gone. */
import { expect, test } from 'vitest';
import { ManualTime } from '../upstream/manual-time.test.support.ts';
import { TICKET_PERIOD, type TicketLegacy, TicketSeed } from './ticket-seed.ts';

function seedOf(time: ManualTime, tickets?: TicketLegacy) {
  const told: string[] = [];
  const deps = { clock: time, timers: time, ...(tickets === undefined ? {} : { tickets }) };
  const seed: TicketSeed = new TicketSeed(deps, () => told.push(keysOf(seed)));
  return { seed, told };
}

function keysOf(seed: TicketSeed, listener = 'a'): string {
  return seed.keysOf(listener).toString('hex');
}

function copyOf({ seed, left }: TicketLegacy): TicketLegacy {
  return { seed: Uint8Array.from(seed), left };
}

test('keys are 48 bytes that depend on the seed and the listener, and on nothing else', () => {
  const time = new ManualTime();
  const { seed: one } = seedOf(time);
  const { seed: same } = seedOf(new ManualTime(), copyOf(one.legacy));
  const { seed: other } = seedOf(time);
  expect(keysOf(one)).toHaveLength(96);
  expect([keysOf(same, 'a'), keysOf(same, 'b')]).toEqual([keysOf(one, 'a'), keysOf(one, 'b')]);
  expect(new Set([keysOf(one, 'a'), keysOf(one, 'b'), keysOf(other, 'a'), keysOf(other, 'b')]).size).toBe(4);
});

test('it stays for a period and is another one in the next, and in the one after that', async () => {
  const time = new ManualTime();
  const { seed, told } = seedOf(time);
  const first = keysOf(seed);
  seed.lead();
  await time.pass(TICKET_PERIOD - 1);
  expect([keysOf(seed), told.length]).toEqual([first, 0]);
  await time.pass(1);
  await time.pass(TICKET_PERIOD);
  expect([told.length, told[1]]).toEqual([2, keysOf(seed)]);
  expect(new Set([first, ...told]).size).toBe(3);
  seed.close();
});

test('what it was is wiped', async () => {
  const time = new ManualTime();
  const { seed } = seedOf(time);
  const before = seed.legacy.seed;
  expect(before.every((byte) => byte === 0)).toBe(false);
  seed.lead();
  await time.pass(TICKET_PERIOD);
  expect([...before]).toEqual(new Array(32).fill(0));
  const renewed = seed.legacy.seed;
  seed.follow(new Uint8Array(32).fill(7));
  expect([...renewed]).toEqual(new Array(32).fill(0));
  seed.close();
});

test('a successor goes on with it, and with its age', async () => {
  const time = new ManualTime();
  const { seed: old } = seedOf(time);
  await time.pass(TICKET_PERIOD - 1000);
  const { seed, told } = seedOf(time, copyOf(old.legacy));
  seed.lead();
  await time.pass(999);
  expect([keysOf(seed), told.length]).toEqual([keysOf(old), 0]);
  await time.pass(1);
  expect(told).toEqual([keysOf(seed)]);
  expect([keysOf(seed) === keysOf(old), seed.legacy.left]).toEqual([false, TICKET_PERIOD]);
  seed.close();
});

test.each<[string, number, number]>([
  ['no time at all, since nobody came to renew it', 0, 0],
  ['more than there can be', 10 * TICKET_PERIOD, TICKET_PERIOD],
])('one with %s left is renewed all the same', async (_, left, after) => {
  const time = new ManualTime();
  const { seed, told } = seedOf(time, { seed: new Uint8Array(32).fill(7), left });
  seed.lead();
  expect(time.untilNext).toBe(after);
  await time.pass(after);
  expect(told).toHaveLength(1);
  seed.close();
});

test('a process that slept through it renews once, when it wakes, and has nothing left for a successor till then', async () => {
  const time = new ManualTime();
  const { seed, told } = seedOf(time);
  seed.lead();
  time.skip(5 * TICKET_PERIOD);
  expect(seed.legacy.left).toBe(0);
  await time.pass(0);
  expect([told.length, seed.legacy.left]).toEqual([1, TICKET_PERIOD]);
  seed.close();
});

test('who only follows has no timer, and who leads none after the end', async () => {
  const time = new ManualTime();
  const { seed, told } = seedOf(time);
  seed.follow(new Uint8Array(32));
  expect([time.pending, told.length]).toEqual([0, 1]);
  seed.lead();
  seed.lead();
  expect(time.pending).toBe(1);
  seed.close();
  expect(time.pending).toBe(0);
});
