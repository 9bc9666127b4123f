/** What comes by a pipe is read whole, and nobody waits for ever for what does not come. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Timers } from '../base/clock.ts';
import { PIPE_PATIENCE, readPipe, SILENT_PIPE } from './pipe.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-pipe-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let pipes = 0;

function createPipe(): string {
  const path = join(directory, `pipe-${pipes++}`);
  execFileSync('mkfifo', [path]);
  return path;
}

/** One timer, which goes off when the test says so. */
class OneTimer implements Timers {
  delays: number[] = [];
  armed: (() => void) | null = null;
  onArmed: () => void = () => {};

  setTimeout(callback: () => void, milliseconds: number): unknown {
    this.delays.push(milliseconds);
    this.armed = callback;
    this.onArmed();
    return callback;
  }

  clearTimeout(handle: unknown): void {
    if (handle === this.armed) this.armed = null;
  }

  /** Settles when it is armed for the `count`th time. */
  armings(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.onArmed = () => {
        if (this.delays.length >= count) resolve();
      };
      this.onArmed();
    });
  }
}

test.each([[[]], [['a']], [['a', 'b'.repeat(200_000), 'c']]])('is read to its end: piece by piece', async (pieces) => {
  const path = createPipe();
  const timers = new OneTimer();
  const read = readPipe(path, { most: 1024 * 1024, timers });
  const writer = await open(path, 'w');
  for (const piece of pieces) await writer.writeFile(piece);
  await writer.close();
  expect((await read).toString()).toBe(pieces.join(''));
  expect(timers.armed).toBe(null);
});

test('waits for a writer, for its first byte, and anew after each', async () => {
  const path = createPipe();
  const timers = new OneTimer();
  const read = readPipe(path, { most: 10, timers });
  const outcome = expect(read).rejects.toMatchObject({ code: SILENT_PIPE });
  const writer = await open(path, 'w');
  for (const armed of [2, 3]) {
    await writer.write('x');
    await timers.armings(armed);
  }
  timers.armed?.();
  await outcome;
  await writer.close();
  expect(timers.delays).toEqual([PIPE_PATIENCE, PIPE_PATIENCE, PIPE_PATIENCE]);
});

test('beyond the bound is too large, however much more would come', async () => {
  const path = createPipe();
  const timers = new OneTimer();
  const read = readPipe(path, { most: 9, timers });
  const outcome = expect(read).rejects.toMatchObject({ code: 'EFBIG' });
  const writer = await open(path, 'w');
  await writer.write('0123456789');
  await outcome;
  expect(timers.armed).toBe(null);
  // Nobody reads any more: whoever writes hears of it.
  await expect(writer.write('x')).rejects.toThrow('EPIPE');
  await writer.close();
});

test('of exactly the bound is not', async () => {
  const path = createPipe();
  const read = readPipe(path, { most: 10 });
  const writer = await open(path, 'w');
  await writer.writeFile('0123456789');
  await writer.close();
  expect((await read).length).toBe(10);
});

test('that nobody writes to keeps no other file waiting, however many there are', async () => {
  const timers = Array.from({ length: 8 }, () => new OneTimer());
  const reads = timers.map((one) => readPipe(createPipe(), { most: 10, timers: one }));
  const outcomes = reads.map((read) => expect(read).rejects.toMatchObject({ code: SILENT_PIPE }));
  await Promise.all(timers.map((one) => one.armings(1)));
  // More of them than the runtime's pool has threads.
  expect((await readFile(new URL(import.meta.url), 'utf8')).length).toBeGreaterThan(0);
  for (const one of timers) one.armed?.();
  await Promise.all(outcomes);
});

test.each([
  ['nowhere', 'ENOENT'],
  ['', expect.stringMatching(/^(ERR_INVALID_FD_TYPE|EISDIR)$/)],
])('what is no pipe, or is not there, is told by its code: %s', async (name, code) => {
  await expect(readPipe(join(directory, name), { most: 10 })).rejects.toMatchObject({ code });
});
