/** Reloads, changes and rollbacks: their turn, their outcome, and what is kept of them. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { type LogFields, silentLogger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { Outcome } from './change-wish.ts';
import { ConfigControl, type ConfigTarget } from './config-control.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** Runs what it is given, as the gateway does. */
class Target implements ConfigTarget {
  generation = 0;
  config: GatewayConfig | null = null;
  reloads: string[] = [];
  fault: Error | null = null;

  apply(config: GatewayConfig, { force = false, after = 0 } = {}): Promise<boolean> {
    if (this.fault !== null) return Promise.reject(this.fault);
    if (!force && isDeepStrictEqual(config, this.config)) return Promise.resolve(false);
    this.config = config;
    this.generation = Math.max(this.generation, after) + 1;
    return Promise.resolve(true);
  }

  countReload(result: string): void {
    this.reloads.push(result);
  }
}

const HEAD = `version: 1
listeners: [{ name: a, address: "127.0.0.1:0" }]
`;
const WRITES = 'admin: { writes: true }\n';

function route(body: string): string {
  return `routes: [{ name: r, match: { path: /r }, respond: { status: 200, body: ${body} } }]\n`;
}

function place(text: string, name = 'portico.yaml') {
  const directory = mkdtempSync(join(tmpdir(), 'portico-control-'));
  directories.push(directory);
  const file = join(directory, name);
  writeFileSync(file, text);
  return {
    directory,
    file,
    write: (next: string) => writeFileSync(file, next),
    read: () => readFileSync(file, 'utf8'),
    /** Puts a pipe in its place, at once; settles when somebody has read this from it. */
    pipe(next: string): Promise<void> {
      rmSync(file);
      execFileSync('mkfifo', [file]);
      return writeFile(file, next);
    },
  };
}

async function open(directory: string, options: { bootLastGood?: boolean; stateDir?: string; name?: string } = {}) {
  const lines: [string, string, LogFields | undefined][] = [];
  const line = (level: string) => (message: string, fields?: LogFields) => void lines.push([level, message, fields]);
  const logger = { ...silentLogger, info: line('info'), warn: line('warn'), error: line('error') };
  const control = new ConfigControl({
    file: options.name ?? 'portico.yaml',
    directory,
    load: {},
    clock: systemClock,
    logger,
  });
  const opened = await control.open({ bootLastGood: options.bootLastGood ?? false, stateDir: options.stateDir });
  const target = new Target();
  if (opened.config !== null) {
    await target.apply(opened.config, { after: control.generationFloor });
    await control.attach(target);
  }
  return { control, opened, target, lines, body: () => target.config?.routes[0]?.respond?.body };
}

const wish = { cause: 'api', by: 'test', ifMatch: null };
const yaml = (text: string) => ({ text, format: 'yaml' }) as const;

describe('a reload', () => {
  test('runs what the file says now, and says nothing changed when nothing did', async () => {
    const { directory, write } = place(HEAD + route('one'));
    const { control, target, body } = await open(directory);
    expect(await control.reload('signal')).toMatchObject({ result: 'success', cause: 'signal' });
    expect(target.generation).toBe(1);
    write(HEAD + route('two'));
    await control.reload('signal');
    expect([target.generation, body()]).toEqual([2, 'two']);
    expect(control.picture()).toMatchObject({ cause: 'signal', diverged: false, lastReload: { result: 'success' } });
    expect(target.reloads).toEqual(['success', 'success']);
  });

  test.each([
    ['a file with errors', `${HEAD}routes: 5\n`, { findings: [{ code: 'invalid_type', path: 'routes' }] }],
    ['text that is no YAML', `${HEAD}routes: [`, { findings: [{ code: 'yaml_syntax' }] }],
    ['an empty file', '', { findings: [{ code: 'empty_file' }] }],
  ])('of %s changes nothing, and is counted and kept', async (_, text, what) => {
    const { directory, write } = place(HEAD + route('one'));
    const { control, target, body } = await open(directory);
    write(text);
    expect(await control.reload('file')).toMatchObject({ result: 'failure', ...what });
    expect([target.generation, body(), target.reloads]).toEqual([1, 'one', ['failure']]);
    expect(control.picture().lastReload).toMatchObject({ cause: 'file', result: 'failure', ...what });
  });

  test('that the gateway cannot apply says why', async () => {
    const { directory, write } = place(HEAD + route('one'));
    const { control, target } = await open(directory);
    write(HEAD + route('two'));
    target.fault = new Error('listen EADDRINUSE');
    expect(await control.reload('file')).toMatchObject({ result: 'failure', error: 'listen EADDRINUSE' });
    expect(control.source.text).toContain('one');
    target.fault = null;
    expect(await control.reload('file')).toMatchObject({ result: 'success' });
    expect(control.source.text).toContain('two');
  });
});

describe('a change', () => {
  test('is refused where writes are not allowed, but may be tried', async () => {
    const { directory } = place(HEAD + route('one'));
    const { control, target } = await open(directory);
    expect(await control.put(yaml(HEAD + route('two')), wish)).toMatchObject({ kind: 'refused', code: 'conflict' });
    const dry = await control.put(yaml(HEAD + route('two')), { ...wish, dryRun: true });
    expect(dry).toMatchObject({ kind: 'planned', plan: { summary: { changed: 1 } } });
    expect(target.generation).toBe(1);
  });

  test('is written back to the file, through links, and keeps its rights', async () => {
    const { directory, file, read } = place(HEAD + WRITES + route('one'), 'real.yaml');
    symlinkSync(file, join(directory, 'portico.yaml'));
    // More than the umask leaves.
    chmodSync(file, 0o666);
    const { control, target, body } = await open(directory);
    expect(await control.put(yaml(HEAD + WRITES + route('two')), wish)).toMatchObject({ kind: 'done', changed: true });
    expect([read(), body(), target.generation]).toEqual([HEAD + WRITES + route('two'), 'two', 2]);
    expect(statSync(file).mode & 0o777).toBe(0o666);
    expect(control.picture()).toMatchObject({ cause: 'api', diverged: false });
    // The file's watch tells of our own writing, too.
    await control.reload('file');
    expect(target.generation).toBe(2);
  });

  test('of equal content does nothing', async () => {
    const { directory } = place(HEAD + WRITES + route('one'));
    const { control, target } = await open(directory);
    expect(await control.put(control.source, wish)).toMatchObject({ kind: 'done', changed: false });
    expect(await control.put({ text: JSON.stringify(control.values()), format: 'json' }, wish)).toMatchObject({
      changed: false,
    });
    expect(target.generation).toBe(1);
  });

  test('needs the tag of what runs, when one is named', async () => {
    const { directory } = place(HEAD + WRITES + route('one'));
    const { control } = await open(directory);
    const next = yaml(HEAD + WRITES + route('two'));
    expect(await control.put(next, { ...wish, ifMatch: ['"other"'] })).toMatchObject({ code: 'precondition_failed' });
    const { etag } = control;
    expect(await control.put(next, { ...wish, ifMatch: ['"other"', etag] })).toMatchObject({ kind: 'done' });
    expect(await control.put(next, { ...wish, ifMatch: [etag] })).toMatchObject({ code: 'precondition_failed' });
  });

  test('of two at once that name the same tag, one wins', async () => {
    const { directory } = place(HEAD + WRITES + route('one'));
    const { control } = await open(directory);
    const both = ['two', 'three'].map((text) =>
      control.put(yaml(HEAD + WRITES + route(text)), { ...wish, ifMatch: [control.etag] }),
    );
    expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(['done', 'refused']);
  });

  test('with errors is told what is wrong', async () => {
    const { directory, read } = place(HEAD + WRITES + route('one'));
    const { control, target } = await open(directory);
    for (const text of [`${HEAD}routes: 5\n`, 'a: [', '', '{"version": 1}']) {
      expect(await control.put(yaml(text), wish)).toMatchObject({ kind: 'invalid', findings: [{ severity: 'error' }] });
      expect(await control.put({ text, format: 'json' }, wish)).toMatchObject({ kind: 'invalid' });
    }
    expect([target.generation, read()]).toEqual([1, HEAD + WRITES + route('one')]);
  });

  test('does not overwrite what somebody did to the file meanwhile', async () => {
    const { directory, write, read } = place(HEAD + WRITES + route('one'));
    const { control } = await open(directory);
    write(HEAD + WRITES + route('mine'));
    const outcome = (await control.put(yaml(HEAD + WRITES + route('two')), wish)) as Extract<
      Outcome,
      { kind: 'refused' }
    >;
    expect(outcome.reason).toMatch(/changed and not loaded/);
    expect(read()).toContain('mine');
    await control.reload('signal');
    expect(await control.put(yaml(HEAD + WRITES + route('two')), wish)).toMatchObject({ kind: 'done' });
  });

  test('does not overwrite what somebody does to the file while it goes live, and is undone', async () => {
    const { directory, write, read } = place(HEAD + WRITES + route('one'));
    const { control, target, body } = await open(directory);
    const apply = target.apply.bind(target);
    target.apply = (config, options) => {
      write(HEAD + WRITES + route('mine'));
      return apply(config, options);
    };
    const outcome = await control.put(yaml(HEAD + WRITES + route('two')), wish);
    expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/changed and not loaded/) });
    expect([read(), body()]).toEqual([HEAD + WRITES + route('mine'), 'one']);
    expect(readdirSync(directory)).toEqual(['portico.yaml']);
    expect(control.textAs('yaml')).toBe(HEAD + WRITES + route('one'));
  });

  test('is not kept in a pipe, which nobody would read it from', async () => {
    const { directory, file, pipe } = place(HEAD + WRITES + route('one'));
    const written = pipe(HEAD + WRITES + route('one'));
    const { control } = await open(directory);
    await written;
    const outcome = await control.put(yaml(HEAD + WRITES + route('two')), wish);
    expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/no regular file/) });
    expect([statSync(file).isFIFO(), readdirSync(directory)]).toEqual([true, ['portico.yaml']]);
  });

  test('waits while somebody holds the configuration as it is', async () => {
    const { directory } = place(HEAD + WRITES + route('one'));
    const { control, body } = await open(directory);
    let release: () => void = () => {};
    const held = control.hold(() => new Promise<void>((resolve) => (release = resolve)));
    const outcome = control.put(yaml(HEAD + WRITES + route('two')), wish);
    expect(await Promise.race([outcome, control.validate(yaml(HEAD)).then(() => 'waits')])).toBe('waits');
    expect(body()).toBe('one');
    release();
    await held;
    expect([await outcome, body()]).toMatchObject([{ kind: 'done' }, 'two']);
  });

  test('that cannot be applied leaves the file alone', async () => {
    const { directory, read } = place(HEAD + WRITES + route('one'));
    const { control, target } = await open(directory);
    target.fault = new Error('listen EADDRINUSE');
    expect(await control.put(yaml(HEAD + WRITES + route('two')), wish)).toMatchObject({ kind: 'refused' });
    expect(read()).toContain('one');
    expect(target.reloads).toEqual(['failure']);
  });

  test('of a program cannot be written back', async () => {
    const { directory } = place(
      `export default { version: 1, listeners: [{ name: 'a', address: '127.0.0.1:0' }], admin: { writes: true } };\n`,
      'portico.config.mjs',
    );
    const { control } = await open(directory, { name: 'portico.config.mjs' });
    expect(await control.put(yaml(HEAD + WRITES + route('two')), wish)).toMatchObject({ code: 'conflict' });
  });
});

describe('the history', () => {
  test('is what ran, and each of it can run again as a new generation', async () => {
    const { directory, write } = place(HEAD + WRITES + route('one'));
    const { control, target, body } = await open(directory);
    write(HEAD + WRITES + route('two'));
    await control.reload('file');
    const back = { ...wish, cause: 'rollback' };
    expect(await control.rollback(1, back)).toMatchObject({ kind: 'done', changed: true });
    expect([target.generation, body()]).toEqual([3, 'one']);
    expect(await control.rollback(3, back)).toMatchObject({ changed: true });
    expect(target.generation).toBe(4);
    expect(await control.rollback(99, back)).toBeNull();
    expect(control.history.map(({ generation, cause }) => `${generation} ${cause}`)).toEqual([
      '4 rollback',
      '3 rollback',
      '2 file',
      '1 start',
    ]);
  });
});

describe('the state directory', () => {
  const head = `${HEAD}stateDir: state\n`;
  const writes = 'admin: { writes: true, persist: state }\n';

  test('lets generations and history go on after a restart', async () => {
    const { directory, write } = place(head + route('one'));
    const first = await open(directory);
    write(head + route('two'));
    await first.control.reload('file');
    const second = await open(directory);
    expect(second.target.generation).toBe(3);
    expect(second.control.history.map(({ generation }) => generation)).toEqual([3, 2, 1]);
  });

  test('is found in what came by a pipe, which is read once', async () => {
    const { directory, pipe } = place(head + route('good'));
    await open(directory);
    const written = pipe(`${head}routes: 5\n`);
    const booted = await open(directory, { bootLastGood: true });
    await written;
    expect(booted.body()).toBe('good');
  });

  test.each([
    ['errors', `${head}routes: 5\n`],
    ['no YAML', `${head}routes: [`],
    ['a quoted directory', `${HEAD}"stateDir": "state"\nroutes: [`],
  ])('has the last good one for a file with %s', async (_, broken) => {
    const { directory, write } = place(head + route('good'));
    await open(directory);
    write(broken);
    expect((await open(directory)).opened.config).toBeNull();
    const booted = await open(directory, { bootLastGood: true });
    expect(booted.body()).toBe('good');
    expect(booted.lines).toContainEqual([
      'error',
      'THE CONFIGURATION HAS ERRORS: the last good one runs',
      expect.objectContaining({ last_good_generation: 1, findings: [expect.objectContaining({ severity: 'error' })] }),
    ]);
    expect(booted.control.picture()).toMatchObject({
      cause: 'last-good',
      diverged: true,
      lastReload: { result: 'failure' },
    });
    write(head + route('mended'));
    await booted.control.reload('file');
    expect(booted.body()).toBe('mended');
    expect(booted.control.picture().diverged).toBe(false);
  });

  test('that was broken itself is no harm', async () => {
    const { directory, write } = place(head + route('good'));
    await open(directory);
    writeFileSync(join(directory, 'state', 'last-good.json'), '{"source":{"text":"vers');
    writeFileSync(join(directory, 'state', 'history', '000000000001.json'), '[]');
    const kept = { source: { text: 'a', format: 'yaml' }, generation: 1e308, cause: 'api', at: '' };
    writeFileSync(join(directory, 'state', 'history', '000000000002.json'), JSON.stringify(kept));
    write(`${head}routes: 5\n`);
    expect((await open(directory, { bootLastGood: true })).opened.config).toBeNull();
    write(head + route('good'));
    expect((await open(directory)).target.generation).toBe(1);
  });

  test('of another gateway is told, and not taken for its own', async () => {
    const { directory, write } = place(`${head}${writes}${route('mine')}`);
    writeFileSync(join(directory, 'other.yaml'), head + writes + route('theirs'));
    const theirs = await open(directory, { name: 'other.yaml' });
    await theirs.control.put(yaml(head + writes + route('changed')), wish);
    const mine = await open(directory);
    expect([mine.body(), mine.control.history.length]).toEqual(['mine', 1]);
    expect(mine.lines.filter(([, message]) => message.includes('shared with another configuration file'))).toHaveLength(
      1,
    );
    expect((await open(directory, { name: 'other.yaml' })).body()).toBe('changed');
    write('[[[');
    await open(directory, { name: 'other.yaml' });
    expect((await open(directory, { bootLastGood: true, stateDir: 'state' })).opened.config).toBeNull();
  });

  test('can be named where the file does not tell it', async () => {
    const { directory, write } = place(HEAD + route('good'));
    await open(directory, { stateDir: 'elsewhere' });
    write('[[[');
    expect((await open(directory, { stateDir: 'elsewhere', bootLastGood: true })).body()).toBe('good');
  });

  test('keeps a change of the admin API for as long as the file stays', async () => {
    const { directory, write, read } = place(head + writes + route('file'));
    const first = await open(directory);
    await first.control.put(yaml(head + writes + route('api')), wish);
    expect(read()).toContain('file');
    expect(first.control.picture()).toMatchObject({ cause: 'api', diverged: true });
    await first.control.reload('signal');
    expect(first.body()).toBe('api');

    const second = await open(directory);
    expect(second.body()).toBe('api');
    expect(second.control.picture()).toMatchObject({ cause: 'api', diverged: true });
    write(head + writes + route('newer'));
    await second.control.reload('file');
    expect(second.body()).toBe('newer');
    expect(second.lines.map(([, message]) => message)).toContain(
      'the file has changed since the admin API changed the configuration: the file runs',
    );
    expect((await open(directory)).body()).toBe('newer');
  });

  test('that cannot keep a change refuses it, and it does not run', async () => {
    const { directory } = place(head + writes + route('file'));
    const { control, body, target } = await open(directory);
    rmSync(join(directory, 'state'), { recursive: true });
    writeFileSync(join(directory, 'state'), '');
    expect(await control.put(yaml(head + writes + route('api')), wish)).toMatchObject({
      kind: 'refused',
      code: 'conflict',
    });
    expect([body(), target.generation]).toEqual(['file', 1]);
    expect(control.picture()).toMatchObject({ diverged: false, lastReload: { result: 'failure' } });
  });

  test('takes no change that the next start would look for elsewhere', async () => {
    const { directory, write } = place(head + writes + route('file'));
    const { control, body } = await open(directory);
    write((head + writes + route('file')).replace('stateDir: state', 'stateDir: other'));
    expect(await control.reload('signal')).toMatchObject({ result: 'success' });
    expect(await control.put(yaml(head + writes + route('api')), wish)).toMatchObject({ code: 'conflict' });
    expect(body()).toBe('file');
    write(head + writes + route('file'));
    await control.reload('signal');
    expect(await control.put(yaml(head + writes + route('api')), wish)).toMatchObject({ kind: 'done' });
  });

  test('loses a change when the file was changed while nobody ran', async () => {
    const { directory, write } = place(head + writes + route('file'));
    const first = await open(directory);
    await first.control.put(yaml(head + writes + route('api')), wish);
    write(head + writes + route('newer'));
    const second = await open(directory);
    expect(second.body()).toBe('newer');
    expect(second.control.history.map(({ source }) => /body: (\w+)/.exec(source.text)?.[1])).toEqual([
      'newer',
      'api',
      'file',
    ]);
  });
});
