/** Edits in a thread are those that would be made without it. */
import { expect, test } from 'vitest';
import { valuesOf, withValue } from './config-document.ts';
import { edited } from './text-editor.ts';

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

test('what the thread cannot do is told', async () => {
  await expect(edited(sourceOf(2000), ['routes', 0], () => {})).rejects.toThrow();
});
