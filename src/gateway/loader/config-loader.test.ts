/** A configuration that a thread loads is the one that this thread would have loaded, with all that is said about it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Loaded, type LoadResult, loadHere } from '../../config/load.ts';
import { builtInSchemas } from '../built-in-policies.ts';
import { loadApart } from './config-loader.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-loader-'));
afterAll(() => rmSync(directory, { recursive: true }));

const options = { policies: builtInSchemas, env: { TOKEN: 'a-token-of-many-letters' } };

/** Large enough for a thread of its own. */
function textOf(routes: string): string {
  const many = Array.from(
    { length: 900 },
    (_, i) =>
      `  - name: r${i}\n    match: { pathPrefix: /r${i}, headers: { x: "${i}" } }\n    service: s\n    timeout: 5s\n`,
  );
  return `version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", token: "\${env.TOKEN}" }
services: [{ name: s, endpoints: ["http://127.0.0.1:1"] }, { name: unused, endpoints: ["http://127.0.0.1:2"] }]
routes:
${routes}${many.join('')}`;
}

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function plain(loaded: Loaded | LoadResult): Loaded {
  const { locate: _, ...rest } = { locate: null, ...loaded };
  return rest;
}

describe('a large configuration', () => {
  test('comes from the thread as from here', async () => {
    const file = write('sound.yaml', textOf(''));
    const apart = await loadApart.file(file, options);
    // What was loaded here would know places.
    expect(apart).not.toHaveProperty('locate');
    expect(apart.config?.routes).toHaveLength(900);
    expect([...apart.secrets]).toEqual(['a-token-of-many-letters']);
    expect(apart.findings.map(({ code }) => code)).toEqual(['unused_service']);
    expect(apart).toStrictEqual(plain(await loadHere.file(file, options)));
  });

  test('is refused in the same words', async () => {
    const file = write('faulty.yaml', textOf('  - { name: x, match: { path: nowhere }, service: none }\n'));
    const apart = await loadApart.file(file, options);
    expect(apart.config).toBeNull();
    expect(apart.findings.length).toBeGreaterThan(1);
    expect(apart).toStrictEqual(plain(await loadHere.file(file, options)));
  });

  test('may come as text', async () => {
    const source = { text: textOf(''), format: 'yaml' as const };
    const apart = await loadApart.text(source, join(directory, 'portico.yaml'), options);
    expect(apart).toStrictEqual(plain(await loadHere.text(source, join(directory, 'portico.yaml'), options)));
  });
});

describe('a large configuration of which little is new', () => {
  test('takes over what the one before it has, as file and as text', async () => {
    const before = await loadApart.file(write('changed.yaml', textOf('')), options);
    const file = write(
      'changed.yaml',
      textOf('  - { name: fresh, match: {}, service: s }\n').replace('"450"', '"new"'),
    );
    const apart = await loadApart.file(file, options, before);
    expect(apart).toStrictEqual({ ...plain(await loadHere.file(file, options)), routeLines: expect.anything() });
    expect(apart.config?.routes[1]).toBe(before.config?.routes[0]);
    const back = await loadApart.text({ text: textOf(''), format: 'yaml' }, file, options, apart);
    expect(back.config).toStrictEqual(before.config);
    expect(back.config?.routes[450]).not.toBe(before.config?.routes[450]);
    expect(back.config?.routes[899]).toBe(before.config?.routes[899]);
  });

  test('is loaded from the ground up where something is wrong, or gone', async () => {
    const before = await loadApart.file(write('wrong.yaml', textOf('')), options);
    const file = write('wrong.yaml', textOf('  - { name: x, match: { path: nowhere }, service: none }\n'));
    expect(await loadApart.file(file, options, before)).toStrictEqual(plain(await loadHere.file(file, options)));
    writeFileSync(file, Buffer.concat([Buffer.from([0xff]), Buffer.from(textOf(''))]));
    const { findings, config } = await loadApart.file(file, options, before);
    expect([config, findings.map(({ code }) => code)]).toEqual([null, ['not_utf8']]);
  });
});

describe('what is loaded here', () => {
  test('is what is small', async () => {
    const file = write('small.yaml', 'version: 1\nlisteners: [{ name: a, address: "127.0.0.1:0" }]\n');
    expect(await loadApart.file(file, options)).toHaveProperty('locate');
    expect((await loadApart.file(join(directory, 'absent.yaml'), options)).findings[0].code).toBe('unreadable_file');
  });

  test('is what has policies of its own', async () => {
    const file = write('own.yaml', textOf(''));
    const own = { ...options, policies: { names: () => [], schemaOf: () => undefined } };
    expect(await loadApart.file(file, own)).toHaveProperty('locate');
  });
});
