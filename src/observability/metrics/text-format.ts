/** The Prometheus text format 0.0.4: names, labels, escaping and numbers as text. */

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  /** Of the form `[a-zA-Z_:][a-zA-Z0-9_:]*`. */
  readonly name: string;
  readonly type: MetricType;
  /** One sentence for the HELP line. */
  readonly help: string;
  readonly labels: readonly string[];
}

/** The media type of a rendered page. */
export const METRICS_MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Throws `TypeError` for a definition that would make the page unreadable. */
export function checkDefinition(definition: MetricDefinition): void {
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(definition.name)) throw new TypeError(`not a metric name: ${definition.name}`);
  for (const label of definition.labels) {
    // `le` belongs to the histogram itself and `__` to Prometheus.
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) || label.startsWith('__') || label === 'le') {
      throw new TypeError(`not a label name: ${label}`);
    }
  }
  if (new Set(definition.labels).size !== definition.labels.length) {
    throw new TypeError(`a label of ${definition.name} is named twice`);
  }
}

/** The HELP and TYPE lines. */
export function headerText(definition: MetricDefinition): string {
  const help = definition.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${definition.name} ${help}\n# TYPE ${definition.name} ${definition.type}\n`;
}

/** `a="x",b="y"` without braces; empty when there are no labels. Values may be any text. */
export function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length !== values.length) throw new TypeError(`${names.length} labels, but ${values.length} values`);
  let text = '';
  for (let i = 0; i < names.length; i++) text += `${i === 0 ? '' : ','}${names[i]}="${escapeLabelValue(values[i])}"`;
  return text;
}

function escapeLabelValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** A sample's value: Go's spelling of the infinities, JavaScript's of everything else. */
export function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

/** One sample line; `labels` is what `labelText` made. */
export function sampleLine(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`;
}
