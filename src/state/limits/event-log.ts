/** What was taken when, oldest first, in a ring that grows by doubling. */

/** How many events all logs of a store hold together. */
export interface HeldEvents {
  events: number;
}

const SMALLEST = 4;

export class EventLog {
  /** Units of all events. */
  total = 0;
  /** Time of the newest event; 0 where there is none. */
  last = 0;
  private readonly held: HeldEvents;
  /** Time and units of each, in turn. */
  private ring: number[] = emptyRing(SMALLEST);
  private first = 0;
  private count = 0;

  constructor(held: HeldEvents) {
    this.held = held;
  }

  /** Events of one millisecond are one. One before the newest counts as that: the order stays. */
  add(time: number, units: number): void {
    this.total += units;
    if (this.count > 0 && time <= this.last) {
      this.ring[this.place(this.count - 1) + 1] += units;
      return;
    }
    if (this.count * 2 === this.ring.length) this.grow();
    const place = this.place(this.count);
    this.ring[place] = time;
    this.ring[place + 1] = units;
    this.last = time;
    this.count++;
    this.held.events++;
  }

  /** Drops what is as old as `time`, or older. */
  dropUntil(time: number): void {
    const { ring } = this;
    while (this.count > 0 && ring[this.first] <= time) {
      this.total -= ring[this.first + 1];
      this.first = (this.first + 2) % ring.length;
      this.count--;
      this.held.events--;
    }
  }

  /** The time of the event with which the oldest ones make up `units`; of the newest, where they do not. Looks at `units` events at most. */
  timeOf(units: number): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) {
      const place = this.place(i);
      sum += this.ring[place + 1];
      if (sum >= units) return this.ring[place];
    }
    return this.last;
  }

  clear(): void {
    this.held.events -= this.count;
    this.total = 0;
    this.last = 0;
    this.first = 0;
    this.count = 0;
    this.ring = emptyRing(SMALLEST);
  }

  private place(index: number): number {
    return (this.first + index * 2) % this.ring.length;
  }

  private grow(): void {
    const { ring, first } = this;
    // As many events as there were numbers: twice as many as before.
    const wider = emptyRing(ring.length);
    for (let i = 0; i < ring.length; i++) wider[i] = ring[(first + i) % ring.length];
    this.ring = wider;
    this.first = 0;
  }
}

function emptyRing(events: number): number[] {
  return new Array<number>(events * 2).fill(0);
}
