/** URLs of Redis, of one server and of a cluster, and what is shown of them. */
import { describe, expect, it } from 'vitest';
import { formatRedisAddress, parseRedisAddress, parseRedisCluster } from './redis-address.ts';

const plain = { host: 'cache', port: 6379, tls: false, username: null, password: null, database: 0 };

describe('a Redis URL', () => {
  it.each([
    ['redis://cache', plain],
    ['redis://cache:6380/', { ...plain, port: 6380 }],
    ['rediss://cache', { ...plain, tls: true }],
    ['redis://cache/3', { ...plain, database: 3 }],
    ['redis://:secret@cache', { ...plain, password: 'secret' }],
    ['redis://me:se%40cr%3Aet@cache:1', { ...plain, port: 1, username: 'me', password: 'se@cr:et' }],
    ['redis://me:a:b@cache', { ...plain, username: 'me', password: 'a:b' }],
    ['redis://me@cache', { ...plain, username: 'me' }],
    ['rediss://[::1]:7000', { ...plain, host: '::1', port: 7000, tls: true }],
    ['redis://127.0.0.1', { ...plain, host: '127.0.0.1' }],
  ])('%s', (url, expected) => {
    expect(parseRedisAddress(url)).toEqual(expected);
  });

  it.each([
    ['http://cache', 'must be a URL'],
    ['redis://', 'must be a URL'],
    ['redis:cache', 'must be a URL'],
    ['redis://cache:99999', 'port'],
    ['redis://cache:', 'port'],
    ['redis://cache:0', 'port'],
    ['redis://cache/one', 'database'],
    ['redis://cache?timeout=1', 'must be a URL'],
    ['redis://ca che', 'must be a URL'],
    ['redis://[::1', 'must be a URL'],
    ['redis://[1]', 'IPv6'],
    ['redis://%zz:hunter2@cache', 'percent-encoding'],
  ])('%s is refused', (url, message) => {
    expect(() => parseRedisAddress(url)).toThrow(message);
  });

  it('is never quoted in what is wrong with it', () => {
    for (const url of ['redis://u:hunter2@cache:x', 'redis://u:hunter2@ca che', 'redis://u:hunter2%@cache']) {
      expect(() => parseRedisAddress(url)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
      );
    }
  });

  it('is shown without user and password', () => {
    expect(formatRedisAddress(parseRedisAddress('rediss://u:hunter2@[::1]:7000/1'))).toBe('[::1]:7000');
  });
});

describe('the nodes of a cluster', () => {
  it('are several', () => {
    expect(parseRedisCluster(['redis://a', 'redis://b:2']).map(({ host }) => host)).toEqual(['a', 'b']);
  });

  it.each([
    [['redis://a', 'rediss://b'], 'TLS'],
    [['redis://a/1'], 'database'],
    [['redis://:x@a', 'redis://:y@b'], 'passwords'],
  ])('%j are none', (urls, message) => {
    expect(() => parseRedisCluster(urls)).toThrow(message);
  });
});
