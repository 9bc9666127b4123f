/** What the admin listener takes as parameters and bodies, and what it says to everything else. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Answer, ask, closeAll, start } from './admin.test.support.ts';
import { flag, wholeNumber } from './parameters.ts';
import { empty, json } from './reply.ts';
import { jsonBody, optionalJsonBody, YAML_MEDIA_TYPES } from './request-body.ts';
import { type AdminRoute, adminRoute } from './route.ts';

const usual = { summary: 's', answers: { 200: { description: 'd' } }, example: { path: '/', status: 200 } };

/** Answers with what it was given. */
const routes: readonly AdminRoute[] = [
  adminRoute({
    ...usual,
    method: 'GET',
    path: '/things',
    id: 'list',
    query: {
      full: flag('f'),
      size: wholeNumber(1, 100, 's').optional(),
      header: z.array(z.string()).default([]),
    },
    answer: (_source, { query }) => json(200, query),
  }),
  adminRoute({
    ...usual,
    method: 'GET',
    path: '/things/{name}',
    id: 'get',
    params: { name: z.string().max(8) },
    answer: (_source, { path }) => json(200, path),
  }),
  adminRoute({
    ...usual,
    method: 'GET',
    path: '/things/special',
    id: 'special',
    answer: () => json(200, 'the literal one'),
  }),
  adminRoute({
    ...usual,
    method: 'PUT',
    path: '/things/{name}',
    id: 'put',
    params: { name: z.string() },
    body: jsonBody(z.strictObject({ size: z.int().positive() }), { limit: 100 }),
    answer: (_source, { body, headers, refuse }) =>
      headers['if-match'] === '"old"'
        ? refuse('precondition_failed', 'It is not the old one.', { current: 'new' })
        : json(200, body, { ETag: '"new"' }),
  }),
  adminRoute({
    ...usual,
    method: 'DELETE',
    path: '/things/{name}',
    id: 'delete',
    params: { name: z.string() },
    answer: () => empty(),
  }),
  adminRoute({
    ...usual,
    method: 'POST',
    path: '/things/{name}/parts/{part}',
    id: 'post',
    params: { name: z.string(), part: z.string() },
    body: optionalJsonBody(z.strictObject({ a: z.int() })),
    answer: (_source, { path, body }) => json(200, { path, body: body ?? null }),
  }),
  adminRoute({
    ...usual,
    method: 'POST',
    path: '/text',
    id: 'text',
    body: {
      mediaTypes: ['application/json', ...YAML_MEDIA_TYPES],
      limit: 1024,
      required: true,
      schema: null,
      parse: (text, mediaType) => ({ value: { text, mediaType } }),
    },
    answer: (_source, { body }) => json(200, body),
  }),
];

afterEach(closeAll);

const JSON_TYPE = { 'content-type': 'application/json' };

function codeOf({ status, body }: Answer): [number, string, string] {
  const { code, detail } = JSON.parse(body);
  return [status, code, detail];
}

describe('parameters of admin requests', () => {
  it.each([
    ['/things/a%2Fb', { name: 'a/b' }],
    ['/things/%C3%A4', { name: 'ä' }],
    ['/things/a+b', { name: 'a+b' }],
    ['/things/special', 'the literal one'],
    ['/things', { full: false, header: [] }],
    ['/things?full=true&size=7', { full: true, size: 7, header: [] }],
    ['/things?header=a%3A%20b&header=c:+d', { full: false, header: ['a: b', 'c: d'] }],
    ['/things?&size=1&', { full: false, size: 1, header: [] }],
    ['/things/x?anything=%zz', { name: 'x' }],
  ])('%s is %j', async (path, expected) => {
    const answer = await ask(await start({ routes }), path);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, expected]);
  });

  it.each([
    ['/things/%', "Bad parameter: the path's name is not percent-encoded UTF-8."],
    ['/things/%ff', "Bad parameter: the path's name is not percent-encoded UTF-8."],
    ['/things/a-long-name', 'Bad parameter: name: '],
    ['/things?full=yes', 'Bad query: full: '],
    ['/things?ful=true', 'Bad query: there is no parameter "ful"; did you mean "full"?'],
    ['/things?__proto__=1', 'Bad query: there is no parameter "__proto__"'],
    ['/things?full=true&full=true', 'Bad query: full may be given once.'],
    ['/things?size=0', 'Bad query: size: must be from 1 to 100.'],
    ['/things?size=0x1', 'Bad query: size: must be a whole number.'],
    ['/things?size=', 'Bad query: size: must be a whole number'],
    ['/things?size=%zz', 'Bad query: the query is not percent-encoded UTF-8.'],
  ])('%s is refused', async (path, expected) => {
    const answer = await ask(await start({ routes }), path);
    expect(codeOf(answer)).toEqual([400, 'bad_request', expect.stringContaining(expected)]);
    expect(answer.headers.connection).toBe('close');
  });

  it('stand for one whole segment', async () => {
    const port = await start({ routes });
    for (const path of ['/things/', '/things/a/', '/things//parts/b', '/things/a/b', '/text/']) {
      expect(codeOf(await ask(port, path))).toEqual([404, 'route_not_found', expect.any(String)]);
    }
  });

  it('of a write are refused when unknown: a misspelled one would change what it should not', async () => {
    const answer = await ask(await start({ routes }), '/things/a?dryRun=true', { method: 'DELETE' });
    expect(codeOf(answer)).toEqual([400, 'bad_request', 'Bad query: there is no parameter "dryRun".']);
  });
});

describe('bodies of admin requests', () => {
  it.each([
    ['PUT', '/things/a', JSON_TYPE, '{"size":1}', { size: 1 }],
    ['PUT', '/things/a', { 'content-type': 'Application/JSON; charset="UTF-8"' }, '{"size":1}', { size: 1 }],
    ['PUT', '/things/a', { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, '{"size":1}', { size: 1 }],
    ['PUT', '/things/a', { ...JSON_TYPE, expect: '100-continue' }, '{"size":1}', { size: 1 }],
    ['POST', '/things/a/parts/b', {}, '', { path: { name: 'a', part: 'b' }, body: null }],
    ['POST', '/things/a/parts/b', JSON_TYPE, '', { path: { name: 'a', part: 'b' }, body: null }],
    ['POST', '/things/a/parts/b', JSON_TYPE, '{"a":1}', { path: { name: 'a', part: 'b' }, body: { a: 1 } }],
    ['POST', '/text', { 'content-type': 'text/yaml' }, 'ä: 1', { text: 'ä: 1', mediaType: 'text/yaml' }],
  ])('%s %s with %j and %s is taken', async (method, path, headers, body, expected) => {
    const answer = await ask(await start({ routes }), path, { method, headers }, body);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, expected]);
  });

  it.each([
    [{}, '{"size":1}', 415, 'unsupported_media_type', 'application/json'],
    [{ 'content-type': 'text/plain' }, '{"size":1}', 415, 'unsupported_media_type', ''],
    [{ 'content-type': 'application/json; charset=latin1' }, '{"size":1}', 415, 'unsupported_media_type', ''],
    [{ ...JSON_TYPE, 'content-encoding': 'gzip' }, '{"size":1}', 415, 'unsupported_media_type', 'Content-Encoding'],
    [JSON_TYPE, '', 400, 'bad_request', 'needs a body'],
    [JSON_TYPE, '{"size":', 400, 'bad_request', 'The body is not JSON'],
    [JSON_TYPE, '{"size":0}', 400, 'bad_request', 'size'],
    [JSON_TYPE, '{"size":1,"b":1}', 400, 'bad_request', '"b"'],
    [JSON_TYPE, Buffer.from([0x22, 0xff, 0x22]), 400, 'bad_request', 'UTF-8'],
    [JSON_TYPE, `"${'x'.repeat(99)}"`, 413, 'payload_too_large', '100 bytes'],
    [{ ...JSON_TYPE, 'transfer-encoding': 'chunked' }, 'x'.repeat(101), 413, 'payload_too_large', '100 bytes'],
    [{ ...JSON_TYPE, expect: '100-continue' }, 'x'.repeat(101), 413, 'payload_too_large', '100 bytes'],
  ])('with %j and %s is %i', async (headers, body, status, code, detail) => {
    const answer = await ask(await start({ routes }), '/things/a', { method: 'PUT', headers }, body);
    expect(codeOf(answer)).toEqual([status, code, expect.stringContaining(detail)]);
    if (status === 415) expect(answer.headers.accept).toBe('application/json');
  });

  it('are refused where none is taken, and so is what a form sends', async () => {
    const port = await start({ routes });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const some = await ask(
      port,
      '/things/a',
      { method: 'DELETE', headers: { ...JSON_TYPE, 'content-length': 2 } },
      '{}',
    );
    expect(codeOf(some)).toEqual([400, 'bad_request', 'This admin route takes no body.']);
    const posted = await ask(port, '/things/a/parts/b', { method: 'POST', headers: form });
    expect(codeOf(posted)).toEqual([415, 'unsupported_media_type', expect.any(String)]);
    expect((await ask(port, '/things/a', { method: 'DELETE' })).status).toBe(204);
  });

  it('that are too large are answered before they have come, and cut after a bounded amount', async () => {
    const socket = connect(await start({ routes }), '127.0.0.1');
    socket.write(
      'PUT /things/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\nx',
    );
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1\.1 413 [\s\S]*Connection: close/);
    socket.on('error', () => {});
    socket.resume();
    const piece = Buffer.alloc(64 * 1024, 'x');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const send = (): void => {
      while (!socket.destroyed && socket.write(piece));
      socket.once('drain', send);
    };
    send();
    await closed;
    expect(socket.bytesWritten).toBeLessThan(100_000_000);
  });

  it('are not asked for when they are refused', async () => {
    const socket = connect(await start({ routes }), '127.0.0.1');
    socket.write(
      'PUT /things/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n',
    );
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1\.1 415 /);
    socket.destroy();
  });

  it('are not read before the token is right', async () => {
    const socket = connect(await start({ routes, token: 't' }), '127.0.0.1');
    socket.end(
      'PUT /things/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"size":1}',
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 401 [\s\S]*Connection: close/);
  });
});

describe('answers of admin routes', () => {
  it('carry the headers that the route gave them', async () => {
    const port = await start({ routes });
    const answer = await ask(port, '/things/a', { method: 'PUT', headers: JSON_TYPE }, '{"size":1}');
    expect(answer.headers.etag).toBe('"new"');
    const deleted = await ask(port, '/things/a', { method: 'DELETE' });
    expect(deleted).toMatchObject({ status: 204, body: '' });
    expect(deleted.headers['content-type']).toBeUndefined();
  });

  it('may be a problem of the route itself, with members of its own', async () => {
    const headers = { ...JSON_TYPE, 'if-match': '"old"' };
    const answer = await ask(await start({ routes }), '/things/a', { method: 'PUT', headers }, '{"size":1}');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'precondition_failed',
      status: 412,
      current: 'new',
      instance: answer.headers['x-request-id'],
    });
  });

  it('name all methods of the path in Allow', async () => {
    const port = await start({ routes });
    for (const method of ['OPTIONS', 'PATCH', 'POST', 'TRACE']) {
      const answer = await ask(port, '/things/a', { method });
      expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, 'GET, HEAD, PUT, DELETE']);
    }
  });
});

describe('pages of others', () => {
  it.each(['cross-site', 'same-site'])('may not write: %s', async (site) => {
    const headers = { 'sec-fetch-site': site };
    const port = await start({ routes });
    const write = await ask(port, '/things/a', { method: 'DELETE', headers });
    expect(codeOf(write)).toEqual([403, 'forbidden', expect.any(String)]);
    expect((await ask(port, '/things/a', { headers })).status).toBe(200);
    const own = { 'sec-fetch-site': 'same-origin' };
    expect((await ask(port, '/things/a', { method: 'DELETE', headers: own })).status).toBe(204);
  });
});

it('a table that contradicts itself is refused when the listener is made', async () => {
  const [first] = routes;
  await expect(start({ routes: [first, first] })).rejects.toThrow('two admin routes are GET /things');
  await expect(start({ routes: [{ ...first, path: '/{a}' }] })).rejects.toThrow('are not those of its schema');
});
