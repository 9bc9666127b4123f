/** Certificates read from texts that have other things in them, and the names that they hold. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../test/support/certificates.ts';
import {
  alternativeNames,
  distinguishedName,
  hostNames,
  nameOfCertificate,
  parseCertificates,
  sniNames,
} from './certificate.ts';

const authority = createAuthority('Root');
const leaf = authority.issue({ names: ['A.example', '*.b.example', '10.0.0.1', 'spiffe://c/d'] });

describe('the certificates of a text', () => {
  test('are those that stand in it, in their order, whatever stands between', () => {
    const text = `# mine\r\n${leaf.cert.replaceAll('\n', '\r\n')}-- and -----\n${leaf.key}${authority.ca.trim()}`;
    expect(parseCertificates(text).map(nameOfCertificate)).toEqual(['A.example', 'Root']);
    expect(parseCertificates(authority.ca.replaceAll('CERTIFICATE', 'X509 CERTIFICATE'))).toHaveLength(1);
    expect(parseCertificates(leaf.key)).toEqual([]);
    expect(parseCertificates('')).toEqual([]);
  });

  test('that are not whole are refused, wherever they are cut', () => {
    const begin = '-----BEGIN CERTIFICATE-----'.length;
    fc.assert(
      fc.property(fc.integer({ min: begin, max: authority.ca.trimEnd().length - 1 }), (end) => {
        expect(() => parseCertificates(leaf.cert + authority.ca.slice(0, end))).toThrow(/certificate 2/);
      }),
      { numRuns: 50 },
    );
  });
});

describe('names', () => {
  test('of hosts are lower case, and the first one is the certificate’s', () => {
    const [certificate] = parseCertificates(leaf.cert);
    expect(hostNames(certificate)).toEqual(['a.example', '*.b.example', '10.0.0.1']);
    expect(nameOfCertificate(certificate)).toBe('A.example');
  });

  test.each<[string | undefined, [string, string][]]>([
    [undefined, []],
    ['', []],
    ['DNS:a', [['DNS', 'a']]],
    [
      'URI:http://a:80/, IP Address:0:0:0:0:0:0:0:1',
      [
        ['URI', 'http://a:80/'],
        ['IP Address', '0:0:0:0:0:0:0:1'],
      ],
    ],
    // One name that pretends to be two, as the runtime writes it.
    [
      'DNS:"a.example\\u002c DNS:b.example", DNS:c',
      [
        ['DNS', 'a.example, DNS:b.example'],
        ['DNS', 'c'],
      ],
    ],
    [
      'DNS:"a\\"b", email:x',
      [
        ['DNS', 'a"b'],
        ['email', 'x'],
      ],
    ],
    ['DNS:"\\q"', [['DNS', '\\q']]],
    [
      'DNS:"open, DNS:b',
      [
        ['DNS', '"open'],
        ['DNS', 'b'],
      ],
    ],
    [
      'othername:<unsupported>, DNS:a',
      [
        ['othername', '<unsupported>'],
        ['DNS', 'a'],
      ],
    ],
    ['nothing', []],
  ])('in %s', (subjectAltName, expected) => {
    const names = alternativeNames({ subjectAltName });
    expect(names.map(({ type, value }) => [type, value])).toEqual(expected);
  });

  test.each([
    ['CN=a', 'CN=a'],
    ['C=DE\nO=A\\, B\nOU=x + CN=y \\+ z', 'OU=x+CN=y \\+ z,O=A\\, B,C=DE'],
    ['', ''],
  ])('of a subject %j', (lines, expected) => {
    expect(distinguishedName(lines)).toBe(expected);
  });

  test.each<[string[], string | undefined, string | undefined]>([
    [['a.example', '*.b.example'], 'DNS:A.example, IP Address:10.0.0.1, DNS:*.b.example', 'CN=c.example'],
    // One name that pretends to be two is no name of either.
    [['a.example, dns:b.example'], 'DNS:"a.example\\u002c DNS:b.example"', undefined],
    [[], 'IP Address:10.0.0.1', 'CN=c.example'],
    [['c.example'], undefined, 'O=B\nCN=C.example'],
    [[], undefined, 'O=B'],
    [[], undefined, undefined],
  ])('that SNI may ask for: %j of %s and %s', (expected, subjectAltName, subject) => {
    expect(sniNames({ subjectAltName, subject: subject as string })).toEqual(expected);
  });

  test('without hosts are the common name, or what there is', () => {
    expect(nameOfCertificate({ subjectAltName: undefined, subject: 'O=B\nCN=a b' })).toBe('a b');
    expect(nameOfCertificate({ subjectAltName: 'URI:urn:x', subject: 'CN=a' })).toBe('urn:x');
    expect(nameOfCertificate({ subjectAltName: undefined, subject: 'C=DE\nO=B' })).toBe('O=B,C=DE');
  });
});
