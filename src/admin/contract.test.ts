/** Every route of the contract, and the refused ways in: whoever adds a route has it held to this. */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, closeAll, expectProblem, start } from './admin.test.support.ts';
import { ADMIN_ROUTES } from './contract.ts';
import type { AdminRoute } from './route.ts';
import type { AdminSource } from './source.ts';

const TOKEN = 'the-token-of-the-test';
const BEARER = { authorization: `Bearer ${TOKEN}` };

/** Nothing that is refused may so much as look at the gateway: the answer would be 500. */
const untouchable = new Proxy({} as AdminSource, {
  get(_target, property) {
    throw new Error(`a refused request reached ${String(property)}`);
  },
});

afterEach(closeAll);

function guarded(): Promise<number> {
  return start({ token: TOKEN, source: untouchable });
}

/** The path of the example, without its query. */
function pathOf({ example }: AdminRoute): string {
  return example.path.split('?')[0];
}

/** What a sound request to the route has in its head. */
function headersOf({ body, example }: AdminRoute): Record<string, string> {
  if (body === undefined || example.body === undefined) return { ...example.headers };
  return { 'content-type': body.mediaTypes[0], ...example.headers };
}

/** A test that some routes have no use for: theirs is not there, rather than skipped. */
const NONE = Object.assign((): void => {}, { each: () => (): void => {} });

function unless(condition: boolean): Pick<typeof it, 'each'> & ((name: string, test: () => Promise<void>) => void) {
  return (condition ? NONE : it) as typeof it;
}

describe('the table of routes', () => {
  it('names every operation once, and every route is one of a path', () => {
    const ids = ADMIN_ROUTES.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const keys = ADMIN_ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('names /livez and /readyz as the open routes', () => {
    expect(ADMIN_ROUTES.filter((route) => route.open).map((route) => route.path)).toEqual(['/livez', '/readyz']);
  });
});

describe.each(ADMIN_ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_name, route) => {
  const { method, example, body } = route;
  const headers = headersOf(route);

  it('has an example that is a request to it', () => {
    const pattern = route.path.replace(/\{[A-Za-z]+\}/g, '[^/]+');
    expect(pathOf(route)).toMatch(new RegExp(`^${pattern}$`));
    expect(Object.keys(route.answers)).toContain(String(example.status));
    for (const id of example.after ?? []) expect(ADMIN_ROUTES.map((other) => other.id)).toContain(id);
    if (body === undefined) expect(example.body).toBeUndefined();
    else if (body.required) expect(example.body).toBeDefined();
  });

  unless(route.open === true)('is refused without the token', async () => {
    const answer = await ask(await guarded(), example.path, { method, headers }, example.body);
    expectProblem(answer, 401, 'unauthenticated');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="portico admin"');
  });

  unless(route.open === true).each(['Bearer wrong', `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN}x`])(
    'is refused with %s as its token',
    async (authorization) => {
      const options = { method, headers: { ...headers, authorization } };
      const answer = await ask(await guarded(), example.path, options, example.body);
      expectProblem(answer, 401, 'unauthenticated');
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="portico admin", error="invalid_token"');
    },
  );

  it.each(['http://evil.example', 'null', 'http://localhost.evil.example'])(
    'is refused to a page of %s',
    async (origin) => {
      const options = { method, headers: { ...headers, ...BEARER, origin } };
      expectProblem(await ask(await guarded(), example.path, options, example.body), 403, 'forbidden');
    },
  );

  it('is refused to a request for another host', async () => {
    const options = { method, headers: { ...headers, ...BEARER, host: 'evil.example' } };
    expectProblem(await ask(await guarded(), example.path, options, example.body), 421, 'misdirected_request');
  });

  it('is refused with a method that its path does not have, and says which those are', async () => {
    const port = await guarded();
    const known = ADMIN_ROUTES.filter(({ path }) => path === route.path).map((other) => other.method);
    const others = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'].filter(
      (name) => !known.some((one) => one === name),
    );
    for (const other of others) {
      const answer = await ask(port, pathOf(route), { method: other, headers: BEARER });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.allow?.replace('GET, HEAD', 'GET').split(', ')).toEqual(known);
    }
  });

  unless(route.params === undefined)('is refused with a path that is not percent-encoded UTF-8', async () => {
    const path = route.path.replace(/\{[A-Za-z]+\}/g, '%ff');
    expectProblem(await ask(await guarded(), path, { method, headers: BEARER }), 400, 'bad_request');
  });

  unless(method === 'GET' && route.query === undefined)('is refused with a parameter it does not know', async () => {
    const path = `${example.path}${example.path.includes('?') ? '&' : '?'}bogus=1`;
    const options = { method, headers: { ...headers, ...BEARER } };
    expectProblem(await ask(await guarded(), path, options, example.body), 400, 'bad_request');
  });

  unless(body !== undefined)('is refused with a body, which it does not take', async () => {
    const options = { method, headers: { ...BEARER, 'content-type': 'application/json', 'content-length': 2 } };
    expectProblem(await ask(await guarded(), example.path, options, '{}'), 400, 'bad_request');
  });

  unless(method === 'GET')('is refused to what a page of others may send without asking', async () => {
    const port = await guarded();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const options = { method, headers: { ...BEARER, 'content-type': type, 'content-length': 0 } };
      expectProblem(await ask(port, example.path, options), 415, 'unsupported_media_type');
    }
    const options = { method, headers: { ...BEARER, 'sec-fetch-site': 'cross-site' } };
    expectProblem(await ask(port, example.path, options), 403, 'forbidden');
  });

  unless(body === undefined)('is refused with a body of another media type or encoding', async () => {
    const port = await guarded();
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'image/png'];
    const kinds = [
      ...types.map((type) => ({ 'content-type': type })),
      { 'content-type': `${body?.mediaTypes[0]}; charset=utf-16` },
      { 'content-type': body?.mediaTypes[0], 'content-encoding': 'gzip' },
    ];
    for (const kind of kinds) {
      const answer = await ask(port, example.path, { method, headers: { ...BEARER, ...kind } }, '{}');
      expectProblem(answer, 415, 'unsupported_media_type');
      expect(answer.headers.accept).toBe(body?.mediaTypes.join(', '));
    }
  });

  unless(body === undefined)('is refused with a body that is too large, before it has come', async () => {
    const socket = connect(await guarded(), '127.0.0.1');
    socket.end(
      `${method} ${example.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${BEARER.authorization}\r\n` +
        `Content-Type: ${body?.mediaTypes[0]}\r\nContent-Length: ${(body?.limit ?? 0) + 1}\r\n\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 [\s\S]*Connection: close[\s\S]*"payload_too_large"/);
  });

  unless(body === undefined)('is refused with a body that is not UTF-8, or not there', async () => {
    const port = await guarded();
    const type = { 'content-type': body?.mediaTypes[0] };
    const options = { method, headers: { ...BEARER, ...type } };
    expectProblem(await ask(port, example.path, options, Buffer.from([0x22, 0xff, 0x22])), 400, 'bad_request');
    if (body?.required) expectProblem(await ask(port, example.path, options, ''), 400, 'bad_request');
  });
});
