/** Tokens are signed, verified and inspected, by keys and by routes. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type CommandOutcome, runCommand } from '../../test/support/command.ts';

const SECRET = 'correct-horse-battery-staple-0123456789a';
const directory = mkdtempSync(join(tmpdir(), 'portico-token-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const run = (...args: string[]) => runCommand(['token', ...args], { env: { SECRET }, cwd: directory });

async function signed(...args: string[]): Promise<string> {
  const { status, out, error } = await run('sign', ...args);
  expect([status, error]).toEqual([0, '']);
  return out.trim();
}

const json = (outcome: CommandOutcome): Record<string, unknown> => JSON.parse(outcome.out) as Record<string, unknown>;
const BY_SECRET = ['--secret-env', 'SECRET'];

function write(name: string, content: string | object): string {
  writeFileSync(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
  return name;
}

const pem = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString();

describe('what is signed', () => {
  test('is verified, with the claims that were asked for', async () => {
    const token = await signed(
      ...BY_SECRET,
      '--issuer',
      'i',
      '--audience',
      'a',
      '--audience',
      'b',
      '--subject',
      '7',
      '--claim',
      'n=7',
      '--claim',
      'roles=["x"]',
      '--claim',
      'text=a=b',
      '--claim',
      'quoted="7"',
      '--claim',
      'on=true',
      '--claim',
      'jti=12',
      '--expires-in',
      '10m',
    );
    const verified = await run('verify', token, ...BY_SECRET, '--issuer', 'i', '--audience', 'b', '--json');
    expect(verified.status).toBe(0);
    const { claims, ...rest } = json(verified);
    const { iat, exp, ...others } = claims as { iat: number; exp: number };
    expect(others).toEqual({
      iss: 'i',
      aud: ['a', 'b'],
      sub: '7',
      n: 7,
      roles: ['x'],
      text: 'a=b',
      quoted: '"7"',
      on: true,
      jti: '12',
    });
    expect(exp - iat).toBe(600);
    expect(rest).toEqual({ valid: true, subject: '7', roles: ['x'], scopes: [], consumer: null, tier: null });
  });

  const keys = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    EdDSA: generateKeyPairSync('ed25519'),
  };

  test.each(Object.entries(keys))(
    'by a key for %s is verified by its public key, as PEM and as JSON',
    async (name, pair) => {
      const file = write(`${name}.pem`, pem(pair.privateKey));
      const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' };
      for (const token of [await signed('--key', file), await signed('--key', write(`${name}.json`, jwk))]) {
        expect(json(await run('inspect', token, '--json')).header).toMatchObject({ alg: name });
        const publicJwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1' };
        for (const key of [pem(pair.publicKey), publicJwk, { keys: [publicJwk] }]) {
          expect(await run('verify', token, '--key', write('public', key))).toMatchObject({ status: 0, error: '' });
        }
        expect((await run('verify', token, ...BY_SECRET)).status).toBe(1);
      }
    },
  );

  test('has the algorithm and the name of the key that were asked for', async () => {
    const token = await signed(
      '--key',
      write('rsa.pem', pem(keys.RS256.privateKey)),
      '--alg',
      'PS384',
      '--kid',
      'mine',
    );
    expect(json(await run('inspect', token, '--json')).header).toEqual({ alg: 'PS384', typ: 'JWT', kid: 'mine' });
  });
});

describe('a route', () => {
  const jwt = (more: string): string => `{ jwt: { secret: "\${env.SECRET}", issuer: me, ${more} } }`;
  write(
    'portico.yaml',
    `version: 1
listeners: [{ name: a, address: "127.0.0.1:0" }]
tiers: { pro: { rate: 1 } }
consumers: [{ name: acme, tier: pro }]
services: [{ name: s, endpoints: ["http://127.0.0.1:1"], policies: [${jwt('audience: service')}] }]
routes:
  - { name: own, match: { path: /a }, service: s, policies: [${jwt('audience: [own, other], claims: { tenant: x, level: { oneOf: [3, 4] } }')}] }
  - { name: inherited, match: { path: /b }, service: s }
  - { name: open, match: { path: /c }, respond: { status: 204 } }
  - { name: key, match: { path: /d }, respond: { status: 204 }, policies: [{ anyOf: [{ jwt: { issuer: me, publicKeyFile: key.pub } }] }] }
`,
  );
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  write('key.pub', pem(publicKey));
  write('key.pem', pem(privateKey));

  test('gives its key, issuer, audience and claims to a token that it then takes', async () => {
    const token = await signed('--route', 'own', '-c', 'portico.yaml', '--claim', 'consumer=acme');
    const verified = json(await run('verify', token, '--route', 'own', '--json'));
    expect(verified).toMatchObject({ valid: true, consumer: 'acme', tier: 'pro' });
    expect(verified.claims).toMatchObject({ iss: 'me', aud: 'own', tenant: 'x', level: 3 });
    expect(await run('verify', token, '--route', 'inherited')).toMatchObject({
      status: 1,
      out: '',
      error: 'portico: refused: unexpected "aud" claim value\n',
    });
  });

  test('may have the policy from its service, and its key in a file', async () => {
    expect((await run('verify', await signed('--route', 'inherited'), '--route', 'inherited')).status).toBe(0);
    const token = await signed('--route', 'key', '--key', 'key.pem');
    expect((await run('verify', token, '--route', 'key')).out).toMatch(/^valid\n/);
  });

  test.each<[string, string[], string]>([
    ['is not there', ['sign', '--route', 'none'], 'no route has the name "none"'],
    ['takes no tokens', ['sign', '--route', 'open'], 'the route "open" takes no tokens'],
    ['knows no private key', ['sign', '--route', 'key'], 'the route knows no private key'],
    ['is not named', ['sign', '-c', 'portico.yaml'], 'say which with --route NAME'],
  ])('that %s is said to be so', async (_, args, said) => {
    expect(await run(...args)).toMatchObject({ status: 1, out: '', error: expect.stringContaining(said) });
  });
});

describe('what stands in a token', () => {
  test('is shown without being believed', async () => {
    const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"root","exp":0}').toString('base64url')}.`;
    const { status, out } = await run('inspect', forged);
    expect(status).toBe(0);
    expect(out).toBe(
      'header    {"alg":"none"}\nclaims    {"sub":"root","exp":0}\nends      1970-01-01T00:00:00.000Z\nnot verified: anybody could have written this\n',
    );
    expect(json(await run('inspect', `Bearer ${forged}`, '--json'))).toMatchObject({ verified: false });
    expect(await run('verify', forged, ...BY_SECRET)).toMatchObject({ status: 1 });
  });

  test.each(['x', 'x.y.z', '', '..', 'e30.e30', 'e30.bnVsbA.', 'e30.W10.x'])('is not shown of %j', async (text) => {
    expect(await run('inspect', text)).toMatchObject({
      status: 1,
      out: '',
      error: expect.stringContaining('this is no token'),
    });
  });
});

describe('a line that asks for what cannot be', () => {
  const PRIVATE = write('private.pem', pem(generateKeyPairSync('ed25519').privateKey));
  test.each<[string, string[], number, string]>([
    ['nothing to do', [], 2, 'usage: portico token'],
    ['something else', ['make'], 2, 'usage: portico token'],
    ['no token', ['verify'], 2, 'usage: portico token'],
    ['a token too many', ['sign', 'x'], 2, 'usage: portico token'],
    ['no key', ['sign'], 1, 'no key to sign with'],
    ['nothing to verify by', ['verify', 'x.y.z'], 1, 'nothing to verify by'],
    ['an environment without the secret', ['sign', '--secret-env', 'NONE'], 1, 'the environment has no NONE'],
    ['a short secret', ['sign', '--secret', 'short'], 1, 'at least 32 bytes'],
    ['a short secret to verify by', ['verify', 'x.y.z', '--secret', 'short'], 1, 'at least 32 bytes'],
    ['two keys', ['sign', ...BY_SECRET, '--key', PRIVATE], 1, 'not both'],
    ['a file that is not there', ['sign', '--key', 'nowhere'], 1, 'cannot read nowhere: ENOENT'],
    ['a file to verify by that is not there', ['verify', 'x', '--key', 'nowhere'], 1, 'cannot read nowhere: ENOENT'],
    ['a file without a key', ['sign', '--key', 'portico.yaml'], 1, 'holds no private key'],
    ['a private key to verify by', ['verify', 'x', '--key', PRIVATE], 1, 'the file of --key holds a private key'],
    ['an algorithm of other keys', ['sign', '--key', PRIVATE, '--alg', 'HS256'], 1, 'the key is not for HS256'],
    ['none', ['sign', ...BY_SECRET, '--alg', 'none'], 1, 'the key is not for none'],
    ['a time without its unit', ['sign', ...BY_SECRET, '--expires-in', '5'], 1, 'needs a unit'],
    ['a claim without a value', ['sign', ...BY_SECRET, '--claim', 'admin'], 1, 'write NAME=VALUE'],
  ])('%s', async (_, args, status, said) => {
    expect(await run(...args)).toMatchObject({ status, out: '', error: expect.stringContaining(said) });
  });

  test('is warned of a secret that others can see', async () => {
    const { status, error } = await run('sign', '--secret', SECRET);
    expect([status, error]).toEqual([
      0,
      'portico: whoever sees the list of processes sees the secret: better --secret-env NAME\n',
    ]);
  });
});
