/** Services are found without the routes where reading all of it would find them. */
import { describe, expect, test } from 'vitest';
import { readQuickly } from '../config/quick-yaml.ts';
import { itemLinesOf } from './item-lines.ts';

const SERVICES = 'services:\n  - name: a   # one\n    endpoints: [x]\n  # Two.\n  - name: b\n';
const ROUTES = 'routes:\n- name: r   # first\n  # - name: none\n- name: s\n\n  x: 1\n';

describe.each([
  ['before the routes', `version: 1\n${SERVICES}${ROUTES}`],
  ['behind the routes', `version: 1\n${ROUTES}# Here.\n${SERVICES}other: 1\n`],
  ['at the end without a last line', `${ROUTES}${SERVICES}`.trimEnd()],
  ['before routes at the end without a last line', `${SERVICES}${ROUTES}`.trimEnd()],
])('services %s', (_, text) => {
  const quick = readQuickly(text);
  const source = { text, format: 'yaml' } as const;

  test('are found where they stand', () => {
    const lines = itemLinesOf(source, 'services', quick?.routeLines ?? null);
    expect(lines?.starts).toHaveLength(2);
    expect(lines?.starts).toEqual(quick?.serviceLines?.starts);
    expect(lines?.indent).toBe(2);
    expect(itemLinesOf(source, 'routes', quick?.routeLines ?? null)).toBe(quick?.routeLines);
  });
});

test.each([
  ['there are none', ROUTES],
  ['they are in brackets', `services: [{ name: a }]\n${ROUTES}`],
  ['there is too much of them', `services:\n${'  - name: a-service-of-many\n'.repeat(3000)}${ROUTES}`],
])('nothing is found where %s', (_, text) => {
  const lines = readQuickly(text)?.routeLines ?? null;
  expect(lines?.starts).toHaveLength(2);
  expect(itemLinesOf({ text, format: 'yaml' }, 'services', lines)).toBeNull();
});

test('nothing is found where the routes are not', () => {
  expect(itemLinesOf({ text: SERVICES, format: 'yaml' }, 'services', null)).toBeNull();
  expect(itemLinesOf({ text: SERVICES, format: 'yaml' }, 'routes', null)).toBeNull();
});
