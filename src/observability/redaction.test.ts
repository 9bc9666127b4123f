/** Named values are hidden wherever they stand, and nothing else is. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redaction } from './redaction.ts';

const redaction = new Redaction(['X-Api-Key', 'Cookie', 'session', 'key']);

describe('redaction', () => {
  it.each([
    ['', ''],
    ['a=b', 'a=b'],
    ['session=1', 'session=[redacted]'],
    ['SESSION=1', 'SESSION=[redacted]'],
    ['a=b&session=1&c=d', 'a=b&session=[redacted]&c=d'],
    ['session=1&session=2', 'session=[redacted]&session=[redacted]'],
    ['session=', 'session=[redacted]'],
    ['session=a=b', 'session=[redacted]'],
    ['session', 'session'],
    ['flag&session=1', 'flag&session=[redacted]'],
    ['flag;session=1;x', 'flag;session=[redacted];x'],
    ['&&session=1&&', '&&session=[redacted]&&'],
    ['=&session=1', '=&session=[redacted]'],
    ['=x=session=1', '=x=session=1'],
    ['my-session=1&sessions=2', 'my-session=1&sessions=2'],
    ['%73ession=1', '%73ession=[redacted]'],
    ['%53ESSION=1', '%53ESSION=[redacted]'],
    ['%zz%73ession=1', '%zz%73ession=1'],
    ['%20session=1', '%20session=1'],
    [' session =1', ' session =[redacted]'],
    ['access_token=1', 'access_token=[redacted]'],
    ['a=1; session=2; b=3', 'a=1; session=[redacted]; b=3'],
  ])('turns the list %j into %j', (list, shown) => {
    expect(redaction.query(list)).toBe(shown);
  });

  it('hides headers by name without regard to case, and the ones that are nothing but secrets always', () => {
    for (const name of ['x-api-key', 'X-API-KEY', 'cookie', 'Authorization', 'proxy-authorization']) {
      expect([name, redaction.hides(name)]).toEqual([name, true]);
    }
    expect(redaction.hides('host')).toBe(false);
    expect(new Redaction([]).hides('authorization')).toBe(true);
  });

  it('hides the cookies named where the Cookie field itself is shown, and parameters in a Referer', () => {
    const some = new Redaction(['session']);
    expect(some.header('cookie', 'a=1; session=2')).toBe('a=1; session=[redacted]');
    expect(some.header('referer', 'https://a.example/?session=2#x')).toBe('https://a.example/?session=[redacted]');
    expect(some.header('referer', 'https://a.example/session=2')).toBe('https://a.example/session=2');
    expect(some.header('x-other', 'session=2')).toBe('session=2');
  });

  it('leaves everything but the values of hidden names as it is', () => {
    const name = fc.constantFrom('session', 'key', 'a', 'longer-name', '', 'sess%69on');
    const parts = fc.array(fc.tuple(name, fc.stringMatching(/^[a-z=]{0,5}$/)));
    fc.assert(
      fc.property(parts, (pairs) => {
        const hidden = (key: string): boolean => key === 'session' || key === 'key' || key === 'sess%69on';
        const list = pairs.map(([key, value]) => `${key}=${value}`).join('&');
        const shown = pairs.map(([key, value]) => `${key}=${hidden(key) ? '[redacted]' : value}`).join('&');
        expect(redaction.query(list)).toBe(shown);
      }),
    );
  });
});
