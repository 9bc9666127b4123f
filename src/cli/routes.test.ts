/** The table of routes has the order and the paths of the router. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { routesCommand } from './routes.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-routes-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function pathShownFor(match: object): Promise<string> {
  const config = {
    version: 1,
    listeners: [{ name: 'l', address: '127.0.0.1:0' }],
    routes: [{ name: 'r', match, respond: { status: 200 } }],
  };
  writeFileSync(join(directory, 'portico.json'), JSON.stringify(config));
  let out = '';
  const io = { out: (text: string) => void (out += text), error: () => {}, env: {}, cwd: directory };
  expect(await routesCommand.run(['--json'], io)).toBe(0);
  return (JSON.parse(out) as { routes: { path: string }[] }).routes[0].path;
}

describe('the path shown is the one by which the router finds the route', () => {
  test.each([
    [{ path: '/users/{id}' }, '/users/{id}'],
    [{ path: '/users' }, '/users'],
    [{ pathPrefix: '/' }, '/*'],
    [{ pathPrefix: '/api' }, '/api/*'],
    [{ pathPrefix: '/api/' }, '/api/*'],
    [{ pathRegex: '^/u/[0-9]+$' }, '~ ^/u/[0-9]+$'],
    [{ methods: ['GET'] }, '-'],
    [{ all: [{ path: '/nested/{id}' }, { query: { a: '1' } }] }, '/nested/{id}'],
    [{ all: [{ all: [{ pathPrefix: '/deep' }] }] }, '/deep/*'],
    [{ any: [{ path: '/a' }, { path: '/b' }] }, '-'],
    [{ all: [{ path: '/a' }, { pathPrefix: '/a' }] }, '-'],
  ])('%j: %s', async (match, path) => {
    expect(await pathShownFor(match)).toBe(path);
  });
});

test('routes of relayed connections stand after those of requests, in their own order', async () => {
  const config = {
    version: 1,
    listeners: [
      { name: 'l', address: '127.0.0.1:0' },
      { name: 'raw', address: '127.0.0.1:0', mode: 'tls-passthrough' },
    ],
    services: [{ name: 's', endpoints: ['tcp://127.0.0.1:1'] }],
    routes: [
      { name: 'rest', match: { listeners: ['raw'] }, service: 's' },
      { name: 'named', match: { sni: ['*.a.test'] }, service: 's' },
      { name: 'requests', match: {}, respond: {} },
    ],
  };
  writeFileSync(join(directory, 'raw.json'), JSON.stringify(config));
  let out = '';
  const io = { out: (text: string) => void (out += text), error: () => {}, env: {}, cwd: directory };
  expect(await routesCommand.run(['-c', 'raw.json', '--json'], io)).toBe(0);
  const common = { priority: 0, target: 's', state: 'active', methods: ['TCP'] };
  expect((JSON.parse(out) as { routes: object[] }).routes).toEqual([
    { ...common, route: 'requests', methods: [], hosts: [], path: '-', target: 'respond 200' },
    { ...common, route: 'named', hosts: ['*.a.test'], listeners: [], path: '-' },
    { ...common, route: 'rest', hosts: [], listeners: ['raw'], path: 'on raw' },
  ]);
});
