/** `securityHeaders`: what is said by default, what can be changed, and that the upstream's own words are replaced. */
import { describe, expect, test } from 'vitest';
import { exchangeOf, servicesOf } from '../../pipeline/policy.test.support.ts';
import { securityHeaders } from './index.ts';

/** The fields of the answer, one a line, after what an upstream said. */
function answered(options: object, scheme = 'http', upstream = ''): string[] {
  const hooks = securityHeaders.create(securityHeaders.schema.parse(options), servicesOf());
  // What is made once must not remember the answer before.
  hooks.onResponse?.(exchangeOf({ scheme: 'https' }));
  const exchange = exchangeOf({ scheme });
  hooks.onResponse?.(exchange);
  const { responseEdits } = exchange;
  return (responseEdits.filter(upstream) + responseEdits.lines()).trimEnd().split('\r\n').filter(Boolean);
}

const OTHERS = [
  'X-Content-Type-Options: nosniff',
  'X-Frame-Options: DENY',
  'Referrer-Policy: strict-origin-when-cross-origin',
];
const HSTS = 'Strict-Transport-Security: max-age=31536000';
const off = { contentTypeOptions: false, frameOptions: false, referrerPolicy: false };

describe('an answer', () => {
  test.each<[string, object, string, string[]]>([
    ['by default', {}, 'http', OTHERS],
    ['by default, over TLS', {}, 'https', [HSTS, ...OTHERS]],
    ['with all turned off', { ...off, strictTransportSecurity: false }, 'https', []],
    ['with the rest turned off', off, 'https', [HSTS]],
    [
      'with a longer HSTS',
      { ...off, strictTransportSecurity: { maxAge: '730d', includeSubDomains: true, preload: true } },
      'https',
      ['Strict-Transport-Security: max-age=63072000; includeSubDomains; preload'],
    ],
    [
      'that takes HSTS back',
      { ...off, strictTransportSecurity: { maxAge: '0ms' } },
      'https',
      ['Strict-Transport-Security: max-age=0'],
    ],
    [
      'with what pages want',
      {
        frameOptions: 'SAMEORIGIN',
        referrerPolicy: 'no-referrer',
        contentSecurityPolicy: "default-src 'self'",
        contentSecurityPolicyReportOnly: "script-src 'none'",
        permissionsPolicy: 'camera=()',
        crossOriginOpenerPolicy: 'same-origin',
        crossOriginEmbedderPolicy: 'require-corp',
        crossOriginResourcePolicy: 'same-site',
      },
      'http',
      [
        'X-Content-Type-Options: nosniff',
        'X-Frame-Options: SAMEORIGIN',
        'Referrer-Policy: no-referrer',
        "Content-Security-Policy: default-src 'self'",
        "Content-Security-Policy-Report-Only: script-src 'none'",
        'Permissions-Policy: camera=()',
        'Cross-Origin-Opener-Policy: same-origin',
        'Cross-Origin-Embedder-Policy: require-corp',
        'Cross-Origin-Resource-Policy: same-site',
      ],
    ],
  ])('%s', (_, options, scheme, expected) => {
    expect(answered(options, scheme)).toEqual(expected);
  });

  test('has nothing of what the upstream says under the same names, and what it says under those that are turned off', () => {
    const upstream =
      'x-frame-options: ALLOWALL\r\nX-A: 1\r\nReferrer-Policy: unsafe-url\r\nReferrer-Policy: origin\r\n';
    expect(answered({}, 'http', upstream)).toEqual(['X-A: 1', ...OTHERS]);
    expect(answered(off, 'http', upstream)).toEqual(upstream.trimEnd().split('\r\n'));
  });

  test('over plain HTTP keeps what an upstream says of TLS, which browsers ignore there', () => {
    expect(answered({ ...off }, 'http', 'Strict-Transport-Security: max-age=1\r\n')).toHaveLength(1);
  });
});

test.each([
  [{ frameOptions: 'ALLOW-FROM https://a' }],
  [{ frameOptions: true }],
  [{ referrerPolicy: 'none' }],
  [{ contentSecurityPolicy: "default-src 'self'\r\nSet-Cookie: a=1" }],
  [{ contentSecurityPolicy: '' }],
  [{ permissionsPolicy: ' camera=()' }],
  [{ strictTransportSecurity: { preload: true } }],
  [{ strictTransportSecurity: { preload: true, includeSubDomains: true, maxAge: '30d' } }],
  [{ strictTransportSecurity: true }],
  [{ hsts: false }],
])('%j are no options', (options) => {
  expect(securityHeaders.schema.safeParse(options).success).toBe(false);
});

test('says for people what it does', () => {
  const effect = (options: object): string =>
    securityHeaders.create(securityHeaders.schema.parse(options), servicesOf()).effect;
  expect(effect({})).toBe(
    'sets X-Content-Type-Options, X-Frame-Options, Referrer-Policy, Strict-Transport-Security over TLS',
  );
  expect(effect({ ...off, strictTransportSecurity: false })).toBe('sets nothing');
});
