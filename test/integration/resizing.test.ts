/** What once needed a restart: another number of workers, and another admin listener, while requests go on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { startManaged } from '../../src/cli/managed-gateway.ts';
import { type Server, serve } from '../../src/cli/serve.ts';
import type { Supervisor } from '../../src/gateway/workers/supervisor.ts';
import { configFor, configOf, configWith } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { sharingModes, startTestSupervisor } from '../support/supervisor.ts';

const opened = closedAfterEach();

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const answering = configWith({ routes: [{ name: 'r', match: {}, respond: { body: 'one' } }] });

describe.each(sharingModes())('the number of workers, with sockets %s,', (sharing) => {
  const start = async (config: object) => startTestSupervisor(opened, await configOf(config), { sharing });

  const running = async (supervisor: Supervisor): Promise<number[]> =>
    (await supervisor.status()).workers.filter(({ state }) => state === 'running').map(({ pid }) => pid);
  const pids = async (supervisor: Supervisor): Promise<number[]> =>
    (await supervisor.status()).workers.map(({ pid }) => pid);

  async function clients(port: number, count: number) {
    const all = await Promise.all(Array.from({ length: count }, () => rawClient(port)));
    opened.push(...all);
    return all;
  }

  /** Asks again and again, on one connection for as long as it stays or on a new one each time, until it is told to end. */
  async function ask(port: number, anew: boolean, goesOn: () => boolean, answers: string[]): Promise<void> {
    while (goesOn()) {
      const client = await rawClient(port);
      for (let sent = 0; goesOn() && client.ended === null; sent++) {
        await client.send(anew ? GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n') : GET);
        const outcome = await client.read();
        // An idle connection may end while the next request is on its way (RFC 9112 section 9.3.1).
        if (outcome.kind === 'closed' && sent > 0) break;
        if (outcome.kind !== 'answer') throw new Error(JSON.stringify(outcome));
        answers.push(`${outcome.answer.status} ${outcome.answer.body}`);
        if (headerOf(outcome.answer, 'connection') === 'close') break;
      }
      client.close();
    }
  }

  test('grows and shrinks, as one generation with the rest of a change, and without a failed request', async () => {
    const { supervisor, port } = await start(answering);
    const [first, second] = await running(supervisor);
    let goesOn = true;
    const answers: string[] = [];
    let comesAnew = true;
    const standing = Promise.all(Array.from({ length: 4 }, () => ask(port, false, () => goesOn, answers)));
    const anew = Promise.all(Array.from({ length: 4 }, () => ask(port, true, () => comesAnew, answers)));
    const two = { ...answering, routes: [{ name: 'r', match: {}, respond: { body: 'two' } }] };
    expect(await supervisor.apply(await configOf(two), { workers: 4 })).toBe(true);
    const grown = await running(supervisor);
    expect(grown).toHaveLength(4);
    expect(grown.slice(0, 2)).toEqual([first, second]);
    expect(supervisor.generation).toBe(2);
    // All of them are asked.
    for (const client of await clients(port, 24)) {
      await client.send(GET);
      expect((await client.answer()).body.toString()).toBe('two');
      client.close();
    }
    // Where each worker has a socket of its own, the system resets who comes in the moment in which one closes.
    if (sharing === 'reuse-port') comesAnew = false;
    if (sharing === 'reuse-port') await anew;
    expect(await supervisor.apply(await configOf(answering), { workers: 2 })).toBe(true);
    await expect.poll(() => pids(supervisor)).toEqual([first, second]);
    goesOn = comesAnew = false;
    await Promise.all([standing, anew]);
    expect([...new Set(answers)].sort()).toEqual(['200 one', '200 two']);
    expect(await supervisor.apply(await configOf(answering), { workers: 2 })).toBe(false);
  });

  test('is the number that is kept: one that ends is replaced, and one that was to go is not', async () => {
    const { supervisor } = await start(answering);
    await supervisor.apply(await configOf({ ...answering, workers: 3 }), { workers: 3 });
    process.kill((await running(supervisor))[2], 'SIGKILL');
    await expect.poll(async () => (await running(supervisor)).length).toBe(2);
    await expect.poll(async () => (await running(supervisor)).length).toBe(3);
    await supervisor.apply(await configOf({ ...answering, workers: 2 }), { workers: 2 });
    await expect.poll(async () => (await pids(supervisor)).length).toBe(2);
  });

  test('stays where the rest of the change cannot be had', async () => {
    const { supervisor, port } = await start(answering);
    const before = await pids(supervisor);
    const wrong = await configOf({ ...answering, workers: 4 });
    wrong.routes[0].policies.push({ name: 'of-nobody', options: {} });
    await expect(supervisor.apply(wrong, { workers: 4 })).rejects.toThrow('there is no such policy');
    await expect.poll(() => pids(supervisor)).toEqual(before);
    const [client] = await clients(port, 1);
    await client.send(GET);
    expect((await client.answer()).status).toBe(200);
    process.kill(before[0], 'SIGKILL');
    await expect.poll(async () => (await running(supervisor)).includes(before[0])).toBe(false);
    await expect.poll(async () => (await running(supervisor)).length).toBe(2);
  });

  test('takes the shared limits along', async () => {
    const held: (() => void)[] = [];
    const origin = await startOrigin({
      onRequest: (_request, connection) => void held.push(() => connection.write(OK)),
    });
    opened.push(origin);
    const limited = { ...configFor([origin.url]), limits: { concurrentRequests: 6 } };
    const { supervisor, port } = await start(limited);
    for (const workers of [3, 2]) {
      await supervisor.apply(await configOf({ ...limited, workers }), { workers });
      await expect.poll(async () => (await pids(supervisor)).length).toBe(workers);
      const all = await clients(port, 18);
      for (const client of all) await client.send(GET);
      await origin.until(() => held.length === 6, 'six requests');
      await expect.poll(() => all.filter(({ unread }) => unread.includes('overloaded')).length).toBe(12);
      expect(held).toHaveLength(6);
      for (const release of held.splice(0)) release();
      await expect.poll(() => all.filter(({ unread }) => unread.includes('200 OK')).length).toBe(6);
      for (const client of all) client.close();
    }
  });

  test('a limit that sinks holds from then on, though its shares were on their way back when the change came', async () => {
    const held: (() => void)[] = [];
    const origin = await startOrigin({
      onRequest: (_request, connection) => void held.push(() => connection.write(OK)),
    });
    opened.push(origin);
    const { supervisor, port } = await start({ ...configFor([origin.url]), limits: { concurrentRequests: 100 } });
    await supervisor.apply(await configOf({ ...configFor([origin.url]), limits: { concurrentRequests: 4 } }));
    const all = await clients(port, 16);
    for (const client of all) await client.send(GET);
    await expect.poll(() => all.filter(({ unread }) => unread.includes('overloaded')).length).toBe(12);
    expect(held).toHaveLength(4);
  });

  test('a stop lets those that were to go end what they have', async () => {
    const held: (() => void)[] = [];
    const origin = await startOrigin({
      onRequest: (_request, connection) => void held.push(() => connection.write(OK)),
    });
    opened.push(origin);
    const config = { ...configFor([origin.url]), shutdown: { drain: '0ms', timeout: '5s' } };
    const { supervisor, port } = await start(config);
    await supervisor.apply(await configOf({ ...config, workers: 3 }), { workers: 3 });
    const all = await clients(port, 24);
    for (const client of all) await client.send(GET);
    await origin.until(() => held.length === 24, 'all requests');
    await supervisor.apply(await configOf({ ...config, workers: 2 }), { workers: 2 });
    const stopped = supervisor.stop();
    // Had it been told to stop once more, it would be gone by now.
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const release of held) release();
    expect(await stopped).toBe(0);
    expect(all.filter(({ unread }) => unread.includes('200 OK'))).toHaveLength(24);
  });
});

describe('one process and several', () => {
  test.each([
    [1, 2],
    [2, 1],
  ])('%i cannot become %i while they run, and the upgrade is named as the way', async (from, to) => {
    const server = await serve(await configOf({ ...answering, workers: from }), { ...silentLogger });
    opened.push({ close: () => server.stop() });
    const wanted = await configOf({ ...answering, workers: to });
    await expect(server.apply(wanted)).rejects.toThrow(
      `workers cannot go from ${from} to ${to} while the gateway runs: upgrade it (portico upgrade, or SIGUSR2)`,
    );
    expect(server.generation).toBe(1);
  });

  test('`workers` of the configuration is what a change goes by', async () => {
    const admin = { address: '127.0.0.1:0' };
    const server = await serve(await configOf({ ...answering, admin, workers: 2 }), { ...silentLogger });
    opened.push({ close: () => server.stop() });
    await server.apply(await configOf({ ...answering, admin, workers: 3 }));
    const status = await fetch(`http://127.0.0.1:${server.admin?.port}/status`);
    expect(((await status.json()) as { workers: unknown[] }).workers).toHaveLength(3);
  });
});

describe('the admin listener', () => {
  const token = 'correct-horse-battery-staple';
  const withAdmin = (admin: object | false, rest: object = {}): object => ({
    ...answering,
    workers: 1,
    admin,
    ...rest,
  });

  async function start(config: object): Promise<Server> {
    const server = await serve(await configOf(config), { ...silentLogger });
    opened.push({ close: () => server.stop() });
    return server;
  }

  async function statusOf(port: number | undefined, bearer?: string): Promise<number> {
    const headers = { connection: 'close', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) };
    return (await fetch(`http://127.0.0.1:${port}/status`, { headers })).status;
  }

  /** A port that somebody has. */
  async function taken(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** A port that nobody has by now. */
  async function free(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  test('moves: the new one answers, and the old one is closed', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0' }));
    const before = server.admin?.port;
    const port = await free();
    expect(await server.apply(await configOf(withAdmin({ address: `127.0.0.1:${port}` })))).toBe(true);
    expect(server.admin?.port).toBe(port);
    expect(await statusOf(port)).toBe(200);
    await expect(statusOf(before)).rejects.toThrow();
    expect(server.inheritance.find(({ name }) => name === ' admin')).toMatchObject({ port, wanted: port });
  });

  test('is opened and closed', async () => {
    const server = await start(withAdmin(false));
    expect(server.admin).toBe(null);
    await server.apply(await configOf(withAdmin({ address: '127.0.0.1:0' })));
    const port = server.admin?.port;
    expect(await statusOf(port)).toBe(200);
    await server.apply(await configOf(withAdmin(false)));
    expect(server.admin).toBe(null);
    await expect(statusOf(port)).rejects.toThrow();
    expect(server.inheritance.map(({ name }) => name)).toEqual(['test']);
  });

  test('whose address cannot be had leaves everything as it was', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0' }));
    const port = server.admin?.port;
    const routes = [{ name: 'r', match: {}, respond: { body: 'two' } }];
    const wanted = await configOf(withAdmin({ address: `127.0.0.1:${await taken()}` }, { routes }));
    await expect(server.apply(wanted)).rejects.toThrow(/the admin listener cannot have 127\.0\.0\.1:\d+: EADDRINUSE$/);
    expect([server.generation, server.admin?.port]).toEqual([1, port]);
    expect(await statusOf(port)).toBe(200);
    // What it could not have then it can have when it is asked again.
    await server.apply(await configOf(withAdmin({ address: `127.0.0.1:${await free()}` }, { routes })));
    expect(server.generation).toBe(2);
  });

  test('does not move where the rest of the change cannot be had', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0', token }));
    const before = server.admin?.port;
    const port = await free();
    const listeners = [{ name: 'other', address: `127.0.0.1:${await taken()}` }];
    const moved = withAdmin({ address: `127.0.0.1:${port}`, token }, { listeners });
    await expect(server.apply(await configOf(moved))).rejects.toThrow(/EADDRINUSE/);
    expect([server.admin?.port, await statusOf(before, token)]).toEqual([before, 200]);
    await expect(statusOf(port)).rejects.toThrow();
    const other = withAdmin({ address: '127.0.0.1:0', token: `${token}-2` }, { listeners });
    await expect(server.apply(await configOf(other))).rejects.toThrow(/EADDRINUSE/);
    expect(await statusOf(before, token)).toBe(200);
  });

  test('asks another token of the next request, on the same address', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0' }));
    const port = server.admin?.port;
    expect(await statusOf(port)).toBe(200);
    await server.apply(await configOf(withAdmin({ address: '127.0.0.1:0', token })));
    expect([server.admin?.port, await statusOf(port), await statusOf(port, token)]).toEqual([port, 401, 200]);
    await server.apply(await configOf(withAdmin({ address: '127.0.0.1:0', token: `${token}-2` })));
    expect([await statusOf(port, token), await statusOf(port, `${token}-2`)]).toEqual([401, 200]);
    await server.apply(await configOf(withAdmin({ address: '127.0.0.1:0' })));
    expect(await statusOf(port)).toBe(200);
  });

  test('that moved asks the new token also on connections to the old one, while they last', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0', token }));
    const client = await rawClient(server.admin?.port as number);
    opened.push(client);
    const ask = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    // What is under way keeps the connection open for a moment.
    await client.send(ask('/status').slice(0, -2));
    const moved = withAdmin({ address: `127.0.0.1:${await free()}`, token: `${token}-2` });
    await server.apply(await configOf(moved));
    await client.send('\r\n');
    // Some runtimes count it as idle, and end it.
    const outcome = await client.read();
    if (outcome.kind === 'answer') expect(outcome.answer.status).toBe(401);
    else expect(outcome.kind).toBe('closed');
  });

  test('ends the events that are followed under a former token', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0', token }));
    const headers = { authorization: `Bearer ${token}` };
    const followed = await fetch(`http://127.0.0.1:${server.admin?.port}/events`, { headers });
    expect(followed.status).toBe(200);
    await server.apply(await configOf(withAdmin({ address: '127.0.0.1:0', token: `${token}-2` })));
    // The end of the body, without which this would wait for ever.
    await followed.text().catch(() => '');
  });

  test('answers the very request that moves it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portico-resizing-'));
    opened.push({ close: () => rmSync(directory, { recursive: true }) });
    const textFor = (port: number): string =>
      JSON.stringify(
        withAdmin(
          { address: `127.0.0.1:${port}`, writes: true },
          { listeners: [{ name: 'a', address: '127.0.0.1:0' }] },
        ),
      );
    writeFileSync(join(directory, 'portico.json'), textFor(0));
    const logger = { ...silentLogger };
    const started = await startManaged({ file: 'portico.json', directory, env: {}, logger });
    if ('findings' in started) throw new Error(JSON.stringify(started.findings));
    const { server } = started;
    opened.push({ close: () => server.stop() });
    const [before, port] = [server.admin?.port, await free()];
    const init = {
      method: 'PUT',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: textFor(port),
    };
    const answer = await fetch(`http://127.0.0.1:${before}/config`, init);
    expect([answer.status, await statusOf(port)]).toEqual([200, 200]);
    await expect(statusOf(before)).rejects.toThrow();
  });

  test('cannot take the port that it has itself on other interfaces, and says so', async () => {
    const port = await free();
    const server = await start(withAdmin({ address: `127.0.0.1:${port}`, token }));
    const wanted = await configOf(withAdmin({ address: `0.0.0.0:${port}`, token }));
    await expect(server.apply(wanted)).rejects.toThrow(`the running one is on 127.0.0.1:${port}: take another port`);
    expect(await statusOf(port, token)).toBe(200);
  });

  test('that is being opened when the gateway stops is closed too', async () => {
    const server = await start(withAdmin({ address: '127.0.0.1:0' }));
    const port = await free();
    const changed = server.apply(await configOf(withAdmin({ address: `127.0.0.1:${port}` }))).catch(() => false);
    await Promise.all([server.stop(), changed]);
    await expect(statusOf(port)).rejects.toThrow();
  });
});
