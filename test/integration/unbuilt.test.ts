/** The command in a tree of which nothing, or not everything, was built: a line that says what to do. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/portico.js', import.meta.url));
/** With what a path may have and a message may end with. */
const work = realpathSync(mkdtempSync(join(tmpdir(), "portico it's unbuilt-")));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const HEAD_START = 'export const headStart = () => {};';
/** Whose thread is not there. */
const THREADED = `import { Worker } from 'node:worker_threads';
export const main = () => new Promise((_, reject) => new Worker(new URL('./thread.js', import.meta.url)).on('error', reject));`;

let trees = 0;

/** The exit status, and what was said, of `portico version` in a tree with these files; without its own path. */
function runWith(files: Readonly<Record<string, string>>): Promise<[number | null, string]> {
  const root = join(work, String(trees++), '/');
  for (const [name, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  cpSync(PROGRAM, join(root, 'bin', 'portico.js'));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [join(root, 'bin', 'portico.js'), 'version'], (_error, out, error) =>
      resolve([child.exitCode, (out + error).replaceAll(root, 'ROOT')]),
    );
  });
}

test.each<[string, string, Record<string, string>]>([
  ['nothing', 'head-start.js', {}],
  ['no main', 'main.js', { 'dist/program/head-start.js': HEAD_START }],
  [
    'not what main needs',
    'shared-a.js',
    { 'dist/program/head-start.js': HEAD_START, 'dist/program/main.js': "export * from './shared-a.js';" },
  ],
  [
    'not what main needs later',
    'late.js',
    {
      'dist/program/head-start.js': HEAD_START,
      'dist/program/main.js': "export const main = () => import('./late.js');",
    },
  ],
  ['no thread', 'thread.js', { 'dist/program/head-start.js': HEAD_START, 'dist/program/main.js': THREADED }],
])('%s is there', async (_, missing, files) => {
  expect(await Promise.all([runWith({ ...files, 'scripts/build.js': '' }), runWith(files)])).toEqual([
    [1, `portico: dist/program/${missing} is missing: run "npm run build" in ROOT\n`],
    [1, `portico: dist/program/${missing} is missing: install the package anew (ROOT)\n`],
  ]);
});

test('what else is missing, or fails, is told by the runtime', async () => {
  for (const main of ["await import('/nowhere/at.js')", "await import('./beside.js')", "throw new Error('its own')"]) {
    const [status, text] = await runWith({
      'dist/program/head-start.js': HEAD_START,
      // Beside the program, not of `dist`.
      'dist/program/main.js': `export const main = async () => { ${main.replace('./', '../../')} };`,
    });
    expect([status, text]).toEqual([1, expect.stringMatching(/at\.js|beside\.js|its own/)]);
    expect(text).not.toContain('is missing:');
  }
});
