/** `cors`: what is said to whom, by the Fetch standard. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfigText } from '../../config/load.ts';
import { exchangeOf as requestOf, servicesOf } from '../../pipeline/policy.test.support.ts';
import type { PolicyExchange } from '../../pipeline/policy.ts';
import { cors } from './index.ts';
import { Origins, parseOrigin } from './origin.ts';

const APP = 'https://app.example.com';

function exchangeOf(method: string, headers: Record<string, string>): PolicyExchange {
  return requestOf({ method, headers });
}

/** The fields of the answer, one a line, after what an upstream said. */
function answered(options: object, method: string, fields: Record<string, string>, upstream = ''): string[] {
  const hooks = cors.create(cors.schema.parse(options), servicesOf());
  const exchange = exchangeOf(method, fields);
  // What is made once must not remember the request before.
  hooks.onResponse?.(exchangeOf('GET', { origin: 'https://app.example.com' }));
  hooks.onResponse?.(exchange);
  const { responseEdits } = exchange;
  return (responseEdits.filter(upstream) + responseEdits.lines()).trimEnd().split('\r\n').filter(Boolean);
}

const preflight = (method: string, more: Record<string, string> = {}): Record<string, string> => ({
  origin: APP,
  'access-control-request-method': method,
  ...more,
});

const PREFLIGHT_VARY = 'Vary: Access-Control-Request-Method, Access-Control-Request-Headers';

describe('an answer', () => {
  const cases: [string, object, Record<string, string>, string[]][] = [
    ['everybody is allowed, also who does not ask', {}, {}, ['Access-Control-Allow-Origin: *']],
    ['everybody is allowed', {}, { origin: 'https://x.example' }, ['Access-Control-Allow-Origin: *']],
    [
      'one that is listed',
      { origins: [APP] },
      { origin: APP },
      ['Vary: Origin', `Access-Control-Allow-Origin: ${APP}`],
    ],
    ['one that is not', { origins: [APP] }, { origin: 'https://evil.example' }, ['Vary: Origin']],
    ['no origin: a cache must know all the same', { origins: [APP] }, {}, ['Vary: Origin']],
    ['two origins in one field', { origins: [APP] }, { origin: `${APP}, ${APP}` }, ['Vary: Origin']],
    ['null that is not listed', { origins: [{ regex: '.*' }] }, { origin: 'null' }, ['Vary: Origin']],
    [
      'null that is listed',
      { origins: ['null'] },
      { origin: 'null' },
      ['Vary: Origin', 'Access-Control-Allow-Origin: null'],
    ],
    [
      'credentials and fields to be read',
      { origins: [APP], credentials: true, exposeHeaders: ['x-total', 'etag'] },
      { origin: APP },
      [
        'Vary: Origin',
        `Access-Control-Allow-Origin: ${APP}`,
        'Access-Control-Allow-Credentials: true',
        'Access-Control-Expose-Headers: x-total, etag',
      ],
    ],
    [
      'gRPC-Web is shown its status',
      { exposeHeaders: ['Grpc-Status', 'x-a'] },
      { origin: APP, 'content-type': 'application/grpc-web+proto' },
      [
        'Access-Control-Allow-Origin: *',
        'Access-Control-Expose-Headers: Grpc-Status, x-a, grpc-message, grpc-status-details-bin',
      ],
    ],
    [
      'all fields are',
      { exposeHeaders: ['*'] },
      { origin: APP, 'content-type': 'application/grpc-web' },
      ['Access-Control-Allow-Origin: *', 'Access-Control-Expose-Headers: *'],
    ],
  ];

  test.each(cases)('%s', (_, options, fields, expected) => {
    expect(answered(options, 'GET', fields)).toEqual(expected);
  });

  test('has none of what the upstream says, and its other fields', () => {
    const upstream = [
      ...['Origin', 'Credentials', 'Methods', 'Headers', 'Private-Network'].map((f) => `Access-Control-Allow-${f}: *`),
      'ACCESS-CONTROL-EXPOSE-HEADERS: *',
      'access-control-max-age: 1',
      'Vary: Accept',
      'X-A: 1',
    ];
    const text = upstream.map((line) => `${line}\r\n`).join('');
    expect(answered({ origins: [APP] }, 'GET', {}, text)).toEqual(['Vary: Accept', 'X-A: 1', 'Vary: Origin']);
  });
});

describe('a preflight', () => {
  const start = ['Vary: Origin', PREFLIGHT_VARY];
  const cases: [string, object, Record<string, string>, string[]][] = [
    [
      'defaults: the usual methods and what is asked for',
      {},
      preflight('PUT', { 'access-control-request-headers': 'authorization, x-a' }),
      [
        PREFLIGHT_VARY,
        'Access-Control-Allow-Origin: *',
        'Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE',
        'Access-Control-Max-Age: 600',
        'Access-Control-Allow-Headers: authorization, x-a',
      ],
    ],
    [
      'lists are said as they stand',
      { origins: [APP], methods: ['GET', 'POST'], headers: ['authorization'], credentials: true, maxAge: '90s' },
      preflight('DELETE', { 'access-control-request-headers': 'x-b' }),
      [
        ...start,
        `Access-Control-Allow-Origin: ${APP}`,
        'Access-Control-Allow-Credentials: true',
        'Access-Control-Allow-Methods: GET, POST',
        'Access-Control-Allow-Headers: authorization',
        'Access-Control-Max-Age: 90',
      ],
    ],
    [
      'any method, no field',
      { origins: [APP], methods: ['*'], headers: [], maxAge: '0ms' },
      preflight('PURGE', { 'access-control-request-headers': 'x-b' }),
      [
        ...start,
        `Access-Control-Allow-Origin: ${APP}`,
        'Access-Control-Max-Age: 0',
        'Access-Control-Allow-Methods: PURGE',
      ],
    ],
    [
      'what is no list of names is not repeated',
      { origins: [APP], methods: ['*'] },
      preflight('GET', { 'access-control-request-headers': 'x-a, b c' }),
      [
        ...start,
        `Access-Control-Allow-Origin: ${APP}`,
        'Access-Control-Max-Age: 600',
        'Access-Control-Allow-Methods: GET',
      ],
    ],
    ['of another origin', { origins: [APP] }, preflight('GET', { origin: 'https://evil.example' }), start],
  ];

  test.each(cases)('%s', (_, options, fields, expected) => {
    expect(answered(options, 'OPTIONS', fields)).toEqual(expected);
  });

  test.each([
    [true, 'true', true],
    [true, 'no', false],
    [true, undefined, false],
    [false, 'true', false],
  ])('into a private network: allowed %s, asked %s', (privateNetwork, asked, said) => {
    const more = asked === undefined ? undefined : { 'access-control-request-private-network': asked };
    const lines = answered({ origins: [APP], privateNetwork }, 'OPTIONS', preflight('GET', more));
    expect(lines.includes('Access-Control-Allow-Private-Network: true')).toBe(said);
  });

  test('is only what asks for a method, from an origin', () => {
    for (const fields of [{ origin: APP }, preflight('A B'), preflight('')])
      expect(answered({ origins: [APP] }, 'OPTIONS', fields)).toEqual([
        'Vary: Origin',
        `Access-Control-Allow-Origin: ${APP}`,
      ]);
    expect(answered({ origins: [APP] }, 'POST', preflight('PUT'))).not.toContain('Access-Control-Max-Age: 600');
  });
});

describe('origins', () => {
  const rules: [string | { regex: string }, string[], string[]][] = [
    [
      APP,
      [APP],
      ['http://app.example.com', `${APP}:8443`, `${APP}.evil.example`, 'https://APP.example.com', `${APP}/`, ''],
    ],
    ['https://a.example:8443', ['https://a.example:8443'], ['https://a.example']],
    [
      'https://*.example.com',
      ['https://a.example.com', 'https://a.b.example.com'],
      [
        'https://example.com',
        'https://.example.com',
        'http://a.example.com',
        'https://a.example.com:8443',
        'https://evil.example/.example.com',
        'https://user@evil.example.com',
        'https://evil.com:80#.example.com',
        'https://aexample.com',
      ],
    ],
    ['http://*.localhost:3000', ['http://a.localhost:3000'], ['http://a.localhost', 'http://a.localhost:3001']],
    [
      { regex: 'https://pr-[0-9]+\\.example\\.com' },
      ['https://pr-7.example.com'],
      [
        'https://pr-7.example.com.evil.example',
        'https://evil.example/https://pr-7.example.com',
        'https://pr-x.example.com',
      ],
    ],
    [{ regex: 'https://a|https://b' }, ['https://a', 'https://b'], ['https://ab', 'https://a.evil', 'xhttps://b']],
    ['null', ['null'], ['NULL', APP]],
  ];

  test.each(rules)('%j', (rule, allowed, others) => {
    const {
      origins: [parsed],
    } = cors.schema.parse({ origins: [rule] });
    const origins = new Origins([parsed]);
    expect(allowed.filter((origin) => !origins.allows(origin))).toEqual([]);
    expect(others.filter((origin) => origins.allows(origin))).toEqual([]);
  });

  test('that is allowed below a domain is a host below it and nothing else, whatever is tried', () => {
    const origins = new Origins(['https://*.example.com']);
    const parts = fc.constantFrom(
      'https://',
      '.example.com',
      'evil',
      '/',
      '@',
      ':',
      '#',
      '?',
      '\\',
      '%',
      ' ',
      'a.',
      '-',
      'A',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), (list) => {
        const text = list.join('');
        if (origins.allows(text)) expect(text).toMatch(/^https:\/\/[a-z0-9.-]+\.example\.com$/);
      }),
    );
  });

  test.each([
    ['HTTPS://App.Example.COM', 'https://app.example.com'],
    ['https://a.example:443', 'https://a.example'],
    ['http://a.example:80', 'http://a.example'],
    ['https://*.Example.com:443', 'https://*.example.com'],
    ['https://b\u00fccher.example', 'https://xn--bcher-kva.example'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
    ['chrome-extension://abcdef', 'chrome-extension://abcdef'],
  ])('%s is written as browsers send it', (text, origin) => {
    expect(parseOrigin(text)).toEqual({ origin });
  });

  test('without number cost no more than their length', () => {
    const origins = new Origins(['https://*.example.com', { regex: '(a|aa)*b' }]);
    expect(origins.allows(`https://${'a.'.repeat(100_000)}example.com`)).toBe(false);
    expect(origins.allows('a'.repeat(100_000))).toBe(false);
  });
});

describe('check', () => {
  const find = async (options: object): Promise<string[]> => {
    const text = JSON.stringify({
      version: 1,
      listeners: [{ name: 'a', address: ':0' }],
      policies: [{ cors: options }],
    });
    const policies = { names: () => ['cors'], schemaOf: () => cors.schema };
    const { findings } = await parseConfigText(text, { file: 'f', policies, env: {} });
    return findings.map(({ severity, code, path, message }) => `${severity} ${code} ${path}: ${message}`);
  };

  const faults: [object, string, RegExp][] = [
    [{ origins: [`${APP}/`] }, 'invalid_value policies[0].cors.origins[0]', /slash at its end/],
    [{ origins: [`${APP}/app`] }, 'invalid_value policies[0].cors.origins[0]', /has a path/],
    [{ origins: [`${APP}?a`] }, 'invalid_value policies[0].cors.origins[0]', /query or fragment/],
    [{ origins: ['https://u@a.example'] }, 'invalid_value policies[0].cors.origins[0]', /has a user/],
    [{ origins: [APP, 'app.example.com'] }, 'invalid_value policies[0].cors.origins[1]', /no scheme/],
    [{ origins: ['https://a.*.example'] }, 'invalid_value policies[0].cors.origins[0]', /whole first label/],
    [{ origins: ['https://*'] }, 'invalid_value policies[0].cors.origins[0]', /whole first label/],
    [{ origins: ['https://*.[::1]'] }, 'invalid_value policies[0].cors.origins[0]', /before an address/],
    [
      { origins: ['https://a.example:99999'] },
      'invalid_value policies[0].cors.origins[0]',
      /host or port is malformed/,
    ],
    [{ origins: ['https://a b'] }, 'invalid_value policies[0].cors.origins[0]', /is not an origin/],
    [{ origins: [] }, 'invalid_value policies[0].cors.origins', /at least one/],
    [{ origins: [{ regex: '(' }] }, 'invalid_pattern policies[0].cors.origins[0].regex', /cannot be used/],
    [{ credentials: true }, 'conflicting_keys policies[0].cors.origins[0]', /beside `credentials`/],
    [{ origins: [APP, '*'], credentials: true }, 'conflicting_keys policies[0].cors.origins[1]', /every page/],
    [
      { origins: [APP], exposeHeaders: ['*'], credentials: true },
      'conflicting_keys policies[0].cors.exposeHeaders[0]',
      /no wildcard/,
    ],
    [{ methods: ['G T'] }, 'invalid_value policies[0].cors.methods[0]', /no|not/],
    [{ methods: ['GET', 'put'] }, 'invalid_value policies[0].cors.methods[1]', /no method .* capital letters: PUT/],
    [{ headers: ['a b'] }, 'invalid_value policies[0].cors.headers[0]', /not a header name/],
    [{ maxAge: 600 }, 'invalid_type policies[0].cors.maxAge', /duration/],
    [{ origin: [APP] }, 'unknown_key policies[0].cors.origin', /not a known key/],
  ];

  test.each(faults)('%j', async (options, where, words) => {
    const found = await find(options);
    expect(found).toEqual([expect.stringMatching(words)]);
    expect(found[0]).toContain(`error ${where}`);
  });

  test('takes what is sound', async () => {
    expect(await find({})).toEqual([]);
    expect(await find({ methods: ['GET', 'PATCH', 'patch', 'Frob'] })).toEqual([]);
    expect(await find({ origins: [APP, 'null', 'https://*.a.example', { regex: 'x' }], credentials: true })).toEqual(
      [],
    );
  });
});

test('says for people what it does', () => {
  const options = cors.schema.parse({ origins: [APP, { regex: 'a+' }], methods: ['GET'], credentials: true });
  expect(cors.create(options, servicesOf()).effect).toBe(
    'answers preflights (kept for 10m); allows https://app.example.com, /a+/; GET; with credentials',
  );
});
