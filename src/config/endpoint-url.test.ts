/** URLs of endpoints, and what to write in place of those that are none. */
import { expect, test } from 'vitest';
import { AddressError } from '../base/address.ts';
import { parseEndpointUrl } from './endpoint-url.ts';

test.each([
  ['http://127.0.0.1:9001', 'http://127.0.0.1:9001'],
  ['http://127.0.0.1:9001/', 'http://127.0.0.1:9001'],
  ['HTTP://API.Example.com', 'http://api.example.com'],
  ['http://[2001:DB8::1]:80', 'http://[2001:db8::1]:80'],
  ['http://[::1]', 'http://[::1]'],
  ['http://users_v2:8080', 'http://users_v2:8080'],
  ['https://Users', 'https://users'],
  ['tcp://10.0.0.1:5432', 'tcp://10.0.0.1:5432'],
])('%s', (text, expected) => {
  expect(parseEndpointUrl(text)).toBe(expected);
});

test.each([
  ['', 'not a URL'],
  ['127.0.0.1:9001', 'not a URL'],
  ['http:/a', 'not a URL'],
  [' http://a', 'not a URL'],
  ['//a', 'not a URL'],
  ['ftp://a', 'scheme'],
  ['tcp://a', 'no port'],
  ['h2c://a', 'scheme'],
  ['unix:///run/a.sock', 'scheme'],
  ['http://', 'no host'],
  ['http://:80', 'no host'],
  ['http://u@a', 'credentials'],
  ['http://u:p@a:1', 'credentials'],
  ['http://a/b', 'path'],
  ['http://a?b', 'path'],
  ['http://a#b', 'path'],
  ['http://a/?', 'path'],
  ['http://a:', 'port'],
  ['http://a:0', 'port 0'],
  ['http://a:65536', 'port'],
  ['http://a:1:2', 'colons'],
  ['http://::1', 'colons'],
  ['http://127.1', 'IPv4'],
  ['http://0x7f.0.0.1', 'IPv4'],
  ['http://256.0.0.1', 'IPv4'],
  ['http://a b', 'spaces'],
  ['http://a\tb', 'spaces'],
  ['http://ä', 'punycode'],
  ['http://a..b', 'host name'],
  ['http://a\\b', 'host name'],
  ['http://[::1', 'brackets'],
])('%j is refused', (text, reason) => {
  expect(() => parseEndpointUrl(text)).toThrow(AddressError);
  expect(() => parseEndpointUrl(text)).toThrow(reason);
});

test.each([
  ['ws://chat:80', 'write http://, and `websocket` on the route'],
  ['grpcs://calls:443', 'write https://, and `protocol: grpcs` on the service'],
])('%s: what to write in its place', (text, hint) => {
  expect(() => parseEndpointUrl(text)).toThrow(hint);
});
