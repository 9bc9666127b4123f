/** The thread that begins ahead: for a start with a large file only, and it loads as one that begins later does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadHere } from '../config/load.ts';
import { builtInSchemas } from '../gateway/built-in-policies.ts';
import { loadApart } from '../gateway/loader/config-loader.ts';
import { isWaiting } from '../gateway/loader/waiting-thread.ts';
import { headStart } from './head-start.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-head-start-'));
afterAll(() => rmSync(directory, { recursive: true }));

const head = 'version: 1\nlisteners: [{ name: public, address: "127.0.0.1:0" }]\n';
const large = `${head}${'# a long comment\n'.repeat(5000)}`;
writeFileSync(join(directory, 'large.yaml'), large);
writeFileSync(join(directory, 'large.config.ts'), large);
writeFileSync(join(directory, 'small.yaml'), head);

test.each([
  ['another command', ['check', '-c', 'large.yaml']],
  ['a small file', ['start', '-c', 'small.yaml']],
  ['a module', ['start', '-c', 'large.config.ts']],
  ['a file that is not there', ['start', '--config', 'none.yaml']],
  ['a directory', ['start', '-c', '.']],
  ['no file at all', ['start']],
  ['an option without its value', ['start', '-c']],
  ['nothing', []],
])('none begins for %s', (_, args) => {
  headStart(args, directory);
  expect(isWaiting()).toBe(false);
});

test.each([
  [['start', '-c', 'large.yaml', '--watch']],
  [['start', '--config=large.yaml']],
  [['start', '-clarge.yaml']],
])('one begins for %j, and loads what is asked for', async (args) => {
  headStart(args, directory);
  headStart(args, directory);
  expect(isWaiting()).toBe(true);
  const options = { policies: builtInSchemas, env: {} };
  const path = join(directory, 'large.yaml');
  const loaded = await loadApart.file(path, options);
  expect(isWaiting()).toBe(false);
  const { locate: _, ...rest } = (await loadHere.file(path, options)) as Awaited<ReturnType<typeof loadHere.file>> & {
    locate?: unknown;
  };
  expect(loaded).toStrictEqual(rest);
});
