/** The command line as people run it: a child process, its output, its exit status, its signals. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { type Origin, startOrigin } from '../support/raw-origin.ts';

const PORTICO = fileURLToPath(new URL('../../bin/portico.js', import.meta.url));
const QUICKSTART = fileURLToPath(new URL('../../examples/quickstart/portico.yaml', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'portico-cli-'));
const children: ChildProcessWithoutNullStreams[] = [];
const origins: Origin[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const origin of origins.splice(0)) await origin.close();
});
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

interface Run {
  child: ChildProcessWithoutNullStreams;
  out(): string;
  error(): string;
  /** Resolves when stdout holds the text. */
  until(text: string): Promise<void>;
  exit: Promise<number | null>;
}

function run(args: string[], env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, [PORTICO, ...args], { cwd: directory, env: { ...process.env, ...env } });
  children.push(child);
  let out = '';
  let error = '';
  const waiters = new Set<() => void>();
  child.stdout.on('data', (bytes) => {
    out += bytes;
    for (const waiter of waiters) waiter();
  });
  child.stderr.on('data', (bytes) => {
    error += bytes;
  });
  const exit = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  const until = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!out.includes(text)) return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
      void exit.then(() => reject(new Error(`ended without "${text}": ${out}${error}`)));
    });
  return { child, out: () => out, error: () => error, until, exit };
}

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const config = (url: string, header: string): string => `
version: 1
listeners: [{ name: public, address: 127.0.0.1:0 }]
admin: { address: 127.0.0.1:0 }
shutdown: { drain: 0ms, timeout: 2s }
services: [{ name: s, endpoints: [${url}] }]
routes:
  - name: all
    match: { pathPrefix: / }
    service: s
    policies: [{ responseHeaders: { set: { X-Version: ${header} } } }]
`;

describe('start', () => {
  test('listens, logs, reloads on SIGHUP and on a renamed file, refuses a broken one, and stops with 0', async () => {
    const origin = await startOrigin();
    origins.push(origin);
    const file = write('a.yaml', config(origin.url, 'one'));
    const server = run(['start', '-c', file, '--watch']);
    await server.until('"listener":"admin"');
    const [listening, adminLine] = lines(server.out());
    expect(listening).toMatchObject({ msg: 'listening', listener: 'public' });
    const base = `http://${String(listening.address)}`;
    const admin = `http://${String(adminLine.address)}`;
    expect((await fetch(`${base}/x`)).headers.get('x-version')).toBe('one');

    write('a.yaml', 'version: 1\nlistners: []\n');
    server.child.kill('SIGHUP');
    await server.until('reload refused');
    expect((await fetch(`${base}/x`)).headers.get('x-version')).toBe('one');

    renameSync(write('new.yaml', config(origin.url, 'two')), file);
    await server.until('"msg":"reloaded"');
    expect((await fetch(`${base}/x`)).headers.get('x-version')).toBe('two');
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    expect(metrics).toContain('portico_config_generation 2');
    expect(metrics).toMatch(/http_requests_total\{route="all",service="s",method="GET",status="200"\} 3/);
    const status = (await (await fetch(`${admin}/status`)).json()) as { generation: number };
    expect(status).toMatchObject({
      generation: 2,
      routes: [{ name: 'all' }],
      services: [{ name: 's', endpoints: [{ url: origin.url, healthy: true, requests: 3, failures: 0 }] }],
    });
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);

    await server.until('"msg":"access"');
    server.child.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    const all = lines(server.out());
    expect(all.filter(({ msg }) => msg === 'access')).toHaveLength(3);
    expect(all.at(-1)).toMatchObject({ msg: 'stopped', cut_requests: 0 });
  });

  test('does not outlast a stop because it waits for a pipe', async () => {
    const file = write('piped.yaml', config('http://127.0.0.1:9', 'one'));
    const server = run(['start', '-c', file]);
    await server.until('"listener":"admin"');
    rmSync(file);
    execFileSync('mkfifo', [file]);
    server.child.kill('SIGHUP');
    // Opened when the other side is: by now it waits for what does not come.
    const silent = await open(file, 'w');
    server.child.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    await silent.close();
    expect(server.out()).toContain('"msg":"stopped"');
  });

  test('starts with the last good configuration when the file is broken, if it is told to, and takes the mended one', async () => {
    const origin = await startOrigin();
    origins.push(origin);
    const state = `stateDir: ${join(directory, 'last-good')}\n`;
    const file = write('kept.yaml', `${config(origin.url, 'good')}${state}`);
    const first = run(['start', '-c', file]);
    await first.until('"listener":"admin"');
    first.child.kill('SIGTERM');
    expect(await first.exit).toBe(0);

    write('kept.yaml', `${config(origin.url, 'broken')}${state}routes: [`);
    expect(await run(['start', '-c', file]).exit).toBe(1);
    const second = run(['start', '-c', file, '--boot-last-good']);
    await second.until('"listener":"admin"');
    expect(second.out()).toContain('"level":"error","msg":"THE CONFIGURATION HAS ERRORS: the last good one runs"');
    const [base] = lines(second.out()).flatMap(({ listener, address }) =>
      listener === 'public' ? [`http://${address}`] : [],
    );
    expect((await fetch(`${base}/x`)).headers.get('x-version')).toBe('good');
    write('kept.yaml', `${config(origin.url, 'mended')}${state}`);
    second.child.kill('SIGHUP');
    await second.until('"msg":"reloaded"');
    expect((await fetch(`${base}/x`)).headers.get('x-version')).toBe('mended');
  });

  test('drained by the admin API again and then by SIGTERM it serves on; only a second signal stops it at once', async () => {
    const text = config('http://127.0.0.1:9', 'x').replace('drain: 0ms, timeout: 2s', 'drain: 60s, timeout: 90s');
    const server = run(['start', '-c', write('drained.yaml', text)]);
    await server.until('"listener":"admin"');
    const admin = `http://${String(lines(server.out())[1].address)}`;
    for (const method of ['POST', 'POST']) expect((await fetch(`${admin}/drain`, { method })).status).toBe(202);
    server.child.kill('SIGTERM');
    await server.until('draining already');
    expect((await fetch(`${admin}/livez`)).status).toBe(200);
    // One that comes right after the first is taken for the same.
    const again = setInterval(() => server.child.kill('SIGTERM'), 50);
    expect(await server.exit.finally(() => clearInterval(again))).toBe(1);
    expect(lines(server.out()).at(-1)).toMatchObject({ msg: 'stopped at once, by a second signal', signal: 'SIGTERM' });
  });

  test('says all that is wrong with a file, with places, and exits 1', async () => {
    const file = write('bad.yaml', 'version: 1\nlistners: []\nservices:\n  - name: a\n    endpoints: [ftp://x]\n');
    const server = run(['start', '-c', file]);
    expect(await server.exit).toBe(1);
    expect(server.error()).toMatch(/bad\.yaml:2:1: error \w+: .*listners.*listeners/);
    expect(server.error()).toMatch(/bad\.yaml:5:\d+: error/);
    const checked = run(['check', file]);
    expect(await checked.exit).toBe(1);
    const places = (text: string): string[] =>
      [...text.matchAll(/:(\d+:\d+): error (\w+)/g)].map(([, place, code]) => `${place} ${code}`);
    expect(places(checked.out())).toEqual(places(server.error()));
  });

  test('exits 1 when the address is taken', async () => {
    const origin = await startOrigin();
    origins.push(origin);
    const server = run([
      'start',
      '-c',
      write('taken.yaml', config(origin.url, 'x').replace('127.0.0.1:0', `127.0.0.1:${origin.port}`)),
    ]);
    expect(await server.exit).toBe(1);
    expect(server.error()).toContain('EADDRINUSE');
  });

  test('loads a TypeScript file', async () => {
    const file = write(
      'portico.config.ts',
      `import { defineGateway } from 'portico/config';
      const port: number = 0;
      export default defineGateway({
        version: 1,
        listeners: [{ name: 'ts', address: \`127.0.0.1:\${port}\` }],
        admin: false,
        routes: [{ name: 'hi', match: { path: '/hi' }, respond: { status: 200, body: 'typed' } }],
      });`,
    );
    const server = run(['start', '-c', file]);
    await server.until('"listener":"ts"');
    const response = await fetch(`http://${String(lines(server.out())[0].address)}/hi`);
    expect(await response.text()).toBe('typed');
  });
});

describe('the other commands', () => {
  test('check finds nothing in the quickstart and in what init writes', async () => {
    const init = run(['init', 'fresh']);
    expect(await init.exit).toBe(0);
    const check = run(['check', QUICKSTART, 'fresh/portico.yaml', '--json']);
    expect(await check.exit).toBe(0);
    expect(JSON.parse(check.out())).toEqual({ findings: [] });
    const again = run(['init', 'fresh']);
    expect(await again.exit).toBe(1);
    expect(again.error()).toContain('is there already');
  });

  test('check warns of routes that cannot be reached, and still exits 0', async () => {
    const file = write(
      'shadow.yaml',
      `version: 1
listeners: [{ name: l, address: 127.0.0.1:0 }]
routes:
  - { name: first, match: { path: /a }, respond: { status: 200 } }
  - { name: second, match: { path: /a }, respond: { status: 201 } }
`,
    );
    const check = run(['check', file]);
    expect(await check.exit).toBe(0);
    expect(check.out()).toMatch(/shadow\.yaml:5:\d+: warning unreachable_route: .*second/);
  });

  test('explain tells the route, the others, and the request as it would be sent', async () => {
    const explain = run([
      'explain',
      'GET',
      'http://shop.example/api/orders/1?a=b',
      '-H',
      'x-a: 1',
      '-c',
      QUICKSTART,
      '--json',
    ]);
    expect(await explain.exit).toBe(0);
    const told = JSON.parse(explain.out());
    expect(told).toMatchObject({
      route: 'orders',
      service: 'orders',
      policies: [{ name: 'responseHeaders', phase: 'answer', effect: 'sets X-Served-By: portico' }],
      request: {
        method: 'GET',
        url: 'http://127.0.0.1:9003/orders/1?a=b',
        headers: { host: 'shop.example', 'x-a': '1' },
      },
    });
    expect(told.candidates).toContainEqual({ route: 'hello', matched: false, reason: 'path is not /hello' });
    const none = run(['explain', 'GET', '/nowhere', '-c', QUICKSTART, '--json']);
    expect(await none.exit).toBe(1);
    expect(JSON.parse(none.out())).toMatchObject({ route: null, answer: { status: 404, code: 'route_not_found' } });
  });

  test('explain tells which route takes a connection, and exits 1 where none does', async () => {
    const file = write(
      'raw.yaml',
      `version: 1
listeners:
  - { name: mail, address: "127.0.0.1:0", mode: tcp }
  - { name: secure, address: "127.0.0.1:0", mode: tls-passthrough }
services: [{ name: db, endpoints: ["tcp://127.0.0.1:9"], proxyProtocol: v2 }]
routes:
  - { name: db, match: { sni: [db.example.com] }, service: db }
  - { name: mail, match: { listeners: [mail] }, service: db }
`,
    );
    const db = run(['explain', '--listener', 'secure', '--sni', 'DB.example.com', '-c', file]);
    expect(await db.exit).toBe(0);
    expect(db.out()).toBe(`connection: TLS at secure for db.example.com; the endpoint gets a PROXY header, v2
route: db
  db: chosen
  not mail: listener is not mail
service: db
  -> tcp://127.0.0.1:9 (weight 1)
`);
    const none = run(['explain', '--sni', 'other.example.com', '-c', file]);
    expect(await none.exit).toBe(1);
    expect(none.out()).toMatch(/^route: none$[\s\S]*^reset by the gateway: route_not_found$/m);
    const mail = run(['explain', '--listener', 'mail', '-c', file, '--json']);
    expect(await mail.exit).toBe(0);
    expect(JSON.parse(mail.out())).toMatchObject({ route: 'mail', connection: { protocol: 'TCP', error: null } });
    const wrong = run(['explain', '--listener', 'mail', '--sni', 'a', '-c', file]);
    expect(await wrong.exit).toBe(1);
    expect(wrong.error()).toBe('portico: --sni: mail is of mode tcp, and reads no server name\n');
  });

  test('plan tells by its exit status whether two files differ, and with --json says nothing else on stdout', async () => {
    const old = write('plan-old.yaml', config('http://127.0.0.1:9', 'one'));
    const same = run(['plan', old, old]);
    expect([await same.exit, same.out()]).toEqual([0, 'nothing differs\n']);
    const changed = run(['plan', old, write('plan-new.yaml', config('http://127.0.0.1:10', 'one')), '--json']);
    expect(await changed.exit).toBe(2);
    expect(JSON.parse(changed.out())).toMatchObject({
      changes: [
        { code: 'endpoint_removed', service: 's' },
        { code: 'endpoint_added', service: 's' },
      ],
      summary: { added: 1, removed: 1, changed: 0 },
    });
    const refused = run(['plan', old, write('plan-bad.yaml', 'version: 1\nlistners: []\n'), '--json']);
    expect([await refused.exit, refused.out()]).toEqual([1, '']);
    expect(refused.error()).toMatch(/plan-bad\.yaml:2:1: error unknown_key: .*listeners/);
  });

  test('routes prints the table in the order of precedence', async () => {
    const routes = run(['routes', '-c', QUICKSTART, '--json']);
    expect(await routes.exit).toBe(0);
    const { routes: rows } = JSON.parse(routes.out()) as { routes: { route: string }[] };
    expect(rows.map(({ route }) => route)).toEqual(['hello', 'user-by-id', 'orders']);
  });

  test('version, help, and commands that do not exist', async () => {
    const version = run(['version']);
    expect(await version.exit).toBe(0);
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(version.out()).toBe(`portico ${manifest.version}\nnode ${process.versions.node}\n`);
    const help = run(['explain', '--help']);
    expect(await help.exit).toBe(0);
    expect(help.out()).toContain('--json');
    const wrong = run(['strat']);
    expect(await wrong.exit).toBe(2);
    expect(wrong.error()).toContain('did you mean "start"');
    const option = run(['start', '--wach']);
    expect(await option.exit).toBe(2);
    expect(option.error()).toContain('start has no option "--wach"; did you mean "--watch"?');
  });

  test('demo answers the lines that it prints', async () => {
    const demo = run(['demo', '--address', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
    await demo.until('Ctrl-C');
    const urls = [...demo.out().matchAll(/curl .*?(http:\/\/\S+)/g)].map(([, url]) => url);
    const statuses = await Promise.all(urls.map(async (url) => (await fetch(url)).status));
    expect(statuses).toEqual([200, 200, 200, 418, 200, 404, 200, 200]);
    const admin = new URL(urls[urls.length - 1]).origin;
    const endpoints = run(['endpoints', 'users', '--admin', admin]);
    expect([await endpoints.exit, endpoints.out()]).toEqual([0, expect.stringMatching(/\n127\.0\.0\.1:\d+ +up +1 /)]);
    demo.child.kill('SIGINT');
    expect(await demo.exit).toBe(0);
  });
});

test.each(['cat', 'sleep 0.3; cat'])('check reads what a shell substitutes: <(%s FILE)', (command) => {
  const file = write('substituted.yaml', config('http://127.0.0.1:9', 'one'));
  const line = `"$1" "$2" check <(${command} "$3")`;
  const text = execFileSync('bash', ['-c', line, 'bash', process.execPath, PORTICO, file], { encoding: 'utf8' });
  expect(text).toMatch(/^\/dev\/fd\/\d+: no findings\n$/);
});
