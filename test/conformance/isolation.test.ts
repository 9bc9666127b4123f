/** Bytes of one exchange never turn up in another: all connections are read into shared buffers, and must be copied in time. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { untilQuiet } from '../support/quiet.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';
import { type Origin, okAnswer, startOrigin } from '../support/raw-origin.ts';
import { turn } from '../support/waiting.ts';

const CLIENTS = 8;
/** Beyond what the kernel holds for one connection, so that writes stay incomplete. */
const LARGE = 6_000_000;

let origin: Origin;
let gateway: TestGateway;
let clients: RawClient[];

beforeEach(async () => {
  origin = await startOrigin();
  gateway = await startTestGateway(configFor([origin.url]));
  clients = await Promise.all(Array.from({ length: CLIENTS }, () => rawClient(gateway.port)));
});

afterEach(async () => {
  for (const client of clients) client.close();
  await untilQuiet(gateway);
  await gateway.close();
  await origin.close();
});

function bytesOfClient(target: string, length: number): Buffer {
  return Buffer.alloc(length, `${target}.`);
}

/** Names the first byte that differs, rather than printing megabytes. */
function firstDifference(actual: Buffer, expected: Buffer): string {
  if (actual.equals(expected)) return '';
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) return `at ${i}: ${actual.toString('latin1', i, i + 20)}`;
  }
  return `${actual.length} bytes of ${expected.length}`;
}

test.each([100, 3000, 60_000])('bodies of %i bytes that arrive before their upstream connections', async (length) => {
  origin.script.onRequest = (request, connection) => {
    const difference = firstDifference(request.body, bytesOfClient(request.target, length));
    connection.write(okAnswer({ method: 'POST', target: request.target }, difference));
  };
  for (const [i, client] of clients.entries()) {
    const head = `POST /${i} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${length}\r\n\r\n`;
    void client.send(Buffer.concat([Buffer.from(head), bytesOfClient(`/${i}`, length)]));
  }
  const answers = await Promise.all(clients.map((client) => client.answer()));
  expect(answers.map(({ status, body }) => [status, body.toString('latin1')])).toEqual(clients.map(() => [200, '']));
});

test('bodies that a slow origin takes late', async () => {
  const length = LARGE;
  origin.script.onConnection = async ({ socket }) => {
    socket.pause();
    for (let i = 0; i < 200; i++) await turn();
    socket.resume();
  };
  origin.script.onRequest = (request, connection) => {
    const difference = firstDifference(request.body, bytesOfClient(request.target, length));
    connection.write(okAnswer({ method: 'POST', target: request.target }, difference));
  };
  for (const [i, client] of clients.slice(0, 3).entries()) {
    void client.send(`POST /${i} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${length}\r\n\r\n`);
    void client.send(bytesOfClient(`/${i}`, length));
  }
  const answers = await Promise.all(clients.slice(0, 3).map((client) => client.answer()));
  expect(answers.map(({ status, body }) => [status, body.toString('latin1')])).toEqual([
    [200, ''],
    [200, ''],
    [200, ''],
  ]);
});

test.each(['length', 'chunked'])('answers framed by %s that slow clients take late', async (framing) => {
  origin.script.onRequest = ({ target }, connection) => {
    const body = bytesOfClient(target, LARGE);
    if (framing === 'length') connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`);
    else connection.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${LARGE.toString(16)}\r\n`);
    connection.write(body);
    if (framing === 'chunked') connection.write('\r\n0\r\n\r\n');
  };
  const slow = clients.slice(0, 4);
  for (const [i, client] of slow.entries()) {
    client.socket.pause();
    void client.send(`GET /${i} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  }
  for (let i = 0; i < 200; i++) await turn();
  for (const client of slow) client.socket.resume();
  const answers = await Promise.all(slow.map((client) => client.answer()));
  expect(answers.map(({ body }, i) => firstDifference(body, bytesOfClient(`/${i}`, LARGE)))).toEqual(['', '', '', '']);
});

test('pipelined requests that wait while others are read', async () => {
  let held: (() => void)[] = [];
  origin.script.onRequest = (request, connection) => {
    held.push(() => connection.write(okAnswer(request)));
    if (held.length < CLIENTS) return;
    for (const release of held) release();
    held = [];
  };
  for (const [i, client] of clients.entries()) {
    void client.send(['a', 'b'].map((part) => `GET /${i}${part} HTTP/1.1\r\nHost: a.example\r\n\r\n`).join(''));
  }
  const seen = await Promise.all(clients.map(async (client) => [await client.answer(), await client.answer()]));
  const lines = seen.map((answers) =>
    answers.map(({ fields }) => fields.find(({ name }) => name === 'X-Request-Line')?.value),
  );
  expect(lines).toEqual(clients.map((_, i) => [`GET /${i}a`, `GET /${i}b`]));
});
