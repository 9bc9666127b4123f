/** Limits of several gateways in one Redis: exact between them, and decided by the rule while it is gone. */
import { expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { RedisServer, startRedis } from '../support/redis.ts';
import { describeWith, freePort } from '../support/services.ts';
import { startTestSupervisor } from '../support/supervisor.ts';
import { Signal } from '../support/waiting.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** What the log said, to be waited for. */
class Log {
  readonly lines: string[] = [];
  private readonly signal = new Signal();
  readonly logger: Logger;

  constructor() {
    const note = (message: string): void => {
      this.lines.push(message);
      this.signal.notify();
    };
    this.logger = { ...silentLogger, warn: note, info: note };
  }

  untilSaid(text: string, times = 1): Promise<true> {
    const said = (): boolean => this.lines.filter((line) => line.includes(text)).length >= times;
    return this.signal.until(() => said() || undefined, `a log line with "${text}"`);
  }
}

const GONE = 'cannot be asked';
const BACK = 'is asked again';

async function configFor(shared: unknown, rateLimit: object): Promise<object> {
  const origin = await startOrigin({ onRequest: (_request, connection) => connection.write(OK) });
  opened.push(origin);
  return configWith({
    services: [{ name: 'origin', endpoints: [origin.url] }],
    routes: [{ name: 'a', match: { path: '/a' }, service: 'origin', policies: [{ rateLimit }] }],
    state: { shared },
  });
}

async function start(config: object, logger?: Logger): Promise<TestGateway> {
  const gateway = await startTestGateway(config, [], logger);
  opened.push(gateway);
  return gateway;
}

async function serverOf(): Promise<RedisServer> {
  const server = await startRedis();
  opened.push(server);
  return server;
}

/** So many requests over some connections at once; answers how many had each status. */
async function ask(port: number, count: number, connections = 1, who = ''): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  const one = async (share: number): Promise<void> => {
    const client = await rawClient(port);
    for (let i = 0; i < share; i++) {
      await client.send(`GET /a HTTP/1.1\r\nHost: a\r\nX-Who: ${who}\r\n\r\n`);
      const { status } = await client.answer();
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    client.close();
  };
  await Promise.all(Array.from({ length: connections }, () => one(count / connections)));
  return statuses;
}

const daily = { algorithm: 'fixed-window', per: '24h', key: { header: 'x-who' } };

function metric(gateway: TestGateway, name: string): number {
  const line = gateway.gateway.metrics
    .render()
    .split('\n')
    .find((text) => text.startsWith(name));
  return Number(line?.slice(line.lastIndexOf(' ') + 1));
}

describeWith('redis-server')('gateways with one Redis', () => {
  test('grant exactly the limit between them', async () => {
    const config = await configFor((await serverOf()).url, { ...daily, limit: 150, storeTimeout: '2s' });
    const ports = [(await start(config)).port, (await start(config)).port];
    const both = await Promise.all(ports.map((port) => ask(port, 200, 10)));
    expect(both.map((statuses) => statuses[200] ?? 0).reduce((a, b) => a + b)).toBe(150);
    expect(both.map((statuses) => statuses[429] ?? 0).reduce((a, b) => a + b)).toBe(250);
    expect(both.every((statuses) => (statuses[200] ?? 0) > 0)).toBe(true);
  });

  test.each([
    ['local', { 200: 3, 429: 17 }],
    ['open', { 200: 20 }],
    ['closed', { 503: 20 }],
  ])('serve by the rule %s while it is gone, and by the store when it is back', async (onStoreFailure, expected) => {
    const server = await serverOf();
    const log = new Log();
    const config = await configFor(server.url, { ...daily, limit: 3, onStoreFailure, storeTimeout: '500ms' });
    const gateway = await start(config, log.logger);
    expect(await ask(gateway.port, 5, 1, 'ann')).toEqual({ 200: 3, 429: 2 });
    const load = ask(gateway.port, 200, 4, 'ann');
    await server.kill();
    await load;
    await log.untilSaid(GONE);
    expect(metric(gateway, 'portico_limit_store_unreachable')).toBe(1);
    expect(await ask(gateway.port, 20, 1, 'bob')).toEqual(expected);
    // What was refused is remembered for as long as it holds.
    expect(await ask(gateway.port, 20, 1, 'ann')).toEqual({ 429: 20 });
    await server.start();
    await log.untilSaid(BACK);
    expect(metric(gateway, 'portico_limit_store_unreachable')).toBe(0);
    expect(await ask(gateway.port, 5, 1, 'bob')).toEqual({ 200: 3, 429: 2 });
    expect(log.lines).toHaveLength(2);
  });

  test('refuse with 503 and a time to come again where it fails closed', async () => {
    const config = await configFor(`redis://127.0.0.1:${await freePort()}`, {
      ...daily,
      limit: 3,
      onStoreFailure: 'closed',
    });
    const gateway = await start(config);
    const client = await rawClient(gateway.port);
    opened.push(client);
    await client.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
    const { status, fields, body } = await client.answer();
    expect([status, JSON.parse(body.toString()).code]).toEqual([503, 'overloaded']);
    expect(Number(valuesOf(fields, 'retry-after')[0])).toBeGreaterThanOrEqual(1);
  });

  test('start without it, and use it as soon as it is there', async () => {
    const server = new RedisServer(await freePort(), []);
    opened.push(server);
    const log = new Log();
    const config = await configFor(server.url, { ...daily, limit: 4, storeTimeout: '500ms' });
    const gateways = [await start(config, log.logger), await start(config, log.logger)];
    for (const { port } of gateways) expect(await ask(port, 5)).toEqual({ 200: 4, 429: 1 });
    await log.untilSaid(GONE, 2);
    await server.start();
    await log.untilSaid(BACK, 2);
    expect(await ask(gateways[0].port, 3)).toEqual({ 200: 3 });
    expect(await ask(gateways[1].port, 3)).toEqual({ 200: 1, 429: 2 });
  });

  test('decide in time while it hangs, and are in step again afterwards', async () => {
    const server = await serverOf();
    const log = new Log();
    const config = await configFor(server.url, { ...daily, limit: 1000, onStoreFailure: 'open', storeTimeout: '30ms' });
    const gateway = await start(config, log.logger);
    await ask(gateway.port, 10);
    server.freeze();
    const begun = performance.now();
    expect(await ask(gateway.port, 300, 3)).toEqual({ 200: 300 });
    // A few waits, and then none: three hundred would be three seconds.
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(log.lines.filter((line) => line.includes(GONE))).toHaveLength(1);
    server.resume();
    await log.untilSaid(BACK);
    const before = metric(gateway, 'portico_limit_store_fallbacks_total{rule="open"}');
    expect(before).toBeGreaterThan(250);
    await ask(gateway.port, 10);
    expect(metric(gateway, 'portico_limit_store_fallbacks_total{rule="open"}')).toBe(before);
  });

  test('go over from memory to it, and back, without losing a request', async () => {
    const server = await serverOf();
    const inRedis = await configFor(server.url, { ...daily, limit: 1_000, storeTimeout: '500ms' });
    const inMemory = { ...inRedis, state: { shared: 'memory' } };
    const gateway = await start(inMemory);
    const load = ask(gateway.port, 450, 9);
    for (const config of [inRedis, inMemory, inRedis]) await gateway.gateway.apply(await configOf(config));
    expect(await load).toEqual({ 200: 450 });
    expect(await ask(gateway.port, 20)).toEqual({ 200: 20 });
    expect(Number(server.ask('DBSIZE'))).toBe(1);
    await gateway.gateway.apply(await configOf(inMemory));
    // The connection goes with the configuration.
    await expect.poll(() => server.ask('CLIENT', 'LIST').split('\n')).toHaveLength(1);
  });

  test('told in batches exceed it by what each granted before it heard of the others', async () => {
    const server = await serverOf();
    const config = await configFor(server.url, { ...daily, limit: 300, sync: 'batched' });
    const ports = [(await start(config)).port, (await start(config)).port];
    let granted = 0;
    for (let round = 0; round < 4; round++) {
      const both = await Promise.all(ports.map((port) => ask(port, 200, 4)));
      for (const statuses of both) granted += statuses[200] ?? 0;
    }
    expect(granted).toBeGreaterThanOrEqual(300);
    expect(granted).toBeLessThanOrEqual(600);
    expect(await ask(ports[0], 10)).toEqual({ 429: 10 });
  });

  test('of several workers each grant exactly the limit between them', async () => {
    const server = await serverOf();
    const config = await configFor(server.url, { ...daily, limit: 40, storeTimeout: '2s' });
    const { port: ofWorkers } = await startTestSupervisor(opened, await configOf(config));
    const { port } = await start(config);
    const both = await Promise.all([ask(ofWorkers, 100, 20), ask(port, 100, 5)]);
    expect((both[0][200] ?? 0) + (both[1][200] ?? 0)).toBe(40);
    // One of each worker and one of the other gateway, and who asks.
    expect(server.ask('CLIENT', 'LIST').split('\n')).toHaveLength(4);
  }, 60_000);
});
