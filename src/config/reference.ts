/** Writes the reference of the configuration file from its schema, so that the two cannot differ. */
import { findingCodes } from './finding.ts';
import { createAnnotatedSchema, type JsonSchema } from './json-schema.ts';
import type { PolicySchemas } from './policy-schemas.ts';

/** One key of the file. */
export interface ReferenceRow {
  /** From the top of its section: `limits.requestHead`, `endpoints[].weight`. */
  key: string;
  type: string;
  required: boolean;
  /** As it would be written; empty when there is none. */
  initial: string;
  description: string;
}

/** A table of keys. */
export interface ReferenceSection {
  title: string;
  text: string;
  rows: ReferenceRow[];
}

/** Every key of the file, in sections. */
export function describeConfig(policies: PolicySchemas): ReferenceSection[] {
  const schema = createAnnotatedSchema(policies);
  const properties = propertiesOf(schema);
  const top: ReferenceSection = { title: 'Top level', text: 'Keys of the file.', rows: [] };
  const sections = [top];
  const required = requiredOf(schema);
  for (const [key, value] of Object.entries(properties)) {
    const inner = mapIn(value);
    top.rows.push(rowOf(key, value, required.has(key)));
    if (inner === undefined || key === 'policies') continue;
    const title = `\`${key}${stepInto(value).slice(0, -1)}\``;
    sections.push({ title, text: `${textOf(value)}.`, rows: rowsOf(inner, '') });
  }
  const match = (schema.$defs as Record<string, JsonSchema>).Match;
  sections.push({
    title: '`match`',
    text: 'What a route asks of a request. All keys of a map must hold.',
    rows: rowsOf(match, ''),
  });
  return [...sections, ...policySections(mapIn(properties.policies) ?? {})];
}

function policySections(item: JsonSchema): ReferenceSection[] {
  return Object.entries(propertiesOf(item)).map(([name, options]) => ({
    title: `policy \`${name}\``,
    text: textOf(options),
    rows: rowsOf(mapIn(options) ?? options, ''),
  }));
}

function rowsOf(map: JsonSchema, prefix: string): ReferenceRow[] {
  const required = requiredOf(map);
  return Object.entries(propertiesOf(map)).flatMap(([key, schema]) => {
    const name = `${prefix}${key}`;
    const row = rowOf(name, schema, required.has(key));
    const inner = key === 'policies' ? undefined : mapIn(schema);
    if (inner === undefined) return [row];
    return [row, ...rowsOf(inner, `${name}${stepInto(schema)}`)];
  });
}

function rowOf(key: string, schema: JsonSchema, required: boolean): ReferenceRow {
  const initial = schema.default;
  // An empty map as the default only says that the keys below have theirs.
  const isPlainMap = typeof initial === 'object' && initial !== null && Object.keys(initial).length === 0;
  const text =
    initial === undefined || isPlainMap ? '' : typeof initial === 'string' ? initial : JSON.stringify(initial);
  return { key, type: typeOf(schema), required, initial: text, description: textOf(schema) };
}

/** The schema of the map that stands at a place, on its own, in a list, under names of one's own, or as one of several choices. */
function mapIn(schema: JsonSchema): JsonSchema | undefined {
  if (schema.properties !== undefined) return schema;
  if (schema.type === 'array') return mapIn(schema.items as JsonSchema);
  if (schema.type === 'object') return mapIn(valuesOf(schema));
  const maps = ((schema.anyOf ?? []) as JsonSchema[]).filter((choice) => choice.properties !== undefined);
  return maps.length === 0 ? undefined : maps.reduce(eitherOf);
}

/** Keys of both; required is what each of them asks for. */
function eitherOf(one: JsonSchema, other: JsonSchema): JsonSchema {
  const required = requiredOf(other);
  return {
    properties: { ...propertiesOf(one), ...propertiesOf(other) },
    required: [...requiredOf(one)].filter((key) => required.has(key)),
  };
}

/** What stands between the key of a place and the keys of the map in it. */
function stepInto(schema: JsonSchema): string {
  if (schema.type === 'array') return '[].';
  return schema.type === 'object' && schema.properties === undefined ? '.NAME.' : '.';
}

function propertiesOf(schema: JsonSchema): Record<string, JsonSchema> {
  return (schema.properties ?? {}) as Record<string, JsonSchema>;
}

function requiredOf(schema: JsonSchema): Set<string> {
  return new Set((schema.required ?? []) as string[]);
}

function textOf(schema: JsonSchema): string {
  return (schema.description as string | undefined) ?? '';
}

function typeOf(schema: JsonSchema): string {
  if (schema.$ref === '#/$defs/Match') return 'map (see `match`)';
  if (schema.kind !== undefined) return `${schema.kind}${schema.range === undefined ? '' : `, ${schema.range}`}`;
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return (schema.enum as unknown[]).map((value) => `\`${value}\``).join(', ');
  if (schema.anyOf !== undefined) return [...new Set((schema.anyOf as JsonSchema[]).map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${typeOf((schema.items ?? {}) as JsonSchema)}`;
  if (schema.type === 'object') return schema.properties === undefined ? `map to ${typeOf(valuesOf(schema))}` : 'map';
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return schema.type === undefined ? 'any' : String(schema.type);
}

function valuesOf(schema: JsonSchema): JsonSchema {
  return typeof schema.additionalProperties === 'object' ? (schema.additionalProperties as JsonSchema) : {};
}

/** The whole page in Markdown. */
export function renderReference(policies: PolicySchemas): string {
  const sections = describeConfig(policies).map((section) => {
    const table = ['| key | type | default | meaning |', '|---|---|---|---|', ...section.rows.map(renderRow)];
    const body = section.rows.length === 0 ? [] : [table.join('\n')];
    return [`## ${section.title}`, ...(section.text === '' ? [] : [section.text]), ...body].join('\n\n');
  });
  return `${[introduction, ...sections, renderCodes()].join('\n\n')}\n`;
}

function renderRow({ key, type, required, initial, description }: ReferenceRow): string {
  const fallback = required ? 'required' : initial === '' ? '' : `\`${initial}\``;
  return `| ${[`\`${key}\``, type, fallback, description].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function renderCodes(): string {
  const rows = Object.entries(findingCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return [
    '## Codes of findings',
    'What is said of a file, as `FILE:LINE:COLUMN: error CODE: message`.',
    ['| code | meaning |', '|---|---|', ...rows].join('\n'),
  ].join('\n\n');
}

const introduction = `# Configuration file

<!-- Made from the schema by src/config/reference.ts; a test holds it to the code. UPDATE_DOCS=1 npm test writes it anew. -->

One file in YAML, JSON or TypeScript (\`export default defineGateway({ ... })\`, imported from \`portico/config\`).
Unknown keys are errors, and everything wrong is reported at once.

- **Durations** are a number and one unit: \`250ms\`, \`10s\`, \`5m\`, \`1h\`, \`1d\`.
- **Sizes** are a number of bytes, or a number and a unit: \`512B\`, \`64KiB\`, \`10MiB\`, \`1GiB\`, \`1TiB\` (1 KiB is 1024 bytes).
- **Regular expressions** are in RE2 syntax, matched in linear time: without look-around and back-references. They are found anywhere in a text unless anchored.
- **References** are filled into any string: \`\${env.NAME}\`, \`\${env.NAME:-default}\` (the default also when the variable is empty), and \`\${file:/path}\`
  (without the line break at its end; relative paths start at the configuration file). What is missing or empty and has no default is an error. \`$\${\` stands for a literal \`\${\`.
  A value that is one reference as a whole may stand for a number or a boolean. What is filled in is never read as YAML, and never shown in messages.
- YAML anchors, aliases and the merge key \`<<\` work. A file holds one document, in UTF-8, of 16 MiB at most.
  It may be a pipe (\`-c <(...)\`), which is read to its end; 30 s in which nothing comes are an error.`;
