/** Reads the text of a file into a source tree: quickly where it is plain, and with words for every fault where it is not. */
import { extname } from 'node:path';
import { jsonFault } from './json-syntax.ts';
import { readQuickly } from './quick-yaml.ts';
import type { RouteLines } from './route-lines.ts';
import type { SourceTree } from './source-tree.ts';
import type { SubstitutionSources } from './substitution.ts';
import { parseYaml, placeAt, readYaml, referencesIn } from './yaml-source.ts';

export interface ParsedText {
  /** Strings that hold references. */
  readonly references: readonly string[];
  /** Where its routes stand; null where that is not known. */
  readonly routeLines: RouteLines | null;
  /** The tree with its references filled in. To be called once. */
  tree(sources: SubstitutionSources): SourceTree;
}

/**
 * Parses YAML or JSON. YAML allows more than JSON does; a file that is called JSON is held to JSON, since other programs
 * will read it. What could be read of it all the same is still checked.
 */
export function parseText(file: string, text: string): ParsedText {
  const isJson = extname(file) === '.json';
  const quick = isJson && !isSoundJson(text) ? null : readQuickly(text, isJson);
  if (quick !== null) return quick;
  const parsed = parseYaml(text);
  return {
    references: referencesIn(parsed),
    routeLines: null,
    tree(sources) {
      const tree = readYaml(parsed, sources);
      const fault = isJson ? jsonFault(text) : null;
      if (fault === null) return tree;
      // The same fault again, in words of YAML.
      tree.problems = tree.problems.filter(({ code }) => code !== 'yaml_syntax');
      // YAML knows no comments of this form, and took them for keys and values.
      if (text[fault.offset] === '/' || /^[ \t]*\/[/*]/m.test(text)) tree.root = undefined;
      const place = placeAt(parsed.lines, fault.offset);
      tree.problems.push({ code: 'json_syntax', message: `not JSON: ${fault.message}`, place, path: [] });
      return tree;
    },
  };
}

function isSoundJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
