/** The package as it is published: packed, unpacked into an empty folder with what it asks for, run, and imported. */
import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
/** With a space, which a path may have. */
const work = mkdtempSync(join(tmpdir(), 'portico package-'));
const installed = join(work, 'node_modules', 'portico');
let files: string[] = [];

/** Packages that are asked for in case they are there; what asks can do without. */
const OPTIONAL = ['pg-native', '@node-rs/xxhash', '@opentelemetry/api'];

interface Manifest {
  bin: Record<string, string>;
  exports: Record<string, string | { types: string; default: string }>;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
}

interface Outcome {
  status: number;
  text: string;
}

function run(...line: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, line, { cwd: work, timeout: 20_000 }, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, text: stdout + stderr }),
    );
  });
}

beforeAll(() => {
  const line = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', work];
  const [packed] = JSON.parse(execFileSync('npm', line, { cwd: ROOT, encoding: 'utf8' }));
  files = packed.files.map(({ path }: { path: string }) => path);
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(work, packed.filename), '-C', installed, '--strip-components=1']);
  // As an install would that leaves out what is optional. None of them has dependencies of its own.
  for (const name of Object.keys(manifest().dependencies)) {
    const place = join(work, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(realpathSync(join(ROOT, 'node_modules', name)), place);
  }
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** What the modules of a folder import from packages, each once: `zod`, `node:fs`, `@redis/client`. */
function packagesOf(folder: string, ending: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending));
  const texts = names.map((name) => readFileSync(join(folder, name), 'utf8'));
  const found = texts.flatMap((text) => [
    ...text.matchAll(/^(?:import|export) [^"';]*?\bfrom ["']([^"']+)["']/gm),
    ...text.matchAll(/\b(?:import|require|__require)\(["']([^"']+)["']\)/g),
  ]);
  return [...new Set(found.map(([, name]) => name))].filter((name) => !name.startsWith('.'));
}

describe('the package', () => {
  test('holds what its manifest names, and nothing of its making', () => {
    const { bin, exports } = manifest();
    const named = [
      ...Object.values(bin),
      ...Object.values(exports).flatMap((place) =>
        typeof place === 'string' ? [place] : [place.types, place.default],
      ),
    ];
    for (const name of named) expect(files).toContain(name.replace(/^\.\//, ''));
    const others = files.filter((name) => !/^(?:bin|dist\/program|dist\/types)\//.test(name)).sort();
    expect(others).toEqual(['LICENSE', 'README.md', 'dist/licenses-of-others.txt', 'package.json']);
    expect(files.filter((name) => /\.(?:test|contract)\./.test(name))).toEqual([]);
  });

  test.each([
    ['programs', 'dist/program', '.js'],
    ['types', 'dist/types', '.d.ts'],
  ])('imports in its %s only what is installed with it', (_what, folder, ending) => {
    const { dependencies, optionalDependencies } = manifest();
    const known = [...Object.keys({ ...dependencies, ...optionalDependencies }), ...OPTIONAL];
    const imported = packagesOf(join(installed, folder), ending).filter((name) => !isBuiltin(name));
    expect(imported.length).toBeGreaterThan(0);
    expect(imported.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('passes on the terms of whatever is joined into it, word for word', () => {
    const terms = readFileSync(join(installed, 'dist/licenses-of-others.txt'), 'utf8').split(`\n${'-'.repeat(80)}\n`);
    const names = terms.map((each) => /^\s*(\S+) \S+ \(\S+\)\n/.exec(each)?.[1]);
    expect(names).toEqual(expect.arrayContaining(['@redis/client', 'jose', 'pg', 'pg-types', 'pgpass', 'yaml', 'zod']));
    for (const each of terms) expect(each).toMatch(/copyright[\s\S]*(?:as is|without warranty)/i);
    // Came into another package from elsewhere, under other terms.
    expect(terms.join()).toContain('cluster-key-slot');
  });
});

const CONFIG = `import { defineGateway } from 'portico/config';

const port: number = 9001;
export default defineGateway({
  version: 1,
  listeners: [{ name: 'public', address: '127.0.0.1:0' }],
  services: [{ name: 'users', endpoints: [\`http://127.0.0.1:\${port}\`] }],
  routes: [{ name: 'all', match: { path: '/*' }, service: 'users' }],
});
`;

const POLICY = `import { definePolicy } from 'portico/plugin';
import { z } from 'zod';

export const teapot = definePolicy({
  name: 'teapot',
  phase: 'guard',
  schema: z.strictObject({ path: z.string() }),
  create: ({ path }) => ({
    effect: \`418 on \${path}\`,
    onRequest: (exchange) => (exchange.path === path ? { status: 418, headers: {}, body: '' } : undefined),
  }),
});
`;

describe('installed without optional packages', () => {
  const portico = join(installed, 'bin/portico.js');
  beforeAll(() => {
    writeFileSync(join(work, 'portico.config.ts'), CONFIG);
    writeFileSync(join(work, 'wrong.config.ts'), CONFIG.replace('service:', 'servcie:'));
    writeFileSync(join(work, 'policy.ts'), POLICY);
    writeFileSync(join(work, 'wrong-policy.ts'), POLICY.replace('{ status: 418', '{ status: path'));
  });

  test('runs, and reads a configuration in TypeScript', async () => {
    expect(existsSync(join(work, 'node_modules', 'libsql'))).toBe(false);
    const [version, check, wrong] = await Promise.all([
      run(portico, 'version'),
      run(portico, 'check', 'portico.config.ts'),
      run(portico, 'check', 'wrong.config.ts'),
    ]);
    expect([version.status, version.text]).toEqual([0, expect.stringMatching(/^portico \d/)]);
    expect(check).toEqual({ status: 0, text: 'portico.config.ts: no findings\n' });
    expect([wrong.status, wrong.text]).toEqual([1, expect.stringContaining('did you mean "service"?')]);
  });

  test.each([
    ['NodeNext', 'NodeNext'],
    ['Bundler', 'ESNext'],
  ])('has types that tell right from wrong: %s', async (resolution, module) => {
    const files = ['portico.config.ts', 'wrong.config.ts', 'policy.ts', 'wrong-policy.ts'];
    const line = [
      '--noEmit',
      '--skipLibCheck',
      '--strict',
      '--target',
      'es2023',
      '--module',
      module,
      '--moduleResolution',
      resolution,
    ];
    const { text } = await run(TSC, ...line, ...files);
    const faults = [...text.matchAll(/^(\S+?)\((\d+),\d+\): error/gm)].map(([, file, row]) => `${file}:${row}`);
    expect([faults, text]).toEqual([['wrong-policy.ts:10', 'wrong.config.ts:8'], expect.stringContaining('servcie')]);
  });
});

describe('a build that fails', () => {
  const root = join(work, 'checkout');
  const programs = readFileSync(join(ROOT, 'scripts/build.js'), 'utf8').matchAll(/'(src\/\S+\.ts)'/g);
  beforeAll(() => {
    for (const name of ['scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
      cpSync(join(ROOT, name), join(root, name), { recursive: true });
    symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(root, 'node_modules'));
    for (const [, name] of programs) write(join(root, name), "import 'yaml';\n");
    write(join(root, 'dist/program/main.js'), 'what runs');
  });

  function write(file: string, text: string): void {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  test.each([
    ['by a type', "export const wrong: number = '';\n", 'TS2322'],
    ['by a module that is not there', "import './nowhere.ts';\n", 'UNRESOLVED_IMPORT'],
  ])('%s leaves what was built before', async (_what, text, reason) => {
    write(join(root, 'src/config/define.ts'), text);
    const { status, text: said } = await run(join(root, 'scripts/build.js'));
    expect([status, said]).toEqual([1, expect.stringContaining(reason)]);
    expect(readFileSync(join(root, 'dist/program/main.js'), 'utf8')).toBe('what runs');
    expect(readdirSync(root).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
  });

  test('is followed by one that takes its place', async () => {
    write(join(root, 'dist.next/left.js'), 'of a build that was interrupted');
    write(join(root, 'src/config/define.ts'), 'export const right: number = 1;\n');
    expect(await run(join(root, 'scripts/build.js'))).toEqual({ status: 0, text: '' });
    expect(readFileSync(join(root, 'dist/program/config.js'), 'utf8')).toContain('right');
    expect(readFileSync(join(root, 'dist/types/config/define.d.ts'), 'utf8')).toContain('right: number');
    expect(readdirSync(root).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
    expect(readdirSync(join(root, 'dist')).sort()).toEqual(['licenses-of-others.txt', 'program', 'types']);
  });
});
