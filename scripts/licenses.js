/** Writes down the terms under which the packages that were joined into programs may be passed on. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Terms of packages that are published without them, each as its repository has them. */
const KEPT = fileURLToPath(new URL('./licenses', import.meta.url));

/**
 * Writes the terms of the packages that `modules` belong to (paths of files; those outside `node_modules` are our own) to `file`. Throws
 * where a package has only the name of a license: what it asks for is that its words be passed on.
 */
export function writeLicenses(modules, file) {
  const packages = new Map();
  for (const module of modules) {
    const folder = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(module)?.[0];
    if (folder === undefined) continue;
    if (!packages.has(folder)) packages.set(folder, []);
    packages.get(folder).push(module);
  }
  const texts = [...packages.keys()].sort().map((folder) => termsOf(folder, packages.get(folder)));
  writeFileSync(file, `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
}

function termsOf(folder, modules) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const words = [...textsIn(folder), ...kept(name)];
  if (words.length === 0) words.push(...sectionOfReadme(folder));
  if (words.length === 0)
    throw new Error(`${name} has no text of its license: put it into scripts/licenses/${name}.txt`);
  // Programs are written without comments, so what stands in those must stand here.
  words.push(...new Set(modules.sort().flatMap(noticesIn)));
  return [`${name} ${version} (${license})`, ...words].join('\n\n');
}

function textsIn(folder) {
  const names = readdirSync(folder).filter((entry) => /^(?:licen[cs]e|notice|copying)/i.test(entry));
  return names.sort().map((name) => readFileSync(join(folder, name), 'utf8').trim());
}

function kept(name) {
  const file = join(KEPT, `${name}.txt`);
  return existsSync(file) ? [readFileSync(file, 'utf8').trim()] : [];
}

/** A section `License` of README.md that has more than a name. */
function sectionOfReadme(folder) {
  const file = join(folder, 'README.md');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const section = /^#+ *licen[cs]e *$\n([^#]*)/im.exec(text)?.[1].trim() ?? '';
  return /copyright/i.test(section) ? [section] : [];
}

/** Comments of a file that name whose it is: it may have come from elsewhere, under other terms. */
function noticesIn(module) {
  const comments = readFileSync(module, 'utf8').match(/\/\*[\s\S]*?\*\//g) ?? [];
  return comments.filter((comment) => /copyright/i.test(comment));
}
