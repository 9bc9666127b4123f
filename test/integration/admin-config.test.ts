/** The admin API's ways to change what runs, against a real gateway, with traffic to tell the difference. */
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { closeManaged, startManagedTest, type TestManaged } from '../support/managed.ts';
import { exchange } from '../support/raw-client.ts';
import { okAnswer, startOrigin } from '../support/raw-origin.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await closeManaged();
});

function config(endpoints: readonly string[], rest = ''): string {
  return `# Kept by hand.
version: 1
workers: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", writes: true }
logging: { access: false }
services:
  # People.
  - name: users
    endpoints: [${endpoints.join(', ')}]
    passive: { failures: 0 }
routes:
  - name: users   # all of them
    match: { pathPrefix: /users }
    service: users
  - name: fixed
    match: { path: /fixed }
    respond: { status: 200, body: one }
${rest}`;
}

const NOBODY = 'http://127.0.0.1:9';

interface Reply {
  status: number;
  etag: string;
  body: Record<string, unknown> & { findings?: { path: string; line: number }[]; code?: string };
  text: string;
}

async function call(
  { admin }: TestManaged,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const text = body === undefined || typeof body === 'string' ? (body as string | undefined) : JSON.stringify(body);
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(`${admin}${path}`, { method, body: text ?? null, headers: { ...type, ...headers } });
  const received = await answer.text();
  const json = answer.headers.get('content-type')?.includes('json') === true;
  return {
    status: answer.status,
    etag: answer.headers.get('etag') ?? '',
    body: json ? JSON.parse(received) : {},
    text: received,
  };
}

const YAML = { 'content-type': 'application/yaml' };

async function ask({ port }: TestManaged, path: string): Promise<string> {
  const { status, body } = await exchange(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return `${status} ${body}`;
}

async function origin(name: string): Promise<string> {
  const started = await startOrigin({
    onRequest: (request, connection) => connection.write(okAnswer(request, name)),
  });
  closers.push(() => started.close());
  return started.url;
}

describe('/config', () => {
  test('answers JSON, and the very text as YAML', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const json = await call(gateway, 'GET', '/config');
    expect(json).toMatchObject({ status: 200, body: { version: 1, services: [{ name: 'users' }] } });
    const yaml = await call(gateway, 'GET', '/config', undefined, { accept: 'application/yaml' });
    expect([yaml.text, yaml.etag]).toEqual([gateway.read(), json.etag]);
    expect(parse(json.text)).toEqual(parse(yaml.text));
  });

  test.each(['yaml', 'json'])('takes %s, all of it or nothing, and keeps it in the file', async (format) => {
    const gateway = await startManagedTest(config([NOBODY]));
    const next = gateway.read().replace('body: one', 'body: two');
    const body = format === 'yaml' ? next : JSON.stringify(parse(next));
    const headers = format === 'yaml' ? YAML : {};
    const done = await call(gateway, 'PUT', '/config', body, headers);
    expect(done).toMatchObject({ status: 200, body: { changed: true, generation: 2, warnings: [] } });
    expect(await ask(gateway, '/fixed')).toBe('200 two');
    expect(gateway.read()).toBe(next);
    expect(await call(gateway, 'PUT', '/config', body, headers)).toMatchObject({
      status: 200,
      body: { changed: false, generation: 2 },
    });
  });

  test('is not changed by an older copy', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const { etag } = await call(gateway, 'GET', '/config');
    const put = (body: string, tag: string) =>
      call(gateway, 'PUT', '/config', gateway.read().replace(/body: \w+/, `body: ${body}`), {
        ...YAML,
        'if-match': tag,
      });
    const done = await put('two', etag);
    expect(done.status).toBe(200);
    expect(await put('three', etag)).toMatchObject({ status: 412, body: { code: 'precondition_failed' } });
    expect(await put('three', `W/${done.etag}`)).toMatchObject({ status: 412 });
    expect(await put('three', `"x", ${done.etag}`)).toMatchObject({ status: 200 });
    expect(await put('four', '*')).toMatchObject({ status: 200 });
  });

  test('says where the errors of a refused one stand, and changes nothing', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const before = gateway.read();
    const refused = await call(gateway, 'PUT', '/config', before.replace('service: users', 'service: user'), YAML);
    expect(refused).toMatchObject({
      status: 422,
      body: {
        code: 'config_invalid',
        findings: expect.arrayContaining([
          expect.objectContaining({ code: 'unknown_service', line: 15, path: 'routes[0].service' }),
        ]),
      },
    });
    for (const [body, headers, status] of [
      ['{', {}, 400],
      ['{"version": 1', YAML, 422],
      ['', YAML, 400],
      ['version: 1', { 'content-type': 'text/plain' }, 415],
      ['a: &a [*a]', YAML, 422],
    ] as const) {
      expect([body, (await call(gateway, 'PUT', '/config', body, headers)).status]).toEqual([body, status]);
    }
    expect([gateway.read(), gateway.server.generation]).toEqual([before, 1]);
  });

  test('tells what would change', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const next = gateway.read().replace('/fixed', '/moved');
    expect(await call(gateway, 'PUT', '/config?dryRun=true', next, YAML)).toMatchObject({
      status: 200,
      body: {
        valid: true,
        summary: { added: 0, removed: 0 },
        changes: expect.arrayContaining([expect.objectContaining({ code: 'requests_reachable' })]),
      },
    });
    expect(gateway.server.generation).toBe(1);
    expect(await call(gateway, 'POST', '/config/validate', next, YAML)).toMatchObject({
      status: 200,
      body: { valid: true, findings: [] },
    });
    expect(await call(gateway, 'POST', '/config/validate', 'version: 3', YAML)).toMatchObject({
      status: 422,
      body: { valid: false, findings: expect.arrayContaining([expect.objectContaining({ path: 'version' })]) },
    });
  });

  test('can go back', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const first = gateway.read();
    await call(gateway, 'PUT', '/config', first.replace('body: one', 'body: two'), YAML);
    expect(await call(gateway, 'POST', '/config/rollback/1')).toMatchObject({ status: 200, body: { generation: 3 } });
    expect([await ask(gateway, '/fixed'), gateway.read()]).toEqual(['200 one', first]);
    expect(await call(gateway, 'GET', '/config/history')).toMatchObject({
      body: {
        history: [
          { generation: 3, cause: 'rollback' },
          { generation: 2, cause: 'api' },
          { generation: 1, cause: 'start' },
        ],
      },
    });
    expect((await call(gateway, 'POST', '/config/rollback/9')).status).toBe(404);
    expect((await call(gateway, 'POST', '/config/rollback/x')).status).toBe(400);
  });

  test('of a file that may not be written is 409, and can be loaded anew', async () => {
    const gateway = await startManagedTest(config([NOBODY]).replace(', writes: true', ''));
    const next = gateway.read().replace('body: one', 'body: two');
    for (const [method, path, body] of [
      ['PUT', '/config', JSON.stringify(parse(next))],
      ['POST', '/config/rollback/1', undefined],
      ['PUT', '/routes/new', '{"match":{},"respond":{"status":204}}'],
      ['PATCH', '/routes/fixed', '{"priority":2}'],
      ['DELETE', '/routes/fixed', undefined],
      ['POST', '/services/users/endpoints/127.0.0.1:9/drain', undefined],
      ['POST', '/services/users/endpoints', '{"url":"http://127.0.0.1:10"}'],
    ] as const) {
      expect([path, (await call(gateway, method, path, body)).status]).toEqual([path, 409]);
    }
    gateway.write(next);
    expect(await call(gateway, 'POST', '/reload')).toMatchObject({
      status: 200,
      body: { changed: true, generation: 2 },
    });
    gateway.write(`${next}\nmore: 1\n`);
    expect(await call(gateway, 'POST', '/reload')).toMatchObject({
      status: 422,
      body: { findings: [{ path: 'more' }] },
    });
    const { body } = await call(gateway, 'GET', '/status');
    expect(body.config).toMatchObject({
      cause: 'api',
      lastReload: { result: 'failure', findings: [{ path: 'more' }] },
    });
    expect(await ask(gateway, '/fixed')).toBe('200 two');
  });
});

describe('/routes and /services', () => {
  test('are parts of the one configuration', async () => {
    const gateway = await startManagedTest(config([await origin('a')]));
    const teapot = { match: { path: '/teapot' }, respond: { status: 418 } };
    expect(await call(gateway, 'PUT', '/routes/teapot', teapot)).toMatchObject({
      status: 201,
      body: { generation: 2 },
    });
    expect(await call(gateway, 'GET', '/routes/teapot')).toMatchObject({
      status: 200,
      body: { name: 'teapot', ...teapot },
    });
    expect(await ask(gateway, '/teapot')).toBe('418 ');
    expect(await call(gateway, 'PATCH', '/routes/teapot', { respond: { body: 'short' } })).toMatchObject({
      status: 200,
    });
    expect(await ask(gateway, '/teapot')).toBe('418 short');
    expect(await call(gateway, 'PUT', '/routes/teapot', teapot)).toMatchObject({ status: 200 });
    expect(await ask(gateway, '/teapot')).toBe('418 ');
    expect(await call(gateway, 'DELETE', '/routes/teapot')).toMatchObject({ status: 204, text: '' });
    expect((await ask(gateway, '/teapot')).slice(0, 3)).toBe('404');
    // Round and back, and a person's file is as it was.
    expect(gateway.read()).toBe(config([gateway.control.config.services[0].endpoints[0].url]));
  });

  test('may not be nested deeper than what reads them can go', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const deep = `{"match":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    expect(await call(gateway, 'PUT', '/routes/deep', deep)).toMatchObject({ status: 400 });
    expect(await call(gateway, 'PATCH', '/routes/fixed', deep)).toMatchObject({ status: 400 });
  });

  test('refuse what the whole would refuse, and what is not there', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    const before = gateway.read();
    for (const [method, path, body, status] of [
      ['PUT', '/routes/x', { match: {}, service: 'nobody' }, 422],
      ['PUT', '/routes/x', { match: {}, colour: 1 }, 422],
      ['PUT', '/routes/x', { name: 'y', match: {} }, 400],
      ['PUT', '/routes/x', [], 400],
      ['PUT', '/routes/bad%20name', { match: {}, respond: { status: 204 } }, 422],
      ['PUT', '/routes/%ff', {}, 400],
      ['PATCH', '/routes/none', {}, 404],
      ['PATCH', '/routes/fixed', { respond: null }, 422],
      ['PATCH', '/routes/fixed', { name: 'users' }, 422],
      ['DELETE', '/routes/none', undefined, 404],
      ['GET', '/routes/none', undefined, 404],
      ['DELETE', '/services/users', undefined, 409],
      ['PUT', '/services/new', { endpoints: ['ftp://x'] }, 422],
      ['PUT', '/services/users/endpoints/127.0.0.1:1', { url: 'http://127.0.0.1:2' }, 400],
      ['PUT', '/services/none/endpoints/127.0.0.1:1', {}, 404],
      ['PATCH', '/services/users/endpoints/127.0.0.1:1', {}, 404],
      ['DELETE', '/services/users/endpoints/127.0.0.1:9', undefined, 422],
    ] as const) {
      expect([method, path, (await call(gateway, method, path, body)).status]).toEqual([method, path, status]);
    }
    expect([gateway.read(), gateway.server.generation]).toEqual([before, 1]);
  });

  test('have endpoints, which drain and come back', async () => {
    const [one, two] = [await origin('one'), await origin('two')];
    const gateway = await startManagedTest(config([one]));
    const id = new URL(two).host;
    const who = async () => new Set([await ask(gateway, '/users'), await ask(gateway, '/users')]);
    expect(await call(gateway, 'PUT', `/services/users/endpoints/${id}`, { url: two })).toMatchObject({ status: 201 });
    expect(await who()).toEqual(new Set(['200 one', '200 two']));
    expect(await call(gateway, 'POST', `/services/users/endpoints/${id}/drain`)).toMatchObject({ status: 200 });
    expect(await who()).toEqual(new Set(['200 one']));
    expect(await call(gateway, 'GET', `/services/users/endpoints/${id}`)).toMatchObject({
      status: 200,
      body: { id, url: two, drain: true, registered: false, healthy: true, weight: 1 },
    });
    expect(await call(gateway, 'POST', `/services/users/endpoints/${id}/enable`)).toMatchObject({ status: 200 });
    expect(await who()).toEqual(new Set(['200 one', '200 two']));
    expect(await call(gateway, 'PATCH', `/services/users/endpoints/${id}`, { weight: 5 })).toMatchObject({
      status: 200,
    });
    expect(await call(gateway, 'DELETE', `/services/users/endpoints/${id}`)).toMatchObject({ status: 204 });
    expect(await who()).toEqual(new Set(['200 one']));
  });
});

describe('registration', () => {
  test('adds an endpoint beside the file, until it is taken out', async () => {
    const [one, two] = [await origin('one'), await origin('two')];
    const gateway = await startManagedTest(config([one]));
    const before = gateway.read();
    const id = new URL(two).host;
    expect(await call(gateway, 'POST', '/services/users/endpoints', { url: two, ttl: '1h' })).toMatchObject({
      status: 201,
      body: { id, url: two, weight: 1, ttl: 3_600_000 },
    });
    const who = async () => new Set([await ask(gateway, '/users'), await ask(gateway, '/users')]);
    expect(await who()).toEqual(new Set(['200 one', '200 two']));
    expect(gateway.read()).toBe(before);
    expect(await call(gateway, 'PUT', `/services/users/endpoints/${id}/heartbeat`)).toMatchObject({ status: 204 });
    // A reload leaves it where it is.
    gateway.write(before.replace('body: one', 'body: two'));
    await call(gateway, 'POST', '/reload');
    expect(await who()).toEqual(new Set(['200 one', '200 two']));
    expect(await call(gateway, 'GET', '/services/users/endpoints')).toMatchObject({
      body: {
        endpoints: [
          { registered: false, ttl: null },
          { id, registered: true, ttl: 3_600_000 },
        ],
      },
    });
    expect(await call(gateway, 'POST', `/services/users/endpoints/${id}/drain`)).toMatchObject({ status: 200 });
    expect(await who()).toEqual(new Set(['200 one']));
    // What a request sets as its condition holds here too.
    const path = `/services/users/endpoints/${id}`;
    expect(await call(gateway, 'DELETE', `${path}?dryRun=true`)).toMatchObject({ status: 200, body: { changes: [] } });
    for (const [method, at] of [
      ['DELETE', path],
      ['POST', `${path}/enable`],
    ])
      expect((await call(gateway, method, at, undefined, { 'if-match': '"other"' })).status).toBe(412);
    expect(await call(gateway, 'GET', path)).toMatchObject({ status: 200, body: { drain: true } });
    expect(await call(gateway, 'DELETE', path)).toMatchObject({ status: 204 });
    expect(await call(gateway, 'PUT', `/services/users/endpoints/${id}/heartbeat`)).toMatchObject({ status: 404 });
    expect(await who()).toEqual(new Set(['200 one']));
  });

  test('is refused by a gateway that stops', async () => {
    const gateway = await startManagedTest(config([NOBODY]));
    await call(gateway, 'POST', '/services/users/endpoints', { url: 'http://127.0.0.1:8' });
    const answers: Promise<Reply>[] = [];
    await gateway.control.hold(async () => {
      answers.push(
        call(gateway, 'POST', '/services/users/endpoints', { url: 'http://127.0.0.1:7' }),
        call(gateway, 'DELETE', '/services/users/endpoints/127.0.0.1:8'),
      );
      await expect.poll(() => gateway.registry.leases.map(({ url }) => url)).toEqual(['http://127.0.0.1:7']);
      void gateway.server.retire();
    });
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([409, 409]);
  });

  test('lapses without a heartbeat', async () => {
    const [one, two] = [await origin('one'), await origin('two')];
    const gateway = await startManagedTest(config([one]));
    const { body } = await call(gateway, 'POST', '/services/users/endpoints', { url: two, ttl: '100ms' });
    await expect
      .poll(async () => (await call(gateway, 'PUT', `/services/users/endpoints/${body.id}/heartbeat`)).status, {
        interval: 150,
      })
      .toBe(404);
    const { body: list } = await call(gateway, 'GET', '/services/users/endpoints');
    expect(list.endpoints).toHaveLength(1);
  });

  test('is all that a service of registered endpoints has', async () => {
    const one = await origin('one');
    const text = config([])
      .replace('endpoints: []', 'registration: true\n    endpoints: []')
      .replace(', writes: true', '');
    const gateway = await startManagedTest(text);
    expect((await ask(gateway, '/users')).slice(0, 3)).toBe('503');
    expect(await call(gateway, 'POST', '/services/users/endpoints', { url: one })).toMatchObject({ status: 201 });
    expect(await ask(gateway, '/users')).toBe('200 one');
  });

  test.each([
    ['a URL with a path', { url: 'http://a/b' }],
    ['no URL', {}],
    ['another scheme', { url: 'ftp://a' }],
    ['a ttl without a unit', { url: 'http://a', ttl: '30' }],
    ['a ttl of years', { url: 'http://a', ttl: '900d' }],
    ['a weight of nothing', { url: 'http://a', weight: 0 }],
    ['an unknown key', { url: 'http://a', color: 1 }],
  ])('refuses %s', async (_, body) => {
    const gateway = await startManagedTest(config([NOBODY]));
    expect(await call(gateway, 'POST', '/services/users/endpoints', body)).toMatchObject({ status: 400 });
    expect((await call(gateway, 'POST', '/services/none/endpoints', { url: 'http://a' })).status).toBe(404);
    expect(gateway.server.generation).toBe(1);
  });
});

test('POST /drain begins what a signal begins', async () => {
  let drained = 0;
  const gateway = await startManagedTest(config([NOBODY]), { drain: () => drained++ });
  expect(await call(gateway, 'POST', '/drain')).toMatchObject({ status: 202, body: { state: 'draining' } });
  expect(drained).toBe(1);
});

describe('of a large file one part', () => {
  const many = Array.from(
    { length: 600 },
    (_, i) => `  - name: r${i}   # ${i}\n    match: { path: /r${i} }\n    respond: { status: 204 }\n`,
  ).join('');

  test('changes, comes and goes, and all other lines stay', async () => {
    const gateway = await startManagedTest(config([NOBODY], many));
    const edits: [string, string, unknown, number, (text: string) => string][] = [
      [
        'PATCH',
        '/routes/r300',
        { respond: { status: 418 } },
        200,
        (text) => text.replace(/(r300 }\n {4}respond: { status: )204/, '$1418'),
      ],
      [
        'PUT',
        '/routes/new',
        { match: { path: '/new' }, respond: { status: 202 } },
        201,
        (text) => `${text}  - match:\n      path: /new\n    respond:\n      status: 202\n    name: new\n`,
      ],
      ['DELETE', '/routes/r0', undefined, 204, (text) => text.replace(/ {2}- name: r0 .*\n.*\n.*\n/, '')],
      [
        'PATCH',
        '/services/users',
        { passive: { failures: 3 } },
        200,
        (text) => text.replace('failures: 0', 'failures: 3'),
      ],
      [
        'PUT',
        '/services/users/endpoints/127.0.0.1:8',
        {},
        201,
        (text) => text.replace(`[${NOBODY}]`, `[ ${NOBODY}, { url: http://127.0.0.1:8 } ]`),
      ],
    ];
    for (const [method, path, body, status, change] of edits) {
      const before = gateway.read();
      const answer = await call(gateway, method, path, body);
      expect([answer.status, answer.text]).toEqual([status, expect.any(String)]);
      expect(gateway.read().split('\n')).toEqual(change(before).split('\n'));
      expect(gateway.read()).not.toBe(before);
    }
    for (const [path, status] of [
      ['/r300', 418],
      ['/new', 202],
      ['/r0', 404],
      ['/r1', 204],
    ] as const) {
      expect((await exchange(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)).status).toBe(status);
    }
    expect((await call(gateway, 'GET', '/routes/r300')).body).toMatchObject({ respond: { status: 418 } });
    expect((await call(gateway, 'GET', '/routes/r0')).status).toBe(404);
    expect((await call(gateway, 'PATCH', '/routes/r0', {})).status).toBe(404);
    const conflict = await call(gateway, 'DELETE', '/services/users');
    expect([conflict.status, conflict.text]).toEqual([409, expect.stringContaining('used by')]);
    const invalid = await call(gateway, 'PATCH', '/routes/r1', { service: 'none' });
    expect(invalid.status).toBe(422);
    const { routes } = (await call(gateway, 'GET', '/routes')).body as { routes: { name: string }[] };
    expect([routes.length, routes[2].name, routes[601].name]).toEqual([602, 'r1', 'new']);
  });
});
