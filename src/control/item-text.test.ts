/** An edit of one item gives what the edit of the whole text would, and leaves all other lines as they are. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readQuickly } from '../config/quick-yaml.ts';
import type { RouteLines } from '../config/route-lines.ts';
import { withValue } from './config-document.ts';
import { type NamedList, withItem } from './item-text.ts';
import { replaced } from './value-edit.ts';
import { parseDocumentOf } from './yaml-edit.ts';

type Values = Record<string, unknown>;

function linesOf(text: string, list: NamedList = 'routes'): RouteLines {
  const quick = readQuickly(text);
  const lines = list === 'routes' ? quick?.routeLines : quick?.serviceLines;
  if (lines === undefined || lines === null) throw new Error(`not plain:\n${text}`);
  return lines;
}

function thorough(text: string): Values {
  const document = parseDocumentOf(text);
  expect(document.errors).toEqual([]);
  return document.toJS() as Values;
}

/** One item as the file has it: `own` lines go with it, and `body` is all that an edit of it may touch. */
interface Piece {
  readonly blank: string;
  readonly own: string;
  readonly body: string;
  readonly behind: string;
}

const NAMES = [
  'users',
  "it's",
  'say "hi"',
  '#1',
  'a: b',
  '- x',
  '007',
  'true',
  '~',
  '{',
  'é😀',
  ' padded ',
  '${env.N}',
];

const step = fc.constantFrom('a', 'b c', "q'", 'no', '1', 'x-y');
const scalar = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.string({ maxLength: 8 }).filter((text) => !/[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/.test(text)),
  fc.integer(),
  fc.boolean(),
);
const inner = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('list'), tie('map')),
  list: fc.array(tie('any'), { maxLength: 3 }),
  map: fc.dictionary(step, tie('any'), { maxKeys: 3, noNullPrototype: true }),
}));
const item = fc
  .tuple(fc.constantFrom(...NAMES), fc.dictionary(step, inner.any, { maxKeys: 4, noNullPrototype: true }))
  .map(([name, rest]): Values => ({ name, ...rest }));

const form = fc.record({
  flow: fc.boolean(),
  indent: fc.constantFrom(2, 4),
  indentSeq: fc.boolean(),
  comments: fc.array(fc.constantFrom('', ' # why', '   # more: [x'), { minLength: 1, maxLength: 3 }),
  own: fc.boolean(),
  blank: fc.boolean(),
  between: fc.boolean(),
  behind: fc.boolean(),
});

/** The item in one of the forms that people use, at this indentation. */
function pieceOf(value: Values, how: typeof form extends fc.Arbitrary<infer T> ? T : never, depth: number): Piece {
  const pad = ' '.repeat(depth);
  const style = { lineWidth: 0, blockQuote: false, indent: how.indent, indentSeq: how.indentSeq } as const;
  const text = how.flow ? `- ${JSON.stringify(value)}\n` : stringify([value], style);
  const lines = text.slice(0, -1).split('\n');
  const commented = lines.map((line, at) => `${pad}${line}${how.comments[at % how.comments.length]}`);
  if (how.between) commented.splice(1, 0, `${pad}    # between`, ...(lines.length > 1 ? [''] : []));
  // Behind the last line of an item these would be others' or nobody's.
  while (!commented[commented.length - 1].includes(lines[lines.length - 1])) commented.pop();
  return {
    blank: how.blank ? '\n' : '',
    own: how.own ? `${pad}# about the next\n${pad}#\n` : '',
    body: `${commented.join('\n')}\n`,
    behind: how.behind ? `${pad}  # timeout: 5s\n` : '',
  };
}

const file = fc.record({
  depth: fc.constantFrom(0, 2, 4),
  items: fc.array(fc.tuple(item, form), { minLength: 1, maxLength: 4 }),
  list: fc.constantFrom<NamedList>('routes', 'services'),
  tail: fc.constantFrom('', 'other: 1\n', '# the end\n', '\n# the end\nother: [1, 2]\n', '\n  # odd\n'),
  hasEnd: fc.boolean(),
});

/** Joined again; `items` may be fewer. */
function textOf(head: string, pieces: readonly Piece[], tail: string): string {
  return head + pieces.map(({ blank, own, body, behind }) => blank + own + body + behind).join('') + tail;
}

const edit = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), value: item }),
  fc.record({ kind: fc.constant('add' as const), value: item }),
  fc.record({ kind: fc.constant('remove' as const) }),
  fc.record({ kind: fc.constant('set' as const), step, value: inner.any }),
  fc.record({ kind: fc.constant('unset' as const), step }),
);

describe('whatever the item', () => {
  test('the value is the one that was asked for, and what is around it stays byte for byte', () => {
    let quick = 0;
    fc.assert(
      fc.property(file, edit, fc.nat(), ({ depth, items, list, tail, hasEnd }, wish, seed) => {
        const pieces = items.map(([value, how]) => pieceOf(value, how, depth));
        const head = `# kept\nversion:   1\n${list}:   # all\n`;
        const ended = textOf(head, pieces, tail);
        const text = hasEnd || ended.endsWith('\n\n') ? ended : ended.slice(0, -1);
        const lines = linesOf(text, list);
        expect(lines.starts).toHaveLength(items.length);
        const at = wish.kind === 'add' ? items.length : seed % items.length;
        const path = wish.kind === 'set' || wish.kind === 'unset' ? [list, at, wish.step] : [list, at];
        const value = 'value' in wish ? wish.value : undefined;
        const wanted = replaced(thorough(text), path, value);
        const result = withItem(text, lines, path, value);
        if (result === null) {
          expect(wish.kind === 'remove' && items.length === 1).toBe(true);
          expect(thorough(withValue({ text, format: 'yaml' }, path, value).text)).toEqual(wanted);
          return;
        }
        quick += 1;
        expect(thorough(result)).toEqual(wanted);
        // Other edits go on from here, and the next load.
        expect(linesOf(result, list).starts).toHaveLength((wanted as Record<string, unknown[]>)[list].length);
        expectRest(text, result, { head, pieces, tail, at, kind: wish.kind });
      }),
      { numRuns: 250 },
    );
    expect(quick).toBeGreaterThan(60);
  });
});

interface Around {
  readonly head: string;
  readonly pieces: readonly Piece[];
  readonly tail: string;
  readonly at: number;
  readonly kind: 'put' | 'add' | 'remove' | 'set' | 'unset';
}

function expectRest(text: string, result: string, { head, pieces, tail, at, kind }: Around): void {
  const isCut = !text.endsWith('\n');
  let before = textOf(head, pieces.slice(0, at), '');
  let after = textOf('', pieces.slice(at + 1), tail);
  if (kind === 'remove') {
    const { blank, own } = pieces[at];
    // What stands above the first item is the list's. Blank lines may close up, which is all that may be missing.
    if (at === 0) before += blank + own;
    const rest = isCut && after !== '' ? after.slice(0, -1) : after;
    expect([before + blank + rest, before + rest, before.replace(/\n\n$/, '\n') + rest]).toContain(result);
    return;
  }
  if (kind === 'add') after = tail;
  else {
    before += pieces[at].blank + pieces[at].own;
    after = pieces[at].behind + after;
  }
  if (isCut) after = after.slice(0, -1);
  if (isCut && kind === 'add' && tail === '') before = text;
  expect(result.slice(0, before.length)).toBe(before);
  expect(result.slice(result.length - after.length)).toBe(after);
}

const PLAIN = `version: 1
routes:   # all
  # The first.
  - name: a   # who

    match: { path: /a,   methods: [GET] }   # where
    # timeout: 5s
    service:   s
    tags:
    - x   # one
    - 'y'
  # The second.
  # It has two lines.
  - { name: "b", timeout: 5s }   # short

  # Apart.

  # The third.
  - name: b
    timeout: 1s
    # retry: {}
# The end.
other: 1
`;

describe('in a text kept by hand', () => {
  const lines = linesOf(PLAIN);

  test.each<[string, (string | number)[], unknown, string, string]>([
    ['a key', ['routes', 0, 'service'], 't', '    service:   s\n', '    service: t\n'],
    ['an item of a list that stands at its key', ['routes', 0, 'tags', 1], 'z', "    - 'y'\n", '    - z\n'],
    ['a key in braces', ['routes', 1, 'timeout'], '7s', '"b", timeout: 5s }   #', '"b", timeout: 7s } #'],
    ['one that has the name of another', ['routes', 2, 'timeout'], '2s', 'timeout: 1s', 'timeout: 2s'],
    ['a key more', ['routes', 2, 'tags'], ['x'], 'timeout: 1s\n', 'timeout: 1s\n    tags:\n      - x\n'],
    [
      'an item more',
      ['routes', 3],
      { name: 'c', tags: ['x'] },
      '    # retry: {}\n',
      '    # retry: {}\n  - name: c\n    tags:\n      - x\n',
    ],
    [
      'an item less',
      ['routes', 1],
      undefined,
      '  # The second.\n  # It has two lines.\n  - { name: "b", timeout: 5s }   # short\n',
      '',
    ],
    [
      'the last item less, and what was only for it',
      ['routes', 2],
      undefined,
      '\n  # The third.\n  - name: b\n    timeout: 1s\n    # retry: {}\n',
      '\n',
    ],
  ])('%s is all that changes', (_, path, value, before, after) => {
    expect(PLAIN.split(before)).toHaveLength(2);
    const result = withItem(PLAIN, lines, path, value);
    expect(result).toBe(PLAIN.replace(before, after));
    expect(thorough(result ?? '')).toEqual(replaced(thorough(PLAIN), path, value));
  });

  test('the same value changes nothing', () => {
    expect(withItem(PLAIN, lines, ['routes', 0, 'service'], 's')).toBe(PLAIN);
    expect(withItem(PLAIN, lines, ['routes', 1], { timeout: '5s', name: 'b' })).toBe(PLAIN);
  });

  test('the text stays plain, whatever its strings hold', () => {
    const value = { name: 'c', respond: { body: 'one\ntwo\n\n  three: # \t\n---\n' } };
    const result = withItem(PLAIN, lines, ['routes', 1], value);
    expect((thorough(result ?? '').routes as unknown[])[1]).toEqual(value);
    expect(linesOf(result ?? '').starts).toHaveLength(3);
  });
});

describe('what is not plain is edited all the same', () => {
  test.each<[string, string]>([
    ['lines of Windows', PLAIN.replaceAll('\n', '\r\n')],
    ['a mark of byte order', `\ufeff${PLAIN}`],
    [
      'an anchor and its alias',
      PLAIN.replace("    - 'y'", '    - &y y').replace('- x ', '- *y ').replace('- *y', '- y'),
    ],
    ['a merge', 'base: &b { timeout: 5s }\nroutes:\n  - { <<: *b, name: a }\n  - { <<: *b, name: b }\n'],
    ['a tag', PLAIN.replace('name: a ', 'name: !!str a ')],
    ['a tab', PLAIN.replace('   # who', '\t# who')],
    ['a block of lines', PLAIN.replace('service:   s', 'service: |\n      s\n      t')],
    ['folded lines', PLAIN.replace('service:   s', 'service: s\n      t')],
    ['no list', 'version: 1\n'],
    ['an empty list', 'version: 1\nroutes: []\n'],
    ['a list in brackets', 'version: 1\nroutes: [{ name: a }, { name: b }]\n'],
    ['nothing at all', 'version: 1\nroutes:\n'],
    ['a dash alone', 'version: 1\nroutes:\n  -\n    name: a\n  - name: b\n'],
    ['an item that stands further in', 'routes:\n    - name: a\n    - name: b\nservices:\n  - name: s\n'],
  ])('%s', (_, text) => {
    const source = { text, format: 'yaml' } as const;
    const values = parseDocumentOf(text).toJS({ maxAliasCount: -1 });
    const added = { name: 'new', timeout: '9s' };
    const count = (values.routes ?? []).length;
    const wishes: [(string | number)[], unknown][] = [[['routes', count], added]];
    if (count > 0) wishes.push([['routes', 0], added], [['routes', count - 1], undefined], [['routes', 0, 'x'], 1]);
    for (const [path, value] of wishes) {
      const after = withValue(source, path, value).text;
      expect(parseDocumentOf(after).toJS({ maxAliasCount: -1 })).toEqual(replaced(values, path, value));
    }
  });

  test('the last item leaves an empty list', () => {
    const text = 'version: 1\n# Here.\nroutes:\n  - name: a\n# There.\nother: 1\n';
    expect(withItem(text, linesOf(text), ['routes', 0], undefined)).toBeNull();
    const after = withValue({ text, format: 'yaml' }, ['routes', 0], undefined);
    expect(thorough(after.text)).toEqual({ version: 1, routes: [], other: 1 });
  });

  test.each([
    ['beyond the end', ['routes', 4], { name: 'x' }],
    ['inside of what is not there', ['routes', 3, 'name'], 'x'],
    ['no item', ['routes'], []],
    ['a key of another kind', ['routes', 'x'], 1],
    ['a value that would be read as another', ['routes', 0, '<<'], { a: 1 }],
    ['a value of odd characters', ['routes', 0, 'name'], '\u2028\ufeff\u0085'],
    ['a value that is deeper than any may be', ['routes', 0, 'name'], JSON.parse(`${'['.repeat(80)}${']'.repeat(80)}`)],
  ])('%s is left to others', (_, path, value) => {
    expect(withItem(PLAIN, linesOf(PLAIN), path, value)).toBeNull();
  });
});
