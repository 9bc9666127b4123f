/** Which place a configuration means. */
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type KeyPlaceOptions, keyPlaceOf } from './key-place.ts';

const url = 'postgres://user:password@db/keys';

test.each([
  [{}, {}, resolve('portico-keys.db')],
  [{}, { directory: '/etc/portico' }, '/etc/portico/portico-keys.db'],
  [{ stateDir: 'state' }, { directory: '/etc/portico' }, '/etc/portico/state/keys.db'],
  [{ stateDir: '/var/lib/portico' }, { directory: '/etc/portico' }, '/var/lib/portico/keys.db'],
  [{ stateDir: 'state' }, { directory: '/etc', stateDir: '/var/lib/portico' }, '/var/lib/portico/keys.db'],
  [{ keys: { sqlite: './deep/k.db' }, stateDir: 'state' }, { directory: '/etc' }, '/etc/deep/k.db'],
  [{ keys: { sqlite: '/k.db' } }, { directory: '/etc', stateDir: 's' }, '/k.db'],
  [{ keys: { postgres: url }, stateDir: 'state' }, { directory: '/etc', stateDir: 's' }, url],
])('%j in %j is %s', ({ keys, stateDir }: Written, options: KeyPlaceOptions, place) => {
  const state = { keys, keyCacheFor: 1000, shared: 'memory', maxKeys: 1000 } as never;
  expect(keyPlaceOf({ state, stateDir }, options)).toBe(place);
});

interface Written {
  readonly keys?: object;
  readonly stateDir?: string;
}
