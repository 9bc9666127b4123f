/** Joins modules of `src`, and what they need of other packages, into as few files as their programs allow. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is not joined: native, or a program that reads others. Whoever installs Portico installs these. */
const APART = ['jiti', 'libsql', 'pg-native'];

/**
 * Writes a file for each program (its name to its module) into `directory`, all side by side, with what several of them need in files
 * beside them; answers the folders of the packages that went in. Names stay as they are written, for the sake of stack traces.
 */
export async function bundle(root, programs, directory) {
  const { rolldown } = await import('rolldown');
  const joined = await rolldown({ cwd: root, platform: 'node', input: programs, external: APART });
  try {
    const { output } = await joined.write({
      dir: directory,
      entryFileNames: '[name].js',
      chunkFileNames: 'shared-[name]-[hash].js',
      sourcemap: true,
      comments: false,
    });
    return [
      ...new Set(output.flatMap(({ moduleIds = [] }) => moduleIds.map(packageOf)).filter((name) => name !== null)),
    ].sort();
  } finally {
    await joined.close();
  }
}

/** The folder of the package that a module belongs to; null for our own. */
function packageOf(module) {
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(module)?.[0] ?? null;
}

/** Writes down the terms under which others let us pass their packages on; throws where a package has none. */
export function writeLicenses(packages, file) {
  const texts = packages.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const texts = readdirSync(folder).filter((entry) => /^(licen[cs]e|notice)/i.test(entry));
    if (license === undefined && texts.length === 0)
      throw new Error(`${name} does not say under which terms it may be passed on`);
    const words = texts.map((entry) => readFileSync(join(folder, entry), 'utf8').trim());
    return [`${name} ${version} (${license})`, ...words].join('\n\n');
  });
  writeFileSync(file, `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
}
