import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Timers } from './clock.ts';
import { KeptThread, type Program } from './program.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-program-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const TEXT = `import { parentPort, threadId } from 'node:worker_threads';
let answered = 0;
parentPort.on('message', (order) => {
  if (order === 'throw') throw new Error('thrown');
  if (order === 'exit') process.exit(3);
  parentPort.postMessage({ order, threadId, answered: ++answered });
});
`;

interface Answer {
  order: string;
  threadId: number;
  answered: number;
}

function program(): Program {
  const file = join(directory, 'program.mjs');
  writeFileSync(file, TEXT);
  return { url: pathToFileURL(file), execArgv: [] };
}

test('a thread answers one order after another, and a new one goes on where it failed', async () => {
  const thread = new KeptThread<string, Answer>(program(), 'tries');
  const answers = await Promise.all(['a', 'b', 'c'].map((order) => thread.ask(order)));
  expect(answers.map(({ order, answered }) => [order, answered])).toEqual([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  await expect(thread.ask('throw')).rejects.toThrow('thrown');
  expect(await thread.ask('d')).toMatchObject({ order: 'd', answered: 1 });
  await expect(thread.ask('exit')).rejects.toThrow('the thread that tries ended with 3');
  expect(await thread.ask('e')).toMatchObject({ order: 'e', answered: 1 });
});

test('it ends when it had nothing to do for a minute', async () => {
  const set: { callback: () => void; milliseconds: number }[] = [];
  let cleared = 0;
  const timers: Timers = {
    setTimeout: (callback, milliseconds) => set.push({ callback, milliseconds }),
    clearTimeout: () => cleared++,
  };
  const thread = new KeptThread<string, Answer>(program(), 'tries', timers);
  const first = await thread.ask('a');
  expect([set.map(({ milliseconds }) => milliseconds), cleared]).toEqual([[60_000], 0]);
  expect((await thread.ask('b')).threadId).toBe(first.threadId);
  expect(cleared).toBe(1);
  set[1].callback();
  const next = await thread.ask('c');
  expect([next.threadId === first.threadId, next.answered]).toEqual([false, 1]);
});
