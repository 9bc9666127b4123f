/** Finds the configuration file of a directory. */
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Names that are looked for, the first one found wins. */
const configFileNames: readonly string[] = ['portico.yaml', 'portico.yml', 'portico.json', 'portico.config.ts'];

/** The path of the configuration file in `directory`, or null when it has none. */
export function findConfigFile(directory: string): string | null {
  for (const name of configFileNames) {
    const path = join(directory, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  }
  return null;
}
