/** How much of the history is in memory, of small configurations and of large ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Kept, newest, StateDirectory } from './state-directory.ts';

function keptOf(generation: number, size: number): Kept {
  return {
    source: { text: 'x'.repeat(size), format: 'yaml' },
    generation,
    cause: 'file',
    at: '2026-01-01T00:00:00.000Z',
    file: '/etc/portico.yaml',
  };
}

function generations(kept: readonly Kept[]): number[] {
  return kept.map(({ generation }) => generation);
}

const mebi = 1024 * 1024;

test('of small configurations the newest fifty are held', () => {
  const many = Array.from({ length: 60 }, (_, i) => keptOf(i, 100));
  expect(generations(newest(many))).toEqual(Array.from({ length: 50 }, (_, i) => i + 10));
});

test('of large ones as many as there is room for, and two whatever their size', () => {
  expect(generations(newest([1, 2, 3, 4].map((i) => keptOf(i, 6 * mebi))))).toEqual([3, 4]);
  expect(generations(newest([keptOf(1, 100), keptOf(2, 16 * mebi), keptOf(3, 20 * mebi)]))).toEqual([2, 3]);
  expect(generations(newest([keptOf(1, 100), keptOf(2, 100)]))).toEqual([1, 2]);
});

test('the directory is read no further than there is room', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'portico-state-'));
  try {
    const state = new StateDirectory(directory);
    await state.open();
    for (let i = 1; i <= 4; i++) await state.keep(keptOf(i, 6 * mebi));
    expect(generations(await state.history())).toEqual([3, 4]);
    expect((await state.lastGood())?.generation).toBe(4);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
