/** `ipFilter`: which addresses get through. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCidrSet } from '../../base/ip.ts';
import { exchangeOf, servicesOf } from '../../pipeline/policy.test.support.ts';
import { ipFilter } from './index.ts';

function passes(options: object, ...addresses: string[]): boolean[] {
  const hooks = ipFilter.create(ipFilter.schema.parse(options), servicesOf());
  return addresses.map((clientAddress) => hooks.onRequest?.(exchangeOf({ clientAddress })) === undefined);
}

describe('an address', () => {
  const office = { allow: ['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'] };
  test.each<[object, string[], string[]]>([
    [
      office,
      ['10.0.0.0', '10.255.255.255', '192.0.2.9', '2001:db8:ffff::1', '::ffff:10.1.2.3'],
      ['9.255.255.255', '11.0.0.0', '192.0.3.0', '2001:db9::', '::ffff:11.0.0.1', '::1'],
    ],
    [{ deny: ['10.0.0.0/8'] }, ['192.0.2.1', '2001:db8::1'], ['10.0.0.1', '::ffff:10.0.0.1', '', 'unix', '10.0.0.01']],
    [{ ...office, deny: ['10.6.0.0/16'] }, ['10.5.0.1'], ['10.6.0.1', '172.16.0.1']],
    [{ allow: ['10.0.0.1'], deny: ['0.0.0.0/0'] }, [], ['10.0.0.1']],
    [{ allow: ['::ffff:10.0.0.0/104'] }, ['10.1.1.1'], ['11.1.1.1']],
    [{ allow: ['0.0.0.0/0'] }, ['1.2.3.4'], ['::1', '', '1.2.3.4.5', 'a']],
  ])('by %j', (options, through, refused) => {
    expect(passes(options, ...through)).toEqual(through.map(() => true));
    expect(passes(options, ...refused)).toEqual(refused.map(() => false));
  });

  test('is let through exactly where it is allowed and not denied', () => {
    const cidr = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, prefix]) => `${ip}/${prefix}`);
    const lists = fc.array(cidr, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(lists, lists, fc.ipV4(), (allow, deny, ip) => {
        const [through] = passes({ allow, deny }, ip);
        const one = (range: string): boolean => createCidrSet([range]).contains(ip);
        expect(through).toBe(allow.some(one) && !deny.some(one));
      }),
    );
  });

  test('that is refused is told nothing of the lists', () => {
    const hooks = ipFilter.create(ipFilter.schema.parse(office), servicesOf());
    const reply = hooks.onRequest?.(exchangeOf({ clientAddress: '203.0.113.9' }));
    expect(reply).toMatchObject({
      code: 'forbidden',
      detail: 'requests from this address are not served',
      reason: 'the address is not among those that are allowed',
    });
  });
});

test.each([
  {},
  { allow: [] },
  { deny: [] },
  { allow: ['10.0.0.0/33'] },
  { allow: ['a.example'] },
  { allow: '10.0.0.1' },
])('%j are no options', (options) => {
  expect(ipFilter.schema.safeParse(options).success).toBe(false);
});

test('says for people what it does', () => {
  const options = ipFilter.schema.parse({ allow: ['10.0.0.0/8'], deny: ['10.6.6.6', '10.7.0.0/16'] });
  expect(ipFilter.create(options, servicesOf()).effect).toBe('allows 10.0.0.0/8; denies 10.6.6.6, 10.7.0.0/16');
});
