/** Addresses and ranges agree with what the system makes of them, and odd spellings are refused. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCidrSet, normalizeIp, parseCidr, parseIpv4, siteOf } from './ip.ts';

describe('parsing', () => {
  test.each([
    ['0.0.0.0', 0],
    ['10.1.2.3', 0x0a010203],
    ['255.255.255.255', 0xffffffff],
  ])('%s', (text, bits) => {
    expect(parseIpv4(text)).toBe(bits);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.04',
    '00.0.0.0',
    '256.1.1.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1..3.4',
    '.1.2.3',
    '1.2.3.',
    '0x1.2.3.4',
    '1.2.3.+4',
    '16909060',
    '1.2.3.4:80',
    ':',
    ':::',
    '::1::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    '::g',
    '::1%eth0',
    '[::1]',
    '::1.2.3',
    '::1.2.3.4.5',
    '::01.2.3.4',
    '1:2:3:4:5:6:7:1.2.3.4',
    '1.2.3.4::',
    '::1/128',
    'unknown',
    '_hidden',
    '1'.repeat(10_000),
    ':'.repeat(10_000),
  ])('%j is no address', (text) => {
    expect(normalizeIp(text)).toBe(null);
  });

  const nearAddress = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcf.:'), maxLength: 24 }),
    fc.tuple(fc.ipV6(), fc.nat({ max: 40 }), fc.constantFrom('', ':', '.', '0', '::')).map(([text, at, put]) => {
      return text.slice(0, at) + put + text.slice(at + 1);
    }),
  );

  test('it takes what the system takes', () => {
    fc.assert(
      fc.property(nearAddress, (text) => {
        expect(normalizeIp(text) !== null).toBe(isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 3000 },
    );
  });

  test('normal forms are stable and compare equal as URLs do', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const normal = normalizeIp(text);
        expect(normal).not.toBe(null);
        expect(normalizeIp(normal!)).toBe(normal);
        if (normal!.includes(':')) expect(`[${normal}]`).toBe(new URL(`http://[${text}]`).hostname);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:1:0:0:0:1:0', '0:0:1::1:0'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['::', '::'],
    ['1::', '1::'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['::10.0.0.1', '::a00:1'],
  ])('%s is written %s', (text, expected) => {
    expect(normalizeIp(text)).toBe(expected);
  });
});

describe('ranges', () => {
  test.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0/8',
    '::/129',
    '::1/-1',
    '/8',
    '10.0.0.0/8/8',
    '::ffff:0:0/95x',
  ])('%j is no range', (text) => {
    expect(parseCidr(text)).toBe(null);
    expect(() => createCidrSet([text])).toThrow(TypeError);
  });

  test.each([
    [['10.0.0.0/8'], '10.255.0.1', true],
    [['10.0.0.0/8'], '11.0.0.0', false],
    [['10.9.8.7/8'], '10.0.0.1', true],
    [['10.0.0.0/8'], '::ffff:10.1.1.1', true],
    [['::ffff:10.0.0.0/104'], '10.1.1.1', true],
    [['::ffff:10.0.0.0/104'], '11.1.1.1', false],
    [['0.0.0.0/0'], '255.255.255.255', true],
    [['0.0.0.0/0'], '::1', false],
    [['::/0'], '1.2.3.4', false],
    [['::/0'], 'fe80::1', true],
    [['192.0.2.7'], '192.0.2.7', true],
    [['192.0.2.7'], '192.0.2.8', false],
    [['2001:db8::/33'], '2001:db8:7fff::1', true],
    [['2001:db8::/33'], '2001:db8:8000::1', false],
    [['fe80::/10', '::1'], '::1', true],
    [['10.0.0.0/8'], 'not an address', false],
    [['10.0.0.0/8'], '', false],
    [[], '10.0.0.1', false],
    [['10.0.0.0/9', '10.128.0.0/9', '10.0.0.0/24'], '10.200.0.1', true],
  ])('%j contains %s: %s', (cidrs, ip, expected) => {
    expect(createCidrSet(cidrs).contains(ip)).toBe(expected);
  });

  test('it says what the system’s block list says', () => {
    const octet = fc.constantFrom(0, 1, 10, 127, 128, 255);
    const v4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
    const group = fc.constantFrom('0', '1', 'db8', '7fff', '8000', 'ffff');
    const v6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => `2001:${groups.slice(1).join(':')}`);
    const ranges4 = fc.array(fc.tuple(v4, fc.integer({ min: 1, max: 32 })), { maxLength: 6 });
    const ranges6 = fc.array(fc.tuple(v6, fc.integer({ min: 4, max: 128 })), { maxLength: 4 });
    fc.assert(
      fc.property(ranges4, ranges6, fc.array(fc.oneof(v4, v6), { minLength: 1 }), (list4, list6, addresses) => {
        const reference = new BlockList();
        for (const [net, prefix] of list4) reference.addSubnet(net, prefix, 'ipv4');
        for (const [net, prefix] of list6) reference.addSubnet(net, prefix, 'ipv6');
        const set = createCidrSet([...list4, ...list6].map(([net, prefix]) => `${net}/${prefix}`));
        for (const ip of addresses) expect(set.contains(ip)).toBe(reference.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6'));
      }),
      { numRuns: 300 },
    );
  });
});

test.each([
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['::1', '::/64'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['no:address', 'no:address'],
  ['', ''],
])('one client has of %j all of %j', (ip, site) => {
  expect(siteOf(ip)).toBe(site);
});
