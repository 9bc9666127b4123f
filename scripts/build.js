/** Makes `dist` of `src`, from nothing: programs, each joined of its modules, and the types of what others may import. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, writeLicenses } from './bundle.js';

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

const compiler = tool('typescript/package.json', 'bin', 'tsc');
if (compiler === null || tool('rolldown/package.json') === null) {
  // An install without development dependencies of a tree that was built before has nothing to do.
  if (existsSync(join(dist, 'program', 'main.js'))) process.exit(0);
  console.error(
    'portico: typescript or rolldown is not installed and there is no dist/; run "npm install" with development dependencies',
  );
  process.exit(1);
}
rmSync(dist, { recursive: true, force: true });
writeLicenses(await bundle(root, PROGRAMS, join(dist, 'program')), join(dist, 'licenses-of-others.txt'));
const { status } = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
