/** Families that each process of a gateway counts by itself, and that one of them shows for all. */
import { CellFamily, type MetricRegistry } from './registry.ts';
import type { MetricDefinition } from './text-format.ts';

/** Numbers by family, then by label text. */
type Numbers = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface Counted {
  /** What was added since the last time. */
  readonly counters: Numbers;
  /** What there is now. */
  readonly gauges: Numbers;
}

export class CountedFamilies {
  private readonly registry: MetricRegistry;
  private readonly families = new Map<string, CellFamily>();

  constructor(registry: MetricRegistry) {
    this.registry = registry;
  }

  /** A counter or gauge whose cells the code at hand changes. */
  add(definition: MetricDefinition): CellFamily {
    const family = new CellFamily(definition);
    this.registry.add(family);
    this.families.set(definition.name, family);
    return family;
  }

  take(): Counted {
    const counters: Record<string, Record<string, number>> = {};
    const gauges: Record<string, Record<string, number>> = {};
    for (const [name, family] of this.families) {
      const isGauge = family.definition.type === 'gauge';
      for (const [labels, cell] of family.entries()) {
        const number = isGauge ? cell.value : cell.takeDelta();
        if (number !== 0) ((isGauge ? gauges : counters)[name] ??= {})[labels] = number;
      }
    }
    return { counters, gauges };
  }

  /** Adds what another process counted. */
  addCounters(counters: Numbers): void {
    for (const [name, numbers] of Object.entries(counters)) {
      for (const [labels, number] of Object.entries(numbers)) {
        const cell = this.families.get(name)?.cellOf(labels);
        if (cell !== undefined) cell.value += number;
      }
    }
  }

  /** Shows the sum of what all processes have now. */
  showGauges(all: Iterable<Numbers>): void {
    for (const family of this.families.values()) {
      if (family.definition.type === 'gauge') for (const [, cell] of family.entries()) cell.value = 0;
    }
    for (const gauges of all) this.addCounters(gauges);
  }
}
