/** Changes of files are seen, however they are made, and once. */
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Timers } from '../base/clock.ts';
import { type FileWatch, watchFiles } from './watch.ts';

/** Timers that fire when the test says so; `whenSet` resolves once a timer of that length has been asked for. */
class HeldTimers implements Timers {
  readonly pending = new Map<number, { callback: () => void; milliseconds: number }>();
  private waiting: { milliseconds: number; resolve: () => void }[] = [];
  private next = 1;

  setTimeout(callback: () => void, milliseconds: number): number {
    const handle = this.next;
    this.next += 1;
    this.pending.set(handle, { callback, milliseconds });
    for (const waiter of this.waiting.filter((each) => each.milliseconds === milliseconds)) waiter.resolve();
    this.waiting = this.waiting.filter((each) => each.milliseconds !== milliseconds);
    return handle;
  }

  clearTimeout(handle: unknown): void {
    this.pending.delete(handle as number);
  }

  whenSet(milliseconds: number): Promise<void> {
    if ([...this.pending.values()].some((timer) => timer.milliseconds === milliseconds)) return Promise.resolve();
    return this.whenSetAnew(milliseconds);
  }

  whenSetAnew(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.waiting.push({ milliseconds, resolve }));
  }

  fire(milliseconds: number): void {
    for (const [handle, timer] of this.pending) {
      if (timer.milliseconds !== milliseconds) continue;
      this.pending.delete(handle);
      timer.callback();
    }
  }
}

const debounce = 7;
const poll = 1000;

let directory: string;
let timers: HeldTimers;
let watcher: FileWatch;
let calls: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-watch-'));
  timers = new HeldTimers();
  calls = 0;
});

afterEach(async () => {
  watcher.close();
  await rm(directory, { recursive: true, force: true });
});

/** Begins to watch, and waits until the first look is done, after which a poll is due. */
async function begin(...files: string[]): Promise<void> {
  watcher = watchFiles(files, () => (calls += 1), { timers, debounce, poll });
  await timers.whenSet(poll);
}

/** Lets the quiet time after an event pass, and waits for the look that follows. */
async function settle(): Promise<void> {
  await timers.whenSet(debounce);
  const looked = timers.whenSetAnew(poll);
  timers.fire(debounce);
  await looked;
}

async function pollNow(): Promise<void> {
  const looked = timers.whenSetAnew(poll);
  timers.fire(poll);
  await looked;
}

test.each([
  ['portico.yaml', 1],
  ['some.log', 0],
])('a change of %s before the first look is seen when it may be one of the files', async (name, expected) => {
  const file = join(directory, 'portico.yaml');
  writeFileSync(file, 'one');
  const begun = begin(file);
  writeFileSync(join(directory, name), 'two');
  await begun;
  expect(calls).toBe(expected);
});

describe('changes are seen', () => {
  test('of a file that is written in place, once for a burst', async () => {
    const file = join(directory, 'a.yaml');
    await writeFile(file, 'one');
    await begin(file);
    await writeFile(file, 'three');
    await writeFile(file, 'fourteen');
    await settle();
    expect(calls).toBe(1);
  });

  test('of a file that an editor replaces, again and again', async () => {
    const file = join(directory, 'a.yaml');
    await writeFile(file, 'one');
    await begin(file);
    for (const round of [1, 2, 3]) {
      await writeFile(join(directory, '.a.yaml.swp'), `round ${round}`);
      await rename(join(directory, '.a.yaml.swp'), file);
      await settle();
      expect(calls).toBe(round);
    }
  });

  test('of a mounted ConfigMap, whose data directory is swapped by a link', async () => {
    const mount = join(directory, 'config');
    await mkdir(join(mount, '..1'), { recursive: true });
    await writeFile(join(mount, '..1', 'portico.yaml'), 'same size 1');
    await symlink('..1', join(mount, '..data'));
    await symlink('..data/portico.yaml', join(mount, 'portico.yaml'));
    await begin(join(mount, 'portico.yaml'));
    for (const round of [2, 3]) {
      await mkdir(join(mount, `..${round}`));
      await writeFile(join(mount, `..${round}`, 'portico.yaml'), `same size ${round}`);
      await symlink(`..${round}`, join(mount, '..data_tmp'));
      await rename(join(mount, '..data_tmp'), join(mount, '..data'));
      await rm(join(mount, `..${round - 1}`), { recursive: true });
      await settle();
      expect(calls).toBe(round - 1);
    }
    expect(await readlink(join(mount, '..data'))).toBe('..3');
  });

  test('of a file that appears and goes', async () => {
    const file = join(directory, 'late.yaml');
    await begin(file);
    await writeFile(file, 'here');
    await settle();
    expect(calls).toBe(1);
    await rm(file);
    await settle();
    expect(calls).toBe(2);
  });

  test('by polling, where the directory did not exist', async () => {
    const file = join(directory, 'new', 'a.yaml');
    await begin(file);
    await mkdir(join(directory, 'new'));
    await writeFile(file, 'here');
    await pollNow();
    expect(calls).toBe(1);
    await pollNow();
    expect(calls).toBe(1);
  });
});

describe('no call', () => {
  test('for another file of the directory', async () => {
    const file = join(directory, 'a.yaml');
    await writeFile(file, 'one');
    await begin(file);
    await writeFile(join(directory, 'access.log'), 'line');
    await settle();
    expect(calls).toBe(0);
  });

  test('for other files after an update', async () => {
    const [first, second] = [join(directory, 'a.yaml'), join(directory, 'b.yaml')];
    await writeFile(first, 'one');
    await writeFile(second, 'one');
    await begin(first);
    const looked = timers.whenSetAnew(poll);
    watcher.update([second]);
    await looked;
    await writeFile(first, 'changed');
    await settle();
    expect(calls).toBe(0);
    await writeFile(second, 'changed');
    await settle();
    expect(calls).toBe(1);
  });

  test('after the end, and no timer is left', async () => {
    const file = join(directory, 'a.yaml');
    await writeFile(file, 'one');
    await begin(file);
    await writeFile(file, 'two two');
    await timers.whenSet(debounce);
    watcher.close();
    expect(timers.pending.size).toBe(0);
    expect(calls).toBe(0);
  });
});
