/** `concurrency`: how many requests at once, with a line of bounded length before them. */
import { z } from 'zod';
import { formatDuration } from '../../base/duration.ts';
import { duration, wholeNumber } from '../../config/scalar-schema.ts';
import {
  definePolicy,
  type PolicyExchange,
  type PolicyPlace,
  type PolicyServices,
  type Reply,
} from '../../pipeline/policy.ts';
import { createRequestKey, oneKey, type RequestKey, requestKeySchema } from '../../pipeline/request-key.ts';
import type { SlotOutcome, SlotRule, SlotWish } from '../../state/slots.ts';

const MOST = 1_000_000;

const schema = z
  .strictObject({
    max: wholeNumber(1, MOST).describe('Requests at once'),
    queue: wholeNumber(0, MOST).default(0).describe('How many more may wait until one of them is over'),
    queueTimeout: duration(1, 3_600_000).prefault('1s').describe('How long each may wait'),
    key: requestKeySchema
      .optional()
      .describe('By what requests are told apart, as of `rateLimit`; without it all of the place count together'),
  })
  .describe('Bounds how many requests are under way at once; beyond it they wait, and then get 503.');

type ConcurrencyOptions = z.output<typeof schema>;

/** One use: the places of a key. */
interface Gate {
  readonly rule: SlotRule;
  /** Before the key of a request: the same in the next generation, so that what is under way still counts. */
  readonly prefix: string;
  readonly key: RequestKey;
  readonly full: Reply;
  readonly timedOut: Reply;
}

export const concurrency = definePolicy<ConcurrencyOptions>({
  name: 'concurrency',
  phase: 'meter',
  schema,
  create: (options, services) => createHooks([options], services),
  createAll: createHooks,
});

function createHooks(options: readonly ConcurrencyOptions[], services: PolicyServices) {
  const gates = options.map((one, index) => createGate(one, index, services));
  const { slots } = services.state;
  // An exchange is given back what it holds however it ends, so that nothing stays here.
  const held = new Map<PolicyExchange, SlotWish[]>();

  /** Asks for a slot of each gate from `index` on, one after another. */
  function enter(exchange: PolicyExchange, index: number): Reply | undefined | Promise<Reply | undefined> {
    for (let i = index; i < gates.length; i++) {
      const gate = gates[i];
      const wish = slots.wish(gate.prefix + gate.key.of(exchange), gate.rule);
      keep(exchange, wish);
      const { outcome } = wish;
      if (typeof outcome !== 'string') return later(exchange, outcome, i);
      if (outcome !== 'granted') return refuse(exchange, gate, outcome);
    }
    return undefined;
  }

  function later(exchange: PolicyExchange, outcome: Promise<SlotOutcome>, index: number): Promise<Reply | undefined> {
    return outcome.then((decided) => {
      // Whoever has left wants no slot of the next gate: nobody would give it back.
      if (!held.has(exchange)) return undefined;
      return decided === 'granted' ? enter(exchange, index + 1) : refuse(exchange, gates[index], decided);
    });
  }

  function keep(exchange: PolicyExchange, wish: SlotWish): void {
    const wishes = held.get(exchange);
    if (wishes === undefined) held.set(exchange, [wish]);
    else wishes.push(wish);
  }

  function leave(exchange: PolicyExchange): void {
    const wishes = held.get(exchange);
    if (wishes === undefined) return;
    held.delete(exchange);
    for (const wish of wishes) wish.release();
  }

  function refuse(exchange: PolicyExchange, gate: Gate, outcome: SlotOutcome): Reply {
    leave(exchange);
    return outcome === 'full' ? gate.full : gate.timedOut;
  }

  return {
    effect: gates.map(({ rule, key }) => effectOf(rule, key)).join('; and '),
    onRequest: (exchange: PolicyExchange) => enter(exchange, 0),
    onEnd: leave,
  };
}

function createGate(
  { max, queue, queueTimeout, key }: ConcurrencyOptions,
  index: number,
  { clock, place }: PolicyServices,
): Gate {
  const owner = ownerOf(place);
  return {
    rule: { max, queue, queueTimeout },
    prefix: `concurrency ${place.scope} ${place.name} ${index} `,
    key: key === undefined ? oneKey : createRequestKey(key, clock),
    full: overloaded(
      `${owner} has as many requests at once as it may have`,
      queue === 0 ? 'no slot' : 'the line is full',
    ),
    timedOut: overloaded(
      `${owner} had no room for the request in time`,
      `no slot within ${formatDuration(queueTimeout)}`,
    ),
  };
}

function ownerOf({ scope }: PolicyPlace): string {
  return scope === 'gateway' ? 'the gateway' : `the ${scope}`;
}

function overloaded(detail: string, reason: string): Reply {
  return { status: 0, headers: {}, body: '', code: 'overloaded', detail, reason };
}

function effectOf({ max, queue, queueTimeout }: SlotRule, { words }: RequestKey): string {
  const line = queue === 0 ? 'others are refused' : `${queue} more wait up to ${formatDuration(queueTimeout)}`;
  return `${max} at once, ${words}; ${line}`;
}
