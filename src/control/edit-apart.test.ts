import { expect, test } from 'vitest';
import type { ConfigText } from '../config/load.ts';
import { withValue } from './config-document.ts';
import { editApart } from './edit-apart.ts';

function source(routes: number): ConfigText {
  const lines = Array.from(
    { length: routes },
    (_, index) => `  - name: route-${index} # of many\n    service: users\n`,
  );
  return { text: `routes:\n${lines.join('')}`, format: 'yaml' };
}

test.each([1, 1000])('an edit of a text with %i routes is the same here and apart', async (routes) => {
  const before = source(routes);
  for (const value of ['carts', undefined]) {
    const after = withValue(before, ['routes', routes - 1, 'service'], value);
    expect(await editApart(before, ['routes', routes - 1, 'service'], value)).toEqual(after);
  }
});

test('a large text is edited while this thread does something else', async () => {
  const turns = { count: 0 };
  const turning = setInterval(() => turns.count++, 1);
  await editApart(source(1000), ['routes', 5, 'service'], 'carts');
  clearInterval(turning);
  expect(turns.count).toBeGreaterThan(0);
});
