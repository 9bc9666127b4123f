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

/** How many keys are compared when one must go. */
const COMPARED = 16;

/** Places that a search for a key may pass, so that it costs little also where most of the table is empty. */
const MOST_PASSED = 4096;

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
   * Removes the key that is missed least of the next few: one that equals a fresh one where there is such, else by how much of
   * its limit is used and how long until it is not. False where none was found.
   */
  evict(now: number): boolean {
    let least = Number.POSITIVE_INFINITY;
    let victim = -1;
    let compared = 0;
    for (let passed = 0; passed < MOST_PASSED && compared < COMPARED && least > 0; passed++) {
      const place = this.evictionHand;
      this.evictionHand = place + 1 >= this.used ? 0 : place + 1;
      const harm = this.harmOf(place, now);
      if (harm < 0) continue;
      compared++;
      if (harm >= least) continue;
      least = harm;
      victim = place;
    }
    if (victim >= 0) this.remove(victim);
    return victim >= 0;
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
