/** Makes `dist` of `src`, from nothing: programs, each joined of its modules, and the types of what others may import. */
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.js';
import { writeLicenses } from './licenses.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

/** What is started, by the command, as a process or as a thread; and what `exports` of package.json names. */
const PROGRAMS = {
  main: 'src/cli/main.ts',
  'head-start': 'src/cli/head-start.ts',
  'worker-main': 'src/gateway/workers/worker-main.ts',
  'load-thread': 'src/gateway/loader/load-thread.ts',
  'edit-thread': 'src/control/edit-thread.ts',
  'sqlite-thread': 'src/state/keys/sqlite-thread.ts',
  'password-thread': 'src/policies/basic-auth/password-thread.ts',
  config: 'src/config/define.ts',
  plugin: 'src/pipeline/policy.ts',
};

/** The file of a tool that may not be installed; null then. */
function tool(manifest, ...path) {
  try {
    const file = join(dirname(createRequire(import.meta.url).resolve(manifest)), ...path);
    return existsSync(file) ? file : null;
  } catch {
    return null;
  }
}

/** Writes everything into `directory`; false, with reasons on stderr, where the compiler finds faults. Throws where the rest fails. */
async function build(compiler, directory) {
  writeLicenses(await bundle(root, PROGRAMS, join(directory, 'program')), join(directory, 'licenses-of-others.txt'));
  const line = [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(directory, 'types')];
  return spawnSync(process.execPath, line, { stdio: 'inherit' }).status === 0;
}

const compiler = tool('typescript/package.json', 'bin', 'tsc');
if (compiler === null || tool('rolldown/package.json') === null) {
  const wanted = 'portico: typescript or rolldown is not installed';
  // An install without development dependencies of a tree that was built before has nothing to do.
  if (existsSync(join(dist, 'program', 'main.js'))) {
    console.error(`${wanted}: dist/ stays as it was built before`);
    process.exit(0);
  }
  console.error(`${wanted} and there is no dist/; run "npm install" with development dependencies`);
  process.exit(1);
}
// What is there is replaced when all of the new is: a build that fails, or is interrupted, leaves what runs as it is.
const next = join(root, 'dist.next');
rmSync(next, { recursive: true, force: true });
try {
  if (await build(compiler, next)) {
    rmSync(dist, { recursive: true, force: true });
    renameSync(next, dist);
  } else process.exitCode = 1;
} finally {
  rmSync(next, { recursive: true, force: true });
}
