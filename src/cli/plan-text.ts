/** Changes of a configuration, for people. */
import { type Change, changeCodes, changeSeverities, summaryOf } from '../config/plan/change.ts';

/** One line a change, the gravest first. */
export function textOfChanges(changes: readonly Change[]): string {
  if (changes.length === 0) return 'nothing differs\n';
  const lines: string[] = [];
  for (const severity of changeSeverities) {
    const group = changes.filter((change) => change.severity === severity);
    if (group.length > 0) lines.push(`${severity}:`);
    for (const change of group) lines.push(`  ${change.code}: ${change.message}${valuesOf(change)}`);
  }
  const { added, removed, changed } = summaryOf(changes);
  lines.push(`${added} added, ${removed} removed, ${changed} changed`);
  return `${lines.join('\n')}\n`;
}

/** Longest value that a line shows; `--json` has all of them. */
const longestShown = 100;

function valuesOf({ code, before, after }: Change): string {
  // What came or went is named by its sentence.
  if (changeCodes[code].counts !== 'changed' || (before === undefined && after === undefined)) return '';
  const sides = [before, after].map((value) => (value === undefined ? '(none)' : shown(value)));
  if (sides.some((side) => side.length > longestShown)) return '';
  return `: ${sides.join(' -> ')}`;
}

/** Lists as their items, and maps as JSON, in which no control character is left. */
function shown(value: unknown): string {
  const isList = Array.isArray(value) && value.every((item) => typeof item !== 'object');
  if (isList) return `[${value.map((item) => shown(item)).join(', ')}]`;
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value);
}
