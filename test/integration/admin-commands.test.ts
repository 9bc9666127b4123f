/** The commands that speak to a running gateway, against one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type CommandOutcome, runCommand } from '../support/command.ts';
import { closeManaged, startManagedTest, type TestManaged } from '../support/managed.ts';

afterEach(closeManaged);

const CONFIG = `# Kept.
version: 1
workers: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", writes: true, token: "a-token-for-the-tests" }
logging: { access: false }
services:
  - { name: users, endpoints: [http://127.0.0.1:9] }
  - { name: late, registration: true, endpoints: [] }
routes:
  - { name: users, match: { pathPrefix: /users }, service: users }
  - { name: late, match: { pathPrefix: /late }, service: late }
`;

function portico(gateway: TestManaged, line: string, token = 'a-token-for-the-tests'): Promise<CommandOutcome> {
  const env = { PORTICO_ADMIN_TOKEN: token };
  return runCommand([...line.split(' '), '--admin', gateway.admin], { env, cwd: gateway.directory });
}

function place(gateway: TestManaged, name: string, text: string): void {
  writeFileSync(join(gateway.directory, name), text);
}

test.each([
  [
    'status',
    0,
    /^running, process \d+, generation 1\nconfiguration: portico\.yaml, by start, since .*\nlistener public: 127/,
  ],
  ['status', 0, /services: 2\n {2}users: 1 of 1 up\n {2}late: 0 of 0 up\n$/],
  ['status --json', 0, /^\{"pid":\d+,"generation":1,/],
  ['services', 3, /^service {2}up {3}active {2}requests {2}failures\nusers {4}1\/1 {2}0 {7}0 {9}0\nlate {5}0\/0/],
  ['services --json', 3, /^\{"services":\[\{"name":"users","up":1,"endpoints":1,/],
  ['endpoints users', 0, /127\.0\.0\.1:9 {2}up {5}1 {7}configured {2}0/],
  ['endpoints users --json', 0, /^\{"endpoints":\[\{"id":"127\.0\.0\.1:9"/],
  ['config get', 0, /^# Kept\.\nversion: 1\n/],
  ['config get --json', 0, /^\{\n {2}"version": 1,/],
  ['config history', 0, /^generation {2}since .*\n1 {11}\S+ {2}start {2}"/],
  ['config history --json', 0, /^\{"history":\[\{"generation":1,/],
  ['reload', 0, /^nothing changed: generation 1\n$/],
  ['reload --json', 0, /^\{"changed":false,"generation":1\}\n$/],
  ['health', 0, /^ready\n$/],
])('portico %s', async (line, status, shown) => {
  const result = await portico(await startManagedTest(CONFIG), line);
  expect(result).toMatchObject({ status, error: '' });
  expect(result.out).toMatch(shown);
});

test.each([
  ['config', 2, /usage: portico config \(get/],
  ['config fetch', 2, /usage: portico config \(get/],
  ['config put', 2, /usage/],
  ['config get file', 2, /usage/],
  ['config rollback first', 2, /a generation is a number/],
  ['config rollback 7', 1, /404 resource_not_found: The history has no generation 7/],
  ['config put none.yaml', 1, /none\.yaml cannot be read\n.*does not exist/],
  ['endpoints', 2, /usage/],
  ['endpoints users forget 127.0.0.1:9', 2, /usage/],
  ['endpoints users drain', 2, /usage/],
  ['endpoints nobody', 1, /404 resource_not_found: There is no service "nobody"/],
  ['endpoints users drain 127.0.0.1:1', 1, /404 resource_not_found/],
  ['upgrade', 1, /409 conflict: This gateway cannot be upgraded/],
  ['drain', 1, /409 conflict: This gateway can only be stopped/],
  ['plan', 1, /usage/],
])('portico %s is refused', async (line, status, shown) => {
  const result = await portico(await startManagedTest(CONFIG), line);
  expect(result).toMatchObject({ status, out: '' });
  expect(result.error).toMatch(shown);
});

describe('a file', () => {
  const next = CONFIG.replace('/users', '/people');

  test('is compared, put in place, and gone back from', async () => {
    const gateway = await startManagedTest(CONFIG);
    place(gateway, 'next.yaml', next);
    const plan = await portico(gateway, 'plan next.yaml');
    expect([plan.status, plan.out]).toEqual([2, expect.stringContaining('match_changed')]);
    expect(await portico(gateway, 'config put next.yaml --dry-run')).toEqual(plan);
    expect(JSON.parse((await portico(gateway, 'plan next.yaml --json')).out)).toMatchObject({
      summary: { added: 0, removed: 0 },
    });
    expect(await portico(gateway, 'config put next.yaml')).toEqual({
      status: 0,
      out: 'generation 2 runs\n',
      error: '',
    });
    expect(gateway.read()).toBe(next);
    expect(await portico(gateway, 'config put next.yaml')).toMatchObject({ out: 'nothing changed: generation 2\n' });
    expect(await portico(gateway, 'plan next.yaml')).toMatchObject({ status: 0, out: 'nothing differs\n' });
    expect(await portico(gateway, 'config rollback 1 --dry-run')).toMatchObject({ status: 2 });
    expect(await portico(gateway, 'config rollback 1 --if-match "other"')).toMatchObject({
      status: 1,
      error: expect.stringContaining('412 precondition_failed'),
    });
    // A shell takes the quotes away.
    const running = JSON.parse((await portico(gateway, 'status --json')).out).config.etag.replaceAll('"', '');
    expect(await portico(gateway, `config rollback 1 --if-match ${running}`)).toMatchObject({
      out: 'generation 3 runs\n',
    });
    expect(gateway.read()).toBe(CONFIG);
  });

  test('with errors is refused with their places', async () => {
    const gateway = await startManagedTest(CONFIG);
    place(gateway, 'next.yaml', next.replace('service: users', 'service: nobody'));
    for (const line of ['config put next.yaml', 'plan next.yaml']) {
      const { status, error } = await portico(gateway, line);
      expect([status, error]).toEqual([
        1,
        expect.stringMatching(/422 config_invalid[\s\S]*:11:\d+: error unknown_service/),
      ]);
    }
    gateway.write(`${CONFIG}more: 1\n`);
    expect(await portico(gateway, 'reload')).toMatchObject({
      status: 1,
      error: expect.stringMatching(/portico\.yaml:13:1: error unknown_key/),
    });
    expect((await portico(gateway, 'status')).out).toMatch(
      /the last change failed: by api, .*:\n {2}portico\.yaml:13:1: error unknown_key: .*\nlistener public/,
    );
  });

  test('as JSON is worked into the YAML that is there', async () => {
    const gateway = await startManagedTest(CONFIG);
    const { out } = await portico(gateway, 'config get --json');
    place(gateway, 'next.json', out.replace('/users', '/people'));
    expect(await portico(gateway, 'config put next.json')).toMatchObject({ status: 0 });
    expect(gateway.read()).toBe(next);
  });
});

test('endpoints are drained, taken back and taken out', async () => {
  const gateway = await startManagedTest(CONFIG);
  await gateway.registry.register('late', { url: 'http://127.0.0.1:10', weight: 2, ttl: null });
  const state = async (line: string): Promise<string> => (await portico(gateway, line)).out.split('\n')[1];
  expect(await state('endpoints late')).toMatch(/^127\.0\.0\.1:10 {2}up {5}2 {7}registered/);
  expect(await state('endpoints late drain 127.0.0.1:10')).toContain('up, drained');
  expect(await state('endpoints late enable 127.0.0.1:10')).not.toContain('drained');
  expect(await state('endpoints late remove 127.0.0.1:10')).toBe('');
  expect(await state('endpoints users drain 127.0.0.1:9')).toContain('up, drained');
  expect(gateway.read()).toContain('drain: true');
  expect(await state('endpoints users enable 127.0.0.1:9')).not.toContain('drained');
  expect(gateway.read()).not.toContain('drain');
});

test('without the token nothing is told', async () => {
  const gateway = await startManagedTest(CONFIG);
  expect(await portico(gateway, 'status', '')).toMatchObject({
    status: 1,
    error: expect.stringContaining('a token is needed'),
  });
  expect(await portico(gateway, 'config get', 'wrong')).toMatchObject({
    status: 1,
    error: expect.stringContaining('is wrong'),
  });
});
