/** An upgrade as people do it: SIGUSR2 to a running gateway, whose successor goes on with its addresses. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { exchange, headerOf, rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';

const PORTICO = fileURLToPath(new URL('../../bin/portico.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'portico-upgrade-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

const ended: (() => void)[] = [];
afterEach(() => {
  for (const end of ended.splice(0)) end();
});

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function write(workers: number, body: string): string {
  const file = join(directory, `workers-${workers}.yaml`);
  writeFileSync(
    file,
    `version: 1
workers: ${workers}
listeners: [{ name: public, address: 127.0.0.1:0 }]
admin: { address: 127.0.0.1:0, writes: true }
shutdown: { drain: 0ms, timeout: 5s }
logging: { access: false }
routes: [{ name: all, match: { pathPrefix: / }, respond: { status: 200, body: ${body} } }]
`,
  );
  return file;
}

async function start(file: string) {
  const child: ChildProcess = spawn(process.execPath, [PORTICO, 'start', '-c', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout?.on('data', (bytes) => {
    out += bytes;
  });
  const addressOf = (listener: string): string | undefined =>
    new RegExp(`"msg":"listening","listener":"${listener}","address":"([^"]+)"`).exec(out)?.[1];
  await expect.poll(() => addressOf('admin')).toBeDefined();
  const admin = `http://${addressOf('admin')}`;
  const status = async (): Promise<{ pid: number }> =>
    (await (await fetch(`${admin}/status`, { headers: { connection: 'close' } })).json()) as { pid: number };
  let leader = (await status()).pid;
  ended.push(() => {
    child.kill('SIGKILL');
    try {
      process.kill(leader, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  const succeeded = async (): Promise<number> => {
    const before = leader;
    process.kill(leader, 'SIGUSR2');
    await expect.poll(async () => (leader = (await status()).pid)).not.toBe(before);
    return leader;
  };
  return { child, port: Number(addressOf('public')?.split(':')[1]), admin, status, succeeded, out: () => out };
}

async function bodyOf(port: number): Promise<string> {
  return (await exchange(port, GET)).body.toString();
}

/** Where an address is shared the predecessor may answer those that come in the moment it leaves. No request may fail. */
async function untilBody(port: number, body: string): Promise<void> {
  while ((await bodyOf(port)) !== body);
}

describe.each([1, 2])('a gateway of %i processes', (workers) => {
  test('is upgraded, and its successor too, on the same addresses and without a lost request', async () => {
    const { child, port, succeeded } = await start(write(workers, 'one'));
    const standing = await rawClient(port);
    await standing.send(GET);
    expect((await standing.answer()).body.toString()).toBe('one');
    const exit = once(child, 'exit');
    write(workers, 'two');
    await succeeded();
    await untilBody(port, 'two');
    expect(await exit).toEqual([0, null]);
    // What stood there was not cut in the middle of anything.
    expect(standing.unread).toHaveLength(0);
    expect(standing.ended).toBe('end');
    standing.close();
    write(workers, 'three');
    const leader = await succeeded();
    await untilBody(port, 'three');
    process.kill(leader, 'SIGTERM');
    await expect.poll(() => bodyOf(port).catch(() => 'gone')).toBe('gone');
  });

  test('knows the cookies that its predecessor signed', async () => {
    const origins = await Promise.all([startOrigin(), startOrigin()]);
    ended.push(() => void origins.map((origin) => origin.close()));
    const file = write(workers, 'one');
    const service = `{ name: s, endpoints: [${origins.map(({ url }) => url).join(', ')}], loadBalancing: { sticky: { cookie: sid } } }`;
    writeFileSync(
      file,
      `${readFileSync(file, 'utf8').replace(/routes: .*/, '')}services: [${service}]\nroutes: [{ name: all, match: {}, service: s }]\n`,
    );
    const { port, succeeded } = await start(file);
    const cookieAfter = async (cookie: string): Promise<string> => {
      const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\n\r\n`);
      return headerOf(answer, 'set-cookie')?.split(';')[0] ?? 'none';
    };
    const sid = await cookieAfter('a=1');
    expect(sid).toMatch(/^sid=[\w-]{60}$/);
    const leader = await succeeded();
    for (let i = 0; i < 4; i++) expect(await cookieAfter(sid)).toBe('none');
    expect(await cookieAfter('a=1')).not.toBe('none');
    process.kill(leader, 'SIGTERM');
  });

  test('resumes the TLS sessions of its predecessor', async () => {
    const file = write(workers, 'one');
    const { cert, key } = createAuthority().issue({ names: ['a.test'] });
    writeFileSync(join(directory, 'a.crt'), cert);
    writeFileSync(join(directory, 'a.key'), key);
    const tls = 'tls: { certificates: [{ certFile: a.crt, keyFile: a.key }] }';
    writeFileSync(file, readFileSync(file, 'utf8').replace('name: public,', `name: public, ${tls},`));
    const { port, succeeded } = await start(file);
    const visit = async (session?: Buffer): Promise<{ resumed: boolean; session: Buffer }> => {
      const socket = connect({ port, rejectUnauthorized: false, ...(session === undefined ? {} : { session }) });
      ended.push(() => socket.destroy());
      const told = session === undefined ? once(socket.resume(), 'session') : [session];
      await once(socket, 'secureConnect');
      return { resumed: socket.isSessionReused(), session: (await told)[0] as Buffer };
    };
    const { session } = await visit();
    const leader = await succeeded();
    for (let i = 0; i < 4; i++) expect((await visit(session)).resumed).toBe(true);
    process.kill(leader, 'SIGTERM');
  });

  test('takes no change that its successor would not know of', async () => {
    const file = write(workers, 'one');
    const { port, status, admin, out, succeeded } = await start(file);
    const { pid } = await status();
    const done = succeeded();
    await expect.poll(out).toContain('a successor is started');
    const answer = await fetch(`${admin}/routes/all`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: '{ "respond": { "body": "lost" } }',
    });
    const leader = await done;
    expect([answer.status, leader === pid]).toEqual([409, false]);
    expect([await bodyOf(port), readFileSync(file, 'utf8').includes('lost')]).toEqual(['one', false]);
    process.kill(leader, 'SIGTERM');
  });

  test('stays when the file on disk does not let its successor start, and says so', async () => {
    const file = write(workers, 'one');
    const { port, admin, status, succeeded, out } = await start(file);
    const { pid } = await status();
    writeFileSync(file, 'version: 2\n');
    process.kill(pid, 'SIGUSR2');
    await expect.poll(out).toContain('the upgrade failed; the running gateway stays');
    expect(out()).toMatch(/the file has errors\\n.+\.yaml:1:10: error \w+: /);
    expect([await bodyOf(port), (await status()).pid]).toEqual(['one', pid]);
    // It has the open addresses by now, and gives them back at once.
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port: other } = taken.address() as AddressInfo;
    const listeners = `listeners: [{ name: other, address: 127.0.0.1:${other} }, `;
    writeFileSync(file, readFileSync(write(workers, 'one'), 'utf8').replace('listeners: [', listeners));
    const refused = await fetch(`${admin}/upgrade`, { method: 'POST', headers: { connection: 'close' } });
    expect([refused.status, await refused.json()]).toEqual([
      409,
      expect.objectContaining({ detail: expect.stringMatching(/^The upgrade failed: could not start: .*EADDRINUSE/) }),
    ]);
    taken.close();
    expect([await bodyOf(port), (await status()).pid]).toEqual(['one', pid]);
    write(workers, 'two');
    const leader = await succeeded();
    await untilBody(port, 'two');
    process.kill(leader, 'SIGTERM');
  });

  test('is upgraded and stopped by commands, too', async () => {
    const file = write(workers, 'one');
    const { child, port, admin, status, out } = await start(file);
    const portico = async (...args: string[]): Promise<[number | null, string]> => {
      const command = spawn(process.execPath, [PORTICO, ...args, '--admin', admin], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      for (const stream of [command.stdout, command.stderr]) stream.on('data', (bytes) => (said += bytes));
      const [code] = await once(command, 'close');
      return [code, said];
    };
    writeFileSync(file, 'version: 2\n');
    expect(await portico('upgrade')).toEqual([
      1,
      expect.stringContaining('409 conflict: The upgrade failed: the file has errors'),
    ]);
    write(workers, 'two');
    const exit = once(child, 'exit');
    expect(await portico('upgrade')).toEqual([0, expect.stringMatching(/^upgraded: process \d+ serves\n$/)]);
    expect(await exit).toEqual([0, null]);
    await untilBody(port, 'two');
    expect(await portico('status')).toEqual([0, expect.stringContaining(`running, process ${(await status()).pid}, `)]);
    expect(await portico('drain')).toEqual([0, 'draining\n']);
    await expect.poll(() => bodyOf(port).catch(() => 'gone')).toBe('gone');
    await expect.poll(out).toMatch(/"msg":"draining","signal":"api"[\s\S]*"msg":"stopped","cut_requests":0/);
  });
});
