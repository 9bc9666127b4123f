/** Who guesses at the admin token is slowed down and told of, and nobody else is. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { silentLogger } from '../base/logger.ts';
import { createTokenGuard } from './auth.ts';

class TestClock implements Clock {
  time = 0;
  now = (): number => this.time;
  wall = (): number => this.time;
}

interface Line {
  message: string;
  fields: LogFields | undefined;
}

function recorder(lines: Line[]): Logger {
  return { ...silentLogger, warn: (message, fields) => void lines.push({ message, fields }) };
}

const TOKEN = 's3cret-token';

describe('the token guard', () => {
  it.each([
    [`Bearer ${TOKEN}`, 'accepted'],
    [`bearer   ${TOKEN}`, 'accepted'],
    [undefined, 'missing'],
    ['', 'wrong'],
    ['Bearer', 'wrong'],
    ['Bearer ', 'wrong'],
    [TOKEN, 'wrong'],
    [`Basic ${TOKEN}`, 'wrong'],
    [`Bearer ${TOKEN}x`, 'wrong'],
    [`Bearer ${TOKEN.slice(1)}`, 'wrong'],
    [`Bearer ${TOKEN} `, 'wrong'],
    [`Bearer ${TOKEN.toUpperCase()}`, 'wrong'],
    [`Bearer ${TOKEN}, Bearer ${TOKEN}`, 'wrong'],
  ])('says of %j: %s', (authorization, verdict) => {
    expect(createTokenGuard(TOKEN, new TestClock(), silentLogger).check(authorization, '127.0.0.1')).toBe(verdict);
  });

  it('lets one address guess ten times, then once a second, and refuses even the right token meanwhile', () => {
    const clock = new TestClock();
    const guard = createTokenGuard(TOKEN, clock, silentLogger);
    for (let i = 0; i < 10; i++) expect(guard.check('Bearer x', '10.0.0.1')).toBe('wrong');
    expect(guard.check('Bearer x', '10.0.0.1')).toBe('limited');
    expect(guard.check(`Bearer ${TOKEN}`, '10.0.0.1')).toBe('limited');
    expect(guard.check(`Bearer ${TOKEN}`, '10.0.0.2')).toBe('accepted');
    clock.time = 999;
    expect(guard.check('Bearer x', '10.0.0.1')).toBe('limited');
    clock.time = 1000;
    expect(guard.check('Bearer x', '10.0.0.1')).toBe('wrong');
    expect(guard.check('Bearer x', '10.0.0.1')).toBe('limited');
    clock.time = 2000;
    expect(guard.check(`Bearer ${TOKEN}`, '10.0.0.1')).toBe('accepted');
  });

  it('does not count a missing token as a guess', () => {
    const guard = createTokenGuard(TOKEN, new TestClock(), silentLogger);
    for (let i = 0; i < 50; i++) guard.check(undefined, '10.0.0.1');
    expect(guard.check(`Bearer ${TOKEN}`, '10.0.0.1')).toBe('accepted');
  });

  it('forgets the address that failed longest ago when too many fail', () => {
    const guard = createTokenGuard(TOKEN, new TestClock(), silentLogger);
    for (let i = 0; i < 10; i++) guard.check('Bearer x', 'first');
    for (let i = 0; i < 10; i++) guard.check('Bearer x', 'second');
    for (let i = 0; i < 1023; i++) guard.check('Bearer x', `other-${i}`);
    expect(guard.check(`Bearer ${TOKEN}`, 'first')).toBe('accepted');
    expect(guard.check(`Bearer ${TOKEN}`, 'second')).toBe('limited');
  });

  it('logs who guessed, at most once a second, and never what was guessed', () => {
    const lines: Line[] = [];
    const clock = new TestClock();
    const guard = createTokenGuard(TOKEN, clock, recorder(lines));
    for (let i = 0; i < 5; i++) guard.check('Bearer my-guess', '10.0.0.1');
    clock.time = 1000;
    guard.check('Bearer my-guess', '10.0.0.2');
    expect(lines.map((line) => line.fields)).toEqual([
      { client: '10.0.0.1', more_since_last: 0 },
      { client: '10.0.0.2', more_since_last: 4 },
    ]);
    expect(JSON.stringify(lines)).not.toContain('my-guess');
  });
});
