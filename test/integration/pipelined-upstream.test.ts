/** Several requests in flight on one connection to an upstream (`connections.pipelining`): who shares, and what becomes of those behind. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { TICK } from '../../src/base/timer-wheel.ts';
import { createAuthority } from '../support/certificates.ts';
import { configFor, configOf, NEVER_DOWN, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { startProxied } from '../support/proxied.ts';
import { untilQuiet, untilUpstreamClosed, untilUpstreamIdle } from '../support/quiet.ts';
import { headerOf, type RawClient, rawClient } from '../support/raw-client.ts';
import { type OriginConnection, okAnswer } from '../support/raw-origin.ts';
import { type SkippingClock, stoppedClock } from '../support/skipping-clock.ts';
import type { WireRequest } from '../support/wire-request.ts';

const opened = closedAfterEach();

/** How long others wait behind an answer, and the timers' own coarseness, in milliseconds. */
const PATIENCE = 220;

/** A request that the origin has and did not answer yet. */
interface Held {
  readonly target: string;
  readonly connection: OriginConnection;
  answer(body?: string): void;
}

interface Parts {
  route?: object;
  listener?: object;
  service?: object;
}

let clock: SkippingClock;
beforeEach(() => {
  clock = stoppedClock();
});

/** An origin that answers nothing by itself but `/prime`, by which a connection shows that it stays open. */
async function setUp(connections: object = {}, parts: Parts = {}) {
  const held: Held[] = [];
  const hold = (request: WireRequest, connection: OriginConnection): void => {
    if (request.target === '/prime') return connection.write(okAnswer(request));
    const answer = (body?: string): void => connection.write(okAnswer(request, body));
    held.push({ target: request.target, connection, answer });
  };
  const service = { ...NEVER_DOWN, connections: { pipelining: 4, ...connections }, ...parts.service };
  const proxied = await startProxied(opened, { onRequest: hold }, { ...parts, service }, { clock });
  const { origin, gateway, client } = proxied;
  const clients: RawClient[] = [];
  /** Sends a request on a connection of its own. */
  const ask = async (target: string, method = 'GET', fields = '', body = ''): Promise<RawClient> => {
    const asking = await rawClient(gateway.port);
    opened.push(asking);
    clients.push(asking);
    await asking.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`);
    return asking;
  };
  /** As `ask`, and waits until the origin has it. */
  const reach = async (target: string, method = 'GET', fields = '', body = ''): Promise<RawClient> => {
    const before = held.length;
    const asking = await ask(target, method, fields, body);
    await origin.until(() => held.length > before, `${method} ${target} at the origin`);
    return asking;
  };
  /** Where requests with this target came, in order. */
  const placesOf = (target: string): number[] =>
    held.filter((one) => one.target === target).map(({ connection }) => connection.id);
  const prime = async (): Promise<void> => {
    await client.send('GET /prime HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.answer();
  };
  const answerAll = (): void => {
    for (const one of held.splice(0)) one.answer();
  };
  return { ...proxied, held, ask, reach, placesOf, prime, answerAll, clients };
}

/** The client has the answer to its own request, and a whole one. */
async function expectOwn(client: RawClient, line: string, body = 'ok'): Promise<void> {
  const [method] = line.split(' ');
  const answer = await client.answer(method);
  expect([answer.status, headerOf(answer, 'x-request-line')]).toEqual([200, line]);
  if (method !== 'HEAD') expect(answer.body.toString()).toBe(body);
}

describe('a connection that has shown that it stays open', () => {
  test('carries as many requests as it may, and each client gets its own answer', async () => {
    const { held, origin, prime, reach, gateway, placesOf } = await setUp();
    await prime();
    const clients: RawClient[] = [];
    for (let i = 0; i < 4; i++) clients.push(await reach(`/${i}`));
    expect(held.map(({ connection }) => connection.id)).toEqual([0, 0, 0, 0]);
    // The fifth is one too many.
    const fifth = await reach('/4');
    expect(placesOf('/4')).toEqual([1]);
    for (const one of held) one.answer(`body of ${one.target}`);
    for (let i = 0; i < 4; i++) await expectOwn(clients[i], `GET /${i}`, `body of /${i}`);
    await expectOwn(fifth, 'GET /4', 'body of /4');
    expect(origin.accepted).toBe(2);
    await untilUpstreamIdle(gateway);
  });

  test('takes what is asked in one turn of the event loop in one write', async () => {
    const { origin, prime, ask, held, answerAll } = await setUp();
    await prime();
    const reads: number[] = [];
    origin.connections[0].socket.on('data', (bytes: Buffer) => reads.push(bytes.length));
    const all = await Promise.all([0, 1, 2].map(() => ask('/held')));
    await origin.until(() => held.length === 3, 'all three');
    answerAll();
    await Promise.all(all.map((one) => expectOwn(one, 'GET /held')));
    const again = reads.length;
    // All of them in one read of the gateway each, one after the other in the same turn.
    for (const one of all) one.socket.write('GET /again HTTP/1.1\r\nHost: a\r\n\r\n');
    await origin.until(() => held.length === 3, 'all three again');
    expect(reads.length - again).toBeLessThan(3);
  });

  test.each<[string, boolean, string, string?, string?]>([
    ['HEAD', true, 'HEAD'],
    ['OPTIONS', true, 'OPTIONS'],
    ['DELETE without a body', true, 'DELETE'],
    ['POST without a body', false, 'POST', 'Content-Length: 0\r\n'],
    ['PATCH', false, 'PATCH', 'Content-Length: 2\r\n', 'hi'],
    ['PUT with a body', false, 'PUT', 'Content-Length: 2\r\n', 'hi'],
    ['GET with a body', false, 'GET', 'Content-Length: 2\r\n', 'hi'],
    ['GET with a body in chunks', false, 'GET', 'Transfer-Encoding: chunked\r\n', '2\r\nhi\r\n0\r\n\r\n'],
    ['a method that nobody knows', false, 'BREW', ''],
  ])('shared by %s: %s', async (_, shares, method, fields = '', body = '') => {
    const { prime, reach, placesOf, answerAll, held } = await setUp({}, { listener: { limits: {} } });
    await prime();
    const first = await reach('/first');
    const other = await reach('/other', method, fields, body);
    expect(placesOf('/other')).toEqual([shares ? 0 : 1]);
    // Nor is anything put behind one that may not be sent twice.
    if (!shares) {
      const third = await reach('/third');
      expect(placesOf('/third')).toEqual([0]);
      held.find(({ target }) => target === '/first')?.answer();
      held.find(({ target }) => target === '/third')?.answer();
      await expectOwn(third, 'GET /third');
      held.splice(0, 1);
      held.splice(1, 1);
    }
    answerAll();
    await expectOwn(first, 'GET /first');
    await expectOwn(other, `${method} /other`);
  });

  test('is not shared for a while once it has stood still, and then by one request for a start', async () => {
    const { prime, reach, placesOf, answerAll, gateway, clients } = await setUp();
    await prime();
    await reach('/slow');
    await reach('/behind');
    clock.skip(PATIENCE);
    answerAll();
    for (const one of clients.splice(0)) await one.answer();
    await untilUpstreamIdle(gateway);
    await reach('/a');
    await reach('/b');
    expect([placesOf('/a'), placesOf('/b')]).toEqual([[0], [1]]);
    answerAll();
    for (const one of clients.splice(0)) await one.answer();
    await untilUpstreamIdle(gateway);
    clock.skip(1000);
    for (const target of ['/c', '/d', '/e']) await reach(target);
    const places = ['/c', '/d', '/e'].map((target) => placesOf(target)[0]);
    expect(places[1]).toBe(places[0]);
    expect(places[2]).not.toBe(places[0]);
    answerAll();
    await untilUpstreamIdle(gateway);
  });

  test.each<[string, object, number]>([
    ['is left alone while it is silent', {}, 1],
    ['takes one more even so when there may be no other', { max: 1 }, 0],
  ])('%s', async (_, connections, place) => {
    const { prime, reach, placesOf, answerAll, gateway } = await setUp(connections);
    await prime();
    await reach('/slow');
    clock.skip(11);
    // Silent once may be this process's own doing.
    await reach('/doubt');
    clock.skip(11);
    await reach('/wary');
    expect([placesOf('/doubt'), placesOf('/wary')]).toEqual([[0], [place]]);
    answerAll();
    await untilUpstreamIdle(gateway);
  });

  test('reads answers of every kind, one after the other, however they are cut', async () => {
    const kinds: [string, (line: string) => string][] = [
      ['GET', (line) => `HTTP/1.1 204 No Content\r\nX-Request-Line: ${line}\r\n\r\n`],
      [
        'GET',
        (line) =>
          `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 Not Modified\r\nX-Request-Line: ${line}\r\n\r\n`,
      ],
      ['HEAD', (line) => `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Request-Line: ${line}\r\n\r\n`],
      [
        'GET',
        (line) =>
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Request-Line: ${line}\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n`,
      ],
    ];
    const { prime, reach, held, gateway } = await setUp();
    for (const size of [1, 7, 100_000]) {
      await prime();
      const clients: RawClient[] = [];
      for (const [at, [method]] of kinds.entries()) clients.push(await reach(`/${at}`, method));
      const { connection } = held[0];
      expect(new Set(held.splice(0).map((one) => one.connection))).toEqual(new Set([connection]));
      const bytes = Buffer.from(kinds.map(([method, text], at) => text(`${method} /${at}`)).join(''));
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      await connection.writePieces(pieces);
      for (const [at, [method]] of kinds.entries()) {
        const answer = await clients[at].answer(method);
        if (answer.status === 103) at === 1 && expect((await clients[at].answer(method)).status).toBe(304);
        else expect(headerOf(answer, 'x-request-line')).toBe(`${method} /${at}`);
      }
      await untilUpstreamIdle(gateway);
    }
  });
});

describe('a new connection', () => {
  test('carries one request until that is answered', async () => {
    const { reach, placesOf, answerAll, clients, held, gateway } = await setUp();
    await reach('/a');
    await reach('/b');
    expect([placesOf('/a'), placesOf('/b')]).toEqual([[0], [1]]);
    answerAll();
    for (const one of clients) await one.answer();
    await reach('/c');
    await reach('/d');
    expect(new Set(held.map(({ connection }) => connection)).size).toBe(1);
    answerAll();
    await untilUpstreamIdle(gateway);
  });

  test.each([
    ['closes it after each answer', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok'],
  ])('is never shared when the upstream %s', async (_, text) => {
    const { reach, held, clients, gateway } = await setUp();
    for (let round = 0; round < 3; round++) {
      await reach('/a');
      await reach('/b');
      const [a, b] = held.splice(0);
      expect(a.connection).not.toBe(b.connection);
      for (const { connection } of [a, b]) connection.write(text);
      for (const one of clients.splice(0)) expect((await one.answer()).body.toString()).toBe('ok');
    }
    await untilUpstreamIdle(gateway);
  });
});

describe('those behind', () => {
  /** `/first` and behind it `/b` and `/c`, on the connection 0. */
  async function line(connections: object = {}, parts: Parts = {}) {
    const set = await setUp(connections, parts);
    await set.prime();
    const first = await set.reach('/first');
    const behind = [await set.reach('/b'), await set.reach('/c')];
    expect(set.held.map(({ connection }) => connection.id)).toEqual([0, 0, 0]);
    const [{ connection }] = set.held;
    /** They came again, on connections of their own, and are answered there. */
    const expectMoved = async (): Promise<void> => {
      await set.origin.until(() => set.placesOf('/b').length + set.placesOf('/c').length === 4, 'both once more');
      const moved = set.held.filter((one) => one.target !== '/first' && one.connection !== connection);
      expect(moved.map(({ target }) => target).sort()).toEqual(['/b', '/c']);
      expect(moved[0].connection).not.toBe(moved[1].connection);
      for (const one of moved) one.answer();
      await expectOwn(behind[0], 'GET /b');
      await expectOwn(behind[1], 'GET /c');
    };
    return { ...set, first, behind, connection, expectMoved };
  }

  test.each<[string, string, string]>([
    ['one that ends the connection', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok', '200 ok'],
    ['one that lasts until the connection ends', 'HTTP/1.1 200 OK\r\n\r\nok', '200 ok'],
    ['garbage', 'garbage\r\n\r\n', '502'],
    [
      'a switch of protocols that nobody asked for',
      'HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      '502',
    ],
  ])('an answer that is %s are asked for elsewhere', async (_, text, outcome) => {
    const { first, connection, expectMoved, gateway } = await line();
    connection.write(text);
    // Known by the head alone.
    await expectMoved();
    connection.end();
    const { status, body } = await first.answer();
    expect(`${status} ${status === 200 ? body : ''}`.trim()).toBe(outcome);
    await untilUpstreamIdle(gateway);
  });

  test.each(['end', 'reset'] as const)(
    'a connection that is lost (%s) are asked for elsewhere, and so is the first',
    async (how) => {
      const { first, connection, expectMoved, origin, held, gateway } = await line();
      connection[how]();
      await expectMoved();
      const again = await origin.until(
        () => held.find((one) => one.target === '/first' && one.connection !== connection),
        'the first',
      );
      again.answer();
      await expectOwn(first, 'GET /first');
      expect(gateway.gateway.current?.services.get('origin')?.endpoints[0].failures).toBe(0);
      await untilUpstreamIdle(gateway);
    },
  );

  test('a connection that is lost go on those that rest, which nobody doubts for that', async () => {
    const { reach, answerAll, clients, held, origin, gateway } = await setUp();
    for (const target of ['/x', '/y', '/z']) await reach(target);
    answerAll();
    for (const one of clients.splice(0)) await one.answer();
    await untilUpstreamIdle(gateway);
    for (const target of ['/first', '/b', '/c']) await reach(target);
    const [{ connection }] = held.splice(0);
    connection.reset();
    await origin.until(() => held.length === 3, 'all of them once more');
    answerAll();
    for (const one of clients) expect((await one.answer()).status).toBe(200);
    // The first had its turn when the connection was lost, and asks for a new one.
    expect(origin.accepted).toBe(4);
    await untilUpstreamIdle(gateway);
  });

  test('an answer that is cut off are asked for elsewhere; the first sees the cut', async () => {
    const { first, connection, expectMoved } = await line();
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    await first.untilBytes(1);
    connection.end();
    await expectMoved();
    expect(await first.read()).toMatchObject({ kind: 'cut', status: 200 });
  });

  test('an answer whose client does not read it are asked for elsewhere', async () => {
    const { first, held, expectMoved, gateway, connection } = await line();
    const body = 'x'.repeat(16 * 1024 * 1024);
    first.socket.pause();
    held[0].answer(body);
    await expectMoved();
    first.socket.resume();
    await expectOwn(first, 'GET /first', body);
    await untilUpstreamIdle(gateway);
    await expect.poll(() => connection.ended).not.toBe(null);
  });

  test('such an answer do not keep others from sharing', async () => {
    const { first, expectMoved, connection, prime, reach, placesOf, answerAll, gateway } = await line();
    const body = 'x'.repeat(16 * 1024 * 1024);
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\nx`);
    await first.untilBytes(1);
    first.socket.pause();
    connection.write(body.slice(1));
    await expectMoved();
    clock.skip(PATIENCE);
    await tick();
    await prime();
    for (const target of ['/d', '/e']) await reach(target);
    expect(placesOf('/e')).toEqual(placesOf('/d'));
    answerAll();
    first.close();
    await untilUpstreamIdle(gateway);
  });

  test('an answer that has begun and does not go on are asked for elsewhere', async () => {
    const { first, connection, expectMoved, gateway } = await line();
    connection.write(
      'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Request-Line: GET /first\r\n\r\n',
    );
    await first.untilBytes(1);
    clock.skip(PATIENCE);
    await expectMoved();
    connection.write('2\r\nok\r\n0\r\n\r\n');
    await expectOwn(first, 'GET /first');
    await untilUpstreamIdle(gateway);
    await expect.poll(() => connection.ended).not.toBe(null);
  });

  test('one whose client has gone get theirs when its answer is over', async () => {
    const { first, behind, held, gateway, connection, prime } = await line();
    first.reset();
    await gatewayHas(gateway, 2);
    for (const one of held.splice(0)) one.answer();
    await expectOwn(behind[0], 'GET /b');
    await expectOwn(behind[1], 'GET /c');
    await prime();
    expect(connection.ended).toBe(null);
    await untilUpstreamIdle(gateway);
  });

  test('one whose client has gone are asked for elsewhere when its answer does not come', async () => {
    const { first, connection, expectMoved, gateway } = await line();
    first.reset();
    await gatewayHas(gateway, 2);
    clock.skip(PATIENCE);
    await expectMoved();
    await expect.poll(() => connection.ended).not.toBe(null);
    await untilUpstreamIdle(gateway);
  });

  test('one whose client has gone are asked for elsewhere when much of its answer is left', async () => {
    const { first, connection, expectMoved, gateway } = await line();
    first.reset();
    await gatewayHas(gateway, 2);
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1000)}`);
    await expectMoved();
    await untilUpstreamIdle(gateway);
  });

  test('one that is tried again because of its status stay where they are', async () => {
    const route = { retry: { attempts: 2, on: [503], backoff: { base: '1ms', max: '1ms' } } };
    const { first, behind, held, connection, origin, placesOf } = await line({}, { route });
    const [, b, c] = held;
    connection.write('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy');
    b.answer();
    c.answer();
    await expectOwn(behind[0], 'GET /b');
    await expectOwn(behind[1], 'GET /c');
    clock.skip(20);
    await origin.until(() => placesOf('/first').length === 2, 'the second try');
    held.at(-1)?.answer();
    await expectOwn(first, 'GET /first');
  });

  test('may leave, and nothing of their answers reaches anybody', async () => {
    const { first, behind, held, gateway, prime, connection } = await line();
    behind[0].reset();
    await gatewayHas(gateway, 2);
    for (const one of held.splice(0)) one.answer(`for ${one.target}`);
    await expectOwn(first, 'GET /first', 'for /first');
    await expectOwn(behind[1], 'GET /c', 'for /c');
    await prime();
    expect(connection.ended).toBe(null);
  });

  test('an answer that does not come in time are asked for elsewhere, and count as no failure of the endpoint', async () => {
    const { first, expectMoved, gateway } = await line({}, { service: { timeouts: { response: '1s' } } });
    clock.skip(1020);
    expect((await first.answer()).status).toBe(504);
    await expectMoved();
    expect(gateway.gateway.current?.services.get('origin')?.endpoints[0].failures).toBe(1);
    clock.skip(PATIENCE);
    await untilUpstreamIdle(gateway);
  });

  test('and have too little time for one try count as no failure, either', async () => {
    const route = { retry: { attempts: 1, perTryTimeout: '1s' } };
    const { first, behind, gateway } = await line({}, { route });
    clock.skip(1020);
    for (const one of [first, ...behind]) expect((await one.answer()).status).toBe(504);
    expect(gateway.gateway.current?.services.get('origin')?.endpoints[0].failures).toBe(1);
  });

  test('have their own time for an answer', async () => {
    const { first, behind, expectMoved, connection } = await line({}, { route: { timeout: '1s' } });
    clock.skip(1020);
    for (const one of [first, ...behind]) expect((await one.answer()).status).toBe(504);
    expect(expectMoved).toBeDefined();
    clock.skip(PATIENCE);
    await expect.poll(() => connection.ended).not.toBe(null);
  });
});

describe('with as many connections as there may be', () => {
  test('a request that wants one to itself has it when the line is over, before those that came later', async () => {
    const { prime, reach, ask, held, gateway, origin } = await setUp({ max: 1 });
    await prime();
    const first = await reach('/first');
    const post = await ask('/post', 'POST', 'Content-Length: 2\r\n', 'hi');
    await gatewayHas(gateway, 2);
    const later = await ask('/later');
    await gatewayHas(gateway, 3);
    expect(held.map(({ target }) => target)).toEqual(['/first']);
    held[0].answer();
    await origin.until(() => held.length === 2, 'the POST');
    expect(held[1].target).toBe('/post');
    held[1].answer();
    await origin.until(() => held.length === 3, 'what came later');
    held[2].answer();
    await expectOwn(first, 'GET /first');
    await expectOwn(post, 'POST /post');
    await expectOwn(later, 'GET /later');
    expect(origin.accepted).toBe(1);
    await untilUpstreamIdle(gateway);
  });

  test('a full line lets the next ones wait, and they come in order', async () => {
    const { prime, reach, ask, held, gateway, origin } = await setUp({ max: 1, pipelining: 2 });
    await prime();
    const clients = [await reach('/0'), await reach('/1')];
    for (let i = 2; i < 6; i++) {
      clients.push(await ask(`/${i}`));
      await gatewayHas(gateway, i + 1);
    }
    for (let i = 0; i < 6; i++) {
      const one = await origin.until(() => held[i], `/${i} at the origin`);
      one.answer();
      await expectOwn(clients[i], `GET /${i}`);
    }
    expect(held.map(({ target }) => target)).toEqual(['/0', '/1', '/2', '/3', '/4', '/5']);
    expect(origin.accepted).toBe(1);
  });
});

describe('a reload', () => {
  test('that ends pipelining leaves what is in flight alone, and puts no more behind it', async () => {
    const { prime, reach, held, placesOf, gateway, origin, answerAll } = await setUp();
    await prime();
    const clients = [await reach('/a'), await reach('/b')];
    const service = (pipelining: number) => ({ service: { ...NEVER_DOWN, connections: { pipelining } } });
    await gateway.gateway.apply(await configOf(configFor([origin.url], service(1))));
    clients.push(await reach('/c'));
    expect([placesOf('/a'), placesOf('/b'), placesOf('/c')]).toEqual([[0], [0], [1]]);
    answerAll();
    for (const [at, name] of ['a', 'b', 'c'].entries()) await expectOwn(clients[at], `GET /${name}`);
    await untilUpstreamIdle(gateway);
    const alone = [await reach('/d'), await reach('/e')];
    expect(new Set(held.map(({ connection }) => connection)).size).toBe(2);
    answerAll();
    for (const one of alone) await one.answer();
    await gateway.gateway.apply(await configOf(configFor([origin.url], service(4))));
    await untilUpstreamIdle(gateway);
    // The connection that rests since then is one of those that can be shared.
    await reach('/f');
    await reach('/g');
    expect(held).toHaveLength(2);
    answerAll();
  });

  test.each([1, 4])(
    'that allows fewer connections than rest: whoever meets a stale one still has a new one (pipelining %i)',
    async (pipelining) => {
      const { reach, ask, held, gateway, origin, answerAll, clients } = await setUp({ pipelining });
      for (const target of ['/a', '/b', '/c']) await reach(target);
      answerAll();
      for (const one of clients) await one.answer();
      await untilUpstreamIdle(gateway);
      const service = { ...NEVER_DOWN, connections: { pipelining, max: 1 } };
      await gateway.gateway.apply(await configOf(configFor([origin.url], { service })));
      const client = await ask('/d');
      (await origin.until(() => held.shift(), '/d')).connection.reset();
      (await origin.until(() => held.shift(), '/d once more')).answer();
      await expectOwn(client, 'GET /d');
      await untilUpstreamIdle(gateway);
    },
  );

  test('that takes the endpoint away lets its lines end', async () => {
    const { prime, reach, held, gateway, connections } = await withConnections();
    await prime();
    const clients = [await reach('/a'), await reach('/b')];
    const reply = configFor(['http://127.0.0.1:9']);
    await gateway.gateway.apply(await configOf(reply));
    for (const one of held.splice(0)) one.answer();
    await expectOwn(clients[0], 'GET /a');
    await expectOwn(clients[1], 'GET /b');
    await expect.poll(() => connections()[0].ended).not.toBe(null);
  });

  async function withConnections() {
    const set = await setUp();
    return { ...set, connections: () => set.origin.connections };
  }
});

test('an upstream that answers before it is asked loses the connection, and nobody gets that answer', async () => {
  const { prime, origin, gateway, reach, held } = await setUp();
  await prime();
  origin.connections[0].write(okAnswer({ method: 'GET', target: '/early' }));
  await untilUpstreamClosed(gateway);
  const client = await reach('/a');
  // More than was asked for: the first is the answer, and what follows is nobody's.
  held[0].connection.write(okAnswer({ method: 'GET', target: '/a' }) + okAnswer({ method: 'GET', target: '/more' }));
  await expectOwn(client, 'GET /a');
  await untilUpstreamClosed(gateway);
  client.close();
  await expect.poll(() => client.unread.length).toBe(0);
});

test('works under TLS', async () => {
  const authority = createAuthority();
  const waiting: ServerResponse[] = [];
  let sockets = 0;
  const server = createServer(authority.issue({ names: ['127.0.0.1'] }), (request, response) => {
    response.setHeader('x-request-line', `${request.method} ${request.url}`);
    if (request.url === '/prime') response.end('ok');
    else if (waiting.push(response) === 3) for (const one of waiting.reverse()) one.end('ok');
  });
  server.on('secureConnection', () => sockets++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(server);
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service = { connections: { pipelining: 4, max: 1 }, tls: { caFile: '/ca.pem' } };
  const gateway = await startTestGateway(configFor([url], { service }), [], undefined, { '/ca.pem': authority.ca });
  opened.push(gateway);
  const clients = await Promise.all(Array.from({ length: 3 }, () => rawClient(gateway.port)));
  opened.push(...clients);
  await clients[0].send('GET /prime HTTP/1.1\r\nHost: a\r\n\r\n');
  await expectOwn(clients[0], 'GET /prime');
  for (const [at, one] of clients.entries()) await one.send(`GET /${at} HTTP/1.1\r\nHost: a\r\n\r\n`);
  // Answered in the other order, which the protocol puts right: each has its own.
  for (const [at, one] of clients.entries()) await expectOwn(one, `GET /${at}`);
  expect(sockets).toBe(1);
});

test('clients that leave at every moment leave nothing behind', async () => {
  const { prime, ask, held, gateway, clients, client } = await setUp({ pipelining: 8, max: 4 });
  await prime();
  for (let i = 0; i < 60; i++) {
    await ask(`/${i}`);
    if (i % 3 === 0) clients[Math.floor(i / 2)].reset();
    if (i % 4 === 0) held.shift()?.answer();
    if (i % 7 === 0) held[0]?.connection.reset();
  }
  for (const one of clients) one.reset();
  client.close();
  clock.skip(PATIENCE);
  await untilQuiet(gateway);
  clock.skip(PATIENCE);
  await untilUpstreamIdle(gateway);
});

async function gatewayHas(gateway: { readonly gateway: { readonly active: number } }, count: number): Promise<void> {
  await expect.poll(() => gateway.gateway.active).toBe(count);
}

/** The gateway's timers have looked at the clock since. */
function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2 * TICK));
}
