/** What was learned and may be forgotten: a bounded map whose entries end by themselves; the one longest unused goes first. */

interface Entry<V> {
  readonly value: V;
  readonly until: number;
}

export class ExpiringMap<V> {
  private readonly entries = new Map<string, Entry<V>>();
  private readonly max: number;

  /** Holds at most `max` entries, 1 or more. */
  constructor(max: number) {
    this.max = max;
  }

  /** The value of an entry that has not ended at `now`; undefined where there is none. Times are of one clock, in milliseconds. */
  get(key: string, now: number): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    // A map keeps the order of insertion: what is used goes to its end, and what stands first is what goes.
    this.entries.delete(key);
    if (entry.until <= now) return undefined;
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Keeps the value before `until`, in place of what the key had. */
  set(key: string, value: V, until: number): void {
    this.entries.delete(key);
    if (this.entries.size >= this.max) this.entries.delete(this.entries.keys().next().value as string);
    this.entries.set(key, { value, until });
  }

  clear(): void {
    this.entries.clear();
  }

  /** Entries held, those that have ended and were not asked for since included. */
  get size(): number {
    return this.entries.size;
  }
}
