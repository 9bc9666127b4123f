/** `portico plan` over files of every format: its lines, its JSON and its exit status. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../test/support/command.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-plan-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const head = 'version: 1\nlisteners: [{ name: public, address: "127.0.0.1:8080" }]\n';
const files: Record<string, string> = {
  'old.yaml': `${head}routes:\n  - { name: a, match: { path: /a, methods: [GET] }, respond: {} }\n  - { name: b, match: { path: /b, methods: [GET] }, respond: { body: "one\\n" } }\n`,
  'new.yaml': `${head}admin: { token: "\${env.TOKEN}" }\nroutes:\n  - { name: a, match: { path: /a, methods: [GET, PUT] }, respond: {} }\n  - { name: c, match: { path: /c, methods: [GET] }, respond: { body: "\${env.TOKEN}" } }\n`,
  'same.json': JSON.stringify({
    routes: [
      { name: 'b', match: { methods: ['GET'], path: '/b' }, respond: { body: 'one\n' } },
      { name: 'a', match: { path: '/a', methods: ['GET'] }, respond: { status: 200 } },
    ],
    listeners: [{ name: 'public', address: '127.0.0.1:8080', trustedProxies: [] }],
    version: 1,
  }),
  'same.ts': `export default { version: 1, listeners: [{ name: 'public', address: '127.0.0.1:8080' }], routes: ['a', 'b'].map((name) => ({ name, match: { path: '/' + name, methods: ['GET'] }, respond: name === 'a' ? {} : { body: 'one\\n' } })) };\n`,
  'bad.yaml': `${head}routs: []\n`,
  'worse.yaml': 'version: 2\n',
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);

const run = (line: string) => runCommand(line.split(' '), { env: { TOKEN: 'correct-horse-battery' }, cwd: directory });

describe('files of any format that mean the same', () => {
  test.each(['old.yaml', 'same.json', 'same.ts'])('%s', async (name) => {
    expect(await run(`plan old.yaml ${name}`)).toEqual({ status: 0, out: 'nothing differs\n', error: '' });
    const { status, out } = await run(`plan ${name} old.yaml --json`);
    expect(JSON.parse(out)).toEqual({ changes: [], summary: { added: 0, removed: 0, changed: 0 } });
    expect(status).toBe(0);
  });
});

describe('files that differ', () => {
  test('are told in lines, the gravest first, and without what came from outside', async () => {
    const { status, out, error } = await run('plan old.yaml new.yaml');
    expect(out).toBe(
      [
        'notice:',
        '  admin_token_added: the admin listener asks for a token now: (none) -> (hidden)',
        '  route_removed: route "b" is gone',
        '  route_added: route "c" is new',
        '  match_widened: `methods` of route "a" asks less of a request: [GET] -> [GET, PUT]',
        '  requests_unreachable: requests such as GET /b are taken by no route any more: b -> (none)',
        '  requests_reachable: requests such as PUT /a were taken by no route and are now: (none) -> a',
        '  requests_reachable: requests such as GET /c were taken by no route and are now: (none) -> c',
        '1 added, 1 removed, 5 changed',
        '',
      ].join('\n'),
    );
    expect({ status, error }).toEqual({ status: 2, error: '' });
  });

  test('are told as one JSON object', async () => {
    const { status, out, error } = await run('plan old.yaml new.yaml --json');
    expect(out).not.toContain('correct-horse');
    const { changes, summary } = JSON.parse(out) as { changes: Record<string, unknown>[]; summary: object };
    expect(summary).toEqual({ added: 1, removed: 1, changed: 5 });
    expect(changes).toHaveLength(7);
    expect(changes[2]).toEqual({
      severity: 'notice',
      code: 'route_added',
      route: 'c',
      path: 'routes.c',
      message: 'route "c" is new',
      after: {
        name: 'c',
        match: { path: '/c', methods: ['GET'] },
        priority: 0,
        respond: { status: 200, headers: {}, body: '(hidden)' },
        policies: [],
      },
    });
    expect({ status, error }).toEqual({ status: 2, error: '' });
  });

  test('text that a terminal would obey is shown escaped', async () => {
    writeFileSync(join(directory, 'bell.yaml'), `${files['old.yaml'].replace('one\\n', '\\e[2J')}`);
    const { out } = await run('plan old.yaml bell.yaml');
    expect(out).toContain('`respond.body` of route "b" differs: "one\\n" -> "\\u001b[2J"');
  });
});

describe('what is no plan exits 1, with nothing on stdout', () => {
  test.each([
    ['plan bad.yaml new.yaml', ['bad.yaml:3:1: error unknown_key']],
    ['plan old.yaml bad.yaml --json', ['bad.yaml:3:1: error unknown_key']],
    ['plan worse.yaml bad.yaml', ['worse.yaml:1:10: error', 'bad.yaml:3:1: error']],
    ['plan old.yaml none.yaml', ['none.yaml:1:1: error unreadable_file']],
    // 2 would say that the files differ.
    ['plan old.yaml', ['usage: portico plan OLD NEW']],
    ['plan', ['usage: portico plan OLD NEW']],
    ['plan a b c', ['plan does not know what to do with "c"']],
    ['plan old.yaml new.yaml --jsn', ['plan has no option "--jsn"; did you mean "--json"?']],
  ])('portico %s', async (line, said) => {
    const { status, out, error } = await run(line);
    for (const text of said) expect(error).toContain(text);
    expect({ status, out }).toEqual({ status: 1, out: '' });
  });
});
