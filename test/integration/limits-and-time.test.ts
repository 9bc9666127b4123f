/** Who is slow, who is too big, and who waits: deadlines, limits, queues, retries, and what a client sees of each. */
import { describe, expect, test } from 'vitest';
import { configFor, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type Proxied, type ProxiedParts, startProxied } from '../support/proxied.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { type OriginScript, startOrigin } from '../support/raw-origin.ts';

const opened = closedAfterEach();

const setUp = (script?: OriginScript, parts?: ProxiedParts): Promise<Proxied> => startProxied(opened, script, parts);

function codeOf(answer: { body: Buffer }): string {
  return (JSON.parse(answer.body.toString()) as { code: string }).code;
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('slow clients', () => {
  const listener = { timeouts: { requestHead: '60ms', bodyIdle: '60ms', keepAlive: '60ms' } };

  test('a head that does not end is answered 408 and closed', async () => {
    const { client } = await setUp({}, { listener });
    await client.send('GET / HTTP/1.1\r\nHost:');
    const answer = await client.answer();
    expect([answer.status, codeOf(answer), headerOf(answer, 'connection')]).toEqual([408, 'request_timeout', 'close']);
    expect(await client.untilClosed()).toBe('end');
  });

  test('a body that stalls is answered 408, and the upstream request is given up', async () => {
    const { origin, client } = await setUp({}, { listener });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    expect((await client.answer()).status).toBe(408);
    await origin.until(() => origin.open.length === 0, 'the upstream connection to be closed');
    expect(origin.requests).toHaveLength(0);
  });

  test('an idle connection is closed without a word', async () => {
    const { client } = await setUp({}, { listener });
    await client.send(GET);
    await client.answer();
    expect(await client.untilClosed()).toBe('end');
  });
});

describe('slow and dead upstreams', () => {
  test('no head in time is 504', async () => {
    const { origin, client } = await setUp({ onRequest: () => {} }, { service: { timeouts: { response: '50ms' } } });
    await client.send(GET);
    const answer = await client.answer();
    expect([answer.status, codeOf(answer)]).toEqual([504, 'upstream_timeout']);
    await origin.until(() => origin.open.length === 0, 'the upstream connection to be closed');
  });

  test("the route's time cuts an answer that has begun", async () => {
    const { client } = await setUp(
      { onRequest: (_request, connection) => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc') },
      { route: { timeout: '80ms' } },
    );
    await client.send(GET);
    expect(await client.read()).toMatchObject({ kind: 'cut', status: 200 });
  });

  test('nobody listening is 502, and after five failures 503 at once with Retry-After', async () => {
    const gone = await startOrigin();
    await gone.close();
    const gateway = await startTestGateway(configFor([gone.url]));
    const client = await rawClient(gateway.port);
    opened.push(gateway, client);
    for (let i = 0; i < 5; i++) {
      await client.send(GET);
      expect(codeOf(await client.answer())).toBe('upstream_connect_failed');
    }
    await client.send(GET);
    const answer = await client.answer();
    expect([answer.status, codeOf(answer)]).toEqual([503, 'no_healthy_endpoint']);
    expect(Number(headerOf(answer, 'retry-after'))).toBeGreaterThan(0);
  });
});

describe('retries', () => {
  test('go to another endpoint when one does not listen', async () => {
    const gone = await startOrigin();
    await gone.close();
    const origin = await startOrigin();
    const retry = { attempts: 2, on: ['connect-failure'], backoff: { base: '1ms', max: '1ms' } };
    const gateway = await startTestGateway(configFor([gone.url, origin.url], { route: { retry } }));
    const client = await rawClient(gateway.port);
    opened.push(origin, gateway, client);
    for (let i = 0; i < 4; i++) {
      await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
      expect((await client.answer()).status).toBe(200);
    }
    expect(origin.requests.map(({ body }) => body.toString())).toEqual(['hello', 'hello', 'hello', 'hello']);
  });

  test('on a status replay a small body, and the last status passes through', async () => {
    let sends = 0;
    const { origin, client } = await setUp(
      {
        onRequest: (_request, connection) => {
          sends++;
          connection.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nX-Own: yes\r\n\r\nbusy');
        },
      },
      { route: { retry: { attempts: 3, on: [503], backoff: { base: '1ms', max: '2ms' } } } },
    );
    await client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    const answer = await client.answer();
    expect([answer.status, headerOf(answer, 'x-own'), answer.body.toString()]).toEqual([503, 'yes', 'busy']);
    expect(sends).toBe(3);
    expect(origin.requests.map(({ body }) => body.toString())).toEqual(['hello', 'hello', 'hello']);
  });

  test('are not made of a POST that was sent', async () => {
    const { origin, client } = await setUp(
      { onRequest: (_request, connection) => connection.reset() },
      { route: { retry: { attempts: 3, on: ['reset', 'connect-failure'] } } },
    );
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    expect(codeOf(await client.answer())).toBe('upstream_reset');
    expect(origin.requests).toHaveLength(1);
  });

  test('are made when one try takes too long', async () => {
    let sends = 0;
    const { client } = await setUp(
      {
        onRequest: (_request, connection) =>
          ++sends === 2 && connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
      },
      { route: { retry: { attempts: 2, on: ['reset'], perTryTimeout: '60ms', backoff: { base: '1ms', max: '1ms' } } } },
    );
    await client.send(GET);
    expect((await client.answer()).status).toBe(200);
  });
});

describe('limits', () => {
  test('a chunked body over the limit is 413 in the middle, and nothing is complete at the origin', async () => {
    const { origin, client } = await setUp({}, { listener: { limits: { requestBody: '1KiB' } } });
    await client.send(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n${'x'.repeat(2048)}\r\n0\r\n\r\n`,
    );
    expect(codeOf(await client.answer())).toBe('payload_too_large');
    expect(await client.untilClosed()).toBe('end');
    expect(origin.requests).toHaveLength(0);
  });

  test('a queue that is full is 503 at once, one that stands too long 503 later', async () => {
    const { origin, gateway, client } = await setUp(
      { onRequest: () => {} },
      { service: { connections: { max: 1, queue: 1, queueTimeout: '80ms' } } },
    );
    const second = await rawClient(gateway.port);
    const third = await rawClient(gateway.port);
    opened.push(second, third);
    await client.send(GET);
    await origin.request(0);
    await second.send(GET);
    await third.send(GET);
    const answers = await Promise.all([second.answer(), third.answer()]);
    for (const answer of answers) expect([answer.status, codeOf(answer)]).toEqual([503, 'overloaded']);
    expect(origin.connections).toHaveLength(1);
  });

  test('too many requests at once are 503', async () => {
    const origin = await startOrigin({ onRequest: () => {} });
    const gateway = await startTestGateway({ ...configFor([origin.url]), limits: { concurrentRequests: 1 } });
    const client = await rawClient(gateway.port);
    const second = await rawClient(gateway.port);
    opened.push(origin, gateway, client, second);
    await client.send(GET);
    await origin.request(0);
    await second.send(GET);
    const answer = await second.answer();
    expect([answer.status, codeOf(answer), headerOf(answer, 'retry-after')]).toEqual([503, 'overloaded', '1']);
  });
});

describe('backpressure', () => {
  const SIZE = 256 * 1024 * 1024;
  const BLOCK = Buffer.alloc(1024 * 1024, 'x');

  function residentMiB(): number {
    return process.memoryUsage.rss() / 1024 / 1024;
  }

  test('a client that stops reading stops the upstream', async () => {
    let written = 0;
    const { client } = await setUp({
      onRequest: (_request, connection) => {
        connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
        const more = (): void => {
          while (written < SIZE) {
            written += BLOCK.length;
            if (!connection.socket.write(BLOCK)) {
              connection.socket.once('drain', more);
              return;
            }
          }
        };
        more();
      },
    });
    client.socket.pause();
    const before = residentMiB();
    await client.send(GET);
    // The writer has stopped when it has written nothing for some time: kernel buffers are full and the gateway waits.
    let last = -1;
    while (last !== written) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(written).toBeLessThan(SIZE / 4);
    expect(residentMiB() - before).toBeLessThan(64);
  });

  test('an upstream that stops reading stops the client', async () => {
    const { client, origin } = await setUp(
      { onHead: (_head, connection) => connection.socket.pause() },
      { listener: { limits: { requestBody: '1GiB' } } },
    );
    client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
    await origin.until(() => origin.connections[0]?.received.length > 0, 'the head at the origin');
    let written = 0;
    const more = (): void => {
      while (written < SIZE) {
        written += BLOCK.length;
        if (!client.socket.write(BLOCK)) {
          client.socket.once('drain', more);
          return;
        }
      }
    };
    more();
    let last = -1;
    while (last !== written) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(written).toBeLessThan(SIZE / 4);
  });
});
