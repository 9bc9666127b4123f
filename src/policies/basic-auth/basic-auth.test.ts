/** Passwords are checked in turns, so that nobody's guesses keep the others waiting. */
import { scryptSync } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import type { AuthenticationOutcome } from '../../pipeline/authentication.ts';
import { exchangeOf, manualClock, servicesOf } from '../../pipeline/policy.test.support.ts';
import { basicAuth } from './index.ts';
import { MAX_WAITING, MAX_WAITING_OF_ONE, PATIENCE, PasswordDesk, startPasswordThread } from './password-desk.ts';
import type { PasswordQuestion } from './password-thread.ts';

const hashOf = (password: string, salt = 'salt-salt'): string => {
  const digest = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  return `scrypt$1024$8$1$${Buffer.from(salt).toString('base64')}$${digest.toString('base64')}`;
};

let clock = manualClock();
let asked: PasswordQuestion[] = [];
let started = 0;
/** What the thread said last, to be said by the test. */
let answer: (isRight: boolean) => void;
let fail: (error: Error) => void;

beforeEach(() => {
  clock = manualClock();
  asked = [];
  started = 0;
});

function desk(): PasswordDesk {
  return new PasswordDesk(clock, silentLogger, (onAnswer, onFailure) => {
    started++;
    answer = onAnswer;
    fail = onFailure;
    return { ask: (question) => void asked.push(question), close: () => {} };
  });
}

describe('PasswordDesk', () => {
  test('asks about one password after another, in their order', async () => {
    const one = desk();
    const verdicts = ['a', 'b', 'c'].map((password) => one.verify('ann', password, 'hash', '::1'));
    for (const isRight of [false, true, false]) answer(isRight);
    expect(await Promise.all(verdicts)).toEqual(['wrong', 'right', 'wrong']);
    expect(asked.map(({ password }) => password)).toEqual(['a', 'b', 'c']);
    expect(started).toBe(1);
  });

  test('asks once about what comes several times at once', async () => {
    const one = desk();
    const verdicts = Array.from({ length: 20 }, () => one.verify('ann', 'a', 'hash', '::1'));
    answer(true);
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['right']));
    expect(asked).toHaveLength(1);
  });

  test.each([
    [true, 'right', 300_000],
    [false, 'wrong', 60_000],
  ])('remembers %s for its time', async (isRight, verdict, time) => {
    const one = desk();
    const first = one.verify('ann', 'a', 'hash', '::1');
    answer(isRight);
    await first;
    clock.tick(time - 1);
    expect(one.verify('ann', 'a', 'hash', '::2')).toBe(verdict);
    clock.tick(1);
    expect(one.verify('ann', 'a', 'hash', '::2')).toBeInstanceOf(Promise);
  });

  test.each([
    ['bob', 'a', 'hash'],
    ['ann', 'b', 'hash'],
    ['ann', 'a', 'other'],
    ['an', 'na', 'hash'],
    ['ann","a', '', 'hash'],
  ])('remembers nothing of %s, %s, %s', async (name, password, hash) => {
    const one = desk();
    const first = one.verify('ann', 'a', 'hash', '::1');
    answer(true);
    await first;
    expect(one.verify(name, password, hash, '::1')).toBeInstanceOf(Promise);
  });

  test('lets one client wait with few passwords, and others beside it', () => {
    const one = desk();
    // The first one is being checked and does not wait.
    for (let i = 0; i <= MAX_WAITING_OF_ONE; i++)
      expect(one.verify('ann', `a${i}`, 'h', '::1')).toBeInstanceOf(Promise);
    expect(one.verify('ann', 'more', 'h', '::1')).toBe('busy');
    // Of addresses of IPv6 whoever has one has very many.
    expect(one.verify('ann', 'more', 'h', '::2:3:4')).toBe('busy');
    expect(one.verify('ann', 'more', 'h', '0:0:0:1::1')).toBeInstanceOf(Promise);
  });

  test('lets so many wait as it has room for, and has room again afterwards', async () => {
    const one = desk();
    for (let i = 0; i <= MAX_WAITING; i++) one.verify('ann', `a${i}`, 'h', `192.0.2.${i}`);
    expect(one.verify('ann', 'more', 'h', '198.51.100.1')).toBe('busy');
    answer(false);
    expect(one.verify('ann', 'more', 'h', '198.51.100.1')).toBeInstanceOf(Promise);
  });

  test('does not check what has waited too long', async () => {
    const one = desk();
    const first = one.verify('ann', 'a', 'h', '::1');
    const second = one.verify('ann', 'b', 'h', '::1');
    clock.tick(PATIENCE + 1);
    const third = one.verify('ann', 'c', 'h', '::1');
    answer(true);
    expect(await Promise.all([first, second])).toEqual(['right', 'busy']);
    answer(false);
    expect(await third).toBe('wrong');
    expect(asked.map(({ password }) => password)).toEqual(['a', 'c']);
  });

  test('begins a new thread when one fails, and knows nothing of what that was to check', async () => {
    const one = desk();
    const first = one.verify('ann', 'a', 'h', '::1');
    const second = one.verify('ann', 'b', 'h', '::1');
    fail(new Error('gone'));
    answer(true);
    expect(await Promise.all([first, second])).toEqual(['busy', 'right']);
    expect(started).toBe(2);
    expect(one.verify('ann', 'a', 'h', '::1')).toBeInstanceOf(Promise);
  });

  test('leaves nobody waiting when it is closed', async () => {
    const one = desk();
    const verdicts = ['a', 'b'].map((password) => one.verify('ann', password, 'h', '::1'));
    one.close();
    expect(await Promise.all(verdicts)).toEqual(['busy', 'busy']);
  });

  test('with its real thread knows right from wrong, and outlives a question that is none', async () => {
    const one = new PasswordDesk(clock, silentLogger, startPasswordThread);
    try {
      const bcrypt = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
      const verdicts = [
        one.verify('ann', 'sesame', hashOf('sesame'), '::1'),
        one.verify('ann', 'Sesame', hashOf('sesame'), '::1'),
        one.verify('bob', 'U*U', bcrypt, '::1'),
        one.verify('bob', 'U*V', bcrypt, '::1'),
        one.verify('eve', 'x', 'no hash', '::1'),
        one.verify('eve', 'sesame', hashOf('sesame'), '::1'),
      ];
      expect(await Promise.all(verdicts)).toEqual(['right', 'wrong', 'right', 'wrong', 'busy', 'right']);
    } finally {
      one.close();
    }
  });
});

describe('basicAuth', () => {
  const users = [
    { name: 'ann', passwordHash: hashOf('sesame'), roles: ['admin', 'dev'], tier: 'pro' },
    { name: 'J\u00fcrgen M', passwordHash: hashOf('p:w') },
  ];

  function create(given: object = { users }) {
    const one = desk();
    const services = servicesOf({ clock, share: (_, _make) => one as never });
    return basicAuth.create(basicAuth.schema.parse(given), services);
  }

  const field = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  async function find(text: string, isRight: boolean, one = create()): Promise<AuthenticationOutcome> {
    const outcome = one.authenticate(exchangeOf({ headers: { authorization: field(text) } }));
    if (outcome instanceof Promise) answer(isRight);
    return outcome;
  }

  test('knows users', async () => {
    expect(await find('ann:sesame', true)).toMatchObject({
      kind: 'basicAuth',
      subject: 'ann',
      roles: ['admin', 'dev'],
      tier: 'pro',
      consumer: null,
    });
    expect(asked).toEqual([{ password: 'sesame', hash: users[0].passwordHash }]);
  });

  test.each(['J\u00fcrgen M:p:w', 'Ju\u0308rgen M:p:w'])('knows %j however it is composed', async (text) => {
    expect(await find(text, true)).toMatchObject({ subject: 'J\u00fcrgen M' });
    expect(asked).toEqual([{ password: 'p:w', hash: users[1].passwordHash }]);
  });

  test('refuses a wrong password, and says whose only to the log', async () => {
    expect(await find('ann:wrong', false)).toEqual({ reason: 'not the password of ann' });
  });

  test.each(['', 'nobody', 'ANN', 'ann ', '__proto__', 'constructor'])(
    'checks a password for %j, whom nobody knows, and refuses even the right one of another',
    async (name) => {
      expect(await find(`${name}:sesame`, true)).toEqual({ reason: 'no user has this name' });
      expect(users.map(({ passwordHash }) => passwordHash)).toContain(asked[0].hash);
    },
  );

  test('checks it for a name always by one hash, and for many names by all of them', async () => {
    const one = create();
    for (let i = 0; i < 60; i++) await find(`nobody${i}:x`, false, one);
    for (let i = 0; i < 60; i++) await find(`nobody${i}:y`, false, one);
    const hashes = asked.map(({ hash }) => hash);
    expect(hashes.slice(0, 60)).toEqual(hashes.slice(60));
    expect(new Set(hashes).size).toBe(2);
  });

  test('refuses with 503 what cannot be checked', async () => {
    const one = create();
    const outcome = one.authenticate(exchangeOf({ headers: { authorization: field('ann:sesame') } }));
    fail(new Error('gone'));
    expect(await outcome).toMatchObject({ code: 'overloaded' });
  });

  test.each<[string | undefined, boolean, string]>([
    [undefined, false, 'no name and password'],
    ['Bearer YTpi', false, 'no name and password'],
    ['Basically YTpi', false, 'no name and password'],
    ['Basic', true, 'the name and password are malformed'],
    ['Basic ann:sesame', true, 'the name and password are malformed'],
    [`${field('ann:sesame')}, ${field('ann:sesame')}`, true, 'the name and password are malformed'],
  ])('takes %j for present: %s; %s', (authorization, isPresent, reason) => {
    const one = create();
    const exchange = exchangeOf({ headers: authorization === undefined ? {} : { authorization } });
    expect(one.isPresent(exchange)).toBe(isPresent);
    expect(one.authenticate(exchange)).toEqual({ reason });
    expect(asked).toEqual([]);
  });

  test('asks for credentials in UTF-8, and tells of itself without naming users', () => {
    const { challenge, effect } = create();
    expect(challenge).toBe('Basic realm="portico", charset="UTF-8"');
    expect(effect).toBe('finds out who calls by name and password; knows 2 users');
  });

  const hash = hashOf('x');
  test.each<[object, string, RegExp]>([
    [{ users: [] }, 'users', /./],
    [{ users: [{ name: 'a:b', passwordHash: hash }] }, 'users.0.name', /colon/],
    [{ users: [{ name: 'a\u0007', passwordHash: hash }] }, 'users.0.name', /control/],
    [{ users: [{ name: '', passwordHash: hash }] }, 'users.0.name', /./],
    [{ users: [{ name: 'a', passwordHash: 'hunter2' }] }, 'users.0.passwordHash', /must be a hash of scrypt/],
    [
      { users: [{ name: 'a', passwordHash: '$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' }] },
      'users.0.passwordHash',
      /a cost/,
    ],
    [{ users: [{ name: 'a', passwordHash: 5 }] }, 'users.0.passwordHash', /quoted/],
    [{ users: [{ name: 'a', password: 'hunter2', passwordHash: hash }] }, 'users.0', /./],
    [
      {
        users: [
          { name: '\u00fc', passwordHash: hash },
          { name: 'u\u0308', passwordHash: hash },
        ],
      },
      'users.1.name',
      /before it/,
    ],
  ])('%j is refused', (options, path, message) => {
    const { error } = basicAuth.schema.safeParse(options);
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
    expect(error?.issues[0].message).toMatch(message);
    expect(error?.message).not.toContain('hunter2');
  });

  test('a tier that is not there is found', () => {
    const config = { tiers: { free: { rate: 1, per: 1000, quotas: {} } }, roles: {}, consumers: [] };
    expect(basicAuth.check?.(basicAuth.schema.parse({ users }), config)).toMatchObject([
      { code: 'unknown_tier', path: ['users', 0, 'tier'], known: ['free'] },
    ]);
  });
});
