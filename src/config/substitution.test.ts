/** References to the environment and to files: filled in once, and errors where they lead nowhere. */
import { describe, expect, test } from 'vitest';
import { findingsOf, head, policies } from './config.test.support.ts';
import { parseConfigText } from './load.ts';

describe('references', () => {
  const env = {
    PORT: '8081',
    HOST: '10.0.0.1',
    TOKEN: 'sekret-token-0123456789',
    EMPTY: '',
    YAML: '{ a: 1 }',
    ON: 'true',
  };
  const load = (text: string, files: Record<string, string> = {}) =>
    parseConfigText(text, { env, files, policies, file: '/etc/portico/portico.yaml' });

  test('they are filled in anywhere in a string', () => {
    const { config, findings } = load(
      `${head}admin: { address: "\${env.HOST}:\${env.PORT}", token: "\${file:/run/token}" }`,
      { '/run/token': 'from-a-file-0123456789\n' },
    );
    expect(findings).toEqual([]);
    expect(config?.admin).toMatchObject({
      address: { host: '10.0.0.1', port: 8081 },
      token: 'from-a-file-0123456789',
    });
  });

  test('relative files start at the configuration', () => {
    expect(
      load(`${head}admin: { token: "\${file:secrets/token}" }`, { '/etc/portico/secrets/token': 'abcdefghijklmnop' })
        .config?.admin?.token,
    ).toBe('abcdefghijklmnop');
  });

  test.each([
    ['${env.NOPE:-fallback}', 'fallback'],
    ['${env.EMPTY:-fallback}', 'fallback'],
    ['${env.NOPE:-}', ''],
    ['${env.NOPE:-a:-b$c}', 'a:-b$c'],
    ['${env.HOST:-x}', '10.0.0.1'],
    ['$${env.HOST}', '${env.HOST}'],
    ['a$${b}$${c}', 'a${b}${c}'],
    ['$1 $ {env.HOST} }', '$1 $ {env.HOST} }'],
    ['${env.HOST}${env.PORT}', '10.0.0.18081'],
    ['${env.YAML}', '{ a: 1 }'],
  ])('%s becomes %j', (written, expected) => {
    const text = `${head}routes: [{ name: r, match: {}, respond: { body: ${JSON.stringify(written)} } }]`;
    const { config, findings } = load(text);
    expect(findings).toEqual([]);
    expect(config?.routes[0].respond?.body).toBe(expected);
  });

  test('a value that was filled in is not looked at again for references', () => {
    const text = `${head}routes: [{ name: r, match: {}, respond: { body: "\${env.A}" } }]`;
    const { config } = parseConfigText(text, { env: { A: '${env.B}', B: 'x' } });
    expect(config?.routes[0].respond?.body).toBe('${env.B}');
  });

  test.each([
    ['${env.NOPE}', 'NOPE is not set'],
    ['${env.EMPTY}', 'EMPTY is empty'],
    ['${env.toString}', 'toString is not set'],
    ['${file:/gone}', 'was not read'],
    ['${file:/blank}', 'is empty'],
    ['${HOST}', 'unknown reference'],
    ['${env:HOST}', 'unknown reference'],
    ['${file:}', 'unknown reference'],
    ['${}', 'unknown reference'],
    ['${env.HOST', 'never closed'],
  ])('%s is refused', (written, reason) => {
    const { config, findings } = load(`${head}admin: { token: ${JSON.stringify(written)} }`, { '/blank': '\n\n' });
    expect(config).toBe(null);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ code: 'unresolved_reference', line: 3, column: 17, path: 'admin.token' });
    expect(findings[0].message).toContain(reason);
  });

  test('one that is missing says nothing else of its value, and the rest is still checked', () => {
    const text = `${head}admin: { address: "\${env.NOPE}" }\nroutes: [{ name: r, match: {}, service: x }]`;
    expect(findingsOf(text)).toEqual([
      '3:19 error unresolved_reference admin.address',
      '4:41 error unknown_service routes[0].service',
    ]);
  });

  test('a value that is one reference may stand for a number or a boolean', () => {
    const text = `${head}limits: { concurrentRequests: "\${env.PORT}" }
logging: { access: "\${env.NOPE:-false}" }
services: [{ name: s, panic: "\${env.ON}", endpoints: [{ url: http://a, weight: "\${env.NOPE:-7}" }] }]
routes: [{ name: r, match: { headers: { a: "\${env.PORT}" } }, service: s, priority: "\${env.NOPE:--5}" }]
policies: [{ stamp: { header: "\${env.PORT}", count: "\${env.PORT}" } }]`;
    const { config, findings } = load(text);
    expect(findings).toEqual([]);
    expect(config).toMatchObject({
      limits: { concurrentRequests: 8081 },
      logging: { access: false },
      services: [{ panic: true, endpoints: [{ weight: 7 }] }],
      routes: [{ priority: -5, match: { headers: { a: '8081' } } }],
      policies: [{ name: 'stamp', options: { header: '8081', count: 8081 } }],
    });
  });

  test.each([
    '"8081"',
    '"0${env.PORT}"',
    '"${env.HOST}"',
    '"${env.NOPE:-0x10}"',
    '"${env.NOPE:-1e3}"',
    '"${env.NOPE:- 5}"',
  ])('%s does not become a number', (value) => {
    expect(load(`${head}limits: { concurrentRequests: ${value} }`).config).toBe(null);
  });

  test('a map is never made of one', () => {
    expect(load(`${head}limits: "\${env.YAML}"`).findings).toMatchObject([{ code: 'invalid_type', path: 'limits' }]);
  });

  const secret = 'hunter2%%{hunter2';
  test.each([
    'admin: { address: "0.0.0.0:${env.S}" }',
    'admin: { address: "${env.S}" }',
    'admin: { token: "a ${env.S}" }',
    'logging: { level: "${env.S}" }',
    'limits: "${env.S}"',
    'limits: { concurrentRequests: "${env.S}" }',
    'services: [{ name: "${env.S}", endpoints: ["http://u:${env.S}@a", "${env.S}", { url: "x${env.S}" }] }]',
    'services: [{ name: a, endpoints: [http://a], healthCheck: { interval: "${env.S}", expectStatus: ["${env.S}"], path: "${env.S}" } }]',
    'routes: [{ name: r, match: { path: "${env.S}", pathRegex: "(${env.S}", hosts: ["${env.S}"], methods: ["(${env.S}"] }, service: "${env.S}" }]',
    'routes: [{ name: r, match: { path: "/a" }, respond: { headers: { a: "\\n${env.S}" } }, rewrite: { path: "/${env.S}}", host: "${env.S}" } }]',
    'policies: [{ stamp: { header: a, mode: "${env.S}", count: "${env.S}" } }]',
  ])('what is filled in never appears in a finding: %s', (text) => {
    const { config, findings } = parseConfigText(`${head}${text}`, { env: { S: secret }, policies });
    expect(config).toBe(null);
    expect(findings.length).toBeGreaterThan(0);
    expect(JSON.stringify(findings)).not.toContain('hunter');
  });

  test('secrets written into the file itself are not quoted either', () => {
    const text = `${head}admin: { token: "top secret" }\nservices: [{ name: s, endpoints: ["http://bob:secret@a"] }]`;
    const { findings } = parseConfigText(text);
    expect(findings.map(({ code }) => code)).toContain('invalid_value');
    expect(JSON.stringify(findings)).not.toContain('secret');
  });
});
