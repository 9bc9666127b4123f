/** A connection is made again for as long as it is wanted. */
import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAuthority } from '../../../../test/support/certificates.ts';
import { closedAfterEach } from '../../../../test/support/opened.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../../../../test/support/redis.ts';
import { describeWith, freePort } from '../../../../test/support/services.ts';
import { Signal } from '../../../../test/support/waiting.ts';
import { systemTimers } from '../../../base/clock.ts';
import { parseRedisAddress, parseRedisCluster } from '../../../base/redis-address.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';
import { createScript } from './script-server.ts';

const opened = closedAfterEach();

const COUNT = createScript(`return {redis.call('INCR', KEYS[1]), ARGV[1]}`);

class Watched {
  readonly changes: [boolean, string][] = [];
  private readonly signal = new Signal();
  readonly connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.connection = connection;
    connection.onReadyChange = (ready, reason) => {
      this.changes.push([ready, reason]);
      this.signal.notify();
    };
  }

  until(ready: boolean): Promise<true> {
    return this.signal.until(() => this.connection.ready === ready || undefined, `ready to be ${ready}`);
  }
}

async function connect(url: string | string[]): Promise<Watched> {
  const cluster = typeof url !== 'string';
  const addresses = cluster ? parseRedisCluster(url) : [parseRedisAddress(url)];
  const connection = await openRedis({ addresses, cluster, timers: systemTimers });
  opened.push(connection);
  const watched = new Watched(connection);
  await connection.attempted;
  return watched;
}

async function started(...options: string[]): Promise<RedisServer> {
  const server = await startRedis(options);
  opened.push(server);
  return server;
}

/** Takes connections and says nothing. */
async function silentServer(): Promise<string> {
  const server: Server = createServer(() => {});
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  opened.push({ close: () => void server.close() });
  return `redis://127.0.0.1:${port}`;
}

/** Speaks TLS, with a certificate of an authority of its own. */
async function tlsServer(): Promise<string> {
  const server = createTlsServer(createAuthority().issue({ names: ['127.0.0.1'] }), () => {});
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  opened.push({ close: () => void server.close() });
  return `rediss://127.0.0.1:${port}`;
}

describeWith('redis-server')('a connection to Redis', () => {
  it('runs scripts, in the order in which they are asked', async () => {
    const { connection } = await connect((await started()).url);
    const answers = await Promise.all(['a', 'b', 'c'].map((text) => connection.run(COUNT, 'k', [text])));
    expect(answers).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
  });

  it('shows a user and a password, and chooses the database', async () => {
    const server = await started('--requirepass', 'hunter2 %:@');
    const { connection } = await connect(`redis://default:hunter2%20%25%3A%40@127.0.0.1:${server.port}/3`);
    await connection.run(COUNT, 'k', []);
    expect(server.ask('-a', 'hunter2 %:@', '--no-auth-warning', '-n', '3', 'KEYS', '*')).toBe('k');
    expect(connection.name).toBe(`127.0.0.1:${server.port}`);
  });

  it.each([
    [
      'with a wrong password',
      'WRONGPASS',
      async () => `redis://:wrong@127.0.0.1:${(await started('--requirepass', 'right')).port}`,
    ],
    ['to nobody', 'ECONNREFUSED', async () => `redis://127.0.0.1:${await freePort()}`],
    ['to a server that nobody vouches for', 'verify', tlsServer],
    ['to a server that is full', '', async () => `redis://127.0.0.1:${(await started('--maxclients', '1')).port}`],
  ])('%s refuses what it is asked, and says why', async (title, reason, urlOf) => {
    const url = await urlOf();
    if (title.includes('full')) await connect(url);
    const { connection } = await connect(url);
    expect(connection.ready).toBe(false);
    expect(connection.problem).toContain(reason);
    await expect(connection.run(COUNT, 'k', [])).rejects.toThrow('not connected');
    await connection.close();
  });

  it('is made again when the server is, and says so', async () => {
    const server = await started();
    const watched = await connect(server.url);
    const { connection } = watched;
    const asked = connection.run(createScript(`while redis.call('TIME') do end`), 'k', []);
    asked.catch(() => {});
    await server.kill();
    await expect(asked).rejects.toThrow();
    await watched.until(false);
    await server.start();
    await watched.until(true);
    expect(watched.changes.map(([ready]) => ready)).toEqual([true, false, true]);
    expect(await connection.run(COUNT, 'k', ['x'])).toEqual([1, 'x']);
  });

  it('can be given up for a new one', async () => {
    const server = await started();
    const watched = await connect(server.url);
    server.freeze();
    const lost = watched.connection.run(COUNT, 'k', []);
    watched.connection.renew();
    await expect(lost).rejects.toThrow();
    server.resume();
    await watched.until(true);
    expect(await watched.connection.run(COUNT, 'other', ['x'])).toEqual([1, 'x']);
    // That one, and who asks.
    await expect.poll(() => server.ask('CLIENT', 'LIST').split('\n').length).toBe(2);
  });

  it('is not there as long as nobody says anything, and can be closed meanwhile', async () => {
    const connection = await openRedis({
      addresses: [parseRedisAddress(await silentServer())],
      cluster: false,
      timers: systemTimers,
    });
    expect(connection.ready).toBe(false);
    await connection.close();
  });

  it('is closed when what is under way is answered, or soon in any case', async () => {
    const server = await started();
    const { connection } = await connect(server.url);
    const asked = connection.run(COUNT, 'k', ['x']);
    await connection.close();
    expect(await asked).toEqual([1, 'x']);
    const { connection: stuck } = await connect(server.url);
    server.freeze();
    const lost = stuck.run(COUNT, 'k', []).catch((error: Error) => error);
    await stuck.close();
    expect(await lost).toBeInstanceOf(Error);
  });
});

describeWith('redis-server')('a connection to a cluster', () => {
  let servers: readonly RedisServer[];

  beforeAll(async () => {
    servers = await startRedisCluster('--cluster-require-full-coverage', 'no');
  });

  afterAll(async () => {
    for (const server of servers ?? []) await server.close();
  });

  it('asks the node that has the key, also after the key has moved', async () => {
    const { connection } = await connect([servers[1].url]);
    const keys = Array.from({ length: 30 }, (_, i) => `{k${i}}`);
    await Promise.all(keys.map((key) => connection.run(COUNT, key, [])));
    expect(servers.map((server) => Number(server.ask('DBSIZE')) > 0)).toEqual([true, true, true]);
    const slot = servers[0].ask('CLUSTER', 'KEYSLOT', '{k0}');
    const from = servers.find((server) => server.ask('--raw', 'KEYS', '{k0}') !== '') as RedisServer;
    const to = servers.find((server) => server !== from) as RedisServer;
    const [fromId, toId] = [from.ask('CLUSTER', 'MYID'), to.ask('CLUSTER', 'MYID')];
    to.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    from.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    from.ask('MIGRATE', '127.0.0.1', String(to.port), '{k0}', '0', '1000');
    // On its way: the old node sends on to the new one.
    expect(await connection.run(COUNT, '{k0}', ['x'])).toEqual([2, 'x']);
    for (const server of [to, from]) server.ask('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    expect(await connection.run(COUNT, '{k0}', ['x'])).toEqual([3, 'x']);
  });

  it('uses the nodes that are there, and one that comes later', async () => {
    const [gone, ...others] = servers;
    await gone.kill();
    const { connection } = await connect(others.map(({ url }) => url));
    const keys = Array.from({ length: 30 }, (_, i) => `{k${i}}`);
    const outcomes = await Promise.allSettled(keys.map((key) => connection.run(COUNT, key, [])));
    const answered = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(answered).toBeGreaterThan(5);
    expect(answered).toBeLessThan(30);
    await gone.start();
    // Its keys are asked for again and again, as they would be.
    const again = (): Promise<unknown[]> =>
      Promise.allSettled(keys.map((key) => connection.run(COUNT, key, []))).then((all) =>
        all.filter(({ status }) => status === 'fulfilled'),
      );
    await expect.poll(again).toHaveLength(30);
  });

  it('is made when the nodes come', async () => {
    const port = await freePort();
    const watched = await connect([`redis://127.0.0.1:${port}`]);
    expect(watched.connection.ready).toBe(false);
    await expect(watched.connection.run(COUNT, 'k', [])).rejects.toThrow('not connected');
    await watched.connection.close();
  });
});
