/** Holds the reference of the admin API to its table of routes, and runs every example that stands there. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { ADMIN_RESOURCES, ADMIN_ROUTES } from '../../src/admin/contract.ts';
import { EXAMPLE_BASE, renderAdminReference } from '../../src/admin/reference.ts';
import { EXAMPLE_KEY_ID } from '../../src/admin/resources/keys.ts';
import type { AdminRoute } from '../../src/admin/route.ts';
import { hasCurl } from '../support/curl.ts';
import { closeManaged, startManagedTest } from '../support/managed.ts';

const file = new URL('../../docs/reference/admin.md', import.meta.url);
const TOKEN = 'a-token-for-the-examples';

/** What the examples speak of. */
const CONFIG = `version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", token: ${TOKEN}, writes: true, persist: file }
workers: 1
shutdown: { drain: 0ms, timeout: 1s }
logging: { level: silent, access: false }
services:
  - name: users
    endpoints: [{ url: "http://127.0.0.1:9001", weight: 1 }, "http://127.0.0.1:9002"]
routes:
  - { name: users, match: { pathPrefix: /users }, service: users }
`;

afterEach(closeManaged);

test('docs/reference/admin.md is what the table of routes says (UPDATE_DOCS=1 writes it anew)', () => {
  const expected = renderAdminReference(ADMIN_RESOURCES);
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, expected);
  expect(readFileSync(file, 'utf8')).toBe(expected);
});

/** Examples as they stand on the page, by `METHOD /path`. */
function examplesOf(page: string): Map<string, string> {
  const sections = [...page.matchAll(/^### `([A-Z]+ \/[^`]*)`\n([\s\S]*?)(?=^##|(?![\s\S]))/gm)];
  return new Map(
    sections.map(([, name, text]) => [
      name,
      [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, c]) => c).join(''),
    ]),
  );
}

const page = readFileSync(file, 'utf8');
const examples = examplesOf(page);

test('every route has one example on the page, and nothing else does', () => {
  expect([...examples.keys()]).toEqual(ADMIN_ROUTES.map(({ method, path }) => `${method} ${path}`));
  expect(page.match(/^curl /gm)).toHaveLength(ADMIN_ROUTES.length);
});

interface Result {
  exit: number;
  status: number;
  mediaType: string;
  body: string;
}

/** Runs a command of the page in a shell; of a stream it waits only for the beginning. */
function runExample(command: string, admin: string, lasting: boolean): Promise<Result> {
  const bounds = lasting ? '--max-time 0.5' : '--max-time 15';
  const script = command
    .replaceAll(EXAMPLE_BASE, admin)
    .replace(/^curl /, `curl ${bounds} -w '\\n%{http_code} %{content_type}' `);
  const env = { PATH: process.env.PATH, PORTICO_ADMIN_TOKEN: TOKEN };
  return new Promise((resolve) => {
    execFile('sh', ['-c', script], { env, encoding: 'utf8' }, (error, stdout) => {
      const end = stdout.lastIndexOf('\n');
      const [, status, mediaType] = /^(\d+) ?(.*)$/.exec(stdout.slice(end + 1)) ?? [];
      const exit = error === null ? 0 : Number(error.code);
      resolve({ exit, status: Number(status), mediaType, body: stdout.slice(0, end) });
    });
  });
}

function exampleOf({ method, path }: AdminRoute): string {
  return examples.get(`${method} ${path}`) as string;
}

describe.skipIf(!hasCurl && process.env.REQUIRE_SERVICES !== '1')('the example of', () => {
  test.each(ADMIN_ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s',
    async (_name, route) => {
      // Nothing here stands in for a process that could end or be succeeded.
      const signals = { drain: () => {}, upgrade: () => Promise.resolve(process.pid) };
      const gateway = await startManagedTest(CONFIG, signals);
      const { example, answers } = route;
      let keyId = EXAMPLE_KEY_ID;
      for (const id of example.after ?? []) {
        const before = ADMIN_ROUTES.find((other) => other.id === id) as AdminRoute;
        const { status, body } = await runExample(exampleOf(before), gateway.admin, false);
        expect(status).toBe(before.example.status);
        if (id === 'createKey') keyId = JSON.parse(body).id;
      }
      const command = exampleOf(route).replaceAll(EXAMPLE_KEY_ID, keyId);
      const result = await runExample(command, gateway.admin, example.lasting === true);
      expect(result).toMatchObject({ exit: example.lasting === true ? 28 : 0, status: example.status });
      if (route.method === 'GET') {
        const headers = { ...example.headers, authorization: `Bearer ${TOKEN}` };
        const head = await fetch(`${gateway.admin}${example.path.replace(EXAMPLE_KEY_ID, keyId)}`, {
          method: 'HEAD',
          headers,
        });
        expect([head.status, head.headers.get('content-type')]).toEqual([example.status, result.mediaType]);
      }
      const { schema, mediaType } = answers[example.status];
      if (mediaType !== undefined) expect(result.mediaType).toBe(mediaType);
      if (schema === undefined || !result.mediaType.startsWith('application/json')) return;
      // A member that the schema does not know would be dropped here: whatever is answered is documented.
      const answered = JSON.parse(result.body);
      expect(schema.parse(answered)).toEqual(answered);
    },
  );
});
