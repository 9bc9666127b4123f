/** Where parts of a literal stand in a module, and modules in which nobody can tell. */
import { describe, expect, test } from 'vitest';
import { exportedLiteral, type LiteralNode } from './literal-places.ts';

/** The text from a path's value on, up to six characters; undefined where the reader does not know the path. */
function textAt(text: string, ...path: (string | number)[]): string | undefined {
  let node: LiteralNode | undefined = exportedLiteral(text) ?? undefined;
  for (const step of path) node = node?.parts?.get(step)?.value;
  return node === undefined ? undefined : text.slice(node.offset, node.offset + 6);
}

describe('the exported literal is found', () => {
  test.each([
    ['as it is', 'export default { a: "found" };'],
    ['after a type, with a suffix', 'export default { a: "found" } satisfies GatewayInput;'],
    ['in a call', 'export default defineGateway({ a: "found" });'],
    ['in two', 'export default Promise.resolve(defineGateway({ a: "found" }));'],
    ['by its name', 'const config: GatewayInput = defineGateway({ a: "found" });\nexport default config;'],
    ['by its exported name', 'export const config = { a: "found" };\nexport default config;'],
    ['after comments', '// export default {}\nexport default /* x */ {\n// }\na: "found" }'],
    ['before another statement', 'export default { a: "found" }\nfunction helper() {}\n'],
  ])('%s', (_, text) => {
    expect(textAt(text, 'a')).toBe('"found');
  });

  test.each([
    ['nothing', ''],
    ['no default', 'export const a = { b: 1 };'],
    ['a function', 'export default () => ({ a: 1 });'],
    ['a name from elsewhere', 'import { config } from "./x";\nexport default config;'],
    ['brackets that do not fit', 'export default { a: (1] };'],
    ['an open end', 'export default { a: 1'],
    ['an open template', 'export default { a: `x${1 };'],
  ])('or not: %s', (_, text) => {
    expect(exportedLiteral(text)).toBe(null);
  });
});

describe('the parts of it', () => {
  test.each([
    ['quoted keys', '{ "x-a": 1, \'b\': 0x777777 }', ['b'], '0x7777'],
    ['after a string with brackets and quotes', `{ a: "}]'\\"", b: 777777 }`, ['b'], '777777'],
    ['after a template with a value', '{ a: `${{ x: `}` }.x}`, b: 777777 }', ['b'], '777777'],
    ['after a regular expression', '{ a: /[/}]"\\//g, b: 777777 }', ['b'], '777777'],
    ['after a division', '{ a: 4 / 2, b: 7 / 7 }', ['b'], '7 / 7 '],
    ['after a function', '{ a: (x: number) => { return [x, 1]; }, b: 777777 }', ['b'], '777777'],
    ['after a method and a short form', '{ m(a, b) { return 1; }, c, b: 777777 }', ['b'], '777777'],
    ['a short form', '{ a: 1, foobar }', ['foobar'], 'foobar'],
    ['after comments', '{ /* } */ a: 1, // ]\n b: 777777 }', ['b'], '777777'],
    ['the last of two', '{ b: 111111, b: 777777 }', ['b'], '777777'],
    ['in lists of maps', '{ a: [{ b: 1 }, { b: [1, 777777] },] }', ['a', 1, 'b', 1], '777777'],
    ['with suffixes', '{ a: [1, 777777] as const }', ['a', 1], '777777'],
    ['before a spread', '{ a: [777777, ...more, 2] }', ['a', 0], '777777'],
    ['after a spread, which moves it', '{ a: [...more, 2] }', ['a', 1], undefined],
    ['a spread itself', '{ a: [...more, 2] }', ['a', 0], undefined],
    ['beside a spread', '{ ...base, [key]: 1, b: 777777 }', ['b'], '777777'],
    ['made by a call', '{ a: [1, 2].map(make), b: 777777 }', ['a', 1], undefined],
    ['made by a choice', '{ a: yes ? { b: 1 } : { b: 2 } }', ['a', 'b'], undefined],
    ['of a prototype', '{ __proto__: 1 }', ['constructor'], undefined],
  ])('%s', (_, literal, path, expected) => {
    expect(textAt(`export default ${literal};\n`, ...path)).toBe(expected);
  });
});

test('a deep literal ends the reading, not the process', () => {
  expect(exportedLiteral(`export default {a: ${'['.repeat(50_000)}`)).toBe(null);
});
