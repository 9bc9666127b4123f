/** Edits in a thread are those that would be made without it. */
import { describe, expect, test } from 'vitest';
import type { ConfigText } from '../config/load.ts';
import { readQuickly } from '../config/quick-yaml.ts';
import { valuesOf, withValue } from './config-document.ts';
import { edited } from './text-editor.ts';
import { replaced } from './value-edit.ts';

function sourceOf(routes: number) {
  const lines = Array.from({ length: routes }, (_, i) => `  - { name: r${i}, match: { path: /r/${i} } } # ${i}\n`);
  return { text: `version: 1\nroutes:\n${lines.join('')}`, format: 'yaml' } as const;
}

test.each([
  ['here', 3],
  ['in a thread', 2000],
])('an edit is made %s as it is elsewhere', async (_, routes) => {
  const source = sourceOf(routes);
  const result = await edited(source, ['routes', 1, 'timeout'], '5s');
  expect(result).toEqual(withValue(source, ['routes', 1, 'timeout'], '5s'));
  expect(valuesOf(result)).toMatchObject({ routes: { 1: { name: 'r1', timeout: '5s' } } });
  const lines = source.text.split('\n');
  expect(result.text.split('\n').filter((line) => !lines.includes(line))).toHaveLength(1);
});

describe('an edit of one item', () => {
  const source = sourceOf(2000);
  const lines = readQuickly(source.text)?.routeLines ?? null;

  test.each<[string, (string | number)[], unknown]>([
    ['changed', ['routes', 1000, 'timeout'], '5s'],
    ['replaced', ['routes', 0], { name: 'r0', match: {} }],
    ['added', ['routes', 2000], { name: 'new', match: { path: '/x' } }],
    ['taken out', ['routes', 1999], undefined],
  ])('that is %s is what the thread makes of it', async (_, path, value) => {
    const wanted = replaced(valuesOf(source), path, value);
    const here = await edited(source, path, value, lines);
    expect(here).toEqual(withValue(source, path, value));
    // Those that it was made to have, and those that it has.
    expect(valuesOf(here)).toEqual(wanted);
    expect(valuesOf({ ...here })).toEqual(wanted);
  });

  test('of much text is left to the thread', async () => {
    const value = { name: 'r7', match: {}, respond: { body: 'x'.repeat(5000) } };
    const result = await edited(source, ['routes', 7], value, lines);
    expect(valuesOf({ ...result })).toEqual(replaced(valuesOf(source), ['routes', 7], value));
  });

  test('again and again goes on from the one before', async () => {
    let text: ConfigText = sourceOf(1000);
    for (let round = 0; round < 5; round++) {
      const starts = readQuickly(text.text)?.routeLines ?? null;
      text = await edited(text, ['routes', 10 * round, 'timeout'], `${round}s`, starts);
      text = await edited(text, ['routes', 0], undefined, readQuickly(text.text)?.routeLines);
    }
    const { routes } = valuesOf({ ...text }) as { routes: { name: string; timeout?: string }[] };
    expect(routes).toHaveLength(995);
    expect(routes.filter(({ timeout }) => timeout !== undefined).map(({ name, timeout }) => [name, timeout])).toEqual([
      ['r11', '1s'],
      ['r22', '2s'],
      ['r33', '3s'],
      ['r44', '4s'],
    ]);
  });
});

test('what the thread cannot do is told', async () => {
  await expect(edited(sourceOf(2000), ['routes', 0], () => {})).rejects.toThrow();
});
