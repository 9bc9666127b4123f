/** What the commands say of files whose broken routes the gateway would take out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../test/support/command.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-quarantine-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const head = 'version: 1\nlisteners: [{ name: public, address: "127.0.0.1:8080" }]\n';
const quarantine = 'onInvalidRoute: quarantine\n';
const all = '  - { name: all, match: { pathPrefix: / }, respond: {} }\n';
const a = '  - { name: a, match: { path: /a }, respond: {} }\n';
const brokenA = '  - { name: a, match: { path: /a }, service: nobody }\n';
const brokenMatch = '  - { name: a, match: { path: a }, respond: {} }\n';
const files: Record<string, string> = {
  'sound.yaml': `${head}${quarantine}routes:\n${all}${a}`,
  'broken.yaml': `${head}${quarantine}routes:\n${all}${brokenA}`,
  'no-match.yaml': `${head}${quarantine}routes:\n${all}${brokenMatch}`,
  'refused.yaml': `${head}routes:\n${all}${brokenA}`,
  'two.yaml': `${head}${quarantine}routes:\n${all}${brokenA}  - { name: a, match: { path: /a }, respond: {} }\n`,
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);

const run = (line: string) => runCommand(line.split(' '), { cwd: directory });

describe('check', () => {
  test('tells the errors as errors, and that the gateway would run', async () => {
    const { status, out } = await run('check broken.yaml');
    expect(status).toBe(1);
    expect(out).toBe(
      'broken.yaml:6:46: error unknown_service: `service` `nobody`: no service has this name\n' +
        'broken.yaml: the gateway would run and quarantine one route: a\n',
    );
    const refused = await run('check refused.yaml');
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.out).not.toContain('quarantine');
  });

  test('names the routes in JSON, and keeps to the findings where there are none', async () => {
    const { status, out } = await run('check broken.yaml sound.yaml no-match.yaml --json');
    expect(status).toBe(1);
    const { findings, quarantined } = JSON.parse(out) as { findings: { path: string }[]; quarantined: unknown };
    expect(findings.map(({ path }) => path)).toEqual(['routes[1].service', 'routes[1].match.path']);
    expect(quarantined).toEqual([
      { file: 'broken.yaml', route: 'a', matched: true },
      { file: 'no-match.yaml', route: 'a', matched: false },
    ]);
    expect((await run('check sound.yaml --json')).out).toBe('{"findings":[]}\n');
  });

  test('does not say of a quarantined route that another goes before it', async () => {
    const { out } = await run('check two.yaml');
    expect(out).toContain('two.yaml: the gateway would run and quarantine 2 routes: a, routes[2]\n');
    expect(out).not.toContain('warning');
  });
});

test('routes shows the state, and last what nothing reaches', async () => {
  expect((await run('routes -c broken.yaml')).out).toBe(
    'ROUTE  PRIORITY  METHODS  HOSTS  PATH  TARGET\n' +
      'a      0         *        *      /a    503 route_quarantined: broken.yaml:6:46: unknown_service: `service` `nobody`: no service has this name\n' +
      'all    0         *        *      /*    respond 200\n',
  );
  const { routes } = JSON.parse((await run('routes -c no-match.yaml --json')).out) as { routes: object[] };
  expect(routes).toMatchObject([
    { route: 'all', state: 'active' },
    { route: 'a', state: 'quarantined', path: '(none)', reason: expect.stringContaining('no-match.yaml:6:') },
  ]);
  expect((await run('routes -c refused.yaml')).error).toContain('the file has errors');
});

test('explain says that the route wins and is quarantined, or that nothing is known of what it takes', async () => {
  const won = await run('explain GET /a -c broken.yaml');
  expect(won.status).toBe(0);
  expect(won.out).toContain('route: a\nquarantined: broken.yaml:6:46: unknown_service: ');
  expect(won.out).toContain('answered by the gateway: 503 route_quarantined\n');
  const json = JSON.parse((await run('explain GET /a -c broken.yaml --json')).out) as Record<string, unknown>;
  expect(json).toMatchObject({ route: 'a', service: null, quarantined: expect.stringContaining('nobody') });
  const lost = await run('explain GET /a -c no-match.yaml');
  expect(lost.out).toContain('route: all\n');
  expect(lost.out).toContain('  not a: quarantined, and its match is broken: no-match.yaml:6:');
  const other = JSON.parse((await run('explain GET / -c broken.yaml --json')).out) as object;
  expect(other).not.toHaveProperty('quarantined');
});

describe('plan', () => {
  const codes = async (line: string): Promise<string[]> => {
    const { out } = await run(`plan ${line} --json`);
    return (JSON.parse(out) as { changes: { code: string; route: string }[] }).changes.map(
      ({ code, route }) => `${code} ${route}`,
    );
  };

  test.each([
    ['a route that can no longer be built', 'sound.yaml broken.yaml', ['route_quarantined a']],
    ['one that can be again', 'broken.yaml sound.yaml', ['route_restored a']],
    ['one whose requests go to others', 'sound.yaml no-match.yaml', ['requests_moved all', 'route_quarantined a']],
    ['one that gets its requests back', 'no-match.yaml sound.yaml', ['requests_moved a', 'route_restored a']],
    ['one that now has its requests refused', 'no-match.yaml broken.yaml', ['requests_moved a', 'route_quarantined a']],
    ['one that is broken as before', 'broken.yaml broken.yaml', []],
  ])('tells of %s', async (_, line, expected) => {
    expect((await codes(line)).sort()).toEqual(expected);
  });

  test('gives the reason, and compares nothing with a file that is refused', async () => {
    const { status, out } = await run('plan sound.yaml broken.yaml');
    expect(status).toBe(2);
    expect(out).toContain(
      'route_quarantined: route "a" cannot be built: its requests are answered 503 route_quarantined',
    );
    expect((await run('plan sound.yaml refused.yaml')).status).toBe(1);
  });
});
