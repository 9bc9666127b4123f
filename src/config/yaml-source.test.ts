/** Texts that are broken, hostile or only unusual. */
import { describe, expect, test } from 'vitest';
import { findingsOf, head, withRoute } from './config.test.support.ts';
import { parseConfigText } from './load.ts';

describe('hostile and broken text', () => {
  test.each([
    ['nothing', '', 'empty_file', 1, 1],
    ['a comment', '# x\n', 'empty_file', 1, 1],
    ['null', 'null', 'empty_file', 1, 1],
    ['a scalar', 'hello', 'invalid_type', 1, 1],
    ['a list', '- 1', 'invalid_type', 1, 1],
    ['two documents', 'version: 1\n---\nversion: 1\n', 'yaml_syntax', 2, 1],
    ['a tab', 'version:\n\t- 1', 'yaml_syntax', 2, 1],
    ['an unclosed quote', 'a: "x', 'yaml_syntax', 1, 6],
    ['an unknown tag', 'version: !foo 1', 'yaml_syntax', 1, 10],
    ['a map as a key', '? [a]\n: 1\n', 'yaml_syntax', 1, 3],
    ['an unquoted brace', 'a: { b: ${env.X} }', 'yaml_syntax', 1, 10],
    ['an alias of nothing', 'a: *b', 'yaml_syntax', 1, 4],
    ['an alias of itself', 'a: &a [*a]', 'yaml_syntax', 1, 8],
    ['merging a scalar', 'a: &a 1\nb: { <<: *a }', 'yaml_syntax', 2, 10],
    ['deep lists', '['.repeat(100_000), 'too_deep', 1, 129],
    // Closed, so that the composer would recurse into them: where its stack ran out, the process itself ended.
    ['deep closed lists', '['.repeat(5000) + ']'.repeat(5000), 'too_deep', 1, 129],
    ['deep sequences', '- '.repeat(5000), 'too_deep', 1, 256],
    ['deep maps', '{a: '.repeat(5000), 'too_deep', 1, 510],
    ['a bomb of aliases', bomb(), 'file_too_large', 1, 1],
  ])('%s', (_, text, code, line, column) => {
    const { config, findings } = parseConfigText(text);
    expect(config).toBe(null);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ severity: 'error', code, line, column });
  });

  describe('a key that stands twice', () => {
    test.each([
      ['at the top', `version: 1\n${head}`, ['2:1 error duplicate_key version']],
      [
        'quoted once',
        `${head}limits:\n  concurrentRequests: 1\n  "concurrentRequests": 2\n`,
        ['5:3 error duplicate_key limits.concurrentRequests'],
      ],
      [
        'three times',
        `${head}admin: false\nadmin: false\nadmin: false\n`,
        ['4:1 error duplicate_key admin', '5:1 error duplicate_key admin'],
      ],
      [
        'hides nothing that stands elsewhere',
        `${head}rotues: []\nadmin: false\nadmin: false\nlogging: { level: loud }\n`,
        ['3:1 error unknown_key rotues', '5:1 error duplicate_key admin', '6:19 error unknown_name logging.level'],
      ],
      [
        'hides nothing within either of its lists, and each list knows the names of the other',
        `${head}services: [{ name: a, endpoints: [ftp://a] }]
routes: [{ name: r, match: {}, service: b }]
services: [{ name: b, endpoints: ["http://b", "http://\${env.NOPE}"] }]
routes: [{ name: r, match: { path: x }, service: a }, { name: s, match: {}, service: c }]
`,
        [
          '3:35 error invalid_value services[0].endpoints[0]',
          '5:1 error duplicate_key services',
          '5:47 error unresolved_reference services[1].endpoints[1]',
          '6:1 error duplicate_key routes',
          '6:18 error duplicate_name routes[1].name',
          '6:36 error invalid_value routes[1].match.path',
          '6:86 error unknown_service routes[2].service',
        ],
      ],
      [
        'hides nothing within either of its maps, nor the keys that stand twice in the second one alone',
        `${head}shutdown: { drain: 5 }\nshutdown: { drain: 1s, timeut: 1s, timeout: 9s, timeout: 8s }\n`,
        [
          '3:20 error invalid_type shutdown.drain',
          '4:1 error duplicate_key shutdown',
          '4:24 error unknown_key shutdown.timeut',
          '4:49 error duplicate_key shutdown.timeout',
        ],
      ],
      [
        'with values of different kinds',
        `${head}admin: false\nadmin: { token: x }\nroutes: []\nroutes: { a: 1 }\n`,
        ['4:1 error duplicate_key admin', '6:1 error duplicate_key routes'],
      ],
      [
        'of a prototype',
        `${head}__proto__: { a: 1 }\n__proto__: { b: 1 }\n`,
        ['3:1 error unknown_key __proto__', '4:1 error duplicate_key __proto__'],
      ],
    ])('%s', (_, text, expected) => {
      expect(findingsOf(text)).toEqual(expected);
      expect(parseConfigText(text).config).toBe(null);
    });
  });

  test('a key of a prototype is a key like any other', () => {
    expect(findingsOf(`${head}__proto__: { polluted: 1 }\nconstructor: 1\n`)).toEqual([
      '3:1 error unknown_key __proto__',
      '4:1 error unknown_key constructor',
    ]);
    expect(({} as Record<string, unknown>).polluted).toBe(undefined);
  });

  test('anchors, aliases and merge keys work, and are located where the text stands', () => {
    const text = `version: 1
listeners:
  - &base { name: a, address: "127.0.0.1:0", timeouts: { keepAlive: 1s } }
  - { <<: *base, name: b, address: "127.0.0.1:1" }
  - { <<: [{ name: c }, *base], adress: x }
`;
    const { config, findings } = parseConfigText(text.replace(', adress: x', ''));
    expect(findings).toEqual([]);
    expect(config?.listeners.map(({ name, timeouts }) => [name, timeouts.keepAlive])).toEqual([
      ['a', 1000],
      ['b', 1000],
      ['c', 1000],
    ]);
    expect(findingsOf(text)).toEqual(['5:33 error unknown_key listeners[2].adress']);
    expect(findingsOf(text.replace('keepAlive: 1s', 'keepAlive: 1'))[0]).toBe(
      '3:69 error invalid_type listeners[0].timeouts.keepAlive',
    );
  });

  test('YAML 1.2 is read: on, off and yes are strings', () => {
    expect(
      parseConfigText(withRoute('match: { query: { a: on, b: yes, c: no } }, service: users')).config?.routes[0].match
        .query,
    ).toEqual({
      a: 'on',
      b: 'yes',
      c: 'no',
    });
  });
});

function bomb(): string {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (const [index, name] of [...'bcdefgh'].entries())
    lines.push(`${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[index]}`).join(', ')}]`);
  return lines.join('\n');
}
