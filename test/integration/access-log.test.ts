/** The access log of a running gateway, as it stands in the file when the gateway has stopped. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configWith, startTestGateway } from '../support/gateway.ts';
import { closedAfterEach } from '../support/opened.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';
import { okAnswer, startOrigin } from '../support/raw-origin.ts';

const opened = closedAfterEach();

const FIELDS = [
  'method',
  'path',
  'query',
  'host',
  'status',
  'bytes_in',
  'bytes_out',
  'user_agent',
  'header.x-a',
  'error',
];

/** Has a client do something to a gateway, and answers with the lines of the log. */
async function linesAfter(act: (client: RawClient) => Promise<void>): Promise<Record<string, unknown>[]> {
  const directory = mkdtempSync(join(tmpdir(), 'portico-'));
  opened.push({ close: () => rmSync(directory, { recursive: true }) });
  const file = join(directory, 'access.log');
  const origin = await startOrigin({
    onRequest: (request, connection) => connection.write(okAnswer(request, 'x'.repeat(request.body.length + 1))),
  });
  opened.push(origin);
  const gateway = await startTestGateway(
    configWith({
      logging: { level: 'silent', access: { file, fields: FIELDS } },
      services: [{ name: 'origin', endpoints: [origin.url] }],
      routes: [
        { name: 'own', match: { pathPrefix: '/own' }, respond: { status: 200, body: 'four' } },
        { name: 'all', match: { pathPrefix: '/' }, service: 'origin' },
      ],
    }),
  );
  opened.push(gateway);
  const client = await rawClient(gateway.port);
  opened.push(client);
  await act(client);
  client.close();
  // Writes what waits.
  await gateway.gateway.stop();
  const lines = readFileSync(file, 'latin1').trimEnd().split('\n');
  return lines.map((line) => {
    const { time: _time, level: _level, msg: _msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    return fields;
  });
}

interface Sent {
  readonly path: string;
  readonly agent: string | null;
  readonly body: string;
  readonly chunked?: boolean;
}

function textOf({ path, agent, body, chunked }: Sent): string {
  const framing = chunked
    ? `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    : `${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;
  const fields = agent === null ? '' : `User-Agent: ${agent}\r\nX-A: ${agent}\r\n`;
  return `${body === '' ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nHost: a\r\n${fields}${framing}`;
}

function lineOf({ path, agent, body }: Sent): Record<string, unknown> {
  const [plain, query = null] = path.split('?');
  // The gateway's own answer does not wait for the body.
  const own = path.startsWith('/own');
  return {
    method: body === '' ? 'GET' : 'POST',
    path: plain,
    query,
    host: 'a',
    status: 200,
    bytes_in: own ? 0 : body.length,
    bytes_out: own ? 4 : body.length + 1,
    user_agent: agent,
    'header.x-a': agent,
    error: null,
  };
}

test.each([
  ['an upstream', ['/one?a=1', '/two', '/three?b', '/four']],
  ['the gateway', ['/own/1?a=1', '/own/2', '/own/3?b', '/own/4']],
  ['the one and the other', ['/own/1?a=1', '/two', '/own/3?b', '/four']],
])('pipelined requests that %s answers have each a line of their own', async (_, paths) => {
  const parts = [
    { agent: 'first/1', body: '' },
    { agent: 'second/2', body: 'hello' },
    { agent: null, body: 'a longer body', chunked: paths[2] === '/three?b' },
    { agent: 'fourth/4', body: '' },
  ];
  const sent = paths.map((path, i): Sent => ({ path, ...parts[i] }));
  const lines = await linesAfter(async (client) => {
    await client.send(sent.map(textOf).join(''));
    for (const _one of sent) expect((await client.answer()).status).toBe(200);
  });
  expect(lines).toEqual(sent.map(lineOf));
});

test('a request that is refused has nothing of the one before it', async () => {
  const sent: Sent = { path: '/one?a=1', agent: 'first/1', body: 'hello' };
  const lines = await linesAfter(async (client) => {
    await client.send(`${textOf(sent)}GET /x HTTP/1.1\r\nUser Agent: second\r\n\r\n`);
    expect([(await client.answer()).status, (await client.answer()).status]).toEqual([200, 400]);
  });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toEqual(lineOf(sent));
  expect(lines[1]).toMatchObject({ method: '', path: '', query: null, host: '', status: 400, error: 'bad_request' });
  expect(lines[1]).toMatchObject({ bytes_in: 0, user_agent: null, 'header.x-a': null });
});
