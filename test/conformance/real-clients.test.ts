/** Clients that we did not write, against a gateway in front of origins that are right and wrong: node:http, fetch, curl. */
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { curl, hasCurl } from '../support/curl.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { type Origin, okAnswer, startOrigin } from '../support/raw-origin.ts';

let origin: Origin;
let gateway: TestGateway;
let base: string;

/** Answers by target; everything else gets 200 with the request's body. */
const ANSWERS: Record<string, string> = {
  '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
  '/trailers':
    'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n',
  '/hints': 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  '/nothing': 'HTTP/1.1 204 No Content\r\n\r\n',
  '/short': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
  '/broken': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  '/garbage': 'SSH-2.0-OpenSSH_9.6\r\n\r\n',
};
const ENDS = new Set(['/short', '/broken', '/until-close']);

beforeAll(async () => {
  origin = await startOrigin({
    onRequest: (received, connection) => {
      const { target, method } = received;
      if (target === '/until-close') connection.write('HTTP/1.1 200 OK\r\n\r\nuntil the end');
      else connection.write(ANSWERS[target] ?? okAnswer({ method, target }, received.body.toString('latin1')));
      if (ENDS.has(target)) connection.end();
    },
  });
  gateway = await startTestGateway(configFor([origin.url]));
  base = `http://127.0.0.1:${gateway.port}`;
});

afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

interface Received {
  status: number;
  body: string;
  message: IncomingMessage;
  interim: number[];
}

function byNodeHttp(path: string, options: RequestOptions = {}, body: string[] = []): Promise<Received> {
  return new Promise((resolve, reject) => {
    const interim: number[] = [];
    const outgoing = request(base + path, options, (message) => {
      let text = '';
      message.setEncoding('latin1');
      message.on('data', (chunk: string) => (text += chunk));
      message.on('error', reject);
      message.on('end', () => resolve({ status: message.statusCode as number, body: text, message, interim }));
    });
    outgoing.on('information', ({ statusCode }) => interim.push(statusCode));
    outgoing.on('error', reject);
    const send = (): void => {
      for (const part of body) outgoing.write(part, 'latin1');
      outgoing.end();
    };
    if (options.headers !== undefined && 'expect' in options.headers) outgoing.on('continue', send);
    else send();
  });
}

describe('node:http', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  afterAll(() => agent.destroy());

  test('keeps one connection through all sorts of answers', async () => {
    const accepted = gateway.gateway.connections;
    const answers: [string, number, string][] = [];
    for (const path of ['/a', '/chunked', '/nothing', '/until-close', '/garbage', '/b']) {
      const { status, body } = await byNodeHttp(path, { agent });
      answers.push([path, status, status === 502 ? '' : body]);
    }
    expect(answers).toEqual([
      ['/a', 200, ''],
      ['/chunked', 200, 'hello world'],
      ['/nothing', 204, ''],
      ['/until-close', 200, 'until the end'],
      ['/garbage', 502, ''],
      ['/b', 200, ''],
    ]);
    expect(gateway.gateway.connections).toBe(accepted + 1);
  });

  test('sends bodies of both framings', async () => {
    const sized = await byNodeHttp('/x', { agent, method: 'POST', headers: { 'content-length': '5' } }, ['hello']);
    const chunked = await byNodeHttp('/x', { agent, method: 'PUT' }, ['he', 'llo', ' world']);
    expect([sized.body, chunked.body]).toEqual(['hello', 'hello world']);
  });

  test('waits for 100 Continue and gets it', async () => {
    const headers = { expect: '100-continue', 'content-length': '5' };
    const { status, body } = await byNodeHttp('/x', { agent, method: 'POST', headers }, ['hello']);
    expect([status, body]).toEqual([200, 'hello']);
  });

  test('sees early hints and trailers', async () => {
    expect((await byNodeHttp('/hints', { agent })).interim).toEqual([103]);
    const { body, message } = await byNodeHttp('/trailers', {
      agent,
      headers: { te: 'trailers', connection: 'te, keep-alive' },
    });
    expect([body, message.trailers]).toEqual(['hello', { 'x-sum': 'abc' }]);
  });

  test.each(['/short', '/broken'])('sees that %s was cut', async (path) => {
    await expect(byNodeHttp(path, { agent })).rejects.toThrow();
  });
});

describe('fetch', () => {
  test('gets and posts', async () => {
    expect(await (await fetch(`${base}/chunked`)).text()).toBe('hello world');
    const posted = await fetch(`${base}/x`, { method: 'POST', body: 'hello' });
    expect([posted.status, await posted.text()]).toEqual([200, 'hello']);
  });

  test('streams a request body', async () => {
    const parts = ['he', 'llo'].map((part) => Buffer.from(part));
    const body = new ReadableStream({
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    });
    const init = { method: 'POST', body, duplex: 'half' } as unknown as RequestInit;
    expect(await (await fetch(`${base}/x`, init)).text()).toBe('hello');
  });

  test('has no body for HEAD and 204', async () => {
    const head = await fetch(`${base}/a`, { method: 'HEAD' });
    const none = await fetch(`${base}/nothing`);
    expect([head.status, await head.text(), none.status, await none.text()]).toEqual([200, '', 204, '']);
  });

  test.each(['/short', '/broken'])('sees that %s was cut', async (path) => {
    await expect(fetch(base + path).then((response) => response.text())).rejects.toThrow();
  });
});

describe.skipIf(!hasCurl)('curl', () => {
  test('gets', async () => {
    expect(await curl([`${base}/chunked`])).toMatchObject({ exit: 0, status: 200, body: 'hello world' });
  });

  test('gets on HTTP/1.0, where nothing is chunked', async () => {
    const result = await curl(['--http1.0', `${base}/chunked`]);
    expect(result).toMatchObject({ exit: 0, status: 200, body: 'hello world' });
    expect(result.heads).not.toMatch(/transfer-encoding/i);
  });

  test('uploads from a pipe, chunked', async () => {
    const body = 'b'.repeat(200_000);
    const result = await curl(['--upload-file', '-', `${base}/x`], body);
    expect([result.exit, result.status, result.body.length]).toEqual([0, 200, body.length]);
  });

  test('posts what is large with Expect: 100-continue', async () => {
    const body = 'b'.repeat(2_000_000);
    const result = await curl(['--data-binary', '@-', '-H', 'Expect: 100-continue', `${base}/x`], body);
    expect([result.exit, result.status, result.body.length]).toEqual([0, 200, body.length]);
    expect(result.heads).toMatch(/^HTTP\/1\.1 100 /);
  });

  test('gets several over one connection, HEAD among them', async () => {
    expect(await curl([`${base}/a`, `${base}/chunked`, `${base}/nothing`, `${base}/until-close`])).toMatchObject({
      exit: 0,
    });
    expect(await curl(['--head', `${base}/a`])).toMatchObject({ exit: 0, status: 200 });
  });

  test.each(['/short', '/broken'])('sees that %s was cut', async (path) => {
    const { exit, body } = await curl([base + path]);
    expect([18, 56]).toContain(exit);
    expect('hello').toContain(body);
  });

  test('asks through the gateway as a proxy', async () => {
    const result = await curl(['--proxy', base, 'http://b.example/p']);
    expect(result).toMatchObject({ exit: 0, status: 200 });
    expect(origin.requests.at(-1)?.fields).toContainEqual({ name: 'Host', value: 'b.example' });
  });
});

test('nothing is left of all that', async () => {
  await expect.poll(() => gateway.gateway.active).toBe(0);
  expect(origin.faults).toEqual([]);
});
