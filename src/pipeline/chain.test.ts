/** Chains: who applies, in what order, and what ends them; and the header policies run through one. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { requestHeaders } from '../policies/request-headers/index.ts';
import { responseHeaders } from '../policies/response-headers/index.ts';
import { type Chain, Chains, type PolicyUse, runRequest } from './chain.ts';
import type { HeaderOperations } from './header-operations.ts';
import { PHASES, type Phase } from './phases.ts';
import { exchangeOf, servicesOf } from './policy.test.support.ts';
import { definePolicy, type Policy, type PolicyExchange, type PolicyHooks, type Reply } from './policy.ts';
import { SharedObjects } from './shared-objects.ts';

const services = servicesOf();
const shared = new SharedObjects();

/** The chains of these policies, and that of a route of these scopes. */
function compiled(
  policies: readonly Policy[],
  scopes: readonly (readonly PolicyUse[])[],
): { chains: Chains; chain: Chain } {
  const chains = new Chains({ policies: new Map(policies.map((one) => [one.name, one])), services, shared });
  const kinds = ['gateway', 'service', 'route'] as const;
  return {
    chains,
    chain: chains.compile(scopes.map((uses, i) => ({ place: { scope: kinds[i], name: `${i}` }, uses }))),
  };
}

function policy(name: string, phase: Phase, create: (options: unknown) => Omit<PolicyHooks, 'effect'>): Policy {
  return definePolicy({
    name,
    phase,
    schema: z.unknown(),
    create: (options) => ({ effect: `${name} ${JSON.stringify(options)}`, ...create(options) }),
  });
}

function chainOf(policies: readonly Policy[], scopes?: readonly (readonly string[])[]): Chain {
  return chainsOf(policies, scopes).chain;
}

function chainsOf(
  policies: readonly Policy[],
  scopes?: readonly (readonly string[])[],
): { chains: Chains; chain: Chain } {
  const names = scopes ?? [policies.map(({ name }) => name)];
  const uses = names.map((scope, depth) => scope.map((name) => ({ name, options: depth })));
  return compiled(policies, uses);
}

const ANSWER: Reply = { status: 418, headers: {}, body: 'short' };

/** What a request hook does: goes on, answers, or fails, each at once or later. */
const ends: Record<string, (() => ReturnType<NonNullable<PolicyHooks['onRequest']>>) | undefined> = {
  'goes on': () => undefined,
  'goes on later': () => Promise.resolve(undefined),
  answers: () => ANSWER,
  'answers later': () => Promise.resolve(ANSWER),
  throws: () => {
    throw new Error('broken');
  },
  rejects: () => Promise.reject(new Error('broken')),
  'has no hook': undefined,
};

describe('a chain', () => {
  test('has each policy once, in the order of phases and then of the scopes, with the options of the narrowest', () => {
    const all = [...PHASES].reverse().flatMap((phase) => [1, 2].map((i) => policy(`${phase}${i}`, phase, () => ({}))));
    const names = all.map(({ name }) => name);
    const { links } = chainOf(all, [names, ['meter2', 'edge2'], ['edge1', 'meter2']]);
    expect(links.map(({ name }) => name)).toEqual(PHASES.flatMap((phase) => [`${phase}1`, `${phase}2`]));
    expect(links.map(({ phase }) => phase)).toEqual(PHASES.flatMap((phase) => [phase, phase]));
    const options = Object.fromEntries(links.map(({ name, hooks }) => [name, hooks.effect.split(' ')[1]]));
    expect(options).toMatchObject({ edge1: '2', edge2: '1', meter1: '0', meter2: '2', answer2: '0' });
  });

  test('refuses a policy that nobody knows', () => {
    expect(() => chainOf([], [['nobody']])).toThrow('policy nobody: there is no such policy');
  });

  test('tells request, answer and end in one order, and only those who want to know', () => {
    const told: string[] = [];
    const tell = (
      name: string,
      ...hooks: ('onRequest' | 'onResponse' | 'onEnd' | 'close')[]
    ): Omit<PolicyHooks, 'effect'> =>
      Object.fromEntries(hooks.map((hook) => [hook, () => void told.push(`${hook} ${name}`)]));
    const { chains, chain } = chainsOf([
      policy('last', 'answer', () => tell('last', 'onResponse', 'onEnd')),
      policy('middle', 'shape', () => tell('middle', 'onRequest', 'close')),
      policy('first', 'edge', () => tell('first', 'onRequest', 'onResponse', 'onEnd', 'close')),
    ]);
    expect([chain.onRequest.length, chain.onResponse.length, chain.onEnd.length]).toEqual([2, 2, 2]);
    const exchange = exchangeOf();
    expect(runRequest(chain.onRequest, exchange)).toBeUndefined();
    for (const hooks of chain.onResponse) hooks.onResponse?.(exchange);
    for (const hooks of chain.onEnd) hooks.onEnd?.(exchange);
    chains.close();
    expect(told).toEqual([
      'onRequest first',
      'onRequest middle',
      'onResponse first',
      'onResponse last',
      'onEnd first',
      'onEnd last',
      'close middle',
      'close first',
    ]);
  });

  test('applies several uses of one list, each by itself or, where the policy wants it, all as one', () => {
    const each = policy('each', 'meter', () => ({}));
    const all: Policy = {
      ...policy('all', 'meter', () => ({})),
      createAll: (options) => ({ effect: `all ${options.join(' ')}` }),
    };
    const uses = (...options: number[]) =>
      options.flatMap((one) => ['each', 'all'].map((name) => ({ name, options: one })));
    const { chain } = compiled([each, all], [uses(1), uses(2, 3), []]);
    expect(chain.links.map(({ hooks }) => hooks.effect)).toEqual(['each 2', 'each 3', 'all 2 3']);
  });

  test('makes what stands on the gateway or a service once for all routes, and closes it once', () => {
    let made = 0;
    let closed = 0;
    const counted = policy('counted', 'meter', () => {
      made++;
      return { close: () => closed++ };
    });
    const chains = new Chains({ policies: new Map([['counted', counted]]), services, shared });
    const uses = [{ name: 'counted', options: null }];
    const chainAt = (scope: 'gateway' | 'service' | 'route', name: string): Chain =>
      chains.compile([{ place: { scope, name }, uses }]);
    for (const name of ['', '']) chainAt('gateway', name);
    for (const name of ['a', 'b', 'a']) chainAt('service', name);
    for (const name of ['a', 'b']) chainAt('route', name);
    expect(made).toBe(5);
    chains.close();
    chains.close();
    expect(closed).toBe(5);
  });

  test('shares objects by their key with the next generation, and closes them after the last', () => {
    const closed: string[] = [];
    const own = new SharedObjects();
    const made: object[] = [];
    const use: Policy = {
      ...policy('sharing', 'meter', () => ({})),
      create: (options, { share }) => {
        made.push(share(`sharing ${String(options)}`, () => ({ close: () => closed.push(String(options)) })));
        return { effect: '' };
      },
    };
    const generation = (...options: string[]): Chains => {
      const chains = new Chains({ policies: new Map([['sharing', use]]), services, shared: own });
      chains.compile([
        { place: { scope: 'route', name: 'r' }, uses: options.map((one) => ({ name: 'sharing', options: one })) },
      ]);
      return chains;
    };
    const first = generation('a', 'b', 'a');
    const second = generation('a', 'c');
    expect([made[0] === made[2], made[0] === made[3], made[0] === made[1], own.size]).toEqual([true, true, false, 3]);
    first.close();
    expect(closed).toEqual(['b']);
    second.close();
    expect([closed, own.size]).toEqual([['b', 'a', 'c'], 0]);
  });

  test('closes what a use had made when a later one of its list cannot be made, and lets go of what it shares', () => {
    const closed: unknown[] = [];
    const own = new SharedObjects();
    const fragile: Policy = {
      ...policy('fragile', 'meter', () => ({})),
      create: (options, { share }) => {
        share('fragile', () => ({}));
        if (options === 2) throw new Error('two');
        return { effect: '', close: () => closed.push(options) };
      },
    };
    const chains = new Chains({ policies: new Map([['fragile', fragile]]), services, shared: own });
    const uses = [1, 2].map((options) => ({ name: 'fragile', options }));
    expect(() => chains.compile([{ place: { scope: 'route', name: 'r' }, uses }])).toThrow('policy fragile: two');
    expect(closed).toEqual([1]);
    chains.close();
    expect([closed, own.size]).toEqual([[1], 0]);
  });

  const names = Object.keys(ends);
  const triples = names.flatMap((a) => names.flatMap((b) => names.map((c): [string, string, string] => [a, b, c])));

  test('runs request hooks to the first that answers or fails, without a promise while none needs one', async () => {
    for (const acts of triples) {
      const ran: number[] = [];
      const exchange = exchangeOf();
      const policies = acts.map((act, i) => {
        const end = ends[act];
        const onRequest = (given: PolicyExchange): ReturnType<NonNullable<PolicyHooks['onRequest']>> => {
          expect(given).toBe(exchange);
          ran.push(i);
          return end?.();
        };
        return policy(`p${i}`, 'guard', () => (end === undefined ? {} : { onRequest }));
      });
      const chain = chainOf(policies);
      let result: Reply | string | undefined;
      let promised = false;
      try {
        const given = runRequest(chain.onRequest, exchange);
        promised = given instanceof Promise;
        result = await given;
      } catch (error) {
        result = (error as Error).message;
      }
      const stop = acts.findIndex((act) => /^(?:answers|throws|rejects)/.test(act));
      const reached = stop < 0 ? acts : acts.slice(0, stop + 1);
      expect({ acts, ran, result, promised }).toEqual({
        acts,
        ran: reached.map((_, i) => i).filter((i) => acts[i] !== 'has no hook'),
        result: stop < 0 ? undefined : acts[stop].startsWith('answers') ? ANSWER : 'broken',
        promised: reached.some((act) => /later|rejects/.test(act)),
      });
    }
  });
});

describe.each([
  ['requestHeaders', requestHeaders, 'requestEdits', 'shape'],
  ['responseHeaders', responseHeaders, 'responseEdits', 'answer'],
] as const)('%s', (name, use, side, phase) => {
  const other = side === 'requestEdits' ? 'responseEdits' : 'requestEdits';

  /** The head after one use of the policy. */
  function applied(options: Partial<HeaderOperations>, head: string): string {
    const { chain } = compiled([use as unknown as Policy], [[{ name, options: use.schema.parse(options) }]]);
    expect(chain.links.map((link) => link.phase)).toEqual([phase]);
    const exchange = exchangeOf();
    // Twice, as two requests would have it: what is compiled once must not remember.
    for (const each of [exchangeOf(), exchange]) {
      expect(runRequest(chain.onRequest, each)).toBeUndefined();
      for (const hooks of chain.onResponse) hooks.onResponse?.(each);
    }
    expect([exchange[other].lines(), exchange[other].removed]).toEqual(['', []]);
    return exchange[side].filter(head) + exchange[side].lines();
  }

  const head = 'X-A: 1\r\nX-B: 2\r\nx-a: 3\r\n';
  const cases: [string, Partial<HeaderOperations>, string][] = [
    ['nothing changes nothing', {}, head],
    ['set replaces every line', { set: { 'X-A': '9' } }, 'X-B: 2\r\nX-A: 9\r\n'],
    ['set makes what was not there', { set: { 'X-C': '9' } }, `${head}X-C: 9\r\n`],
    ['set compares without case and keeps the case given', { set: { 'x-B': '9' } }, 'X-A: 1\r\nx-a: 3\r\nx-B: 9\r\n'],
    ['add puts one beside', { add: { 'x-B': '9' } }, `${head}x-B: 9\r\n`],
    ['remove leaves out every line', { remove: ['X-a'] }, 'X-B: 2\r\n'],
    ['remove of what is not there changes nothing', { remove: ['x'] }, head],
    ['remove goes before set', { remove: ['x-b'], set: { 'X-B': '9' } }, 'X-A: 1\r\nx-a: 3\r\nX-B: 9\r\n'],
    ['remove goes before add', { add: { 'X-A': '9' }, remove: ['x-a'] }, 'X-B: 2\r\nX-A: 9\r\n'],
    ['set goes before add', { add: { 'X-B': '9' }, set: { 'x-b': '8' } }, 'X-A: 1\r\nx-a: 3\r\nx-b: 8\r\nX-B: 9\r\n'],
    [
      'all together',
      { add: { 'X-A': '7', 'X-D': '8' }, set: { 'X-A': '9' }, remove: ['X-B', 'X-A'] },
      'X-A: 9\r\nX-A: 7\r\nX-D: 8\r\n',
    ],
    ['an empty value is one', { set: { 'X-B': '' } }, 'X-A: 1\r\nx-a: 3\r\nX-B: \r\n'],
  ];

  test.each(cases)('%s', (_, options, expected) => {
    expect(applied(options, head)).toBe(expected);
  });

  const refused: [string, unknown][] = [
    ...['Content-Length', 'transfer-encoding', 'Connection', 'HOST', 'te', 'Upgrade', 'trailer'].flatMap(
      (owned): [string, unknown][] => [
        [`set ${owned}`, { set: { [owned]: '1' } }],
        [`add ${owned}`, { add: { [owned]: '1' } }],
        [`remove ${owned}`, { remove: [owned] }],
      ],
    ),
    ['a name with a space', { set: { 'x a': '1' } }],
    ['no name', { remove: [''] }],
    ['a line feed in a value', { set: { 'X-A': 'a\r\nX-B: 1' } }],
    ['a NUL in a value', { add: { 'X-A': 'a\0' } }],
    ['text beyond latin1', { add: { 'X-A': '\u0161' } }],
    ['another operation', { append: { 'X-A': '1' } }],
  ];

  test.each(refused)('does not take %s', (_, options) => {
    expect(use.schema.safeParse(options).success).toBe(false);
  });

  test('comes after what policies before it did', () => {
    const edit = (exchange: PolicyExchange): undefined => {
      exchange[side].set('X-A', 'before');
      exchange[side].add('X-B', 'before');
    };
    const before = policy('before', 'edge', () => ({ [side === 'requestEdits' ? 'onRequest' : 'onResponse']: edit }));
    const options = use.schema.parse({ set: { 'x-b': '9' }, add: { 'x-a': '8' } });
    const { chain } = compiled(
      [use as unknown as Policy, before],
      [[{ name, options }], [{ name: 'before', options: {} }]],
    );
    const exchange = exchangeOf();
    runRequest(chain.onRequest, exchange);
    for (const hooks of chain.onResponse) hooks.onResponse?.(exchange);
    expect(exchange[side].filter(head) + exchange[side].lines()).toBe('X-A: before\r\nx-b: 9\r\nx-a: 8\r\n');
  });

  test('says for people what it does', () => {
    const effectOf = (options: Partial<HeaderOperations>): string =>
      use.create(use.schema.parse(options), services).effect;
    expect(effectOf({})).toBe('changes nothing');
    expect(effectOf({ add: { C: '3' }, set: { A: '1', B: '2' }, remove: ['x', 'y'] })).toBe(
      'removes x, y; sets A: 1, B: 2; adds C: 3',
    );
  });
});
