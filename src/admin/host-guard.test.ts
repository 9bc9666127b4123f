/** Whose requests a browser may bring to the admin listener: hosts and origins, sound and foreign. */
import { describe, expect, it } from 'vitest';
import { isOwnAuthority, isOwnOrigin } from './host-guard.ts';

describe('the authority of a request', () => {
  it.each([
    ['localhost', '127.0.0.1'],
    ['LocalHost:9901', '127.0.0.1'],
    ['localhost.:9901', '127.0.0.1'],
    ['127.0.0.1:9901', '127.0.0.1'],
    ['127.8.8.8', '127.0.0.1'],
    ['[::1]:9901', '::1'],
    ['[::ffff:127.0.0.1]', '127.0.0.1'],
    ['10.1.2.3:9901', '10.1.2.3'],
    ['10.1.2.3:9901', '::ffff:10.1.2.3'],
    ['[FE80::1]:80', 'fe80:0::1'],
    ['Gateway.internal:9901', '10.1.2.3'],
  ])('%s on %s is our own', (authority, local) => {
    expect(isOwnAuthority(authority, ['gateway.internal'], local)).toBe(true);
  });

  it.each([
    ['evil.example:9901', '127.0.0.1'],
    ['127.0.0.1.evil.example', '127.0.0.1'],
    ['localhost.evil.example', '127.0.0.1'],
    ['evil.example#localhost', '127.0.0.1'],
    ['localhost@evil.example', '127.0.0.1'],
    ['user@localhost', '127.0.0.1'],
    ['localhost:9901:1', '127.0.0.1'],
    ['localhost:x', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['0x7f.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1', '::1'],
    ['[localhost]', '::1'],
    ['10.1.2.4', '10.1.2.3'],
    ['0.0.0.0', '127.0.0.1'],
    ['', ''],
    [':9901', '127.0.0.1'],
    ['localhost\n', '127.0.0.1'],
  ])('%s on %s is foreign', (authority, local) => {
    expect(isOwnAuthority(authority, ['gateway.internal', ''], local)).toBe(false);
  });
});

describe('the origin of a page', () => {
  it.each([
    ['http://localhost:9901', 'localhost:9901', true],
    ['http://LOCALHOST:9901', 'localhost:9901', true],
    ['http://localhost', 'localhost:80', true],
    ['https://gateway.internal', 'gateway.internal', true],
    ['http://[::1]:9901', '[::1]:9901', true],
    ['http://localhost:3000', 'localhost:9901', false],
    ['http://127.0.0.1:9901', 'localhost:9901', false],
    ['http://evil.example', 'localhost:9901', false],
    ['file://localhost', 'localhost', false],
    ['null', 'localhost:9901', false],
    ['', 'localhost:9901', false],
    ['http://localhost:9901', 'local host', false],
  ])('%s at %s: %s', (origin, authority, own) => {
    expect(isOwnOrigin(origin, authority)).toBe(own);
  });
});
