/** Certificates that are sound, ended, weak, incomplete or of another key, and what is said of each. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../../test/support/certificates.ts';
import { parseConfigText } from './load.ts';

/** Made by a command line with what the support file cannot make: an RSA key of 1024 bits. */
const WEAK = `-----BEGIN CERTIFICATE-----
MIICJTCCAY6gAwIBAgIUMuenl3YsnNKGSQa68herulwqOdQwDQYJKoZIhvcNAQEL
BQAwFzEVMBMGA1UEAwwMd2Vhay5leGFtcGxlMCAXDTI2MTEyMTE2MDAzN1oYDzIx
MjYxMDI4MTYwMDM3WjAXMRUwEwYDVQQDDAx3ZWFrLmV4YW1wbGUwgZ8wDQYJKoZI
hvcNAQEBBQADgY0AMIGJAoGBALcQWHRd9GubwGvvybhmrrzcO3fUoxE1dR4kvI9v
bc8oFzkkMmu1spAuFk7KiuA0a1WOjac3SuhAEx5he5bUydAw3icAPOu3ckAs8aul
459+FZhdE15xADqb7KfSe5UMx44tJoigu7LkTGjnvBlO2H+oOCOad0nJtrXOyUwt
BFQFAgMBAAGjbDBqMB0GA1UdDgQWBBRq7W2VpE2hky6dLBSmvgSMiH2J1jAfBgNV
HSMEGDAWgBRq7W2VpE2hky6dLBSmvgSMiH2J1jAPBgNVHRMBAf8EBTADAQH/MBcG
A1UdEQQQMA6CDHdlYWsuZXhhbXBsZTANBgkqhkiG9w0BAQsFAAOBgQBcYbiifayk
8TpPXdJonP79iJbPb7ePsAD/tLnKSM6D5AQnUXnQdMRehk2hmAkzwT/CfnsXDbeN
ukmkC2IdNwSCw8itCC3Vw6sksUxz9eXTumVHybJNXV4mZ5AukDFShfNPpYveWoEo
bXAGPVE36lhAvG5SPwU34AuCEhikgvJG6Q==
-----END CERTIFICATE-----
`;

/** Names a place where its issuer may be fetched, as public authorities do. */
const PUBLIC = `-----BEGIN CERTIFICATE-----
MIIBzDCCAXOgAwIBAgIUcSnci7+v05iI7QIcC8LPBnPyR8MwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRVGVzdCBpbnRlcm1lZGlhdGUwIBcNMjYxMTIxMTYwMTQ5WhgP
MjEyNjEwMjgxNjAxNDlaMBkxFzAVBgNVBAMMDnB1YmxpYy5leGFtcGxlMFkwEwYH
KoZIzj0CAQYIKoZIzj0DAQcDQgAEjxgp9EHEQJkBmsJ4C3rRoAiw5FBkY3nHuaBi
8KY1U7hMT9tC0qq2bVgR+vAF1k8TAwGWOgor8hSs4RUHWfkFfqOBkzCBkDAZBgNV
HREEEjAQgg5wdWJsaWMuZXhhbXBsZTAzBggrBgEFBQcBAQQnMCUwIwYIKwYBBQUH
MAKGF2h0dHA6Ly9jYS5leGFtcGxlL2kuY3J0MB0GA1UdDgQWBBS5C+NXhE/p6G4P
6xxdvIxzY7lYEjAfBgNVHSMEGDAWgBTrpVYxh816DvP+XrgHwGNQ4FSh7jAKBggq
hkjOPQQDAgNHADBEAiB40cCWTqqHvBFFdnRl5VkvJQddPngPXdMicw6aqGWM4AIg
W0TkqkzUVw1M3neGJryWz1UgYk0R/j+35j0h75bU2KI=
-----END CERTIFICATE-----
`;

const WHEN_THOSE_HOLD = Date.parse('2030-01-01');

const DAY = 86_400_000;
const authority = createAuthority('Test authority');
const good = authority.issue({ names: ['a.example', '*.a.example'], days: 90 });
const other = authority.issue({ names: ['b.example'], days: 90 });
const below = authority.intermediate('Below');
const chained = below.issue({ names: ['c.example'], days: 90 });

const LISTENER = `version: 1
admin: false
listeners:
  - name: secure
    address: 127.0.0.1:0
    tls:
      certificates:
        - certFile: a.crt
          keyFile: a.key
`;

type Files = Record<string, string>;

function check(text: string, files: Files, now?: number): string[] {
  const { findings } = load(text, files, now);
  return findings.map(({ line, column, severity, code, path }) => `${line}:${column} ${severity} ${code} ${path}`);
}

function load(text: string, files: Files, now?: number) {
  const absolute = Object.fromEntries(Object.entries(files).map(([name, content]) => [resolve(name), content]));
  return parseConfigText(text, { files: absolute, ...(now === undefined ? {} : { now: () => now }) });
}

function pair({ cert, key }: IssuedCertificate): Files {
  return { 'a.crt': cert, 'a.key': key };
}

const CERT = 'listeners[0].tls.certificates[0].certFile';
const KEY = 'listeners[0].tls.certificates[0].keyFile';

describe('a certificate of a listener', () => {
  test('that is sound says nothing, alone or with its issuers', () => {
    expect(check(LISTENER, pair(good))).toEqual([]);
    expect(check(LISTENER, pair({ ...chained, cert: chained.cert + below.ca }))).toEqual([]);
    expect(check(LISTENER, pair({ ...chained, cert: chained.cert + below.ca + authority.ca }))).toEqual([]);
    expect(load(LISTENER, pair(good)).config?.listeners[0].tls?.certificates[0]).toMatchObject(good);
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const secret = { format: 'pem', cipher: 'aes-128-cbc', passphrase: 'of nobody' } as const;

  test.each<[string, Files, string, RegExp]>([
    [
      'an empty file',
      { ...pair(good), 'a.crt': '' },
      `8:21 error invalid_certificate ${CERT}`,
      /no certificate in PEM/,
    ],
    ['DER', { ...pair(good), 'a.crt': '0\x82\x01' }, `8:21 error invalid_certificate ${CERT}`, /no certificate in PEM/],
    [
      'a key in its place',
      { ...pair(good), 'a.crt': good.key },
      `8:21 error invalid_certificate ${CERT}`,
      /a private key/,
    ],
    [
      'cut short',
      { ...pair(good), 'a.crt': good.cert.slice(0, 300) },
      `8:21 error invalid_certificate ${CERT}`,
      /1 in it is cut short/,
    ],
    [
      'a malformed second one',
      { ...pair(good), 'a.crt': good.cert + broken(good.cert) },
      `8:21 error invalid_certificate ${CERT}`,
      /2 in it is malformed/,
    ],
    ['no key', { ...pair(good), 'a.key': 'none' }, `9:20 error invalid_private_key ${KEY}`, /no private key in PEM/],
    [
      'a certificate as key',
      { ...pair(good), 'a.key': good.cert },
      `9:20 error invalid_private_key ${KEY}`,
      /certificate and no private key/,
    ],
    [
      'a malformed key',
      { ...pair(good), 'a.key': good.key.replace(/[A-Z]{3}/, '***') },
      `9:20 error invalid_private_key ${KEY}`,
      /malformed/,
    ],
    [
      'a key under a passphrase',
      { ...pair(good), 'a.key': String(createPrivateKey(good.key).export({ ...secret, type: 'pkcs8' })) },
      `9:20 error invalid_private_key ${KEY}`,
      /passphrase/,
    ],
    [
      'an older one',
      { ...pair(good), 'a.key': String(rsa.export({ ...secret, type: 'pkcs1' })) },
      `9:20 error invalid_private_key ${KEY}`,
      /passphrase/,
    ],
    ['the key of another', { ...pair(good), 'a.key': other.key }, `9:20 error key_mismatch ${KEY}`, /does not belong/],
    [
      'its issuer first',
      { ...pair(chained), 'a.crt': below.ca + chained.cert },
      `9:20 error key_mismatch ${KEY}`,
      /another certificate of `certFile` than the first/,
    ],
    [
      'a chain with a stranger',
      { ...pair(chained), 'a.crt': chained.cert + authority.ca },
      `8:21 warning certificate_chain ${CERT}`,
      /`c.example` is followed by that of `Test authority`/,
    ],
    [
      'no names',
      pair(authority.issue({ names: [], days: 90 })),
      `8:21 warning certificate_without_names ${CERT}`,
      /subjectAltName/,
    ],
    [
      'one for clients',
      pair(authority.issue({ names: ['c'], client: true, days: 90 })),
      `8:21 warning certificate_purpose ${CERT}`,
      /not made for servers/,
    ],
  ])('is told of: %s', (_, files, expected, words) => {
    const { findings } = load(LISTENER, files);
    const found = check(LISTENER, files);
    expect(found).toContain(expected);
    expect(findings[found.indexOf(expected)].message).toMatch(words);
    // No more than what is wrong, but for what a chain the wrong way round is besides.
    expect(found.filter((finding) => !finding.includes('certificate_'))).toHaveLength(
      expected.includes(' error ') ? 1 : 0,
    );
  });

  test('whose RSA key is short is refused, whatever the library of the moment says', () => {
    const files = { ...pair(good), 'a.crt': WEAK };
    expect(check(LISTENER, files, WHEN_THOSE_HOLD)).toContain(`8:21 error weak_key ${CERT}`);
  });

  test('of a public authority wants the certificate between it and the root', () => {
    const { findings } = load(LISTENER, { ...pair(good), 'a.crt': PUBLIC }, WHEN_THOSE_HOLD);
    const [finding, another, ...more] = findings;
    expect([another.code, more]).toEqual(['key_mismatch', []]);
    expect(finding).toMatchObject({ code: 'certificate_chain', severity: 'warning', path: CERT });
    expect(finding.message).toContain('does not stand after it');
  });

  const { cert } = authority.issue({ names: ['t.example'], notBefore: new Date('2030-01-01'), days: 100 });
  test.each([
    [Date.parse('2029-12-31'), 'certificate_not_yet_valid', 'not valid before 2030-01-01'],
    [Date.parse('2030-01-02'), null, ''],
    [Date.parse('2030-01-01') + 86 * DAY - 1000, null, ''],
    [Date.parse('2030-01-01') + 86 * DAY + 1000, 'certificate_expires_soon', 'expires in 13 days, on 2030-04-11'],
    [Date.parse('2030-01-01') + 98.5 * DAY, 'certificate_expires_soon', 'expires in 1 day,'],
    [Date.parse('2030-01-01') + 99.5 * DAY, 'certificate_expires_soon', 'expires within a day, on 2030-04-11'],
    [Date.parse('2030-01-01') + 100 * DAY + 1000, 'certificate_expired', 'expired on 2030-04-11'],
  ])('is judged by the time: at %d', (now, code, words) => {
    const files = { 'a.crt': cert, 'a.key': good.key };
    const { findings } = load(LISTENER, files, now);
    const found = findings.filter(({ code }) => code !== 'key_mismatch');
    expect(found.map((finding) => finding.code)).toEqual(code === null ? [] : [code]);
    for (const { message, severity } of found) {
      expect(message).toContain(words);
      expect(message).toContain('`t.example`');
      expect(severity).toBe('warning');
    }
  });

  test('that has ended keeps no gateway from running', () => {
    const ended = authority.issue({ names: ['a.example'], days: -1 });
    const { config, findings } = load(LISTENER, pair(ended));
    expect(findings.map(({ code }) => code)).toEqual(['certificate_expired']);
    expect(config?.listeners[0].tls?.certificates[0].cert).toBe(ended.cert);
  });

  test('shares no name with another of its listener', () => {
    const text = `${LISTENER}        - { certFile: b.crt, keyFile: b.key }
  - name: elsewhere
    address: 127.0.0.1:0
    tls: { certificates: [{ certFile: a.crt, keyFile: a.key }] }
`;
    const same = authority.issue({ names: ['x.example', 'A.example', '*.a.example'], days: 90 });
    const files = { ...pair(good), 'b.crt': same.cert, 'b.key': same.key };
    const { findings } = load(text, files);
    expect(findings.map(({ code, path }) => [code, path])).toEqual([
      ['duplicate_certificate', 'listeners[0].tls.certificates[1].certFile'],
    ]);
    expect(findings[0].message).toContain('`a.example` and 1 more of its names stand in `certificates[0]` too');
    // An exact name beside the wildcard that covers it is what SNI is for.
    const exact = authority.issue({ names: ['www.a.example'], days: 90 });
    expect(check(text, { ...pair(good), 'b.crt': exact.cert, 'b.key': exact.key })).toEqual([]);
  });

  test('may share an address with another of its listener, since nobody asks for one by SNI', () => {
    const text = `${LISTENER}        - { certFile: b.crt, keyFile: b.key }\n`;
    const [a, b] = ['a.example', 'b.example'].map((name) => authority.issue({ names: [name, '10.0.0.1'], days: 90 }));
    expect(check(text, { ...pair(a), 'b.crt': b.cert, 'b.key': b.key })).toEqual([]);
  });
});

/** A certificate whose base64 is sound and whose DER is not. */
function broken(cert: string): string {
  return cert.replace(/\n[A-Za-z0-9+/]{20}/, `\n${'AAAA'.repeat(5)}`);
}

describe('authorities of clients', () => {
  const text = `${LISTENER}      clientCertificates: { caFile: ca.crt }\n`;
  test.each<[string, string, string[]]>([
    ['sound', authority.ca + below.ca, []],
    ['none', 'nothing', ['10:37 error invalid_certificate']],
    ['a leaf', good.cert, ['10:37 warning not_an_authority']],
    ['one cut short', authority.ca + below.ca.slice(0, 200), ['10:37 error invalid_certificate']],
  ])('%s', (_, ca, expected) => {
    const found = check(text, { ...pair(good), 'ca.crt': ca });
    expect(found).toEqual(expected.map((line) => `${line} listeners[0].tls.clientCertificates.caFile`));
  });
});

describe('a service', () => {
  const client = authority.issue({ names: ['gateway.internal'], client: true, days: 90 });
  const files = {
    'c.crt': client.cert,
    'c.key': client.key,
    'ca.crt': authority.ca,
    's.crt': good.cert,
    's.key': good.key,
  };

  test.each([
    ['{ caFile: ca.crt, certFile: c.crt, keyFile: c.key, serverName: x.internal }', []],
    ['{ certFile: c.crt }', ['missing_key certFile']],
    ['{ keyFile: c.key }', ['missing_key keyFile']],
    ['{ certFile: c.crt, keyFile: s.key }', ['key_mismatch keyFile']],
    ['{ certFile: s.crt, keyFile: s.key }', ['certificate_purpose certFile']],
    ['{ caFile: c.key }', ['invalid_certificate caFile']],
    ['{ verify: false, serverName: x.internal }', ['unverified_upstream verify']],
    ['{ caFile: ca.crt, verify: false }', ['no_effect caFile', 'unverified_upstream verify']],
  ])('%s', (tls, expected) => {
    const text = `version: 1
admin: false
listeners: [{ name: a, address: "127.0.0.1:0" }]
services: [{ name: s, endpoints: ["https://127.0.0.1:1"], tls: ${tls} }]
routes: [{ name: r, match: { path: / }, service: s }]
`;
    const { findings } = load(text, files);
    expect(findings.map(({ code, path }) => `${code} ${path.split('.').at(-1)}`)).toEqual(expected);
  });
});

test.each([
  ['endpoints: ["http://127.0.0.1:1"]', ['no_effect']],
  ['endpoints: [{ url: "http://127.0.0.1:1" }], protocol: grpc', ['no_effect']],
  ['endpoints: ["http://127.0.0.1:1", "https://127.0.0.1:2"]', []],
  ['endpoints: ["http://127.0.0.1:1"], protocol: grpcs', []],
  ['endpoints: ["http://127.0.0.1:1"], registration: true', []],
])('`tls` of a service with %s', (rest, expected) => {
  const text = `version: 1
admin: false
listeners: [{ name: a, address: "127.0.0.1:0" }]
services: [{ name: s, ${rest}, tls: { serverName: x.internal } }]
routes: [{ name: r, match: { path: / }, service: s }]
`;
  expect(load(text, {}).findings.map(({ code }) => code)).toEqual(expected);
});

test('no key is quoted, nor any other part of a file', () => {
  const keys = [
    good.key,
    other.key,
    `-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHNlY3JldCBzZWNyZXQ=\n-----END PRIVATE KEY-----\n`,
  ];
  for (const key of keys) {
    const { findings } = load(LISTENER, { 'a.crt': other.cert, 'a.key': key });
    const said = JSON.stringify(findings);
    for (const line of key.split('\n').filter((part) => part.length > 8 && !part.startsWith('-----')))
      expect(said).not.toContain(line);
  }
});
