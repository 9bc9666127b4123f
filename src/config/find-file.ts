/** Finds the configuration file of a directory. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Names that are looked for, the first one found wins. */
export const configFileNames: readonly string[] = ['portico.yaml', 'portico.yml', 'portico.json', 'portico.config.ts'];

/** The path of the configuration file in `directory`, or null when it has none. */
export async function findConfigFile(directory: string): Promise<string | null> {
  for (const name of configFileNames) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => null);
    if (found?.isFile()) return path;
  }
  return null;
}
