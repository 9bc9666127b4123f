/** The list of metric families and the page made of them on each scrape. */
import { checkDefinition, headerText, labelText, type MetricDefinition, sampleLine } from './text-format.ts';

/** A metric with its series. `render` gives one text per series or group of series, in a fixed order. */
export interface MetricFamily {
  readonly definition: MetricDefinition;
  render(): Iterable<string>;
}

/** One value of a family that is asked for on scrape; `labels` stand in the definition's order. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number;
}

/** A number of one series that the code at hand changes. Counters only ever grow. */
export class Cell {
  value = 0;
  private told = 0;

  /** What was added since the last call. */
  takeDelta(): number {
    const delta = this.value - this.told;
    this.told = this.value;
    return delta;
  }
}

/** Length of a piece of a page, in characters, beyond which the next piece begins. */
const PIECE = 64 * 1024;

export class MetricRegistry {
  private readonly families = new Map<string, MetricFamily>();

  /** Adds a family. Throws `TypeError` for a malformed definition or a name already taken. */
  add(family: MetricFamily): void {
    checkDefinition(family.definition);
    const { name } = family.definition;
    if (this.families.has(name)) throw new TypeError(`metric ${name} is defined twice`);
    this.families.set(name, family);
  }

  /** Every definition, by name. */
  definitions(): MetricDefinition[] {
    return this.sorted().map((family) => family.definition);
  }

  /** The page in pieces of about 64 KiB, so that a server of thousands of routes can pause between them. */
  *pieces(): Generator<string, void, undefined> {
    let piece = '';
    for (const family of this.sorted()) {
      piece += headerText(family.definition);
      for (const text of family.render()) {
        piece += text;
        if (piece.length < PIECE) continue;
        yield piece;
        piece = '';
      }
    }
    if (piece !== '') yield piece;
  }

  /** The whole page. A family without series stands there with its HELP and TYPE. */
  render(): string {
    let page = '';
    for (const piece of this.pieces()) page += piece;
    return page;
  }

  private sorted(): MetricFamily[] {
    return [...this.families.values()].sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
  }
}

/** A family whose series are numbers that the program changes, one per combination of label values. */
export class CellFamily implements MetricFamily {
  readonly definition: MetricDefinition;
  private readonly cells = new Map<string, Cell>();

  constructor(definition: MetricDefinition) {
    this.definition = definition;
  }

  /** The cell of these label values, made when there is none. Meant to be kept by the caller, not looked up each time. */
  cell(...values: string[]): Cell {
    return this.cellOf(labelText(this.definition.labels, values));
  }

  /** The cell by what `labelText` made of its label values. */
  cellOf(labels: string): Cell {
    let cell = this.cells.get(labels);
    if (cell === undefined) this.cells.set(labels, (cell = new Cell()));
    return cell;
  }

  /** Every cell, by its label text. */
  entries(): Iterable<[string, Cell]> {
    return this.cells;
  }

  /** Forgets the cells whose label text `keeps` refuses. */
  retain(keeps: (labels: string) => boolean): void {
    for (const labels of this.cells.keys()) if (!keeps(labels)) this.cells.delete(labels);
  }

  *render(): Generator<string, void, undefined> {
    for (const labels of [...this.cells.keys()].sort()) {
      yield sampleLine(this.definition.name, labels, this.cells.get(labels)!.value);
    }
  }
}

/** A family whose values are asked for on scrape. */
export class SampledFamily implements MetricFamily {
  readonly definition: MetricDefinition;
  private readonly read: () => Iterable<Sample>;

  constructor(definition: MetricDefinition, read: () => Iterable<Sample>) {
    this.definition = definition;
    this.read = read;
  }

  *render(): Generator<string, void, undefined> {
    // A series that stands twice makes a scraper refuse the whole page; the first one wins.
    const lines = new Map<string, number>();
    for (const sample of this.read()) {
      const labels = labelText(this.definition.labels, sample.labels);
      if (!lines.has(labels)) lines.set(labels, sample.value);
    }
    for (const labels of [...lines.keys()].sort()) yield sampleLine(this.definition.name, labels, lines.get(labels)!);
  }
}

/** A gauge or counter of one number, without labels, that is asked for on scrape. */
export function createNumberFamily(definition: Omit<MetricDefinition, 'labels'>, read: () => number): MetricFamily {
  return new SampledFamily({ ...definition, labels: [] }, () => [{ labels: [], value: read() }]);
}
