/** Limits in the memory of one process: exact, without waiting, and of bounded size. */
import type { Clock, Timers } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { createMeter } from './create-meter.ts';
import type { HeldEvents } from './event-log.ts';
import { KeyMap } from './key-map.ts';
import { KeyTable, type Owner } from './key-table.ts';
import type { Decision, LimitRule, Limits, Standing, Take } from './limits.ts';
import { CELLS, type Meter } from './meter.ts';

/** What a rule keeps. */
interface Book extends Owner {
  rule: LimitRule;
  meter: Meter;
}

/** Milliseconds between two slices of the search for keys that need not be kept. */
const SWEEP_EVERY = 100;

/** Places in a slice: about 30 us of work. */
const SWEEP_PLACES = 2000;

/** Keys that one take may cost, and one slice, where there are more of them than there may be. */
const FORGOTTEN_AT_ONCE = 16;
const FORGOTTEN_IN_A_SLICE = 500;

/** Milliseconds between two complaints of too little room. */
const COMPLAIN_EVERY = 60_000;

/** Events of logs that weigh as much as a key. */
const EVENTS_A_KEY = 8;

/** A key that took nothing. */
const FRESH = new Float64Array(CELLS);

const NO_PLACE = -1;

export interface MemoryLimitsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Keys of all rules together, at most. */
  readonly maxKeys: number;
}

export class MemoryLimits implements Limits {
  /** Keys that had to go before their time. */
  evicted = 0;
  private readonly deps: MemoryLimitsDeps;
  private maxKeys: number;
  private readonly held: HeldEvents = { events: 0 };
  private readonly books = new Map<string, Book>();
  private readonly table = new KeyTable();
  private timer: unknown = null;
  /** How many of `evicted` were told of, and when, on the monotonic clock. */
  private complained = 0;
  private complainedAt = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(deps: MemoryLimitsDeps) {
    this.deps = deps;
    this.maxKeys = deps.maxKeys;
  }

  /** Keys that are held. */
  get size(): number {
    return this.table.size;
  }

  /** What is held, in keys: logs weigh more than other keys. Never more than `maxKeys`, but for a while after that was lowered. */
  get weight(): number {
    return this.table.size + this.held.events / EVENTS_A_KEY;
  }

  /** Changes the bound; beyond a lower one keys go in the background, and with the takes to come. */
  setMaxKeys(maxKeys: number): void {
    this.maxKeys = maxKeys;
  }

  /** Decided at once. */
  take(takes: readonly Take[]): Decision {
    const now = Math.floor(this.deps.clock.wall());
    return takes.length === 1 ? this.takeOne(takes[0], now) : this.takeAll(takes, now);
  }

  /** What is held is forgotten. */
  close(): void {
    this.closed = true;
    this.deps.timers.clearTimeout(this.timer);
    this.timer = null;
    this.books.clear();
  }

  private takeOne({ rule, key, cost, shadow }: Take, now: number): Decision {
    const book = this.bookOf(rule);
    const place = book.keys.get(key) ?? NO_PLACE;
    const allowed = this.allows(book, place, now, cost);
    const standing = this.settle(book, place, key, now, cost, allowed, allowed);
    return { allowed: allowed || shadow, standings: [standing], degraded: false };
  }

  private takeAll(takes: readonly Take[], now: number): Decision {
    const verdicts: boolean[] = [];
    let allowed = true;
    for (let i = 0; i < takes.length; i++) {
      const { rule, key, cost, shadow } = takes[i];
      const book = this.bookOf(rule);
      const verdict = this.allows(book, book.keys.get(key) ?? NO_PLACE, now, cost);
      verdicts.push(verdict);
      if (!verdict && !shadow) allowed = false;
    }
    const standings: Standing[] = [];
    for (let i = 0; i < takes.length; i++) {
      const { rule, key, cost, shadow } = takes[i];
      const book = this.bookOf(rule);
      // Looked up again: a key that was new a moment ago may have taken the place of this one.
      const place = book.keys.get(key) ?? NO_PLACE;
      const charged = verdicts[i] && (shadow || allowed);
      standings.push(this.settle(book, place, key, now, cost, verdicts[i], charged));
    }
    return { allowed, standings, degraded: false };
  }

  private allows({ meter }: Book, place: number, now: number, cost: number): boolean {
    if (place === NO_PLACE) return meter.allows(FRESH, 0, now, cost);
    return meter.allows(this.table.cellsOf(place), this.table.offsetOf(place), now, cost);
  }

  /** Charges what is to be charged, and tells how the key stands then. */
  private settle(
    book: Book,
    known: number,
    key: string,
    now: number,
    cost: number,
    allowed: boolean,
    charged: boolean,
  ): Standing {
    const { table } = this;
    let place = known;
    if (charged && cost > 0 && place === NO_PLACE) {
      this.makeRoom(now);
      place = table.add(book, key);
    }
    if (place === NO_PLACE) return book.meter.standing(FRESH, 0, now, cost, allowed);
    const cells = table.cellsOf(place);
    const at = table.offsetOf(place);
    if (charged && cost > 0) book.meter.charge(cells, at, now, cost);
    const standing = book.meter.standing(cells, at, now, cost, allowed);
    // Logs grow without a new key.
    if (this.held.events > 0) this.makeRoom(now);
    return standing;
  }

  private bookOf(rule: LimitRule): Book {
    const book = this.books.get(rule.id);
    if (book !== undefined && (book.rule === rule || isSame(book.rule, rule))) return book;
    return this.openBook(rule, book);
  }

  private openBook(rule: LimitRule, former: Book | undefined): Book {
    if (former !== undefined && former.rule.algorithm === rule.algorithm && former.rule.calendar === rule.calendar) {
      former.meter = createMeter(rule, this.held, former.meter);
      former.rule = rule;
      return former;
    }
    // What one algorithm keeps means nothing to another.
    for (const place of former?.keys.values() ?? []) this.table.remove(place);
    const book = { rule, meter: createMeter(rule, this.held), keys: new KeyMap() };
    this.books.set(rule.id, book);
    if (this.timer === null && !this.closed) this.sweepLater();
    return book;
  }

  /** A take needs room for one key: `most` matters only where the bound was lowered, and no request is to wait for all that goes. */
  private makeRoom(now: number, most = FORGOTTEN_AT_ONCE): void {
    for (let i = 0; i < most && this.weight >= this.maxKeys && this.table.evict(now); i++) this.evicted++;
  }

  private sweepLater(): void {
    this.timer = this.deps.timers.setTimeout(() => this.sweep(), SWEEP_EVERY);
  }

  private sweep(): void {
    this.timer = null;
    const now = Math.floor(this.deps.clock.wall());
    const round = this.table.sweep(now, SWEEP_PLACES);
    if (this.weight > this.maxKeys) this.makeRoom(now, FORGOTTEN_IN_A_SLICE);
    // A rule whose last key is gone may be one that the configuration no longer has.
    if (round) for (const [id, { keys }] of this.books) if (keys.size === 0) this.books.delete(id);
    if (this.evicted > this.complained) this.complain();
    if (this.books.size > 0) this.sweepLater();
  }

  private complain(): void {
    const now = this.deps.clock.now();
    if (now - this.complainedAt < COMPLAIN_EVERY) return;
    const fields = { forgotten: this.evicted - this.complained, keys: this.size, max_keys: this.maxKeys };
    this.deps.logger.warn('limits are forgotten before their time: there are more clients than state.maxKeys', fields);
    this.complained = this.evicted;
    this.complainedAt = now;
  }
}

function isSame(one: LimitRule, other: LimitRule): boolean {
  return (
    one.algorithm === other.algorithm &&
    one.limit === other.limit &&
    one.period === other.period &&
    one.burst === other.burst &&
    one.calendar === other.calendar
  );
}
