/** Calls of the gateway itself: whole answers, or an error in time. */
import { describe, expect, test } from 'vitest';
import { closedAfterEach } from '../../test/support/opened.ts';
import { type OriginScript, startOrigin } from '../../test/support/raw-origin.ts';
import { KeepAliveHttpClient } from './http-client.ts';

const opened = closedAfterEach();

async function start(script: OriginScript) {
  const origin = await startOrigin(script);
  const client = new KeepAliveHttpClient();
  opened.push(origin, client);
  return { origin, client };
}

/** Answers each request with these bytes. */
const always = (bytes: string): OriginScript => ({ onRequest: (_, connection) => connection.write(bytes) });

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a call', () => {
  test('sends what it is given, and answers with all that came back', async () => {
    const { origin, client } = await start(
      always(
        'HTTP/1.1 401 No\r\nContent-Length: 4\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1, x\r\nSet-Cookie: b=2\r\n\r\n\xc3\xa4\xc3\xb6',
      ),
    );
    const headers = { 'x-sent': 'yes' };
    const answer = await client.call({
      method: 'POST',
      url: `${origin.url}/p?q`,
      headers,
      body: 'ä',
      timeout: 5000,
    });
    expect(answer).toMatchObject({ status: 401, body: 'äö', cookies: ['a=1, x', 'b=2'] });
    expect(answer.headers['x-a']).toBe('1, 2');
    const [{ method, target, body }] = origin.requests;
    expect([method, target, body.toString()]).toEqual(['POST', '/p?q', 'ä']);
  });

  test('takes an open connection, and another one where that was just closed', async () => {
    let requests = 0;
    const { origin, client } = await start({
      onRequest: (_, connection) => {
        requests++;
        // The second one comes on the connection of the first.
        if (requests === 2) connection.reset();
        else connection.write(OK);
      },
    });
    const call = { method: 'GET', url: origin.url, timeout: 5000 } as const;
    expect((await client.call(call)).body).toBe('ok');
    expect((await client.call(call)).body).toBe('ok');
    expect([origin.requests.length, origin.accepted]).toEqual([3, 2]);
  });

  test.each<[string, OriginScript, RegExp, number?]>([
    ['of a connection that is closed at once', { onConnection: (c) => c.reset() }, /ECONNRESET|socket hang up/],
    ['without an answer in time', { onRequest: () => {} }, /no answer within 50 ms/, 50],
    [
      'of an answer that stalls',
      always('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok'),
      /no answer within 50 ms|aborted/,
      50,
    ],
    [
      'of an answer that is cut',
      {
        onRequest: (_, c) => {
          c.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok');
          c.end();
        },
      },
      /aborted/,
    ],
    [
      'of an answer that is too large',
      always(`HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n${'x'.repeat(99)}`),
      /large/,
    ],
    ['of what is not HTTP', always('hello there\r\n\r\n'), /Parse Error/],
  ])('%s fails', async (_, script, reason, timeout = 5000) => {
    const { origin, client } = await start(script);
    await expect(client.call({ method: 'GET', url: origin.url, timeout, maxBody: 50 })).rejects.toThrow(reason);
  });

  test('to where nobody is fails', async () => {
    const { origin, client } = await start({});
    await origin.close();
    await expect(client.call({ method: 'GET', url: origin.url, timeout: 5000 })).rejects.toThrow(/ECONNREFUSED/);
    await expect(client.call({ method: 'GET', url: 'ftp://a.example', timeout: 5000 })).rejects.toThrow(/cannot call/);
  });
});
