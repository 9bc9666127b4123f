/** Which field of a trusted proxy tells who the client is: for every protocol, for policies and upstreams, and in the log. */
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';
import { explainRequest } from '../../src/gateway/explain.ts';
import { configOf, configWith, startTestGateway } from '../support/gateway.ts';
import { Metadata, startGrpcServer, TestClient } from '../support/grpc.ts';
import { http2Client } from '../support/http2-client.ts';
import { closedAfterEach } from '../support/opened.ts';
import { headerOf, rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { listOf } from '../support/wire-fields.ts';

const opened = closedAfterEach();

/** In the office, as its client says; and where the client is, as the proxy says. */
const OFFICE = '10.0.0.1';
const CLIENT = '192.0.2.7';
const FORGED = { 'x-forwarded-for': OFFICE, 'x-forwarded-proto': 'https', forwarded: `for=${CLIENT}` };
const TRUSTED = ['127.0.0.1'];

type Setting = { trustedProxies?: readonly string[]; clientAddressFrom?: string };

function configBetween(setting: Setting, origin = 'http://127.0.0.1:9', calls = origin): object {
  const policies = [{ ipFilter: { allow: ['10.0.0.0/8'] } }];
  return configWith({
    listener: { protocols: ['h2', 'http/1.1'], ...setting },
    logging: { level: 'warn', access: false },
    services: [
      { name: 'origin', endpoints: [origin] },
      { name: 'calls', protocol: 'grpc', endpoints: [calls] },
    ],
    routes: [
      { name: 'office', match: { path: '/office' }, service: 'origin', policies },
      { name: 'all', match: { path: '/all' }, service: 'origin' },
      { name: 'office-call', match: { pathPrefix: '/grpc.testing.TestService/EmptyCall' }, service: 'calls', policies },
      { name: 'call', match: { pathPrefix: '/grpc.testing.TestService/UnaryCall' }, service: 'calls' },
    ],
  });
}

interface Told {
  /** Whether who says to be in the office is let in. */
  readonly letIn: boolean;
  readonly chain: readonly string[];
  readonly scheme: string;
  readonly forwarded: RegExp;
}

const own = 'for=127\\.0\\.0\\.1;host="[^"]*";proto=http';
const anew: Told = { letIn: false, chain: ['127.0.0.1'], scheme: 'http', forwarded: new RegExp(`^${own}$`) };
const customary = { letIn: true, chain: [OFFICE, '127.0.0.1'], scheme: 'https' };
const standard = { forwarded: new RegExp(`^for=${CLIENT}, ${own}$`) };

const settings: [string, Setting, Told][] = [
  ['no field named', { trustedProxies: TRUSTED }, { ...anew, ...customary, ...standard }],
  ['X-Forwarded-For', { trustedProxies: TRUSTED, clientAddressFrom: 'x-forwarded-for' }, { ...anew, ...customary }],
  ['Forwarded', { trustedProxies: TRUSTED, clientAddressFrom: 'forwarded' }, { ...anew, ...standard }],
  ['Forwarded of nobody', { clientAddressFrom: 'forwarded' }, anew],
];

test.each(settings)('%s: requests of HTTP/1.1 and HTTP/2, and calls of gRPC', async (_, setting, told) => {
  const [origin, server] = [await startOrigin(), await startGrpcServer()];
  const gateway = await startTestGateway(configBetween(setting, origin.url, server.url));
  const client = await rawClient(gateway.port);
  const session = await http2Client(`http://127.0.0.1:${gateway.port}`);
  const calls = new TestClient(gateway.port);
  opened.push(origin, server, gateway, client, session, calls);

  const fields = Object.entries(FORGED).map(([name, value]) => `${name}: ${value}\r\n`);
  const ask = (path: string) => client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.join('')}\r\n`);
  await ask('/office');
  expect((await client.answer()).status).toBe(told.letIn ? 200 : 403);
  await ask('/all');
  await client.answer();
  const askAgain = (path: string) => session.request({ ':path': path, ':authority': 'a', ...FORGED });
  expect((await askAgain('/office')).status).toBe(told.letIn ? 200 : 403);
  await askAgain('/all');
  const seen = origin.requests.filter(({ target }) => target === '/all');
  expect(seen).toHaveLength(2);
  for (const request of seen) {
    expect(listOf(request.fields, 'x-forwarded-for')).toEqual(told.chain);
    expect(headerOf(request, 'x-forwarded-proto')).toBe(told.scheme);
    expect(headerOf(request, 'forwarded')).toMatch(told.forwarded);
  }

  const metadata = new Metadata();
  for (const [name, value] of Object.entries(FORGED)) metadata.set(name, value);
  expect((await calls.unary('EmptyCall', {}, metadata)).code).toBe(told.letIn ? 0 : 7);
  expect((await calls.unary('UnaryCall', {}, metadata)).code).toBe(0);
  const call = server.calls.at(-1);
  expect(call?.metadata.get('x-forwarded-for')).toEqual([told.chain.join(', ')]);
  expect(call?.metadata.get('forwarded')[0]).toMatch(told.forwarded);
});

test.each(settings)('%s: explained', async (_, setting, told) => {
  const config = await configOf(configBetween(setting));
  const headers = Object.entries(FORGED).map(([name, value]) => `${name}: ${value}`);
  const explain = (url: string) => explainRequest(config, { method: 'GET', url, headers }, builtInPolicies);
  expect((await explain('/office')).answer?.status).toBe(told.letIn ? undefined : 403);
  expect((await explain('/all')).request?.headers).toMatchObject({
    'x-forwarded-for': told.chain.join(', '),
    'x-forwarded-proto': told.scheme,
    forwarded: expect.stringMatching(told.forwarded),
  });
});

test('a proxy that names two clients is told of, once a second, until the field is named', async () => {
  const lines: unknown[][] = [];
  const logger = { ...silentLogger, warn: (...line: unknown[]) => void lines.push(line) };
  let now = 1000;
  const origin = await startOrigin();
  const config = (setting: Setting) => configBetween({ trustedProxies: TRUSTED, ...setting }, origin.url);
  const clock = { now: () => now, wall: systemClock.wall };
  const gateway = await startTestGateway(config({}), [], logger, {}, { clock });
  const client = await rawClient(gateway.port);
  opened.push(origin, gateway, client);
  const ask = async (fields: string) => {
    await client.send(`GET /all HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    expect((await client.answer()).status).toBe(200);
  };
  const two = `X-Forwarded-For: ${OFFICE}\r\nForwarded: for=${CLIENT}\r\n`;

  for (const fields of ['', `X-Forwarded-For: ${CLIENT}\r\nForwarded: for="${CLIENT}:1"\r\n`]) await ask(fields);
  expect(lines).toEqual([]);
  for (let i = 0; i < 5; i++) await ask(two);
  const said = { listener: 'test', proxy: '127.0.0.1', x_forwarded_for: OFFICE };
  const message = expect.stringContaining('`clientAddressFrom`');
  expect(lines.splice(0)).toEqual([[message, { ...said, forwarded: CLIENT }]]);
  now += 1000;
  await ask(`X-Forwarded-For: ${OFFICE}\r\nForwarded: for="\r\n`);
  expect(lines.splice(0)).toEqual([[message, { ...said, forwarded: 'malformed', suppressed: 4 }]]);

  // The connection stays, and what was known of it does not.
  now += 1000;
  await gateway.gateway.apply(await configOf(config({ clientAddressFrom: 'forwarded' })));
  await ask(two);
  expect(lines).toEqual([]);
  expect(headerOf(origin.requests.at(-1) as (typeof origin.requests)[number], 'x-forwarded-for')).toBe('127.0.0.1');
});
