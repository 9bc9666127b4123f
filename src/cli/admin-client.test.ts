/** Where commands find a gateway and its token, and what they say of what answers there. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../test/support/command.ts';
import { sourceWith } from '../admin/admin.test.support.ts';
import { type Admin, createAdmin } from '../admin/server.ts';
import { silentLogger } from '../base/logger.ts';
import { ADMIN_OPTIONS, type AdminClient, adminClient, refusalOf, TOKEN_VARIABLE } from './admin-client.ts';
import { type Command, parseCommandArgs } from './command.ts';

const TOKEN = 'a-token-of-sixteen-characters';
const directory = mkdtempSync(join(tmpdir(), 'portico-admin-client-'));
const admins: Admin[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let ready = true;
const source = sourceWith({
  ready: () => ready,
  status: () => ({ pid: 1, generation: 3, state: 'running', listeners: [], workers: [], routes: [], services: [] }),
  health: () => ({ status: 'healthy', total: 0, failed: 0, successRate: 100 }),
});

/** A real admin listener; answers its port. */
async function startAdmin(token?: string): Promise<number> {
  ready = true;
  const admin = createAdmin({ address: { host: '127.0.0.1', port: 0 }, token, source, logger: silentLogger });
  admins.push(admin);
  return (await admin.listen()).port;
}

/** Something else on a port: it writes `text` to whoever connects and keeps the connection. */
async function startOther(text: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (text !== '') socket.end(text);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const port = await startOther('');
  const server = servers.pop() as Server;
  server.close();
  await once(server, 'close');
  return port;
}

const command: Command = { name: 'ask', summary: '', usage: '', options: ADMIN_OPTIONS, run: () => Promise.resolve(0) };

function clientOf(line: string, env: NodeJS.ProcessEnv = {}, cwd = directory): Promise<AdminClient> {
  const io = { out: () => {}, error: () => {}, env, cwd };
  return adminClient(command, parseCommandArgs(command, line === '' ? [] : line.split(' ')), io);
}

function write(name: string, text: string): void {
  writeFileSync(join(directory, name), text);
}

describe('where the gateway is asked', () => {
  test.each([
    ['', 'http://127.0.0.1:9901'],
    ['--admin http://127.0.0.1:1234', 'http://127.0.0.1:1234'],
    ['--admin http://127.0.0.1:1234/', 'http://127.0.0.1:1234'],
    ['--admin 127.0.0.1:1234', 'http://127.0.0.1:1234'],
    ['--admin localhost:1234', 'http://localhost:1234'],
    ['--admin https://gateway.internal/admin/', 'https://gateway.internal/admin'],
    ['--admin http://[::1]:1234', 'http://[::1]:1234'],
  ])('"%s": %s', async (line, base) => {
    expect((await clientOf(line)).base).toBe(base);
  });

  const rest = 'version: 1\nlisteners: [{ name: l, address: 127.0.0.1:0 }]\n';
  test.each([
    ['without admin', rest, 'http://127.0.0.1:9901'],
    ['with an address', `${rest}admin: { address: 127.0.0.1:7000 }`, 'http://127.0.0.1:7000'],
    ['with a name', `${rest}admin: { address: gw.internal:7000, token: ${TOKEN} }`, 'http://gw.internal:7000'],
    ['on every interface', `${rest}admin: { address: ":7000", token: ${TOKEN} }`, 'http://127.0.0.1:7000'],
    ['on every IPv4 interface', `${rest}admin: { address: 0.0.0.0:7000, token: ${TOKEN} }`, 'http://127.0.0.1:7000'],
    ['on every IPv6 interface', `${rest}admin: { address: "[::]:7000", token: ${TOKEN} }`, 'http://[::1]:7000'],
    [
      'with a broken route',
      `${rest}admin: { address: 127.0.0.1:7000 }\nroutes: [{ nmae: a }]`,
      'http://127.0.0.1:7000',
    ],
    [
      'whose token cannot be read',
      `${rest}admin: { address: 127.0.0.1:7000, token: "\${file:gone}" }`,
      'http://127.0.0.1:7000',
    ],
  ])('a file %s', async (_, text, base) => {
    write('admin.yaml', text);
    expect((await clientOf('-c admin.yaml')).base).toBe(base);
  });

  test.each([
    ['turns it off', `${rest}admin: false`, 'turns the admin listener off'],
    ['takes a free port', `${rest}admin: { address: 127.0.0.1:0 }`, 'give the one of the start line with --admin'],
    ['is no YAML', 'version: [', 'does not say where the admin listener is'],
  ])('a file that %s says nothing, and the error says why', async (_, text, said) => {
    write('mute.yaml', text);
    await expect(clientOf('-c mute.yaml')).rejects.toThrow(said);
  });

  test('a file that is named and not there is an error, not the default', async () => {
    await expect(clientOf('-c gone.yaml')).rejects.toThrow('gone.yaml does not say where the admin listener is');
  });

  test('--admin goes before the file, which is not even read', async () => {
    expect((await clientOf('-c gone.yaml --admin 127.0.0.1:1')).base).toBe('http://127.0.0.1:1');
  });

  test.each([
    ['--admin http://', 'is not a URL'],
    ['--admin ftp://127.0.0.1', 'must begin with http'],
    ['--admin http://user:secret@127.0.0.1', 'takes no user'],
    ['--admin http://127.0.0.1/?a=b', 'takes no query'],
    ['--timeout 5', '--timeout needs a unit'],
    ['--timeout 0s', '--timeout must be longer'],
  ])('%s is refused without showing it', async (line, said) => {
    const refused = expect(clientOf(line)).rejects;
    await refused.toThrow(said);
    await refused.not.toThrow('secret');
  });
});

describe('the token', () => {
  test.each([
    [undefined, 401, `a token is needed: put it into ${TOKEN_VARIABLE}`],
    ['', 401, `a token is needed: put it into ${TOKEN_VARIABLE}`],
    ['another', 401, `the token in ${TOKEN_VARIABLE} is wrong`],
    [TOKEN, 200, 'answered 200'],
  ])('%j gets %i', async (token, status, said) => {
    const port = await startAdmin(TOKEN);
    const answer = await (await clientOf(`--admin 127.0.0.1:${port}`, { [TOKEN_VARIABLE]: token })).ask(
      'GET',
      '/status',
    );
    expect(answer.status).toBe(status);
    expect(refusalOf(answer)).toBe(said);
    if (status === 200) expect(JSON.parse(answer.body)).toMatchObject({ generation: 3 });
  });

  test('that no header can carry is refused without showing it', async () => {
    const refused = expect(clientOf('', { [TOKEN_VARIABLE]: 'sec\nret' })).rejects;
    await refused.toThrow(`${TOKEN_VARIABLE} is no token`);
    await refused.not.toThrow(/sec\nret/);
  });

  test('is not sent where none is asked for', async () => {
    const port = await startAdmin(TOKEN);
    const client = await clientOf(`--admin 127.0.0.1:${port}`, { [TOKEN_VARIABLE]: TOKEN });
    expect((await client.ask('GET', '/livez', { open: true })).withToken).toBe(false);
    expect((await client.ask('GET', '/status', { open: true })).status).toBe(401);
  });
});

describe('answers', () => {
  test('a refusal is told in the words of the gateway', async () => {
    const client = await clientOf(`--admin 127.0.0.1:${await startAdmin()}`);
    const answer = await client.ask('PUT', '/metrics', { body: '{}', headers: { 'content-type': 'application/json' } });
    expect(answer.headers.allow).toBe('GET, HEAD');
    expect(refusalOf(answer)).toBe('answered 405 method_not_allowed: This admin route does not know the method.');
  });

  test.each([
    ['nothing', null, 'nothing listens there'],
    ['who hangs', '', 'no answer within 100ms'],
    ['who never ends', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf', 'the connection was cut'],
    ['who speaks something else', 'SSH-2.0-OpenSSH_9.2\r\n', 'what answers there does not speak HTTP'],
  ])('%s is no gateway', async (_, text, why) => {
    const port = text === null ? await freePort() : await startOther(text);
    const client = await clientOf(`--admin 127.0.0.1:${port} --timeout 100ms`);
    await expect(client.ask('GET', '/readyz')).rejects.toThrow(`no gateway at http://127.0.0.1:${port}/readyz: ${why}`);
  });
});

describe('portico health', () => {
  const health = (line: string) => runCommand(['health', ...line.split(' ')], { cwd: directory });

  test.each([
    ['', true, 0, 'ready\n', ''],
    ['', false, 1, '', 'portico: not ready\n'],
    ['--live', true, 0, 'alive\n', ''],
    ['--live', false, 0, 'alive\n', ''],
  ])('%s of a gateway that is ready: %s, exits %i', async (option, isReady, status, out, error) => {
    const port = await startAdmin(TOKEN);
    ready = isReady;
    expect(await health(`--admin 127.0.0.1:${port} ${option}`.trim())).toEqual({ status, out, error });
    const url = `http://127.0.0.1:${port}${option === '' ? '/readyz' : '/livez'}`;
    const told = await health(`--json --admin 127.0.0.1:${port} ${option}`.trim());
    const message = (out || error).replace('portico: ', '').trim();
    const code = status === 0 ? 200 : 503;
    expect(JSON.parse(told.out)).toEqual({ ok: status === 0, url, status: code, message });
    expect(told.status).toBe(status);
  });

  test('finds the gateway by its file', async () => {
    const port = await startAdmin(TOKEN);
    write(
      'found.yaml',
      `version: 1\nlisteners: [{ name: l, address: 127.0.0.1:0 }]\nadmin: { address: "0.0.0.0:${port}", token: "\${env.GONE}" }\n`,
    );
    expect(await health('-c found.yaml')).toEqual({ status: 0, out: 'ready\n', error: '' });
  });

  test('exits 1 when nobody is there, and says so in JSON too', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const message = `no gateway at ${url}/readyz: nothing listens there`;
    expect(await health(`--admin ${url}`)).toEqual({ status: 1, out: '', error: `portico: ${message}\n` });
    const told = await health(`--admin ${url} --json`);
    expect(told.status).toBe(1);
    expect(JSON.parse(told.out)).toEqual({ ok: false, url: `${url}/readyz`, status: null, message });
  });

  test('exits 1 when something else answers', async () => {
    const port = await startOther('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    expect(await health(`--admin 127.0.0.1:${port}`)).toMatchObject({ status: 1, error: 'portico: answered 404\n' });
  });

  test('exits 2 for an address that is none', async () => {
    expect(await health('--admin http://')).toMatchObject({ status: 2, out: '' });
  });
});
