/** Sticky sessions through a running gateway: a client stays where it was while that serves, and nobody can choose for it. */
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { createAuthority } from '../support/certificates.ts';
import { configFor, configOf, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { exchange, rawClient } from '../support/raw-client.ts';
import { type Origin, startOrigin } from '../support/raw-origin.ts';
import { startTestSupervisor } from '../support/supervisor.ts';
import { handshake, switching } from '../support/websocket.ts';
import { valuesOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

/** Origins that answer with their name, and with a cookie of their own. */
async function origins(count: number): Promise<Origin[]> {
  const list = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      startOrigin({
        onRequest: (_request, connection) =>
          connection.write(`HTTP/1.1 200 OK\r\nSet-Cookie: own=${i}\r\nContent-Length: 2\r\n\r\no${i}`),
      }),
    ),
  );
  opened.push(...list);
  return list;
}

function stickyConfig(list: readonly (string | object)[], extra: { service?: object; route?: object } = {}): object {
  const loadBalancing = { algorithm: 'round-robin', sticky: { cookie: 'sid', ttl: '1h' } };
  return configFor(list as readonly string[], {
    service: { loadBalancing, ...extra.service },
    ...(extra.route === undefined ? {} : { route: extra.route }),
  });
}

async function start(config: object): Promise<TestGateway> {
  const gateway = await startTestGateway(config);
  opened.push(gateway);
  return gateway;
}

interface Seen {
  status: number;
  body: string;
  /** `sid=...` where the gateway set it. */
  set: string | undefined;
}

/** One request on a connection of its own. */
async function ask(port: number, cookie?: string, method = 'GET'): Promise<Seen> {
  const line = cookie === undefined ? '' : `Cookie: ${cookie}\r\n`;
  const answer = await exchange(port, `${method} / HTTP/1.1\r\nHost: a\r\n${line}\r\n`, method);
  const set = valuesOf(answer.fields, 'set-cookie').find((value) => value.startsWith('sid='));
  return { status: answer.status, body: answer.body.toString(), set: set?.split(';')[0] };
}

describe('a sticky service', () => {
  test('keeps a client where it was; the upstream keeps its own cookies, and sees all of the client’s', async () => {
    const list = await origins(3);
    const { port } = await start(stickyConfig(list.map(({ url }) => url)));
    const client = await rawClient(port);
    opened.push(client);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const first = await client.answer();
    const cookies = valuesOf(first.fields, 'set-cookie');
    expect(cookies).toHaveLength(2);
    expect(cookies[0]).toBe('own=0');
    expect(cookies[1]).toMatch(/^sid=[\w-]{60}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
    const sid = cookies[1].split(';')[0];
    for (let i = 0; i < 5; i++)
      expect(await ask(port, `a=1; ${sid}`)).toEqual({ status: 200, body: 'o0', set: undefined });
    expect(valuesOf((await list[0].request(3)).fields, 'cookie')).toEqual([`a=1; ${sid}`]);
    // Others take turns meanwhile.
    const others = await Promise.all(Array.from({ length: 6 }, () => ask(port)));
    expect(new Set(others.map(({ body }) => body))).toEqual(new Set(['o0', 'o1', 'o2']));
    expect(others.every(({ set }) => set !== undefined)).toBe(true);
    for (const { body, set } of others) expect((await ask(port, set)).body).toBe(body);
  });

  test.each([
    ['forged', `sid=${'A'.repeat(60)}`],
    ['malformed', 'sid=%%%'],
    ['oversized', `sid=${'A'.repeat(8000)}`],
    ['empty', 'sid='],
  ])('takes no notice of a cookie that is %s, and replaces it', async (_, cookie) => {
    const list = await origins(2);
    const { port } = await start(stickyConfig(list.map(({ url }) => url)));
    const bodies = [await ask(port, cookie), await ask(port, cookie)];
    expect(new Set(bodies.map(({ body }) => body)).size).toBe(2);
    expect(bodies.every(({ status, set }) => status === 200 && set !== undefined)).toBe(true);
  });

  test('moves a client whose endpoint is drained, gone or down, and lets it stay there', async () => {
    const list = await origins(2);
    const urls = list.map(({ url }) => url);
    const gateway = await start(stickyConfig(urls));
    const { set: sid, body } = await ask(gateway.port);
    expect(body).toBe('o0');
    const apply = async (endpoints: (string | object)[]): Promise<void> => {
      await gateway.gateway.apply(await configOf(stickyConfig(endpoints)));
    };
    // A reload that changes something else.
    await apply([...urls, 'http://127.0.0.1:1']);
    expect(await ask(gateway.port, sid)).toMatchObject({ body: 'o0', set: undefined });
    for (const endpoints of [[{ url: urls[0], drain: true }, urls[1]], [urls[1]]]) {
      await apply(endpoints);
      const moved = await ask(gateway.port, sid);
      expect(moved).toMatchObject({ body: 'o1', set: expect.stringMatching(/^sid=/) });
      expect(await ask(gateway.port, moved.set)).toMatchObject({ body: 'o1', set: undefined });
    }
    await apply(urls);
    expect(await ask(gateway.port, sid)).toMatchObject({ body: 'o0', set: undefined });
    const service = gateway.gateway.current!.services.get('origin')!;
    service.applyVerdict(service.endpoints[0], false, 'down');
    const moved = await ask(gateway.port, sid);
    expect(moved).toMatchObject({ body: 'o1', set: expect.stringMatching(/^sid=/) });
    service.applyVerdict(service.endpoints[0], true, 'up');
    expect(await ask(gateway.port, moved.set)).toMatchObject({ body: 'o1', set: undefined });
  });

  test('goes elsewhere by the plan of retries, and the cookie names who answered', async () => {
    const list = await origins(2);
    const urls = list.map(({ url }) => url);
    const retry = { attempts: 2, on: ['connect-failure', 503], backoff: { base: '0ms', max: '0ms' } };
    const gateway = await start(stickyConfig(urls, { route: { retry } }));
    const { set: sid } = await ask(gateway.port);
    list[0].script = { onRequest: (_, c) => c.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n') };
    const moved = await ask(gateway.port, sid);
    expect(moved).toMatchObject({ status: 200, body: 'o1', set: expect.stringMatching(/^sid=/) });
    expect(list[0].requests).toHaveLength(2);
    expect(await ask(gateway.port, moved.set)).toMatchObject({ body: 'o1', set: undefined });
  });

  test('sets no cookie with an answer that no endpoint gave', async () => {
    const gateway = await start(stickyConfig(['http://127.0.0.1:1']));
    expect(await ask(gateway.port)).toMatchObject({ status: 502, set: undefined });
  });

  test('keeps its cookie from policies that take away those of the upstream', async () => {
    const list = await origins(1);
    const route = { policies: [{ responseHeaders: { remove: ['set-cookie'] } }] };
    const { port } = await start(stickyConfig([list[0].url], { route }));
    const client = await rawClient(port);
    opened.push(client);
    await client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { fields } = await client.answer('HEAD');
    expect(valuesOf(fields, 'set-cookie')).toEqual([expect.stringMatching(/^sid=/)]);
  });
});

test('a WebSocket is opened where the cookie says, and the answer to the handshake sets it', async () => {
  const list = await origins(2);
  for (const origin of list) {
    const answers = origin.script.onRequest;
    origin.script = {
      onRequest: (request, connection) =>
        valuesOf(request.fields, 'upgrade').length > 0 ? connection.write(switching()) : answers?.(request, connection),
    };
  }
  const { port } = await start(
    stickyConfig(
      list.map(({ url }) => url),
      { route: { websocket: {} } },
    ),
  );
  const open = async (cookie: string | null): Promise<string | undefined> => {
    const client = await rawClient(port);
    opened.push(client);
    await client.send(handshake({ Cookie: cookie }));
    const answer = await client.answer();
    expect(answer.status).toBe(101);
    return valuesOf(answer.fields, 'set-cookie')[0]?.split(';')[0];
  };
  await ask(port);
  const sid = await open(null);
  expect([sid?.slice(0, 4), list[1].requests.length]).toEqual(['sid=', 1]);
  for (let i = 0; i < 3; i++) expect(await open(sid ?? '')).toBeUndefined();
  expect(await ask(port, sid)).toEqual({ status: 200, body: 'o1', set: undefined });
  expect([list[0].requests.length, list[1].requests.length]).toEqual([1, 5]);
});

test('over TLS the cookie is for TLS alone, also over HTTP/2', async () => {
  const list = await origins(2);
  const authority = createAuthority();
  const { cert, key } = authority.issue({ names: ['127.0.0.1'] });
  const sticky = stickyConfig(list.map(({ url }) => url)) as { listeners: object[] };
  const tls = { certificates: [{ certFile: 'a.crt', keyFile: 'a.key' }] };
  const config = { ...sticky, listeners: [{ ...sticky.listeners[0], tls }] };
  const gateway = await startTestGateway(config, [], { ...silentLogger }, { 'a.crt': cert, 'a.key': key });
  opened.push(gateway);
  const client = await http2Client(`https://127.0.0.1:${gateway.port}`, { ca: authority.ca });
  opened.push(client);
  const get = { ':path': '/', ':authority': '127.0.0.1' };
  const first = await client.request(get);
  const set = first.headers['set-cookie']?.[1] ?? '';
  expect(set).toMatch(/^sid=[\w-]{60}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure$/);
  for (let i = 0; i < 4; i++) {
    const answer = await client.request({ ...get, cookie: ['a=1', set.split(';')[0]] });
    expect([answer.body.toString(), answer.headers['set-cookie']]).toEqual(['o0', ['own=0']]);
  }
});

test('several workers, and those that take their place, know each other’s cookies', async () => {
  const list = await origins(2);
  const { supervisor, port } = await startTestSupervisor(
    opened,
    await configOf(stickyConfig(list.map(({ url }) => url))),
  );
  const { set: sid, body } = await ask(port);
  const all = async (): Promise<void> => {
    const seen = await Promise.all(Array.from({ length: 16 }, () => ask(port, sid)));
    expect(seen).toEqual(Array.from({ length: 16 }, () => ({ status: 200, body, set: undefined })));
  };
  await all();
  const pids = async (): Promise<number[]> =>
    (await supervisor.status()).workers.filter(({ state }) => state === 'running').map(({ pid }) => pid);
  const before = await pids();
  process.kill(before[0], 'SIGKILL');
  await expect.poll(async () => (await pids()).filter((pid) => pid !== before[0])).toHaveLength(2);
  await all();
}, 60_000);

test('explain tells what the cookie does', async () => {
  const list = await origins(2);
  const urls = list.map(({ url }) => url);
  const secret = 'a secret of many letters';
  const loadBalancing = { sticky: { cookie: 'sid', ttl: '1h', secret } };
  const config = await configOf(stickyConfig(urls, { service: { loadBalancing } }));
  const { port } = await start(stickyConfig(urls, { service: { loadBalancing } }));
  await ask(port);
  const { set, body } = await ask(port);
  expect(body).toBe('o1');
  const explain = (cookie?: string) =>
    explainRequest(
      config,
      { method: 'GET', url: '/', headers: cookie === undefined ? [] : [`Cookie: ${cookie}`] },
      builtInPolicies,
    );
  expect((await explain()).sticky).toBe('by the cookie sid for 1h: the request has none and is given one');
  const named = await explain(set);
  expect(named.sticky).toBe(`by the cookie sid for 1h: it names ${urls[1]}`);
  expect(named.endpoints.find(({ chosen }) => chosen)?.url).toBe(urls[1]);
  expect((await explain('sid=x')).sticky).toMatch(/not valid/);
});
