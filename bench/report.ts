/** Turns what a scenario found into a table for people and a record for programs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import type { Machine } from './measure/machine.ts';
import type { Subject } from './measure/subject.ts';

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Result {
  readonly scenario: string;
  /** What made the load, where it was not wrk. */
  readonly client?: string;
  /** What was done, in a sentence or two. */
  readonly description: string;
  readonly table: Table;
  /** The load, as a reader would type it. */
  readonly loads: readonly string[];
  readonly subjects: readonly SubjectRecord[];
  readonly notes: readonly string[];
  /** Every round, for those who would look at more than medians. */
  readonly data: unknown;
}

export interface SubjectRecord {
  readonly name: string;
  readonly version: string;
  readonly note: string;
  readonly command: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Longer configurations (thousands of routes) are cut: their pattern is plain from the start. */
const SHOWN_CHARACTERS = 4000;

/** Replaces the paths of this machine by names; ports stay, they are the run's. */
function withoutPaths(text: string, bench: Bench): string {
  const root = join(import.meta.dirname, '..');
  const other = bench.settings.against;
  const named = other === undefined ? text : text.replaceAll(other, '$OTHER');
  return named
    .replaceAll(process.execPath, 'node')
    .replaceAll(bench.directory, '$TMP')
    .replaceAll(`${root}/`, '')
    .replaceAll(root, '.');
}

export function recordSubject(bench: Bench, subject: Subject): SubjectRecord {
  const { peer, launch, version } = subject;
  const environment = Object.entries(launch.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const command = [...environment, 'taskset', '-c', String(bench.cores.proxy), ...launch.command].join(' ');
  const files: Record<string, string> = {};
  for (const [name, text] of Object.entries(launch.files)) {
    const shown = withoutPaths(text, bench);
    files[name] = shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}\n... (cut)\n` : shown;
  }
  return { name: peer.name, version, note: peer.note, command: withoutPaths(command, bench), files };
}

/** The table as aligned Markdown: first column left, the others right. */
export function renderTable(table: Table): string {
  const widths = table.header.map((title, column) =>
    Math.max(title.length, ...table.rows.map((row) => row[column].length), 3),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(table.header), line(rule), ...table.rows.map(line)].join('\n');
}

function renderMarkdown(result: Result, machine: Machine, bench: Bench, date: string): string {
  const { rounds, seconds, warmup } = bench.settings;
  const configurations = result.subjects.map(({ name, command, files }) => {
    const blocks = Object.entries(files).map(([file, text]) => `\n\`${file}\`:\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`);
    return `<details><summary>${name}</summary>\n\n\`\`\`\n${command}\n\`\`\`\n${blocks.join('')}\n</details>`;
  });
  return `# ${result.scenario}, ${date}

${result.description}

${renderTable(result.table)}

${result.notes.map((note) => `- ${note}`).join('\n')}

## How it was measured
- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, Node ${machine.node}.
- The proxy alone on core ${bench.cores.proxy}; client (${result.client ?? `wrk ${machine.wrk}`}) and origin (${machine.origin}) on core ${bench.cores.client}.
- ${warmup} s of warm-up each, then ${rounds} rounds of ${seconds} s in turn (A B C A B C ...); medians.

\`\`\`
${result.loads.join('\n')}
\`\`\`

## Who was measured
${result.subjects.map(({ name, version, note }) => `- **${name}** ${version}: ${note}.`).join('\n')}

${configurations.join('\n')}
`;
}

/** Writes `DATE-SCENARIO.md` and `.json` into the directory; returns their common path. */
export function writeResult(bench: Bench, result: Result, machine: Machine, directory: string): string {
  const date = new Date().toISOString().slice(0, 10);
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${date}-${result.scenario}`);
  writeFileSync(`${path}.md`, withoutPaths(renderMarkdown(result, machine, bench, date), bench));
  const { rounds, seconds, warmup, cores } = bench.settings;
  const record = { date, machine, settings: { rounds, seconds, warmup, cores }, ...result };
  writeFileSync(`${path}.json`, `${withoutPaths(JSON.stringify(record, null, 2), bench)}\n`);
  return path;
}

/** A number with so many decimals, thousands separated; a dash where there is none. */
export function figure(value: number, decimals = 0): string {
  if (!Number.isFinite(value)) return '-';
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

export function mebibytes(bytes: number, decimals = 1): string {
  return figure(bytes / 2 ** 20, decimals);
}
