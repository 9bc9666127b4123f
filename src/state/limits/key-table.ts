/** The keys of all rules in pages of plain numbers, which cost the garbage collector nothing, and the two hands that go over them. */
import type { KeyMap } from './key-map.ts';
import { CELLS, type Meter } from './meter.ts';

/** A rule as the table knows it. */
export interface Owner {
  readonly meter: Meter;
  /** Places of the rule's keys. */
  readonly keys: KeyMap;
}

const SHIFT = 12;
const PAGE = 1 << SHIFT;
const MASK = PAGE - 1;

/** Places that are looked at one after the other when a key must go, and how often elsewhere again. */
const STRETCH = 8;
const STRETCHES = 3;

/** By how much what counts as missed little becomes less with each key that goes, and more where none was found. */
const STRICTER = 0.99;
const LAXER = 1.1;

class Page {
  readonly cells = new Float64Array(PAGE * CELLS);
  readonly owners: (Owner | null)[] = new Array<Owner | null>(PAGE).fill(null);
  readonly keys: string[] = new Array<string>(PAGE).fill('');
}

export class KeyTable {
  /** Keys that are there. */
  size = 0;
  private readonly pages: Page[] = [];
  /** Places that were used before and are not now. */
  private readonly free: number[] = [];
  /** Places from 0 that were ever used. */
  private used = 0;
  private evictionHand = 0;
  /** What counts as missed little, as `harmOf` has it. */
  private little = 0;
  private seed = 1;
  private sweepHand = 0;

  /** The numbers of a place stand here, from `offsetOf` on. */
  cellsOf(place: number): Float64Array {
    return this.pages[place >>> SHIFT].cells;
  }

  offsetOf(place: number): number {
    return (place & MASK) * CELLS;
  }

  /** The place of a key that is not there yet, with nothing taken. */
  add(owner: Owner, key: string): number {
    const place = this.free.pop() ?? this.used++;
    if (place >>> SHIFT === this.pages.length) this.pages.push(new Page());
    const page = this.pages[place >>> SHIFT];
    page.owners[place & MASK] = owner;
    page.keys[place & MASK] = key;
    owner.keys.add(key, place);
    this.size++;
    return place;
  }

  remove(place: number): void {
    const page = this.pages[place >>> SHIFT];
    const index = place & MASK;
    const owner = page.owners[index];
    if (owner === null) return;
    const { cells } = page;
    const at = index * CELLS;
    owner.meter.forget(cells, at);
    owner.keys.delete(page.keys[index]);
    cells.fill(0, at, at + CELLS);
    page.owners[index] = null;
    page.keys[index] = '';
    this.free.push(place);
    this.size--;
  }

  /**
   * Removes a key that is missed little: by how much of its limit is used, and how long until it is not. What is little
   * follows what is found, so that a short search suffices: a full one would be felt. False where there is no key at all.
   */
  evict(now: number): boolean {
    let least = Number.POSITIVE_INFINITY;
    let victim = -1;
    for (let looked = 0; looked < STRETCH * STRETCHES && least > this.little; looked++) {
      // Keys that came one after the other may be all alike: whoever was refused a moment ago is not to go for that.
      if (looked > 0 && looked % STRETCH === 0) this.evictionHand = this.anywhere();
      const place = this.evictionHand;
      this.evictionHand = place + 1 >= this.used ? 0 : place + 1;
      const harm = this.harmOf(place, now);
      if (harm < 0 || harm >= least) continue;
      least = harm;
      victim = place;
    }
    if (victim < 0) victim = this.anyKey();
    if (victim < 0) return false;
    this.little = least <= this.little ? this.little * STRICTER : least * LAXER;
    this.remove(victim);
    return true;
  }

  /** For a table that is nearly empty: removals made it so. Goes on where the last search ended, past what that one emptied. */
  private anyKey(): number {
    for (let looked = 0; looked < this.used; looked++) {
      const place = this.evictionHand;
      this.evictionHand = place + 1 >= this.used ? 0 : place + 1;
      if (this.pages[place >>> SHIFT].owners[place & MASK] !== null) return place;
    }
    return -1;
  }

  private anywhere(): number {
    // Numerical Recipes' linear congruential generator: nobody can see which place a key has.
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.seed % this.used;
  }

  /** Removes what equals a fresh key from the next `places`. True where the table's end was passed. */
  sweep(now: number, places: number): boolean {
    const end = Math.min(this.used, this.sweepHand + places);
    for (let place = this.sweepHand; place < end; place++) {
      const page = this.pages[place >>> SHIFT];
      const owner = page.owners[place & MASK];
      if (owner !== null && owner.meter.freshAt(page.cells, (place & MASK) * CELLS) <= now) this.remove(place);
    }
    this.sweepHand = end >= this.used ? 0 : end;
    if (this.size === 0) this.clear();
    return this.sweepHand === 0;
  }

  /** All pages go. */
  private clear(): void {
    this.pages.length = 0;
    this.free.length = 0;
    this.used = 0;
    this.evictionHand = 0;
    this.sweepHand = 0;
  }

  /** Milliseconds to wait times the part that is used: what the key's owner would be given by forgetting it. Below 0 where there is no key. */
  private harmOf(place: number, now: number): number {
    if (place >= this.used) return -1;
    const page = this.pages[place >>> SHIFT];
    const owner = page.owners[place & MASK];
    if (owner === null) return -1;
    const at = (place & MASK) * CELLS;
    const wait = owner.meter.freshAt(page.cells, at) - now;
    return wait <= 0 ? 0 : wait * owner.meter.used(page.cells, at, now);
  }
}
