/** `concurrency`: who gets a slot, who waits, and that every slot comes back however a request ends. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exchangeOf, servicesOf, type TestExchange, type TestRequest } from '../../pipeline/policy.test.support.ts';
import type { PolicyHooks, PolicyPlace, Reply } from '../../pipeline/policy.ts';
import { MemorySlots } from '../../state/memory-slots.ts';
import { concurrency } from './index.ts';

class Timers {
  private readonly pending = new Set<() => void>();

  setTimeout(callback: () => void): unknown {
    this.pending.add(callback);
    return callback;
  }

  clearTimeout(handle: unknown): void {
    this.pending.delete(handle as () => void);
  }

  fire(): void {
    for (const callback of this.pending) callback();
  }

  get size(): number {
    return this.pending.size;
  }
}

interface Gate {
  readonly hooks: PolicyHooks;
  readonly slots: MemorySlots;
  readonly timers: Timers;
}

const PLACE: PolicyPlace = { scope: 'route', name: 'a' };

function gateOf(options: object | object[], slots?: MemorySlots, place = PLACE, timers = new Timers()): Gate {
  const shared = slots ?? new MemorySlots(timers);
  const { state } = servicesOf();
  const services = servicesOf({ place, state: { ...state, slots: shared } });
  const parsed = [options].flat().map((one) => concurrency.schema.parse(one));
  const hooks = concurrency.createAll?.(parsed, services) as PolicyHooks;
  return { hooks, slots: shared, timers };
}

/** A request that asked: `reply` is undefined where it may go on. */
function enter({ hooks }: Gate, request: TestRequest = {}) {
  const exchange: TestExchange = exchangeOf(request);
  const reply = hooks.onRequest?.(exchange);
  return { exchange, reply, leave: () => hooks.onEnd?.(exchange) };
}

const detailOf = (reply: unknown): string | undefined => (reply as Reply | undefined)?.detail;

describe('slots', () => {
  test('are as many as there are, and come back', () => {
    const gate = gateOf({ max: 2 });
    const [a, b, c] = [enter(gate), enter(gate), enter(gate)];
    expect([a.reply, b.reply]).toEqual([undefined, undefined]);
    expect(c.reply).toMatchObject({
      code: 'overloaded',
      detail: 'the route has as many requests at once as it may have',
    });
    c.leave();
    expect(enter(gate).reply).toBeDefined();
    a.leave();
    a.leave();
    expect(enter(gate).reply).toBeUndefined();
    expect(enter(gate).reply).toBeDefined();
    b.leave();
  });

  test('are handed on in the order of the line, which is bounded', async () => {
    const gate = gateOf({ max: 1, queue: 2, queueTimeout: '1s' });
    const first = enter(gate);
    const [second, third, fourth] = [enter(gate), enter(gate), enter(gate)];
    expect(second.reply).toBeInstanceOf(Promise);
    expect(detailOf(fourth.reply)).toMatch(/^the route has as many/);
    first.leave();
    expect(await second.reply).toBeUndefined();
    second.leave();
    expect(await third.reply).toBeUndefined();
    third.leave();
    expect([gate.slots.size, gate.timers.size]).toEqual([0, 0]);
  });

  test('are not waited for longer than said', async () => {
    const gate = gateOf({ max: 1, queue: 1, queueTimeout: '200ms' });
    const first = enter(gate);
    const second = enter(gate);
    gate.timers.fire();
    expect(await second.reply).toMatchObject({ code: 'overloaded', reason: 'no slot within 200ms' });
    second.leave();
    first.leave();
    expect(gate.slots.size).toBe(0);
  });

  test('are not taken by who left the line', async () => {
    const gate = gateOf({ max: 1, queue: 2, queueTimeout: '1s' });
    const first = enter(gate);
    const [second, third] = [enter(gate), enter(gate)];
    second.leave();
    first.leave();
    await second.reply;
    expect(await third.reply).toBeUndefined();
    third.leave();
    expect(gate.slots.size).toBe(0);
  });

  test('are those of the place, or of each key', () => {
    const slots = new MemorySlots(new Timers());
    const one = { max: 1 };
    expect(enter(gateOf(one, slots)).reply).toBeUndefined();
    expect(enter(gateOf(one, slots)).reply).toBeDefined();
    expect(enter(gateOf(one, slots, { scope: 'route', name: 'b' })).reply).toBeUndefined();
    expect(enter(gateOf(one, slots, { scope: 'service', name: 'a' })).reply).toBeUndefined();
    const keyed = gateOf({ max: 1, key: 'ip' });
    expect(enter(keyed, { clientAddress: '192.0.2.1' }).reply).toBeUndefined();
    expect(enter(keyed, { clientAddress: '192.0.2.2' }).reply).toBeUndefined();
    expect(enter(keyed, { clientAddress: '192.0.2.1' }).reply).toBeDefined();
  });

  test('that are held under one configuration count under the next', () => {
    const before = gateOf({ max: 2 });
    const held = enter(before);
    const after = gateOf({ max: 1 }, before.slots);
    expect(enter(after).reply).toBeDefined();
    held.leave();
    expect(enter(after).reply).toBeUndefined();
  });
});

describe('several in one list', () => {
  const two = [{ max: 2 }, { max: 1, queue: 1, key: { header: 'x-a' } }];

  test('all apply, and who is refused by one holds nothing of the others', async () => {
    const gate = gateOf([{ max: 1, key: { header: 'x-a' } }, { max: 1 }]);
    const a = enter(gate, { headers: { 'x-a': 'a' } });
    expect(a.reply).toBeUndefined();
    expect(enter(gate, { headers: { 'x-a': 'b' } }).reply).toBeDefined();
    a.leave();
    expect(gate.slots.size).toBe(0);
    expect(enter(gate, { headers: { 'x-a': 'b' } }).reply).toBeUndefined();
  });

  test('are asked one after another, and who leaves between them asks no more', async () => {
    const gate = gateOf([two[1], { max: 1 }]);
    const a = enter(gate);
    const b = enter(gate);
    expect(b.reply).toBeInstanceOf(Promise);
    // The slot is handed to `b`, which leaves before it can go on to the next.
    a.leave();
    b.leave();
    expect(await b.reply).toBeUndefined();
    expect(gate.slots.size).toBe(0);
  });
});

test('never more than max hold a slot, and none is lost, whatever comes and goes', async () => {
  const steps = fc.array(fc.constantFrom('enter', 'leave first', 'leave last', 'time out'), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 2 }),
      async (list, max, queue) => {
        const gate = gateOf({ max, queue });
        const there: ReturnType<typeof enter>[] = [];
        const through = new Set<unknown>();
        for (const step of list) {
          if (step === 'time out') gate.timers.fire();
          else if (step === 'enter') {
            const one = enter(gate);
            there.push(one);
            void Promise.resolve(one.reply).then((reply) => {
              if (reply === undefined && there.includes(one)) through.add(one);
            });
          } else {
            const one = step === 'leave first' ? there.shift() : there.pop();
            through.delete(one);
            one?.leave();
          }
          for (let i = 0; i < 4; i++) await null;
          expect(through.size).toBeLessThanOrEqual(max);
        }
        for (const one of there) one.leave();
        expect([gate.slots.size, gate.timers.size]).toEqual([0, 0]);
      },
    ),
    { numRuns: 60 },
  );
});

test.each([
  {},
  { max: 0 },
  { max: 1.5 },
  { max: 1, queue: -1 },
  { max: 1, queueTimeout: '0ms' },
  { max: 1, key: 'nobody' },
  { max: 1, key: { expression: 'request.pth' } },
])('%j are no options', (options) => {
  expect(concurrency.schema.safeParse(options).success).toBe(false);
});

test('says for people what it does', () => {
  expect(gateOf({ max: 2, queue: 10, queueTimeout: '200ms' }).hooks.effect).toBe(
    '2 at once, all together; 10 more wait up to 200ms',
  );
  expect(gateOf([{ max: 2 }, { max: 1, key: 'ip' }]).hooks.effect).toBe(
    '2 at once, all together; others are refused; and 1 at once, by address; others are refused',
  );
});
