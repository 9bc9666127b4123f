/** Callers by signed tokens, through a real gateway: who is let through, what the upstream is told, and that all else is 401. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configWith, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { rawClient } from '../support/raw-client.ts';
import { startOrigin } from '../support/raw-origin.ts';
import { base64url, hmac, SECRET, seconds, signer, soundClaims, soundToken, tokenOf } from '../support/tokens.ts';
import { valuesOf, type WireField } from '../support/wire-fields.ts';
import type { WireResponse } from '../support/wire-response.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed25519 = generateKeyPairSync('ed25519');

const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();
const jwk = (key: KeyObject, more: object): object => ({ ...key.export({ format: 'jwk' }), ...more });

const LONG_SECRET = SECRET.repeat(2);

let gateway: TestGateway;
const opened: { close(): unknown }[] = [];
let seen: WireField[][] = [];

beforeAll(async () => {
  const origin = await startOrigin({
    onRequest: ({ fields }, connection) => {
      seen.push(fields);
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    },
  });
  const usual = { issuer: 'portico-test', audience: 'api' };
  const route = (path: string, options: object) => ({
    name: path.slice(1),
    match: { path },
    service: 'origin',
    policies: [{ jwt: { ...usual, ...options } }],
  });
  const keys = [
    jwk(rsa.publicKey, { kid: 'rsa', use: 'sig' }),
    jwk(p256.publicKey, { kid: 'p256', alg: 'ES256' }),
    jwk(ed25519.publicKey, { kid: 'ed' }),
    { kty: 'oct', kid: 'shared', k: base64url(SECRET) },
  ];
  gateway = await startTestGateway(
    configWith({
      tiers: { pro: { rate: 10 }, free: { rate: 1 } },
      consumers: [{ name: 'acme', tier: 'free' }, { name: 'untiered' }],
      services: [{ name: 'origin', endpoints: [origin.url] }],
      routes: [
        route('/me', { secret: SECRET, clockSkew: '5s' }),
        route('/exact', { secret: SECRET }),
        route('/wide', { secret: LONG_SECRET }),
        route('/asked', { secret: SECRET, algorithms: ['HS512'] }),
        route('/rsa', { publicKey: pem(rsa.publicKey) }),
        route('/ps', { publicKey: pem(rsa.publicKey), algorithms: ['PS256'] }),
        route('/p384', { publicKey: pem(p384.publicKey) }),
        route('/p521', { publicKey: pem(p521.publicKey) }),
        route('/keys', { keys }),
        route('/claims', { secret: SECRET, claims: { tenant: 'acme', level: { oneOf: [1, 2] }, 'a.b': true } }),
        route('/places', {
          secret: SECRET,
          from: [{ header: 'Authorization' }, { header: 'X-Token' }, { cookie: 'session' }, { query: 'access_token' }],
        }),
        route('/cookie', { secret: SECRET, from: [{ cookie: 'session' }] }),
        route('/forward', {
          secret: SECRET,
          forward: {
            'X-User-ID': 'email',
            'X-Mail': 'email',
            'X-Role': 'realm_access.roles',
            'X-N': 'https://x.example/n',
          },
        }),
        { name: 'open', match: { path: '/open' }, service: 'origin' },
      ],
    }),
  );
  opened.push(origin, gateway);
});

afterAll(async () => {
  for (const one of opened.reverse()) await one.close();
});

async function ask(target: string, fields: readonly string[] = []): Promise<WireResponse> {
  seen = [];
  const client = await rawClient(gateway.port);
  await client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`);
  const answer = await client.answer();
  client.close();
  return answer;
}

const bearer = (token: string): string => `Authorization: Bearer ${token}`;

function told(): string[] {
  return (seen[0] ?? [])
    .filter(({ name }) => /^x-(?:user|consumer|mail|role|n$)/i.test(name))
    .map(({ name, value }) => `${name}: ${value}`);
}

function expectRefused({ status, fields, body }: WireResponse, challenge: string): void {
  expect([status, valuesOf(fields, 'www-authenticate'), seen.length]).toEqual([401, [challenge], 0]);
  const { code, detail } = JSON.parse(body.toString()) as { code: string; detail: string };
  expect({ code, detail }).toEqual({ code: 'unauthenticated', detail: 'a valid credential is required' });
}

const INVALID = 'Bearer realm="portico", error="invalid_token"';
const ASKED = 'Bearer realm="portico"';

describe('a sound token lets its bearer through', () => {
  test('again and again, and the upstream is told who calls', async () => {
    const token = soundToken({ roles: ['editor', 'viewer'], tier: 'pro', consumer: 'acme', jti: '7' });
    for (let i = 0; i < 3; i++) {
      const { status } = await ask('/me', [bearer(token), 'X-User-ID: root', 'X-Consumer-Name: bank']);
      expect([status, told()]).toEqual([
        200,
        ['X-User-ID: ann', 'X-User-Roles: editor,viewer', 'X-Consumer-Name: acme', 'X-Consumer-Tier: pro'],
      ]);
    }
  });

  test.each<[string, string, string]>([
    ['HS256', '/wide', tokenOf({ alg: 'HS256' }, soundClaims(), hmac(LONG_SECRET))],
    ['HS384', '/wide', tokenOf({ alg: 'HS384' }, soundClaims(), hmac(LONG_SECRET, 384))],
    ['HS512', '/wide', tokenOf({ alg: 'HS512' }, soundClaims(), hmac(LONG_SECRET, 512))],
    [
      'HS512 of a short secret, where it is asked for',
      '/asked',
      tokenOf({ alg: 'HS512' }, soundClaims(), hmac(SECRET, 512)),
    ],
    ['RS256', '/rsa', tokenOf({ alg: 'RS256' }, soundClaims(), signer('RS', rsa.privateKey))],
    ['RS384', '/rsa', tokenOf({ alg: 'RS384' }, soundClaims(), signer('RS', rsa.privateKey, 384))],
    ['RS512', '/rsa', tokenOf({ alg: 'RS512' }, soundClaims(), signer('RS', rsa.privateKey, 512))],
    ['PS256', '/rsa', tokenOf({ alg: 'PS256' }, soundClaims(), signer('PS', rsa.privateKey))],
    ['PS384', '/rsa', tokenOf({ alg: 'PS384' }, soundClaims(), signer('PS', rsa.privateKey, 384))],
    ['PS512', '/rsa', tokenOf({ alg: 'PS512' }, soundClaims(), signer('PS', rsa.privateKey, 512))],
    ['PS256 alone', '/ps', tokenOf({ alg: 'PS256' }, soundClaims(), signer('PS', rsa.privateKey))],
    ['ES384', '/p384', tokenOf({ alg: 'ES384' }, soundClaims(), signer('ES', p384.privateKey, 384))],
    ['ES512', '/p521', tokenOf({ alg: 'ES512' }, soundClaims(), signer('ES', p521.privateKey, 512))],
    [
      'ES256 by its name',
      '/keys',
      tokenOf({ alg: 'ES256', kid: 'p256' }, soundClaims(), signer('ES', p256.privateKey)),
    ],
    ['RS256 by its name', '/keys', tokenOf({ alg: 'RS256', kid: 'rsa' }, soundClaims(), signer('RS', rsa.privateKey))],
    [
      'EdDSA by its name',
      '/keys',
      tokenOf({ alg: 'EdDSA', kid: 'ed' }, soundClaims(), signer('EdDSA', ed25519.privateKey)),
    ],
    [
      'Ed25519 by its name',
      '/keys',
      tokenOf({ alg: 'Ed25519', kid: 'ed' }, soundClaims(), signer('EdDSA', ed25519.privateKey)),
    ],
    ['a shared secret by its name', '/keys', tokenOf({ alg: 'HS256', kid: 'shared' }, soundClaims())],
    ['ES256 without a name', '/keys', tokenOf({ alg: 'ES256' }, soundClaims(), signer('ES', p256.privateKey))],
    ['a name that the one key does not have', '/me', tokenOf({ alg: 'HS256', kid: 'any' }, soundClaims())],
    ['one audience of several', '/me', soundToken({ aud: ['web', 'api'] })],
    ['no end', '/me', soundToken({ exp: undefined })],
    ['no subject', '/me', soundToken({ sub: undefined })],
    ['just ended', '/me', soundToken({ exp: seconds(-3) })],
    ['about to begin', '/me', soundToken({ nbf: seconds(3), iat: seconds(3) })],
    ['times with fractions', '/me', soundToken({ exp: seconds(60) + 0.5, iat: seconds() - 0.5 })],
    ['claims as asked', '/claims', soundToken({ tenant: ['x', 'acme'], level: 2, a: { b: true } })],
    ['claims with dots in their names', '/claims', soundToken({ tenant: 'acme', level: 1, 'a.b': true })],
    [
      'a key of its own in the header, which is not looked at',
      '/me',
      tokenOf({ alg: 'HS256', jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }, soundClaims()),
    ],
  ])('%s', async (_, path, token) => {
    expect((await ask(path, [bearer(token)])).status).toBe(200);
  });

  test.each<[string, string, (token: string) => string[]]>([
    ['a scheme in another case', '/me', (token) => [`authorization: bEARER   ${token}`]],
    ['another header', '/places', (token) => [`X-Token: ${token}`]],
    ['another header with the scheme', '/places', (token) => [`X-Token: Bearer ${token}`]],
    ['a cookie', '/places', (token) => [`Cookie: a=b; session=${token}; c=d`]],
    ['a cookie twice', '/cookie', (token) => [`Cookie: session=${token}`, `Cookie: session=${token}`]],
    ['several places with one token', '/places', (token) => [bearer(token), `Cookie: session=${token}`]],
    [
      'a place beside a credential of another kind',
      '/places',
      (token) => ['Authorization: Basic eDp5', `X-Token: ${token}`],
    ],
  ])('in %s', async (_, path, fields) => {
    expect((await ask(path, fields(soundToken()))).status).toBe(200);
  });

  test('in the query', async () => {
    expect((await ask(`/places?a=b&access_token=${soundToken()}`)).status).toBe(200);
  });

  test.each([
    [{ role: 'admin' }, 'X-User-Roles: admin'],
    [{ roles: 'a b,c' }, 'X-User-Roles: a,b,c'],
    [{ realm_access: { roles: ['x'] } }, 'X-User-Roles: x'],
    [{ roles: ['ok', 'a,admin', 7, null] }, 'X-User-Roles: ok'],
    [{ consumer: 'acme' }, 'X-Consumer-Name: acme,X-Consumer-Tier: free'],
    [{ consumer: 'untiered', tier: 'pro' }, 'X-Consumer-Name: untiered,X-Consumer-Tier: pro'],
    [{ consumer: 'stranger', tier: 'best' }, ''],
    [{ sub: 'a\r\nX-User-Roles: admin' }, 'X-User-ID: a%0D%0AX-User-Roles: admin'],
    [{ groups: ['admin'], __proto__: undefined }, ''],
  ])('whose claims %j tell the upstream %s', async (claims, lines) => {
    await ask('/me', [bearer(soundToken(claims))]);
    const expected = lines.startsWith('X-User-ID')
      ? lines
      : ['X-User-ID: ann', lines].filter((line) => line !== '').join();
    expect(told().join()).toBe(expected);
  });

  test('whose claims go upstream by the names that `forward` gives', async () => {
    const more = { email: 'ann@a.example', realm_access: { roles: ['x', 'y'] }, 'https://x.example/n': 7 };
    await ask('/forward', [bearer(soundToken(more)), 'X-Mail: root@a.example', 'X_Mail: root@a.example']);
    expect(told().sort()).toEqual(
      ['X-User-ID: ann@a.example', 'X-Mail: ann@a.example', 'X-Role: x,y', 'X-N: 7', 'X-User-Roles: x,y'].sort(),
    );
    await ask('/forward', [bearer(soundToken())]);
    expect(told()).toEqual([]);
    await ask('/open', ['X-Mail: root@a.example', 'x-n: 1']);
    expect(told()).toEqual([]);
  });
});

describe('a request without a token is asked for one, and told of no error', () => {
  test.each<[string, string, string[]]>([
    ['nothing', '/me', []],
    ['another scheme', '/me', ['Authorization: Basic eDp5']],
    ['a scheme that only begins so', '/me', ['Authorization: Bearerx y']],
    ['a token in another place', '/cookie', [bearer(soundToken())]],
    ['a token in the query, which nobody asked for', `/me?access_token=${soundToken()}`, []],
  ])('%s', async (_, target, fields) => {
    expectRefused(await ask(target, fields), ASKED);
  });
});

const sound = soundToken();
const [head, claims, signature] = sound.split('.');
const publicPem = pem(rsa.publicKey);
const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const flipped = `${signature.slice(0, 10)}${signature[10] === 'A' ? 'B' : 'A'}${signature.slice(11)}`;
/** The last character of 32 bytes holds two bits that are no part of them. */
const otherSpelling = `${signature.slice(0, -1)}${String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1)}`;

/** Signed by the right key, whatever stands in it. */
const hs = (header: object | string, body: object | string = soundClaims()): string =>
  tokenOf((typeof header === 'string' ? header : { alg: 'HS256', ...header }) as never, body as never);

const HOSTILE: [string, string, string][] = [
  // Nothing, or nothing whole.
  ['no token after the scheme', '/me', ''],
  ['one part', '/me', head],
  ['two parts', '/me', `${head}.${claims}`],
  ['four parts', '/me', `${sound}.x`],
  ['five parts, an encrypted token', '/me', `${sound}.x.y`],
  ['an empty header', '/me', `.${claims}.${signature}`],
  ['empty claims', '/me', `${head}..${signature}`],
  ['no signature', '/me', `${head}.${claims}.`],
  ['only dots', '/me', '..'],
  ['dots without end', '/me', '.'.repeat(8000)],
  ['two tokens', '/me', `${sound} ${sound}`],
  ['two tokens with a comma', '/me', `${sound}, ${sound}`],
  ['quotes', '/me', `"${sound}"`],
  ['more than 16 KiB', '/me', soundToken({ pad: 'x'.repeat(13_000) })],
  // Not base64url.
  ['padding', '/me', `${head}.${claims}.${signature}=`],
  ['the other alphabet', '/me', `${head}.${claims}.${signature.slice(0, -2)}+/`],
  ['a length that no bytes have', '/me', `${head}.${claims}.${signature}AA`],
  ['another spelling of the signature', '/me', `${head}.${claims}.${otherSpelling}`],
  ['a percent', '/me', `${head}.${claims}.%41${signature}`],
  // Not JSON, or not the JSON that it should be.
  ['a header that is no JSON', '/me', hs('{"alg":"HS256"')],
  ['a header that is a list', '/me', hs('["HS256"]')],
  ['a header that is null', '/me', hs('null')],
  ['a header in UTF-16', '/me', `${base64url(Buffer.from('{"alg":"HS256"}', 'utf16le'))}.${claims}.${signature}`],
  [
    'a header that is not UTF-8',
    '/me',
    `${base64url(Buffer.from([123, 34, 255, 34, 58, 49, 125]))}.${claims}.${signature}`,
  ],
  ['claims that are no JSON', '/me', hs({}, 'ann')],
  ['claims that are a list', '/me', hs({}, '[1]')],
  ['claims that are a string', '/me', hs({}, '"ann"')],
  ['an algorithm twice', '/me', hs('{"alg":"none","alg":"HS256"}')],
  ['an algorithm twice, spelt otherwise', '/me', hs('{"alg":"HS256","\\u0061lg":"HS256"}')],
  ['a claim twice', '/me', hs({}, `{"iss":"portico-test","aud":"api","sub":"ann","sub":"root"}`)],
  ['a claim twice further in', '/me', hs({}, `{"iss":"portico-test","aud":"api","a":[{"b":1,"b":2}]}`)],
  ['maps within maps', '/me', hs({}, `{"iss":"portico-test","aud":"api","a":${'{"a":'.repeat(60)}1${'}'.repeat(60)}}`)],
  [
    'lists within lists',
    '/me',
    hs({}, `{"iss":"portico-test","aud":"api","a":${'['.repeat(4000)}${']'.repeat(4000)}}`),
  ],
  // The algorithm.
  ['none', '/me', `${base64url('{"alg":"none"}')}.${claims}.`],
  ['none with a signature', '/me', tokenOf({ alg: 'none' }, soundClaims())],
  ['None', '/me', tokenOf({ alg: 'None' }, soundClaims())],
  ['nOnE for a public key', '/rsa', tokenOf({ alg: 'nOnE' }, soundClaims())],
  ['no algorithm', '/me', tokenOf({ typ: 'JWT' }, soundClaims())],
  ['an empty algorithm', '/me', tokenOf({ alg: '' }, soundClaims())],
  ['an algorithm in small letters', '/me', tokenOf({ alg: 'hs256' }, soundClaims())],
  ['a list of algorithms', '/me', tokenOf({ alg: ['HS256'] }, soundClaims())],
  ['an algorithm that objects have', '/me', tokenOf({ alg: 'constructor' }, soundClaims())],
  ['an algorithm that is __proto__', '/me', hs('{"alg":"__proto__"}')],
  ['a wider hash than the secret is for', '/me', tokenOf({ alg: 'HS512' }, soundClaims(), hmac(SECRET, 512))],
  ['HS256 by the public key in PEM', '/rsa', tokenOf({ alg: 'HS256' }, soundClaims(), hmac(publicPem))],
  [
    'HS256 by the public key without its last line end',
    '/rsa',
    tokenOf({ alg: 'HS256' }, soundClaims(), hmac(publicPem.trim())),
  ],
  [
    'HS256 by the public key in DER',
    '/rsa',
    tokenOf({ alg: 'HS256' }, soundClaims(), hmac(rsa.publicKey.export({ format: 'der', type: 'spki' }))),
  ],
  [
    'HS256 under the name of an RSA key',
    '/keys',
    tokenOf({ alg: 'HS256', kid: 'rsa' }, soundClaims(), hmac(publicPem)),
  ],
  [
    'HS256 by the right secret under the name of another key',
    '/keys',
    tokenOf({ alg: 'HS256', kid: 'p256' }, soundClaims()),
  ],
  ['RS256 where PS256 is asked for', '/ps', tokenOf({ alg: 'RS256' }, soundClaims(), signer('RS', rsa.privateKey))],
  ['ES256 for an RSA key', '/rsa', tokenOf({ alg: 'ES256' }, soundClaims(), signer('ES', p256.privateKey))],
  [
    'ES384 under the name of a P-256 key',
    '/keys',
    tokenOf({ alg: 'ES384', kid: 'p256' }, soundClaims(), signer('ES', p384.privateKey, 384)),
  ],
  // The key.
  ['an empty secret', '/me', tokenOf({ alg: 'HS256' }, soundClaims(), hmac(''))],
  ['another secret', '/me', tokenOf({ alg: 'HS256' }, soundClaims(), hmac(`${SECRET}x`))],
  ['another RSA key', '/rsa', tokenOf({ alg: 'RS256' }, soundClaims(), signer('RS', own.privateKey))],
  [
    'its own key in the header',
    '/rsa',
    tokenOf({ alg: 'RS256', jwk: jwk(own.publicKey, {}) }, soundClaims(), signer('RS', own.privateKey)),
  ],
  [
    'its own certificate in the header',
    '/rsa',
    tokenOf({ alg: 'RS256', x5c: [base64url('x')] }, soundClaims(), signer('RS', own.privateKey)),
  ],
  [
    'its own set of keys in the header',
    '/keys',
    tokenOf({ alg: 'RS256', kid: 'own', jku: 'http://127.0.0.1:1/' }, soundClaims(), signer('RS', own.privateKey)),
  ],
  [
    'a name of a key that is not known',
    '/keys',
    tokenOf({ alg: 'RS256', kid: 'other' }, soundClaims(), signer('RS', rsa.privateKey)),
  ],
  ['a name that is a path', '/me', hs({ kid: '../../../../dev/null' })],
  ['a name that is an absolute path', '/keys', tokenOf({ alg: 'HS256', kid: '/dev/null' }, soundClaims(), hmac(''))],
  ['a name that is a statement', '/me', hs({ kid: "x' UNION SELECT 'secret' --" })],
  ['a name that is a command', '/me', hs({ kid: '$(id)' })],
  ['a name with a NUL', '/me', hs({ kid: 'a\0b' })],
  ['a name with a line end', '/me', hs({ kid: 'a\r\nb' })],
  ['a name of 4000 letters', '/me', hs({ kid: 'x'.repeat(4000) })],
  ['an empty name', '/me', hs({ kid: '' })],
  ['a name that is a number', '/me', hs({ kid: 7 })],
  ['a name that is a map', '/me', hs({ kid: { $ne: null } })],
  ['a name that objects have', '/keys', tokenOf({ alg: 'HS256', kid: '__proto__' }, soundClaims(), hmac(''))],
  // Extensions.
  ['an extension that must be understood', '/me', hs({ crit: ['exp'], exp: 1 })],
  ['an empty list of extensions', '/me', hs({ crit: [] })],
  ['extensions that are no list', '/me', hs({ crit: 'b64' })],
  ['an unencoded payload', '/me', hs({ crit: ['b64'], b64: false })],
  ['an encoded payload that insists on it', '/me', hs({ crit: ['b64'], b64: true })],
  // The signature.
  ['one bit of the signature', '/me', `${head}.${claims}.${flipped}`],
  ['claims of another token', '/me', `${head}.${soundToken({ sub: 'root' }).split('.')[1]}.${signature}`],
  ['the header of another token', '/me', `${base64url('{"alg":"HS256","typ":"at+jwt"}')}.${claims}.${signature}`],
  ['half a signature', '/me', `${head}.${claims}.${signature.slice(0, 20)}`],
  ['a signature of zeros', '/keys', tokenOf({ alg: 'ES256', kid: 'p256' }, soundClaims(), () => new Uint8Array(64))],
  ['a signature in DER', '/keys', tokenOf({ alg: 'ES256', kid: 'p256' }, soundClaims(), (input) => derOf(input))],
  // The claims.
  ['ended', '/me', soundToken({ exp: seconds(-6) })],
  ['ended, without any skew', '/exact', soundToken({ exp: seconds(-1) })],
  ['ended long ago', '/me', soundToken({ exp: 0 })],
  ['ended before time began', '/me', soundToken({ exp: -1 })],
  ['an end in words', '/me', soundToken({ exp: String(seconds(300)) })],
  ['an end that is null', '/me', soundToken({ exp: null })],
  ['an end that is true', '/me', soundToken({ exp: true })],
  ['an end in a list', '/me', soundToken({ exp: [seconds(300)] })],
  ['an end beyond all numbers', '/me', hs({}, `{"iss":"portico-test","aud":"api","exp":1e999}`)],
  ['an end beyond all years', '/me', soundToken({ exp: 1e15 })],
  ['not begun', '/me', soundToken({ nbf: seconds(60) })],
  ['a beginning in words', '/me', soundToken({ nbf: '0' })],
  ['made in the future', '/me', soundToken({ iat: seconds(60) })],
  ['made in words', '/me', soundToken({ iat: 'now' })],
  ['another issuer', '/me', soundToken({ iss: 'portico-tes' })],
  ['a list of issuers', '/me', soundToken({ iss: ['portico-test'] })],
  ['no issuer', '/me', soundToken({ iss: undefined })],
  ['another audience', '/me', soundToken({ aud: 'web' })],
  ['an audience that only begins so', '/me', soundToken({ aud: 'api2' })],
  ['no audience', '/me', soundToken({ aud: undefined })],
  ['no audience in the list', '/me', soundToken({ aud: [] })],
  ['an audience that is a map', '/me', soundToken({ aud: { api: true } })],
  ['audiences that are no strings', '/me', soundToken({ aud: ['api', 7] })],
  ['a subject that is a map', '/me', soundToken({ sub: { $gt: '' } })],
  ['a subject that is a number', '/me', soundToken({ sub: 1 })],
  ['a number of its own that is no string', '/me', soundToken({ jti: 1 })],
  ['a claim that is not there', '/claims', soundToken({ level: 1, a: { b: true } })],
  ['a claim that is another one', '/claims', soundToken({ tenant: 'acm', level: 1, a: { b: true } })],
  ['a claim of another type', '/claims', soundToken({ tenant: 'acme', level: '1', a: { b: true } })],
  ['a claim that every object has', '/claims', soundToken({ tenant: 'acme', level: 1, a: [] })],
];

function derOf(input: string): Uint8Array {
  const raw = signer('ES', p256.privateKey)(input);
  const part = (bytes: Uint8Array): number[] => [2, 33, 0, ...bytes];
  return Uint8Array.from([48, 70, ...part(raw.subarray(0, 32)), ...part(raw.subarray(32))]);
}

describe('a hostile token is 401 and nothing else', () => {
  test.each(HOSTILE)('%s', async (_, path, token) => {
    expectRefused(await ask(path, [bearer(token).trimEnd()]), INVALID);
  });

  test('none is forgotten', () => {
    expect(HOSTILE.length).toBeGreaterThan(100);
    expect(createPublicKey(publicPem).asymmetricKeyType).toBe('rsa');
  });

  test.each<[string, string, string[]]>([
    ['in two lines', '/me', [bearer(sound), bearer(sound)]],
    ['beside another scheme', '/me', [bearer(sound), 'Authorization: Basic eDp5']],
    ['in two places that differ', '/places', [bearer(sound), `Cookie: session=${soundToken({ sub: 'bob' })}`]],
    ['in two cookies that differ', '/cookie', [`Cookie: session=${sound}; session=x`]],
    ['in two parameters that differ', `/places?access_token=${sound}&access_token=x`, []],
    ['in an empty cookie', '/cookie', ['Cookie: session=']],
  ])('also %s', async (_, target, fields) => {
    expectRefused(await ask(target, fields), INVALID);
  });
});
