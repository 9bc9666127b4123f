#!/usr/bin/env node
/** The command `portico`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The file of `dist` that should have been built and is not there, by whatever way the runtime looked for it; null for any other error. */
function missingFile(error) {
  const begin = `Cannot find module '${join(ROOT, 'dist')}`;
  const message = String(error?.message);
  if (!message.startsWith(begin)) return null;
  return `dist${message.slice(begin.length).split("'", 1)[0]}`;
}

async function run(args) {
  const { headStart } = await import('../dist/program/head-start.js');
  headStart(args);
  // What this imports is most of the package: by now the thread has begun.
  const { main } = await import('../dist/program/main.js');
  return main(args);
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const file = missingFile(error);
  if (file === null) throw error;
  // What is installed has no sources to be built from.
  const isCheckout = existsSync(join(ROOT, 'scripts', 'build.js'));
  const remedy = isCheckout ? `run "npm run build" in ${ROOT}` : `install the package anew (${ROOT})`;
  process.stderr.write(`portico: ${file} is missing: ${remedy}\n`);
  process.exitCode = 1;
}
