/** Several worker processes as one gateway: real processes, real sockets, in each way in which they can share an address. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemTimers, type Timers } from '../../src/base/clock.ts';
import { bestSharing, type SocketSharing } from '../../src/gateway/workers/sockets.ts';
import type { Supervisor } from '../../src/gateway/workers/supervisor.ts';
import { configFor, configOf, configWith } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { createRecordedLogger } from '../support/recorded-logger.ts';
import { freePort } from '../support/services.ts';
import { sharingModes, startTestSupervisor } from '../support/supervisor.ts';
import { closeOf, openWebSocket, refusedHandshake, startWebSocketOrigin } from '../support/websocket.ts';

const opened = closedAfterEach();

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function start(sharing: SocketSharing, config: object, timers: Timers = systemTimers) {
  const { lines, logger } = createRecordedLogger('info', 'warn', 'error');
  const { supervisor, port } = await startTestSupervisor(opened, await configOf(config), { sharing, logger, timers });
  return { supervisor, port, lines };
}

/** As many connections as it takes for every worker to have some, by any fair spreading. */
async function clients(port: number, count: number) {
  const all = await Promise.all(Array.from({ length: count }, () => rawClient(port)));
  opened.push(...all);
  return all;
}

async function metric(supervisor: Supervisor, name: string): Promise<number> {
  const page = [...(await supervisor.metrics())].join('');
  let sum = 0;
  for (const line of page.split('\n')) if (line.startsWith(name)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  return sum;
}

const runningPids = async (supervisor: Supervisor): Promise<number[]> =>
  (await supervisor.status()).workers.filter(({ state }) => state === 'running').map(({ pid }) => pid);

describe.each(sharingModes())('workers with sockets %s', (sharing) => {
  test('serve as one gateway, with one account', async () => {
    const origin = await startOrigin({ onRequest: (_request, connection) => connection.write(OK) });
    opened.push(origin);
    const { supervisor, port } = await start(sharing, configFor([origin.url]));
    const all = await clients(port, 24);
    for (let round = 0; round < 3; round++) {
      for (const client of all) await client.send(GET);
      for (const client of all) expect((await client.answer()).status).toBe(200);
    }
    expect(await metric(supervisor, 'http_requests_total')).toBe(72);
    expect(await metric(supervisor, 'http_request_duration_seconds_count')).toBe(72);
    const status = await supervisor.status();
    expect(status.workers.map(({ state }) => state)).toEqual(['running', 'running']);
    expect(status.services[0].endpoints).toMatchObject([{ healthy: true, active: 0, requests: 72, failures: 0 }]);
    expect(await supervisor.health()).toMatchObject({ status: 'healthy', total: 72, failed: 0 });
    // Both of them connected to the origin, and neither has more than its requests needed.
    expect(await metric(supervisor, 'portico_upstream_connections{service="origin",state="idle"}')).toBe(
      origin.open.length,
    );
    expect(origin.open.length).toBeGreaterThan(1);
  });

  test('have as many WebSockets together as their route may have, and send all of them away', async () => {
    const origin = await startWebSocketOrigin();
    opened.push(origin);
    const config = configFor([origin.url], { route: { websocket: { maxConnections: 9 } } });
    const { supervisor, port } = await start(sharing, { ...config, shutdown: { drain: '200ms', timeout: '5s' } });
    const sockets = [];
    for (let i = 0; i < 9; i++) sockets.push(await openWebSocket(port));
    for (let i = 0; i < 4; i++) expect((await refusedHandshake(port)).status).toBe(503);
    expect(await metric(supervisor, 'portico_websocket_connections{route="all"}')).toBe(9);
    const ends = sockets.map((socket) => closeOf(socket));
    const stopped = supervisor.stop();
    expect(new Set(await Promise.all(ends))).toEqual(new Set([1001]));
    expect(await stopped).toBe(0);
  });

  test('one that is killed is replaced; the other serves on, and what it counted is not lost', async () => {
    const origin = await startOrigin({ onRequest: (_request, connection) => connection.write(OK) });
    opened.push(origin);
    const { supervisor, port, lines } = await start(sharing, configFor([origin.url]));
    for (const client of await clients(port, 12)) {
      await client.send(GET);
      await client.answer();
    }
    expect(await metric(supervisor, 'http_requests_total')).toBe(12);
    const before = await runningPids(supervisor);
    process.kill(before[0], 'SIGKILL');
    await expect.poll(() => runningPids(supervisor)).toHaveLength(2);
    const after = await runningPids(supervisor);
    expect(after).toContain(before[1]);
    expect(after).not.toContain(before[0]);
    for (const client of await clients(port, 12)) {
      await client.send(GET);
      expect((await client.answer()).status).toBe(200);
    }
    expect(await metric(supervisor, 'http_requests_total')).toBe(24);
    expect(lines.filter(({ message }) => message === 'a worker ended and is replaced')).toMatchObject([
      { fields: { pid: before[0], signal: 'SIGKILL' } },
    ]);
  });

  test('one that does not answer is killed and replaced', async () => {
    const { supervisor, lines } = await start(sharing, configWith({ routes: [], workerHeartbeat: '1s' }));
    const before = await runningPids(supervisor);
    process.kill(before[0], 'SIGSTOP');
    await expect.poll(() => lines.map(({ message }) => message)).toContain('a worker does not answer and is killed');
    await expect.poll(async () => (await runningPids(supervisor)).length).toBe(2);
    expect(await runningPids(supervisor)).not.toContain(before[0]);
  });

  test('a limit of requests holds for all together, and none is refused below it', async () => {
    const held: (() => void)[] = [];
    const origin = await startOrigin({
      onRequest: (_request, connection) => void held.push(() => connection.write(OK)),
    });
    opened.push(origin);
    const { port } = await start(sharing, { ...configFor([origin.url]), limits: { concurrentRequests: 5 } });
    const all = await clients(port, 16);
    for (const client of all) await client.send(GET);
    await origin.until(() => held.length === 5, 'five requests');
    await expect.poll(() => all.filter(({ unread }) => unread.includes('overloaded')).length).toBe(11);
    expect(held).toHaveLength(5);
    for (const release of held) release();
    await expect.poll(() => all.filter(({ unread }) => unread.includes('200 OK')).length).toBe(5);
  });

  test('a limit of clients holds for all together, and none is refused below it', async () => {
    const { port } = await start(sharing, {
      ...configWith({ routes: [{ name: 'all', match: {}, respond: { body: 'ok' } }] }),
      listeners: [{ name: 'public', address: '127.0.0.1:0', limits: { connections: 9 } }],
    });
    const all = await clients(port, 9);
    for (const client of all) await client.send(GET);
    for (const client of all) expect((await client.answer()).status).toBe(200);
    const refusesMore = async (): Promise<void> => {
      for (const client of await clients(port, 4)) {
        await client.untilEnded();
        expect(client.unread).toHaveLength(0);
      }
    };
    await refusesMore();
    // All of one worker, perhaps: the places are for whomever the next ones come to.
    for (const client of all.slice(0, 5)) client.close();
    for (let served = 0; served < 5; ) {
      const [client] = await clients(port, 1);
      await client.send(GET);
      // One that has just ended may not be seen to have.
      const outcome = await client.read();
      if (outcome.kind === 'answer') served++;
    }
    await refusesMore();
  });

  test('a limit of connections to an endpoint holds for all together', async () => {
    let open = 0;
    let most = 0;
    const origin = await startOrigin({
      onRequest: (_request, connection) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          connection.write(OK);
        }, 5);
      },
    });
    opened.push(origin);
    const service = { connections: { max: 1, queueTimeout: '20s' } };
    const { port } = await start(sharing, configFor([origin.url], { service }));
    const all = await clients(port, 12);
    for (const client of all) await client.send(GET);
    for (const client of all) expect((await client.answer()).status).toBe(200);
    expect(most).toBe(1);
  });

  test('a change goes live in all of them, and one that cannot changes nothing', async () => {
    const [old, fresh] = await Promise.all(
      ['old', 'new'].map((text) =>
        startOrigin({
          onRequest: (_request, connection) => connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${text}`),
        }),
      ),
    );
    opened.push(old, fresh);
    const { supervisor, port } = await start(sharing, configFor([old.url]));
    const all = await clients(port, 12);
    const bodies = async (): Promise<string[]> => {
      for (const client of all) await client.send(GET);
      return [...new Set(await Promise.all(all.map(async (client) => (await client.answer()).body.toString())))];
    };
    expect(await bodies()).toEqual(['old']);
    expect(await supervisor.apply(await configOf(configFor([old.url])))).toBe(false);
    expect(await supervisor.apply(await configOf(configFor([fresh.url])))).toBe(true);
    expect([supervisor.generation, await bodies()]).toEqual([2, ['new']]);
    const taken = await configOf(
      configWith({ listener: { name: 'other', address: `127.0.0.1:${old.port}` }, routes: [] }),
    );
    await expect(supervisor.apply(taken)).rejects.toThrow(/EADDRINUSE/);
    expect([supervisor.generation, await bodies()]).toEqual([2, ['new']]);
  });

  test('an address that one change gives up can be had by the next, also while its clients come back for ever', async () => {
    const listeners = [
      { name: 'public', address: '127.0.0.1:0' },
      { name: 'other', address: `127.0.0.1:${await freePort()}` },
    ];
    const routes = [{ name: 'r', match: {}, respond: { body: 'one' } }];
    const written = { version: 1, listeners, routes };
    const both = await configOf(written);
    const one = await configOf({ ...written, listeners: listeners.slice(0, 1) });
    const { supervisor } = await start(sharing, written);
    const { port } = supervisor.addresses[1];
    let goesOn = true;
    const back = (): void => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')),
      );
      socket.on('error', () => {});
      socket.on('close', () => goesOn && setImmediate(back)).resume();
    };
    for (let i = 0; i < 4; i++) back();
    for (let i = 0; i < 5; i++) {
      await supervisor.apply(one);
      expect(supervisor.addresses).toHaveLength(1);
      await supervisor.apply(both);
      expect(supervisor.addresses[1].port).toBe(port);
    }
    goesOn = false;
  });

  test('routes that stay where they are or go elsewhere are theirs in all of them, also in one that has just begun', async () => {
    const paths = ['/a', '/b', '/c'];
    const route = (path: string, body: string) => ({ name: path.slice(1), match: { path }, respond: { body } });
    const first = await configOf(configWith({ routes: paths.map((path) => route(path, path)) }));
    const other = await configOf(configWith({ routes: [route('/b', 'new')] }));
    const { supervisor, port } = await start(sharing, configWith({ routes: paths.map((path) => route(path, path)) }));
    await supervisor.apply(first, { force: true });
    const answers = async (): Promise<string[]> => {
      const found = new Set<string>();
      for (const client of await clients(port, 12)) {
        const bodies: string[] = [];
        for (const path of paths) {
          await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
          const { status, body } = await client.answer();
          bodies.push(status === 200 ? body.toString() : String(status));
        }
        found.add(bodies.join(' '));
      }
      return [...found];
    };
    expect(await answers()).toEqual(['/a /b /c']);
    const [a, b, c] = first.routes;
    const second = { ...first, routes: [c, other.routes[0], a] };
    await supervisor.apply(second);
    expect(await answers()).toEqual(['/a new /c']);
    const before = await runningPids(supervisor);
    process.kill(before[0], 'SIGKILL');
    await expect.poll(() => runningPids(supervisor)).not.toContain(before[0]);
    await expect.poll(() => runningPids(supervisor)).toHaveLength(2);
    await supervisor.apply({ ...second, routes: [b, c] });
    expect(await answers()).toEqual(['404 /b /c']);
  });

  test('what one of them learns of an endpoint, all know', async () => {
    const origin = await startOrigin({ onRequest: (_request, connection) => connection.write(OK) });
    const { url } = origin;
    opened.push(origin);
    const service = { passive: { failures: 1, coolDown: '1m' } };
    const { supervisor, port } = await start(sharing, configFor([url], { service }));
    await origin.close();
    const all = await clients(port, 12);
    await all[0].send(GET);
    expect((await all[0].answer()).status).toBe(502);
    await expect.poll(async () => (await supervisor.status()).services[0].endpoints[0].healthy).toBe(false);
    // The verdict is on its way to the other worker.
    await sleep(100);
    for (const client of all) await client.send(GET);
    for (const client of all) expect((await client.answer()).status).toBe(503);
  });

  test('who comes while none of them serves waits for the one that takes its place', async () => {
    const { supervisor, port } = await start(
      sharing,
      configWith({ routes: [{ name: 'r', match: {}, respond: { status: 204 } }] }),
    );
    for (const pid of await runningPids(supervisor)) process.kill(pid, 'SIGKILL');
    if (sharing === 'handed-over') {
      const client = (await clients(port, 1))[0];
      await client.send(GET);
      expect((await client.answer()).status).toBe(204);
    }
    await expect.poll(async () => (await runningPids(supervisor)).length).toBe(2);
  });

  test('are as many as before when a change found none of them alive', async () => {
    const replacements: (() => void)[] = [];
    // Workers that ended, after the first and the second pause, are replaced when the test says so.
    const timers: Timers = {
      ...systemTimers,
      setTimeout: (work, delay) =>
        delay === 200 || delay === 400 ? replacements.push(work) && null : systemTimers.setTimeout(work, delay),
    };
    const config = (body: string) => configWith({ routes: [{ name: 'r', match: {}, respond: { status: 200, body } }] });
    const { supervisor, lines } = await start(sharing, config('one'), timers);
    for (const pid of await runningPids(supervisor)) process.kill(pid, 'SIGKILL');
    const ended = () => lines.filter(({ message }) => message === 'a worker ended and is replaced').length;
    await expect.poll(ended).toBe(2);
    await supervisor.apply(await configOf(config('two')));
    expect([replacements.length, (await runningPids(supervisor)).length]).toEqual([2, 2]);
    for (const replace of replacements) replace();
    // Its turn comes after theirs.
    await supervisor.apply(await configOf(config('three')));
    expect(await runningPids(supervisor)).toHaveLength(2);
  });

  test('all drain: what is under way ends, and the rest is cut at the time', async () => {
    const held: (() => void)[] = [];
    const origin = await startOrigin({
      onRequest: (_request, connection) => void held.push(() => connection.write(OK)),
    });
    opened.push(origin);
    const shutdown = { drain: '0ms', timeout: '2s' };
    const { supervisor, port } = await start(sharing, { ...configFor([origin.url]), shutdown });
    const all = await clients(port, 4);
    for (const client of all) await client.send(GET);
    await origin.until(() => held.length === 4, 'four requests');
    const idle = await clients(port, 8);
    const stopped = supervisor.stop();
    expect(supervisor.state).toBe('draining');
    // Idle connections end when their worker drains.
    await expect.poll(() => idle.every(({ ended }) => ended !== null)).toBe(true);
    for (const release of held.slice(0, 3)) release();
    await expect.poll(() => all.filter(({ unread }) => unread.includes('200 OK')).length).toBe(3);
    expect(all.filter(({ unread }) => unread.includes('Connection: close'))).toHaveLength(3);
    expect(await stopped).toBe(1);
    await expect(rawClient(port)).rejects.toThrow();
  });
});

describe('how an address is shared', () => {
  test.each([
    ['20.19.0', 'linux', 'handed-over'],
    ['22.11.0', 'linux', 'handed-over'],
    ['22.12.0', 'linux', 'reuse-port'],
    ['23.0.0', 'linux', 'handed-over'],
    ['23.1.0', 'linux', 'reuse-port'],
    ['26.10.0', 'linux', 'reuse-port'],
    ['26.10.0', 'darwin', 'handed-over'],
  ])('by Node.js %s on %s: %s', (version, platform, expected) => {
    expect(bestSharing(version, platform)).toBe(expected);
  });
});
