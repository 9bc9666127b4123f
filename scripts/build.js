/** Compiles `src` into `dist`, from nothing, so that no file of an older tree stays behind. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

let compiler;
try {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  compiler = join(dirname(manifest), 'bin', 'tsc');
} catch {
  compiler = null;
}
if (compiler === null || !existsSync(compiler)) {
  // An install without development dependencies of a tree that was built before has nothing to do.
  if (existsSync(join(root, 'dist', 'cli', 'main.js'))) process.exit(0);
  console.error(
    'portico: typescript is not installed and there is no dist/; run "npm install" with development dependencies',
  );
  process.exit(1);
}
rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
