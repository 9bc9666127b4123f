/** The quick reader against the thorough one: whatever the text, it makes the same of it, or leaves it alone. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readQuickly } from './quick-yaml.ts';
import type { Entry, SourceTree } from './source-tree.ts';
import { SubstitutionError, type SubstitutionSources } from './substitution.ts';
import { parseYaml, readYaml, referencesIn } from './yaml-source.ts';

/** More for a search that takes its time. */
const RUNS = Number(process.env.QUICK_YAML_RUNS ?? 1500);

const sources: SubstitutionSources = {
  env: { A: 'alpha', N: '7' },
  files: new Map<string, string | SubstitutionError>([
    ['/secrets/key', 'hush\n'],
    ['/secrets/none', new SubstitutionError('the referenced file cannot be read')],
  ]),
  directory: '/secrets',
};

/** All that a tree says, as plain values in which the order of keys counts. */
function told(tree: SourceTree): unknown {
  const visit = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : value;
    const places = [...(tree.entries.get(value) ?? new Map<string | number, Entry>())];
    const inner = Array.isArray(value)
      ? value.map(visit)
      : Object.entries(value).map(([key, each]) => [key, visit(each)]);
    return { isList: Array.isArray(value), places, inner };
  };
  const { root, start, problems, secrets, namesPaths } = tree;
  return { root: visit(root), start, problems, secrets: [...secrets], namesPaths };
}

/** True when the quick reader took the text; fails where it made something else of it. */
function agrees(text: string, isJson = false): boolean {
  const quick = readQuickly(text, isJson);
  if (quick === null) return false;
  const parsed = parseYaml(text);
  expect([...quick.references].sort()).toEqual(referencesIn(parsed).sort());
  expect(told(quick.tree(sources))).toEqual(told(readYaml(parsed, sources)));
  return true;
}

const root = join(import.meta.dirname, '..', '..');

/** Every block of YAML or JSON in the documentation, in examples and in tests. */
function fixtures(): string[] {
  const found: string[] = [];
  for (const folder of ['docs', 'examples', 'src', 'test', 'README.md']) {
    const files = folder.endsWith('.md')
      ? [folder]
      : readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
    for (const file of files) {
      if (/\.(ya?ml|json)$/.test(file)) found.push(readFileSync(join(root, file), 'utf8'));
      if (!/\.(md|ts)$/.test(file)) continue;
      const text = readFileSync(join(root, file), 'utf8');
      for (const [, block] of text.matchAll(/```(?:ya?ml|json)\n(.*?)```/gs)) found.push(block);
      for (const [, , literal] of text.matchAll(/(['`])((?:\\.|(?!\1)[^\\])*)\1/gs)) {
        const block = literal
          .replace(/\$\{(\w+)\}/g, '')
          .replace(/\\(.)/gs, (_, letter) => (letter === 'n' ? '\n' : letter));
        if (/^[\w-]+:.*\n/.test(block) || /^[[{].*[\]}]$/s.test(block)) found.push(block);
      }
    }
  }
  return found;
}

const plainWords = fc.constantFrom(
  ...'a,b-c,routes,/users/{id},x: y,10s,1,-1,007,1.10,1e3,0x1F,0o17,.5,-.inf,.nan,true,False,null,~,yes,1_000,2026-11-21'.split(
    ',',
  ),
  ...[
    'http://127.0.0.1:80',
    '${env.A}',
    'x${env.N}y',
    '${file:key}',
    '${file:none}',
    '${env.B}',
    '$${x}',
    'é',
    '😀',
    'a#b',
    "it's",
  ],
  ...[
    'a "b" c',
    '<<',
    '__proto__',
    '*.example.com',
    '&a',
    '!t',
    '@x',
    '%y',
    '-',
    '- x',
    '? x',
    ':',
    'a:',
    '|',
    '>',
    '',
    ' a ',
    '\\d+',
    '}',
  ],
);

const scalar = fc.oneof(
  { weight: 3, arbitrary: plainWords },
  plainWords.map((text) => JSON.stringify(text)),
  plainWords.map((text) => `'${text.replaceAll("'", "''")}'`),
  fc.constantFrom('"\\u0041\\x41\\n\\e"', '"a\\\n b"', '"\\/"', "''", '""', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\q"'),
);

type Shape = { readonly items: readonly Shape[]; readonly form: number } | string;

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.record({ items: fc.array(tie('shape'), { maxLength: 4 }), form: fc.nat(11) }),
  ),
}));

/** Writes a shape as somebody might: blocks, flows, comments, empty lines, odd indentation. */
function write(value: Shape, indent: string, keys: Iterator<string>): string {
  if (typeof value === 'string') return ` ${value}\n`;
  const { items, form } = value;
  const key = (): string => keys.next().value ?? 'k';
  if (items.length === 0) return form % 2 === 0 ? ' {}\n' : ' []\n';
  if (form >= 8) return ` ${flow(value, keys, form === 8 ? `\n${indent} ` : '')}${form === 9 ? ' # c' : ''}\n`;
  const inner = indent + ' '.repeat(1 + (form % 3));
  const lines = items.map((item) => {
    const comment = form === 4 ? `${inner}# c\n` : form === 5 ? '\n' : '';
    const nested = typeof item !== 'string' && item.form < 8 && item.items.length > 0;
    if (form % 2 === 0)
      return `${comment}${inner}${key()}:${nested && form === 6 ? ' # c' : ''}${write(item, inner, keys)}`;
    const text = write(item, `${inner}  `, keys);
    // A map that begins on the line of its dash.
    return `${comment}${inner}-${nested && form === 7 ? text.replace(/^\n +/, ' ') : text}`;
  });
  return `\n${lines.join('')}`;
}

function flow(value: Shape, keys: Iterator<string>, gap: string): string {
  if (typeof value === 'string') return value;
  const items = value.items.map((item) => flow(item, keys, gap));
  if (value.form % 2 === 1) return `[${gap}${items.join(`, ${gap}`)}${value.form === 7 ? ',' : ''}]`;
  return `{ ${items.map((item) => `${gap}${keys.next().value ?? 'k'}: ${item}`).join(', ')}${gap} }`;
}

const texts = fc
  .tuple(fc.array(shape, { minLength: 1, maxLength: 5 }), fc.array(scalar, { maxLength: 12 }), fc.nat(7))
  .map(([items, names, form]) => {
    let count = 0;
    const keys: Iterator<string> = {
      next: () => ({
        value: count % 3 === 2 ? (names[count % (names.length + 1)] ?? `k${count++}`) : `k${count++}`,
        done: false,
      }),
    };
    const top: Shape = { items, form };
    const text = write(top, form < 4 ? '' : ' ', keys);
    const body = text.startsWith('\n') ? text.slice(1) : text;
    return form === 3 ? `# c\n---\n${body}` : body;
  });

const piece = fc.constantFrom(
  ...[
    '\n',
    ' ',
    '  ',
    ':',
    ': ',
    '- ',
    '-',
    '#',
    ' #',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ',',
    '? ',
    '&a ',
    '*a',
    '!t ',
    '|',
    '>',
    '%',
  ],
  ...['---\n', '...\n', '\t', '\r\n', '\\', 'x', '0', '~', '`', '@', '\u00a0', '\u2028', '\ufeff', '\u0000', '\u0085'],
);

const mutations = fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(3), put: piece }), {
  minLength: 1,
  maxLength: 4,
});

function mutate(text: string, changes: readonly { at: number; cut: number; put: string }[]): string {
  return changes.reduce((result, { at, cut, put }) => {
    const offset = Math.floor(at * (result.length + 1));
    return result.slice(0, offset) + put + result.slice(offset + cut);
  }, text);
}

describe('the quick reader', () => {
  test('makes of every fixture what the thorough one makes of it', () => {
    const taken = fixtures().filter((text) => agrees(text)).length;
    expect(taken).toBeGreaterThan(100);
  });

  test('takes all JSON', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.constantFrom('', ' ', '\t'),
        (value, indent) => {
          const text = JSON.stringify(value, null, indent);
          fc.pre(!/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|__proto__|"<<"/.test(text));
          expect(agrees(text, true)).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('agrees about fixtures that were damaged', () => {
    const all = fixtures().filter((text) => text.length < 4000);
    let taken = 0;
    fc.assert(
      fc.property(fc.constantFrom(...all), mutations, (text, changes) => {
        if (agrees(mutate(text, changes))) taken += 1;
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(RUNS / 20);
  });

  test('agrees about texts as people write them', () => {
    let taken = 0;
    fc.assert(
      fc.property(texts, (text) => {
        if (agrees(text)) taken += 1;
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(RUNS / 20);
  });

  test('agrees about such texts with damage', () => {
    fc.assert(
      fc.property(texts, mutations, (text, changes) => void agrees(mutate(text, changes))),
      { numRuns: RUNS },
    );
  });
});
