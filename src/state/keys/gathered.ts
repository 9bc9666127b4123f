/** Questions gathered while others are under way, so that a flood of them is few questions to who answers. */

/** Batches under way at once, and questions of one batch. */
const UNDER_WAY = 2;
const MOST = 1000;

interface Waiting<T> {
  readonly id: string;
  resolve(value: T): void;
  reject(error: Error): void;
}

export class Gathered<T> {
  private readonly ask: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>;
  private readonly missing: T;
  private waiting: Waiting<T>[] = [];
  private underWay = 0;
  private isPlanned = false;

  /** `ask` answers what it found of a batch by id; the others get `missing`. */
  constructor(ask: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>, missing: T) {
    this.ask = ask;
    this.missing = missing;
  }

  get(id: string): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ id, resolve, reject });
      this.plan();
    });
  }

  /** Those of one turn go together. */
  private plan(): void {
    if (this.isPlanned || this.underWay >= UNDER_WAY || this.waiting.length === 0) return;
    this.isPlanned = true;
    setImmediate(() => {
      this.isPlanned = false;
      void this.send();
    });
  }

  private async send(): Promise<void> {
    const batch = this.waiting.slice(0, MOST);
    this.waiting = this.waiting.slice(MOST);
    this.underWay++;
    this.plan();
    try {
      const found = await this.ask([...new Set(batch.map(({ id }) => id))]);
      for (const { id, resolve } of batch) resolve(found.get(id) ?? this.missing);
    } catch (error) {
      for (const { reject } of batch) reject(error as Error);
    }
    this.underWay--;
    this.plan();
  }
}
