/** Names have the same id as bytes and as text, and other names have none. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIELD, fieldIdOfBytes, fieldIdOfName } from './field-name.ts';

function idOf(name: string): number {
  const bytes = Buffer.from(`ab${name}:x`);
  return fieldIdOfBytes(bytes, 2, 2 + name.length);
}

describe('names of the client’s certificate', () => {
  test.each([
    'x-client-cert-subject',
    'X-CLIENT-CERT-SAN',
    'X-Client-Cert-Fingerprint',
    'x-client-cert-a',
    // What is behind CGI, WSGI or the like sees no difference.
    'X_Client_Cert_Subject',
    'x-client_cert-subject',
    'X-Client-Cert_Subject',
  ])('%s is one', (name) => {
    expect(idOf(name)).toBe(FIELD.xClientCert);
    expect(fieldIdOfName(name.toLowerCase())).toBe(FIELD.xClientCert);
  });

  test.each([
    'x-client-cert',
    'x-client-cert-',
    'x-client-certificate',
    'xx-client-cert-a',
    'x-client.cert-a',
    'x-clienT-carT-a',
  ])('%s is none', (name) => {
    expect(idOf(name)).toBe(FIELD.other);
    expect(fieldIdOfName(name.toLowerCase())).toBe(FIELD.other);
  });
});

test.each(['constructor', '__proto__', 'toString', 'x-unknown'])('%s is no name that the gateway acts on', (name) => {
  expect([idOf(name), fieldIdOfName(name.toLowerCase())]).toEqual([FIELD.other, FIELD.other]);
});

test('bytes and text of a name have the same id', () => {
  const known = Object.keys(FIELD).map((key) => key.replace(/[A-Z0-9]/g, (letter) => `-${letter.toLowerCase()}`));
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,30}$/);
  const nearly = fc
    .tuple(
      fc.constantFrom(...known, 'x-client-cert-subject', 'x_client_cert_san'),
      fc.nat(40),
      fc.constantFrom('', '_', '-', 'A', '~'),
    )
    .map(([name, at, letter]) => name.slice(0, at) + letter + name.slice(at + 1))
    .filter((name) => name !== '');
  fc.assert(
    fc.property(fc.oneof(token, nearly), (name) => {
      expect(idOf(name)).toBe(fieldIdOfName(name.toLowerCase()));
    }),
  );
});
