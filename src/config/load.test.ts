/** From text to configuration: defaults, and what programs hand over. */
import { describe, expect, test } from 'vitest';
import { head, withRoute } from './config.test.support.ts';
import { parseConfigText, parseConfigValue } from './load.ts';

describe('defaults', () => {
  test('a small file gets every default of the contract', () => {
    const { config, findings } = parseConfigText(withRoute('match: {}, service: users, retry: {}'));
    expect(findings).toEqual([]);
    expect(config).toEqual({
      version: 1,
      workers: 'auto',
      workerHeartbeat: 10_000,
      onInvalidRoute: 'reject',
      listeners: [
        {
          name: 'public',
          address: { host: '127.0.0.1', port: 0 },
          mode: 'http',
          trustedProxies: [],
          limits: { requestHead: 32 * 1024, requestBody: 64 * 1024 ** 2, connections: 10_000, streams: 128 },
          timeouts: { requestHead: 10_000, bodyIdle: 30_000, keepAlive: 60_000 },
        },
      ],
      admin: { address: { host: '127.0.0.1', port: 9901 }, writes: false, persist: 'file' },
      limits: { concurrentRequests: 10_000 },
      shutdown: { drain: 5000, timeout: 30_000 },
      logging: {
        level: 'info',
        access: { file: 'stdout', format: 'json', redact: ['authorization', 'cookie', 'x-api-key'] },
        audit: false,
      },
      state: { keyCacheFor: 1000, shared: 'memory', maxKeys: 1_000_000 },
      tiers: {},
      roles: {},
      consumers: [],
      services: [
        {
          name: 'users',
          endpoints: [
            { url: 'http://127.0.0.1:9001', weight: 1 },
            { url: 'http://127.0.0.1:9002', weight: 1 },
          ],
          protocol: 'http',
          loadBalancing: { algorithm: 'round-robin' },
          passive: { failures: 5, coolDown: 10_000 },
          panic: false,
          connections: { max: 256, idleTimeout: 30_000, queue: 1024, queueTimeout: 1000, pipelining: 1, streams: 100 },
          timeouts: { connect: 1000, response: 30_000, streamIdle: 300_000 },
          policies: [],
        },
      ],
      routes: [
        {
          name: 'r',
          match: {},
          priority: 0,
          service: 'users',
          retry: { attempts: 3, on: ['connect-failure', 'reset'], backoff: { base: 25, max: 1000 } },
          policies: [],
        },
      ],
      policies: [],
    });
  });

  test('two loads share nothing that one of them could change', () => {
    const [one, two] = [parseConfigText(head).config!, parseConfigText(head).config!];
    (one.logging.access as { redact: string[] }).redact.push('x');
    one.listeners[0].trustedProxies.push('::1');
    expect((two.logging.access as { redact: string[] }).redact).toHaveLength(3);
    expect(two.listeners[0].trustedProxies).toEqual([]);
  });

  test.each([
    ['admin: false', 'admin', undefined],
    ['logging: { access: false }', 'logging.access', false],
  ])('%s turns it off', (text, path, expected) => {
    const { config } = parseConfigText(`${head}${text}\n`);
    const value = path.split('.').reduce<unknown>((outer, key) => (outer as Record<string, unknown>)[key], config);
    expect(config).not.toBe(null);
    expect(value).toBe(expected);
  });

  test('`access: true` is the default access log', () => {
    expect(parseConfigText(`${head}logging: { access: true }`).config?.logging).toEqual(
      parseConfigText(head).config?.logging,
    );
  });

  test('no failures of traffic need ever mark an endpoint down', () => {
    const text = `${head}services: [{ name: s, endpoints: [http://a], passive: { failures: 0 } }]`;
    expect(parseConfigText(text).config?.services[0].passive).toEqual({ failures: 0, coolDown: 10_000 });
  });

  test('a health check is filled in from any part of it', () => {
    const text = `${head}services: [{ name: s, endpoints: [http://a], healthCheck: { expectStatus: [200, 3xx, "404-410"] } }]`;
    expect(parseConfigText(text).config?.services[0].healthCheck).toEqual({
      type: 'http',
      grpcService: '',
      path: '/health',
      interval: 10_000,
      timeout: 2000,
      healthyAfter: 2,
      unhealthyAfter: 3,
      expectStatus: [
        [200, 200],
        [300, 399],
        [404, 410],
      ],
    });
  });
});

describe('plain values', () => {
  test('they are validated as a file is', () => {
    const value = { version: 1, listeners: [{ name: 'a', address: '${env.A}', timeouts: undefined }] };
    const { config, findings } = parseConfigValue(value, { env: { A: ':0' } });
    expect(findings).toEqual([]);
    expect(config?.listeners[0].address).toEqual({ host: '', port: 0 });
    expect(value.listeners[0].address).toBe('${env.A}');
  });

  test('a value that holds itself is refused', () => {
    const value: Record<string, unknown> = { version: 1 };
    value.listeners = [value, value];
    expect(parseConfigValue(value).findings[0].code).toMatch(/too_deep|file_too_large/);
  });

  test.each([[null], [undefined], [5], ['x'], [() => 1], [new Map()]])('%s is no configuration', (value) => {
    expect(parseConfigValue(value).config).toBe(null);
    expect(parseConfigValue(value).findings.length).toBeGreaterThan(0);
  });
});

test('a place can be asked for by path', () => {
  const { locate } = parseConfigText(withRoute('match: { path: /a }, service: users'));
  expect(locate('routes[0].match.path')).toEqual({ line: 5, column: 31 });
  expect(locate('routes[0]')).toEqual({ line: 5, column: 5 });
  expect(locate('routes[9].match')).toEqual({ line: 4, column: 1 });
  expect(locate('')).toEqual({ line: 1, column: 1 });
});
