/** What is counted of the decisions of limits. */
import type { CellFamily } from './registry.ts';
import type { MetricDefinition } from './text-format.ts';

export const LIMIT_DECISIONS: MetricDefinition = {
  name: 'portico_rate_limit_decisions_total',
  type: 'counter',
  help: 'What limits said of requests: `allowed`, `refused`, or `shadow_refused` where that refuses nobody.',
  labels: ['route', 'limit', 'result'],
};

/** Forgets the series of routes that are no more. */
export function retainLimits(family: CellFamily, names: () => ReadonlySet<string>): void {
  // There may be many thousands, and nobody to be asked for.
  let routes: ReadonlySet<string> | null = null;
  family.retain((labels) => {
    routes ??= names();
    // Names are of characters that labels need not escape.
    const name = /^route="([^"]*)"/.exec(labels);
    return name !== null && routes.has(name[1]);
  });
}
