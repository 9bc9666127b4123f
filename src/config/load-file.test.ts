/** Files that are there, that are not, and that are none: what loading makes of each. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { head, policies } from './config.test.support.ts';
import { findConfigFile } from './find-file.ts';
import { loadConfig } from './load.ts';
import { maxFileSize, readText } from './source-file.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portico-config-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

describe('files', () => {
  test('a file and those that it refers to are read, listed, and their values used', async () => {
    await file('token', 'a-token-of-a-file-01\r\n');
    const path = await file('refers.yaml', `${head}admin: { token: "\${file:token}" }\n`);
    const { config, findings, files } = await loadConfig(path, { env: {} });
    expect(findings).toEqual([]);
    expect(config?.admin?.token).toBe('a-token-of-a-file-01');
    expect(files).toEqual([path, join(directory, 'token')]);
  });

  test('a referenced file that cannot be read is an error, and watched all the same', async () => {
    await file('binary', new Uint8Array([0xff, 0x00]));
    const path = await file(
      'gone.yaml',
      `${head}admin: { token: "\${file:gone}" }\nlogging: { level: "\${file:.}", access: { file: "\${file:binary}" } }\n`,
    );
    const { config, findings, files } = await loadConfig(path);
    expect(config).toBe(null);
    expect(findings.map(({ code, line }) => [code, line])).toEqual([
      ['unresolved_reference', 3],
      ['unresolved_reference', 4],
      ['unresolved_reference', 4],
    ]);
    expect(findings[0].message).toContain('does not exist');
    expect(findings[1].message).toContain('is a directory');
    expect(findings[2].message).toContain('is not UTF-8');
    expect(files).toContain(join(directory, 'gone'));
  });

  test('a byte order mark is no part of the text', async () => {
    const path = await file('bom.yaml', `\ufeff${head}`);
    expect((await loadConfig(path)).findings).toEqual([]);
  });

  test.each([0, 1, 2, 3])('a large text is the same wherever its characters are cut (%i)', async (shift) => {
    const text = `${head}# ${'.'.repeat(shift)}${'é€😀'.repeat(100_000)}\n`;
    const { source, findings } = await loadConfig(await file(`large-${shift}.yaml`, text));
    expect(findings).toEqual([]);
    expect(source?.text === text).toBe(true);
  });

  test('the place of a broken character is that of the first byte after which nothing whole stands', async () => {
    const pieces = ['a', '\n', 'é', '€', '😀', '\ufeff'].map((text) => [...Buffer.from(text)]);
    const broken = [[0x80], [0xe2], [0xe2, 0x82], [0xf0, 0x9f], [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90]];
    const text = fc.array(fc.constantFrom(...pieces), { maxLength: 40 });
    const wild = fc.array(fc.constantFrom(...pieces, ...broken), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(...broken), wild, async (before, fault, after) => {
        const bytes = Buffer.from([before, [fault, [0x20]], after].flat(3) as number[]);
        const found = await readText('x.yaml', async () => bytes);
        const lines = Buffer.from(before.flat())
          .toString()
          .replace(/^\ufeff/, '')
          .split('\n');
        expect(found).toMatchObject({ place: { line: lines.length, column: (lines.at(-1) as string).length + 1 } });
      }),
    );
  });

  test('a broken character at the end of a large file is found by looking at little more than the file', async () => {
    const bytes = Buffer.alloc(maxFileSize, '\n');
    bytes[bytes.length - 1] = 0xc3;
    const decode = vi.spyOn(TextDecoder.prototype, 'decode');
    const found = await readText('x.yaml', async () => bytes);
    const decoded = decode.mock.calls.reduce((sum, [part]) => sum + (part?.byteLength ?? 0), 0);
    decode.mockRestore();
    expect(found).toMatchObject({ place: { line: maxFileSize, column: 1 } });
    expect(decoded).toBe(0);
  });

  test('a pipe is read to its end, whatever it holds', async () => {
    const path = join(directory, 'pipe.yaml');
    execFileSync('mkfifo', [path]);
    const text = `${head}# ${'0123456789'.repeat(100_000)}\n`;
    const [{ source, findings }] = await Promise.all([loadConfig(path), writeFile(path, text)]);
    expect(findings).toEqual([]);
    expect(source?.text === text).toBe(true);
  });

  test('the reader can be given', async () => {
    const { config, files } = await loadConfig('/nowhere/portico.yaml', {
      readFile: async () => new TextEncoder().encode(head),
    });
    expect(config?.version).toBe(1);
    expect(files).toEqual(['/nowhere/portico.yaml']);
  });

  test.each([
    ['missing', async () => join(directory, 'missing.yaml'), 'unreadable_file', 'does not exist', 1, 1],
    ['a directory', async () => directory, 'unreadable_file', 'is a directory', 1, 1],
    ['below a file', async () => join(await file('plain', ''), 'x'), 'unreadable_file', 'no directory', 1, 1],
    ['UTF-16', () => file('u16.yaml', new Uint8Array([0xff, 0xfe, 0x61, 0])), 'not_utf8', 'UTF-16', 1, 1],
    ['Latin-1', () => file('l1.yaml', Buffer.from(`${head}# ä caf\xe9\n`, 'latin1')), 'not_utf8', 'not UTF-8', 3, 3],
    [
      'a cut character',
      () => file('cut.yaml', Buffer.from([0x61, 0x0a, 0xef, 0xbf, 0xbd, 0xc3])),
      'not_utf8',
      'not UTF-8',
      2,
      2,
    ],
    [
      'too large',
      () => file('large.yaml', Buffer.alloc(maxFileSize + 1, 0x20)),
      'unreadable_file',
      'larger than 16 MiB',
      1,
      1,
    ],
    ['endless', async () => '/dev/zero', 'unreadable_file', 'larger than 16 MiB', 1, 1],
  ])('%s', async (_, make, code, reason, line, column) => {
    const path = await make();
    const { config, findings } = await loadConfig(path);
    expect(config).toBe(null);
    expect(findings).toMatchObject([{ file: path, severity: 'error', code, line, column, path: '' }]);
    expect(findings[0].message).toContain(reason);
  });

  test('links that go round', async () => {
    await symlink(join(directory, 'loop-b'), join(directory, 'loop-a'));
    await symlink(join(directory, 'loop-a'), join(directory, 'loop-b'));
    expect((await loadConfig(join(directory, 'loop-a'))).findings[0].message).toContain('circle');
  });
});

describe('JSON', () => {
  const value = {
    version: 1,
    listeners: [{ name: 'a', address: ':0' }],
    routes: [{ name: 'r', match: {}, respond: { body: '/\u{1f600}' } }],
  };

  test('is read with tabs, escapes and all', async () => {
    const text = JSON.stringify(value, null, '\t')
      .replace('"a"', '"\\u0061"')
      .replace('/\u{1f600}', '\\/\\ud83d\\ude00');
    const { config, findings } = await loadConfig(await file('fine.json', text));
    expect(findings).toEqual([]);
    expect(config?.listeners[0].name).toBe('a');
    expect(config?.routes[0].respond?.body).toBe('/\u{1f600}');
  });

  test('errors are located', async () => {
    const path = await file('faulty.json', JSON.stringify({ ...value, rotues: [] }, null, 2));
    expect((await loadConfig(path)).findings).toMatchObject([
      { line: 18, column: 3, code: 'unknown_key', suggestion: 'routes' },
    ]);
  });

  const listeners = '"listeners": [{"name": "a", "address": ":0"}]';

  test.each([
    ['a comment', `{"version": 1, # x\n${listeners}}`, 'comment', 1, 16],
    ['a word as a key', `{"version": 1,\n ${listeners}, admin: false}`, 'double quotes', 2, 49],
    ['block style', 'version: 1\nlisteners: [{ name: a, address: ":0" }]\n', 'begins with a word', 1, 1],
    ['a comma too many', `{"version": 1, ${listeners},}`, 'comma too many', 1, 61],
    // Not YAML either.
    ['no comma', `{"version": 1\n "admin": false}`, 'comma', 2, 2],
    ['an open end', `{"version": 1, ${listeners}`, 'closed', 1, 1],
    ['a tab in a string', `{"version": "1\t"}\n}`, 'control character', 1, 15],
  ])('%s is told in words of JSON, once', async (_, text, words, line, column) => {
    const { config, findings } = await loadConfig(await file('lax.json', text));
    expect(config).toBe(null);
    const ofSyntax = findings.filter(({ code }) => code.endsWith('_syntax'));
    expect(ofSyntax).toMatchObject([{ code: 'json_syntax', line, column, path: '' }]);
    expect(ofSyntax[0].message).toContain(words);
    expect(JSON.stringify(findings)).not.toContain('YAML');
  });

  test('what is wrong beside the syntax is told with it', async () => {
    const path = await file('both.json', `{"version": 1, ${listeners},\n// x\n "rotues": [],}`);
    expect((await loadConfig(path)).findings.map(({ line, code }) => [line, code])).toEqual([[2, 'json_syntax']]);
    const lax = await file('lax-too.json', `{"version": 2, ${listeners},\n "rotues": [],}`);
    expect((await loadConfig(lax)).findings.map(({ line, code }) => [line, code])).toEqual([
      [1, 'invalid_value'],
      [2, 'unknown_key'],
      [2, 'json_syntax'],
    ]);
  });
});

describe('TypeScript', () => {
  const listeners = `listeners: [{ name: 'public', address: ':0' }]`;

  test('a typed file loads where no package is installed, with what it imports, and references are filled in', async () => {
    const part = await file('part.ts', `export const name: string = 'imported';\n`);
    const path = await file(
      'portico.config.ts',
      `import { defineGateway } from 'portico/config';
import { name } from './part.ts';
enum Port { Any = 0 }
export default defineGateway({
  version: 1,
  listeners: [{ name, address: \`:\${Port.Any}\`, limits: { requestHead: '16KiB' } }],
  admin: { token: '\${env.TOKEN}' },
  policies: [{ stamp: { header: 'x' } }],
});
`,
    );
    const { config, findings, files } = await loadConfig(path, { policies, env: { TOKEN: 'abcdefghijklmnop' } });
    expect(findings).toEqual([]);
    expect(config).toMatchObject({
      listeners: [{ name: 'imported', address: { host: '', port: 0 }, limits: { requestHead: 16_384 } }],
      admin: { token: 'abcdefghijklmnop' },
      policies: [{ name: 'stamp', options: { header: 'x', count: 1 } }],
    });
    expect(files).toEqual(expect.arrayContaining([path, part]));
  });

  test('a change is seen by the next load, also in an imported file', async () => {
    await file('changing.ts', `export const name = 'one';\n`);
    const path = await file(
      'reloaded.ts',
      `import { name } from './changing';\nexport default { version: 1, listeners: [{ name, address: ':0' }] };\n`,
    );
    expect((await loadConfig(path)).config?.listeners[0].name).toBe('one');
    await file('changing.ts', `export const name = 'two';\n`);
    expect((await loadConfig(path)).config?.listeners[0].name).toBe('two');
  });

  test('a promise is awaited', async () => {
    const path = await file('later.ts', `export default Promise.resolve({ version: 1, ${listeners} });\n`);
    expect((await loadConfig(path)).findings).toEqual([]);
  });

  test('findings stand where the literal does, or the one around it, and name the path', async () => {
    await file('routes-part.ts', `export const part = { name: 'p', match: { path: 'x' }, respond: {} };\n`);
    const path = await file(
      'located.ts',
      `import { part } from './routes-part.ts';
const teapot = { status: 1418 };
export default {
  version: 1,
  ${listeners},
  rotues: [],
  routes: [
    { name: 'a', match: { path: 'no-slash' }, respond: {} },
    part,
    { name: 'b', match: {}, respond: teapot },
    ...['c'].map((name) => ({ name, match: 5, respond: {} })),
    { name: 'e', match: {}, respond: { body: '\${env.NOPE}' } },
  ],
} satisfies object;
`,
    );
    const { findings } = await loadConfig(path);
    expect(findings.map(({ line, column, code, path }) => [line, column, code, path])).toEqual([
      [6, 3, 'unknown_key', 'rotues'],
      // Which item a spread gives is unknown, and what comes after it too: the list is shown.
      [7, 11, 'unresolved_reference', 'routes[4].respond.body'],
      [7, 11, 'invalid_type', 'routes[3].match'],
      [8, 33, 'invalid_value', 'routes[0].match.path'],
      [9, 5, 'invalid_value', 'routes[1].match.path'],
      [10, 38, 'invalid_value', 'routes[2].respond.status'],
    ]);
    for (const { message, path } of findings) expect(message.endsWith(` (at ${path})`)).toBe(true);
  });

  test.each([
    ['a fault of syntax', 'export default {\n  version: = 1,\n};\n', 'module_failed', 2],
    ['an exception', '\nconst a: number = 1;\nthrow new Error(`no ${a}`);\n', 'module_failed', 3],
    [
      'a getter that throws',
      'export default {\n  get version() {\n    throw new Error();\n  },\n};\n',
      'module_failed',
      3,
    ],
    ['a missing import', `import { x } from './nowhere.ts';\nexport default x;\n`, 'module_failed', 1],
    ['no default export', 'export const config = {};\n', 'module_failed', 1],
    ['another kind of value', 'export default 5;\n', 'invalid_type', 1],
    ['an unknown key', `export default { version: 1, ${listeners}, rotues: [] };\n`, 'unknown_key', 1],
  ])('%s', async (name, text, code, line) => {
    const path = await file(`${name.replaceAll(' ', '-')}.ts`, text);
    const { config, findings, files } = await loadConfig(path);
    expect(config).toBe(null);
    expect(findings).toMatchObject([{ file: path, severity: 'error', code, line }]);
    expect(findings[0].message).not.toContain('\u001b');
    expect(files).toContain(path);
  });
});

describe('finding the file of a directory', () => {
  test('the names are looked for in their order', async () => {
    const place = join(directory, 'find');
    await mkdir(place);
    expect(findConfigFile(place)).toBe(null);
    await mkdir(join(place, 'portico.yaml'));
    for (const name of ['portico.config.ts', 'portico.json', 'portico.yml']) {
      await writeFile(join(place, name), '');
      expect(findConfigFile(place)).toBe(join(place, name));
    }
    await rm(join(place, 'portico.yaml'), { recursive: true });
    await writeFile(join(place, 'portico.yaml'), '');
    expect(findConfigFile(place)).toBe(join(place, 'portico.yaml'));
  });
});
