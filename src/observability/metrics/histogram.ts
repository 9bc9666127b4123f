/** Histograms as runs of numbers in shared pages: observing is two additions, and a cell costs 8 bytes a bucket. */
import { numberText } from './text-format.ts';

/** Cells on one page. A page is freed when none of its cells is in use. */
const PAGE_CELLS = 32;

/** Where one series counts. Made by `HistogramLayout.createCell`. */
export class HistogramCell {
  private readonly bounds: Float64Array;
  private readonly page: Float64Array;
  private readonly offset: number;
  /** What `takeDelta` has told so far. */
  private told: Float64Array | null = null;

  constructor(bounds: Float64Array, page: Float64Array, offset: number) {
    this.bounds = bounds;
    this.page = page;
    this.offset = offset;
  }

  /** Counts one value, in the unit of the bounds. Below zero and NaN count as zero. */
  observe(value: number): void {
    // Not Math.max: it would let NaN through, and the sum would stay NaN for ever.
    let measured = 0;
    if (value > 0) measured = value;
    const bounds = this.bounds;
    const length = bounds.length;
    let bucket = 0;
    while (bucket < length && measured > bounds[bucket]) bucket++;
    this.page[this.offset + bucket]++;
    this.page[this.offset + length + 1] += measured;
  }

  /** Values counted so far. */
  get count(): number {
    let count = 0;
    for (let i = 0; i <= this.bounds.length; i++) count += this.page[this.offset + i];
    return count;
  }

  /** Their sum, in the unit of the bounds. */
  get sum(): number {
    return this.page[this.offset + this.bounds.length + 1];
  }

  /** What was counted since the last call, buckets and then the sum; null when nothing was. */
  takeDelta(): number[] | null {
    const size = this.bounds.length + 2;
    this.told ??= new Float64Array(size);
    const { told, page, offset } = this;
    let changed = false;
    for (let i = 0; i < size; i++) if (page[offset + i] !== told[i]) changed = true;
    if (!changed) return null;
    const delta: number[] = [];
    for (let i = 0; i < size; i++) {
      delta.push(page[offset + i] - told[i]);
      told[i] = page[offset + i];
    }
    return delta;
  }

  /** Adds what `takeDelta` of another cell of the same bounds told. */
  addDelta(delta: readonly number[]): void {
    for (let i = 0; i < this.bounds.length + 2; i++) this.page[this.offset + i] += delta[i];
  }

  /** How many values fell into bucket `index` alone; the last bucket is the one without a bound. */
  bucket(index: number): number {
    return this.page[this.offset + index];
  }
}

/** What the cells of one family share: bounds, and how they are written. */
export class HistogramLayout {
  /** In the observed unit. */
  readonly bounds: Float64Array;
  private readonly scale: number;
  private readonly bucketLabels: readonly string[];
  private page: Float64Array | null = null;
  private used = 0;

  /**
   * `bounds` are the inclusive upper limits in the exported unit, ascending; `scale` is how many observed units make one
   * exported unit (1000 for milliseconds shown as seconds).
   */
  constructor(bounds: readonly number[], scale = 1) {
    for (let i = 1; i < bounds.length; i++) {
      if (!(bounds[i] > bounds[i - 1])) throw new TypeError('histogram bounds must ascend');
    }
    this.bounds = Float64Array.from(bounds, (bound) => bound * scale);
    this.scale = scale;
    this.bucketLabels = [...bounds, Infinity].map((bound) => `le="${numberText(bound)}"} `);
  }

  createCell(): HistogramCell {
    const size = this.bounds.length + 2;
    if (this.page === null || this.used === PAGE_CELLS) {
      this.page = new Float64Array(PAGE_CELLS * size);
      this.used = 0;
    }
    return new HistogramCell(this.bounds, this.page, this.used++ * size);
  }

  /** The bucket, sum and count lines of one series; `labels` is what `labelText` made. */
  render(name: string, labels: string, cell: HistogramCell): string {
    const prefix = `${name}_bucket{${labels === '' ? '' : `${labels},`}`;
    let text = '';
    let cumulative = 0;
    for (let i = 0; i < this.bucketLabels.length; i++) {
      cumulative += cell.bucket(i);
      text += `${prefix}${this.bucketLabels[i]}${cumulative}\n`;
    }
    const suffix = labels === '' ? ' ' : `{${labels}} `;
    return `${text}${name}_sum${suffix}${numberText(cell.sum / this.scale)}\n${name}_count${suffix}${cumulative}\n`;
  }
}
