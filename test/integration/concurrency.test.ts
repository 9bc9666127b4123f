/** How many at once: slots come back however a request ends, live on over reloads, and are exact over workers. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePolicy, type Policy } from '../../src/pipeline/policy.ts';
import { configOf, configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { untilQuiet } from '../support/quiet.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, okAnswer, startOrigin } from '../support/raw-origin.ts';
import { startTestSupervisor } from '../support/supervisor.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
/** Patience on a machine that is busy. */
const SLOW = { timeout: 20_000 };
const OPTIONS = { max: 2, queue: 1, queueTimeout: '5s' };

/** An origin that answers when it is told to. */
async function holdingOrigin(): Promise<Origin> {
  const origin = await startOrigin({ onRequest: () => {} });
  opened.push(origin);
  return origin;
}

/** Answers the oldest request that waits. */
function answerOne(origin: Origin): void {
  for (const connection of origin.open) {
    const request = connection.requests.shift();
    if (request !== undefined) return connection.write(okAnswer(request));
  }
  throw new Error('no request waits');
}

function configFor(origin: Origin, options: object, policies: object[] = []): object {
  return configWith({
    services: [{ name: 'origin', endpoints: [origin.url] }],
    routes: [
      { name: 'all', match: { pathPrefix: '/' }, service: 'origin', policies: [...policies, { concurrency: options }] },
    ],
  });
}

async function start(options: object = OPTIONS, own: Policy[] = []): Promise<{ origin: Origin; gateway: TestGateway }> {
  const origin = await holdingOrigin();
  const gateway = await startTestGateway(
    configFor(
      origin,
      options,
      own.map(({ name }) => ({ [name]: {} })),
    ),
    own,
  );
  opened.push(gateway);
  return { origin, gateway };
}

async function ask(port: number): Promise<RawClient> {
  const client = await rawClient(port);
  opened.push(client);
  await client.send(GET);
  return client;
}

/** So many requests of which each is known to have come as far as it comes. */
async function fill({ origin, gateway }: { origin: Origin; gateway: TestGateway }, through: number, waiting: number) {
  const clients: RawClient[] = [];
  for (let i = 0; i < through; i++) {
    clients.push(await ask(gateway.port));
    await origin.request(i);
  }
  for (let i = 0; i < waiting; i++) clients.push(await ask(gateway.port));
  await expect.poll(() => gateway.gateway.active, SLOW).toBe(through + waiting);
  return clients;
}

describe('a route', () => {
  test('serves so many at once, lets so many wait, and refuses the rest', async () => {
    const set = await start();
    const clients = await fill(set, 2, 1);
    const refused = await (await ask(set.gateway.port)).answer();
    expect([refused.status, valuesOf(refused.fields, 'retry-after')]).toEqual([503, ['1']]);
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      code: 'overloaded',
      detail: 'the route has as many requests at once as it may have',
    });
    expect(set.origin.requests).toHaveLength(2);
    answerOne(set.origin);
    await set.origin.request(2);
    answerOne(set.origin);
    answerOne(set.origin);
    for (const client of clients) expect((await client.answer()).status).toBe(200);
    expect(set.gateway.gateway.active).toBe(0);
  });

  test('refuses who waits too long', async () => {
    const set = await start({ max: 1, queue: 1, queueTimeout: '50ms' });
    const [first, second] = await fill(set, 1, 1);
    const late = await second.answer();
    expect([late.status, JSON.parse(late.body.toString()).detail]).toEqual([
      503,
      'the route had no room for the request in time',
    ]);
    answerOne(set.origin);
    expect((await first.answer()).status).toBe(200);
  });

  test('has its slots back from clients that leave, in the line and before the upstream', async () => {
    const set = await start({ max: 1, queue: 2, queueTimeout: '5s' });
    const [first, second, third] = await fill(set, 1, 2);
    second.reset();
    await expect.poll(() => set.gateway.gateway.active, SLOW).toBe(2);
    first.reset();
    await set.origin.request(1);
    third.reset();
    await untilQuiet(set.gateway);
    const last = await ask(set.gateway.port);
    await set.origin.request(2);
    last.reset();
    await untilQuiet(set.gateway);
  });

  test('has no slot taken by a client that left while an earlier policy waited', async () => {
    const waiting: (() => void)[] = [];
    const slow = definePolicy({
      name: 'slow',
      phase: 'authenticate',
      schema: z.unknown(),
      create: () => ({
        effect: 'waits',
        onRequest: () => new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined))),
      }),
    }) as Policy;
    const set = await start({ max: 1 }, [slow]);
    const gone = await ask(set.gateway.port);
    await expect.poll(() => waiting.length, SLOW).toBe(1);
    gone.reset();
    await untilQuiet(set.gateway);
    waiting.shift()?.();
    const next = await ask(set.gateway.port);
    await expect.poll(() => waiting.length, SLOW).toBe(1);
    waiting.shift()?.();
    await set.origin.request(0);
    answerOne(set.origin);
    expect((await next.answer()).status).toBe(200);
  });

  test('has its slots back from tries that time out and answers that are cut', async () => {
    const set = await start({ max: 1 });
    const client = await ask(set.gateway.port);
    await set.origin.request(0);
    set.origin.open[0].write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    await client.untilBytes(20);
    expect((await (await ask(set.gateway.port)).answer()).status).toBe(503);
    set.origin.open[0].reset();
    expect((await client.read()).kind).toBe('cut');
    const next = await ask(set.gateway.port);
    await set.origin.request(1);
    next.reset();
  });

  test('counts what is under way over a reload', async () => {
    const set = await start({ max: 2 });
    const [first] = await fill(set, 2, 0);
    await set.gateway.gateway.apply(await configOf(configFor(set.origin, { max: 1 })));
    expect((await (await ask(set.gateway.port)).answer()).status).toBe(503);
    answerOne(set.origin);
    await first.answer();
    expect((await (await ask(set.gateway.port)).answer()).status).toBe(503);
    answerOne(set.origin);
    await expect.poll(() => set.gateway.gateway.active, SLOW).toBe(0);
    await ask(set.gateway.port);
    await set.origin.request(2);
  });
});

test('two workers have as many together as there may be, and get back what a killed one held', async () => {
  const origin = await holdingOrigin();
  const { supervisor, port } = await startTestSupervisor(opened, await configOf(configFor(origin, { max: 5 })));
  const refusals = { count: 0 };
  const many = async (count: number) => {
    const clients = await Promise.all(Array.from({ length: count }, () => ask(port)));
    for (const client of clients) {
      void client.read().then(
        (outcome) => {
          if (outcome.kind === 'answer' && outcome.answer.status === 503) refusals.count++;
        },
        () => {},
      );
    }
    return clients;
  };
  await many(24);
  await expect.poll(() => [refusals.count, origin.requests.length], SLOW).toEqual([19, 5]);
  for (let i = 0; i < 5; i++) answerOne(origin);

  // That a slot is free may reach the supervisor after a wish of the other worker: who comes too early asks again.
  const held: RawClient[] = [];
  while (held.length < 5) {
    const before = refusals.count;
    const decided = before + origin.requests.length;
    const [client] = await many(1);
    await expect.poll(() => refusals.count + origin.requests.length, SLOW).toBe(decided + 1);
    if (refusals.count === before) held.push(client);
  }
  const refused = refusals.count;

  // Of two one dies: what it held is free, and no more than that.
  const [{ pid }] = (await supervisor.status()).workers;
  process.kill(pid, 'SIGKILL');
  const freed = (): number => held.filter(({ ended }) => ended !== null).length;
  const pids = async (): Promise<number[]> => (await supervisor.status()).workers.map((worker) => worker.pid);
  await expect.poll(pids, SLOW).not.toContain(pid);
  await many(8);
  await expect.poll(() => refusals.count + origin.requests.length, SLOW).toBe(refused + 10 + 8);
  expect(freed()).toBeGreaterThan(0);
  expect(origin.requests).toHaveLength(10 + freed());
}, 60_000);
