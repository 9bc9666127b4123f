/** The reference has every key, with its type and default. */
import { expect, test } from 'vitest';
import { policies } from './config.test.support.ts';
import { describeConfig, renderReference } from './reference.ts';

const sections = describeConfig(policies);

function row(section: string, key: string) {
  return sections.find(({ title }) => title === section)?.rows.find((each) => each.key === key);
}

test.each([
  ['Top level', 'listeners', 'list of map', true, ''],
  ['`listeners[]`', 'limits.requestHead', 'size, 256B to 1MiB', false, '32KiB'],
  ['`services[]`', 'endpoints[].weight', 'whole number, 1 to 10000', false, '1'],
  ['`services[]`', 'healthCheck.expectStatus', 'list of string or number', false, '["200-299"]'],
  ['`routes[]`', 'retry.backoff.base', 'duration, 0s to 1d', false, '25ms'],
  ['`routes[]`', 'match', 'map (see `match`)', true, ''],
  ['`match`', 'any', 'list of map (see `match`)', false, ''],
  ['`match`', 'headers', 'map to string or map', false, ''],
  ['`match`', 'headers.NAME.regex', 'regular expression', false, ''],
  ['`state`', 'keys.sqlite', 'string', false, ''],
  ['`state`', 'keys.postgres', 'string', false, ''],
  ['`tiers.NAME`', 'rate', 'whole number, 1 to 1000000000', true, ''],
  ['`tiers.NAME`', 'quotas.month', 'whole number, 1 to 1000000000', false, ''],
  ['policy `stamp`', 'mode', '`enforce`, `shadow`', false, 'enforce'],
])('%s %s', (section, key, type, required, initial) => {
  expect(row(section, key)).toMatchObject({ type, required, initial });
});

test('the page has one line for every key', () => {
  const page = renderReference(policies);
  for (const { rows } of sections) {
    for (const { key } of rows) expect(page).toContain(`| \`${key}\` | `);
  }
});
