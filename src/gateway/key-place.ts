/** Where keys are kept, by the configuration. */
import { join, resolve } from 'node:path';
import type { Clock, Timers } from '../base/clock.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { KeyStore } from '../state/keys/key-store.ts';
import { PostgresKeyStore } from '../state/keys/postgres-key-store.ts';
import { SqliteKeyStore } from '../state/keys/sqlite-key-store.ts';

/** One text for one place, so that two can be compared: a URL of PostgreSQL, or the absolute path of a file. */
export type KeyPlace = string;

export interface KeyPlaceOptions {
  /** Where relative names begin; by default the working directory of the process. */
  readonly directory?: string | undefined;
  /** In place of what the configuration says. */
  readonly stateDir?: string | undefined;
}

export function keyPlaceOf(
  { state, stateDir: configured }: Pick<GatewayConfig, 'state' | 'stateDir'>,
  { directory = '', stateDir = configured }: KeyPlaceOptions,
): KeyPlace {
  const { keys } = state;
  if (keys !== undefined) return 'postgres' in keys ? keys.postgres : resolve(directory, keys.sqlite);
  return resolve(directory, stateDir === undefined ? 'portico-keys.db' : join(stateDir, 'keys.db'));
}

/** Opens nothing yet: a gateway that has no use for keys leaves no trace. */
export function createKeyStore(place: KeyPlace, deps: { readonly clock: Clock; readonly timers: Timers }): KeyStore {
  const isUrl = /^postgres(?:ql)?:\/\//.test(place);
  return isUrl ? new PostgresKeyStore({ ...deps, url: place }) : new SqliteKeyStore(place);
}
