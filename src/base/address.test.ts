/** Addresses that can be listened on, and texts that are none. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AddressError, formatAddress, isLoopback, parseAddress } from './address.ts';

test.each([
  ['127.0.0.1:8080', '127.0.0.1', 8080],
  ['localhost:0', 'localhost', 0],
  [':8080', '', 8080],
  ['*:8080', '', 8080],
  ['[::1]:65535', '::1', 65_535],
  ['[2001:DB8::0:1]:80', '2001:db8::1', 80],
  ['API.example.com:80', 'api.example.com', 80],
  ['my_service-1:80', 'my_service-1', 80],
])('%s', (text, host, port) => {
  expect(parseAddress(text)).toEqual({ host, port });
});

test.each([
  '',
  '8080',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '127.0.0.1:-1',
  '127.0.0.1:80 ',
  '127.0.0.1:8e1',
  '::1:80',
  '[::1]',
  '[::1:80',
  '[::g]:80',
  '[127.0.0.1]:80',
  '256.0.0.1:80',
  '127.1:80',
  '1.2.3.4.5:80',
  'a b:80',
  'a..b:80',
  '-a:80',
  'a-:80',
  'bücher.example:80',
  'http://a:80',
  `${'a'.repeat(64)}:80`,
  `${'a.'.repeat(127)}a:80`,
])('%j is refused', (text) => {
  expect(() => parseAddress(text)).toThrow(AddressError);
});

test('what is formatted parses to the same', () => {
  const host = fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fe80::1', '', 'localhost', 'a.b-c.d'));
  fc.assert(
    fc.property(host, fc.nat({ max: 65_535 }), (name, port) => {
      const address = { host: name, port };
      expect(parseAddress(formatAddress(address))).toEqual(address);
    }),
  );
});

test('a refusal never quotes the text, which may be a secret', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[q-z]{8,20}( |:[q-z]+|:99999)$/), (text) => {
      let message = '';
      try {
        parseAddress(text);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).not.toBe('');
      expect(message).not.toContain(text.slice(0, 8));
    }),
  );
});

test.each([
  ['127.0.0.1', true],
  ['127.255.3.4', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['LOCALHOST', true],
  ['', false],
  ['0.0.0.0', false],
  ['::', false],
  ['128.0.0.1', false],
  ['127.0.0.1.example.com', false],
])('loopback: %j is %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
