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

/**
 * Packs a list, a portion a step. `former` is a list that the other end has, item by item: of what is the very same object
 * only its place there is told.
 */
export function* packList(items: readonly object[], former: readonly object[] = []): Steps<Uint8Array[]> {
  const portions: Uint8Array[] = [];
  const places = new Places(former);
  for (let from = 0; from < items.length; from += PORTION) {
    yield;
    portions.push(serialize(items.slice(from, from + PORTION).map((item) => places.of(item) ?? item)));
  }
  return portions;
}

/** The list of `packList`, a portion a step, with the same `former`, the items of which it takes over. */
export function* unpackList<T extends object>(portions: Portions, former: readonly T[] = []): Steps<T[]> {
  const items: T[] = [];
  for (const portion of portions) {
    yield;
    for (const item of deserialize(portion) as (T | number)[])
      items.push(typeof item === 'number' ? former[item] : item);
  }
  return items;
}

/** `former`: the configuration by which this one is told. */
export function* packConfig(config: GatewayConfig, former?: GatewayConfig): Steps<ConfigParcel> {
  const { routes, services, ...rest } = config;
  return {
    rest,
    services: yield* packList(services, former?.services),
    routes: yield* packList(routes, former?.routes),
  };
}

export function* unpackConfig({ rest, services, routes }: ConfigParcel, former?: GatewayConfig): Steps<GatewayConfig> {
  return {
    ...rest,
    services: yield* unpackList(services, former?.services),
    routes: yield* unpackList(routes, former?.routes),
  };
}

/** The places of the items of a list; asked in their order they cost nothing. */
class Places {
  private readonly items: readonly object[];
  private all: Map<object, number> | null = null;
  private next = 0;

  constructor(items: readonly object[]) {
    this.items = items;
  }

  of(item: object): number | undefined {
    if (this.items.length === 0) return undefined;
    if (this.items[this.next] === item) return this.next++;
    this.all ??= new Map(this.items.map((each, index) => [each, index]));
    const place = this.all.get(item);
    // One that is new most often stands where another one stood.
    this.next = (place ?? this.next) + 1;
    return place;
  }
}
