/** Keys that were looked up, remembered for a while: what every request with a key asks. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../base/clock.ts';
import type { ApiKey, FoundKey, KeyDirectory, KeySource } from './api-key.ts';

export interface KeyCacheDeps {
  readonly source: KeySource;
  readonly clock: Clock;
  /** Milliseconds for which what was found is good; 0 asks for every request. */
  readonly keepFor: number;
}

/** Keys, and ids of which there is no key, that are remembered at most: who makes up ids must not fill the memory. */
const MOST_KEYS = 100_000;
const MOST_UNKNOWN = 10_000;

/** Milliseconds for which an id is without a key, at most: there may be one by then, of which nobody told. */
const UNKNOWN_FOR = 5000;

/** Part of its time after which a key that is in use is looked up anew, while requests go on with what is known. */
const REFRESH_AFTER = 0.7;

/** Milliseconds between two notes of the use of one key. */
const NOTE_AFTER = 60_000;

interface Entry {
  readonly key: ApiKey | null;
  /** When it was read from the store, on the clock's `now`. */
  readonly readAt: number;
}

export class KeyCache implements KeyDirectory {
  private readonly source: KeySource;
  private readonly clock: Clock;
  private keepFor: number;
  private readonly keys = new Map<string, Entry>();
  private readonly unknown = new Map<string, Entry>();
  /** Look-ups under way: whoever wants the same key waits for the same answer. */
  private readonly flights = new Map<string, Promise<Entry>>();
  /** When the use of a key was noted last. */
  private readonly noted = new Map<string, number>();

  constructor({ source, clock, keepFor }: KeyCacheDeps) {
    this.source = source;
    this.clock = clock;
    this.keepFor = keepFor;
  }

  /** Of keys and of ids without a key. */
  get size(): number {
    return this.keys.size + this.unknown.size;
  }

  setKeepFor(keepFor: number): void {
    this.keepFor = keepFor;
  }

  find(id: string): ApiKey | null | Promise<ApiKey | null> {
    const entry = this.fresh(id);
    return entry === null ? this.lookUp(id).then(keyOf) : entry.key;
  }

  /** As `find`, with how old the answer is: for who remembers it in turn. */
  async findAged(id: string): Promise<FoundKey> {
    const { key, readAt } = this.fresh(id) ?? (await this.lookUp(id));
    return { key, age: this.clock.now() - readAt };
  }

  private fresh(id: string): Entry | null {
    const entry = this.keys.get(id) ?? this.unknown.get(id);
    if (entry === undefined) return null;
    const age = this.clock.now() - entry.readAt;
    if (age >= this.keepFor || (entry.key === null && age >= UNKNOWN_FOR)) return null;
    // What fails now is told by the request that comes too late for this entry.
    if (entry.key !== null && age >= this.keepFor * REFRESH_AFTER) this.lookUp(id).catch(() => {});
    return entry;
  }

  private lookUp(id: string): Promise<Entry> {
    const under = this.flights.get(id);
    if (under !== undefined) return under;
    const begun = this.clock.now();
    const flight: Promise<Entry> = this.source.find(id).then(
      ({ key, age }) => this.land(id, flight, { key, readAt: begun - age }),
      (error: unknown) => {
        if (this.flights.get(id) === flight) this.flights.delete(id);
        throw error;
      },
    );
    this.flights.set(id, flight);
    return flight;
  }

  private land(id: string, flight: Promise<Entry>, found: Entry): Entry {
    // The key changed meanwhile: nobody knows whether this is from before or after.
    if (this.flights.get(id) !== flight) return found;
    this.flights.delete(id);
    const former = this.keys.get(id)?.key ?? null;
    this.keys.delete(id);
    this.unknown.delete(id);
    if (found.key === null) {
      remember(this.unknown, id, found, MOST_UNKNOWN);
      return found;
    }
    // The same object says to policies that nothing of it has changed.
    const entry = former !== null && isSameKey(former, found.key) ? { ...found, key: former } : found;
    remember(this.keys, id, entry, MOST_KEYS);
    return entry;
  }

  used(id: string): void {
    const now = this.clock.now();
    const noted = this.noted.get(id);
    if (noted !== undefined && now - noted < NOTE_AFTER) return;
    this.noted.delete(id);
    remember(this.noted, id, now, MOST_KEYS);
    this.source.used(id, this.clock.wall());
  }

  /** What is known of the key is old; null says so of all. */
  forget(id: string | null): void {
    if (id !== null) {
      this.keys.delete(id);
      this.unknown.delete(id);
      this.flights.delete(id);
      return;
    }
    this.keys.clear();
    this.unknown.clear();
    this.flights.clear();
  }
}

function keyOf({ key }: Entry): ApiKey | null {
  return key;
}

/** Maps keep the order in which things came: the first is what was read longest ago. */
function remember<T>(map: Map<string, T>, id: string, value: T, most: number): void {
  map.set(id, value);
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** When it was used last is nothing that requests depend on. */
function isSameKey(one: ApiKey, other: ApiKey): boolean {
  return isDeepStrictEqual({ ...one, lastUsedAt: null }, { ...other, lastUsedAt: null });
}
