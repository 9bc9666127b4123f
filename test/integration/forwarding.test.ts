/** What goes up and what comes back: heads, bodies, interim answers, trailers, keep-alive, and who speaks first. */
import { describe, expect, test } from 'vitest';
import { configWith, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type Proxied, type ProxiedParts, startProxied } from '../support/proxied.ts';
import { untilUpstreamIdle } from '../support/quiet.ts';
import { exchange, headerOf, rawClient } from '../support/raw-client.ts';
import { type OriginScript, startOrigin } from '../support/raw-origin.ts';
import { listOf, valuesOf, type WireField } from '../support/wire-fields.ts';

function first(fields: readonly WireField[], name: string): string | undefined {
  return valuesOf(fields, name).at(0);
}

const opened = closedAfterEach();

const setUp = (script?: OriginScript, parts?: ProxiedParts): Promise<Proxied> => startProxied(opened, script, parts);

describe('the request that the upstream gets', () => {
  test('has the forwarding fields, made anew for an untrusted client', async () => {
    const { origin, gateway, client } = await setUp();
    await client.send(
      'GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n' +
        'Forwarded: for=6.6.6.6\r\nX-Request-ID: mine\r\nConnection: x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n' +
        'TE: trailers\r\nUpgrade: websocket\r\nProxy-Connection: close\r\nX-End: 1\r\n\r\n',
    );
    const answer = await client.answer();
    const { fields, target } = await origin.request(0);
    expect(target).toBe('/a?b=c');
    expect(first(fields, 'host')).toBe('shop.example');
    expect(listOf(fields, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(first(fields, 'x-forwarded-proto')).toBe('http');
    expect(first(fields, 'x-forwarded-host')).toBe('shop.example');
    expect(first(fields, 'x-forwarded-port')).toBe(String(gateway.port));
    expect(first(fields, 'forwarded')).toBe('for=127.0.0.1;host="shop.example";proto=http');
    expect(first(fields, 'via')).toBe('1.1 portico');
    expect(first(fields, 'x-request-id')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(headerOf(answer, 'x-request-id')).toBe(first(fields, 'x-request-id'));
    expect(first(fields, 'traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    expect(first(fields, 'te')).toBe('trailers');
    expect(first(fields, 'x-end')).toBe('1');
    for (const name of ['x-hop', 'keep-alive', 'upgrade', 'proxy-connection'])
      expect(first(fields, name)).toBeUndefined();
  });

  test('keeps what a trusted proxy says, and finds the client behind it', async () => {
    const { origin, client } = await setUp({}, { listener: { trustedProxies: ['127.0.0.1/32', '10.0.0.0/8'] } });
    await client.send(
      'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n' +
        'X-Request-ID: from-the-edge\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\ntracestate: a=b\r\n\r\n',
    );
    const answer = await client.answer();
    const { fields } = await origin.request(0);
    expect(listOf(fields, 'x-forwarded-for')).toEqual(['6.6.6.6', '192.0.2.7', '10.1.1.1', '127.0.0.1']);
    expect(first(fields, 'x-forwarded-proto')).toBe('https');
    expect(headerOf(answer, 'x-request-id')).toBe('from-the-edge');
    expect(first(fields, 'traceparent')).toMatch(
      /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-00$/,
    );
    expect(first(fields, 'tracestate')).toBe('a=b');
  });

  test('names the host of an absolute target, whatever Host says', async () => {
    const { origin, client } = await setUp();
    await client.send('GET http://real.example:81/x?y HTTP/1.1\r\nHost: fake.example\r\n\r\n');
    await client.answer();
    const { fields, target } = await origin.request(0);
    expect(target).toBe('/x?y');
    expect(listOf(fields, 'host')).toEqual(['real.example:81']);
    expect(first(fields, 'x-forwarded-host')).toBe('fake.example');
  });
});

describe('interim answers', () => {
  test('100 is relayed from the upstream, and the body follows', async () => {
    const { origin, client } = await setUp({
      onHead: (_head, connection) => connection.write('HTTP/1.1 100 Continue\r\n\r\n'),
    });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    await client.untilBytes(25);
    expect(origin.connections[0].pending.toString('latin1')).toContain('Expect: 100-continue');
    await client.send('hello');
    expect((await client.read()).kind).toBe('answer');
    expect((await origin.request(0)).body.toString()).toBe('hello');
  });

  test('100 is sent for an upstream that says nothing', async () => {
    const { origin, client } = await setUp();
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    expect((await client.untilBytes(25)).toString('latin1')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    await client.send('hello');
    await client.answer();
    expect((await origin.request(0)).body.toString()).toBe('hello');
  });

  test('a refusal comes instead of 100, and the connection ends', async () => {
    const { origin, client } = await setUp({}, { listener: { limits: { requestBody: '1KiB' } } });
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n');
    const outcome = await client.read();
    expect(outcome).toMatchObject({ kind: 'answer', interim: [], answer: { status: 413 } });
    expect(await client.untilClosed()).toBe('end');
    expect(origin.connections).toHaveLength(0);
  });

  test('103 is relayed to HTTP/1.1 and kept from HTTP/1.0', async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
    const { gateway, client } = await setUp({
      onRequest: (_request, connection) => connection.write(`${hints}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`),
    });
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const outcome = await client.read();
    expect(outcome).toMatchObject({ kind: 'answer', interim: [{ status: 103 }], answer: { status: 200 } });
    const old = await rawClient(gateway.port);
    opened.push(old);
    await old.send('GET / HTTP/1.0\r\n\r\n');
    expect(await old.read()).toMatchObject({ kind: 'answer', interim: [], answer: { status: 200 } });
  });
});

describe('trailers', () => {
  test('go both ways where the client says TE: trailers', async () => {
    const { origin, client } = await setUp({
      onRequest: (_request, connection) =>
        connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n'),
    });
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n';
    await client.send(`${head}TE: trailers\r\n\r\n3\r\nabc\r\n0\r\nX-In: 9\r\n\r\n`);
    const answer = await client.answer();
    expect(answer.body.toString()).toBe('ok');
    expect(first(answer.trailers, 'x-sum')).toBe('7');
    const request = await origin.request(0);
    expect(first(request.trailers, 'x-in')).toBe('9');
    await client.send(`${head}\r\n0\r\n\r\n`);
    expect((await client.answer()).trailers).toEqual([]);
  });
});

describe('connections', () => {
  test('pipelined requests are answered in order on one connection', async () => {
    const { origin, client } = await setUp();
    const requests = [1, 2, 3, 4, 5].map((n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.send(requests.join(''));
    for (const n of [1, 2, 3, 4, 5]) expect(headerOf(await client.answer(), 'x-request-line')).toBe(`GET /${n}`);
    expect(origin.connections).toHaveLength(1);
  });

  test('ten thousand pipelined requests to a static answer do not exhaust the stack', async () => {
    const gateway = await startTestGateway({
      version: 1,
      listeners: [{ name: 'test', address: '127.0.0.1:0' }],
      admin: false,
      logging: { access: false },
      routes: [{ name: 'static', match: { path: '/s' }, respond: { status: 204 } }],
    });
    const client = await rawClient(gateway.port);
    opened.push(gateway, client);
    const count = 10_000;
    await client.send(
      'GET /s HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count - 1) +
        'GET /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    let text = '';
    client.socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    await new Promise((resolve) => client.socket.once('end', resolve));
    expect(text.match(/HTTP\/1\.1 204 /g)?.length ?? 0).toBeGreaterThanOrEqual(count - 1);
  });

  test('HTTP/1.0 is closed unless it asks to be kept, and never gets chunks', async () => {
    const { gateway, client } = await setUp({
      onRequest: (_request, connection) =>
        connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
    });
    await client.send('GET / HTTP/1.0\r\n\r\n');
    const answer = await client.answer();
    expect(answer.body.toString()).toBe('ok');
    expect(headerOf(answer, 'transfer-encoding')).toBeUndefined();
    expect(await client.untilClosed()).toBe('end');
    const kept = await rawClient(gateway.port);
    opened.push(kept);
    await kept.send('HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(headerOf(await kept.answer('HEAD'), 'connection')).toBe('keep-alive');
  });

  test('a client that half-closes still gets its answer', async () => {
    const { client } = await setUp();
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    client.halfClose();
    expect((await client.answer()).status).toBe(200);
    expect(await client.untilClosed()).toBe('end');
  });

  test('an early answer lets the connection live when the rest of the body is small', async () => {
    const { origin, client } = await setUp({
      onHead: (_head, connection) => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly'),
    });
    await client.send('POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    expect((await client.answer()).body.toString()).toBe('early');
    await client.send('defghij');
    await client.send('POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    expect((await client.answer()).body.toString()).toBe('early');
    // The first upstream connection never got its whole request: it must not have been used again.
    expect(origin.connections.length).toBe(2);
  });

  test('a stale upstream connection is replaced without the client noticing', async () => {
    const { origin, client } = await setUp();
    await client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.answer();
    // It closes the moment the next request arrives: the race that every keep-alive connection can lose.
    origin.script.onHead = (_head, connection) => {
      if (connection.id === 0) connection.reset();
    };
    origin.script.onRequest = (request, connection) => {
      if (connection.id !== 0)
        connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${request.target.length}\r\n\r\n${request.target}`);
    };
    await client.send('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.answer()).body.toString()).toBe('/2');
  });

  test('a POST on a stale connection is not sent twice', async () => {
    const { origin, client } = await setUp();
    await client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.answer();
    origin.script.onHead = (_head, connection) => connection.reset();
    origin.script.onRequest = () => {};
    await client.send('POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    expect(await client.answer()).toMatchObject({ status: 502 });
    expect(origin.requests.filter(({ target }) => target === '/2').length).toBeLessThanOrEqual(1);
    expect(origin.connections).toHaveLength(1);
  });

  test('an upstream cut in the middle is cut for the client', async () => {
    const { gateway, client } = await setUp({
      onRequest: (_request, connection) => {
        connection.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', () =>
          connection.end(),
        );
      },
    });
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.read()).toMatchObject({ kind: 'cut' });
    await expect(exchange(gateway.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).rejects.toThrow(/no complete answer/);
  });

  test('a client that goes away takes its upstream request with it', async () => {
    const { origin, gateway, client } = await setUp({ onRequest: () => {} });
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await origin.request(0);
    client.reset();
    await origin.until(() => origin.open.length === 0, 'the upstream connection to be closed');
    expect(gateway.gateway.active).toBe(0);
  });
});

describe('what once went wrong', () => {
  test('an empty chunked body ends, also when a connection had to be opened first', async () => {
    const { origin, client } = await setUp();
    await client.send('POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    expect((await origin.request(0)).body).toHaveLength(0);
  });

  test('requests pipelined behind a slow one are answered after a half-close, whoever answers them', async () => {
    const origin = await startOrigin();
    const gateway = await startTestGateway(
      configWith({
        services: [{ name: 's', endpoints: [origin.url] }],
        routes: [
          { name: 'own', match: { path: '/own' }, respond: { status: 200, body: 'own' } },
          { name: 'all', match: { pathPrefix: '/' }, service: 's' },
        ],
      }),
    );
    const client = await rawClient(gateway.port);
    opened.push(origin, gateway, client);
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    await client.send(request('/far') + request('/own').repeat(3));
    client.halfClose();
    for (const body of ['ok', 'own', 'own', 'own']) expect((await client.answer()).body.toString()).toBe(body);
    expect(await client.untilClosed()).toBe('end');
  });

  test('a client that pipelines and does not read is read no further, and goes on when it reads', async () => {
    const body = 'x'.repeat(2000);
    const gateway = await startTestGateway(
      configWith({ routes: [{ name: 'own', match: { path: '/s' }, respond: { status: 200, body } }] }),
    );
    const client = await rawClient(gateway.port);
    opened.push(gateway, client);
    client.socket.pause();
    const request = Buffer.from('GET /s HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000));
    let sent = 0;
    const count = 1000;
    await new Promise<void>((resolve) => {
      const more = (): void => {
        while (sent < count) {
          sent++;
          if (!client.socket.write(request)) {
            // Nobody takes them any more: kernel buffers and the gateway's stash are full.
            const timer = setTimeout(resolve, 300);
            client.socket.once('drain', () => {
              clearTimeout(timer);
              more();
            });
            return;
          }
        }
        resolve();
      };
      more();
    });
    expect(sent).toBeLessThan(count);
    let received = 0;
    const seen = new Promise<void>((resolve) => {
      client.socket.on('data', (bytes: Buffer) => {
        received += bytes.length;
        if (received > 2_000_000) resolve();
      });
    });
    client.socket.resume();
    await seen;
  });
});

test('a client that resets its connection together with its last bytes waits for no answer', async () => {
  const { origin, gateway } = await setUp({ onRequest: () => {} });
  for (let i = 0; i < 20; i++) {
    const leaving = await rawClient(gateway.port);
    opened.push(leaving);
    void leaving.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    leaving.reset();
  }
  await untilUpstreamIdle(gateway);
  await expect.poll(() => gateway.gateway.active).toBe(0);
  // It could have been noticed before the request was read: then there would have been nothing to see here.
  expect(origin.accepted).toBeGreaterThan(0);
});
