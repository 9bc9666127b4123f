/** The image: what its Dockerfile says, and what its steps make. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { checkedConfig } from './config-faults.ts';
import { all, build, contextOf, execForm, type Image, readDockerfile, readText } from './dockerfile.ts';
import { DEPLOY, packageVersion, REQUIRED, ROOT } from './places.ts';

const stages = readDockerfile(readText(join(DEPLOY, 'docker', 'Dockerfile')));
const final = stages[stages.length - 1];
const health = execForm(all(final, 'HEALTHCHECK')[0]);
const example = readText(join(DEPLOY, 'docker', 'portico.yaml'));
const checkout = filesBelow('');

/** Folders that no step needs and that are large stand for what is in them. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const opaque = !entry.isDirectory() || ['.git', 'node_modules', 'dist'].includes(entry.name);
    return opaque ? [path] : filesBelow(path);
  });
}

describe('the Dockerfile', () => {
  test('ends in a stage that is started anew, with nothing run in it, by no root', () => {
    expect(stages.map(({ name }) => name)).not.toContain(final.base);
    expect(all(final, 'RUN')).toEqual([]);
    expect(all(final, 'USER')).toEqual(['10001:10001']);
    expect(all(final, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(all(final, 'VOLUME')).toEqual(['/var/lib/portico']);
    expect(all(final, 'ENV')).toContain('PORTICO_STATE_DIR=/var/lib/portico');
  });

  test('starts what stands in the image, by commands that there are', async () => {
    const entrypoint = execForm(all(final, 'ENTRYPOINT')[0]);
    expect(entrypoint).toEqual(['node', '/app/bin/portico.js']);
    expect(execForm(all(final, 'CMD')[0])).toEqual(['start', '-c', '/etc/portico/portico.yaml']);
    expect(health.slice(0, 2)).toEqual(entrypoint);
    // Nothing listens there: what counts is that the line is understood.
    const line = health.slice(2).map((word) => word.replace(':9901', ':1'));
    expect(await main(line, { out: () => {}, error: () => {}, env: {}, cwd: '/' })).toBe(1);
  });

  test('asks for health where the example puts the admin listener, and announces its ports', () => {
    const { config, faults } = checkedConfig(example);
    expect(faults).toEqual([]);
    expect(health.at(-1)).toBe(`http://127.0.0.1:${config?.admin?.address.port}`);
    const ports = [config?.listeners[0].address.port, config?.admin?.address.port];
    expect(all(final, 'EXPOSE')).toEqual([ports.join(' ')]);
    expect(config?.listeners[0].address.host).toBe('0.0.0.0');
  });

  test('takes from the checkout only what .dockerignore lets through', () => {
    const context = contextOf(checkout, readText(join(ROOT, '.dockerignore')));
    const copied = stages.flatMap((stage) => all(stage, 'COPY')).filter((rest) => !rest.includes('--from='));
    const wanted = copied.flatMap((rest) => rest.split(/\s+/).slice(0, -1));
    for (const path of wanted) {
      const found = context.filter((file) => file === path || file.startsWith(`${path}/`));
      expect([path, found.length > 0]).toEqual([path, true]);
    }
    for (const file of context) {
      const used = wanted.some((path) => file === path || file.startsWith(`${path}/`));
      expect([file, used]).toEqual([file, true]);
    }
    expect(context.filter((file) => file.includes('.test.'))).toEqual([]);
  });
});

/**
 * What `npm install` would bring, from this checkout: tests need no network. With every peer at hand the step itself is
 * carried out.
 */
function install(command: string, directory: string): boolean {
  if (REQUIRED || !command.startsWith('npm install ')) return false;
  const modules = join(ROOT, 'node_modules');
  const there = join(directory, 'node_modules');
  if (!command.includes('--omit=dev')) {
    symlinkSync(realpathSync(modules), there);
    return true;
  }
  const bring = (names: readonly string[]): void => {
    for (const name of names.filter((each) => !existsSync(join(there, each)))) {
      cpSync(realpathSync(join(modules, name)), join(there, name), { recursive: true });
      bring(dependenciesOf(join(there, name)));
    }
  };
  bring(dependenciesOf(directory));
  return true;
}

function dependenciesOf(directory: string): string[] {
  const { dependencies = {} } = JSON.parse(readText(join(directory, 'package.json'))) as { dependencies?: object };
  return Object.keys(dependencies);
}

describe('its steps, as commands in a clean folder', () => {
  const work = mkdtempSync(join(tmpdir(), 'portico-image-'));
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  let image: Image;

  /** A path of the image on this machine. */
  const here = (path: string): string => (/^\/(app|var)\//.test(path) ? join(image.root, path) : path);

  /** As the image's user where that can be: it owns nothing but the state, so that everything else is read-only to it. */
  const identity = (): { uid?: number; gid?: number } => {
    const nobody = { uid: 10001, gid: 10001 };
    return process.getuid?.() === 0 && spawnSync(process.execPath, ['--version'], nobody).status === 0 ? nobody : {};
  };

  /** Program and arguments of a command of the image; `node` is this one. */
  const onThisMachine = ([program, ...args]: readonly string[]): [string, string[]] => {
    expect(program).toBe('node');
    return [process.execPath, args.map(here)];
  };

  test('make the package and what it needs, and nothing else', { timeout: 120_000 }, () => {
    chmodSync(work, 0o755);
    const context = join(work, 'context');
    for (const file of contextOf(checkout, readText(join(ROOT, '.dockerignore')))) {
      mkdirSync(dirname(join(context, file)), { recursive: true });
      cpSync(join(ROOT, file), join(context, file));
    }
    image = build(stages, context, work, install);
    expect(readdirSync(image.root).sort()).toEqual(['app', 'var']);
    const app = join(image.root, 'app');
    const entries = ['LICENSE', 'README.md', 'bin', 'dist', 'node_modules', 'package.json'];
    expect(readdirSync(app).sort()).toEqual(entries);
    const missing = dependenciesOf(ROOT).filter((name) => !existsSync(join(app, 'node_modules', name)));
    expect(missing).toEqual([]);
    expect(existsSync(join(app, 'node_modules', 'typescript'))).toBe(false);
    const built = readdirSync(join(app, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(built.filter((name) => name.includes('.test.'))).toEqual([]);
    expect(existsSync(join(app, 'dist', 'program', 'main.js'))).toBe(true);
  });

  test('make something that tells its version', () => {
    const [program, args] = onThisMachine([...image.entrypoint, 'version']);
    const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', cwd: '/', ...identity() });
    expect(stdout).toBe(`portico ${packageVersion()}\nnode ${process.versions.node}\n`);
    expect(status).toBe(0);
  });

  test('make something that serves the example, is healthy, and stops', { timeout: 60_000 }, async () => {
    const file = join(work, 'portico.yaml');
    writeFileSync(
      file,
      example.replace(/(0\.0\.0\.0|127\.0\.0\.1):\d+/g, '127.0.0.1:0').replace('drain: 5s', 'drain: 0s'),
    );
    const [program, args] = onThisMachine([...image.entrypoint, ...image.command]);
    const command = args.map((word) => (word === '/etc/portico/portico.yaml' ? file : word));
    expect(command).toContain(file);
    const given = Object.entries(image.env).map(([name, value]) => [name, here(value)]);
    const gateway = spawn(program, command, {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...Object.fromEntries(given) },
      ...identity(),
    });
    try {
      const addresses = new Map<string, string>();
      for await (const line of createInterface({ input: gateway.stdout })) {
        const { msg, listener, address } = JSON.parse(line) as Record<string, string>;
        if (msg === 'listening') addresses.set(listener, address);
        if (addresses.size === 2) break;
      }
      gateway.stdout.resume();
      expect((await fetch(`http://${addresses.get('public')}/hello`)).status).toBe(200);
      expect(readdirSync(here('/var/lib/portico'))).toContain('last-good.json');
      const [, question] = onThisMachine(health);
      const asked = question.map((word) => word.replace('127.0.0.1:9901', addresses.get('admin') as string));
      const healthy = spawnSync(program, asked, { encoding: 'utf8', cwd: '/', ...identity() });
      expect([healthy.stdout, healthy.stderr, healthy.status]).toEqual(['ready\n', '', 0]);
      const exit = once(gateway, 'exit');
      gateway.kill('SIGTERM');
      expect(await exit).toEqual([0, null]);
      expect(spawnSync(program, asked).status).toBe(1);
    } finally {
      gateway.kill('SIGKILL');
    }
  });
});
