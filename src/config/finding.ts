/** What is wrong, or odd, in a configuration, and where. */

export type Severity = 'error' | 'warning';

/** One finding. `line` and `column` begin at 1. `path` is like `routes[2].match.path`, empty for the whole file. */
export interface Finding {
  file: string;
  line: number;
  column: number;
  severity: Severity;
  /** Stable, documented in the reference. */
  code: string;
  message: string;
  path: string;
  /** What to write instead, where there is a likely answer. */
  suggestion?: string;
}

/** One line for people: `FILE:LINE:COLUMN: error CODE: message`, and the suggestion. */
export function formatFinding(finding: Finding): string {
  const place = `${finding.file}:${finding.line}:${finding.column}`;
  const hint = finding.suggestion === undefined ? '' : ` (did you mean \`${finding.suggestion}\`?)`;
  return `${place}: ${finding.severity} ${finding.code}: ${finding.message}${hint}`;
}
