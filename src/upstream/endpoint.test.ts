/** What an endpoint's address is made of, and whom it tells. */
import { describe, expect, it } from 'vitest';
import { Endpoint, EndpointAddressError, type EndpointOwner } from './endpoint.ts';
import { FakePool } from './service.test.support.ts';

const endpoint = (url: string): Endpoint<FakePool> => new Endpoint(url, 1, () => new FakePool());

describe('the address', () => {
  it.each([
    ['http://127.0.0.1:9001', '127.0.0.1:9001', 'http://127.0.0.1:9001', '127.0.0.1', 9001],
    ['http://Users.Internal', 'users.internal:80', 'http://users.internal', 'users.internal', 80],
    ['http://users:80/', 'users:80', 'http://users', 'users', 80],
    ['https://users', 'users:443', 'https://users', 'users', 443],
    ['http://[::1]:9001', '[::1]:9001', 'http://[::1]:9001', '::1', 9001],
  ])('%s', (url, id, origin, host, port) => {
    expect(endpoint(url)).toMatchObject({ id, url: origin, host, port });
  });

  it.each(['', 'users:80', '127.0.0.1:9001', 'ftp://users', 'http://', 'http://users:99999'])('refuses "%s"', (url) => {
    expect(() => endpoint(url)).toThrow(EndpointAddressError);
  });
});

it('starts healthy, unused, with a pool made for it', () => {
  let asked: unknown;
  const pool = new FakePool();
  const made = new Endpoint('http://users', 3, (self) => {
    asked = [self.id, self.weight, self.healthy];
    return pool;
  });
  expect(asked).toEqual(['users:80', 3, true]);
  expect(made).toMatchObject({ weight: 3, healthy: true, active: 0, requests: 0, failures: 0, consecutiveFailures: 0 });
  expect(made.pool).toBe(pool);
});

it('tells every owner of a change, once, the newest last and as such', () => {
  const told: unknown[] = [];
  const owner = (name: string): EndpointOwner => ({
    onEndpointHealth: (changed, reason, newest) => told.push([name, changed.healthy, reason, newest]),
    onEndpointFailure: () => {},
  });
  const shared = endpoint('http://users');
  shared.owners.push(owner('old'), owner('new'));
  shared.setHealthy(true, 'nothing new');
  shared.setHealthy(false, 'why');
  shared.setHealthy(false, 'again');
  expect(told).toEqual([
    ['old', false, 'why', false],
    ['new', false, 'why', true],
  ]);
});
