/** Edits leave in a text what they do not touch. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { etagOf, textAs, valuesOf, withValue } from './config-document.ts';

const YAML = `# Kept by hand.
version: 1
services:
  - name: users   # who
    endpoints: [http://127.0.0.1:1, http://127.0.0.1:2]
  # The second.
  - name: orders
    endpoints:
      - url: http://127.0.0.1:3   # slow
        weight: 2
routes: []
`;
const source = { text: YAML, format: 'yaml' } as const;

describe('an edit', () => {
  test('leaves what it does not touch, comments included', () => {
    const edited = withValue(source, ['services', 1, 'endpoints', 0, 'weight'], 5);
    expect(edited.text).toBe(YAML.replace('weight: 2', 'weight: 5'));
  });

  test('of the same value changes nothing', () => {
    expect(withValue(source, [], valuesOf(source)).text).toBe(YAML);
    expect(
      withValue(source, ['services', 0], { name: 'users', endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] })
        .text,
    ).toBe(YAML);
  });

  test('of a whole list keeps the comments of items that stay, by their names', () => {
    const { text } = withValue(
      source,
      ['services'],
      [
        { name: 'orders', endpoints: [{ url: 'http://127.0.0.1:3', weight: 3 }] },
        { name: 'new', endpoints: ['http://127.0.0.1:4'] },
      ],
    );
    expect(text).toContain('# slow');
    expect(text).toContain('weight: 3');
    expect(text).not.toContain('users');
    expect(text.startsWith('# Kept by hand.\n')).toBe(true);
  });

  test('takes out and puts in', () => {
    const without = withValue(source, ['services', 0], undefined);
    expect(valuesOf(without)).toMatchObject({ services: [{ name: 'orders' }] });
    const added = withValue(without, ['routes', 0], { name: 'r', match: { path: '/x' } });
    expect(valuesOf(added)).toMatchObject({ routes: [{ name: 'r', match: { path: '/x' } }] });
  });

  test('through an alias changes one place only', () => {
    const shared = { format: 'yaml', text: 'a: &x { k: 1, l: [1] }\nb: *x\nc: { <<: *x, m: 2 }\n' } as const;
    expect(valuesOf(withValue(shared, ['b', 'k'], 2))).toEqual({
      a: { k: 1, l: [1] },
      b: { k: 2, l: [1] },
      c: { k: 1, l: [1], m: 2 },
    });
    expect(valuesOf(withValue(shared, ['c'], { k: 3, l: [1], m: 2 }))).toMatchObject({ a: { k: 1 }, c: { k: 3 } });
    expect(valuesOf(withValue(shared, ['a'], { k: 9, l: [1] }))).toMatchObject({ a: { k: 9 } });
  });

  test('of JSON stays JSON', () => {
    const json = { text: '{"version":1,"routes":[{"name":"a"}]}', format: 'json' } as const;
    const edited = withValue(json, ['routes', 1], { name: 'b' });
    expect(JSON.parse(edited.text)).toEqual({ version: 1, routes: [{ name: 'a' }, { name: 'b' }] });
    expect(JSON.parse(withValue(edited, ['routes', 0], undefined).text)).toEqual({
      version: 1,
      routes: [{ name: 'b' }],
    });
  });

  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      tie('list'),
      tie('map'),
    ),
    list: fc.array(tie('any'), { maxLength: 4 }),
    map: fc.dictionary(
      fc.string().filter((key) => key !== '__proto__' && key !== '<<'),
      tie('any'),
      { maxKeys: 4 },
    ),
  }));

  test('gives what was asked, whatever stood there', () => {
    fc.assert(
      fc.property(value.map, value.map, fc.constantFrom('yaml', 'json'), (before, after, format) => {
        const text = textAs({ text: JSON.stringify(before), format: 'json' }, format);
        expect(valuesOf(withValue({ text, format }, [], after))).toEqual(after);
      }),
    );
  });
});

test('the tag is that of the text', () => {
  expect(etagOf(source)).toBe(etagOf({ text: YAML, format: 'json' }));
  expect(etagOf(source)).not.toBe(etagOf({ text: `${YAML} `, format: 'yaml' }));
  expect(etagOf(source)).toMatch(/^"[\w-]{24}"$/);
});

test('a text in its own form is itself', () => {
  expect(textAs(source, 'yaml')).toBe(YAML);
  expect(JSON.parse(textAs(source, 'json'))).toEqual(valuesOf(source));
});
