/** Configurations on their way to another thread or process: long lists in portions, so that no end of the way stops to read one. */
import { deserialize, serialize } from 'node:v8';
import type { Steps } from '../base/slices.ts';
import type { GatewayConfig } from './model.ts';

/** A list in portions, each for itself. */
export type Portions = readonly Uint8Array[];

/** A configuration in portions: its long lists, and all the rest. */
export interface ConfigParcel {
  readonly rest: Omit<GatewayConfig, 'routes' | 'services'>;
  readonly services: Portions;
  readonly routes: Portions;
}

/** Items of one portion: some tens of kilobytes, read in a fraction of a millisecond. */
const PORTION = 64;

/** Packs a list, a portion a step. */
export function* packList(items: readonly unknown[]): Steps<Uint8Array[]> {
  const portions: Uint8Array[] = [];
  for (let from = 0; from < items.length; from += PORTION) {
    yield;
    portions.push(serialize(items.slice(from, from + PORTION)));
  }
  return portions;
}

/** The list of `packList`, a portion a step. */
export function* unpackList<T>(portions: Portions): Steps<T[]> {
  const items: T[] = [];
  for (const portion of portions) {
    yield;
    for (const item of deserialize(portion) as T[]) items.push(item);
  }
  return items;
}

export function* packConfig(config: GatewayConfig): Steps<ConfigParcel> {
  const { routes, services, ...rest } = config;
  return { rest, services: yield* packList(services), routes: yield* packList(routes) };
}

export function* unpackConfig({ rest, services, routes }: ConfigParcel): Steps<GatewayConfig> {
  return { ...rest, services: yield* unpackList(services), routes: yield* unpackList(routes) };
}
